import type {Log} from '../log.ts';
import {clean} from '../oci/clean.ts';
import {OciError} from '../oci/error.ts';
import {ReleaseError} from '../release/error.ts';
import {type InputProblem, Refusal} from './error.ts';
import {type Given, isGiven, type Origin} from './given.ts';
import {mostBytes, readLines} from './lines.ts';
import {secretsIn} from './secret.ts';
import {type InputName, inputRow} from './table.ts';

/** How many lines of one list are told as wrong one by one. */
const mostTold = 5;

/** How much of a value a message shows, in characters. */
const longestShown = 120;

/** The longest message of one problem, in characters. */
const longestMessage = 700;

/**
 * Reads what was given and gathers whatever is wrong with it, so that all of it is told at once. A
 * value that cannot be read counts as absent from then on.
 */
export class Checks {
  readonly problems: InputProblem[] = [];
  readonly #given: Given;
  readonly #log: Log;
  readonly #secrets: readonly string[];

  constructor(given: Given, log: Log) {
    this.#given = given;
    this.#log = log;
    this.#secrets = secretsIn(given).filter(secret => secret.length >= 4);
  }

  /** Whether the input was given, right or wrong. */
  has(name: InputName): boolean {
    return isGiven(name, this.#given.get(name));
  }

  /** Where the value comes from. */
  origin(name: InputName): Origin {
    return this.has(name) ? (this.#given.get(name)?.origin ?? 'default') : 'default';
  }

  /** The value as it was given; else the default of the table; else nothing. Too long a one is a problem. */
  text(name: InputName): string | undefined {
    const given = this.#given.get(name);
    const {default: fallback, form} = inputRow(name);
    if (!isGiven(name, given)) return fallback;
    const bytes = Buffer.byteLength(given.value);
    if (bytes > mostBytes) {
      this.refuse(name, `has ${bytes} bytes; at most ${mostBytes} are read`);
      return undefined;
    }
    if (form === 'secret') return given.value;
    // A tag with a line break behind it is another text, perhaps the first line of several.
    const broken = /[\r\n]/.test(given.value);
    return form === 'tag' && broken ? given.value : given.value.trim();
  }

  /** Reads the value, or the default. What the reader refuses becomes a problem. */
  read<T>(name: InputName, reader: (text: string) => T): T | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : this.attempt(name, text, reader);
  }

  /**
   * Reads the list item by item; an empty one is as good as none, so that its default counts. With
   * anything wrong in it nothing is given back.
   */
  readList<T>(name: InputName, reader: (item: string) => T): readonly T[] {
    const before = this.problems.length;
    const read: T[] = [];
    let wrong = 0;
    for (const item of this.#items(name)) {
      const told = this.problems.length;
      const value = this.attempt(name, item, reader);
      if (value !== undefined) read.push(value);
      else wrong++;
      if (wrong > mostTold) this.problems.length = told;
    }
    if (wrong > mostTold) this.refuse(name, `holds ${wrong - mostTold} more lines that are wrong`);
    return this.problems.length > before ? [] : read;
  }

  /** Reads a text that belongs to an input. What the reader refuses becomes a problem. */
  attempt<T>(name: InputName, text: string, reader: (text: string) => T): T | undefined {
    try {
      return reader(text);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      // The reader's message may hold half of a secret, cut where no one can find it any more.
      const harmless = (error instanceof Refusal && error.discreet) || this.#redact(text) === text;
      this.refuse(
        name,
        harmless ? error.message : 'is refused; it holds a password, so it is not shown'
      );
      return undefined;
    }
  }

  /** Notes a problem, once. The rule is put behind the name under which the user gave the input. */
  refuse(name: InputName, rule: string, {together = false, missing = false} = {}): void {
    const message = clean(`${this.#label(name)}: ${this.#redact(rule)}`, longestMessage);
    if (this.problems.some(problem => problem.message === message)) return;
    this.problems.push({
      ...{input: name, message},
      ...(together && {together}),
      ...(missing && {missing})
    });
  }

  /** Tells something about an input that is no mistake. */
  tell(kind: 'notice' | 'warning', name: InputName, message: string): void {
    this.#log[kind](clean(`${this.#label(name)}: ${this.#redact(message)}`, longestMessage));
  }

  #items(name: InputName): readonly string[] {
    const items = this.read(name, readLines) ?? [];
    const {default: fallback} = inputRow(name);
    return items.length === 0 && fallback !== undefined ? [fallback] : items;
  }

  #label(name: InputName): string {
    const {variable} = inputRow(name);
    const origin = this.#given.get(name)?.origin;
    if (origin === 'flag') return `--${name}`;
    return origin === 'variable' && variable !== undefined ? `${name} (from ${variable})` : name;
  }

  #redact(text: string): string {
    return this.#secrets.reduce((rest, secret) => rest.replaceAll(secret, '***'), text);
  }
}

/** Whether an error says that a value breaks a rule; its message is fit to be shown. */
export function isRefusal(error: unknown): error is Error {
  return error instanceof Refusal || error instanceof OciError || error instanceof ReleaseError;
}

/** A value as a message shows it: cleaned, cut, in quotation marks. */
export function shown(text: string): string {
  return JSON.stringify(clean(text, longestShown));
}
