import type {Digest} from '../oci/digest.ts';
import type {Manifest} from '../oci/manifest.ts';
import type {Registry} from '../registry/registry.ts';
import type {Node} from './graph.ts';
import {namesEachKind, offer} from './offer.ts';
import {pair, type PlannedImage} from './plan.ts';

/** The digests that a manifest names: config and layers, or children. */
export function below(manifest: Manifest): readonly Digest[] {
  const named =
    manifest.kind === 'image' ? [manifest.config, ...manifest.layers] : manifest.manifests;
  return named.map(({digest}) => digest);
}

/**
 * Finds out which types of manifest the registry refuses while something below them is missing, by
 * putting one of each type, by digest, before what it names is there. A registry that names all of
 * what is missing has proven that it looks at everything, and looking again from here, blob by blob,
 * would only repeat it. One that takes the manifest, or refuses it otherwise, has proven nothing.
 * @param landed what is at the target by now, by `pair`; it grows while this waits for an answer
 */
export async function proveChecks(
  target: Registry,
  images: readonly PlannedImage[],
  landed: ReadonlySet<string>,
  signal: AbortSignal
): Promise<void> {
  const needed = new Set(
    images.flatMap(({image, placements}) => [
      ...placements.map(({descriptor: {digest}}) => pair(image.target.repository, digest)),
      ...image.manifests.map(({descriptor: {digest}}) => pair(image.target.repository, digest))
    ])
  );
  // Asked anew each time: bytes arrive meanwhile. Foreign layers are needed nowhere.
  const missing = (repository: string, {manifest}: Node) =>
    below(manifest).filter(digest => {
      const key = pair(repository, digest);
      return needed.has(key) && !landed.has(key);
    });
  const candidates = new Map<string, {repository: string; node: Node}>();
  for (const {image, standing} of images) {
    const {repository} = image.target;
    for (const node of image.manifests) {
      const {mediaType, digest} = node.descriptor;
      const {checks, lax} = target.learned;
      if (checks.has(mediaType) || lax.has(mediaType) || standing.manifests.has(digest)) continue;
      // The one with the most to miss: then the fewest of it can arrive before the answer. With only
      // one, looking costs no more than the proof.
      const best = candidates.get(mediaType);
      const least = best === undefined ? 1 : missing(best.repository, best.node).length;
      if (missing(repository, node).length > least) candidates.set(mediaType, {repository, node});
    }
  }
  await Promise.all(
    [...candidates].map(async ([mediaType, {repository, node}]) => {
      const said = await offer(target, repository, node, signal);
      if (said === undefined || said.size === 0) return;
      const left = missing(repository, node);
      if (!namesEachKind(node, said)) return;
      if (left.length > 0 && left.every(one => said.has(one))) target.learned.checks.add(mediaType);
    })
  );
}
