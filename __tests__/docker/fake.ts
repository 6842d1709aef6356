import {once} from 'node:events';
import {appendFile, chmod, mkdir, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {type AddressInfo, createServer, type Server, type Socket} from 'node:net';
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

/** How a fake program ends; what it says is empty and its exit code 0 unless given. */
export interface Ending {
  readonly code?: number;
  readonly stdout?: string;
  readonly stderr?: string;
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
  /**
   * Puts a program on PATH whose every start is recorded and then answered by this process, which costs
   * a tenth of starting another one.
   */
  serve(name: string, answer: (call: Call) => Promise<Ending>): Promise<string>;
  calls(name?: string): Promise<readonly Call[]>;
}

/** Makes a place. */
export async function makePlace(): Promise<Place> {
  const directory = await mkdtemp(join(tmpdir(), 'place-'));
  const at = (...parts: string[]) => join(directory, ...parts);
  await Promise.all(['bin', 'home', 'temp'].map(name => mkdir(at(name))));
  const servers: Desk[] = [];
  const install = async (name: string, script: string) => {
    const path = at('bin', name);
    await writeFile(path, script);
    await chmod(path, 0o755);
    return path;
  };
  return {
    directory,
    home: at('home'),
    temp: at('temp'),
    env: {PATH: at('bin'), HOME: at('home')},
    program: (name, body) =>
      install(
        name,
        `#!${process.execPath}
const fs = require('node:fs');
const args = process.argv.slice(2), env = process.env;
const stdin = fs.readFileSync(0, 'utf8');
fs.appendFileSync(${JSON.stringify(at(`${name}.calls`))}, JSON.stringify({argv: args, env, stdin}) + '\\n');
${body}
`
      ),
    async serve(name, answer) {
      const desk = new Desk(async call => {
        await appendFile(at(`${name}.calls`), `${JSON.stringify(call)}\n`);
        return await answer(call);
      });
      servers.push(desk);
      return await install(name, caller(await desk.open()));
    },
    async calls(name = 'docker') {
      const text = await readFile(at(`${name}.calls`), 'utf8').catch(() => '');
      return text
        .split('\n')
        .filter(line => line !== '')
        .map(line => JSON.parse(line) as Call);
    },
    async [Symbol.asyncDispose]() {
      for (const server of servers) await server.close();
      await rm(directory, {recursive: true, force: true});
    }
  };
}

/** Tells a port of this machine how it was started, and does as it is told: every field ends in NUL. */
const caller = (port: number) => `#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/${port} || exit 125
{ printf '%s\\0' "$#" "$@"; /usr/bin/env -0; printf '\\0'; /bin/cat; printf '\\0'; } >&3
IFS= read -r -d '' code <&3 && IFS= read -r -d '' out <&3 && IFS= read -r -d '' err <&3 || exit 125
printf '%s' "$out"
printf '%s' "$err" >&2
exit "$code"
`;

/** Where the programs of a place ask what to do. */
class Desk {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(answer: (call: Call) => Promise<Ending>) {
    this.#server = createServer(socket => {
      this.#sockets.add(socket);
      // A program that was killed.
      socket.on('error', () => undefined);
      let text = '';
      socket.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
        const call = callIn(text.split('\0'));
        if (call === undefined) return;
        text = '';
        void answer(call)
          .catch((error: unknown): Ending => ({code: 125, stderr: String(error)}))
          .then(({code = 0, stdout = '', stderr = ''}) =>
            socket.end(`${code}\0${stdout}\0${stderr}\0`)
          );
      });
    });
  }

  async open(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** The fields that `caller` sends, as a call; undefined until the last one is there. */
function callIn(fields: readonly string[]): Call | undefined {
  const first = Number(fields[0]) + 1;
  const end = fields.indexOf('', first);
  // What is behind the last NUL is no field.
  if (end < 0 || end + 2 >= fields.length) return undefined;
  const env = fields.slice(first, end).map(entry => {
    const cut = entry.indexOf('=');
    return [entry.slice(0, cut), entry.slice(cut + 1)];
  });
  return {
    argv: fields.slice(1, first),
    env: Object.fromEntries(env) as Record<string, string>,
    stdin: fields[end + 1] ?? ''
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
