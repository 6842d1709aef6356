import {fateOf, type MirroredByDocker} from '../docker/engine.ts';
import {MirrorError, notKept} from '../mirror/error.ts';
import type {Image} from '../mirror/graph.ts';
import type {MirrorOptions} from '../mirror/mirror.ts';
import type {Moved, ThroughDocker} from '../mirror/result.ts';
import {isForeign} from '../oci/descriptor.ts';
import type {Digest} from '../oci/digest.ts';
import {blobsOf} from '../oci/manifest.ts';
import {formatPlatform} from '../oci/platform.ts';
import {hasBlob} from '../registry/blobs.ts';
import type {FetchedManifest} from '../registry/fetched-manifest.ts';
import {resolvePut} from '../registry/manifests.ts';

/** The digest of an image's config: what it names is the same content, however its layers are packed. */
export function contentOf({manifest}: FetchedManifest): string | undefined {
  return manifest.kind === 'image' ? manifest.config.digest : undefined;
}

/**
 * Looks at everything below a manifest that docker pushed. Of an index that it kept, all of the
 * source's.
 * @throws RegistryError `corrupt` when something is not there
 */
export async function verifyPushed(
  image: Image,
  {manifest}: FetchedManifest,
  {target, lanes}: Pick<MirrorOptions, 'target' | 'lanes'>,
  signal: AbortSignal
): Promise<void> {
  const {repository} = image.target;
  const absent = (digest: Digest) => notKept(target, repository, digest, 'was sent it by docker');
  const blobs = manifest.kind === 'image' ? blobsOf(manifest) : [...image.blobs.values()];
  const children =
    manifest.kind === 'image' ? [] : image.manifests.filter(node => node !== image.root);
  await Promise.all([
    ...blobs.map(async blob => {
      const has = await lanes.control.run(() => hasBlob(target, repository, blob, signal));
      if (has === 'absent') throw absent(blob.digest);
    }),
    ...children.map(async ({descriptor: {digest}}) => {
      const there = await lanes.control.run(() => resolvePut(target, repository, digest, signal));
      if (there !== digest) throw absent(digest);
    })
  ]);
}

/** The bytes that the target got, layer by layer as docker told; what it did not tell of was sent. */
export function bytesOf(
  image: Image,
  {manifest, descriptor}: FetchedManifest,
  {ways, diffIds}: Pick<MirroredByDocker, 'ways' | 'diffIds'>
): Moved {
  if (manifest.kind === 'index') return {copied: image.size, mounted: 0, present: 0};
  const bytes = {copied: descriptor.size + manifest.config.size, mounted: 0, present: 0};
  manifest.layers.forEach((layer, i) => {
    if (isForeign(layer)) return;
    const way = ways.get(shortOf(layer.digest)) ?? ways.get(shortOf(diffIds[i] ?? '')) ?? 'copied';
    bytes[way] += layer.size;
  });
  return bytes;
}

/** As docker shortens a digest. */
function shortOf(digest: string): string {
  return digest.slice(digest.indexOf(':') + 1).slice(0, 12);
}

/**
 * What became of the image. A rewritten manifest must hold the config of one of the source's, and
 * with it the same unpacked layers.
 * @throws MirrorError when the daemon pushed something else
 */
export function judgePushed(
  image: Image,
  {digest, platform}: MirroredByDocker,
  config: string | undefined
): ThroughDocker {
  const leaves = image.manifests.filter(({manifest}) => manifest.kind === 'image');
  const names = new Map(
    image.manifests.flatMap(({manifest}) =>
      manifest.kind === 'image'
        ? []
        : manifest.manifests.flatMap(child =>
            child.platform === undefined
              ? []
              : [[child.digest, formatPlatform(child.platform)] as const]
          )
    )
  );
  const children = leaves
    .filter(leaf => leaf !== image.root)
    .map(({descriptor}) => {
      const name = names.get(descriptor.digest);
      return {digest: descriptor.digest, ...(name !== undefined && {platform: name})};
    });
  const root = {digest: image.root.descriptor.digest};
  const {fate, platform: known} = fateOf(children.length > 0 ? {...root, children} : root, digest);
  if (fate !== 'rewritten') return {fate, platform: known ?? platform};
  const same = leaves.find(
    ({manifest}) => manifest.kind === 'image' && manifest.config.digest === config
  );
  if (same === undefined) {
    throw new MirrorError(
      `docker made ${digest} of ${image.name}, which is another image than any that ${root.digest} names`,
      'Use engine: registry, which changes nothing.',
      {fault: 'docker'}
    );
  }
  return {fate, platform: names.get(same.descriptor.digest) ?? platform};
}

/** What became of an image, in words. */
export function tellPushed({fate, platform}: ThroughDocker): string {
  if (fate === 'kept') return 'pushed, with its digest';
  return fate === 'rewritten'
    ? `pushed for ${platform}, with a digest of docker's`
    : `pushed for ${platform} alone`;
}
