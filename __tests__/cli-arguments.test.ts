import {execFileSync} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {PassThrough, Readable} from 'node:stream';
import {setImmediate} from 'node:timers/promises';
import {stripVTControlCharacters} from 'node:util';

import {describe, expect, it} from '@jest/globals';

import {ownFlags, parseArguments} from '../src/cli/arguments.ts';
import {CancelledError, UsageError} from '../src/cli/error.ts';
import {helpText} from '../src/cli/help.ts';
import {mistakesIn} from '../src/cli/mistakes.ts';
import {readPasswordFrom} from '../src/cli/password.ts';
import {askForMissing} from '../src/cli/prompts.ts';
import {openAgainst, verifyCommand} from '../src/cli/verify.ts';
import type {Given, GivenValue} from '../src/inputs/given.ts';
import {type InputName, inputTable} from '../src/inputs/table.ts';
import {terminalReporter} from '../src/report/terminal.ts';

function values(given: Given): Record<string, string> {
  return Object.fromEntries([...given].map(([name, {value}]) => [name, value]));
}

/** What is wrong with a command line, in lines. */
function mistakes(...argv: string[]): string[] {
  try {
    parseArguments(argv);
    return [];
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    expect(error.exitCode).toBe(2);
    return error.message.split('\n');
  }
}

describe('flags', () => {
  it('have the names of the inputs, and remember that they were flags', () => {
    const {given, ...rest} = parseArguments([
      '--source-registry=a.example.com',
      '--target-registry',
      'b.example.com',
      '--dry-run',
      '--no-publish'
    ]);
    expect([...given]).toEqual([
      ['source-registry', {value: 'a.example.com', origin: 'flag'}],
      ['target-registry', {value: 'b.example.com', origin: 'flag'}],
      ['dry-run', {value: 'true', origin: 'flag'}],
      ['publish', {value: 'false', origin: 'flag'}]
    ]);
    expect(rest).toEqual({command: 'mirror', json: false, prompts: true});
  });

  const flags = inputTable.filter(
    ({form, name}) => form !== 'secret' && !name.startsWith('docker-')
  );
  it.each(flags)('--$name is one', ({name, form}) => {
    const value = form === 'boolean' ? 'false' : '7';
    expect(values(parseArguments([`--${name}=${value}`]).given)).toEqual({[name]: value});
  });

  it('of lists repeat, or take commas', () => {
    const {given} = parseArguments([
      ...['--source-tag', '1.45,1.46', '--source-tag=catch-up'],
      ...['--images', '-arc-dns', '--images=+new,-arc-sb-plugin']
    ]);
    expect(values(given)).toEqual({
      'source-tag': '1.45\n1.46\ncatch-up',
      images: '-arc-dns\n+new\n-arc-sb-plugin'
    });
  });

  it('of booleans may say their value, right or wrong', () => {
    expect(values(parseArguments(['--publish=false', '--dry-run=maybe']).given)).toEqual({
      publish: 'false',
      'dry-run': 'maybe'
    });
  });

  it.each<[string[], object]>([
    [['--json'], {json: true}],
    [['--yes'], {prompts: false}],
    [['--no-input'], {prompts: false}],
    [['--source-password-stdin'], {passwordOnStdin: 'source-password'}],
    [['--target-password-stdin'], {passwordOnStdin: 'target-password'}],
    [['demo'], {command: 'demo'}],
    [['verify', '--json'], {command: 'verify', json: true}],
    [['--json', 'mirror'], {command: 'mirror', json: true}],
    [['help', 'verify'], {command: 'help'}],
    [['verify', '--help'], {command: 'help'}],
    [['-h'], {command: 'help'}],
    [['--version'], {command: 'version'}],
    [[], {command: 'mirror'}]
  ])('%j is understood', (argv, meant) => {
    expect(parseArguments(argv)).toMatchObject(meant);
  });

  it.each([
    [['--target-registy=x'], '--target-registy is not known; did you mean --target-registry?'],
    [['--dryrun'], '--dryrun is not known; did you mean --dry-run?'],
    [['--xyzzy'], '--xyzzy is not known (--help'],
    [['--toString'], '--toString is not known'],
    [['--__proto__'], '--__proto__ is not known'],
    [['--no-images'], '--no-images is not known'],
    [['--no-publish=true'], '--no-publish is not known'],
    [['-x'], '-x is not known'],
    [['--json=1'], '--json takes no value'],
    [['--target-tag'], '--target-tag needs a value'],
    [['--target-tag', '--dry-run'], '--target-tag needs a value'],
    [['--images', '--dry-run'], '--images needs a value'],
    [['--timeout', '-1'], '--timeout needs a value'],
    [['--timeout=1', '--timeout=2'], '--timeout is given twice'],
    [['--publish', '--no-publish'], '--publish is given twice'],
    [['vrify'], '"vrify" is no command; did you mean verify?'],
    [['push'], 'known are mirror, demo, verify, help, version'],
    [['demo', 'verify'], 'nothing is expected behind demo'],
    [['mirror', '--dry-run', 'false'], 'a boolean takes its value with ='],
    [['--\u001b[2Jx'], 'is not known']
  ])('%j is refused: %s', (argv, rule) => {
    const found = mistakes(...argv);
    expect(found).toEqual([expect.stringContaining(rule)]);
    expect(found.join()).not.toContain('\u001b');
  });

  it('are judged all together', () => {
    expect(mistakes('--x', '--y', '--target-tag')).toHaveLength(3);
  });
});

