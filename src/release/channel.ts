import {clean} from '../oci/clean.ts';
import {knownReleases} from './companions.ts';
import {ReleaseError} from './error.ts';
import type {TagRequest} from './request.ts';
import {compareTags, isStable, tagKind} from './tag.ts';

/**
 * Whether a repository holds pre-release builds: its last part is `preview` or `test`. There a build
 * carries the tag of the coming release, which may never ship, so the tag alone does not tell.
 */
export function isPreReleaseRepository(repository: string): boolean {
  return /(?:^|\/)(?:preview|test)$/.test(repository);
}

/**
 * Pre-release builds are mirrored only when each is asked for by its exact tag.
 * @returns what is wrong, naming the requests that would choose by themselves; undefined when all is well
 */
export function choosesPreRelease(options: {
  readonly sourceRepository: string;
  readonly requests: readonly TagRequest[];
}): string | undefined {
  if (!isPreReleaseRepository(options.sourceRepository)) return undefined;
  const choosing = options.requests.filter(request => request.kind !== 'exact');
  if (choosing.length === 0) return undefined;
  const shown = choosing.map(({text}) => clean(text, 140)).join(', ');
  return `${clean(options.sourceRepository)} holds pre-release builds, which are mirrored by exact tag only, not by ${shown}; name the whole tag, or take the stable releases from ${clean(parent(options.sourceRepository))}`;
}

/**
 * Tags at the target that would mislead Arc's upgrade check, which takes every tag of arc-controller
 * that begins with `v1` for a release: those that do not have a release's form, and those that are
 * no release's as far as `live` (the source's tags) and the built-in list tell. Sorted by age.
 */
export function confusing(
  targetTags: readonly string[],
  live: readonly string[] = []
): readonly string[] {
  const releases = new Set([...knownReleases, ...live]);
  return [...new Set(targetTags)]
    .filter(tag => looksLikeRelease(tag) || (tag.startsWith('v1') && !releases.has(tag)))
    .sort(compareTags);
}

/** Whether an image set is a pre-release build, by the repository that it comes from or by its tag. */
export function isPreReleaseBuild(sourceRepository: string, tag: string): boolean {
  return isPreReleaseRepository(sourceRepository) || tagKind(tag) === 'pre-release';
}

/** Whether Arc's upgrade check takes a tag for a release's that is none by its form. */
export function looksLikeRelease(tag: string): boolean {
  return tag.startsWith('v1') && !isStable(tag);
}

/**
 * Pre-release builds never go to a path that holds stable releases: Arc would take them for one. Nor
 * does anything under a tag that begins with `v1` there without being a release's. A target whose own
 * last part is `preview` or `test` may hold as many as wanted; and a build that is there already, alone,
 * may be mended.
 * @param options.targetTag what the tag is called at the target, where that is something else
 * @param options.together the tags that this run brings, this one among them
 * @param options.stands whether the tag at the target, if it is there, stands for this very build
 * @throws ReleaseError naming what the path holds and where the build may go
 */
export function refusePreRelease(options: {
  readonly sourceRepository: string;
  readonly targetRepository?: string;
  readonly tag: string;
  readonly targetTag?: string;
  readonly targetTags: readonly string[];
  readonly together?: readonly string[];
  readonly stands: boolean;
}): void {
  const {sourceRepository, targetRepository, tag, targetTags, together = [], stands} = options;
  const {targetTag = tag} = options;
  const build = isPreReleaseBuild(sourceRepository, tag);
  const misleading = looksLikeRelease(targetTag);
  if (!build && !misleading) return;
  if (targetRepository !== undefined && isPreReleaseRepository(targetRepository)) return;
  const held = targetTags.filter(other => isStable(other) && !(other === tag && stands));
  const coming = together.filter(other => isStable(other) && other !== tag);
  const what =
    held.length > 0
      ? `the target holds stable releases (${told(held)})`
      : `this run brings tags of stable releases beside it (${told(coming)})`;
  if (held.length + coming.length === 0) return;
  throw new ReleaseError(
    `${clean(build ? tag : targetTag)} ${build ? 'is a pre-release build, and' : 'is no tag of a stable release, and'} ${what}. Arc's upgrade check would offer it as a release. Mirror it to a path of its own, such as one that ends in /preview.`
  );
}

/**
 * Nothing goes under the tag of a release that is not that release: Arc's tools would take the one for
 * the other, and what stood there under it would be replaced. A path of pre-release builds may give a
 * build the name that it is to ship under.
 * @returns what is wrong; undefined when all is well
 */
export function takesOtherName(options: {
  readonly tag: string;
  readonly targetTag: string;
  readonly targetRepository: string;
}): string | undefined {
  const {tag, targetTag, targetRepository} = options;
  if (targetTag === tag || !isStable(targetTag)) return undefined;
  if (!isStable(tag) && isPreReleaseRepository(targetRepository)) return undefined;
  return `${clean(targetTag, 140)} is the tag of another release than ${clean(tag, 140)}: Arc's tools would take the one for the other, and the target would lose what stands under it. Leave target-tag out, and ${isStable(tag) ? 'the release' : 'it'} keeps its own tag.`;
}

function told(tags: readonly string[]): string {
  return `${tags.length}, newest ${[...tags].sort(compareTags).at(-1) ?? ''}`;
}

function parent(repository: string): string {
  return repository.split('/').slice(0, -1).join('/') || 'the repository above it';
}
