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

  raw(key: string): unknown {
    this.#known.add(key);
    return Object.hasOwn(this.#value, key) ? this.#value[key] : undefined;
  }

  text(key: string): string {
    const value = this.raw(key);
    if (typeof value === 'string' && value !== '' && value === clean(value, longestText))
      return value;
    throw this.#fail(key, 'is not a text of one clean line');
  }

  texts(key: string): string[] {
    return this.list(key).map((text, i) =>
      new Fields({[i]: text}, `${this.#where}.${key}`).text(`${i}`)
    );
  }

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

  flag(key: string): boolean {
    const value = this.raw(key);
    if (typeof value === 'boolean') return value;
    throw this.#fail(key, 'is not true or false');
  }

  count(key: string): number {
    const value = this.raw(key);
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
    throw this.#fail(key, 'is not a number of bytes');
  }

  oneOf<const T extends string>(key: string, words: readonly T[]): T {
    const word = words.find(known => known === this.raw(key));
    if (word !== undefined) return word;
    throw this.#fail(key, `is not one of ${words.join(', ')}`);
  }

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
