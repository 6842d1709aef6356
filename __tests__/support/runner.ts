import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {summary} from '@actions/core';
import {jest} from '@jest/globals';

/** What a step leaves behind, as the runner would read it. */
export interface Step {
  readonly outputs: Readonly<Record<string, string>>;
  readonly summary: string;
  /** Everything on stdout. */
  readonly log: string;
  /** What the runner would take out of the log, in order. */
  readonly commands: readonly Command[];
  readonly failed: boolean;
}

/** Runs `body` as the runner would: inputs (and other variables) in the environment, outputs in files. */
export async function asStep(
  inputs: Readonly<Record<string, string>>,
  body: () => Promise<void>,
  variables: Readonly<Record<string, string>> = {}
): Promise<Step> {
  const home = await mkdtemp(join(tmpdir(), 'step-'));
  const output = join(home, 'output');
  const summaryFile = join(home, 'summary');
  await Promise.all([writeFile(output, ''), writeFile(summaryFile, '')]);

  const given = process.env;
  process.env = {
    ...given,
    GITHUB_OUTPUT: output,
    GITHUB_STEP_SUMMARY: summaryFile,
    RUNNER_TEMP: home,
    RUNNER_TOOL_CACHE: home,
    ...Object.fromEntries(
      Object.entries(inputs).map(([name, value]) => [
        `INPUT_${name.replaceAll(' ', '_').toUpperCase()}`,
        value
      ])
    ),
    ...variables
  };
  // The one summary of a process remembers its file: each step has one of its own.
  Reflect.deleteProperty(summary, '_filePath');
  summary.emptyBuffer();
  const stdout = jest.spyOn(process.stdout, 'write').mockReturnValue(true);
  process.exitCode = 0;
  try {
    await body();
    const log = stdout.mock.calls.map(([chunk]) => String(chunk)).join('');
    return {
      outputs: Object.fromEntries(parseFileCommand(await readFile(output, 'utf8'))),
      summary: await readFile(summaryFile, 'utf8'),
      log,
      commands: log.split('\n').flatMap(line => parseCommand(line) ?? []),
      failed: process.exitCode === 1
    };
  } finally {
    process.exitCode = 0;
    process.env = given;
    stdout.mockRestore();
    await rm(home, {recursive: true});
  }
}

/**
 * Reads GITHUB_OUTPUT (or _ENV, _STATE) as a runner on Linux does: `name=value`, or
 * `name<<delimiter`, lines, `delimiter`; what comes first of `=` and `<<` decides. A later value
 * beats an earlier one; names differ by more than letter case.
 * @throws Error where the runner would fail the step
 * @see https://github.com/actions/runner/blob/main/src/Runner.Worker/FileCommandManager.cs
 */
export function parseFileCommand(text: string): Map<string, string> {
  const values = new Map<string, string>();
  const spelling = new Map<string, string>();
  const set = (name: string, value: string) => {
    const known = spelling.get(name.toLowerCase()) ?? name;
    spelling.set(name.toLowerCase(), known);
    values.set(known, value);
  };
  const lines = text.split('\n');
  // Nothing stands behind the last line break.
  if (lines.at(-1) === '') lines.pop();
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? '';
    if (line === '') continue;
    const equals = line.indexOf('=');
    const here = line.indexOf('<<');
    if (here >= 0 && (equals < 0 || here < equals)) {
      const [name, delimiter] = [line.slice(0, here), line.slice(here + 2)];
      if (name === '' || delimiter === '') throw new Error(`Invalid format '${line}'`);
      const end = lines.indexOf(delimiter, at + 1);
      if (end < 0) throw new Error(`Matching delimiter not found '${delimiter}'`);
      set(name, lines.slice(at + 1, end).join('\n'));
      at = end;
    } else if (equals > 0) {
      set(line.slice(0, equals), line.slice(equals + 1));
    } else {
      throw new Error(`Invalid format '${line}'`);
    }
  }
  return values;
}

/** A workflow command in a line of the log. */
export interface Command {
  readonly name: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly data: string;
  /** 1 for `##[name]`, which counts anywhere in a line, 2 for `::name::` at its beginning. */
  readonly version: 1 | 2;
}

/** Every command that a runner knows. */
const registered = new Set([
  'add-mask',
  'add-matcher',
  'add-path',
  'debug',
  'echo',
  'endgroup',
  'error',
  'group',
  'internal-set-repo-path',
  'notice',
  'remove-matcher',
  'save-state',
  'set-env',
  'set-output',
  'stop-commands',
  'warning'
]);

/**
 * The command in one line of a step's output, found as the runner finds it.
 * @see https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
 */
export function parseCommand(line: string): Command | undefined {
  return parseV2(line) ?? parseV1(line);
}

function parseV2(line: string): Command | undefined {
  // .NET's idea of white space, which holds U+0085 and lacks U+FEFF.
  const text = line.replace(
    /^[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/,
    ''
  );
  const end = text.indexOf('::', 2);
  if (!text.startsWith('::') || end < 0) return undefined;
  const command = split(text.slice(2, end), ',', value =>
    decode(value, {'%0D': '\r', '%0A': '\n', '%3A': ':', '%2C': ','})
  );
  const data = decode(text.slice(end + 2), {'%0D': '\r', '%0A': '\n'});
  return command && {...command, data, version: 2};
}

function parseV1(line: string): Command | undefined {
  const start = line.indexOf('##[');
  const end = line.indexOf(']', start);
  if (start < 0 || end < 0) return undefined;
  const table = {'%3B': ';', '%0D': '\r', '%0A': '\n', '%5D': ']'};
  const command = split(line.slice(start + 3, end), ';', value => decode(value, table));
  return command && {...command, data: decode(line.slice(end + 1), table), version: 1};
}

function split(
  text: string,
  separator: string,
  value: (text: string) => string
): Pick<Command, 'name' | 'properties'> | undefined {
  const blank = text.indexOf(' ');
  const name = (blank < 0 ? text : text.slice(0, blank)).toLowerCase();
  if (!registered.has(name)) return undefined;
  const pairs =
    blank < 0
      ? []
      : text
          .slice(blank + 1)
          .trim()
          .split(separator);
  const properties = pairs.flatMap(pair => {
    const equals = pair.indexOf('=');
    return equals > 0 ? [[pair.slice(0, equals).trim(), value(pair.slice(equals + 1))]] : [];
  });
  return {name, properties: Object.fromEntries(properties) as Record<string, string>};
}

function decode(text: string, table: Readonly<Record<string, string>>): string {
  const plain = text.replace(/%0D|%0A|%3A|%2C|%3B|%5D/g, code => table[code] ?? code);
  return plain.replaceAll('%25', '%');
}
