/** A day of the calendar. Months and days count from 1. */
export interface CalendarDate {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

/** `1.46`, or `1.46.0` when the patch number is told. */
export interface Version {
  readonly major: number;
  readonly minor: number;
  readonly patch?: number;
}

/** The tag of a stable release, such as `v1.46.0_2026-05-12`, taken apart. */
export interface ReleaseTag {
  readonly text: string;
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  /** The planned day, often a second Tuesday; the release may appear months later. */
  readonly date: CalendarDate;
}

/**
 * What a tag looks like: `stable` (`v1.46.0_2026-05-12`), `pre-release` (the same with something
 * behind it, `v1.8.0_2022-06-07_5ba6b837`), `public-preview` (`public-preview-jun-2021`), `other`.
 */
export type TagKind = 'stable' | 'pre-release' | 'public-preview' | 'other';

/** The months as public previews spell them. */
export const monthNames = [
  'jan',
  'feb',
  'mar',
  'apr',
  'may',
  'jun',
  'jul',
  'aug',
  'sep',
  'oct',
  'nov',
  'dec'
] as const;

// At most six digits each, so that every number stays exact.
const number = '(0|[1-9]\\d{0,5})';
const stable = new RegExp(
  `^v${number}\\.${number}\\.${number}_(\\d{4})-(\\d{2})-(\\d{2})(?:_([0-9A-Za-z][\\w.-]*))?$`
);
const version = new RegExp(`^v?${number}\\.${number}(?:\\.${number})?$`);
const preview = new RegExp(`^public-preview-(${monthNames.join('|')})-(\\d{4})$`);

/** Reads a stable release's tag; undefined for everything else, also for a day that does not exist. */
export function parseReleaseTag(text: string): ReleaseTag | undefined {
  const build = parseBuild(text);
  return build?.suffix === undefined ? build?.release : undefined;
}

/**
 * Reads a pre-release tag, a stable one with a suffix: `v1.8.0_2022-06-07_5ba6b837`. What stands
 * before the suffix is the release that it leads to, which may never come.
 */
export function parsePreReleaseTag(
  text: string
): {readonly release: ReleaseTag; readonly suffix: string} | undefined {
  const build = parseBuild(text);
  return build?.suffix === undefined ? undefined : {release: build.release, suffix: build.suffix};
}

/** Reads a public preview's tag, the form before v1.0.0: `public-preview-jun-2021`. */
export function parsePublicPreview(
  text: string
): {readonly year: number; readonly month: number} | undefined {
  const parts = preview.exec(text);
  if (!parts) return undefined;
  const month = monthNames.indexOf(parts[1] as (typeof monthNames)[number]) + 1;
  return {year: Number(parts[2]), month};
}

/** Reads `1.46`, `v1.46`, `1.46.0` or `v1.46.0`; undefined for everything else. */
export function parseVersion(text: string): Version | undefined {
  const parts = version.exec(text);
  if (!parts) return undefined;
  const [major, minor] = [Number(parts[1]), Number(parts[2])];
  return parts[3] === undefined ? {major, minor} : {major, minor, patch: Number(parts[3])};
}

/** `v1.46` or `v1.46.0`. */
export function formatVersion({major, minor, patch}: Version): string {
  return `v${major}.${minor}${patch === undefined ? '' : `.${patch}`}`;
}

/** Negative when `a` is the lower version. A patch number that is not told counts as 0. */
export function compareVersions(a: Version, b: Version): number {
  return a.major - b.major || a.minor - b.minor || (a.patch ?? 0) - (b.patch ?? 0);
}

/** Negative when `a` is the older release: by version, then by date, all as numbers. */
export function compareReleaseTags(a: ReleaseTag, b: ReleaseTag): number {
  return compareVersions(a, b) || dayNumber(a.date) - dayNumber(b.date);
}

/** Whether the tag has the form of a stable release. Where it was found is not looked at. */
export function isStable(text: string): boolean {
  return parseReleaseTag(text) !== undefined;
}

/** What the tag looks like. */
export function tagKind(text: string): TagKind {
  const build = parseBuild(text);
  if (build) return build.suffix === undefined ? 'stable' : 'pre-release';
  return parsePublicPreview(text) ? 'public-preview' : 'other';
}

/**
 * Negative when `a` is the older one, for tags of any kind: tags that tell no age come first, then
 * public previews, then versions; a pre-release comes before the stable release of its name.
 */
export function compareTags(a: string, b: string): number {
  const [left, right] = [age(a), age(b)];
  for (const [at, value] of left.entries()) {
    const difference = value - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

function age(text: string): number[] {
  const build = parseBuild(text);
  if (build) {
    const {major, minor, patch, date} = build.release;
    return [2, major, minor, patch, dayNumber(date), build.suffix === undefined ? 1 : 0];
  }
  const old = parsePublicPreview(text);
  return old ? [1, old.year, old.month, 0, 0, 0] : [0, 0, 0, 0, 0, 0];
}

function parseBuild(text: string): {release: ReleaseTag; suffix: string | undefined} | undefined {
  const parts = stable.exec(text);
  if (!parts) return undefined;
  const date = {year: Number(parts[4]), month: Number(parts[5]), day: Number(parts[6])};
  if (!isCalendarDate(date)) return undefined;
  const [major, minor, patch] = [Number(parts[1]), Number(parts[2]), Number(parts[3])];
  return {release: {text, major, minor, patch, date}, suffix: parts[7]};
}

function isCalendarDate({year, month, day}: CalendarDate): boolean {
  // Years below 100 would be taken for 19xx.
  if (year < 1000) return false;
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}

// A number that grows with the date; not a count of days.
function dayNumber({year, month, day}: CalendarDate): number {
  return (year * 100 + month) * 100 + day;
}
