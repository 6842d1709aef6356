import {afterAll, beforeAll, describe, expect, test} from '@jest/globals';

import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import type {Matrix, MatrixEntry} from '../../src/report/record.ts';
import {manifestPuts, mounts, requestsOf, uploads} from '../support/access-log.ts';
import {
  type Distribution,
  distributionInstalled,
  startDistribution
} from '../support/distribution.ts';
import {blobsBelow, putSeven, sevenReleases, sevenTags as tags} from '../support/seven-releases.ts';
import {Job, type Running, type StepEnd, until} from '../support/step.ts';

const range = '1.40..1.46';
const repository = 'mirror/arcdata';
/** What the shards and the publishing run may move together, of what a single run moves. */
const tenthMore = 1.1;

type Inputs = Readonly<Record<string, string>>;

/** A job of a workflow: a machine of its own, gone when it ends. */
async function start(inputs: Inputs): Promise<Running<StepEnd>> {
  const job = await Job.begin();
  const running = await job.start(inputs);
  return {...running, end: running.end.finally(() => job[Symbol.asyncDispose]())};
}

const run = async (inputs: Inputs) => await (await start(inputs)).end;

const asked = (source: EmbeddedRegistry, target: {readonly name: string}): Inputs => ({
  'source-registry': source.name,
  'target-registry': target.name,
  'target-repository': repository,
  'insecure-registries': `${source.name}\n${target.name}`
});

/** The inputs of a shard's job: those of the plan, and what the matrix says. */
const shardOf = (common: Inputs, entry: MatrixEntry): Inputs => ({
  ...common,
  'source-tag': entry['source-tag'],
  images: entry.images,
  publish: 'false'
});

async function planned(common: Inputs): Promise<readonly MatrixEntry[]> {
  const end = await run({...common, 'source-tag': range, 'dry-run': 'true'});
  expect({code: end.exitCode, stderr: end.stderr}).toEqual({code: 0, stderr: ''});
  const matrix = JSON.parse(end.outputs.matrix ?? '') as Matrix;
  expect(end.outputs['bytes-copied']).not.toBe('0');
  return matrix.include;
}

/** Runs all shards at the same time. */
async function staged(common: Inputs, entries: readonly MatrixEntry[]): Promise<void> {
  const running = await Promise.all(entries.map(entry => start(shardOf(common, entry))));
  const ends = await Promise.all(running.map(one => one.end));
  for (const end of ends) {
    expect({code: end.exitCode, stderr: end.stderr}).toEqual({code: 0, stderr: ''});
    expect(statusesOf(end)).toEqual(['staged']);
    expect(end.outputs).toMatchObject({changed: 'false'});
    expect(end.outputs).not.toHaveProperty('matrix');
  }
}

const rowsOf = ({outputs}: StepEnd) =>
  JSON.parse(outputs.images ?? '[]') as {release: string; name: string; status: string}[];
const statusesOf = (end: StepEnd) => [...new Set(rowsOf(end).map(({status}) => status))].sort();

/** Every tag of every repository. */
function tagsAt({store}: EmbeddedRegistry): ReadonlyMap<string, string | undefined> {
  return new Map(
    store
      .repositories()
      .flatMap(name =>
        store.tags(name).map(tag => [`${name}:${tag}`, store.tag(name, tag)] as const)
      )
  );
}

interface Counted {
  readonly read: number;
  readonly written: number;
}

/** Bytes of blobs that were read at one registry, and of everything that was written at the other. */
function counted(source: EmbeddedRegistry, target: EmbeddedRegistry): () => Counted {
  const from = [source.requests.length, target.requests.length] as const;
  return () => ({
    read: source.requests
      .slice(from[0])
      .filter(({kind}) => kind === 'blob')
      .reduce((sum, {bytesOut}) => sum + bytesOut, 0),
    written: target.requests.slice(from[1]).reduce((sum, {bytesIn}) => sum + bytesIn, 0)
  });
}

const images = sevenReleases();
const namesOf = (tag: string) => images.filter(image => image.tag === tag).map(({name}) => name);
let source: EmbeddedRegistry;

beforeAll(async () => {
  source = await EmbeddedRegistry.start();
  putSeven(source.store, 'arcdata', images);
});

afterAll(async () => {
  await source[Symbol.asyncDispose]();
});

