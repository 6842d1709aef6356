import type {Settings} from '../inputs.ts';
import type {Log} from '../log.ts';
import type {Slots} from '../mirror/slots.ts';
import {within} from '../oci/reference.ts';
import {isRefusal} from '../registry/error.ts';
import {resolveManifest} from '../registry/manifests.ts';
import {listTags} from '../registry/tags.ts';
import {filterBounded} from '../release/bounded.ts';
import {imageSet, leadingImage} from '../release/catalog.ts';
import {knownReleases} from '../release/companions.ts';
import {chartArtifact} from '../release/resolve.ts';
import {isStable} from '../release/tag.ts';
import type {Registries} from './registries.ts';

/** Where it is not, releases are told by another one that each of them has. */
const substitutes: readonly string[] = imageSet('').flatMap(({name, role}) =>
  role === 'core' && name !== leadingImage ? [name] : []
);

const isImage = (name: string) => name !== chartArtifact;

/**
 * Of the images that are wanted, the one that tells of the others. An image that some releases do not have
 * tells nothing of these, and the chart has tags of its own.
 */
export function leaderOf({images}: Pick<Settings, 'images'>): string {
  const every = [leadingImage, ...substitutes];
  const wanted =
    images.kind === 'exactly'
      ? [...every.filter(name => images.names.includes(name)), ...images.names.filter(isImage)]
      : every.filter(name => !images.remove.includes(name));
  return wanted[0] ?? leadingImage;
}

/** The tags of an image. */
export interface TagList {
  readonly name: string;
  readonly tags: readonly string[];
  /** The registry does not tell them: these are those that were asked for. */
  readonly unlisted?: true;
}

/** The tags of the image that leads a release, at both registries. */
export interface TagLists {
  /**
   * Its name: arc-controller, or where that is not wanted the first image that is, with those before
   * the others that every release has.
   */
  readonly leader: string;
  /**
   * Of arc-controller, also where it is taken out of the releases' own set: of the images that are
   * left not every release need have one. Of the leader where the source does not have arc-controller.
   * What was asked for, where the source does not tell and every tag was named to the letter.
   */
  readonly source: () => Promise<TagList>;
  /** None where the target does not tell, nor of what is not there yet. */
  readonly target: () => Promise<readonly string[]>;
  /**
   * The same; but a target that does not tell its tags is asked, one by one, for the releases that it may
   * have: those that were known when this was written, and those that the source has.
   */
  readonly held: () => Promise<readonly string[]>;
  /** Asks for both already. */
  readonly expect: () => void;
}

/** The lists of tags, each asked for once, when it is first needed. */
export function tagLists(
  registries: Registries,
  settings: Settings,
  {slots, signal}: {readonly slots: Slots; readonly signal: AbortSignal}
): TagLists {
  const {images} = settings;
  const leader = leaderOf(settings);
  // Who may pull need not be allowed to list. What was named to the letter is found or missed by its images.
  const named = settings.tags.flatMap(request => (request.kind === 'exact' ? [request.tag] : []));
  const asNamed = (error: unknown): readonly string[] => {
    if (named.length < settings.tags.length) throw error;
    noneIfRefused(registries.source.log)(error);
    return named;
  };
  const list = async (side: 'source' | 'target', name: string) =>
    await listTags(registries[side], within(settings[side].repository, name), signal);
  const source = lazy(async (): Promise<TagList> => {
    if (images.kind !== 'exactly' && leader !== leadingImage) {
      const tags = await list('source', leadingImage).catch(noneIfRefused(registries.source.log));
      if (tags.length > 0) return {name: leadingImage, tags};
    }
    try {
      return {name: leader, tags: await list('source', leader)};
    } catch (error) {
      return {name: leader, tags: asNamed(error), unlisted: true};
    }
  });
  let hidden = false;
  const target = lazy(async () => {
    const {credentials, log} = registries.target;
    const listed = list('target', leader);
    if (credentials.kind === 'anonymous') return await listed;
    // Some registries say so of a repository that a push is yet to create, some have a right of its own
    // for lists.
    return await listed.catch((error: unknown) => {
      hidden = true;
      return noneIfRefused(log)(error);
    });
  });
  const held = lazy(async () => {
    const tags = await target();
    if (!hidden) return tags;
    const releases = new Set([...knownReleases, ...(await source()).tags.filter(isStable)]);
    const repository = within(settings.target.repository, leader);
    return await filterBounded([...releases], slots.limit, signal, (tag, one) =>
      slots
        .run(() => resolveManifest(registries.target, repository, tag, one))
        .then(digest => digest !== undefined)
    );
  });
  const expect = () => {
    // Whoever needs them is told what went wrong; nobody may.
    for (const ask of [source, target]) ask().catch(() => undefined);
  };
  return {leader, source, target, held, expect};
}

/** The same answer for everybody who asks, asked for when the first one does. */
function lazy<T>(ask: () => Promise<T>): () => Promise<T> {
  let known: Promise<T> | undefined;
  return () => (known ??= ask());
}

function noneIfRefused(log: Log): (error: unknown) => readonly string[] {
  return error => {
    if (!isRefusal(error)) throw error;
    log.debug(`no tags are known there: ${(error as Error).message}`);
    return [];
  };
}
