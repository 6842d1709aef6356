import catalogue from './catalogue.json' with {type: 'json'};
import {parsePreReleaseTag, parsePublicPreview, parseReleaseTag, parseVersion} from './tag.ts';

/**
 * What an image is to a release: `core`, a release without it does not run; `optional`, it may be
 * gone one day, as retired products are; `test-only`, a tool for tests of Arc itself.
 */
export type ImageRole = 'core' | 'optional' | 'test-only';

/** An image that a release is known to have. */
export interface CatalogImage {
  readonly name: string;
  readonly role: ImageRole;
}

/**
 * One stint of an image: from the release `since`, up to but without `before`. An image that changed
 * its role, or went and came back, has several.
 */
export interface CatalogEntry extends CatalogImage {
  readonly since: string;
  readonly before?: string;
}

// Months in which the sample script's own list was wrong are put right there: arc-security-support
// was listed long before it existed (it came with v1.6.0), and arc-dns and arc-kafka were published
// from v1.4.0 on but listed only from v1.11.0.
const entries = catalogue.images as readonly CatalogEntry[];

/** The image whose tags are the releases. */
export const leadingImage = 'arc-controller';

/** Every stint of every image that is known, sorted by name. */
export const catalogEntries: readonly CatalogEntry[] = entries;

/**
 * The images that a release is known to have, sorted by name. A release newer than the catalogue has
 * the newest set; a pre-release that of its version; a tag that tells no version the newest set too.
 */
export function imageSet(tag: string): readonly CatalogImage[] {
  const at = position(tag) ?? newest;
  return entries
    .filter(({since, before}) => compare(at, bound(since)) >= 0 && isBefore(at, before))
    .map(({name, role}) => ({name, role}));
}

function isBefore(at: Position, before: string | undefined): boolean {
  return before === undefined || compare(at, bound(before)) < 0;
}

// Era (0 public preview, 1 versions), then year and month, or major, minor and patch.
type Position = readonly number[];

const newest: Position = [1, Infinity];

function position(tag: string): Position | undefined {
  const preview = parsePublicPreview(tag);
  if (preview) return [0, preview.year, preview.month];
  const version = parseReleaseTag(tag) ?? parsePreReleaseTag(tag)?.release ?? parseVersion(tag);
  return version && [1, version.major, version.minor, version.patch ?? 0];
}

function bound(text: string): Position {
  const found = position(text);
  if (!found) throw new TypeError(`catalogue.json: ${text} is neither a version nor a preview`);
  return found;
}

function compare(a: Position, b: Position): number {
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const [left, right] = [a[at] ?? 0, b[at] ?? 0];
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}
