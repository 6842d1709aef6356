import {execFile} from 'node:child_process';
import {mkdtemp, readFile, writeFile} from 'node:fs/promises';
import {delimiter, join} from 'node:path';

/** What a shell step has around it. */
export interface Surroundings {
  /** Where its RUNNER_TEMP is made; whoever calls removes it. */
  readonly temporary: string;
  /** Programs that stand in for real ones: each a few lines of shell, which may write to "$CALLS". */
  readonly programs?: Readonly<Record<string, string>>;
  readonly variables?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** How it ended. */
export interface ShellEnd {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What the programs wrote to "$CALLS". */
  readonly calls: string;
  /** The step's RUNNER_TEMP. */
  readonly temp: string;
}

/** Runs a script as the runner runs a step for which a shell is not named, on Linux. */
export async function shellStep(
  script: string,
  {temporary, programs = {}, variables = {}, cwd}: Surroundings
): Promise<ShellEnd> {
  const temp = await mkdtemp(join(temporary, 'step-'));
  for (const [program, lines] of Object.entries(programs))
    await writeFile(join(temp, program), `#!/bin/sh\n${lines}\n`, {mode: 0o755});
  const calls = join(temp, 'calls');
  await writeFile(calls, '');
  const env = {
    PATH: `${temp}${delimiter}${process.env.PATH ?? ''}`,
    HOME: temp,
    RUNNER_TEMP: temp,
    CALLS: calls,
    ...variables
  };
  const words = ['--noprofile', '--norc', '-eo', 'pipefail', '-c', script];
  const ended = await new Promise<Omit<ShellEnd, 'calls' | 'temp'>>(resolve => {
    execFile('bash', words, {env, cwd, timeout: 120_000}, (error, stdout, stderr) => {
      const {code = 0} = (error ?? {}) as {code?: unknown};
      resolve({exitCode: typeof code === 'number' ? code : -1, stdout, stderr});
    });
  });
  return {...ended, calls: await readFile(calls, 'utf8'), temp};
}
