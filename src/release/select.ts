import {clean} from '../oci/clean.ts';
import {ReleaseError} from './error.ts';
import {nearMisses} from './near-miss.ts';
import type {TagRequest} from './request.ts';
import {
  compareReleaseTags,
  compareTags,
  compareVersions,
  formatVersion,
  parseReleaseTag,
  type ReleaseTag,
  type Version
} from './tag.ts';

/** What releases are chosen from. */
export interface SelectOptions {
  readonly requests: readonly TagRequest[];
  /** All tags of the image that leads a release at the source, in any order. */
  readonly live: readonly string[];
  /** Whose tags they are, for messages: `mcr.microsoft.com/arcdata/arc-controller`. */
  readonly from: string;
  /** The newest release that is complete at the target, if there is one; catch-up counts from it. */
  readonly targetComplete?: string;
  /** The tags of that image at the target, as far as they are known. */
  readonly held?: readonly string[];
}

/** The releases to mirror. */
export interface Selection {
  /** Oldest first, each once: the order in which Arc upgrades. */
  readonly tags: readonly string[];
  /** What the user should know about how it came to be. */
  readonly notes: readonly string[];
  /** Why there is nothing to do; only with empty `tags`. */
  readonly reason?: string;
}

/**
 * Chooses releases by the requests, all together. Only an exact tag reaches what is not a stable
 * release. Where a version was published under several dates, only the newest date counts, but
 * for an exact tag.
 * @throws ReleaseError for requests that no tag answers, all of them, with what may have been meant
 */
export function selectReleases(options: SelectOptions): Selection {
  const live = new Set(options.live);
  const stable = newestOfEach(
    [...live].map(parseReleaseTag).filter(release => release !== undefined)
  );
  const tags = new Set<string>();
  const notes: string[] = [];
  const unanswered: ReleaseError[] = [];
  let reason: string | undefined;
  for (const request of options.requests) {
    if (request.kind === 'exact') {
      if (live.has(request.tag)) tags.add(request.tag);
      else unanswered.push(unknown(request.tag, live, stable));
      continue;
    }
    const newest = stable.at(-1);
    if (newest === undefined) {
      unanswered.push(nothingStable(request.text, live.size, options.from));
      continue;
    }
    const chosen = choose(request, stable, newest, options.targetComplete);
    if (chosen instanceof ReleaseError) {
      unanswered.push(chosen);
      continue;
    }
    for (const {text} of chosen) tags.add(text);
    if (request.kind === 'newest' && chosen.length < request.count)
      notes.push(`${request.text} takes all ${chosen.length} releases; there are no more.`);
    if (request.kind === 'catch-up' && chosen.length === 0)
      reason = `Already up to date: the target has the tags of ${clean(options.targetComplete ?? '')}, and the source has no newer release. Asked for by its tag, it is checked down to every blob, and mended.`;
  }
  if (unanswered.length > 0) throw together(unanswered, options.from);
  const ordered = [...tags].sort(compareTags);
  notes.push(...hole(ordered[0], options.held ?? [], stable));
  return {tags: ordered, notes, ...(ordered.length === 0 && reason !== undefined && {reason})};
}

/**
 * Upgrades go to the next minor version only: what is left out between the target's newest release and the
 * oldest that is chosen is worth a word, since nothing brings it later.
 * @see https://learn.microsoft.com/azure/azure-arc/data/upgrade-overview#upgrade-path
 */
function hole(
  first: string | undefined,
  held: readonly string[],
  stable: readonly ReleaseTag[]
): readonly string[] {
  const next = parseReleaseTag(first ?? '');
  if (next === undefined) return [];
  const before = newestOfEach(held.flatMap(tag => parseReleaseTag(tag) ?? []))
    .filter(release => compareReleaseTags(release, next) < 0)
    .at(-1);
  if (before?.major !== next.major) return [];
  const between = stable.filter(
    ({major, minor}) => major === next.major && minor > before.minor && minor < next.minor
  );
  if (between.length === 0) return [];
  const some = between.slice(0, mostTold).map(({text}) => text);
  const more = between.length - some.length;
  return [
    `The target has ${before.text}, and ${next.text} is not the next release: ${some.join(', ')}${more > 0 ? ` and ${more} more` : ''} would be left out, and Arc upgrades from one minor version to the next only. ${before.major}.${before.minor}.. in source-tag brings them all.`
  ];
}

