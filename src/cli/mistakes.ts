import {InputError} from '../inputs/error.ts';
import type {Given} from '../inputs/given.ts';
import {readSettings} from '../inputs.ts';
import {silent} from '../log.ts';

/**
 * What is wrong with what was given, a line each, for whoever has found other mistakes before: all are
 * told at once. What only seems to be missing, or not to go together, is left out, since a flag that could
 * not be understood may have been meant to change it.
 */
export function mistakesIn(given: Given, env: NodeJS.ProcessEnv): readonly string[] {
  try {
    readSettings(given, silent, env);
    return [];
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return error.problems
      .filter(({input, together}) => given.has(input) && together !== true)
      .map(({message}) => message);
  }
}
