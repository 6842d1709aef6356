import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {afterEach, beforeEach, describe, expect, jest, test} from '@jest/globals';

import {barLine} from '../../src/report/bar.ts';
import type {RunRecord} from '../../src/report/record.ts';
import type {Reporter} from '../../src/report/reporter.ts';
import {styleFor} from '../../src/report/style.ts';
import {hasFailed} from '../../src/report/verdict.ts';
import {type TerminalOptions, terminalReporter} from '../../src/report/terminal.ts';
import {allHostile, everyLevel, hostile, textFindings} from '../support/oracle-injection.ts';
import {aRecord, aRelease, anImage, names} from '../support/records.ts';

const tag = 'v1.46.0_2026-05-12';
let home = '';
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'terminal-'));
});
afterEach(async () => {
  await rm(home, {recursive: true});
});

function aTerminal(options: Partial<TerminalOptions> & {columns?: number} = {}): {
  readonly out: string[];
  readonly err: string[];
  readonly reporter: Reporter;
  readonly finish: (record: RunRecord) => Promise<RunRecord>;
} {
  const [out, err]: [string[], string[]] = [[], []];
  const {columns, ...rest} = options;
  const screen = (pieces: string[]) => ({columns, write: (text: string) => pieces.push(text)});
  const reporter = terminalReporter({
    stdout: screen(out),
    stderr: screen(err),
    json: false,
    tty: false,
    verbose: false,
    env: {},
    now: () => new Date('2026-05-14T06:00:00Z'),
    ...rest
  });
  const finish = (record: RunRecord) =>
    reporter.finish({...record, lockFile: join(home, 'arcdata.lock.json')});
  return {out, err, reporter, finish};
}

const escape = '\u001b[';
/** What a terminal shows in the end: lines that were drawn over are gone. */
function seen(text: string): string[] {
  return text
    .split('\n')
    .map(line => line.slice(line.lastIndexOf('\r') + 1).replaceAll(`${escape}K`, ''));
}

