import {type ChildProcess, spawn} from 'node:child_process';
import {mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join, relative} from 'node:path';
import {fileURLToPath} from 'node:url';

import {type Command, parseCommand, parseFileCommand} from './runner.ts';

/** The built action, as a runner starts it. */
export const actionBundle = fileURLToPath(new URL('../../dist/index.js', import.meta.url));
/** The built program for a terminal. */
export const cliBundle = fileURLToPath(new URL('../../dist/cli/index.js', import.meta.url));

/** How a bundle ended, and what it left behind. */
export interface End {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** From its start to its end, in milliseconds. */
  readonly milliseconds: number;
}

/** How a step ended, and what the runner would read of it. */
export interface StepEnd extends End {
  readonly outputs: Readonly<Record<string, string>>;
  /** Saved for the post part. */
  readonly state: Readonly<Record<string, string>>;
  readonly summary: string;
  /** What the runner would take out of the log, in order. */
  readonly commands: readonly Command[];
}

/** A step that is under way. */
export interface Running<T extends End> {
  /** Everything on stdout so far. */
  stdout(): string;
  kill(signal: NodeJS.Signals): void;
  /** Closes the pipe that its stdout is. */
  stopReading(): void;
  readonly end: Promise<T>;
}

/** What a step gets beside its inputs. */
export interface StepOptions {
  /** More variables; one of undefined is taken away. */
  readonly variables?: Readonly<Record<string, string | undefined>>;
}

/** How the program for a terminal is started. */
export interface ByHandOptions extends StepOptions {
  /** The Node to run it; this one when absent. */
  readonly node?: string;
  /** A file descriptor for what it says, which is then not read here. */
  readonly stdout?: number;
}

/**
 * A job on a machine of its own: new directories for home, temp, tools and workspace, and an
 * environment with nothing of ours in it but PATH.
 */
export class Job implements AsyncDisposable {
  readonly home: string;
  readonly temp: string;
  readonly workspace: string;
  readonly #directory: string;
  #steps = 0;

  private constructor(directory: string) {
    this.#directory = directory;
    this.home = join(directory, 'home');
    this.temp = join(directory, 'temp');
    this.workspace = join(directory, 'workspace');
  }

