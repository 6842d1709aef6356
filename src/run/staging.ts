import {MirrorError} from '../mirror/error.ts';
import type {MirrorOptions} from '../mirror/mirror.ts';
import {ownTime} from '../mirror/own-time.ts';
import type {FetchedManifest} from '../registry/fetched-manifest.ts';
import {getManifest, putManifest, resolveManifest, resolvePut} from '../registry/manifests.ts';
import {listTags, removeTag} from '../registry/tags.ts';

/** What stands at the target under a staging tag, or may: a push that was cut off tells nothing. */
export interface Staged {
  readonly repository: string;
  /** Docker has said that it pushed it. */
  pushed: boolean;
}

/** A tag that went along with a staging tag, and stays away. */
export interface Lost {
  readonly repository: string;
  readonly error: MirrorError;
}

type Context = Pick<MirrorOptions, 'target' | 'log' | 'signal' | 'lanes'>;

/** For all of them. */
const removalTime = {usual: 120_000, cancelled: 4_000};

/**
 * Takes the staging tags away, one after the other, as far as the registry lets that be done; what
 * stays is said. A registry was seen to delete the manifest with any of its tags: then the other tags
 * of that manifest are put back at once, and the other staging tags stay. So the first of them that
 * shares its manifest with another tag tells what becomes of the rest; until then each is looked at.
 * @returns the first other tag that went along and could not be put back, if any
 */
export async function removeStaging(
  context: Context,
  staged: readonly Staged[],
  tag: string
): Promise<Lost | undefined> {
  const {target, log} = context;
  const limited = {...context, signal: ownTime(context.signal, removalTime)};
  let removed = 0;
  let harmless = false;
  let why = 'the registry does not let it be taken away';
  let repository = '';
  try {
    for (const one of staged) {
      ({repository} = one);
      const held = await getManifest(target, repository, tag, limited.signal);
      one.pushed = held !== undefined;
      if (held !== undefined) {
        const others: readonly string[] = harmless
          ? []
          : await otherTags(held, {repository, tag}, limited);
        let gone = false;
        let taken = false;
        try {
          gone = await removeTag(target, repository, tag, limited.signal);
        } finally {
          // Whatever it said: it may have deleted, and then have failed to tell.
          taken = await putBack(held, others, repository, context);
        }
        if (taken) {
          why = 'the registry deletes more than the tag';
          removed++;
          break;
        }
        if (!gone) break;
        harmless ||= others.length > 0;
      }
      removed++;
    }
  } catch (error) {
    if (error instanceof MirrorError) return {repository, error};
    log.debug(`staging tags: ${String(error)}`);
    why = 'it could not be taken away';
  }
  const left = staged.slice(removed).filter(({pushed}) => pushed).length;
  if (left === 0) return undefined;
  log.notice(
    `${left === 1 ? 'One image keeps' : `${left} images keep`} the tag ${tag} at ${target.name} under which docker pushed: ${why}. Arc takes no notice of it, and it may be deleted.`
  );
  return undefined;
}

/** The tags of a manifest beside its staging tag: this release's own, and those of earlier ones. */
async function otherTags(
  {descriptor}: FetchedManifest,
  {repository, tag}: {readonly repository: string; readonly tag: string},
  {target, lanes, signal}: Context
): Promise<readonly string[]> {
  const tags = await listTags(target, repository, signal);
  const known = await Promise.all(
    tags
      .filter(name => name !== tag)
      .map(async name => {
        const digest = await lanes.control.run(() =>
          resolveManifest(target, repository, name, signal)
        );
        return digest === descriptor.digest ? [name] : [];
      })
  );
  return known.flat();
}

/**
 * Sets the tags again that are gone, and those of which the registry does not tell.
 * @returns whether there was any
 * @throws MirrorError when one stays away
 */
async function putBack(
  held: FetchedManifest,
  tags: readonly string[],
  repository: string,
  {target, signal: run}: Context
): Promise<boolean> {
  if (tags.length === 0) return false;
  const signal = ownTime(run, removalTime);
  const {digest} = held.descriptor;
  let lost = 0;
  for (const tag of tags) {
    const stands = await resolvePut(target, repository, tag, signal).catch(() => undefined);
    if (stands === digest) continue;
    lost++;
    try {
      await putManifest(target, repository, tag, held, signal);
    } catch (cause) {
      throw new MirrorError(
        `${target.name}/${repository} may have deleted ${tag} together with the tag under which docker had pushed, and did not take it back: ${(cause as Error).message}`,
        `See that ${tags.join(', ')} ${tags.length === 1 ? 'stands' : 'stand'} for ${digest} there, or mirror what is missing once more; use engine: registry at this registry.`,
        {fault: 'docker'}
      );
    }
  }
  return lost > 0;
}
