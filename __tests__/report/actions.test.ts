import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {afterEach, beforeEach, describe, expect, jest, test} from '@jest/globals';

import {InputError} from '../../src/inputs/error.ts';
import {actionsReporter} from '../../src/report/actions.ts';
import {helpOn} from '../../src/report/help.ts';
import {readLockFile} from '../../src/report/lockfile.ts';
import type {RunRecord} from '../../src/report/record.ts';
import type {Reporter} from '../../src/report/reporter.ts';
import {mistakesSummary} from '../../src/report/summary.ts';
import {hasFailed} from '../../src/report/verdict.ts';
import {
  allHostile,
  everyLevel,
  hostile,
  lineFindings,
  logFindings,
  summaryFindings
} from '../support/oracle-injection.ts';
import {aRecord, aRelease, anImage, names} from '../support/records.ts';
import {asStep} from '../support/runner.ts';

const tag = 'v1.46.0_2026-05-12';
const may = () => new Date('2026-05-14T06:00:00Z');

let home = '';
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'report-'));
});
afterEach(async () => {
  await rm(home, {recursive: true});
});

const speak = (body: (reporter: Reporter) => unknown, variables: Record<string, string> = {}) =>
  asStep(
    {},
    async () => {
      await body(actionsReporter(process.env, may));
    },
    variables
  );
const finish = (record: RunRecord, variables: Record<string, string> = {}) =>
  speak(
    reporter => reporter.finish({...record, lockFile: join(home, 'arcdata.lock.json')}),
    variables
  );