test('seven releases over several machines are what one machine makes of them', async () => {
  await using single = await EmbeddedRegistry.start();
  await using target = await EmbeddedRegistry.start();
  const alone = counted(source, single);
  const end = await run({...asked(source, single), 'source-tag': range});
  expect(end.exitCode).toBe(0);
  const once = alone();

  const common = asked(source, target);
  const entries = await planned(common);
  expect(entries.length).toBeGreaterThan(1);
  expect(target.requests.filter(({method}) => !['GET', 'HEAD'].includes(method))).toEqual([]);
  const spread = counted(source, target);
  await staged(common, entries);
  expect(target.store.tagEvents).toEqual([]);
  const publishing = counted(source, target);
  const last = await run({...common, 'source-tag': range});
  expect(last.exitCode).toBe(0);
  expect(last.outputs).toMatchObject({
    ...{changed: 'true', 'bytes-copied': '0', 'bytes-mounted': '0', release: tags.at(-1)},
    releases: JSON.stringify(tags)
  });

  // Bytes, counted at the registries.
  const [all, after] = [spread(), publishing()];
  expect(after.read).toBe(0);
  expect(target.requests.filter(({kind, status}) => kind === 'upload' && status >= 400)).toEqual(
    []
  );
  expect(all.read / once.read).toBeLessThanOrEqual(tenthMore);
  expect(all.written / once.written).toBeLessThanOrEqual(tenthMore);
  const told = entries.reduce((sum, {bytes}) => sum + bytes, 0);
  expect(told / Number(end.outputs['bytes-copied'])).toBeLessThanOrEqual(tenthMore);

  // The same tags for the same content, in the same order, whole.
  expect(tagsAt(target)).toEqual(tagsAt(single));
  expect(tagsAt(target).size).toBe(images.length);
  const order = ({store}: EmbeddedRegistry) => [...new Set(store.tagEvents.map(({tag}) => tag))];
  expect([order(target), order(single)]).toEqual([tags, tags]);
  for (const tag of tags) {
    const events = target.store.tagEvents.filter(event => event.tag === tag);
    expect(events.slice(-2).map(event => event.repository)).toEqual([
      `${repository}/arc-bootstrapper`,
      `${repository}/arc-controller`
    ]);
  }
  expect(target.store.tagEvents.flatMap(({holes}) => holes)).toEqual([]);
  // And now there is nothing to spread.
  const idle = await run({...common, 'source-tag': range, 'dry-run': 'true'});
  expect(idle.outputs).toMatchObject({'bytes-copied': '0', matrix: '{"include":[]}'});
});

test('a shard fails, is run again and killed; no release is ever half there', async () => {
  await using target = await EmbeddedRegistry.start();
  const common = asked(source, target);
  const entries = await planned(common);
  // A layer of arc-sqlmi that comes with the fourth month is not at the source.
  const blobsOf = (tag: string) =>
    images
      .filter(image => image.tag === tag && image.name === 'arc-sqlmi')
      .flatMap(({image}) => blobsBelow(image));
  const old = new Set(blobsOf(tags[2]).map(({digest}) => digest));
  const lost = blobsOf(tags[3])
    .filter(({digest}) => !old.has(digest))
    .reduce((a, b) => (a.bytes.length > b.bytes.length ? a : b));
  const place = 'arcdata/arc-sqlmi';
  expect(source.store.deleteBlob(place, lost.digest)).toBe(true);

  const whole = tags.slice(0, 3);
  /** The releases of which anything has a tag. */
  const shown = () => [...new Set(target.store.tagEvents.map(({tag}) => tag))];
  const wholeOnes = () =>
    shown().filter(tag =>
      namesOf(tag).every(name => target.store.tag(`${repository}/${name}`, tag) !== undefined)
    );

  const running = await Promise.all(entries.map(entry => start(shardOf(common, entry))));
  const ends = await Promise.all(running.map(one => one.end));
  const failing = ends.findIndex(({exitCode}) => exitCode !== 0);
  expect(ends.map(({exitCode}) => exitCode)).toEqual(entries.map((_, i) => Number(i === failing)));
  expect(ends[failing]?.stdout).toContain('arc-sqlmi');
  expect(target.store.tagEvents).toEqual([]);

  // The publishing run cannot bring it either: it refuses that release, and those behind it.
  const refusal = await run({...common, 'source-tag': range});
  expect(refusal.exitCode).toBe(1);
  expect(refusal.outputs.releases).toBe(JSON.stringify(whole));
  expect([shown(), wholeOnes()]).toEqual([whole, whole]);

  // The layer is back; the shard is run again and killed while it is on its way.
  source.store.putBlob(place, lost.bytes);
  source.rule({
    ...{name: 'halt', on: {kind: 'blob', method: 'GET', digest: lost.digest}, times: 'always'},
    do: {effect: 'cut-download', after: 100, how: 'stall'}
  });
  const entry = entries[failing];
  if (entry === undefined) throw new Error('one shard failed');
  const again = await start(shardOf(common, entry));
  await until('the shard waits for the layer', () =>
    source.requests.some(({rule}) => rule === 'halt')
  );
  again.kill('SIGKILL');
  expect((await again.end).exitCode).toBeNull();
  expect([shown(), wholeOnes()]).toEqual([whole, whole]);

  // The publishing run does what is left by itself.
  source.clearRules();
  const rest = counted(source, target);
  const last = await run({...common, 'source-tag': range});
  expect(last.exitCode).toBe(0);
  expect(last.outputs).toMatchObject({changed: 'true', releases: JSON.stringify(tags)});
  expect(rowsOf(last)).toHaveLength(images.length);
  expect(wholeOnes()).toEqual(tags);
  expect(target.store.tagEvents.flatMap(({holes}) => holes)).toEqual([]);
  expect(rest().read).toBeLessThan(entry.bytes / 2);
});

