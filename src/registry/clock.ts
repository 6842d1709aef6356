import {onAbort} from '../on-abort.ts';

/** Time, as the waits of this room see it; tests bring their own. */
export interface Clock {
  /** Milliseconds that only ever grow; for measuring. */
  now(): number;
  /** Milliseconds since 1970, as the wall shows it; only for dates that others write. */
  date(): number;
  /** Waits so many milliseconds. Rejects with the signal's reason when it aborts. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
}

/** The machine's own clock. Token lifetimes and budgets use the monotonic side: wall clocks jump. */
export const systemClock: Clock = {
  now: () => performance.now(),
  date: () => Date.now(),
  sleep: (milliseconds, signal) => {
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        callOff();
        resolve();
      }, milliseconds);
      const callOff = onAbort(signal, () => {
        clearTimeout(timer);
        reject(signal.reason as Error);
      });
    });
  }
};
