import {openSync, closeSync} from 'node:fs';
import {mkdir, readFile, writeFile} from 'node:fs/promises';
import {type ChildProcess, spawn} from 'node:child_process';
import {get} from 'node:http';
import {join} from 'node:path';

import {programOnPath} from '../__tests__/support/program.ts';
import {cpuSeconds, readBytes} from './proc.ts';

/** A request as the access log has it. */
export interface Logged {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  /** Of the answer's body. */
  readonly bytes: number;
}

/** A docker-registry process over a storage directory. */
export class RegistryProcess {
  readonly port: number;
  readonly storage: string;
  readonly #child: ChildProcess;
  readonly #log: string;

  private constructor(port: number, storage: string, child: ChildProcess, log: string) {
    this.port = port;
    this.storage = storage;
    this.#child = child;
    this.#log = log;
  }

  /** Starts it on a port; it answers when this returns. `folder` is for its config and log. */
  static async start(port: number, storage: string, folder: string): Promise<RegistryProcess> {
    const program = programOnPath('docker-registry');
    if (program === undefined) {
      throw new Error('docker-registry is wanted (Debian: docker-registry)');
    }
    await mkdir(folder, {recursive: true});
    const config = join(folder, 'config.yml');
    await writeFile(
      config,
      [
        'version: 0.1',
        'log: {level: error, accesslog: {disabled: false}}',
        `storage: {filesystem: {rootdirectory: ${JSON.stringify(storage)}, maxthreads: 100}, delete: {enabled: true}, maintenance: {uploadpurging: {enabled: false}}}`,
        `http: {addr: "127.0.0.1:${port}", secret: bench}`,
        ''
      ].join('\n')
    );
    const log = join(folder, 'access.log');
    const output = openSync(log, 'w');
    const child = spawn(program, ['serve', config], {
      env: {PATH: process.env.PATH ?? '', OTEL_TRACES_EXPORTER: 'none'},
      stdio: ['ignore', output, output]
    });
    closeSync(output);
    const last = () => child.kill('SIGKILL');
    process.once('exit', last);
    child.once('exit', () => process.off('exit', last));
    const registry = new RegistryProcess(port, storage, child, log);
    for (let left = 500; !(await registry.#answers()); left--) {
      if (left === 0 || child.exitCode !== null) {
        throw new Error(`docker-registry did not start: ${await readFile(log, 'utf8')}`);
      }
      await new Promise(resolve => setTimeout(resolve, 10));
    }
    return registry;
  }

  async #answers(): Promise<boolean> {
    return await new Promise(resolve => {
      get({port: this.port, host: '127.0.0.1', path: '/', agent: false}, answer => {
        answer.resume().on('end', () => {
          resolve(true);
        });
      }).on('error', () => {
        resolve(false);
      });
    });
  }

  /** How long the log is just now: what comes later is behind it. */
  async mark(): Promise<number> {
    return (await readFile(this.#log)).length;
  }

  /** Every request to the API since a mark. A line comes a moment after its answer. */
  async requests(since = 0): Promise<readonly Logged[]> {
    for (let before = -1; ;) {
      const log = await readFile(this.#log);
      if (log.length === before) {
        const lines = log.subarray(since).toString('utf8').split('\n');
        return lines.flatMap(line => parseLine(line) ?? []);
      }
      before = log.length;
      await new Promise(resolve => setTimeout(resolve, 60));
    }
  }

  /** Processor seconds since it started. */
  async cpu(): Promise<number> {
    return await cpuSeconds(this.#child.pid ?? 0);
  }

  /** Bytes that it has read since it started, from connections and files. */
  async read(): Promise<number> {
    return await readBytes(this.#child.pid ?? 0);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise(resolve => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await gone;
  }
}

function parseLine(line: string): Logged | undefined {
  const parts = /"([A-Z]+) (\/v2\/\S*) HTTP\/[\d.]+" (\d{3}) (\d+|-)/.exec(line);
  if (parts === null) return undefined;
  const [, method = '', path = '', status, bytes] = parts;
  return {method, path, status: Number(status), bytes: Number(bytes) || 0};
}
