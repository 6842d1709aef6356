import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, test} from '@jest/globals';

import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import {buildRelease, sampleNames, seedRelease} from '../../src/demo/sample.ts';
import {freePort} from '../support/program.ts';
import {Job, type StepEnd} from '../support/step.ts';

const tag = 'v1.46.0_2026-05-12';
// What is moved does not matter here, so it is little.
const small = {scale: 0.1};

const errorsOf = ({commands}: StepEnd) =>
  commands
    .filter(({name}) => name === 'error')
    .map(({data}) => data)
    .join('\n');

describe('nothing is half published', () => {
  let source: EmbeddedRegistry;
  let target: EmbeddedRegistry;
  let job: Job;

  beforeEach(async () => {
    source = await EmbeddedRegistry.start();
    target = await EmbeddedRegistry.start();
    job = await Job.begin();
  });

  afterEach(async () => {
    for (const one of [job, source, target]) await one[Symbol.asyncDispose]();
  });

  const run = (more: Readonly<Record<string, string>> = {}) =>
    job.run({
      'source-registry': source.name,
      'target-registry': target.name,
      'target-repository': 'arcdata',
      'insecure-registries': `${source.name}\n${target.name}`,
      ...more
    });

  const writes = () => target.requests.filter(({method}) => method !== 'GET' && method !== 'HEAD');

  test('a core image that the source lacks ends the run before anything moves', async () => {
    const names = sampleNames.filter(name => name !== 'arc-sqlmi');
    seedRelease(source.store, 'arcdata', {...small, tag, names});
    const end = await run();
    expect(end.exitCode).toBe(1);
    expect(errorsOf(end)).toContain('arc-sqlmi');
    expect(errorsOf(end)).toContain(tag);
    expect(writes()).toEqual([]);
    expect(source.requests.filter(({kind}) => kind === 'blob')).toEqual([]);
    expect(end.outputs).toMatchObject({release: '', changed: 'false', 'bytes-copied': '0'});
  });

  test('an optional image that the source lacks is told of, and the rest is mirrored', async () => {
    const names = sampleNames.filter(name => name !== 'arc-monitor-grafana');
    seedRelease(source.store, 'arcdata', {...small, tag, names});
    const end = await run();
    expect(end.exitCode).toBe(0);
    expect(end.summary).toContain('arc-monitor-grafana');
    expect(end.outputs).not.toHaveProperty('arc-monitor-grafana');
    expect(target.store.tagEvents).toHaveLength(19);
  });

  test('in-partial S11 a blob that the source lacks leaves the target without a tag', async () => {
    seedRelease(source.store, 'arcdata', {...small, tag});
    const broken = buildRelease({...small, tag}).images.find(
      ({name}) => name === 'arc-controller-db'
    );
    const lost = broken?.blobs.at(-1)?.digest ?? '';
    expect(source.store.deleteBlob('arcdata/arc-controller-db', lost)).toBe(true);
    const end = await run();
    expect(end.exitCode).toBe(1);
    expect(target.store.tagEvents).toEqual([]);
    expect(target.store.sessions).toEqual([]);
    expect(errorsOf(end)).toContain(lost);
    expect(errorsOf(end)).toContain(source.name);
    const rows = JSON.parse(end.outputs.images ?? '[]') as {
      name: string;
      status: string;
      error?: {message: string; digest?: string};
    }[];
    const failed = rows.filter(({status}) => status === 'failed');
    expect(failed.map(({name}) => name)).toEqual(['arc-controller-db']);
    expect(failed[0]?.error).toMatchObject({digest: lost});
    // No image of the release is offered: none of them has its tag.
    expect(end.outputs).toMatchObject({release: '', changed: 'false'});
    expect(end.outputs).not.toHaveProperty('arc-dns');
    expect(end.summary.indexOf('arc-controller-db')).toBeLessThan(end.summary.indexOf('arc-dns'));

    // Once the source is whole again, what has arrived is not sent again.
    seedRelease(source.store, 'arcdata', {...small, tag});
    const before = target.requests.length;
    const again = await run();
    expect(again.exitCode).toBe(0);
    const sent = target.requests
      .slice(before)
      .filter(({kind, method}) => kind === 'upload' && method === 'PUT');
    expect(sent.map(({query}) => new URLSearchParams(query).get('digest'))).toEqual([lost]);
    expect(target.store.tagEvents).toHaveLength(20);
    expect(target.store.tagEvents.filter(({holes}) => holes.length > 0)).toEqual([]);
  });

  test('T19 the previous release stays as it was when the next one breaks', async () => {
    const before = 'v1.45.0_2026-04-14';
    seedRelease(source.store, 'arcdata', {...small, tag: before, month: 1});
    expect((await run()).exitCode).toBe(0);
    const tags = () =>
      sampleNames.map(name => [
        ...target.store.tags(`arcdata/${name}`),
        target.store.manifest(`arcdata/${name}`, before)?.digest
      ]);
    const old = tags();
    seedRelease(source.store, 'arcdata', {...small, tag, month: 2});
    target.rule({
      on: {method: 'PUT', kind: 'manifest', repository: 'arcdata/arc-dns'},
      times: 'always',
      do: {
        effect: 'answer',
        status: 403,
        body: {json: {errors: [{code: 'DENIED', message: 'quota exceeded'}]}}
      }
    });
    const end = await run();
    expect(end.exitCode).toBe(1);
    expect(errorsOf(end)).toContain('quota exceeded');
    expect(tags()).toEqual(old);
  });

  test('in-unknown-image an unknown tag suggests what may have been meant', async () => {
    seedRelease(source.store, 'arcdata', {...small, tag});
    const end = await run({'source-tag': 'v1.46.0_2026-05-128'});
    expect(end.exitCode).toBe(1);
    expect(errorsOf(end)).toContain('v1.46.0_2026-05-128 does not exist; did you mean');
    expect(errorsOf(end)).toContain(`${tag}?`);
    expect(writes()).toEqual([]);
  });

  test.each([
    ['target', 'basic'],
    ['source', 'basic'],
    ['target', 'bearer']
  ] as const)('wrong credentials at the %s (%s) end the run there', async (side, kind) => {
    const username = 'me';
    await using locked = await EmbeddedRegistry.start({
      auth: {kind, username, password: 'the right one'}
    });
    seedRelease(source.store, 'arcdata', {...small, tag});
    const open = side === 'target' ? source.name : target.name;
    const end = await run({
      [`${side}-registry`]: locked.name,
      [`${side}-username`]: username,
      [`${side}-password`]: 'the wrong one',
      'insecure-registries': `${open}\n${locked.name}`
    });
    expect(end.exitCode).toBe(1);
    expect(errorsOf(end)).toContain(locked.name);
    expect(errorsOf(end)).not.toContain('the wrong one');
    const asked = locked.requests.map(request => request.kind);
    expect(asked.filter(one => one !== 'ping' && one !== 'token')).toEqual([]);
    expect(asked).toContain('ping');
    expect(writes()).toEqual([]);
  });
});