describe('the result', () => {
  test('is a table, the hand-over, the lock file and one sentence', async () => {
    const {out, err, finish} = aTerminal();
    await finish(aRecord([aRelease(tag)]));
    const lines = out.join('').split('\n');
    expect(lines.slice(0, 9)).toEqual([
      '',
      tag,
      '  image                     size    copied   mounted  status',
      '  arc-controller-db       126 MB   51.0 MB   74.7 MB  ✓ copied',
      '  arc-monitor-collectd    126 MB   51.0 MB   74.7 MB  ✓ copied',
      '  arc-sqlmi               126 MB   51.0 MB   74.7 MB  ✓ copied',
      '  arc-bootstrapper        126 MB   51.0 MB   74.7 MB  ✓ copied',
      '  arc-controller          126 MB   51.0 MB   74.7 MB  ✓ copied',
      '  5 images                629 MB    255 MB    374 MB'
    ]);
    expect(lines).toContain('      imageTag: "v1.46.0_2026-05-12"');
    expect(lines).toContain(`Lock file: ${join(home, 'arcdata.lock.json')}`);
    expect(lines.at(-2)).toMatch(/^✓ Mirrored 5 images of v1\.46\.0_2026-05-12 to /);
    expect(err).toEqual([]);
    expect(out.join('')).not.toContain(escape);
  });

  test('tells failures with all that is known, before the sentence', async () => {
    const error = {
      message: 'A layer was lost',
      host: 'h',
      status: 404,
      attempts: 3,
      advice: 'Ask.'
    };
    const images = [
      anImage(tag, 'arc-dns'),
      anImage(tag, 'arc-sqlmi', {
        status: 'failed',
        error,
        size: 0,
        bytes: {copied: 0, mounted: 0, present: 0}
      })
    ];
    const release = aRelease(tag, 'failed', {images, missing: ['arc-kafka'], targetTag: 'mine'});
    const {out, err, finish} = aTerminal();
    await finish(aRecord([release]));
    const [text, told] = [out.join(''), err.join('')];
    expect(told).toContain(
      '✗ arc-sqlmi: A layer was lost\n  host h, status 404, 3 attempts\n  Ask.\n'
    );
    expect(text).toContain(`${tag} as mine\n`);
    expect(text).toContain('  not at the source: arc-kafka\n');
    expect(text).toMatch(/ {2}arc-sqlmi +- +- +- {2}✗ failed\n/);
    expect(text).not.toContain('spec.docker');
    expect(told.trimEnd().split('\n').at(-1)).toBe(
      `✗ Failed: ${tag} was not published: 1 of 2 images failed.`
    );
  });

  test('tells one cause once, and the images that it hit', async () => {
    const error = (name: string) => ({
      message: `GET /v2/a/${name}/blobs/x: h answers 404`,
      host: 'h',
      repository: `a/${name}`
    });
    const images = names.map(name => anImage(tag, name, {status: 'failed', error: error(name)}));
    const {err, finish} = aTerminal({columns: 60});
    await finish(
      aRecord([aRelease('v1.45.0_2026-04-14'), aRelease(tag, 'failed', {images})], {
        failure: {message: 'It is not whole'}
      })
    );
    expect(err.join('')).toContain(
      [
        `✗ arc-controller-db of ${tag} and 4 more images: h answers 404`,
        '  GET /v2/a/arc-controller-db/blobs/x',
        '  host h, repository a/arc-controller-db',
        `  also arc-monitor-collectd of ${tag}, arc-sqlmi of ${tag}, arc-bootstrapper of ${tag}, arc-controller of ${tag}`,
        '✗ the run: It is not whole',
        ''
      ].join('\n')
    );
  });

  test('leaves out what is to be kept where it is not wanted', async () => {
    const {out, finish} = aTerminal({keep: false});
    await finish(aRecord([aRelease(tag)]));
    expect(out.join('')).not.toMatch(/spec\.docker|Lock file/);
    expect(out.join('')).toContain('✓ Mirrored 5 images');
  });

  test.each([
    [40, ['size']],
    [80, ['size', 'copied', 'mounted']],
    [100, ['size', 'copied', 'mounted', 'there']]
  ])('fits into %d columns, with %j', async (columns, heads) => {
    const images = [...names, 'arc-monitor-opensearch-dashboards'].map(name => anImage(tag, name));
    const {out, finish} = aTerminal({columns, tty: true, env: {NO_COLOR: '1'}, keep: false});
    await finish(aRecord([aRelease(tag, 'copied', {images, missing: [...names]})]));
    const lines = out.join('').split('\n');
    expect(lines.filter(line => line.length >= columns)).toEqual([]);
    expect(lines[2]?.trim().split(/ +/)).toEqual(['image', ...heads, 'status']);
  });

  test('with --json stdout is one document, and people read stderr', async () => {
    const {out, err, reporter, finish} = aTerminal({json: true, verbose: true});
    reporter.log.info('hello');
    reporter.log.debug('details');
    reporter.log.notice('look');
    reporter.log.warning('careful');
    await reporter.group('Plan', () => Promise.resolve());
    reporter.planned({
      releases: [tag],
      images: 1,
      blobsToCopy: 1,
      bytesToCopy: 1,
      bytesToMount: 0,
      bytesPresent: 0
    });
    await finish(aRecord([aRelease(tag)]));
    expect(out).toHaveLength(1);
    expect(out[0]?.endsWith('}\n')).toBe(true);
    expect(JSON.parse(out[0] ?? '')).toMatchObject({
      schemaVersion: 1,
      outcome: 'mirrored',
      release: tag,
      lockFile: join(home, 'arcdata.lock.json'),
      handOver: {docker: {imageTag: tag}},
      requests: {source: 412, target: 1530}
    });
    expect(err.join('')).toMatch(
      /^hello\ndetails\nNote: look\nWarning: careful\n▸ Plan\nPlan: 1 image of /
    );
  });

  test('warnings go to stderr, debug messages only on demand', () => {
    const {out, err, reporter} = aTerminal();
    reporter.log.debug('details');
    reporter.log.info('hello');
    reporter.log.warning('careful');
    expect([out, err]).toEqual([['hello\n'], ['Warning: careful\n']]);
  });

  test('a lock file that cannot be written is a warning', async () => {
    const {out, err, reporter} = aTerminal({json: true});
    await reporter.finish({...aRecord([aRelease(tag)]), lockFile: home});
    expect(err.join('')).toContain('Warning: The lock file could not be written: ');
    expect(JSON.parse(out.join(''))).not.toHaveProperty('lockFile');
  });

  test('one that was asked for fails the run', async () => {
    const {out, err, reporter} = aTerminal({json: true});
    const told = await reporter.finish({
      ...aRecord([aRelease(tag)]),
      ...{lockFile: home, lockFileAsked: true}
    });
    expect(hasFailed(told)).toBe(true);
    expect(err.join('')).toMatch(/✗ Failed: the lock file could not be written: /);
    expect(JSON.parse(out.join(''))).toMatchObject({outcome: 'failed', releases: [tag]});
  });

  test.each([
    ['standard error, where standard output is no terminal', false],
    ['the terminal', true]
  ])('failures go to %s', async (_, tty) => {
    const {out, err, finish} = aTerminal({tty});
    const error = {message: 'A layer was lost'};
    const images = [anImage(tag, 'arc-sqlmi', {status: 'failed', error})];
    await finish(aRecord([aRelease(tag, 'failed', {images})], {failure: error}));
    const [there, elsewhere] = tty ? [out, err] : [err, out];
    expect(there.join('')).toContain('✗ arc-sqlmi: A layer was lost');
    expect(there.join('')).toContain('✗ Failed: ');
    expect(elsewhere.join('')).not.toContain('✗ Failed: ');
    expect(elsewhere.join('')).not.toContain('was lost');
  });

  test.each([...hostile, allHostile])('nothing foreign gets out: %j', async text => {
    const error = {message: text, advice: text, host: text, repository: text};
    const images = [anImage(tag, text, {status: 'failed', error})];
    const release = aRelease(text, 'failed', {images, targetTag: text, missing: [text]});
    const {out, err, reporter, finish} = aTerminal({verbose: true});
    everyLevel(reporter.log, text);
    await reporter.group(text, () => Promise.resolve());
    await finish(aRecord([release], {failure: {message: `it said ${text}`}}));
    for (const line of [...out, ...err].join('').split('\n')) {
      expect(textFindings(line)).toEqual([]);
      expect(line).not.toMatch(/^\s*::|##\[/);
    }
  });

  test('no secret is shown', async () => {
    const secret = 's3cr3t/+value';
    const pair = Buffer.from(`me:${secret}`).toString('base64');
    const error = {message: `${secret} ${pair} ${encodeURIComponent(secret)}`};
    const images = [anImage(tag, 'arc-dns', {status: 'failed', error})];
    const {out, err, reporter, finish} = aTerminal({json: true, verbose: true});
    reporter.log.secret(secret);
    reporter.log.debug(error.message);
    reporter.log.warning(error.message);
    await finish(aRecord([aRelease(tag, 'failed', {images})], {failure: error}));
    for (const form of [secret, pair, encodeURIComponent(secret)]) {
      expect([...out, ...err].join('')).not.toContain(form);
    }
  });
});

describe('on a terminal', () => {
  test('there are colours, unless NO_COLOR or a dumb terminal says no', () => {
    expect(styleFor(true, {}).red('x')).toBe(`${escape}31mx${escape}39m`);
    expect(styleFor(true, {NO_COLOR: ''}).red('x')).toContain(escape);
    expect(styleFor(true, {NO_COLOR: '1'}).red('x')).toBe('x');
    expect(styleFor(true, {TERM: 'dumb'}).red('x')).toBe('x');
    expect(styleFor(false, {}).red('x')).toBe('x');
  });

  test('a bar is redrawn, messages scroll by above it, and it goes away', () => {
    jest.useFakeTimers();
    const {out, err, reporter} = aTerminal({tty: true, env: {NO_COLOR: '1'}, columns: 80});
    const progress = reporter.progress(1_000_000);
    progress.moved(250_000);
    jest.advanceTimersByTime(100);
    expect(seen(out.join(''))).toEqual([
      expect.stringMatching(/^█+.·+ {3}25 % {2}250 kB of 1\.00 MB {2}2\.50 MB\/s {2}0\.3 s left$/)
    ]);
    reporter.log.info('a message');
    jest.advanceTimersByTime(100);
    const lines = seen(out.join(''));
    expect(lines[0]).toBe('a message');
    expect(lines[1]).toMatch(/25 %/);
    reporter.log.warning('to stderr');
    progress.moved(750_000);
    progress[Symbol.dispose]();
    jest.useRealTimers();
    expect(seen(out.join('')).slice(0, 2)).toEqual([
      'a message',
      'Copied 1.00 MB in 0.2 s, 5.00 MB/s on average'
    ]);
    expect(err).toEqual(['Warning: to stderr\n']);
  });

  test('a dumb one gets a line now and then, since it can redraw nothing', () => {
    jest.useFakeTimers();
    const {out, reporter} = aTerminal({tty: true, env: {TERM: 'dumb'}, columns: 80});
    const progress = reporter.progress(1_000_000);
    progress.moved(250_000);
    jest.advanceTimersByTime(10_000);
    reporter.log.info('a message');
    progress.moved(750_000);
    progress[Symbol.dispose]();
    jest.useRealTimers();
    expect(out).toEqual([
      'Copied 250 kB of 1.00 MB (25 %), 25.0 kB/s, 30 s left\n',
      'a message\n',
      'Copied 1.00 MB in 10 s, 100 kB/s on average\n'
    ]);
  });

  test('what stands in a group is indented, and long lines are broken between words', async () => {
    const {out, reporter} = aTerminal({tty: true, env: {NO_COLOR: '1'}, columns: 30});
    await reporter.group('Sign in', async () => {
      reporter.log.info('registry.example.com answers, without credentials');
      reporter.log.info(`an address is not broken: ${'x'.repeat(40)}`);
      await reporter.group('More', () => {
        reporter.log.info('  one\n  two');
        return Promise.resolve();
      });
    });
    await expect(reporter.group('Plan', () => Promise.reject(new Error('no')))).rejects.toThrow();
    reporter.log.info('outside');
    expect(out.join('').split('\n')).toEqual([
      '▸ Sign in',
      '  registry.example.com',
      '  answers, without',
      '  credentials',
      '  an address is not broken:',
      `  ${'x'.repeat(40)}`,
      '  ▸ More',
      '      one',
      '      two',
      '▸ Plan',
      'outside',
      ''
    ]);
  });

  test('a window that became narrower keeps one bar', () => {
    jest.useFakeTimers();
    const out: string[] = [];
    const screen = {columns: 80, write: (text: string) => out.push(text)};
    const reporter = terminalReporter({
      stdout: screen,
      stderr: screen,
      json: false,
      tty: true,
      verbose: false,
      env: {}
    });
    const progress = reporter.progress(1000);
    jest.advanceTimersByTime(100);
    screen.columns = 30;
    jest.advanceTimersByTime(100);
    // The line of 79 columns takes three rows now: two up, and all below is erased.
    expect(out.at(-1)?.startsWith(`${escape}2A\r${escape}J`)).toBe(true);
    jest.advanceTimersByTime(100);
    expect(out.at(-1)?.startsWith('\r')).toBe(true);
    progress[Symbol.dispose]();
    jest.useRealTimers();
  });

  test('without a terminal there are lines every ten seconds', () => {
    jest.useFakeTimers();
    const {out, reporter} = aTerminal();
    const progress = reporter.progress(1000);
    progress.moved(500);
    jest.advanceTimersByTime(10_000);
    progress.moved(500);
    progress[Symbol.dispose]();
    jest.useRealTimers();
    expect(out).toEqual([
      'Copied 500 B of 1.00 kB (50 %), 50 B/s, 10 s left\n',
      'Copied 1.00 kB in 10 s, 100 B/s on average\n'
    ]);
  });

  test('a narrow bar leaves out the rate first, then the bytes', () => {
    const standing = {
      done: 500_000_000,
      total: 1_000_000_000,
      fraction: 0.5,
      rate: 50_000_000,
      left: 10_000,
      elapsed: 10_000
    };
    const facts = (columns: number) =>
      barLine(standing, columns, styleFor(false, {})).replace(/^[^ ]+ +/, '');
    expect(facts(80)).toBe('50 %  500 MB of 1.00 GB  50.0 MB/s  10 s left');
    expect(facts(58)).toBe('50 %  500 MB of 1.00 GB  10 s left');
    expect(facts(40)).toBe('50 %  10 s left');
    expect(barLine({...standing, left: 0}, 80, styleFor(false, {}))).toContain('  finishing');
  });

  test.each([200, 80, 60, 40, 25, 12, 5, 1])('a bar fits into %d columns', columns => {
    const style = styleFor(false, {});
    for (const done of [0, 1, 499_999_999, 1_000_000_000]) {
      const standing = {
        done,
        total: 1_000_000_000,
        fraction: done / 1_000_000_000,
        rate: 123_456_789,
        elapsed: 1000
      };
      expect(barLine({...standing, left: 4_000_000}, columns, style).length).toBeLessThan(columns);
      expect(barLine(standing, columns, style).length).toBeLessThan(columns);
    }
  });
});
