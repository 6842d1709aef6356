import {compareTags, parseReleaseTag, type ReleaseTag} from './tag.ts';

/** The most suggestions that are made. */
export const mostSuggestions = 3;

// A wrong date costs less than a wrong version, however wrong it is: whoever names a version means it.
const wrongDate = 1;
const wrongVersion = 2;
// What is further away than this is no misprint but another thing.
const furthest = 5;
// What is so much further away than the best is noise beside it.
const spread = 1.9;

/**
 * The existing tags that somebody who wrote `tag` may have meant, best first, at most three: the same
 * tag in other letters or with other signs between the numbers, the same version with another date,
 * the same date with another version, and what is a few letters away.
 */
export function nearMisses(tag: string, existing: readonly string[]): readonly string[] {
  const wanted = tag.trim().slice(0, 200);
  const scored = [...new Set(existing)]
    .filter(candidate => candidate !== wanted)
    .map(candidate => ({candidate, cost: cost(wanted, candidate)}))
    .filter(({cost}) => cost <= furthest)
    .sort((a, b) => a.cost - b.cost || compareTags(b.candidate, a.candidate));
  const best = scored[0]?.cost ?? 0;
  return scored
    .filter(({cost}) => cost <= best + (best > 0 ? spread : 0))
    .slice(0, mostSuggestions)
    .map(({candidate}) => candidate);
}

function cost(wanted: string, candidate: string): number {
  if (signs(wanted) === signs(candidate)) return 0;
  const release = parseReleaseTag(candidate);
  const guess = release && loosely(wanted);
  if (guess) return releaseCost(guess, release);
  // Of a hundred thousand tags, most need not be looked at letter by letter.
  if (Math.abs(wanted.length - candidate.length) > furthest / wrongVersion) return Infinity;
  return wrongVersion * editDistance(wanted.toLowerCase(), candidate.toLowerCase());
}

function releaseCost(guess: Guess, release: ReleaseTag): number {
  const date = release.text.slice(release.text.indexOf('_')).replace(/\D/g, '');
  const dates = guess.date === '' ? date.length : dateDistance(guess.date, date);
  const version = [release.major, release.minor, release.patch];
  const sameVersion = guess.version.every((number, at) => number === version[at]);
  if (sameVersion) {
    // A version without its patch number is a little further away.
    return 0.1 * (version.length - guess.version.length) + (wrongDate * Math.min(dates, 8)) / 8;
  }
  const versions = editDistance(guess.version.join('.'), version.join('.'));
  return wrongVersion * versions + dates;
}

interface Guess {
  /** Two or three numbers. */
  readonly version: readonly number[];
  /** The remaining digits, meant as yyyymmdd. */
  readonly date: string;
}

// Takes the numbers as they come: two or three for the version, what looks like a year begins the date.
function loosely(text: string): Guess | undefined {
  const numbers = text.match(/\d+/g) ?? [];
  const year = numbers.findIndex((number, at) => at >= 2 && /^20\d\d/.test(number));
  const end = year === 2 ? 2 : 3;
  if (numbers.length < 2) return undefined;
  return {version: numbers.slice(0, end).map(Number), date: numbers.slice(end).join('')};
}

// Day and month changed over is one mistake, not four wrong digits.
function dateDistance(a: string, b: string): number {
  const swapped = b.slice(0, 4) + b.slice(6, 8) + b.slice(4, 6);
  return a === swapped ? 1 : editDistance(a, b);
}

// Letters and digits alone, with the v that a tag begins with.
function signs(text: string): string {
  const plain = text.toLowerCase().replace(/[^a-z0-9]/g, '');
  return /^\d/.test(plain) ? `v${plain}` : plain;
}

/**
 * How many single letters have to be put in, left out, replaced or changed over with their neighbour
 * to make `b` of `a` (optimal string alignment).
 */
export function editDistance(a: string, b: string): number {
  let [before, last] = [[] as number[], Array.from({length: b.length + 1}, (_, at) => at)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, at(before, j - 2) + 1);
      row.push(least);
    }
    [before, last] = [last, row];
  }
  return at(last, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Infinity;
}