describe('finish', () => {
  test('sets outputs, writes the summary and the lock file', async () => {
    const step = await finish(aRecord([aRelease(tag)]));
    expect(Object.keys(step.outputs).sort()).toEqual(
      [
        ...names,
        'images',
        'release',
        'releases',
        'changed',
        'bytes-copied',
        'bytes-mounted',
        'bytes-present',
        'lock-file',
        'hand-over'
      ].sort()
    );
    expect(step.outputs['arc-controller']).toMatch(
      /^myregistry\.azurecr\.io\/mirror\/arcdata\/arc-controller:v1\.46\.0_2026-05-12@sha256:[0-9a-f]{64}$/
    );
    expect(JSON.parse(step.outputs['hand-over'] ?? '')).toMatchObject({
      docker: {registry: 'myregistry.azurecr.io', repository: 'mirror/arcdata', imageTag: tag},
      cli: '1.5.31',
      chart: '1.46.0'
    });
    expect(step.summary).toContain('### ✅ Mirrored 5 images');
    expect(summaryFindings(step.summary)).toEqual([]);
    expect(step.outputs['lock-file']).toBe(join(home, 'arcdata.lock.json'));
    expect(readLockFile(await readFile(join(home, 'arcdata.lock.json'), 'utf8'))).toMatchObject({
      releases: [{tag, published: true}]
    });
    expect(step.log).toMatch(/^Mirrored 5 images of .*\n$/);
    expect(step.commands).toEqual([]);
    expect(step.failed).toBe(false);
  });

  test('annotates ten failures each by itself, of more nine and the number of the rest', async () => {
    const images = (count: number) =>
      Array.from({length: count}, (_, i) =>
        anImage(tag, `arc-${i}`, {
          status: 'failed',
          error: {
            message: `Layer ${i} was lost.`,
            host: 'h',
            status: 404,
            attempts: 1,
            advice: 'Ask.'
          }
        })
      );
    const ten = await finish(aRecord([aRelease(tag, 'failed', {images: images(10)})]));
    const titles = (count: number) => Array.from({length: count}, (_, i) => `arc-${i} of ${tag}`);
    expect(ten.commands.map(({properties}) => properties.title)).toEqual(titles(10));
    expect(ten.commands[3]).toEqual({
      name: 'error',
      properties: {title: `arc-3 of ${tag}`},
      data: 'Layer 3 was lost (host h, status 404, 1 attempt). Ask.',
      version: 2
    });
    const eleven = await finish(aRecord([aRelease(tag, 'failed', {images: images(11)})]));
    expect(eleven.commands.map(({properties}) => properties.title)).toEqual([
      ...titles(9),
      'More failures'
    ]);
    expect(eleven.commands.at(-1)?.data).toBe(
      '2 more images failed; the job summary and the output images name them.'
    );
    // As every run that failed so, it has a failure of its own besides.
    const half = {failure: {message: `${tag} is not published`}};
    const withOwn = await finish(aRecord([aRelease(tag, 'failed', {images: images(10)})], half));
    expect(withOwn.commands.at(-1)?.data).toBe(
      '1 more image failed; the job summary and the output images name them.'
    );
    // The last cause hit another image, too.
    const others = images(11)
      .slice(-1)
      .map(one => ({...one, name: 'arc-other'}));
    const step = await finish(
      aRecord([aRelease(tag, 'failed', {images: [...images(11), ...others]})])
    );
    expect(step.commands.at(-1)?.data).toContain('3 more images failed');
  });

  test('annotates a cause once, whatever it hit', async () => {
    const images = names.map(name =>
      anImage(tag, name, {status: 'failed', error: {message: 'The run was cancelled'}})
    );
    const failure = {message: 'The run was cancelled'};
    const step = await finish(aRecord([aRelease(tag, 'failed', {images})], {failure}));
    expect(step.commands).toEqual([
      {
        name: 'error',
        properties: {title: `arc-controller-db of ${tag} and 4 more images`},
        data: 'The run was cancelled.',
        version: 2
      }
    ]);
    expect(step.log).toContain(
      `Failed: The run was cancelled; ${tag} was not published: 5 of 5 images failed.\n`
    );
  });

  test('a failure of the run is told once', async () => {
    const failure = {message: 'myregistry.azurecr.io refused the password.'};
    const step = await finish(aRecord([], {failure}));
    expect(step.commands.map(({name, data}) => [name, data])).toEqual([['error', failure.message]]);
    expect(step.outputs.images).toBe('[]');
    expect(step.outputs['lock-file']).toBe('');
    const error = {message: 'gone'};
    const images = [anImage(tag, 'arc-dns', {status: 'failed', error})];
    const both = await finish(aRecord([aRelease(tag, 'failed', {images})], {failure: error}));
    expect(both.commands).toHaveLength(1);
  });

  test('the end of support is a warning', async () => {
    const step = await speak(reporter =>
      reporter.finish(aRecord([aRelease('v1.35.0_2024-11-12')]))
    );
    expect(step.commands.map(({name, data}) => [name, data])).toContainEqual([
      'warning',
      'Support of v1.35.0_2024-11-12 ended on 2025-11-11; mirror a newer release.'
    ]);
  });

  test('is quiet where there is no summary', async () => {
    const step = await finish(aRecord([aRelease(tag)]), {GITHUB_STEP_SUMMARY: ''});
    expect(step.commands).toEqual([]);
    expect(step.outputs.release).toBe(tag);
  });

  test('one part that fails is a warning and keeps nothing back', async () => {
    const step = await speak(
      reporter => reporter.finish({...aRecord([aRelease(tag)]), lockFile: home}),
      {GITHUB_STEP_SUMMARY: join(home, 'not', 'there')}
    );
    const warnings = step.commands.filter(({name}) => name === 'warning').map(({data}) => data);
    expect(warnings).toEqual([
      expect.stringMatching(/^The lock file could not be written: /),
      expect.stringMatching(/^The job summary could not be written: /)
    ]);
    expect(step.outputs.release).toBe(tag);
    expect(step.outputs['lock-file']).toBe('');
  });

  test('outputs that cannot be set fail the run, and hide no other failure', async () => {
    const blind = {GITHUB_OUTPUT: join(home, 'no', 'file')};
    let told: RunRecord | undefined;
    const step = await speak(async reporter => {
      told = await reporter.finish(aRecord([aRelease(tag)]));
    }, blind);
    expect(told !== undefined && hasFailed(told)).toBe(true);
    expect(step.commands.map(({name, data}) => [name, data])).toEqual([
      ['error', expect.stringMatching(/^the outputs could not be written: Missing file/)]
    ]);
    expect(step.summary).toContain(`${tag} is whole at`);
    const failure = {message: 'r.example answers 403', kind: 'RegistryError'};
    const failed = await finish(aRecord([aRelease(tag, 'failed')], {failure}), blind);
    expect(failed.commands.map(({name, data}) => [name, data])).toContainEqual([
      'warning',
      expect.stringMatching(/^The outputs could not be written: Missing file/)
    ]);
  });

  test('a lock file that was asked for and cannot be written fails the run', async () => {
    let told: RunRecord | undefined;
    const step = await speak(async reporter => {
      told = await reporter.finish({
        ...aRecord([aRelease(tag)]),
        ...{lockFile: home, lockFileAsked: true}
      });
    });
    expect(told !== undefined && hasFailed(told)).toBe(true);
    expect(step.commands.map(({name, data}) => [name, data])).toEqual([
      ['error', expect.stringMatching(/^the lock file could not be written: .*lock-file/)]
    ]);
    // What was done is told all the same.
    expect(step.outputs.release).toBe(tag);
    expect(step.summary).toContain(`${tag} is whole at`);
  });

  test('a lock file that cannot be written does not hide why the run failed', async () => {
    let told: RunRecord | undefined;
    const failure = {message: 'r.example answers 403', kind: 'RegistryError'};
    const step = await speak(async reporter => {
      told = await reporter.finish({
        ...aRecord([aRelease(tag, 'failed')], {failure}),
        ...{lockFile: home, lockFileAsked: true}
      });
    });
    expect(told?.failure?.message).toBe(failure.message);
    expect(step.commands.map(({name, data}) => [name, data])).toContainEqual([
      'warning',
      expect.stringMatching(/^The lock file could not be written/)
    ]);
  });

  test('the mistakes of inputs stand in the summary, as text', () => {
    const {message} = new InputError([
      {input: 'images', message: 'images: "<b>" is not the name of an image'},
      {input: 'timeout', message: 'timeout: "x" is not a whole number'}
    ]);
    const help = helpOn('InputError');
    const text = mistakesSummary(message, help);
    expect(text).toMatch(/^### ❌ The inputs hold 2 mistakes/);
    expect(text).toContain('\n- images: ');
    expect(text).toContain('\n- timeout: ');
    expect(text).toContain(`(${help})`);
    expect(summaryFindings(text)).toEqual([]);
  });

  test('a hand-over that cannot be pasted does not keep the outputs back', async () => {
    const step = await finish(aRecord([aRelease(tag, 'copied', {targetTag: 'a$(id)'})]));
    expect(step.commands.map(({data}) => data)).toEqual([
      expect.stringMatching(/^The hand-over could not be written: .*not safe to paste/)
    ]);
    expect(step.outputs['hand-over']).toBe('');
    expect(step.outputs['arc-controller']).toContain('arc-controller');
  });

  test('a folder for the lock file that is none is named', async () => {
    await writeFile(join(home, 'plain'), '');
    const record = {...aRecord([aRelease(tag)]), lockFile: join(home, 'plain', 'lock.json')};
    const step = await speak(reporter => reporter.finish(record));
    expect(step.commands[0]?.data).toMatch(
      /^The lock file could not be written: E(?:EXIST|NOTDIR)/
    );
  });
});

describe('nothing foreign gets out', () => {
  test.each([...hostile, allHostile])('%j', async text => {
    const error = {message: text, advice: text, host: text, repository: text};
    const images = [
      anImage(tag, text, {status: 'failed', error}),
      anImage(tag, 'arc-dns', {platforms: [text], mediaType: text})
    ];
    const releases = [
      aRelease(text, 'copied', {images, targetTag: text, missing: [text]}),
      aRelease(tag)
    ];
    const record = aRecord(releases, {failure: {message: `the run: ${text}`}});
    const step = await speak(async reporter => {
      const {log} = reporter;
      everyLevel(log, text);
      everyLevel(log, `an indented list:\n  ${text}`);
      await reporter.group(text, () => reporter.group(text, () => Promise.resolve()));
      reporter.planned({
        releases: [text],
        images: 1,
        blobsToCopy: 1,
        bytesToCopy: 1,
        bytesToMount: 0,
        bytesPresent: 0
      });
      await reporter.finish({...record, lockFile: join(home, 'lock.json')});
    });
    expect(logFindings(step.log)).toEqual([]);
    expect(summaryFindings(step.summary)).toEqual([]);
    expect(Object.keys(step.outputs).sort()).toEqual(
      [
        ...names,
        'images',
        'release',
        'releases',
        'changed',
        'bytes-copied',
        'bytes-mounted',
        'bytes-present',
        'lock-file',
        'hand-over'
      ].sort()
    );
    for (const value of Object.values(step.outputs)) expect(lineFindings(value)).toEqual([]);
    expect(step.outputs.release).toBe(tag);
  });
});

describe('secrets', () => {
  const canaries = [`can"ary $x%y'z 1`, 'kanarienvögel✓', 'tok/en+with=signs'];

  test.each(canaries)('%j is masked for the runner, and by us everywhere', async canary => {
    const pair = Buffer.from(`user:${canary}`).toString('base64');
    const forms = [canary, JSON.stringify(canary).slice(1, -1), encodeURIComponent(canary), pair];
    const error = {message: `refused: ${forms.join(' ')}`, advice: canary};
    const images = [anImage(tag, 'arc-dns', {status: 'failed', error})];
    const step = await speak(async reporter => {
      const {log} = reporter;
      log.secret(canary);
      log.secret('');
      everyLevel(log, forms.join('\n'));
      await reporter.group(canary, () => Promise.resolve());
      await reporter.finish({
        ...aRecord([aRelease(tag, 'failed', {images})], {failure: error}),
        lockFile: join(home, 'lock.json')
      });
    });
    expect(step.commands.filter(({name}) => name === 'add-mask')).toEqual([
      {name: 'add-mask', properties: {}, data: canary, version: 2}
    ]);
    const rest = step.log
      .split('\n')
      .filter(line => !line.startsWith('::add-mask::'))
      .join('\n');
    const lock = await readFile(join(home, 'lock.json'), 'utf8');
    for (const form of forms) {
      expect(rest).not.toContain(form);
      expect(step.summary).not.toContain(form);
      expect(JSON.stringify(step.outputs)).not.toContain(form);
      expect(lock).not.toContain(form);
    }
  });

  test('a very short one is left to the runner', async () => {
    const step = await speak(({log}) => {
      log.secret('ab');
      log.info('able cable');
    });
    expect(step.log).toContain('::add-mask::ab');
    expect(step.log).toContain('able cable');
  });
});

describe('while it runs', () => {
  test('a group in a group is a heading, and both end', async () => {
    const step = await speak(async reporter => {
      const value = await reporter.group('Outer', async () => {
        await reporter.group('Inner', () => Promise.resolve());
        return 7;
      });
      expect(value).toBe(7);
      await expect(
        reporter.group('Broken', () => {
          reporter.log.info('so far');
          return Promise.reject(new Error('no'));
        })
      ).rejects.toThrow('no');
    });
    expect(step.log.trim().split('\n')).toEqual([
      '::group::Outer',
      'Inner',
      '::endgroup::',
      '::group::Broken',
      'so far',
      '::endgroup::'
    ]);
  });

  test('a group in which nothing is said is not there, and the plan is folded into none', async () => {
    const figures = {
      releases: [tag],
      images: 20,
      blobsToCopy: 1,
      bytesToCopy: 5,
      bytesToMount: 0,
      bytesPresent: 0
    };
    const step = await speak(async reporter => {
      await reporter.group('Empty', () => Promise.resolve());
      for (const words of [[], ['look']]) {
        await reporter.group('Plan', () => {
          reporter.planned(figures);
          for (const word of words) reporter.log.warning(word);
          return Promise.resolve();
        });
      }
      reporter.planned(figures);
    });
    const plan = `Plan: 20 images of ${tag}: 5 B to copy in 1 blob, 0 B to mount, 0 B already there`;
    expect(step.log.trim().split('\n')).toEqual([
      plan,
      '::group::Plan',
      '::warning::look',
      '::endgroup::',
      plan,
      plan
    ]);
  });

  test('progress is a line every ten seconds, and a last one', async () => {
    const step = await asStep({}, () => {
      jest.useFakeTimers();
      const reporter = actionsReporter(process.env);
      const progress = reporter.progress(1_000_000_000);
      for (let i = 0; i < 4; i++) {
        progress.moved(250_000_000);
        jest.advanceTimersByTime(7_500);
      }
      progress[Symbol.dispose]();
      jest.useRealTimers();
      return Promise.resolve();
    });
    expect(step.log.trim().split('\n')).toEqual([
      'Copied 500 MB of 1.00 GB (50 %), 50.0 MB/s, 10 s left',
      'Copied 750 MB of 1.00 GB (75 %), 37.5 MB/s, 6.7 s left',
      'Copied 1.00 GB of 1.00 GB (100 %), finishing',
      'Copied 1.00 GB in 23 s, 44.4 MB/s on average'
    ]);
  });
});
