import {tmpdir} from 'node:os';
import {relative} from 'node:path';

import {type Arguments, parseArguments} from './cli/arguments.ts';
import {demo, demoDocument} from './cli/demo.ts';
import {ArgumentsError, CancelledError, UsageError} from './cli/error.ts';
import {helpText} from './cli/help.ts';
import {mistakesIn} from './cli/mistakes.ts';
import {readPasswordFrom} from './cli/password.ts';
import {askForMissing, hasTerminal} from './cli/prompts.ts';
import {openAgainst, verifyCommand} from './cli/verify.ts';
import {version} from './cli/version.ts';
import {InputError} from './inputs/error.ts';
import {combine, type Given} from './inputs/given.ts';
import {readSettings, readVariables} from './inputs.ts';
import {silent} from './log.ts';
import {main} from './main.ts';
import {helpOn} from './report/help.ts';
import type {Reporter} from './report/reporter.ts';
import {terminalReporter} from './report/terminal.ts';
import {hasFailed} from './report/verdict.ts';
import {exitSoon, onCancel} from './run/cancel.ts';
import {heedOutput} from './run/output.ts';
import {undoAtExit} from './run/saved.ts';

const {argv, env, stdin, stdout, stderr} = process;

/** What is missing is asked for where the result is not expected: standard output may be a pipe. */
function terminalOf({json}: Arguments) {
  return {input: stdin, output: json ? stderr : stdout};
}

/** What is typed to start this program again from here. */
function program(): string {
  const path = argv[1] ?? '';
  const short = relative('', path);
  const shown = short.startsWith('..') ? path : short;
  return `node ${/[^\w./\\:-]/.test(shown) ? JSON.stringify(shown) : shown}`;
}

async function given(told: Arguments, reporter: Reporter, signal: AbortSignal): Promise<Given> {
  const parts = [told.given, readVariables(env, reporter.log)];
  const name = told.passwordOnStdin;
  if (name !== undefined) {
    const value = await readPasswordFrom(stdin, signal).catch(async (error: unknown) => {
      if (!(error instanceof UsageError)) throw error;
      const more = await furtherMistakes(told);
      throw new UsageError([error.message, ...more].join('\n'));
    });
    parts.unshift(new Map([[name, {value, origin: 'flag'}]]));
  }
  const known = combine(...parts);
  // What a lock file says need not be asked for.
  return told.prompts && told.against === undefined
    ? await askForMissing(known, terminalOf(told), signal, all => mistakesIn(all, env))
    : known;
}

/** @returns the exit code: 0 done, 1 failed, 2 wrong usage, 130 cancelled */
async function run(told: Arguments): Promise<number> {
  if (told.command === 'help' || told.command === 'version') {
    heedOutput(() => undefined);
    stdout.write(told.command === 'help' ? helpText(stdout.columns) : `${version}\n`);
  } else {
    const {json, command} = told;
    const tty = (json ? stderr : stdout).isTTY;
    const results: string[] = [];
    const write = (text: string) => stdout.write(text);
    const reporter = terminalReporter({
      // The demo has several runs, and JSON is one document.
      stdout: json && command === 'demo' ? {write: text => results.push(text)} : stdout,
      stderr,
      json,
      tty,
      // The demo takes its lock file away, and its registries are nothing to point a controller at.
      keep: command !== 'demo',
      verbose: env.DEBUG === 'arcdata-mirror'
    });
    const cancel = onCancel();
    cancel.signal.addEventListener('abort', () => {
      reporter.log.notice(
        'Cancelling: what is under way is taken back. Ctrl-C once more ends it at once.'
      );
    });
    // Whoever cancelled a run that was all but over has a run that is done.
    const end = (code: number) => (code !== 0 && cancel.signal.aborted ? 130 : code);
    const stage = {
      ...{reporter, env, signal: cancel.signal},
      ...{runnerTemp: tmpdir(), undo: undoAtExit(tmpdir())}
    };
    try {
      if (command === 'demo') {
        const code = await demo(stage, program());
        if (json) write(demoDocument(results));
        return end(code);
      }
      const known = await given(told, reporter, cancel.signal);
      if (command === 'verify') {
        const code = await verifyCommand(known, {
          ...stage,
          reporter,
          against: told.against,
          ...(json && {json: write})
        });
        return end(code);
      }
      return end(hasFailed(await main(readSettings(known, reporter.log, env), stage)) ? 1 : 0);
    } finally {
      cancel.end();
      // A name that is still being looked up knows no signal, and would hold up whoever wants to get out.
      if (cancel.signal.aborted) exitSoon();
    }
  }
  return 0;
}

/**
 * What is wrong beside what was found first: in the flags that were understood, in variables and in the lock
 * file to compare with.
 */
async function furtherMistakes({
  given,
  against
}: Partial<Pick<Arguments, 'given' | 'against'>>): Promise<readonly string[]> {
  const lost: string[] = [];
  if (against !== undefined) {
    await openAgainst(against).catch((error: unknown) => {
      if (!(error instanceof UsageError)) throw error;
      lost.push(error.message);
    });
  }
  return given === undefined
    ? lost
    : [...lost, ...mistakesIn(combine(given, readVariables(env, silent)), env)];
}

/** Why what is required and missing was not had otherwise, where that is what is wrong. */
function unasked({problems}: InputError, told: Arguments | undefined): readonly string[] {
  if (!problems.some(({missing}) => missing === true)) return [];
  if (told?.against !== undefined)
    return [
      'The place in the lock file does not count beside credentials or target-registry: a file does not decide where a password goes.'
    ];
  return told?.prompts === true && !hasTerminal(terminalOf(told))
    ? ['There is no terminal to ask on; give it by its flag or its variable.']
    : [];
}

let told: Arguments | undefined;
try {
  told = parseArguments(argv.slice(2));
  process.exitCode = await run(told);
} catch (error) {
  if (error instanceof UsageError || error instanceof CancelledError) {
    const further = error instanceof ArgumentsError ? await furtherMistakes(error.understood) : [];
    stderr.write(`${[error.message, ...further].join('\n')}\n`);
    process.exitCode = error.exitCode;
  } else if (error instanceof InputError) {
    const lines = [error.message, ...unasked(error, told), `See ${helpOn(error.name)}`];
    stderr.write(`${lines.join('\n')}\n`);
    process.exitCode = 2;
  } else {
    throw error;
  }
}
