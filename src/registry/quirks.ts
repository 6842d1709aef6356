const MiB = 1024 * 1024;

/**
 * What is known beforehand about a kind of registry, where it differs from the specification. A new
 * quirk has its place here; what a registry shows while the run goes on is in `Learned`.
 */
export interface Quirks {
  /** The API's host where it is not the registry's name. */
  readonly api?: string;
  /** The largest blob that goes up in one PUT; above, one PATCH and an empty PUT. Bytes. */
  readonly singlePut: number;
  /** The chunk where one request must not carry the whole blob. Bytes. */
  readonly chunk: number;
  /** Blobs can be mounted only from repositories in which a manifest names them already. */
  readonly mountsCommittedOnly: boolean;
  /** Where a tag is taken away, when not by the specification's way. */
  readonly untag?: (repository: string, tag: string) => string;
  /** What a missing repository means here, for the message. */
  readonly repositoryAdvice?: string;
  /** An HTML 403 is a passing fault here: its front door was seen to block now and then. */
  readonly blocksAtTimes?: boolean;
}

/** A registry that follows the specification. */
const usual: Quirks = {
  // Half of what proxies in front of registries were seen to cap a request at (Cloudflare: 100 MB).
  singlePut: 48 * MiB,
  chunk: 32 * MiB,
  mountsCommittedOnly: false
};

interface Known {
  readonly host: RegExp;
  readonly quirks: Partial<Quirks>;
}

const known: readonly Known[] = [
  // Microsoft's own: hosted runners among others are blocked for a while, with a page.
  {host: /^mcr\.microsoft\.com$/, quirks: {blocksAtTimes: true}},
  {
    host: /^docker\.io$/,
    quirks: {
      api: 'registry-1.docker.io',
      repositoryAdvice:
        'Docker Hub answers 401 for repositories that do not exist or that the account may not see.'
    }
  },
  {
    // ACR: a single PUT of more than about 20 MB was seen to be answered with 413.
    // https://github.com/goharbor/harbor/issues/21640
    host: /\.azurecr\.(?:io|cn|us|de)$/,
    quirks: {
      singlePut: 16 * MiB,
      chunk: 16 * MiB,
      // Manifests are deleted by digest only; tags have an address of their own.
      // https://learn.microsoft.com/rest/api/containerregistry/dataplane/tag/delete
      untag: (repository, tag) => `/acr/v1/${repository}/_tags/${tag}`
    }
  },
  {
    // GHCR: chunks with Content-Range above 4 MiB are answered with 416.
    // https://github.com/oras-project/rust-oci-client/issues/35
    host: /^ghcr\.io$/,
    quirks: {
      chunk: 4 * MiB,
      repositoryAdvice: 'The token needs the scope write:packages.'
    }
  },
  {
    // ECR: repositories are not made by a push, and layers are mounted only if the account has that switched on.
    // https://github.com/google/go-containerregistry/issues/1091
    host: /\.dkr\.ecr(?:-fips)?\.[a-z0-9-]+\.(?:amazonaws\.com(?:\.cn)?|on\.aws)$/,
    quirks: {
      mountsCommittedOnly: true,
      repositoryAdvice:
        'ECR needs each repository before the push: aws ecr create-repository --repository-name <name>, or a creation template.'
    }
  },
  {
    // Artifact Registry: no upload in several chunks: whole blobs only.
    // https://github.com/containers/skopeo/issues/1101
    host: /(?:^|\.)(?:pkg\.dev|gcr\.io)$/,
    quirks: {
      singlePut: 512 * MiB,
      repositoryAdvice:
        'The first part of the path must be an existing repository of the project: gcloud artifacts repositories create.'
    }
  },
  // Artifactory: a blob is there for other repositories once a manifest names it.
  {host: /\.jfrog\.io$/, quirks: {mountsCommittedOnly: true}}
];

/** What is known about the registry of that name. */
export function quirksOf(registry: string): Quirks {
  const host = registry.replace(/:\d+$/, '');
  const found = known.find(entry => entry.host.test(host));
  return {...usual, ...found?.quirks};
}

/** What a registry has shown in this run. */
export interface Learned {
  /** It has answered a question as registries answer: there is no need to ask whether it is one. */
  speaks?: boolean;
  /** The media types of manifests that it refuses while anything below them is missing. */
  readonly checks: Set<string>;
  /** Those that it takes in spite of that, or of which it does not name all that is missing. */
  readonly lax: Set<string>;
  /** A request with more bytes than this was refused: with 413, or its first chunk with 416. */
  tooLarge?: number;
  /** Whether a 404 to HEAD means that there is no such tag, as it should. */
  headTells?: Promise<boolean> | undefined;
  /**
   * Blobs only go up whole: a second chunk was `refused`; or, as it seems, took the place of the first,
   * since the digest was another one (`spoilt`).
   */
  wholeOnly?: 'refused' | 'spoilt' | undefined;
  /** PATCH does not get through to it: a blob goes up in one PUT. */
  noPatch?: boolean;
  /** HEAD of a manifest fails: GET tells. */
  headFails?: boolean;
  /** HEAD is refused for blobs: GET tells. */
  headRefused?: boolean;
  /** Its catalogue leaves out a repository that holds something. */
  hidesRepositories?: boolean;
}
