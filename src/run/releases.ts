import type {Settings} from '../inputs.ts';
import type {Log} from '../log.ts';
import {MirrorError} from '../mirror/error.ts';
import {type Image, type ImageRequest, readImage} from '../mirror/graph.ts';
import type {Slots} from '../mirror/slots.ts';
import {within} from '../oci/reference.ts';
import {listRepositories} from '../registry/catalog.ts';
import {RegistryError} from '../registry/error.ts';
import {type FetchedManifest, getManifest, resolveManifest} from '../registry/manifests.ts';
import {imageSet} from '../release/catalog.ts';
import {confusing, refusePreRelease, requireExactTags} from '../release/channel.ts';
import {ReleaseError} from '../release/error.ts';
import {chartArtifact, type ImageSelection, resolveImages} from '../release/resolve.ts';
import {selectReleases} from '../release/select.ts';
import {compareTags, isStable} from '../release/tag.ts';
import type {Registries} from './registries.ts';
import type {TagLists} from './tag-lists.ts';

/** A release that was chosen, its images read at the source. */
export interface ChosenRelease {
  readonly tag: string;
  readonly targetTag: string;
  readonly images: readonly Image[];
  readonly missing: readonly string[];
}

interface Surroundings {
  readonly log: Log;
  readonly slots: Slots;
  readonly signal: AbortSignal;
}

/** What was chosen, and what came to light on the way. */
export interface Choice {
  /** Oldest first; empty when there is nothing to do, which the log has said why. */
  readonly releases: readonly ChosenRelease[];
  /** Why there is nothing to do; absent where there is something. */
  readonly reason?: string;
  /** The target's repositories, where it seemed to be empty and has a catalogue. */
  readonly targetRepositories?: ReadonlySet<string> | undefined;
}

/**
 * Chooses the releases from the tags that the source has now, and reads their images.
 * @throws ReleaseError, RegistryError, MirrorError; nothing has been moved by then
 */
export async function chooseReleases(
  registries: Registries,
  settings: Settings,
  lists: TagLists,
  around: Surroundings
): Promise<Choice> {
  const {target} = registries;
  const {log, slots, signal} = around;
  const {tags: requests} = settings;
  const images = settings.chart ? withChart(settings.images) : settings.images;
  requireExactTags({sourceRepository: settings.source.repository, requests});
  const {leader} = lists;
  const [live, targetTags] = await Promise.all([lists.source(), lists.target()]);
  // A target without this image is most likely empty: then its catalogue, in one question, saves one
  // question for each blob.
  const catalogue =
    targetTags.length > 0
      ? undefined
      : listRepositories(target, `${settings.target.repository}/`, signal).catch(() => undefined);
  const complete = requests.some(({kind}) => kind === 'catch-up')
    ? await newestComplete(registries, settings, targetTags, around)
    : undefined;
  const selection = selectReleases({
    requests,
    live,
    ...(complete !== undefined && {targetComplete: complete})
  });
  for (const note of selection.notes) log.notice(note);
  if (selection.reason !== undefined) log.notice(selection.reason);
  const [onlyTag, second] = selection.tags;
  if (settings.targetTag !== undefined && second !== undefined) {
    throw new MirrorError(
      `target-tag is given, but source-tag names ${selection.tags.length} releases`,
      'Leave target-tag out: each release keeps its own tag.'
    );
  }
  const odd = confusing(targetTags, live);
  if (odd.length > 0) {
    log.warning(
      `${target.name}/${within(settings.target.repository, leader)} has tags that Arc's upgrade check will take for releases: ${odd.slice(0, 5).join(', ')}${odd.length > 5 ? ', …' : ''}`
    );
  }
  for (const tag of selection.tags) {
    refusePreRelease({
      sourceRepository: settings.source.repository,
      targetRepository: settings.target.repository,
      tag,
      targetTags
    });
  }
  const roots = new Roots(registries, settings, around);
  const names = new Names(registries, settings, signal);
  const chosen: ChosenRelease[] = [];
  for (const tag of selection.tags) {
    const set = await resolveImages({
      tag,
      selection: images,
      has: (name, one) => roots.has(name, one),
      siblings: () => names.siblings(),
      log,
      signal,
      concurrency: slots.limit
    }).catch((error: unknown) => {
      throw roots.explain(error);
    });
    const targetTag = tag === onlyTag ? (settings.targetTag ?? tag) : tag;
    chosen.push({
      tag,
      targetTag,
      missing: set.missing,
      images: await Promise.all(
        set.images.map(({name, tag: imageTag}) =>
          roots.read({
            release: tag,
            name,
            source: {repository: within(settings.source.repository, name), tag: imageTag},
            target: {
              repository: within(settings.target.repository, name),
              tag: imageTag === tag ? targetTag : imageTag
            }
          })
        )
      )
    });
    log.info(`${tag}: ${set.images.length} images`);
  }
  const repositories = await catalogue;
  return {
    releases: chosen,
    ...(selection.reason !== undefined && {reason: selection.reason}),
    targetRepositories: repositories && new Set(repositories)
  };
}