  static async begin(): Promise<Job> {
    const job = new Job(await realpath(await mkdtemp(join(tmpdir(), 'job-'))));
    for (const path of [job.home, job.temp, job.workspace, job.#tools])
      await mkdir(path, {recursive: true});
    return job;
  }

  get #tools(): string {
    return join(this.#directory, 'tools');
  }

  /** Runs the action's main part to its end. */
  async run(inputs: Readonly<Record<string, string>>, options?: StepOptions): Promise<StepEnd> {
    return await (
      await this.start(inputs, options)
    ).end;
  }

  /** Starts the action's main part. */
  async start(
    inputs: Readonly<Record<string, string>>,
    options: StepOptions = {}
  ): Promise<Running<StepEnd>> {
    const given = Object.entries(inputs).map(([name, value]) => [
      `INPUT_${name.replaceAll(' ', '_').toUpperCase()}`,
      value
    ]);
    return await this.#start(Object.fromEntries(given) as Record<string, string>, options);
  }

  /** Runs the post part with what the main part saved. */
  async post(state: StepEnd['state'], options: StepOptions = {}): Promise<StepEnd> {
    const saved = Object.entries(state).map(([name, value]) => [`STATE_${name}`, value]);
    return await (
      await this.#start(Object.fromEntries(saved) as Record<string, string>, options)
    ).end;
  }

  /** Starts the program for a terminal, without one. */
  cli(args: readonly string[], options: ByHandOptions = {}): Running<End> {
    const env = environment({PATH: process.env.PATH, HOME: this.home, TMPDIR: this.temp}, options);
    return watch(
      spawn(options.node ?? process.execPath, [cliBundle, ...args], {
        env,
        cwd: this.workspace,
        stdio: ['ignore', options.stdout ?? 'pipe', 'pipe']
      }),
      end => Promise.resolve(end)
    );
  }

  async #start(
    given: Readonly<Record<string, string>>,
    options: StepOptions
  ): Promise<Running<StepEnd>> {
    // The runner has them below its temporary folder too.
    const folder = join(this.temp, '_runner_file_commands', String(++this.#steps));
    await mkdir(folder, {recursive: true});
    const files = ['output', 'state', 'summary', 'env', 'path'].map(name => join(folder, name));
    for (const file of files) await writeFile(file, '');
    const [output = '', state = '', summary = '', env, path] = files;
    const child = spawn(process.execPath, [actionBundle], {
      cwd: this.workspace,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: environment(
        {
          ...{PATH: process.env.PATH, HOME: this.home, CI: 'true', GITHUB_ACTIONS: 'true'},
          ...{GITHUB_WORKSPACE: this.workspace, RUNNER_TEMP: this.temp, TMPDIR: this.temp},
          ...{RUNNER_TOOL_CACHE: this.#tools, RUNNER_OS: 'Linux', RUNNER_ARCH: 'X64'},
          ...{GITHUB_OUTPUT: output, GITHUB_STATE: state, GITHUB_STEP_SUMMARY: summary},
          ...{GITHUB_ENV: env, GITHUB_PATH: path},
          // No daemon may answer, whatever else runs on this machine.
          DOCKER_HOST: `unix://${join(this.#directory, 'no-daemon.sock')}`,
          ...given
        },
        options
      )
    });
    return watch(child, async end => ({
      ...end,
      outputs: Object.fromEntries(parseFileCommand(await readFile(output, 'utf8'))),
      state: Object.fromEntries(parseFileCommand(await readFile(state, 'utf8'))),
      summary: await readFile(summary, 'utf8'),
      commands: end.stdout.split('\n').flatMap(line => parseCommand(line) ?? [])
    }));
  }

  /** Every file that is there now, by its path below the job's directory. */
  async files(): Promise<ReadonlyMap<string, Buffer>> {
    const found = await readdir(this.#directory, {recursive: true, withFileTypes: true});
    const paths = found
      .filter(entry => entry.isFile())
      .map(({parentPath, name}) => join(parentPath, name));
    return new Map(
      await Promise.all(
        paths.map(async path => [relative(this.#directory, path), await readFile(path)] as const)
      )
    );
  }

  /** The private docker configs that are there now: names in the temporary folder. */
  async dockerConfigs(): Promise<readonly string[]> {
    return (await readdir(this.temp)).filter(name => name.includes('docker'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, {recursive: true, force: true});
  }
}

function environment(
  own: Readonly<Record<string, string | undefined>>,
  {variables}: StepOptions
): NodeJS.ProcessEnv {
  const all = Object.entries({...own, ...variables}).filter(([, value]) => value !== undefined);
  return Object.fromEntries(all);
}

/** Nothing here takes longer, in milliseconds: what hangs is killed, and fails its test. */
const longest = 60_000;

function watch<T extends End>(child: ChildProcess, read: (end: End) => Promise<T>): Running<T> {
  const started = performance.now();
  const texts = [child.stdout, child.stderr].map(stream => {
    let text = '';
    stream?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    return () => text;
  });
  const [stdout = () => '', stderr = () => ''] = texts;
  const timer = setTimeout(() => child.kill('SIGKILL'), longest);
  const last = () => void child.kill('SIGKILL');
  process.once('exit', last);
  const closed = new Promise<number | null>((resolve, reject) => {
    child.once('close', resolve).once('error', reject);
  });
  const end = closed.then(exitCode => {
    clearTimeout(timer);
    process.off('exit', last);
    const milliseconds = performance.now() - started;
    return read({exitCode, stdout: stdout(), stderr: stderr(), milliseconds});
  });
  // Whoever kills it looks at its end later.
  end.catch(() => undefined);
  return {
    stdout,
    kill: signal => {
      child.kill(signal);
    },
    stopReading: () => {
      child.stdout?.destroy();
    },
    end
  };
}

/** Waits until something is so, at most ten seconds. @throws Error naming it when it never was */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  most = 10_000
): Promise<void> {
  for (const end = performance.now() + most; performance.now() < end;) {
    if (await holds()) return;
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  throw new Error(`it never came about that ${what}`);
}
