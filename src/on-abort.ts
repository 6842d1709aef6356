/** What is waiting for each signal. */
const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls back once when a signal aborts; never when it had aborted before. Hundreds of requests heed the
 * one signal of a run, and a signal looks at all of its listeners whenever it is given another: here it
 * has one listener for all of them.
 * @param then must not throw: others wait behind it
 * @returns a function that calls it off
 */
export function onAbort(signal: AbortSignal, then: () => void): () => void {
  let all = waiting.get(signal);
  if (all === undefined) {
    const set = new Set<() => void>();
    signal.addEventListener(
      'abort',
      () => {
        // Whoever comes now is too late, and whoever is called off meanwhile is not called.
        for (const one of [...set]) if (set.delete(one)) one();
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

/**
 * Waits for what goes on by itself, such as what others wait for as well, and no longer than until the
 * signal aborts.
 * @throws the signal's reason
 */
export async function unlessAborted<T>(shared: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  return await new Promise((resolve, reject) => {
    const callOff = onAbort(signal, () => {
      reject(signal.reason as Error);
    });
    void shared.finally(callOff).then(resolve, reject);
  });
}
