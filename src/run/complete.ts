import type {Settings} from '../inputs.ts';
import type {Slots} from '../mirror/slots.ts';
import type {Digest} from '../oci/digest.ts';
import {within} from '../oci/reference.ts';
import {getManifest, resolveManifest} from '../registry/manifests.ts';
import type {Registry} from '../registry/registry.ts';
import {imageSet} from '../release/catalog.ts';
import {knownReleases} from '../release/companions.ts';
import {chartArtifact, type ImageSelection} from '../release/resolve.ts';
import {compareTags, isStable} from '../release/tag.ts';
import type {Registries} from './registries.ts';
import type {Roots} from './roots.ts';
import type {TagLists} from './tag-lists.ts';

interface Asking {
  readonly slots: Slots;
  readonly signal: AbortSignal;
}

/**
 * The newest release at the target of which all images carry the tag: those that were named one by one;
 * else the core ones, and of all others those that the source has. A source is filled image by image, and
 * what comes there after a release was mirrored is not to be left out for good. A pre-release build has the
 * tag of a release and is none: so the source must know the tag, and have the same under it.
 * @throws RegistryError, the signal's reason
 */
export async function newestComplete(
  registries: Registries,
  settings: Settings,
  {lists, roots, ...asking}: Asking & {readonly lists: TagLists; readonly roots: Roots}
): Promise<string | undefined> {
  const {slots, signal} = asking;
  const {images} = settings;
  const carries = async (name: string, tag: string) => {
    const repository = within(settings.target.repository, name);
    const digest = await slots.run(() =>
      resolveManifest(registries.target, repository, tag, signal)
    );
    return digest !== undefined;
  };
  const all = async (names: readonly string[], test: (name: string) => Promise<boolean>) =>
    (await Promise.all(names.map(test))).every(Boolean);
  const live = new Set((await lists.source()).tags);
  const newestFirst = (await lists.held())
    // What the source has no more was a release if it was one when this was written.
    .filter(tag => isStable(tag) && (live.has(tag) || knownReleases.includes(tag)))
    .sort((one, other) => compareTags(other, one));
  for (const tag of newestFirst) {
    const {required, others} = due(images, tag);
    const there = (name: string) => carries(name, tag);
    const asFarAsThere = async (name: string) =>
      (await there(name)) || !(await roots.has(name, tag));
    if (!(await all(required, there)) || !(await all(others, asFarAsThere))) continue;
    if (!live.has(tag)) return tag;
    if (await standsAlike(registries, settings, {...asking, leader: lists.leader, tag})) return tag;
  }
  return undefined;
}

/**
 * Whether a tag of the leading image stands for the same at both registries: by its digest, or where docker
 * has packed it anew by that of its config, which names the unpacked layers.
 */
export async function standsAlike(
  {source, target}: Pick<Registries, 'source' | 'target'>,
  settings: Settings,
  at: Asking & {readonly leader: string; readonly tag: string}
): Promise<boolean> {
  const {leader, tag, slots, signal} = at;
  const ours = {registry: source, repository: within(settings.source.repository, leader)};
  const theirs = {registry: target, repository: within(settings.target.repository, leader)};
  const [here, there] = await Promise.all(
    [ours, theirs].map(({registry, repository}) =>
      slots.run(() => resolveManifest(registry, repository, tag, signal))
    )
  );
  if (here === undefined || there === undefined || here === there) return here === there;
  const [known, found] = await Promise.all([
    configsOf(ours, here, at),
    configsOf(theirs, there, at)
  ]);
  return found.length > 0 && found.every(config => known.includes(config));
}

/** The digests of an image's configs, one for each platform. */
async function configsOf(
  {registry, repository}: {readonly registry: Registry; readonly repository: string},
  root: Digest,
  {slots, signal}: Asking
): Promise<readonly Digest[]> {
  const read = (digest: Digest) =>
    slots.run(() => getManifest(registry, repository, digest, signal));
  const found = await read(root);
  const children =
    found?.manifest.kind === 'index'
      ? await Promise.all(found.manifest.manifests.map(({digest}) => read(digest)))
      : [found];
  return children.flatMap(one =>
    one?.manifest.kind === 'image' ? [one.manifest.config.digest] : []
  );
}

/** The images of a release, without its chart: those that have to be there, and those that may. */
function due(
  images: ImageSelection,
  tag: string
): {readonly required: readonly string[]; readonly others: readonly string[]} {
  if (images.kind === 'exactly')
    return {required: images.names.filter(name => name !== chartArtifact), others: []};
  const listed = imageSet(tag).filter(({name}) => !images.remove.includes(name));
  const names = (core: boolean) =>
    listed.flatMap(({name, role}) => ((role === 'core') === core ? [name] : []));
  const added = images.add.filter(name => name !== chartArtifact);
  return {required: names(true), others: [...names(false), ...added]};
}
