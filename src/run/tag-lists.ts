import type {Settings} from '../inputs.ts';
import type {Log} from '../log.ts';
import {within} from '../oci/reference.ts';
import {isRefusal} from '../registry/error.ts';
import {listTags} from '../registry/tags.ts';
import {imageSet} from '../release/catalog.ts';
import {chartArtifact} from '../release/resolve.ts';
import type {Registries} from './registries.ts';

/** The image whose tags are the releases. */
const anchor = 'arc-controller';
/** Where it is not, releases are told by another one that each of them has. */
const substitutes: readonly string[] = imageSet('').flatMap(({name, role}) =>
  role === 'core' && name !== anchor ? [name] : []
);

const isImage = (name: string) => name !== chartArtifact;

/** The tags of an image. */
export interface TagList {
  readonly name: string;
  readonly tags: readonly string[];
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
   */
  readonly source: () => Promise<TagList>;
  /** None where the target does not tell, nor of what is not there yet. */
  readonly target: () => Promise<readonly string[]>;
  /** Whether the target did not tell its tags; they may be asked for one by one. */
  readonly hidden: () => boolean;
  /** Asks for both already. */
  readonly expect: () => void;
}

/** The lists of tags, each asked for once, when it is first needed. */
export function tagLists(
  registries: Registries,
  settings: Settings,
  signal: AbortSignal
): TagLists {
  const {images} = settings;
  const every = [anchor, ...substitutes];
  // An image that some releases do not have tells nothing of these. The chart has tags of its own.
  const wanted =
    images.kind === 'exactly'
      ? [...every.filter(name => images.names.includes(name)), ...images.names.filter(isImage)]
      : every.filter(name => !images.remove.includes(name));
  const leader = wanted[0] ?? anchor;
  const list = async (side: 'source' | 'target', name: string) =>
    await listTags(registries[side], within(settings[side].repository, name), signal);
  const source = lazy(async () => {
    if (images.kind !== 'exactly' && leader !== anchor) {
      const tags = await list('source', anchor).catch(noneIfRefused(registries.source.log));
      if (tags.length > 0) return {name: anchor, tags};
    }
    return {name: leader, tags: await list('source', leader)};
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
  const expect = () => {
    // Whoever needs them is told what went wrong; nobody may.
    for (const ask of [source, target]) ask().catch(() => undefined);
  };
  return {leader, source, target, hidden: () => hidden, expect};
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
