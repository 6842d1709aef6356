import {type InputName, inputRow} from './table.ts';

/** Where a value comes from; messages name it. */
export type Origin = 'input' | 'variable' | 'flag' | 'prompt' | 'default';

/** A value as it was given, and where. */
export interface GivenValue {
  readonly value: string;
  readonly origin: Origin;
}

/** What was given, by the input's name. An empty value counts as not given. */
export type Given = ReadonlyMap<InputName, GivenValue>;

/**
 * Whether a value counts as given: blanks alone do not. With a password only line ends do not, since
 * a password of blanks is a mistake to be told.
 */
export function isGiven(name: InputName, value: GivenValue | undefined): value is GivenValue {
  if (value === undefined) return false;
  const rest = inputRow(name).form === 'secret' ? trimLineEnd(value.value) : value.value.trim();
  return rest !== '';
}

/** A value without the line ends behind it: what `echo` and editors leave there. */
export function trimLineEnd(value: string): string {
  let end = value.length;
  while (end > 0 && '\r\n'.includes(value.charAt(end - 1))) end--;
  return value.slice(0, end);
}

/** Puts several together; of two values for one input the earlier one counts. */
export function combine(...all: readonly Given[]): Given {
  const combined = new Map<InputName, GivenValue>();
  for (const [name, value] of all.flatMap(given => [...given])) {
    if (!combined.has(name) && isGiven(name, value)) combined.set(name, value);
  }
  return combined;
}
