import type {MirroredByDocker} from '../docker/engine.ts';
import type {Image} from '../mirror/graph.ts';
import type {MirrorOptions} from '../mirror/mirror.ts';
import type {Moved} from '../mirror/result.ts';
import {isForeign} from '../oci/descriptor.ts';
import {hasBlob} from '../registry/blobs.ts';
import {RegistryError} from '../registry/error.ts';
import {type FetchedManifest, resolveManifest} from '../registry/manifests.ts';

/** The digest of an image's config: what it names is the same content, however its layers are packed. */
export function contentOf({manifest}: FetchedManifest): string | undefined {
  return manifest.kind === 'image' ? manifest.config.digest : undefined;
}

/**
 * Looks at everything below a manifest that docker pushed. Of an index that it kept, all of the
 * source's.
 * @throws RegistryError `corrupt` when something is not there
 */
export async function blobsThere(
  image: Image,
  {manifest}: FetchedManifest,
  {target, lanes}: Pick<MirrorOptions, 'target' | 'lanes'>,
  signal: AbortSignal
): Promise<void> {
  const {repository} = image.target;
  const absent = (digest: RegistryError['digest']) =>
    new RegistryError(
      'corrupt',
      `${target.name}/${repository} was sent ${String(digest)} by docker and does not have it`,
      {
        host: target.name,
        repository,
        digest,
        advice: "Look into the registry's storage and its replicas."
      }
    );
  const blobs =
    manifest.kind === 'image'
      ? [manifest.config, ...manifest.layers].filter(blob => !isForeign(blob))
      : [...image.blobs.values()];
  const children =
    manifest.kind === 'image' ? [] : image.manifests.filter(node => node !== image.root);
  await Promise.all([
    ...blobs.map(async blob => {
      const has = await lanes.control.run(() => hasBlob(target, repository, blob, signal));
      if (has === 'absent') throw absent(blob.digest);
    }),
    ...children.map(async ({descriptor: {digest}}) => {
      const there = await lanes.control.run(() =>
        resolveManifest(target, repository, digest, signal, true)
      );
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