describe('passwords on the command line', () => {
  it.each([
    ['--source-password=Canary'],
    ['--target-password', 'Canary'],
    ['--target-password', '--Canary'],
    ['--target-pasword', 'Canary'],
    ['--target-pasword=Canary'],
    ['-p', 'Canary'],
    ['-pCanary'],
    ['--password=Canary'],
    ['--json=Canary'],
    ['--target-password-stdin=Canary'],
    ['--target-password-stdin', 'Canary'],
    ['Canary', '--target-password-stdin']
  ])('%s %s is refused unshown', (...argv) => {
    const found = mistakes(...argv.filter(part => typeof part === 'string'));
    expect(found).not.toEqual([]);
    expect(found.join()).not.toContain('anary');
  });

  it('are pointed to where they belong', () => {
    expect(mistakes('--target-password=x')).toEqual([
      expect.stringMatching(/set TARGET_DOCKER_PASSWORD, use --target-password-stdin/)
    ]);
  });

  it('come over standard input one at a time', () => {
    expect(mistakes('--target-passwd=x')).toEqual([
      '--target-passwd is not known; did you mean --target-password-stdin? (--help lists all flags)'
    ]);
    expect(mistakes('--source-password-stdin', '--target-password-stdin')).toEqual([
      expect.stringContaining('only one password')
    ]);
  });
});

describe('a word that is no command', () => {
  it('is told with what may have been meant', () => {
    expect(mistakes('miror')).toEqual([
      expect.stringMatching(/^"miror" is no command; did you mean mirror\? Known are mirror, demo,/)
    ]);
    expect(mistakes('xyzzy-plugh')).toEqual([
      expect.stringMatching(/^a word on the command line is no command; known are mirror, demo,/)
    ]);
  });
});

