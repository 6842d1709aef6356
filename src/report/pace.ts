import {formatBytes} from './bytes.ts';
import {formatDuration} from './duration.ts';
import type {Progress} from './reporter.ts';

/** Rates are taken over so many milliseconds: long enough to be calm, short enough to be true. */
const rateWindow = 20_000;

/** How far a transfer is. Sizes in bytes, times in milliseconds. */
export interface Standing {
  readonly done: number;
  readonly total: number;
  /** From 0 to 1; 1 only when all is done. */
  readonly fraction: number;
  /** Bytes a second over the last twenty seconds. */
  readonly rate: number;
  /** Absent while nothing moves. */
  readonly left?: number;
  /** Until now, or until the last byte had arrived. */
  readonly elapsed: number;
}

/**
 * Counts bytes against time. What is done never becomes less; where more travels than was planned, since a
 * registry mounts nothing, the total grows with it.
 */
export class Pace {
  #total: number;
  readonly #start: number;
  #done = 0;
  /** When the last byte had arrived. */
  #end: number | undefined;
  #samples: {at: number; done: number}[];

  constructor(total: number, now: number) {
    this.#total = Math.max(0, total);
    this.#start = now;
    this.#samples = [{at: now, done: 0}];
  }

  /** So many bytes have arrived. @param now milliseconds */
  moved(bytes: number, now: number): void {
    if (bytes > 0) this.#done += bytes;
    if (this.#done < this.#total) return;
    if (this.#done > this.#total || this.#end === undefined) this.#end = now;
    this.#total = this.#done;
  }

  /** How far it is, and how fast it has been of late. @param now milliseconds */
  standing(now: number): Standing {
    const samples = this.#samples;
    samples.push({at: now, done: this.#done});
    // The newest sample at or before the window's beginning stays, so that all of it is covered.
    while (samples[1] !== undefined && samples[1].at <= now - rateWindow) samples.shift();
    const first = samples[0] ?? {at: now, done: this.#done};
    const span = now - first.at;
    const rate = span > 0 ? ((this.#done - first.done) * 1000) / span : 0;
    const rest = this.#total - this.#done;
    return {
      done: this.#done,
      total: this.#total,
      fraction: this.#total === 0 ? 1 : this.#done / this.#total,
      rate,
      ...(rest === 0 ? {left: 0} : rate > 0 && {left: (rest * 1000) / rate}),
      elapsed: (this.#end ?? now) - this.#start
    };
  }
}

/** `Copied 312 MB of 1.02 GB (30 %), 45.1 MB/s, 16 s left` */
export function standingLine({done, total, fraction, rate, left}: Standing): string {
  const copied = `Copied ${formatBytes(done)} of ${formatBytes(total)} (${percent(fraction)} %)`;
  const time = timeLeft(left) ?? 'time left not known';
  return left === 0 ? `${copied}, ${time}` : `${copied}, ${formatBytes(rate)}/s, ${time}`;
}

/** `16 s left`; what follows when the last byte has arrived; undefined when it is not known. */
export function timeLeft(left: number | undefined): string | undefined {
  // Manifests, checks and tags are still to come.
  if (left === 0) return 'finishing';
  return left === undefined ? undefined : `${formatDuration(left)} left`;
}

/** The last line of a transfer: `Copied 1.02 GB in 23 s, 44.3 MB/s on average` */
export function closingLine({done, total, elapsed}: Standing): string {
  const amount = done < total ? `${formatBytes(done)} of ${formatBytes(total)}` : formatBytes(done);
  const average = elapsed > 0 ? `, ${formatBytes((done * 1000) / elapsed)}/s on average` : '';
  return `Copied ${amount} in ${formatDuration(elapsed)}${average}`;
}

/** Whole per cent, rounded down: 100 only when all is done. */
export function percent(fraction: number): number {
  return Math.floor(fraction * 100);
}

/**
 * A running transfer: `tick` is called every `every` milliseconds while it lasts, `end` once when it
 * is disposed of. A transfer of nothing is not spoken of. The timer does not hold the process.
 */
export function startMeter(
  total: number,
  every: number,
  tick: (standing: Standing) => void,
  end: (standing: Standing) => void
): Progress {
  if (total <= 0) return {moved: () => undefined, [Symbol.dispose]: () => undefined};
  const pace = new Pace(total, performance.now());
  let over = false;
  const timer = setInterval(() => {
    tick(pace.standing(performance.now()));
  }, every);
  timer.unref();
  return {
    moved: bytes => {
      pace.moved(bytes, performance.now());
    },
    [Symbol.dispose]: () => {
      if (over) return;
      over = true;
      clearInterval(timer);
      end(pace.standing(performance.now()));
    }
  };
}
