import {editDistance} from '../release/near-miss.ts';

/** How many letters may differ between a name and what was meant by it. */
const furthest = 3;

/**
 * The names that somebody may have meant, nearest first, all equally near. A name is near when few
 * letters differ, or when what was written is its beginning or its end: `repo` and `repository`,
 * `registry` and `target-registry`.
 */
export function nearest<Name extends string>(
  text: string,
  names: readonly Name[]
): readonly Name[] {
  const wanted = normal(text);
  const ranked = names.map(name => ({name, far: distanceTo(wanted, normal(name))}));
  const least = Math.min(...ranked.map(({far}) => far));
  if (least > furthest) return [];
  return ranked.filter(({far}) => far === least).map(({name}) => name);
}

/**
 * `; did you mean a or b?`, or nothing when no name is near.
 * @param show how a name is written
 */
export function didYouMean(
  text: string,
  names: readonly string[],
  show = (name: string) => name
): string {
  const found = nearest(text, names).slice(0, 3);
  if (found.length === 0) return '';
  return `; did you mean ${found.map(show).join(' or ')}?`;
}

function normal(text: string): string {
  return text.toLowerCase().replaceAll('_', '-').slice(0, 60);
}

function distanceTo(text: string, name: string): number {
  const whole = editDistance(text, name);
  if (whole <= furthest && whole < text.length / 2) return whole;
  // Three letters fit anywhere; from four on a beginning means something.
  if (text.length >= 4 && name.startsWith(text)) return furthest;
  const last = name.slice(name.lastIndexOf('-') + 1);
  const part = editDistance(text, last);
  return part < furthest && part < text.length / 2 ? furthest : Infinity;
}
