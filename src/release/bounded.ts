/**
 * Keeps the items that `keep` says yes to, in their order, asking at most `slots` at once. After the
 * first failure no more are asked, those that are open are told to stop by the signal that they were
 * given, and the failure is thrown when all have ended.
 */
export async function filterBounded<T>(
  items: readonly T[],
  slots: number,
  signal: AbortSignal,
  keep: (item: T, signal: AbortSignal) => Promise<boolean>
): Promise<readonly T[]> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const kept = new Set<number>();
  const failures: unknown[] = [];
  const queue = items.entries();
  const worker = async () => {
    // The one iterator is shared by all workers: each takes the next item that is left.
    for (const [at, item] of queue) {
      try {
        either.throwIfAborted();
        if (await keep(item, either)) kept.add(at);
      } catch (error) {
        failures.push(error);
        stop.abort(error);
        return;
      }
    }
  };
  const workers = Math.max(1, Math.min(Math.floor(slots), items.length));
  await Promise.all(Array.from({length: workers}, worker));
  if (failures.length > 0) throw failures[0];
  return items.filter((_, at) => kept.has(at));
}
