import {onAbort} from '../on-abort.ts';

/**
 * Waits for what others wait for as well, and no longer than until the signal aborts: what all of them
 * share goes on.
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