/** How many of them are told one by one. */
const mostTold = 5;

/** All that was asked for in vain, as one error. */
function together(errors: readonly ReleaseError[], from: string): ReleaseError {
  const told = [...new Set(errors.map(({message}) => message))];
  const more = told.length > mostTold ? [`So it is with ${told.length - mostTold} more.`] : [];
  return new ReleaseError(
    [...told.slice(0, mostTold), ...more, `The tags of ${from} were looked at.`].join(' ')
  );
}

/** What a request stands for; an error where that is nothing. */
function choose(
  request: Exclude<TagRequest, {kind: 'exact'}>,
  stable: readonly ReleaseTag[],
  newest: ReleaseTag,
  targetComplete: string | undefined
): readonly ReleaseTag[] | ReleaseError {
  switch (request.kind) {
    case 'latest':
      return [newest];
    case 'newest':
      return stable.slice(-request.count);
    case 'version': {
      const found = stable.findLast(release => matches(release, request));
      return found ? [found] : noVersion(request, stable, newest);
    }
    case 'range': {
      const {from, to} = request;
      const found = stable.filter(
        release =>
          (!from || compareVersions(release, from) >= 0) &&
          (!to || compareVersions(release, {...to, patch: to.patch ?? Infinity}) <= 0)
      );
      if (found.length > 0) return found;
      return new ReleaseError(
        `No release lies within "${clean(request.text, 140)}". The oldest is ${stable[0]?.text ?? newest.text}, the newest ${newest.text}.`
      );
    }
    case 'catch-up': {
      const complete = targetComplete === undefined ? undefined : parseReleaseTag(targetComplete);
      if (!complete) return [newest];
      return stable.filter(release => compareReleaseTags(release, complete) > 0);
    }
  }
}

function newestOfEach(releases: readonly ReleaseTag[]): readonly ReleaseTag[] {
  const byVersion = new Map<string, ReleaseTag>();
  for (const release of [...releases].sort(compareReleaseTags))
    byVersion.set(formatVersion(release), release);
  return [...byVersion.values()];
}

function matches(release: ReleaseTag, {major, minor, patch}: Version): boolean {
  return (
    release.major === major &&
    release.minor === minor &&
    (patch === undefined || release.patch === patch)
  );
}

function unknown(
  tag: string,
  live: ReadonlySet<string>,
  stable: readonly ReleaseTag[]
): ReleaseError {
  const suggestions = nearMisses(tag, [...live]).map(text => clean(text, 140));
  const newest = stable.at(-1);
  const help =
    suggestions.length > 0
      ? `; did you mean ${either(suggestions)}?`
      : newest
        ? `. The newest release is ${newest.text}.`
        : ', and the source has no stable release either.';
  return new ReleaseError(`${clean(tag, 140)} does not exist${help}`);
}

function noVersion(
  wanted: Version & {readonly text: string},
  stable: readonly ReleaseTag[],
  newest: ReleaseTag
): ReleaseError {
  const shown = formatVersion(wanted);
  const {major, minor} = wanted;
  const patches = stable.filter(release => matches(release, {major, minor}));
  if (patches.length > 0)
    return new ReleaseError(
      `No release ${shown} exists; did you mean ${either(patches.map(({text}) => text))}?`
    );
  if (compareVersions(wanted, newest) > 0)
    return new ReleaseError(`No release ${shown} exists yet. The newest is ${newest.text}.`);
  const [below, above] = [
    stable.findLast(release => compareVersions(release, wanted) < 0),
    stable.find(release => compareVersions(release, wanted) > 0)
  ];
  const around = [below, above].filter(release => release !== undefined).map(({text}) => text);
  return new ReleaseError(
    `No release ${shown} exists. The nearest ${around.length > 1 ? 'are' : 'is'} ${around.join(' and ')}.`
  );
}

function nothingStable(request: string, tags: number, from: string): ReleaseError {
  const found =
    tags === 0
      ? `${from} has no tags`
      : `none of the ${tags} tags of ${from} has the form v1.46.0_2026-05-12`;
  return new ReleaseError(
    `${clean(request, 140)} finds no stable release at the source: ${found}. Check source-registry and source-repository, or name an exact tag.`
  );
}

function either(texts: readonly string[]): string {
  return texts.length < 2
    ? texts.join('')
    : `${texts.slice(0, -1).join(', ')} or ${texts.at(-1) ?? ''}`;
}
