import {parseArgs} from 'node:util';

import {type Phase, phases} from './phase.ts';
import type {Profile} from './session.ts';

/** What to measure. Absent is everything. */
export interface Options {
  /** Words; a tool runs when its name begins with one of them. `ours` is this project. */
  readonly only: readonly string[];
  readonly profiles: readonly Profile[];
  readonly phases: readonly Phase[];
  readonly scales: readonly number[];
  readonly rounds: number | undefined;
  readonly quick: boolean;
  readonly bundle: string;
  /** Where the target keeps its data. */
  readonly storage: string | undefined;
  /** Where performance.md and performance.svg are written; nowhere when absent. */
  readonly out: string | undefined;
  readonly json: string | undefined;
  readonly help: boolean;
}

export const helpText = `npm run bench -- [options]

  --quick               this project and crane with four processes, 100 MB, one round
  --only NAME,…         only tools whose names begin so; "ours" is this project, "floor" the lower bound
  --profile NAME,…      link (40 ms, 200 Mbit/s), loopback
  --phase NAME,…        ${phases.join(', ')}
  --scale MB,…          megabytes of unique bytes: 100, 1000
  --rounds N            how often each measurement is taken
  --bundle FILE         the built program to measure (default dist/cli/index.js)
  --storage FOLDER      where the target keeps its data (default: memory where there is room)
  --out FOLDER          where performance.md and .svg are written (default docs, by a full run only)
  --json FILE           write every single run, one JSON document a line
  --help
`;

/** @throws Error naming what cannot be understood */
export function readOptions(argv: readonly string[]): Options {
  const {values} = parseArgs({
    args: [...argv],
    options: {
      quick: {type: 'boolean', default: false},
      only: {type: 'string'},
      profile: {type: 'string'},
      phase: {type: 'string'},
      scale: {type: 'string'},
      rounds: {type: 'string'},
      bundle: {type: 'string', default: 'dist/cli/index.js'},
      storage: {type: 'string'},
      out: {type: 'string'},
      json: {type: 'string'},
      help: {type: 'boolean', default: false}
    }
  });
  const narrowed = [values.only, values.profile, values.phase, values.scale, values.rounds].some(
    value => value !== undefined
  );
  return {
    only: list(values.only),
    profiles: oneOf('profile', list(values.profile), ['link', 'loopback']),
    phases: oneOf('phase', list(values.phase), phases),
    scales: list(values.scale).map(text => positive('scale', text)),
    rounds: values.rounds === undefined ? undefined : positive('rounds', values.rounds),
    quick: values.quick,
    bundle: values.bundle,
    storage: values.storage,
    out: values.out ?? (narrowed || values.quick ? undefined : 'docs'),
    json: values.json,
    help: values.help
  };
}

function list(text: string | undefined): readonly string[] {
  return text?.split(',').filter(word => word !== '') ?? [];
}

function oneOf<T extends string>(
  name: string,
  words: readonly string[],
  known: readonly T[]
): readonly T[] {
  return words.map(word => {
    const match = known.find(one => one === word);
    if (match === undefined) {
      throw new Error(`--${name} ${word} is not known; known are ${known.join(', ')}`);
    }
    return match;
  });
}

function positive(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new Error(`--${name} wants a number above 0`);
  return number;
}