const wanted = distributionInstalled() ? describe : describe.skip;

wanted('at a real registry', () => {
  let target: Distribution;

  beforeAll(async () => {
    const started = await startDistribution();
    if (started === undefined) throw new Error('docker-registry is gone');
    target = started;
  });

  afterAll(async () => {
    await target[Symbol.asyncDispose]();
  });

  test('the publishing run finds what lies in repositories without tags', async () => {
    // A few images of all releases: it takes its time for each request.
    const names = [
      'arc-bootstrapper',
      'arc-controller',
      'arc-dns',
      'arc-service-proxy',
      'arc-sqlmi'
    ];
    const few = images.filter(({name}) => names.includes(name));
    const common = {...asked(source, {name: target.host}), images: names.join('\n')};
    const entries = await planned(common);
    expect(entries.length).toBeGreaterThan(1);
    await staged(common, entries);
    const before = await requestsOf(target);
    const byTag = (requests: typeof before) =>
      manifestPuts(requests).filter(({reference}) => !reference.startsWith('sha256:'));
    expect(byTag(before)).toEqual([]);
    const list = await fetch(`${target.url}/v2/${repository}/arc-controller/tags/list`);
    expect(list.status).toBe(404);
    await list.body?.cancel();

    const last = await run({...common, 'source-tag': range});
    expect(last.exitCode).toBe(0);
    expect(last.outputs).toMatchObject({'bytes-copied': '0', releases: JSON.stringify(tags)});
    const after = (await requestsOf(target)).slice(before.length);
    expect([uploads(after), mounts(after)]).toEqual([[], []]);
    expect(byTag(after)).toHaveLength(few.length);
    expect(manifestPuts(after)).toHaveLength(few.length);

    // Each tag leads to the source's very bytes.
    const wrong: string[] = [];
    for (const {tag, name, image} of few) {
      const address = `${target.url}/v2/${repository}/${name}/manifests/${tag}`;
      const answer = await fetch(address, {method: 'HEAD', headers: {Accept: image.mediaType}});
      if (answer.headers.get('docker-content-digest') !== image.digest) wrong.push(address);
    }
    expect(wrong).toEqual([]);

    const sizes = new Map(
      few.flatMap(({image}) =>
        blobsBelow(image).map(({digest, bytes}) => [digest as string, bytes.length] as const)
      )
    );
    const sum = (digests: Iterable<string>) =>
      [...digests].reduce((total, digest) => total + (sizes.get(digest) ?? Infinity), 0);
    expect(sum(uploads(before)) / sum(sizes.keys())).toBeLessThanOrEqual(tenthMore);
  });

  test('jobs that do the same at the same time do each other no harm', async () => {
    const place = 'twice/arcdata';
    const names = ['arc-bootstrapper', 'arc-controller', 'arc-sqlmi'];
    const common = {
      ...asked(source, {name: target.host}),
      ...{'target-repository': place, images: names.join('\n')}
    };
    const request = {...common, 'source-tag': '1.44..1.46', publish: 'false'};
    const running = await Promise.all([request, request, request].map(start));
    const ends = await Promise.all(running.map(one => one.end));
    expect(ends.map(({exitCode, stderr}) => [exitCode, stderr])).toEqual(ends.map(() => [0, '']));
    expect(new Set(ends.flatMap(statusesOf))).toEqual(new Set(['staged']));
    const before = (await requestsOf(target)).length;
    const last = await run({...request, publish: 'true'});
    expect({code: last.exitCode, outputs: last.outputs}).toMatchObject({
      code: 0,
      outputs: {'bytes-copied': '0', releases: JSON.stringify(tags.slice(4))}
    });
    const after = (await requestsOf(target)).slice(before);
    expect(manifestPuts(after)).toHaveLength(3 * names.length);
    expect(manifestPuts(after).filter(({reference}) => reference.includes(':'))).toEqual([]);
  });
});
