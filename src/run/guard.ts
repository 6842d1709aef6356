import type {Settings} from '../inputs.ts';
import type {Log} from '../log.ts';
import type {Slots} from '../mirror/slots.ts';
import {within} from '../oci/reference.ts';
import {
  confusing,
  isPreReleaseBuild,
  isPreReleaseRepository,
  looksLikeRelease,
  refusePreRelease,
  takesOtherName
} from '../release/channel.ts';
import {ReleaseError} from '../release/error.ts';
import {standsAlike} from './complete.ts';
import type {Registries} from './registries.ts';
import type {TagLists} from './tag-lists.ts';

/** A tag at the source, and what it is to be called at the target. */
interface Wanted {
  readonly tag: string;
  readonly targetTag: string;
}

interface Surroundings {
  readonly lists: TagLists;
  readonly log: Log;
  readonly slots: Slots;
  readonly signal: AbortSignal;
}

/**
 * Sees to it that nothing is brought to the target that Arc would take for a release it is not; and warns
 * of what stands there already.
 * @throws ReleaseError, RegistryError, the signal's reason
 */
export async function guardTarget(
  registries: Registries,
  settings: Settings,
  wanted: readonly Wanted[],
  {lists, log, slots, signal}: Surroundings
): Promise<void> {
  const {leader} = lists;
  const {repository: sourceRepository} = settings.source;
  const {registry, repository: targetRepository} = settings.target;
  const [{tags: live, unlisted}, targetTags] = await Promise.all([lists.source(), lists.target()]);
  // Where the source does not tell, a newer release than were known here is as good as any.
  const odd = unlisted === true ? targetTags.filter(looksLikeRelease) : confusing(targetTags, live);
  if (odd.length > 0) {
    log.warning(
      `${registry}/${within(targetRepository, leader)} has tags that Arc's upgrade check will take for releases: ${odd.slice(0, 5).join(', ')}${odd.length > 5 ? ', …' : ''}`
    );
  }
  for (const {tag, targetTag} of wanted) {
    const other = takesOtherName({tag, targetTag, targetRepository});
    if (other !== undefined) throw new ReleaseError(`target-tag ${other}`);
    const build = isPreReleaseBuild(sourceRepository, tag);
    if (!build && !looksLikeRelease(targetTag)) continue;
    const held = await lists.held();
    refusePreRelease({
      ...{sourceRepository, targetRepository, tag, targetTag},
      targetTags: held,
      together: wanted.map(one => one.tag),
      stands:
        isPreReleaseRepository(sourceRepository) &&
        held.includes(tag) &&
        (await standsAlike(registries, settings, {leader, tag, slots, signal}))
    });
    if (build && !isPreReleaseRepository(targetRepository)) {
      log.warning(
        `${tag} is a pre-release build: keep stable releases out of ${registry}/${targetRepository}, where Arc's upgrade check takes it for one of them`
      );
    }
  }
}
