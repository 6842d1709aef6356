/** What a ceiling looks at. */
interface Counted {
  /** Whether it has carried an answer. */
  readonly used: boolean;
}

/** So many new connections break in a row, while others stand, before that is no accident. */
const noAccident = 4;
/** A connection that is closed later than this after it stood was not refused, in milliseconds. */
const refusedWithin = 1000;
/** What is asked through Node's own client has connections of its own: so many are left to it, or half. */
const leftToOthers = 4;
/** After so many answers one more connection is tried: the limit may have been that of a bad moment. */
const answersForOneMore = 64;
/** The same in milliseconds, since few answers come where large layers travel. */
const timeForOneMore = 10_000;

/**
 * How many connections an origin takes at once, as far as it has shown. What stands in front of it may allow
 * each client so many, and reset the others. Nobody can know that beforehand: as many are opened as are
 * wanted, until it shows.
 */
export class Ceiling<T extends Counted> {
  #open = 0;
  /** Since when they stand. */
  readonly #standing = new Map<T, number>();
  #most = Infinity;
  #brokenInARow = 0;
  #answers = 0;
  #changedAt = 0;

  /** Whether there may be no more connections than there are. */
  get reached(): boolean {
    return this.#open >= this.#limit;
  }

  /** Whether there is a limit, and something that works within it. */
  get known(): boolean {
    return this.#most < Infinity && this.#standing.size > 0;
  }

  /** How many that stand are too many. */
  get surplus(): number {
    return Math.max(0, this.#standing.size - this.#limit);
  }

  /** One is being opened. */
  opened(): void {
    this.#open++;
  }

  /** It stands. */
  stands(connection: T): void {
    this.#standing.set(connection, performance.now());
  }

  /** One has carried an answer. */
  answered(): void {
    this.#brokenInARow = 0;
    if (this.#most < Infinity && ++this.#answers >= answersForOneMore) this.#set(this.#limit + 1);
  }

  /** It is closed. @param broken by the other side, and not given up by us */
  closed(connection: T, broken: boolean): void {
    const since = this.#standing.get(connection) ?? performance.now();
    this.#open--;
    this.#standing.delete(connection);
    const standing = this.#standing.size;
    if (!broken || connection.used || standing === 0) return;
    if (performance.now() - since > refusedWithin) return;
    // Where there is a limit, one is enough: it was tried whether there is room for one more.
    if (this.#most === Infinity && ++this.#brokenInARow < noAccident) return;
    this.#set(Math.max(1, standing - Math.min(leftToOthers, Math.floor(standing / 2))));
  }

  /** What was last set, and what time has added. */
  get #limit(): number {
    return this.#most + Math.floor((performance.now() - this.#changedAt) / timeForOneMore);
  }

  #set(most: number): void {
    this.#most = most;
    this.#answers = 0;
    this.#changedAt = performance.now();
  }
}
