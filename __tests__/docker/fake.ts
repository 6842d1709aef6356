import {chmod, mkdir, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {describe} from '@jest/globals';

import type {Log} from '../../src/log.ts';

/** Scripts with a first line that names their interpreter are for these systems only. */
export const describeOnPosix = process.platform === 'win32' ? describe.skip : describe;

/** One start of a fake program. */
export interface Call {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string;
}

/** A place of one's own with a PATH, a home and a runner's temp; gone when disposed of. */
export interface Place extends AsyncDisposable {
  readonly directory: string;
  readonly home: string;
  readonly temp: string;
  /** PATH and HOME of this place alone. */
  readonly env: Readonly<Record<string, string>>;
  /**
   * Puts a program on PATH: the body of a CommonJS script that has `args`, `stdin`, `env` and `fs`.
   * Each start is recorded before the body runs.
   */
  program(name: string, body: string): Promise<string>;
  calls(name?: string): Promise<readonly Call[]>;
}

/** Makes a place. */
export async function makePlace(): Promise<Place> {
  const directory = await mkdtemp(join(tmpdir(), 'place-'));
  const at = (...parts: string[]) => join(directory, ...parts);
  await Promise.all(['bin', 'home', 'temp'].map(name => mkdir(at(name))));
  return {
    directory,
    home: at('home'),
    temp: at('temp'),
    env: {PATH: at('bin'), HOME: at('home')},
    async program(name, body) {
      const path = at('bin', name);
      await writeFile(
        path,
        `#!${process.execPath}
const fs = require('node:fs');
const args = process.argv.slice(2), env = process.env;
const stdin = fs.readFileSync(0, 'utf8');
fs.appendFileSync(${JSON.stringify(at(`${name}.calls`))}, JSON.stringify({argv: args, env, stdin}) + '\\n');
${body}
`
      );
      await chmod(path, 0o755);
      return path;
    },
    async calls(name = 'docker') {
      const text = await readFile(at(`${name}.calls`), 'utf8').catch(() => '');
      return text
        .split('\n')
        .filter(line => line !== '')
        .map(line => JSON.parse(line) as Call);
    },
    [Symbol.asyncDispose]: () => rm(directory, {recursive: true, force: true})
  };
}

/** A docker of some version that does as it is told at anything but `--version`. */
export function docker(body: string, version = 'Docker version 28.2.2, build e6534b4'): string {
  return `if (args[0] === '--version') { console.log(${JSON.stringify(version)}); process.exit(0); }\n${body}`;
}

/** Does what `docker login` and `docker logout` do to a config without helpers. */
export const keepsLogins = docker(`
fs.mkdirSync(env.DOCKER_CONFIG, {recursive: true});
const file = env.DOCKER_CONFIG + '/config.json';
const config = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : {};
config.auths ??= {};
const host = args.at(-1);
if (args[0] === 'logout') delete config.auths[host];
else if (stdin === 'wrong') { console.error('Error response from daemon: login attempt to https://' + host + '/v2/ failed with status: 401 Unauthorized'); process.exit(1); }
else config.auths[host] = {auth: Buffer.from(args[args.indexOf('--username') + 1] + ':' + stdin).toString('base64')};
fs.writeFileSync(file, JSON.stringify(config, undefined, '\\t'));
console.log('Login Succeeded');`);

/** A log that can be read afterwards. */
export interface Recorded extends Log {
  readonly lines: readonly string[];
  readonly secrets: readonly string[];
}

/** Collects what is logged, debug lines too, and what is masked. */
export function recordedLog(): Recorded {
  const lines: string[] = [];
  const secrets: string[] = [];
  const line = (message: string) => void lines.push(message);
  return {
    lines,
    secrets,
    debug: line,
    info: line,
    notice: line,
    warning: line,
    secret: value => void secrets.push(value)
  };
}
