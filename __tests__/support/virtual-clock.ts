import type {Clock} from '../../src/registry/clock.ts';

/**
 * A clock on which waiting costs no time: whoever sleeps longest is woken last, and the time in
 * between is skipped. What is really done takes as long as it takes. So a test of a ten-minute
 * outage uses the real budgets and takes a moment.
 */
export class VirtualClock implements Clock {
  /** Milliseconds that were slept through, all together. */
  skipped = 0;
  readonly #begin = performance.now();
  readonly #waiting = new Set<{readonly at: number; readonly wake: () => void}>();
  #ticking = false;

  readonly now = (): number => performance.now() - this.#begin + this.skipped;

  readonly date = (): number => Date.UTC(2026, 4, 12) + this.now();

  async sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const sleeper = {
        at: this.now() + milliseconds,
        wake: () => {
          signal.removeEventListener('abort', end);
          resolve();
        }
      };
      const end = () => {
        this.#waiting.delete(sleeper);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', end, {once: true});
      this.#waiting.add(sleeper);
      this.#tick();
    });
  }

  #tick(): void {
    if (this.#ticking || this.#waiting.size === 0) return;
    this.#ticking = true;
    // Whoever is about to go to sleep as well gets there first.
    setTimeout(() => {
      this.#ticking = false;
      let first: {readonly at: number; readonly wake: () => void} | undefined;
      for (const one of this.#waiting) if (first === undefined || one.at < first.at) first = one;
      if (first !== undefined) {
        this.#waiting.delete(first);
        this.skipped += Math.max(0, first.at - this.now());
        first.wake();
      }
      this.#tick();
    }, 1);
  }
}
