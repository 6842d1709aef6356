import {InputError} from '../inputs/error.ts';
import type {Given} from '../inputs/given.ts';
import {readSettings} from '../inputs.ts';
import {silent} from '../log.ts';

/**
 * What is wrong with what was given, a line each, for whoever has found other mistakes before: all are
 * told at once. What only seems to be missing is left out, since a flag that could not be understood may
 * have been meant to give it.
 */
export function mistakesIn(given: Given, env: NodeJS.ProcessEnv): readonly string[] {
  try {
    readSettings(given, silent, env);
    return [];
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return error.problems.filter(({input}) => given.has(input)).map(({message}) => message);
  }
}
