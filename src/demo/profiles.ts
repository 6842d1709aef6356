import {mediaTypes} from '../oci/media-type.ts';
import type {LocationMode} from './location.ts';
import type {Rule} from './rules.ts';

/** The traits in which registries differ. */
export interface Character {
  /** POST ?digest= with the whole blob is taken; else it opens a session and ignores the body. */
  readonly singlePost: boolean;
  readonly location: LocationMode;
  /** Whether a Location from before the newest still opens the session. */
  readonly staleLocations: 'taken' | 'refused';
  /** Whether the bytes of a broken request stay in the session, to be continued. */
  readonly resumable: boolean;
  /** Whether a blob may come in several PATCHes; `last`: it may, but only the last one is kept. */
  readonly chunks: 'many' | 'one' | 'last';
  /** OCI-Chunk-Min-Length, in bytes. */
  readonly chunkMinimum: number | undefined;
  /** Whether GET of a session tells how far it is. */
  readonly uploadStatus: boolean;
  readonly patchStatus: 202 | 201;
  /** What Range says after a PATCH: all so far, the first chunk for ever, or the chunk alone. */
  readonly patchRange: 'total' | 'first' | 'chunk';
  /** Where a blob is seen: in the repositories that it was put or mounted to, or in all. */
  readonly blobsIn: 'repository' | 'registry';
  /** `committed`: only blobs that a manifest of the other repository names. */
  readonly mount: 'any' | 'committed' | 'never';
  /** Search everywhere, open an upload, or refuse with this status. */
  readonly mountWithoutFrom: 'search' | 'upload' | number;
  /** When `from` is no repository here: open an upload, or refuse with this status. */
  readonly mountFromUnknown: 'upload' | number;
  /** What a push creates on its way; `project`: the first part of the name has to exist. */
  readonly creates: 'all' | 'project' | 'repository';
  /** What becomes of a manifest whose type the client does not accept. */
  readonly accept: 'ignored' | 'strict' | 'converted';
  /** The manifest types that can be put. */
  readonly manifestTypes: 'all' | readonly string[];
  /** Types of layers that make a manifest invalid. */
  readonly refusedLayers: readonly string[];
  /** The status of every HEAD of a manifest, 200 when it works. */
  readonly manifestHead: number;
  readonly absentManifest: {readonly status: number; readonly code: string};
  /** Whether a manifest is refused while something it names is missing. */
  readonly verifyReferences: boolean;
  /** How MANIFEST_BLOB_UNKNOWN names a digest in its detail. */
  readonly unknownDetail: 'text' | 'object';
  /** `accepted`: a tag cannot be moved; `refused`: it cannot be put again at all. */
  readonly immutableTags: 'no' | 'accepted' | 'refused';
  /** Whether the tag `sha256-<hex>` leads to the manifest with that digest. */
  readonly subjectTags: boolean;
  readonly referrers: 'served' | number;
  readonly catalog: boolean;
  readonly deletes: boolean;
  /** A larger `n` is refused. */
  readonly largestPage: number | undefined;
  /** Whether blobs are read at a second host, by signed URL. */
  readonly redirectBlobs: boolean;
  /** The status of a pull from a repository that does not exist. */
  readonly unknownRepository: 404 | 401;
  /** The status of a push with an anonymous token. */
  readonly anonymousPush: 401 | 403;
  /** `refused`: the first token for a repository that does not exist lacks push; the next has it. */
  readonly firstPush: 'granted' | 'refused';
  /** The right that the cancelling of an upload takes. */
  readonly cancelRight: 'pull,push' | 'delete';
  /** Status of POST to the token endpoint, 200 when it works. */
  readonly tokenPost: number;
  /** Seconds. */
  readonly tokenLifetime: number;
  /** Quirks that are best said as rules; they stay when rules are cleared. */
  readonly standing: readonly Rule[];
}

const mebibyte = 1024 * 1024;

/** All that the specification describes or recommends, and every upload resumable. */
const spec: Character = {
  singlePost: true,
  location: 'absolute',
  staleLocations: 'taken',
  resumable: true,
  chunks: 'many',
  chunkMinimum: undefined,
  uploadStatus: true,
  patchStatus: 202,
  patchRange: 'total',
  blobsIn: 'repository',
  mount: 'any',
  mountWithoutFrom: 'search',
  mountFromUnknown: 'upload',
  creates: 'all',
  accept: 'ignored',
  manifestTypes: 'all',
  refusedLayers: [],
  manifestHead: 200,
  absentManifest: {status: 404, code: 'MANIFEST_UNKNOWN'},
  verifyReferences: true,
  unknownDetail: 'object',
  immutableTags: 'no',
  subjectTags: false,
  referrers: 'served',
  catalog: true,
  deletes: true,
  largestPage: undefined,
  redirectBlobs: false,
  unknownRepository: 404,
  anonymousPush: 401,
  firstPush: 'granted',
  cancelRight: 'pull,push',
  tokenPost: 200,
  tokenLifetime: 300,
  standing: []
};

