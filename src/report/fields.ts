import {clean} from '../oci/clean.ts';

import {ReportError} from './error.ts';

/** No text in a record is longer: room for a full reference with tag and digest, in characters. */
export const longestText = 600;

/** The fields of one object; remembers which were asked for, so that `end` can refuse the others. */
export class Fields {
  readonly #value: Record<string, unknown>;
  readonly #where: string;
  readonly #known = new Set<string>();

  constructor(value: unknown, where: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new ReportError(`${where} is not an object`);
    }
    this.#value = value as Record<string, unknown>;
    this.#where = where;
  }

  /** A field as it is; undefined where there is none. It counts as asked for. */
  raw(key: string): unknown {
    this.#known.add(key);
    return Object.hasOwn(this.#value, key) ? this.#value[key] : undefined;
  }

  /** A text. @throws ReportError when it is none of one clean line */
  text(key: string): string {
    const value = this.raw(key);
    if (typeof value === 'string' && value !== '' && value === clean(value, longestText))
      return value;
    throw this.#fail(key, 'is not a text of one clean line');
  }

  /** A list of texts. @throws ReportError */
  texts(key: string): string[] {
    return this.list(key).map((text, i) =>
      new Fields({[i]: text}, `${this.#where}.${key}`).text(`${i}`)
    );
  }

  /** A time. @throws ReportError when it is none in UTC, as RFC 3339 writes it */
  time(key: string): string {
    const text = this.text(key);
    if (
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/.test(text) &&
      !Number.isNaN(Date.parse(text))
    ) {
      return text;
    }
    throw this.#fail(key, 'is not a time in UTC such as 2026-05-12T06:00:00Z');
  }

  /** True or false. @throws ReportError when it is neither */
  flag(key: string): boolean {
    const value = this.raw(key);
    if (typeof value === 'boolean') return value;
    throw this.#fail(key, 'is not true or false');
  }

  /** A number of bytes. @throws ReportError when it is no whole one from 0 up */
  count(key: string): number {
    const value = this.raw(key);
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
    throw this.#fail(key, 'is not a number of bytes');
  }

  /** One of these words. @throws ReportError when it is none of them */
  oneOf<const T extends string>(key: string, words: readonly T[]): T {
    const word = words.find(known => known === this.raw(key));
    if (word !== undefined) return word;
    throw this.#fail(key, `is not one of ${words.join(', ')}`);
  }

  /** A list of whatever. @throws ReportError when it is none */
  list(key: string): unknown[] {
    const value = this.raw(key);
    if (Array.isArray(value)) return value;
    throw this.#fail(key, 'is not a list');
  }

  /** @throws ReportError when there is a field that nobody asked for */
  end(): void {
    const unknown = Object.keys(this.#value).find(key => !this.#known.has(key));
    if (unknown !== undefined) throw this.#fail(clean(unknown, 60), 'is not known');
  }

  #fail(key: string, rule: string): ReportError {
    return new ReportError(`${this.#where}.${key} ${rule}`);
  }
}