describe('registries that do not answer', () => {
  let source: EmbeddedRegistry;
  let plain: EmbeddedRegistry;
  let closed: string;
  let ends: {readonly closed: StepEnd; readonly plain: StepEnd};

  beforeAll(async () => {
    source = await EmbeddedRegistry.start();
    plain = await EmbeddedRegistry.start();
    seedRelease(source.store, 'arcdata', {...small, tag});
    closed = `127.0.0.1:${await freePort()}`;
    const run = async (target: string, insecure: string) => {
      await using job = await Job.begin();
      return await job.run({
        'source-registry': source.name,
        'target-registry': target,
        'target-repository': 'arcdata',
        'insecure-registries': insecure
      });
    };
    // Both wait most of their time: hosts that were never met are given ten seconds.
    const [first, second] = await Promise.all([
      run(closed, `${source.name}\n${closed}`),
      run(plain.name, source.name)
    ]);
    ends = {closed: first, plain: second};
  });

  afterAll(async () => {
    for (const one of [source, plain]) await one[Symbol.asyncDispose]();
  });

  test('a target that cannot be reached is named with its port and the cause', () => {
    expect(ends.closed.exitCode).toBe(1);
    expect(errorsOf(ends.closed)).toContain(`${closed} cannot be reached`);
    expect(errorsOf(ends.closed)).toContain('ECONNREFUSED');
    expect(ends.closed.summary).toContain(closed);
  });

  test('a plain registry that was not named as one is not spoken to in plain', () => {
    expect(ends.plain.exitCode).toBe(1);
    expect(errorsOf(ends.plain)).toContain(plain.name);
    expect(errorsOf(ends.plain)).toContain('insecure-registries');
    expect(plain.requests).toEqual([]);
  });

  test('that is told soon, and nothing is read from the source meanwhile', () => {
    for (const {milliseconds} of [ends.closed, ends.plain])
      expect(milliseconds).toBeLessThan(40_000);
    expect(source.requests.length).toBeGreaterThan(0);
    // The lists of releases and of names may come beside the handshake; of the images nothing is asked for.
    const lists = ['ping', 'tags', 'catalog'];
    expect(source.requests.filter(({kind}) => !lists.includes(kind))).toEqual([]);
  });
});
