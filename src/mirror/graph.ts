import {clean} from '../oci/clean.ts';
import type {Descriptor} from '../oci/descriptor.ts';
import type {Digest} from '../oci/digest.ts';
import {blobsOf, type Manifest} from '../oci/manifest.ts';
import {isManifestType} from '../oci/media-type.ts';
import {formatPlatform} from '../oci/platform.ts';
import {RegistryError} from '../registry/error.ts';
import type {FetchedManifest} from '../registry/fetched-manifest.ts';
import {getManifest} from '../registry/manifests.ts';
import {listReferrers} from '../registry/referrers.ts';
import type {Registry} from '../registry/registry.ts';
import {MirrorError} from './error.ts';
import type {Slots} from './slots.ts';

/** One image of the set: where it is to be found and where it goes. */
export interface ImageRequest {
  /** The release's tag at the source. */
  readonly release: string;
  readonly name: string;
  readonly source: {readonly repository: string; readonly tag: string};
  readonly target: {readonly repository: string; readonly tag: string};
}

/** A manifest with all that is below it. */
export interface Node {
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
  readonly manifest: Manifest;
  readonly children: readonly Node[];
}

/** An image that has been read at the source, down to the descriptors of its blobs. */
export interface Image extends ImageRequest {
  readonly root: Node;
  /** Children before parents, the root last; each once. */
  readonly manifests: readonly Node[];
  /** What refers to these manifests: signatures, attestations. Only where it was asked for. */
  readonly attached: readonly Node[];
  /** Configs and layers, each once; foreign layers are not among them. */
  readonly blobs: ReadonlyMap<Digest, Descriptor>;
  readonly platforms: readonly string[];
  /** Bytes of all manifests and blobs, each once. */
  readonly size: number;
}

/** An index within an index within an index: nobody has more. */
export const deepest = 4;
/** The most manifests of one image. */
export const mostManifests = 2000;
/** The most bytes of all of them, by what their indexes say: they are kept until they are put. */
const largestTotal = 16 * 1024 * 1024;
/** What to do about one that has more than anybody's. */
const odd = 'No image is like that: look at the source, or leave it out with -name in images.';

/** How an image is read. */
export interface ReadOptions {
  readonly slots: Slots;
  readonly signal: AbortSignal;
  /** Whether what refers to it is read too. */
  readonly referrers: boolean;
}

/**
 * Reads what is below an image's root, by digest: the tag was read once, when the root was fetched,
 * so one that moves meanwhile cannot mix two images.
 * @throws RegistryError, MirrorError when something below the root is not there or not what was promised
 */
