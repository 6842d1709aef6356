import {tmpdir} from 'node:os';

import {type Arguments, parseArguments} from './cli/arguments.ts';
import {demo, demoDocument} from './cli/demo.ts';
import {CancelledError, UsageError} from './cli/error.ts';
import {helpText} from './cli/help.ts';
import {readPasswordFrom} from './cli/password.ts';
import {askForMissing} from './cli/prompts.ts';
import {verifyCommand} from './cli/verify.ts';
import {version} from './cli/version.ts';
import {InputError} from './inputs/error.ts';
import {combine, type Given} from './inputs/given.ts';
import {readSettings, readVariables} from './inputs.ts';
import {main} from './main.ts';
import {helpOn} from './report/help.ts';
import type {Reporter} from './report/reporter.ts';
import {terminalReporter} from './report/terminal.ts';
import {hasFailed} from './report/verdict.ts';
import {onCancel} from './run/cancel.ts';
import {noUndo} from './run/saved.ts';

const {argv, env, stdin, stdout, stderr} = process;

/** What is missing is asked for where the result is not expected: standard output may be a pipe. */
function terminalOf({json}: Arguments) {
  return {input: stdin, output: json ? stderr : stdout};
}

async function given(told: Arguments, reporter: Reporter): Promise<Given> {
  const parts = [told.given, readVariables(env, reporter.log)];
  const name = told.passwordOnStdin;
  if (name !== undefined) {
    parts.unshift(new Map([[name, {value: await readPasswordFrom(stdin), origin: 'flag'}]]));
  }
  const known = combine(...parts);
  // What a lock file says need not be asked for.
  return told.prompts && told.against === undefined
    ? await askForMissing(known, terminalOf(told))
    : known;
}

/** @returns the exit code: 0 done, 1 failed, 2 wrong usage */
async function run(told: Arguments): Promise<number> {
  if (told.command === 'help') stdout.write(helpText(stdout.columns));
  else if (told.command === 'version') stdout.write(`${version}\n`);
  else {
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
      verbose: env.DEBUG === 'arcdata-mirror'
    });
    const cancel = onCancel();
    const stage = {reporter, env, signal: cancel.signal, runnerTemp: tmpdir(), undo: noUndo};
    try {
      if (command === 'demo') {
        const code = await demo(stage);
        if (json) write(demoDocument(results));
        return code;
      }
      const known = await given(told, reporter);
      if (command === 'verify') {
        return await verifyCommand(known, {
          ...stage,
          against: told.against,
          ...(json && {json: write})
        });
      }
      return hasFailed(await main(readSettings(known, reporter.log, env), stage)) ? 1 : 0;
    } finally {
      cancel.end();
    }
  }
  return 0;
}

try {
  process.exitCode = await run(parseArguments(argv.slice(2)));
} catch (error) {
  if (error instanceof UsageError || error instanceof CancelledError) {
    stderr.write(`${error.message}\n`);
    process.exitCode = error.exitCode;
  } else if (error instanceof InputError) {
    stderr.write(`${error.message}\nSee ${helpOn(error.name)}\n`);
    process.exitCode = 2;
  } else {
    throw error;
  }
}