/** The chart goes with the images, under its own version. */
function withChart(images: ImageSelection): ImageSelection {
  if (images.kind === 'exactly') return {...images, names: [...images.names, chartArtifact]};
  return {...images, add: [...images.add, chartArtifact]};
}

/** The roots of images: each tag of the source is read once in a run, and by digest from then on. */
class Roots {
  readonly #registries: Registries;
  readonly #repository: string;
  readonly #referrers: boolean;
  readonly #around: Surroundings;
  readonly #known = new Map<string, Promise<FetchedManifest | undefined>>();
  #refusal: RegistryError | undefined;

  constructor(registries: Registries, settings: Settings, around: Surroundings) {
    this.#registries = registries;
    this.#repository = settings.source.repository;
    this.#referrers = settings.referrers;
    this.#around = around;
  }

  /** What is missing may only have been hidden: then the first refusal belongs to the reason. */
  explain(error: unknown): unknown {
    const refusal = this.#refusal;
    if (!(error instanceof ReleaseError) || refusal === undefined) return error;
    return new MirrorError(
      `${error.message} The source refused to tell: ${refusal.message}`,
      refusal.advice,
      error
    );
  }

  async has(name: string, tag: string): Promise<boolean> {
    try {
      return (await this.#fetch(within(this.#repository, name), tag)) !== undefined;
    } catch (error) {
      // Some registries say "no access" of what does not exist; which of both it is, nobody can tell.
      const hidden =
        error instanceof RegistryError && ['denied', 'unauthorized'].includes(error.fault);
      if (!hidden) throw error;
      this.#around.log.debug(`${name}:${tag} counts as absent: ${error.message}`);
      this.#refusal ??= error;
      return false;
    }
  }

  async read(request: ImageRequest): Promise<Image> {
    const {repository, tag} = request.source;
    const root = await this.#fetch(repository, tag);
    if (root === undefined)
      throw new MirrorError(`${repository}:${tag} does not exist at the source`);
    const {slots, signal} = this.#around;
    return readImage(this.#registries.source, request, root, {
      slots,
      signal,
      referrers: this.#referrers
    });
  }

  #fetch(repository: string, tag: string): Promise<FetchedManifest | undefined> {
    const key = `${repository}:${tag}`;
    const {slots, signal} = this.#around;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const asked = slots.run(() => getManifest(this.#registries.source, repository, tag, signal));
    this.#known.set(key, asked);
    return asked;
  }
}

/** The names beneath the source's repository, listed once in a run. */
class Names {
  readonly #list: () => Promise<readonly string[] | undefined>;
  #known: Promise<readonly string[] | undefined> | undefined;

  constructor({source}: Registries, settings: Settings, signal: AbortSignal) {
    const prefix = `${settings.source.repository}/`;
    this.#list = async () => {
      const found = await listRepositories(source, prefix, signal);
      return found?.map(name => name.slice(prefix.length));
    };
  }

  siblings(): Promise<readonly string[] | undefined> {
    this.#known ??= this.#list();
    return this.#known;
  }
}

/** The newest release at the target of which all core images carry the tag. */
async function newestComplete(
  {target}: Registries,
  settings: Settings,
  targetTags: readonly string[],
  {slots, signal}: Surroundings
): Promise<string | undefined> {
  const newestFirst = targetTags.filter(isStable).sort((one, other) => compareTags(other, one));
  for (const tag of newestFirst) {
    const core = imageSet(tag).filter(({role}) => role === 'core');
    const there = await Promise.all(
      core.map(({name}) =>
        slots.run(() =>
          resolveManifest(target, within(settings.target.repository, name), tag, signal)
        )
      )
    );
    if (there.every(digest => digest !== undefined)) return tag;
  }
  return undefined;
}