/** docker-registry 2.8: only the newest Location is good, and a broken upload is lost. */
const distribution: Character = {
  ...spec,
  singlePost: false,
  staleLocations: 'refused',
  resumable: false,
  mountWithoutFrom: 'upload',
  cancelRight: 'delete',
  accept: 'converted',
  unknownDetail: 'text',
  referrers: 404
};

/**
 * How the registries of the field behave, as far as it matters to a mirror: the one place for a new
 * quirk. What the client knows of them stands in src/registry/quirks.ts. What happens only now and
 * then (an outage, a wrong realm, a lost session) is not a trait; tests ask for it by a rule.
 */
export const profiles = {
  spec,
  distribution,

  /** Azure Container Registry */
  acr: {
    ...distribution,
    location: 'relative',
    referrers: 'served',
    unknownDetail: 'object',
    redirectBlobs: true,
    tokenPost: 400,
    standing: [
      {
        name: 'acr: large PUT',
        on: {kind: 'upload', method: 'PUT'},
        times: 'always',
        do: {
          effect: 'max-body',
          bytes: 20 * mebibyte,
          body: {html: 'Request Entity Too Large - AzureContainerRegistry'}
        }
      },
      {
        name: 'acr: chunk without length',
        on: {kind: 'upload', method: 'PATCH', contentRange: true},
        times: 'always',
        do: {
          effect: 'refuse-chunked',
          status: 400,
          body: {errors: [{code: 'CONTENT_LENGTH_INVALID', message: 'content length is missing'}]}
        }
      }
    ]
  },

  /** Amazon Elastic Container Registry */
  ecr: {
    ...distribution,
    creates: 'repository',
    patchStatus: 201,
    patchRange: 'first',
    uploadStatus: false,
    mount: 'committed',
    largestPage: 1000,
    redirectBlobs: true,
    referrers: 'served'
  },

  /** GitHub Container Registry */
  ghcr: {
    ...distribution,
    location: 'relative',
    anonymousPush: 403,
    redirectBlobs: true,
    deletes: false,
    catalog: false,
    standing: [
      {
        name: 'ghcr: large chunk',
        on: {kind: 'upload', method: 'PATCH', contentRange: true},
        times: 'always',
        do: {
          effect: 'max-body',
          bytes: 4 * mebibyte,
          status: 416,
          body: {
            errors: [
              {
                code: 'BLOB_UPLOAD_INVALID',
                message: 'the chunk exceeds the maximum permissible limit of 4.00MiB'
              }
            ]
          }
        }
      }
    ]
  },

  /** Docker Hub */
  dockerhub: {
    ...distribution,
    unknownRepository: 401,
    mountFromUnknown: 401,
    redirectBlobs: true,
    catalog: false,
    deletes: false
  },

  harbor: {
    ...distribution,
    creates: 'project',
    mountFromUnknown: 401,
    referrers: 'served',
    tokenLifetime: 1800,
    standing: [
      {
        // Packed in between, so that the length is not that of the manifest.
        name: 'harbor: length of a manifest',
        on: {kind: 'manifest', method: 'HEAD'},
        times: 'always',
        do: {effect: 'headers', set: {'Content-Length': '613'}}
      }
    ]
  },

  gitlab: {...distribution, firstPush: 'refused', subjectTags: true, catalog: false},

  quay: {
    ...distribution,
    firstPush: 'refused',
    cancelRight: 'pull,push',
    mountWithoutFrom: 400,
    referrers: 400,
    refusedLayers: [
      'application/vnd.docker.image.rootfs.diff.tar',
      'application/vnd.oci.image.layer.v1.tar'
    ]
  },

  nexus: {...distribution, location: 'relative', manifestHead: 404},

  artifactory: {
    ...distribution,
    absentManifest: {status: 403, code: 'DENIED'},
    mount: 'committed',
    referrers: 406,
    tokenPost: 401
  },

  /** Google Artifact Registry */
  gar: {...distribution, location: 'elsewhere', chunks: 'one', tokenLifetime: 3600},

  zot: {
    ...spec,
    location: 'relative',
    patchRange: 'chunk',
    manifestTypes: [mediaTypes.ociManifest, mediaTypes.ociIndex]
  },

  /** distribution behind nginx as it is installed: 1 MiB a body, 1000 requests a connection. */
  nginx: {
    ...distribution,
    standing: [
      {
        name: 'nginx: large body',
        on: {},
        times: 'always',
        do: {effect: 'max-body', bytes: mebibyte}
      },
      {
        name: 'nginx: old connection',
        on: {},
        times: 'always',
        do: {effect: 'close-after', requests: 1000, announced: true}
      }
    ]
  }
} as const satisfies Record<string, Character>;

/** The name of a registry's character. */
export type Profile = keyof typeof profiles;
