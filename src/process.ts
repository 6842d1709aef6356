import {type ChildProcess, spawn} from 'node:child_process';
import {access, constants, stat} from 'node:fs/promises';
import {extname, isAbsolute, join, posix, win32} from 'node:path';

import {clean} from './oci/clean.ts';
import {endTree, throughShell} from './windows.ts';

export {systemProgram} from './windows.ts';

/** Environment variables, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A program to be run, once, to its end. */
export interface Command {
  /** Absolute, as `findProgram` gives it: nothing is searched here. */
  readonly file: string;
  readonly args: readonly string[];
  /** All that the child gets: nothing of our own environment is added. */
  readonly env: Environment;
  /** Written to its standard input, which is then closed; else it has none. */
  readonly stdin?: string | Buffer;
  /** In milliseconds. */
  readonly timeout: number;
  readonly signal?: AbortSignal;
  /** How long it may take to die after it was asked to, in milliseconds; then it is killed. */
  readonly grace?: number;
  /** How many of the last bytes of each of its outputs are kept. */
  readonly capture?: number;
}

/** How a program ended. A non-zero `exitCode` is a failure, whatever it printed. */
export interface Outcome {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** It took longer than `timeout` and was ended. */
  readonly timedOut: boolean;
}

/** A program could not be started at all. The message is clean. */
export class ProcessError extends Error {
  override readonly name = 'ProcessError' as const;
  /** The system's code, such as ENOENT or EACCES. */
  readonly code: string | undefined;

  constructor(file: string, cause: unknown) {
    const {code, message} = cause as NodeJS.ErrnoException;
    super(`${clean(file, 200)} could not be started: ${clean(message, 200)}`, {cause});
    this.code = code;
  }
}

const defaultCapture = 64 * 1024;
/** Well below the 7.5 s that a cancelled step has until it is killed itself. */
const defaultGrace = 3_000;
/** A grandchild may hold the pipes open after the child has gone. */
const lastWords = 1_000;
const longestTimer = 2 ** 31 - 1;
const windows = process.platform === 'win32';

/**
 * Runs a program without a shell and waits for its end. Its output is captured, never shown: the
 * runner reads commands from what a step prints.
 * @throws ProcessError when it cannot be started; the signal's reason when that ended it
 */
export async function runProcess(command: Command): Promise<Outcome> {
  const {args, signal, grace = defaultGrace, capture = defaultCapture} = command;
  signal?.throwIfAborted();
  // It may throw at once or tell later.
  let child: ChildProcess;
  try {
    const {file, argv, verbatim} = windows
      ? throughShell(command.file, args)
      : {file: command.file, argv: args, verbatim: false};
    child = spawn(file, [...argv], {
      env: {...command.env},
      stdio: [command.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      // A process group of its own, so that its children end with it.
      detached: !windows,
      windowsHide: true,
      windowsVerbatimArguments: verbatim
    });
  } catch (error) {
    throw new ProcessError(command.file, error);
  }
  const stdout = tailOf(child.stdout, capture);
  const stderr = tailOf(child.stderr, capture);
  // A child that ends without reading its input is no failure of ours: its exit code tells.
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(command.stdin);

  let timedOut = false;
  let killer: NodeJS.Timeout | undefined;
  const end = () => {
    if (killer !== undefined) return;
    kill(child, 'SIGTERM');
    killer = setTimeout(() => {
      kill(child, 'SIGKILL');
    }, grace);
  };
  const timer = setTimeout(
    () => {
      timedOut = true;
      end();
    },
    Math.min(command.timeout, longestTimer)
  );
  signal?.addEventListener('abort', end, {once: true});
  try {
    const exitCode = await ended(child, command.file);
    // Those of its group that outlived the request go with it.
    if (killer !== undefined) kill(child, 'SIGKILL');
    signal?.throwIfAborted();
    return {exitCode, stdout: stdout(), stderr: stderr(), timedOut};
  } finally {
    clearTimeout(timer);
    clearTimeout(killer);
    signal?.removeEventListener('abort', end);
  }
}

function ended(child: ChildProcess, file: string): Promise<number | null> {
  return new Promise((resolve, reject) => {
    let late: NodeJS.Timeout | undefined;
    child.once('error', (error: Error) => {
      if (child.pid === undefined) reject(new ProcessError(file, error));
    });
    child.once('exit', exitCode => {
      late = setTimeout(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
        resolve(exitCode);
      }, lastWords);
    });
    child.once('close', exitCode => {
      clearTimeout(late);
      resolve(exitCode);
    });
  });
}

/** Keeps the last `limit` bytes. */
function tailOf(stream: NodeJS.ReadableStream | null, limit: number): () => string {
  let chunks: Buffer[] = [];
  let length = 0;
  stream?.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    length += chunk.length;
    if (length <= 2 * limit) return;
    chunks = [Buffer.concat(chunks).subarray(-limit)];
    length = limit;
  });
  return () => Buffer.concat(chunks).subarray(-limit).toString('utf8');
}

function kill(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (child.pid === undefined) return;
  if (windows) {
    if (child.exitCode === null) endTree(child);
    return;
  }
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group is gone already.
  }
}

/**
 * Where a program lies on the PATH of `env`, on Windows with the endings of PATHEXT. Only absolute
 * directories count: the working directory may hold a checked-out stranger.
 */
export async function findProgram(
  name: string,
  env: Environment,
  platform: NodeJS.Platform = process.platform
): Promise<string | undefined> {
  const onWindows = platform === 'win32';
  const path = onWindows ? (variable(env, 'PATH') ?? '') : (env.PATH ?? '');
  const endings = onWindows ? endingsFor(name, env) : [''];
  for (const directory of path.split((onWindows ? win32 : posix).delimiter)) {
    const bare = directory.replace(/^"(.*)"$/, '$1');
    if (!isAbsolute(bare)) continue;
    for (const ending of endings) {
      const candidate = join(bare, name + ending);
      if (await isProgram(candidate, onWindows)) return candidate;
    }
  }
  return undefined;
}

function endingsFor(name: string, env: Environment): readonly string[] {
  const known = (variable(env, 'PATHEXT') ?? '.COM;.EXE;.BAT;.CMD')
    .split(';')
    .filter(ending => ending !== '')
    .map(ending => ending.toLowerCase());
  return known.includes(extname(name).toLowerCase()) ? ['', ...known] : known;
}

async function isProgram(path: string, onWindows: boolean): Promise<boolean> {
  try {
    if (!(await stat(path)).isFile()) return false;
    if (!onWindows) await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A variable by its name in any case, as Windows has it (`Path`, `PATH`). */
function variable(env: Environment, name: string): string | undefined {
  const key = Object.keys(env).find(key => key.toUpperCase() === name);
  return key === undefined ? undefined : env[key];
}
