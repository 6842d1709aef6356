import * as core from '@actions/core';

/** The groups of a log. One begins with its first line, so that none is empty. */
export class Groups {
  /** The heading of the outer group, until that has begun. */
  #waiting: string | undefined;
  #depth = 0;
  #begun = false;
  #after: (() => void)[] = [];

  /** Runs `body` under a heading, which is one safe line. */
  async run<T>(title: string, body: () => Promise<T>): Promise<T> {
    // The runner knows no groups in groups: an inner one is a heading.
    if (this.#depth === 0) {
      this.#waiting = title;
    } else {
      this.open();
      core.info(title);
    }
    this.#depth++;
    try {
      return await body();
    } finally {
      this.#depth--;
      if (this.#depth === 0) this.#end();
    }
  }

  /** Begins the group that is under way, if it has not begun. */
  open(): void {
    if (this.#waiting === undefined) return;
    core.startGroup(this.#waiting);
    this.#waiting = undefined;
    this.#begun = true;
  }

  /** Does something outside of any group: now, or when the one that is under way has ended. */
  after(act: () => void): void {
    if (this.#depth === 0) act();
    else this.#after.push(act);
  }

  #end(): void {
    this.#waiting = undefined;
    if (this.#begun) core.endGroup();
    this.#begun = false;
    for (const act of this.#after.splice(0)) act();
  }
}
