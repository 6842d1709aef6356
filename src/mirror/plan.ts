import type {Descriptor} from '../oci/descriptor.ts';
import type {Digest} from '../oci/digest.ts';
import type {Image} from './graph.ts';
import type {Moved} from './result.ts';
import type {Survey} from './survey.ts';

/** One blob that one repository of the target needs. */
export interface Placement {
  readonly descriptor: Descriptor;
  /** Where it can be read at the source. */
  readonly sourceRepository: string;
  readonly targetRepository: string;
  /**
   * `present` it is there; `copy` it travels, once in the whole set; `mount` the repository takes
   * it over from `from`, which has it or gets it by then.
   */
  readonly way: 'present' | 'copy' | 'mount';
  readonly from?: string;
  /** The home gets it in this run, so that whoever mounts it may have to wait for more than the blob. */
  readonly fresh?: boolean;
  /**
   * Nobody has asked for this very blob: its repository is not in the registry's catalogue. Should
   * the catalogue be wrong, opening the upload tells.
   */
  readonly presumed?: boolean;
  /** It is present by the registry's own word: it is looked at while others travel. */
  readonly told?: boolean;
}

/** What the target has under an image's tag and below it. */
export interface Standing {
  /** The digest that the tag stands for; undefined where there is none. */
  readonly tagged: Digest | undefined;
  /** Nobody has asked for the tag: its repository is not in the registry's catalogue. */
  readonly presumed?: boolean;
  /** The manifests that are there, by digest. */
  readonly manifests: ReadonlySet<Digest>;
}

/** What there is to do for one image. */
export interface PlannedImage {
  readonly image: Image;
  readonly standing: Standing;
  /** One for each blob of the image; shared with other images of the same repository. */
  readonly placements: readonly Placement[];
  /** Exact bytes, manifests included. */
  readonly bytes: Moved;
  /** Nothing is left to do: the tag is right and everything below it is there. */
  readonly complete: boolean;
}

/** A release that has been planned. */
export interface PlannedRelease {
  readonly tag: string;
  readonly targetTag: string;
  readonly images: readonly PlannedImage[];
  /** Optional images that the source does not have. */
  readonly missing: readonly string[];
}

/** What there is to do for a set of images, in exact bytes. */
export interface Plan {
  readonly images: readonly PlannedImage[];
  /** Unique blobs and manifests that travel. */
  readonly pieces: number;
  readonly bytes: Moved;
}

/**
 * Decides how each blob gets to where it is needed, when all is known that the target has. Each unique
 * blob is read at most once. The home of a blob is the first image that needs it, so that no two images
 * can wait for each other.
 * @param oneRegistry whether source and target are repositories of one registry: then even a home takes its
 *   blobs over, and nothing travels
 * @throws RegistryError; the signal's reason
 */
export async function makePlan(
  images: readonly Image[],
  survey: Survey,
  oneRegistry: boolean
): Promise<Plan> {
  return assign(images, await survey.findings(images), oneRegistry);
}

/** What the target was found to have. */
export interface Findings {
  readonly standings: ReadonlyMap<Image, Standing>;
  /** The blobs that are there, by `pair`. */
  readonly present: ReadonlySet<string>;
  /** Those of them that nobody has looked at: the registry says that it has them. */
  readonly told: ReadonlySet<string>;
  /** Whether a repository may hold anything. */
  readonly exists: (repository: string) => boolean;
}

/** Decides for each blob and repository how it gets there; pure. */
export function assign(images: readonly Image[], findings: Findings, oneRegistry = false): Plan {
  const {standings, present, told, exists} = findings;
  const made = new Map<string, Placement>();
  // Where each blob is, or will be first.
  const homes = new Map<Digest, string>();
  for (const {
    target: {repository},
    blobs
  } of images) {
    for (const {digest} of blobs.values()) {
      if (!homes.has(digest) && present.has(pair(repository, digest)))
        homes.set(digest, repository);
    }
  }
  const travelled = new Set<Digest>();
  const planned = images.map((image): PlannedImage => {
    const {repository} = image.target;
    const standing = standings.get(image) ?? {tagged: undefined, manifests: new Set<Digest>()};
    const bytes = {copied: 0, mounted: 0, present: 0};
    const placements = [...image.blobs.values()].map(descriptor => {
      const key = pair(repository, descriptor.digest);
      const known = made.get(key);
      if (known !== undefined) {
        bytes.present += descriptor.size;
        return known;
      }
      const placement = place(image, descriptor, {
        there: present.has(key),
        told: told.has(key),
        homes,
        travelled,
        presumed: !exists(repository),
        oneRegistry
      });
      made.set(key, placement);
      bytes[wayBytes[placement.way]] += descriptor.size;
      if (placement.way === 'copy') travelled.add(descriptor.digest);
      return placement;
    });
    for (const {descriptor} of [...image.manifests, ...image.attached]) {
      const there = standing.manifests.has(descriptor.digest);
      bytes[there ? 'present' : 'copied'] += descriptor.size;
      if (!there) travelled.add(descriptor.digest);
    }
    return {
      image,
      standing,
      placements,
      bytes,
      complete:
        bytes.copied + bytes.mounted === 0 &&
        placements.every(({way}) => way === 'present') &&
        standing.tagged === image.root.descriptor.digest
    };
  });
  return {images: planned, pieces: travelled.size, bytes: sum(planned.map(({bytes}) => bytes))};
}

const wayBytes = {copy: 'copied', mount: 'mounted', present: 'present'} as const;

function place(
  image: Image,
  descriptor: Descriptor,
  known: {
    there: boolean;
    told: boolean;
    homes: Map<Digest, string>;
    travelled: ReadonlySet<Digest>;
    presumed: boolean;
    oneRegistry: boolean;
  }
): Placement {
  const {there, told, homes, travelled, presumed, oneRegistry} = known;
  const base = {
    descriptor,
    sourceRepository: image.source.repository,
    targetRepository: image.target.repository
  };
  if (there) return {...base, way: 'present', ...(told && {told})};
  const from = homes.get(descriptor.digest);
  if (from !== undefined) {
    return {...base, way: 'mount', from, fresh: travelled.has(descriptor.digest)};
  }
  homes.set(descriptor.digest, image.target.repository);
  if (oneRegistry) return {...base, way: 'mount', from: image.source.repository};
  return {...base, way: 'copy', presumed};
}

/** A blob in a repository, as one word. */
export function pair(repository: string, digest: Digest): string {
  return `${repository}@${digest}`;
}

/** Adds up. */
export function sum(all: readonly Moved[]): Moved {
  return all.reduce<Moved>(
    (one, other) => ({
      copied: one.copied + other.copied,
      mounted: one.mounted + other.mounted,
      present: one.present + other.present
    }),
    {copied: 0, mounted: 0, present: 0}
  );
}
