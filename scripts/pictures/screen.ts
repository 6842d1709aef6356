/** Characters that look alike, side by side. */
export interface Run {
  readonly text: string;
  /** Names of `Style` in report/style.ts: `bold`, `dim`, `green` and so on. */
  readonly looks: readonly string[];
}

/** What a terminal shows: rows from the top, each of runs. */
export type Rows = readonly (readonly Run[])[];

interface Cell {
  readonly sign: string;
  readonly looks: string;
}

const on: Readonly<Record<string, string>> = {
  1: 'bold',
  2: 'dim',
  31: 'red',
  32: 'green',
  33: 'yellow',
  36: 'cyan'
};
const colours = ['red', 'green', 'yellow', 'cyan'];
const off: Readonly<Record<string, readonly string[]>> = {22: ['bold', 'dim'], 39: colours};

/**
 * A terminal of so many columns that remembers every row. It knows what our own reporter writes:
 * text, line feed, carriage return, colours, and erasing.
 * @throws Error at anything else, so that no picture shows it
 */
export class TerminalScreen {
  readonly columns: number;
  readonly #rows: Cell[][] = [[]];
  #row = 0;
  #column = 0;
  #looks: readonly string[] = [];

  constructor(columns: number) {
    this.columns = columns;
  }

  write(text: string): void {
    for (const [piece, parameters, command] of text.matchAll(
      // eslint-disable-next-line no-control-regex -- control characters are what this is about
      /\u001b\[([\d;]*)([A-Za-z])|./gsu
    )) {
      if (command !== undefined) this.#command(command, parameters ?? '');
      else if (piece === '\n') this.#feed();
      else if (piece === '\r') this.#column = 0;
      else this.#put(piece);
    }
  }

  get rows(): Rows {
    return this.#rows.map(row => {
      const runs: {text: string; looks: string}[] = [];
      for (const {sign, looks} of row) {
        const last = runs.at(-1);
        if (last?.looks === looks) last.text += sign;
        else runs.push({text: sign, looks});
      }
      return runs.map(({text, looks}) => ({text, looks: looks === '' ? [] : looks.split(' ')}));
    });
  }

  #feed(): void {
    this.#row++;
    this.#column = 0;
    this.#rows[this.#row] ??= [];
  }

  #put(sign: string): void {
    if (sign < ' ')
      throw new Error(`the screen does not know U+${sign.charCodeAt(0).toString(16)}`);
    if (this.#column === this.columns) this.#feed();
    const row = this.#rows[this.#row] ?? [];
    while (row.length < this.#column) row.push({sign: ' ', looks: ''});
    row[this.#column++] = {sign, looks: this.#looks.join(' ')};
  }

  #command(command: string, parameter: string): void {
    if (command === 'm') this.#dress(Number(parameter));
    else if (command === 'A') this.#row = Math.max(0, this.#row - Number(parameter));
    else if (command === 'K' && parameter === '') this.#rows[this.#row]?.splice(this.#column);
    else if (command === 'J' && parameter === '') this.#rows.splice(this.#row + 1);
    else throw new Error(`the screen does not know the command ${parameter}${command}`);
  }

  #dress(code: number): void {
    const look = on[code];
    if (look === undefined && !(code in off)) {
      throw new Error(`the screen does not know the look ${code}`);
    }
    // One colour takes the place of another; bold stays beside it.
    const gone = off[code] ?? (colours.includes(look ?? '') ? colours : [look ?? '']);
    const kept = this.#looks.filter(one => !gone.includes(one));
    this.#looks = look === undefined ? kept : [...kept, look];
  }
}
