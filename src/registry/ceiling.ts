/** What a ceiling looks at. */
interface Counted {
  /** Whether it has carried an answer. */
  readonly used: boolean;
  /** When a question was last sent over it, by `performance.now()`. */
  readonly askedAt: number;
}

/** So many new connections break in a row, while others stand, before that is no accident. */
const noAccident = 4;
/** A connection that is closed later than this after it stood was not refused, in milliseconds. */
const refusedWithin = 1000;
/** What is asked through Node's own client has connections of its own: so many are left to it. */
const leftToOthers = 4;
/** After so many answers one more connection is tried: the limit may have been that of a bad moment. */
const answersForOneMore = 64;

/**
 * How many connections an origin takes at once, as far as it has shown. What stands in front of it may allow
 * each client so many, and reset the others, or let them wait without an answer. Nobody can know that
 * beforehand: as many are opened as are wanted, until it shows.
 */
export class Ceiling<T extends Counted> {
  readonly #open = new Set<T>();
  /** Since when they stand. */
  readonly #standing = new Map<T, number>();
  #most = Infinity;
  #brokenInARow = 0;
  #answers = 0;
  #answeredAt = -Infinity;

  /** Whether there may be no more connections than there are. */
  get reached(): boolean {
    return this.#open.size >= this.#most;
  }

  /** Whether there is a limit, and something that works within it. */
  get known(): boolean {
    return this.#most < Infinity && this.#standing.size > 0;
  }

  /** How many connections are too many. */
  get surplus(): number {
    return Math.max(0, this.#open.size - this.#most);
  }

  /** One is being opened. */
  opened(connection: T): void {
    this.#open.add(connection);
  }

  /** It stands. */
  stands(connection: T): void {
    this.#standing.set(connection, performance.now());
  }

  /** It has carried an answer. */
  answered(): void {
    this.#brokenInARow = 0;
    this.#answeredAt = performance.now();
    if (this.#most === Infinity || ++this.#answers < answersForOneMore) return;
    this.#answers = 0;
    this.#most++;
  }

  /**
   * It is closed.
   * @param how `broken` by the other side, `unanswered` though a whole question was sent and all the time
   *   that there is was given, or given up by us
   */
  closed(connection: T, how: 'broken' | 'unanswered' | 'given up'): void {
    const since = this.#standing.get(connection) ?? performance.now();
    this.#open.delete(connection);
    this.#standing.delete(connection);
    if (connection.used || how === 'given up') return;
    if (how === 'unanswered') {
      // Where nobody else was answered since, it is not about this connection.
      if (this.#answeredAt <= connection.askedAt) return;
      const proven = [...this.#standing.keys()].filter(({used}) => used).length;
      if (proven > 0) this.#most = Math.min(this.#most, proven);
      return;
    }
    const standing = this.#standing.size;
    if (standing === 0 || performance.now() - since > refusedWithin) return;
    if (this.#most < Infinity) this.#most = Math.min(this.#most, standing);
    else if (++this.#brokenInARow >= noAccident)
      this.#most = Math.max(1, standing - Math.min(leftToOthers, Math.floor(standing / 2)));
  }
}