describe('a password on standard input', () => {
  it('is read to the end, whatever its pieces', async () => {
    const bytes = Buffer.from('Cänary\n');
    const pieces = Readable.from([bytes.subarray(0, 2), bytes.subarray(2)]);
    await expect(readPasswordFrom(pieces)).resolves.toBe('Cänary');
  });

  it('is not waited for once the run is cancelled', async () => {
    const cancel = new AbortController();
    const waiting = readPasswordFrom(new PassThrough(), cancel.signal);
    cancel.abort();
    await expect(waiting).rejects.toThrow(CancelledError);
  });

  it.each<[string, () => Readable & {isTTY?: boolean}]>([
    ['nothing is piped', () => Object.assign(new PassThrough(), {isTTY: true})],
    ['is empty', () => Readable.from([])],
    ['more than 65536', () => Readable.from([Buffer.alloc(40_000), Buffer.alloc(40_000)])],
    ['did not end in time', () => new PassThrough()],
    [
      'EIO',
      () =>
        new Readable({
          read() {
            this.destroy(Object.assign(new Error('Canary'), {code: 'EIO'}));
          }
        })
    ]
  ])('is refused: %s', async (rule, stream) => {
    const refused = readPasswordFrom(stream(), undefined, 50);
    await expect(refused).rejects.toThrow(UsageError);
    await expect(refused).rejects.toThrow(rule);
    await expect(refused).rejects.not.toThrow('Canary');
  });
});

/** A terminal at which somebody gives these answers, one to each question that holds the words. */
class Person {
  readonly input = Object.assign(new PassThrough(), {isTTY: true});
  readonly output = Object.assign(new PassThrough(), {isTTY: true, columns: 100});
  readonly asked: string[] = [];
  shown = '';
  #unread = '';

  constructor() {
    // Like the real ones, it outlives what is piped into it.
    this.output.end = () => this.output;
    this.output.on('data', (chunk: Buffer) => {
      this.shown += String(chunk);
      this.#unread += stripVTControlCharacters(String(chunk));
    });
  }

  async answer(dialogue: readonly (readonly [string, string])[]): Promise<void> {
    for (const [words, reply] of dialogue) {
      for (let turn = 0; !this.#unread.includes(words); turn++) {
        if (turn > 10_000) throw new Error(`never asked: ${words}; last: ${this.#unread}`);
        await setImmediate();
      }
      this.asked.push(words);
      this.#unread = '';
      this.input.write(reply);
    }
  }
}

