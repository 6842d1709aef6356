/** A stream that may be a terminal with so many columns. */
export interface Screen {
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

/** Lines that scroll by above one line that stays at the bottom and is redrawn. */
export class Board {
  readonly #screen: Screen;
  readonly #tty: boolean;
  #pinned = '';

  constructor(screen: Screen, tty: boolean) {
    this.#screen = screen;
    this.#tty = tty;
  }

  /** Prints lines above the one at the bottom, if there is one. */
  print(lines: readonly string[], screen: Screen): void {
    this.#clear();
    screen.write(lines.map(line => `${line}\n`).join(''));
    if (this.#pinned !== '') this.#screen.write(this.#pinned);
  }

  /** Draws the line in place of the one that was there. */
  pin(line: string): void {
    if (!this.#tty) return;
    // Drawn over, not cleared first, so that it does not flicker; what is longer is erased behind it.
    this.#screen.write(`${this.#home()}${line}\u001b[K`);
    this.#pinned = line;
  }

  /** Takes the line away. */
  unpin(): void {
    this.#clear();
    this.#pinned = '';
  }

  #clear(): void {
    if (this.#pinned !== '') this.#screen.write(`${this.#home()}\u001b[K`);
  }

  /** To where the pinned line begins. A window that became narrower has broken it into rows. */
  #home(): string {
    const {columns = Infinity} = this.#screen;
    const rows = Math.ceil(plain(this.#pinned).length / Math.max(1, columns));
    return rows > 1 ? `\u001b[${rows - 1}A\r\u001b[J` : '\r';
  }
}

/** A line without its colours. */
function plain(line: string): string {
  // eslint-disable-next-line no-control-regex -- escape sequences are what is looked for
  return line.replace(/\u001b\[[\d;]*m/g, '');
}
