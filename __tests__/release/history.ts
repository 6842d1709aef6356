import {readFileSync} from 'node:fs';

interface Facts {
  readonly lists: Readonly<Record<string, readonly string[]>>;
  readonly releases: readonly {
    readonly tag: string;
    /** The list that the sample script had for it. */
    readonly listed?: string;
    /** What somebody saw in the registry under it. */
    readonly seen?: string;
  }[];
}

const facts = JSON.parse(readFileSync(new URL('history.json', import.meta.url), 'utf8')) as Facts;

/** Every tag that ever was, oldest first. */
export const everyTag = facts.releases.map(({tag}) => tag);

/** The tags of the stable releases, oldest first. */
export const stableReleases = everyTag.filter(tag => tag.startsWith('v'));

/**
 * What the registry has under each tag whose list is known: the script's list, put right for the
 * months in which it was wrong; and where only the neighbours' lists are known, theirs.
 */
export const trueSets: ReadonlyMap<string, readonly string[]> = new Map(
  facts.releases.flatMap(({tag, listed, seen}) => {
    const list = facts.lists[seen ?? listed ?? lastListBefore(tag) ?? ''];
    return list === undefined ? [] : [[tag, corrected(tag, list)] as const];
  })
);

/** What the sample script would have copied. */
export function scriptList(tag: string): readonly string[] | undefined {
  return facts.lists[facts.releases.find(release => release.tag === tag)?.listed ?? ''];
}

// From v1.43.0 on no list is known any more; the last one is taken on.
function lastListBefore(tag: string): string | undefined {
  if (!/^v1\.4[3-6]\./.test(tag)) return undefined;
  return facts.releases.findLast(({listed}) => listed !== undefined)?.listed;
}

function corrected(tag: string, list: readonly string[]): readonly string[] {
  const names = new Set(list);
  const [minor] = /(?<=^v1\.)\d+/.exec(tag) ?? [];
  // Listed before it existed.
  if (minor === undefined || Number(minor) <= 2) names.delete('arc-security-support');
  // Published, not listed.
  if (minor !== undefined && Number(minor) >= 4 && Number(minor) <= 10)
    names.add('arc-dns').add('arc-kafka');
  return [...names].sort();
}

/** A repeatable source of numbers from 0 to below 1; `seed` is from 1 to 2 ** 31 - 2. */
export function seeded(seed: number): () => number {
  const modulus = 2 ** 31 - 1;
  let state = seed;
  return () => {
    state = (state * 48_271) % modulus;
    return state / modulus;
  };
}