describe('questions', () => {
  const nothing: Given = new Map();

  it('are the ten of the script, with defaults, passwords masked', async () => {
    const person = new Person();
    const [given] = await Promise.all([
      askForMissing(nothing, person),
      person.answer([
        ['Registry to copy from (mcr.microsoft.com)', '\n'],
        ['Repository there (arcdata)', 'team/arcdata\n'],
        ['User name there', 'reader\n'],
        ['Password there', 'Canary-1\n'],
        ['Release to copy (latest)', '1.46\n'],
        ['Registry to copy to', 'acr.io\n'],
        ['Repository there (arcdata)', '\n'],
        ['User name there', 'writer\n'],
        ['Password there', 'Canary-2\n'],
        ['Tag there', '\n']
      ])
    ]);
    expect(values(given)).toEqual({
      'source-registry': 'mcr.microsoft.com',
      'source-repository': 'team/arcdata',
      'source-username': 'reader',
      'source-password': 'Canary-1',
      'source-tag': '1.46',
      'target-registry': 'acr.io',
      'target-repository': 'arcdata',
      'target-username': 'writer',
      'target-password': 'Canary-2'
    });
    expect([...given.values()].every(({origin}) => origin === 'prompt')).toBe(true);
    expect(person.shown).toContain('********');
    expect(person.shown).not.toContain('Canary');
  });

  it('are not asked for what is given, nor for passwords of nobody', async () => {
    const person = new Person();
    const names: readonly InputName[] = ['source-registry', 'source-repository', 'source-tag'];
    const before = new Map(names.map(name => [name, {value: 'x', origin: 'variable'} as const]));
    const [given] = await Promise.all([
      askForMissing(before, person),
      person.answer([
        ['User name there', '\n'],
        ['Registry to copy to', 'acr.io\n'],
        ['Repository there', '\n'],
        ['User name there', '\n'],
        ['Tag there', 'v1\n']
      ])
    ]);
    expect(values(given)).toMatchObject({'target-repository': 'arcdata', 'target-tag': 'v1'});
    expect(given.has('source-username')).toBe(false);
    expect(given.get('source-tag')).toBe(before.get('source-tag'));
    expect(person.shown).not.toContain('Password');
  });

  it('take several releases with commas between them, as the flag does', async () => {
    const person = new Person();
    const names = inputTable.map(({name}) => name).filter(name => name !== 'source-tag');
    const before = new Map(names.map(name => [name, {value: 'x', origin: 'flag'} as const]));
    const [given] = await Promise.all([
      askForMissing(before, person),
      person.answer([['Release to copy', '\u00151.45, 1.46\n']])
    ]);
    expect(given.get('source-tag')?.value).toBe('1.45\n 1.46');
  });

  it('are asked again when an answer breaks a rule', async () => {
    const person = new Person();
    const names = inputTable.map(({name}) => name).filter(name => !name.startsWith('target-reg'));
    const before: Given = new Map([
      ...names.map(name => [name, {value: 'x', origin: 'flag'}] as const),
      ['insecure-registries', {value: 'b c\nlab:5000', origin: 'flag'}]
    ]);
    const [given] = await Promise.all([
      askForMissing(before, person),
      person.answer([
        ['Registry to copy to', '\n'],
        ['An answer is needed', 'http://acr.io\n'],
        ['insecure-registries', '\u0015http://lab:5000\n']
      ])
    ]);
    expect(given.get('target-registry')?.value).toBe('http://lab:5000');
  });

  it.each([
    ['source-repository', 'Repository there', 'Team', 'lower-case'],
    ['source-username', 'User name there', 'a:b', 'colon'],
    ['source-tag', 'Release to copy', 'newest:0', 'from 1 to'],
    ['target-tag', 'Tag there', '-a', 'is not a tag'],
    ['target-password', 'Password there', '   ', 'An answer is needed']
  ] as const)('for %s (%s) hold %j to its rule', async (name, question, wrong, rule) => {
    const person = new Person();
    const names = inputTable.map(row => row.name).filter(other => other !== name);
    const before = new Map(names.map(other => [other, {value: 'x', origin: 'flag'} as const]));
    const ended = new AbortController();
    const asking = askForMissing(before, person, ended.signal);
    asking.catch(() => undefined);
    await person.answer([
      [question, `${wrong}\n`],
      [rule, '']
    ]);
    ended.abort();
    await expect(asking).rejects.toThrow(CancelledError);
  });

  it('are not asked while a flag or a variable is wrong: they would have to be answered again', async () => {
    const person = new Person();
    const before: Given = new Map([['timeout', {value: 'soon', origin: 'flag'}]]);
    const asking = askForMissing(before, person, undefined, given => mistakesIn(given, {}));
    await expect(asking).rejects.toThrow(/^--timeout: "soon" is not a whole number of minutes/);
    expect(person.shown).toBe('');
    // What is only missing is what they are for.
    const ended = new AbortController();
    const half: Given = new Map([['target-username', {value: 'writer', origin: 'flag'}]]);
    const open = askForMissing(half, person, ended.signal, given => mistakesIn(given, {}));
    open.catch(() => undefined);
    await person.answer([['Registry to copy from', '']]);
    ended.abort();
    await expect(open).rejects.toThrow(CancelledError);
  });

  it('end at Ctrl-C', async () => {
    const person = new Person();
    const asking = askForMissing(nothing, person);
    asking.catch(() => undefined);
    await person.answer([['Registry to copy from', '\u0003']]);
    await expect(asking).rejects.toMatchObject({name: 'CancelledError', exitCode: 130});
  });

  it.each(['input', 'output'] as const)('are not asked when %s is no terminal', async side => {
    const person = new Person();
    person[side].isTTY = false;
    await expect(askForMissing(nothing, person)).resolves.toBe(nothing);
    expect(person.shown).toBe('');
  });
});

