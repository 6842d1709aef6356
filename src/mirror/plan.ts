import type {Descriptor} from '../oci/descriptor.ts';
import type {Digest} from '../oci/digest.ts';
import {hasBlob} from '../registry/blobs.ts';
import {resolveManifest} from '../registry/manifests.ts';
import type {Registry} from '../registry/registry.ts';
import type {Image} from './graph.ts';
import type {Moved} from './result.ts';
import type {Slots} from './slots.ts';

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
}

/** What the target has under an image's tag and below it. */
export interface Standing {
  /** The digest that the tag stands for; undefined where there is none. */
  readonly tagged: Digest | undefined;
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

/** What there is to do for a set of images, in exact bytes. */
export interface Plan {
  readonly images: readonly PlannedImage[];
  /** Unique blobs and manifests that travel. */
  readonly pieces: number;
  readonly bytes: Moved;
}

/** What a plan is made with. */
export interface PlanOptions {
  readonly target: Registry;
  readonly slots: Slots;
  readonly signal: AbortSignal;
  /**
   * The target's repositories as far as its catalogue tells, where that is known: in one that is not
   * among them there is most likely nothing, and a single question has to do.
   */
  readonly repositories?: ReadonlySet<string> | undefined;
}

/**
 * Asks the target what it has, down to every blob, and decides how each blob gets to where it is
 * needed. Each unique blob is read at most once. The home of a blob is the first image that needs
 * it, so that no two images can wait for each other.
 */
export async function makePlan(images: readonly Image[], options: PlanOptions): Promise<Plan> {
  const {target, slots, signal, repositories} = options;
  const standings = new Map<Image, Standing>();
  const present = new Set<string>();
  const pairs = new Map<string, {repository: string; descriptor: Descriptor}>();
  const hidden = repositories && (await hiddenFrom(repositories, images, options));
  const exists = (repository: string) =>
    repositories === undefined || repositories.has(repository) || hidden?.has(repository) === true;
  for (const {
    target: {repository},
    blobs
  } of images) {
    if (!exists(repository)) continue;
    for (const descriptor of blobs.values())
      pairs.set(pair(repository, descriptor.digest), {repository, descriptor});
  }
  await Promise.all([
    ...images
      .filter(({target: {repository}}) => exists(repository))
      .map(async image => {
        standings.set(image, await ask(target, image, slots, signal));
      }),
    ...[...pairs].map(async ([key, {repository, descriptor}]) => {
      const has = await slots.run(() => hasBlob(target, repository, descriptor, signal));
      if (has === 'present') present.add(key);
    })
  ]);
  await Promise.all(
    images.map(async image => {
      const standing = standings.get(image);
      const {repository} = image.target;
      if (standing === undefined || standing.tagged === image.root.descriptor.digest) return;
      if (![...image.blobs.keys()].every(digest => present.has(pair(repository, digest)))) return;
      standings.set(image, {...standing, manifests: await staged(image, options)});
    })
  );
  return assign(images, {standings, present, exists});
}

/**
 * Repositories that hold something although a catalogue leaves them out, as some do where nothing is
 * tagged: what was staged is there. The smallest blob tells, since small ones come early. Several
 * releases, which may have been staged by several machines, are worth a question for each repository;
 * of one release, one tells for all of them.
 */
async function hiddenFrom(
  catalogue: ReadonlySet<string>,
  images: readonly Image[],
  {target, slots, signal}: PlanOptions
): Promise<ReadonlySet<string>> {
  const smallest = new Map<string, Descriptor>();
  for (const {
    target: {repository},
    blobs
  } of images) {
    if (catalogue.has(repository)) continue;
    for (const blob of blobs.values()) {
      const known = smallest.get(repository);
      if (known === undefined || blob.size < known.size) smallest.set(repository, blob);
    }
  }
  const found = new Set<string>();
  const look = async ([repository, blob]: [string, Descriptor]) => {
    const has = await slots.run(() => hasBlob(target, repository, blob, signal));
    if (has === 'present') found.add(repository);
  };
  const [first, ...others] = [...smallest].sort(([, one], [, other]) => one.size - other.size);
  if (first === undefined) return found;
  const several = new Set(images.map(({release}) => release)).size > 1;
  if (!several) {
    await look(first);
    if (found.size === 0) return found;
  }
  await Promise.all((several ? [first, ...others] : others).map(look));
  return found;
}

/**
 * The manifests that are there although the tag is not: those of an image that was staged. Asked for
 * only where all blobs are there. What refers to the image is put anew: whether the target lists it,
 * its digest does not tell.
 */
async function staged(
  image: Image,
  {target, slots, signal}: PlanOptions
): Promise<ReadonlySet<Digest>> {
  const {repository} = image.target;
  const there = await Promise.all(
    image.manifests.map(async ({descriptor: {digest}}) => {
      const found = await slots.run(() => resolveManifest(target, repository, digest, signal));
      return found === digest ? [digest] : [];
    })
  );
  return new Set(there.flat());
}

async function ask(
  target: Registry,
  image: Image,
  slots: Slots,
  signal: AbortSignal
): Promise<Standing> {
  const {repository, tag} = image.target;
  const tagged = await slots.run(() => resolveManifest(target, repository, tag, signal));
  const manifests = new Set<Digest>();
  // Under another tag, or none, all manifests are most likely to be put anew, which costs less than
  // asking; unless the blobs tell that the image was staged.
  if (tagged !== image.root.descriptor.digest) return {tagged, manifests};
  await Promise.all(
    [...image.manifests, ...image.attached].map(async ({descriptor: {digest}}) => {
      const there =
        digest === tagged ||
        (await slots.run(() => resolveManifest(target, repository, digest, signal))) === digest;
      if (there) manifests.add(digest);
    })
  );
  return {tagged, manifests};
}

/** What the target was found to have. */
export interface Findings {
  readonly standings: ReadonlyMap<Image, Standing>;
  /** The blobs that are there, by `pair`. */
  readonly present: ReadonlySet<string>;
  /** Whether a repository may hold anything. */
  readonly exists: (repository: string) => boolean;
}

/** Decides for each blob and repository how it gets there; pure. */
export function assign(images: readonly Image[], {standings, present, exists}: Findings): Plan {
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
      const placement = place(
        image,
        descriptor,
        present.has(key),
        homes,
        travelled,
        !exists(repository)
      );
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
  there: boolean,
  homes: Map<Digest, string>,
  travelled: ReadonlySet<Digest>,
  presumed: boolean
): Placement {
  const base = {
    descriptor,
    sourceRepository: image.source.repository,
    targetRepository: image.target.repository
  };
  if (there) return {...base, way: 'present'};
  const from = homes.get(descriptor.digest);
  if (from !== undefined) {
    return {...base, way: 'mount', from, fresh: travelled.has(descriptor.digest)};
  }
  homes.set(descriptor.digest, image.target.repository);
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
