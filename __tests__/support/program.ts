import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {accessSync, constants} from 'node:fs';
import {createServer} from 'node:net';
import {delimiter, join} from 'node:path';

/** Where a program lies on PATH or in the sbin directories, which a user's PATH may lack. */
export function programOnPath(name: string): string | undefined {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return directories
    .filter(directory => directory !== '')
    .map(directory => join(directory, name))
    .find(path => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** A port of loopback that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** A real server that a test started, with what it printed. */
export interface Program {
  readonly child: ChildProcess;
  readonly stdout: () => readonly string[];
  readonly stderr: () => readonly string[];
  readonly exited: () => boolean;
  /** TERM, and KILL after `grace` milliseconds; returns when it is gone. */
  stop(grace?: number): Promise<void>;
}

/** Starts a server and collects its lines. It dies with the test process at the latest. */
export function startProgram(path: string, args: readonly string[], env = process.env): Program {
  const child = spawn(path, args, {env, stdio: ['ignore', 'pipe', 'pipe']});
  const collect = (stream: NodeJS.ReadableStream): (() => string[]) => {
    let text = '';
    stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    return () => text.split('\n').filter(line => line !== '');
  };
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  let gone = false;
  const exit = new Promise<void>(resolve => {
    const end = () => {
      gone = true;
      resolve();
    };
    // A grandchild may hold the pipes open: half a second for the last lines, no longer.
    child.once('exit', () => setTimeout(end, 500).unref());
    child.once('close', end).once('error', end);
  });
  const last = () => void child.kill('SIGKILL');
  process.once('exit', last);
  return {
    child,
    stdout,
    stderr,
    exited: () => gone || child.exitCode !== null || child.signalCode !== null,
    async stop(grace = 5_000) {
      process.off('exit', last);
      if (gone) return;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), grace);
      await exit;
      clearTimeout(timer);
    }
  };
}

/**
 * Says that tests are skipped since a program is missing.
 * @throws Error on the Linux machines of a CI run, where all of them are installed beforehand
 */
export function missing(what: string): void {
  if (process.env.CI === 'true' && process.platform === 'linux') {
    throw new Error(`${what} is wanted here: nothing is skipped in CI`);
  }
  // The bench uses what starts programs, too: there is no jest to ask.
  const file = /__tests__\/\S+\.test\.ts/.exec(new Error().stack ?? '')?.[0];
  process.stderr.write(`skipped${file === undefined ? '' : ` in ${file}`}: what needs ${what}\n`);
}
