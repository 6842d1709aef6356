import {readFile, stat} from 'node:fs/promises';
import {resolve} from 'node:path';

import {combine, type Given, type GivenValue, isGiven} from '../inputs/given.ts';
import type {InputName} from '../inputs/table.ts';
import {readSettings} from '../inputs.ts';
import type {Log} from '../log.ts';
import {clean} from '../oci/clean.ts';
import {ReportError} from '../report/error.ts';
import {messageOf} from '../report/lines.ts';
import {readLockFile} from '../report/lockfile.ts';
import {Redactor} from '../report/redact.ts';
import type {TerminalReporter} from '../report/terminal.ts';
import {verifyReport, verifyVerdict} from '../report/verification.ts';
import {type Against, verify} from '../run/verify.ts';
import {UsageError} from './error.ts';
import {nothingToCatchUp} from './misplaced.ts';
import {mistakesIn} from './mistakes.ts';

/** What the command needs beside what was given. */
export interface VerifyCommand {
  readonly reporter: TerminalReporter;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  /** The path of a lock file to compare with, instead of the source. */
  readonly against: string | undefined;
  /** Takes the JSON document, where one is wanted. */
  readonly json?: (text: string) => void;
}

/** A larger lock file is not opened, in bytes. */
const largest = 64 * 1024 * 1024;

/**
 * The command `verify`: is the target whole, and equal to the source or to a lock file? It changes
 * nothing.
 * @returns the exit code: 0 whole and equal, 1 not
 * @throws UsageError for a lock file that cannot be read, or a request that names nothing, InputError
 */
export async function verifyCommand(given: Given, command: VerifyCommand): Promise<number> {
  const {reporter, env, signal, json} = command;
  const redactor = new Redactor();
  const log: Log = {
    ...reporter.log,
    secret: value => {
      redactor.add(value);
      reporter.log.secret(value);
    }
  };
  const against =
    command.against === undefined
      ? undefined
      : await openAgainst(command.against, () => mistakesIn(given, env));
  const all = against === undefined ? given : combine(given, placeIn(against, given));
  const settings = readSettings(all, log, env);
  // A variable that is set for the mirror, or an answer, says so as well as a flag.
  if (against === undefined && settings.tags.some(({kind}) => kind === 'catch-up'))
    throw new UsageError(nothingToCatchUp);
  const found = await verify(settings, {reporter, log, env, signal}, against);
  reporter.verified(found);
  json?.(`${JSON.stringify(verifyReport(found, redactor))}\n`);
  return verifyVerdict(found).outcome === 'whole' ? 0 : 1;
}

/**
 * Reads the lock file that the target is compared with.
 * @param further what else is wrong, a line each
 * @throws UsageError
 */
export async function openAgainst(
  name: string,
  further: () => readonly string[] = () => []
): Promise<Against> {
  const path = resolve(name);
  const fail = (reason: string) => {
    const mistake = `--against: ${clean(path, 300)} cannot be used: ${clean(reason, 300)}`;
    return new UsageError([mistake, ...further()].join('\n'));
  };
  try {
    const found = await stat(path);
    // A pipe to which nobody writes would be read for ever.
    if (!found.isFile()) throw fail('it is not a file');
    if (found.size > largest) throw fail('it is larger than any lock file');
    return {path, lockFile: readLockFile(await readFile(path, 'utf8'))};
  } catch (error) {
    if (error instanceof UsageError) throw error;
    if (error instanceof ReportError) throw fail(error.message);
    const {code} = error as NodeJS.ErrnoException;
    throw fail(code === 'ENOENT' ? 'there is no such file' : messageOf(error));
  }
}

/**
 * The place that the lock file was written for, where no other is given. Not where there are
 * credentials for the target: a file does not decide where a password goes.
 */
function placeIn({lockFile}: Against, given: Given): Given {
  const told = (name: InputName) => isGiven(name, given.get(name));
  if (told('target-username') || told('target-password') || told('target-registry'))
    return new Map();
  const slash = lockFile.target.indexOf('/');
  if (slash < 0) return new Map();
  return new Map<InputName, GivenValue>([
    ['target-registry', {value: lockFile.target.slice(0, slash), origin: 'default'}],
    ['target-repository', {value: lockFile.target.slice(slash + 1), origin: 'default'}]
  ]);
}
