import {tmpdir} from 'node:os';

import type {Log} from '../log.ts';
import {clean} from '../oci/clean.ts';
import type {Given, GivenValue, Origin} from './given.ts';
import {didYouMean, nearest} from './nearest.ts';
import type {Places} from './path.ts';
import {type InputName, inputTable} from './table.ts';

/** How many unknown names are told of. */
const mostTold = 20;

const sides = ['SOURCE_DOCKER_', 'TARGET_DOCKER_'] as const;

const names = inputTable.map(({name}) => name);
const inputVariables = new Map<string, InputName>(
  names.map(name => [`INPUT_${name.toUpperCase()}`, name])
);
const scriptVariables = new Map<string, InputName>(
  inputTable.flatMap(({name, variable}) => (variable === undefined ? [] : [[variable, name]]))
);

/** What the runner hands over of `with:`: a variable `INPUT_…` for each input, empty where none was given. */
export function inputsOf(env: NodeJS.ProcessEnv): Given {
  return gather(env, inputVariables, 'input');
}

/** What the ten variables of Microsoft's sample script say. */
export function variablesOf(env: NodeJS.ProcessEnv): Given {
  return gather(env, scriptVariables, 'variable');
}

/**
 * The runner passes on whatever stands below `with:`. What is no input was misspelt: it is told of,
 * with what may have been meant. Its value is not shown, and masked if it may be a password.
 */
export function warnOfUnknownInputs(env: NodeJS.ProcessEnv, log: Log): void {
  const unknown = Object.keys(env).filter(
    key => key.startsWith('INPUT_') && key !== 'INPUT_' && !inputVariables.has(key)
  );
  for (const key of unknown.slice(0, mostTold)) {
    maskIfSecret(key, env[key], log);
    const name = key.slice('INPUT_'.length).toLowerCase();
    log.warning(
      `There is no input ${JSON.stringify(clean(name, 60))}, so it has no effect${didYouMean(name, names)}`
    );
  }
}

/** The same for variables that begin like those of the script. */
export function warnOfUnknownVariables(env: NodeJS.ProcessEnv, log: Log): void {
  for (const side of sides) {
    const own = [...scriptVariables.keys()].filter(name => name.startsWith(side));
    const ends = own.map(name => name.slice(side.length));
    const unknown = Object.keys(env).filter(
      key => key.startsWith(side) && !scriptVariables.has(key)
    );
    for (const key of unknown.slice(0, mostTold)) {
      maskIfSecret(key, env[key], log);
      const meant =
        didYouMean(key.slice(side.length), ends, name => `${side}${name}`) ||
        `; known are ${own.join(', ')}`;
      log.warning(`The variable ${clean(key, 60)} is not known, so it has no effect${meant}`);
    }
  }
}

function maskIfSecret(key: string, value: string | undefined, log: Log): void {
  const secretive = nearest(key.replace('INPUT_', ''), names).some(near =>
    near.endsWith('-password')
  );
  if (value && (secretive || /pas|pw|token|secret/i.test(key))) log.secret(value);
}

function gather(
  env: NodeJS.ProcessEnv,
  known: ReadonlyMap<string, InputName>,
  origin: Origin
): Given {
  const given = new Map<InputName, GivenValue>();
  for (const [key, name] of known) {
    const value = env[key];
    if (value !== undefined && value !== '') given.set(name, {value, origin});
  }
  return given;
}

/** What paths are relative to, and where the runner keeps what is temporary. */
export function placesOf(env: NodeJS.ProcessEnv): Places {
  // The runner sets these; an empty one is as good as none.
  const workspace = env.GITHUB_WORKSPACE === '' ? undefined : env.GITHUB_WORKSPACE;
  const temporary = env.RUNNER_TEMP === '' ? undefined : env.RUNNER_TEMP;
  return {
    base: workspace ?? process.cwd(),
    confined: workspace !== undefined,
    temporary: temporary ?? tmpdir()
  };
}
