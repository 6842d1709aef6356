/**
 * How much is done at once, between two bounds: a little more while all goes well, half of it when
 * a host says that it is too much.
 */
export class Slots {
  /** Never more than this at once. */
  readonly most: number;
  #limit: number;
  #taken = 0;
  #good = 0;
  readonly #waiting: (() => void)[] = [];

  /** @param start how many at once to begin with @param most never more than this */
  constructor(start: number, most: number) {
    this.most = most;
    this.#limit = Math.min(start, most);
  }

  /** How many may be taken at once just now. */
  get limit(): number {
    return this.#limit;
  }

  /** Waits for a slot, does the work, and gives the slot back. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    while (this.#taken >= this.#limit)
      await new Promise<void>(resolve => this.#waiting.push(resolve));
    this.#taken++;
    try {
      const result = await work();
      this.#widen();
      return result;
    } finally {
      this.#taken--;
      this.#waiting.shift()?.();
    }
  }

  /** Half as many from here on: a host is overloaded. */
  halve(): void {
    this.#limit = Math.max(1, Math.floor(this.#limit / 2));
    this.#good = 0;
  }

  /** One more after as many successes as there are slots: linear growth, as TCP has it. */
  #widen(): void {
    if (this.#limit >= this.most || ++this.#good < this.#limit) return;
    this.#good = 0;
    this.#limit++;
    this.#waiting.shift()?.();
  }
}
