interface Entry {
  readonly name: string;
  readonly since: string;
  readonly before?: string;
}

interface Difference {
  readonly newest: string | undefined;
  readonly newReleases: readonly string[];
  readonly unlisted: readonly string[];
  readonly gone: readonly string[];
}

export function stableTags(tags: readonly string[]): string[];
export function imageNames(names: readonly string[]): string[];
export function currentNames(entries: readonly Entry[]): string[];
export function difference(found: {
  readonly entries: readonly Entry[];
  readonly releases: readonly string[];
  readonly tags: readonly string[];
  readonly carrying: readonly string[];
}): Difference;
export function markdown(difference: Difference): string;