export async function readImage(
  source: Registry,
  request: ImageRequest,
  fetched: FetchedManifest,
  {slots, signal, referrers}: ReadOptions
): Promise<Image> {
  const {repository, tag} = request.source;
  const nodes = new Map<Digest, Promise<Node>>();
  /** What was named, and is not there. */
  const gone = new Set<Digest>();
  let total = fetched.descriptor.size;
  const root = await grow(fetched, 0);

  async function grow(
    {descriptor, bytes, manifest}: FetchedManifest,
    depth: number
  ): Promise<Node> {
    if (manifest.kind === 'image') return {descriptor, bytes, manifest, children: []};
    if (depth >= deepest) {
      throw new MirrorError(
        `${source.name}/${repository}:${tag} has indexes more than ${deepest} deep`,
        odd
      );
    }
    const children = await Promise.all(manifest.manifests.map(child => descend(child, depth + 1)));
    return {descriptor, bytes, manifest, children};
  }

  /** Each descriptor has to be right: one that is looked at is no proof of the next, which clients may take. */
  async function descend(child: Descriptor, depth: number): Promise<Node> {
    const node = await (nodes.get(child.digest) ?? fetchNode(child, depth));
    refuseOther(child, node.descriptor);
    return node;
  }

  function refuseOther(child: Descriptor, found: Descriptor): void {
    if (found.size === child.size && found.mediaType === child.mediaType) return;
    throw new RegistryError(
      'corrupt',
      `${source.name}/${repository}@${child.digest} is not what its index says`,
      {host: source.name, repository, digest: child.digest}
    );
  }

  function fetchNode(child: Descriptor, depth: number): Promise<Node> {
    if (nodes.size >= mostManifests) {
      throw new MirrorError(
        `${source.name}/${repository}:${tag} has more than ${mostManifests} manifests`,
        odd
      );
    }
    total += child.size;
    if (total > largestTotal) {
      throw new MirrorError(
        `${source.name}/${repository}:${tag} has manifests of more than ${largestTotal} bytes in all`,
        odd
      );
    }
    const node = slots
      .run(() => getManifest(source, repository, child.digest, signal, child.size))
      .then(found => {
        if (found === undefined) {
          gone.add(child.digest);
          throw new MirrorError(
            `${source.name}/${repository}:${tag} names the child ${child.digest}, which the source does not have`,
            'The image is broken at the source; try again later, or leave it out with -name in images.'
          );
        }
        refuseOther(child, found.descriptor);
        return grow(found, depth);
      });
    // Where a sibling ends the reading, nobody waits for it.
    node.catch(() => undefined);
    nodes.set(child.digest, node);
    return node;
  }

  return measure(request, root, referrers ? await attach(root) : [], source.name);

  /** What refers to the root and its children, and to that again: a signature may be signed. */
  async function attach(node: Node): Promise<readonly Node[]> {
    const found = new Map<Digest, Node>();
    // An index may name one child again and again, and that its own.
    const seen = new Set<Digest>();
    const visit = async ({descriptor, children}: Node, depth: number): Promise<void> => {
      if (seen.has(descriptor.digest)) return;
      seen.add(descriptor.digest);
      const listed =
        depth >= deepest
          ? []
          : ((await slots.run(() =>
              listReferrers(source, repository, descriptor.digest, signal)
            )) ?? []);
      const carried = listed.filter(({digest, mediaType}) => {
        if (isManifestType(mediaType)) return true;
        source.warnOnce(
          `${source.name}/${repository} lists ${digest} for ${descriptor.digest}, of a type that is not carried (${clean(mediaType, 100)}); it is left out`
        );
        return false;
      });
      const fresh = await Promise.all(
        carried.map(one =>
          descend(one, depth + 1).catch((error: unknown) => {
            if (!gone.has(one.digest)) throw error;
            // Where clients keep the list, what is deleted stays on it.
            source.warnOnce(
              `${source.name}/${repository} lists ${one.digest} for ${descriptor.digest} and does not have it; it is left out`
            );
            return undefined;
          })
        )
      );
      for (const one of fresh.filter(node => node !== undefined)) {
        // Only what says itself that it refers to this: a list may say anything.
        if (one.manifest.subject?.digest !== descriptor.digest || found.has(one.descriptor.digest))
          continue;
        found.set(one.descriptor.digest, one);
        await visit(one, depth + 1);
      }
      if (depth < deepest) await Promise.all(children.map(child => visit(child, depth)));
    };
    await visit(node, 0);
    return [...found.values()];
  }
}

function measure(
  request: ImageRequest,
  root: Node,
  attached: readonly Node[],
  registry: string
): Image {
  const manifests = new Map<Digest, Node>();
  const blobs = new Map<Digest, Descriptor>();
  const platforms: string[] = [];
  const visit = (node: Node, into: Map<Digest, Node>) => {
    // Within four floors of a thousand, one image can be named a million million times.
    if (into.has(node.descriptor.digest)) return;
    for (const child of node.children) visit(child, into);
    into.set(node.descriptor.digest, node);
    const {manifest} = node;
    if (manifest.kind === 'index') {
      if (into !== manifests) return;
      for (const {platform} of manifest.manifests) {
        if (platform !== undefined && platform.os !== 'unknown')
          platforms.push(formatPlatform(platform));
      }
      return;
    }
    for (const blob of blobsOf(manifest)) {
      const known = blobs.get(blob.digest);
      if (known !== undefined && known.size !== blob.size) {
        throw new MirrorError(
          `${registry}/${request.source.repository}: ${blob.digest} has two sizes`
        );
      }
      blobs.set(blob.digest, known ?? blob);
    }
  };
  visit(root, manifests);
  const referring = new Map<Digest, Node>();
  for (const node of attached) visit(node, referring);
  // An index may name what refers to a sibling: that is below the root, and comes before it.
  const beside = [...referring.values()].filter(
    ({descriptor}) => !manifests.has(descriptor.digest)
  );
  const all = [
    ...beside.map(({descriptor}) => descriptor),
    ...[...manifests.values()].map(({descriptor}) => descriptor),
    ...blobs.values()
  ];
  return {
    ...request,
    root,
    manifests: [...manifests.values()],
    attached: beside,
    blobs,
    platforms,
    size: all.reduce((sum, {size}) => sum + size, 0)
  };
}
