import type {Settings} from '../inputs.ts';
import {within} from '../oci/reference.ts';
import {isRefusal} from '../registry/error.ts';
import {listTags} from '../registry/tags.ts';
import {imageSet} from '../release/catalog.ts';
import {chartArtifact} from '../release/resolve.ts';
import type {Registries} from './registries.ts';

/** The image whose tags are the releases. */
const anchor = 'arc-controller';
/** Releases without it are told by another one that each of them has. */
const substitutes: readonly string[] = imageSet('').flatMap(({name, role}) =>
  role === 'core' && name !== anchor ? [name] : []
);

const isImage = (name: string) => name !== chartArtifact;

/** The tags of the image that leads a release, at both registries. */
export interface TagLists {
  /** Its name: arc-controller, or where that is not wanted the first image that is. */
  readonly leader: string;
  readonly source: () => Promise<readonly string[]>;
  readonly target: () => Promise<readonly string[]>;
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
  // The chart has tags of its own.
  const wanted =
    images.kind === 'exactly'
      ? images.names.filter(isImage)
      : [anchor, ...substitutes].filter(name => !images.remove.includes(name));
  const leader = wanted.includes(anchor) ? anchor : (wanted[0] ?? anchor);
  const list = (side: 'source' | 'target') => {
    const registry = registries[side];
    let known: Promise<readonly string[]> | undefined;
    const anonymous = registry.credentials.kind === 'anonymous';
    const list = async () => {
      try {
        return await listTags(registry, within(settings[side].repository, leader), signal);
      } catch (error) {
        // Of a repository that a push is yet to create, some registries say so.
        if (side === 'source' || anonymous || !isRefusal(error)) throw error;
        registry.log.debug(`no tags are known there: ${(error as Error).message}`);
        return [];
      }
    };
    return () => (known ??= list());
  };
  const source = list('source');
  const target = list('target');
  const expect = () => {
    // Whoever needs them is told what went wrong; nobody may.
    for (const ask of [source, target]) ask().catch(() => undefined);
  };
  return {leader, source, target, expect};
}
