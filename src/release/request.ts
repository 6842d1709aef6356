import {clean} from '../oci/clean.ts';
import {OciError} from '../oci/error.ts';
import {parseTag} from '../oci/reference.ts';
import {ReleaseError} from './error.ts';
import {compareVersions, formatVersion, parseVersion, type Version} from './tag.ts';

/** One line of `source-tag`: which release, or which ones. `text` is what the user wrote. */
export type TagRequest =
  /** The newest stable release. */
  | {readonly kind: 'latest'; readonly text: string}
  /** This tag and no other, stable or not. */
  | {readonly kind: 'exact'; readonly text: string; readonly tag: string}
  /** The release of a version; without a patch number the newest patch. */
  | ({readonly kind: 'version'; readonly text: string} & Version)
  /** Every stable release between two versions, both included; one of them is always there. */
  | {readonly kind: 'range'; readonly text: string; readonly from?: Version; readonly to?: Version}
  /** The newest so many stable releases. */
  | {readonly kind: 'newest'; readonly text: string; readonly count: number}
  /** Every stable release newer than the newest complete one at the target. */
  | {readonly kind: 'catch-up'; readonly text: string};

/** The most releases that `newest:` may ask for. */
export const mostNewest = 100;

const forms =
  'latest, a tag such as v1.46.0_2026-05-12, a version such as 1.46, a range such as 1.40..1.43 or 1.40.., newest:3 or catch-up';

/**
 * Reads one line of `source-tag`. Blanks around it do not count. What has the form of a version is a
 * version, what holds two dots in a row is a range; any other valid tag is taken as it stands.
 * @throws ReleaseError naming the text and the forms that are understood
 */
export function parseTagRequest(line: string): TagRequest {
  const text = line.trim();
  if (text === '') throw new ReleaseError(`An empty line names no release. Write ${forms}.`);
  if (text === 'latest' || text === 'catch-up') return {kind: text, text};
  const keyword = misspeltKeyword(text);
  if (keyword !== undefined) throw wrong(text, `did you mean ${keyword}?`);
  if (/^newest(?:$|:)/i.test(text)) return newest(text);
  if (text.includes('..')) return range(text);
  const version = parseVersion(text);
  if (version) return {kind: 'version', text, ...version};
  return {kind: 'exact', text, tag: exact(text)};
}

/** Whether the request may end in more than one release. */
export function couldBeSeveral(request: TagRequest): boolean {
  switch (request.kind) {
    case 'range':
    case 'catch-up':
      return true;
    case 'newest':
      return request.count > 1;
    case 'latest':
    case 'exact':
    case 'version':
      return false;
  }
}

function misspeltKeyword(text: string): string | undefined {
  const letters = text.toLowerCase().replace(/[\s_-]/g, '');
  return letters === 'latest' ? 'latest' : letters === 'catchup' ? 'catch-up' : undefined;
}

function newest(text: string): TagRequest {
  const digits = /^newest:\s*([1-9]\d{0,2})$/.exec(text)?.[1];
  const count = Number(digits);
  if (digits === undefined || count > mostNewest)
    throw wrong(text, `newest: is followed by a number from 1 to ${mostNewest}, such as newest:3.`);
  return {kind: 'newest', text, count};
}

function range(text: string): TagRequest {
  const [left = '', right = '', ...more] = text.split('..').map(part => part.trim());
  const [from, to] = [parseVersion(left), parseVersion(right)];
  const wellFormed =
    more.length === 0 &&
    (from !== undefined || left === '') &&
    (to !== undefined || right === '') &&
    (from !== undefined || to !== undefined);
  if (!wellFormed)
    throw wrong(text, 'a range stands between two versions, such as 1.40..1.43, 1.40.. or ..1.43.');
  // 1.40.2..1.40 is no mistake: without a patch number the upper end takes in every patch.
  if (from && to && compareVersions(from, {...to, patch: to.patch ?? Infinity}) > 0)
    throw wrong(
      text,
      `${formatVersion(from)} is newer than ${formatVersion(to)}; the older one comes first.`
    );
  return {kind: 'range', text, ...(from && {from}), ...(to && {to})};
}

function exact(text: string): string {
  try {
    return parseTag(text);
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    const reason = text.includes('@') || /sha\d+:/.test(text) ? 'a digest names no release;' : '';
    throw wrong(text, `${reason} write ${forms}.`.trim());
  }
}

function wrong(text: string, rule: string): ReleaseError {
  return new ReleaseError(`${JSON.stringify(clean(text, 140))} names no release: ${rule}`);
}
