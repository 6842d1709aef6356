import type {Clock} from './clock.ts';
import {type Fault, RegistryError} from './error.ts';

/** How long a failing request is tried again, in milliseconds. */
export interface PatienceOptions {
  /** Waiting of our own accord, in all: longer than the bursts that registries were seen to have. */
  readonly own: number;
  /** The same for a host that has not answered once yet: more likely a wrong name than a bad day. */
  readonly stranger: number;
  /** Waiting because the registry asked for it, in all. */
  readonly told: number;
  /** The first wait; each one doubles, up to `longest`. */
  readonly first: number;
  readonly longest: number;
  /** The part of each wait that is not left to chance, 0 to 1: for what needs its time to pass. */
  readonly steady?: number;
}

/** Outlasts a minute of 503 with ease, and ends within ten minutes whatever happens. */
export const usualPatience: PatienceOptions = {
  own: 180_000,
  stranger: 10_000,
  told: 600_000,
  first: 500,
  longest: 30_000
};

const passing: ReadonlySet<Fault> = new Set([
  'address',
  'proxy',
  'connection',
  'stalled',
  'throttled',
  'server'
]);

/** Whether the same request may well succeed a little later. */
export function isPassing(error: RegistryError): boolean {
  // A proxy that wants another account will want it the next time too.
  return passing.has(error.fault) && !(error.fault === 'proxy' && error.status === 407);
}

/**
 * Whether something broke that may hold another time: for whoever has a way of their own to go on
 * (`Question.tries`). What was too much has been asked again for as long as that made sense by then, and
 * another way would be more of it.
 */
export function isBreak(error: RegistryError): boolean {
  return isPassing(error) && error.fault !== 'throttled';
}

/** The patience of one request: it decides whether and when to try again. */
export class Patience {
  readonly #options: PatienceOptions;
  readonly #clock: Clock;
  readonly #deadline: number;
  #own = 0;
  #told = 0;
  #tries = 0;

  /** @param deadline when the whole run ends, by the clock's `now` */
  constructor(options: PatienceOptions, clock: Clock, deadline: number) {
    this.#options = options;
    this.#clock = clock;
    this.#deadline = deadline;
  }

  /** How many times it has been tried, the last failure included. */
  get tries(): number {
    return this.#tries;
  }

  /**
   * How many milliseconds to wait before the next try, after this failure.
   * @param met whether the host has ever answered
   * @param down whether everybody has been failing there for long: then one try is enough
   * @throws the error, when there is no point in another try or no time for it
   */
  next(error: RegistryError, met: boolean, down = false): number {
    this.#tries++;
    error.attempts = this.#tries;
    if (!isPassing(error)) throw error;
    if (error.retryAfter !== undefined) return this.#asTold(error, error.retryAfter);
    const {own, stranger, first, longest, steady = 0} = this.#options;
    if (down || this.#own >= (met ? own : stranger)) throw error;
    // Full jitter: many workers that failed together must not come back together.
    // https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    const ceiling = Math.min(longest, first * 2 ** Math.min(this.#tries - 1, 20));
    const wait = Math.max(1, (steady + (1 - steady) * Math.random()) * ceiling);
    // The ceiling is what counts against the budget, so that small draws cannot make endless tries.
    this.#own += ceiling / 2;
    if (this.#clock.now() + wait > this.#deadline) throw error;
    return wait;
  }

  #asTold(error: RegistryError, wait: number): number {
    this.#told += wait;
    const late = this.#clock.now() + wait > this.#deadline;
    if (this.#told <= this.#options.told && !late)
      return wait + Math.random() * Math.min(1000, 100 + wait / 10);
    throw error.as(
      error.fault,
      `${error.message}; it asked to wait ${duration(wait)}, which is longer than this run may wait`
    );
  }
}

/**
 * The gate of one host: when it asks for a pause, everything that is bound there waits, not only
 * the request that was told.
 */
export class Gate {
  readonly #clock: Clock;
  #opens = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Closes the gate for so many milliseconds from now. */
  close(milliseconds: number): void {
    this.#opens = Math.max(this.#opens, this.#clock.now() + milliseconds);
  }

  /** Waits until the gate is open. */
  async pass(signal: AbortSignal): Promise<void> {
    for (
      let wait = this.#opens - this.#clock.now();
      wait > 0;
      wait = this.#opens - this.#clock.now()
    ) {
      // A little apart, so that not all arrive in the same instant.
      await this.#clock.sleep(wait + Math.random() * Math.min(1000, wait / 10), signal);
    }
  }
}

function duration(milliseconds: number): string {
  const seconds = Math.ceil(milliseconds / 1000);
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200
    ? `${Math.ceil(seconds / 60)} minutes`
    : `${Math.ceil(seconds / 3600)} hours`;
}
