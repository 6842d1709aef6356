import {shown} from './checks.ts';
import {Refusal} from './error.ts';

// The core schema of YAML 1.2, as the runner's own toolkit reads booleans.
const booleans = new Map([
  ['true', true],
  ['True', true],
  ['TRUE', true],
  ['false', false],
  ['False', false],
  ['FALSE', false]
]);

/**
 * A boolean of YAML 1.2's core schema.
 * @throws Refusal
 * @see https://yaml.org/spec/1.2.2/#1032-tag-resolution
 */
export function readBoolean(text: string): boolean {
  const value = booleans.get(text);
  if (value === undefined)
    throw new Refusal(`${shown(text)} is not a boolean; write true or false`);
  return value;
}

/** What a number counts, and how far. */
interface Limits {
  readonly unit: string;
  readonly least: number;
  readonly most: number;
  readonly example: number;
}

/**
 * A whole number within limits, in plain digits.
 * @throws Refusal
 */
export function readNumber(text: string, {unit, least, most, example}: Limits): number {
  const number = /^[1-9][0-9]{0,3}$/.test(text) ? Number(text) : NaN;
  if (number >= least && number <= most) return number;
  throw new Refusal(
    `${shown(text)} is not a whole number of ${unit} from ${least} to ${most}, such as ${example}`
  );
}

/**
 * One word of a few.
 * @throws Refusal
 */
export function readChoice<Word extends string>(text: string, words: readonly Word[]): Word {
  const word = words.find(known => known === text);
  if (word === undefined) {
    throw new Refusal(`${shown(text)} is not known; write ${words.join(' or ')}`);
  }
  return word;
}