describe('help', () => {
  it.each(inputTable)('tells of $name', ({form, name, variable = ''}) => {
    const text = helpText();
    const flag =
      form === 'secret' ? variable : form === 'boolean' ? `--[no-]${name}` : `--${name} `;
    expect(text).toContain(`  ${flag}`);
    expect(text).toContain(variable);
  });

  it('tells of the flags of its own and the exit codes', () => {
    const text = helpText();
    for (const name of Object.keys(ownFlags)) expect(text).toContain(`  --${name} `);
    expect(text).toContain('0 done, 1 failed, 2 wrong usage');
    expect(text).not.toMatch(/--(?:source|target)-password(?!-stdin)/);
  });

  it.each([10, 80, 100, 500])('fits into %d columns, within reason', width => {
    const longest = Math.max(
      ...helpText(width)
        .split('\n')
        .map(line => line.length)
    );
    expect(longest).toBeLessThanOrEqual(Math.min(120, Math.max(width, 90)));
  });
});

describe('flags that would do nothing', () => {
  it('are refused by demo, and by verify where nothing is mirrored', () => {
    expect(mistakes('demo', '--dry-run', '--images=arc-dns')).toEqual([
      'demo has no use for --dry-run, --images; leave it out'
    ]);
    expect(mistakes('verify', '--engine=docker', '--publish=false', '--images=arc-dns')).toEqual([
      'verify has no use for --engine, --publish; leave it out'
    ]);
    expect(mistakes('demo', '--target-password-stdin')).toEqual([
      'demo has no use for --target-password-stdin; leave it out'
    ]);
    const [coming] = mistakes('verify', '--source-tag=catch-up', '--target-repository=arcdata');
    expect(coming).toMatch(/^verify has nothing to compare with catch-up/);
    expect(mistakes('demo', '--json', '--yes')).toEqual([]);
    expect(mistakes('help', '--dry-run')).toEqual([]);
  });

  it('what docker to install is for workflows, which have a place for it', () => {
    expect(mistakes('--docker-version=29.6.2', '--docker-sha256=x')).toEqual([
      '--docker-version, --docker-sha256 are for workflows, where a docker client may be installed; here, install one yourself'
    ]);
    expect(mistakes('--docker-download-url=https://a.example')).toHaveLength(1);
    expect(mistakes('verify', '--docker-version=29.6.2')).toHaveLength(1);
  });

  it('keep-login is for workflows: nothing signs out again here', () => {
    const [mistake] = mistakes('--keep-login', '--target-repository=arcdata');
    expect(mistake).toMatch(/^--keep-login is for workflows.*docker login$/);
    for (const value of ['TRUE', ' True'])
      expect(mistakes(`--keep-login=${value}`, '--target-repository=arcdata')).toEqual([mistake]);
    expect(mistakes('--no-keep-login')).toEqual([]);
    expect(helpText()).toContain('in workflows only');
  });

  it('a value behind a boolean is told how to be written', () => {
    expect(mistakes('--dry-run', 'false').join()).toContain('such as --publish=false');
  });
});

describe('verify', () => {
  it('does not wait for a pipe in place of a lock file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'against-'));
    try {
      const pipe = join(folder, 'pipe');
      execFileSync('mkfifo', [pipe]);
      for (const path of [pipe, folder])
        await expect(openAgainst(path)).rejects.toThrow('it is not a file');
    } finally {
      rmSync(folder, {recursive: true});
    }
  });

  it.each(['variable', 'prompt'] as const)('refuses catch-up from a %s too', async origin => {
    const said: string[] = [];
    const screen = {write: (text: string) => said.push(text)};
    const given = new Map<InputName, GivenValue>([
      ['source-tag', {value: 'catch-up', origin}],
      ['target-registry', {value: 'acr.example', origin}],
      ['target-repository', {value: 'arcdata', origin}]
    ]);
    const verifying = verifyCommand(given, {
      reporter: terminalReporter({
        ...{stdout: screen, stderr: screen, env: {}},
        ...{json: false, tty: false, verbose: false}
      }),
      env: {},
      // Whoever goes on to the registries is stopped there.
      signal: AbortSignal.abort(),
      against: undefined
    });
    await expect(verifying).rejects.toThrow(/^verify has nothing to compare with catch-up/);
    expect(said).toEqual([]);
  });
});
