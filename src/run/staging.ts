import type {MirrorOptions} from '../mirror/mirror.ts';
import {ownTime} from '../mirror/own-time.ts';
import type {FetchedManifest} from '../registry/fetched-manifest.ts';
import {putManifest, resolveManifest} from '../registry/manifests.ts';
import {removeTag} from '../registry/tags.ts';

/** What stands at the target under a staging tag, or may: a push that was cut off tells nothing. */
export interface Staged {
  readonly repository: string;
  /** Docker has said that it pushed it. */
  pushed: boolean;
  /** Its own tag, once it has it, and what that stands for. */
  published?: {
    readonly tag: string;
    readonly manifest: Pick<FetchedManifest, 'bytes' | 'descriptor'>;
  };
}

/** For all of them. */
const removalTime = {usual: 120_000, cancelled: 4_000};

/**
 * Takes the staging tags away, one after the other, as far as the registry lets that be done; what
 * stays is said. A registry was seen to delete the manifest with any of its tags: then the tag that
 * counts is put back at once, and the other staging tags stay. Never throws.
 */
export async function removeStaging(
  {target, log, signal}: Pick<MirrorOptions, 'target' | 'log' | 'signal'>,
  staged: readonly Staged[],
  tag: string
): Promise<void> {
  const limit = ownTime(signal, removalTime);
  let removed = 0;
  let harm = '';
  try {
    for (const one of staged) {
      const {repository, published} = one;
      one.pushed ||= (await resolveManifest(target, repository, tag, limit)) !== undefined;
      if (one.pushed && !(await removeTag(target, repository, tag, limit))) break;
      removed++;
      if (published === undefined) continue;
      const {digest} = published.manifest.descriptor;
      if ((await resolveManifest(target, repository, published.tag, limit, true)) === digest)
        continue;
      await putManifest(target, repository, published.tag, published.manifest, limit);
      harm = ', since it deletes more than the tag';
      break;
    }
  } catch (error) {
    log.debug(`staging tags: ${String(error)}`);
  }
  const left = staged.slice(removed).filter(({pushed}) => pushed).length;
  if (left === 0) return;
  log.notice(
    `${left === 1 ? 'One image keeps' : `${left} images keep`} the tag ${tag} at ${target.name} under which docker pushed: the registry does not let it be taken away${harm}. Arc takes no notice of it, and it may be deleted.`
  );
}
