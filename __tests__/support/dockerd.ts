import {execFile} from 'node:child_process';
import {mkdir, mkdtemp, readFile} from 'node:fs/promises';
import {request} from 'node:http';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';

import {missing, type Program, programOnPath, startProgram} from './program.ts';

const run = promisify(execFile);

/** A real docker daemon of one's own, with nothing in it. */
export interface Dockerd extends AsyncDisposable {
  /** For DOCKER_HOST: `unix:///…`. */
  readonly host: string;
  /** Its data root. */
  readonly root: string;
  /** What it printed so far. */
  log(): readonly string[];
  stop(): Promise<void>;
}

const needed = 'dockerd (Debian: docker.io) and root';

function canBeTried(): boolean {
  return (
    process.platform === 'linux' && prefix() !== undefined && programOnPath('dockerd') !== undefined
  );
}

/** Whether a daemon can be tried here, which is said if not: for `describe.skip`. */
export function dockerdInstalled(): boolean {
  if (canBeTried()) return true;
  missing(needed);
  return false;
}

/** What makes root of us: nothing for root, sudo in CI, where it asks no password. */
function prefix(): readonly string[] | undefined {
  if (process.getuid?.() === 0) return [];
  return process.env.CI === 'true' ? ['sudo', '-n'] : undefined;
}

/**
 * Starts a docker daemon without network for containers; it answers when this returns. Registries on
 * 127.0.0.0/8 are insecure ones to it, as to every daemon. Undefined where it cannot be started, but
 * an error in CI.
 */
export async function startDockerd(args: readonly string[] = []): Promise<Dockerd | undefined> {
  const path = programOnPath('dockerd');
  const root = prefix();
  if (path === undefined || root === undefined || process.platform !== 'linux') {
    missing(needed);
    return undefined;
  }
  const directory = await mkdtemp(join(tmpdir(), 'dockerd-'));
  const at = (name: string) => join(directory, name);
  await mkdir(at('data'));
  const command = [
    ...root,
    path,
    ...['--data-root', at('data'), '--exec-root', at('exec'), '--pidfile', at('pid')],
    ...['-H', `unix://${at('sock')}`, '--group', String(process.getgid?.() ?? 0)],
    ...['--iptables=false', '--ip6tables=false', '--ip-forward=false', '--bridge=none'],
    ...args
  ];
  const daemon = startProgram(command[0] ?? '', command.slice(1), {
    ...process.env,
    PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin`
  });
  const stop = async () => {
    // What sudo started, only sudo may end.
    if (root.length > 0) await ask(root, 'kill', await readFile(at('pid'), 'utf8').catch(() => ''));
    for (let left = 100; root.length > 0 && left > 0 && !daemon.exited(); left--) {
      await new Promise(resolve => setTimeout(resolve, 100));
    }
    await daemon.stop(15_000);
    await ask(root, 'rm', '-rf', directory);
  };
  if (await answers(at('sock'), daemon)) {
    return {
      host: `unix://${at('sock')}`,
      root: at('data'),
      log: daemon.stderr,
      stop,
      [Symbol.asyncDispose]: stop
    };
  }
  const said = daemon.stderr().slice(-20).join('\n');
  await stop();
  missing(`a docker daemon that starts (it said: ${said})`);
  return undefined;
}

async function ask(root: readonly string[], ...command: readonly string[]): Promise<void> {
  const [program, ...args] = [...root, ...command.map(word => word.trim())];
  await run(program ?? '', args).catch(() => undefined);
}

/** Waits at most 30 seconds for `/_ping`. */
async function answers(socketPath: string, daemon: Program): Promise<boolean> {
  for (let left = 300; left > 0 && !daemon.exited(); left--) {
    const ready = await new Promise<boolean>(resolve => {
      request({socketPath, path: '/_ping', agent: false}, response => {
        response.resume();
        resolve(response.statusCode === 200);
      })
        .on('error', () => {
          resolve(false);
        })
        .end();
    });
    if (ready) return true;
    await new Promise(resolve => setTimeout(resolve, 100));
  }
  return false;
}
