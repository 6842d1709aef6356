import type {Settings} from '../inputs.ts';
import type {Log} from '../log.ts';
import type {Slots} from '../mirror/slots.ts';
import type {Registries} from './registries.ts';
import {Roots, wantedImages} from './roots.ts';
import {Siblings} from './siblings.ts';
import {type TagLists, tagLists} from './tag-lists.ts';

/** What every choice begins with; each question is asked once, whoever needs its answer. */
export interface FirstQuestions {
  /** Whether the lists are asked for already: nobody has to sign in. */
  readonly early: boolean;
  readonly lists: TagLists;
  readonly roots: Roots;
  readonly siblings: Siblings;
}

/**
 * The lists of tags, the names at the source and the roots of images. Where nobody has to sign in, what
 * is sure to be needed is asked for at once, and the lists greet the registries: the lists, the names, and
 * the images of releases that are named to the letter. Where a password would be tried, the handshake tries it
 * before anything else.
 */
export function firstQuestions(
  registries: Registries,
  settings: Settings,
  around: {readonly log: Log; readonly slots: Slots; readonly signal: AbortSignal}
): FirstQuestions {
  const early = [registries.source, registries.target].every(
    ({credentials}) => credentials.kind === 'anonymous'
  );
  const lists = tagLists(registries, settings, around);
  const roots = new Roots(registries, settings, around);
  const siblings = new Siblings(registries, settings, around.signal);
  if (early) {
    lists.expect();
    roots.expect(settings);
    if (wantedImages(settings).kind !== 'exactly') siblings.expect();
  }
  return {early, lists, roots, siblings};
}
