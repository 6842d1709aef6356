/** What is waiting for each signal. */
const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls back once when a signal aborts; never when it had aborted before. Hundreds of requests heed the
 * one signal of a run, and a signal looks at all of its listeners whenever it is given another: here it
 * has one listener for all of them.
 * @returns a function that calls it off
 */
export function onAbort(signal: AbortSignal, then: () => void): () => void {
  let all = waiting.get(signal);
  if (all === undefined) {
    const set = new Set<() => void>();
    signal.addEventListener(
      'abort',
      () => {
        for (const one of set) {
          set.delete(one);
          one();
        }
      },
      {once: true}
    );
    waiting.set(signal, set);
    all = set;
  }
  // A function of its own: the same one may wait twice.
  const called = () => {
    then();
  };
  all.add(called);
  return () => {
    all.delete(called);
  };
}
