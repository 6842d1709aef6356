import {afterEach, beforeEach, describe, expect, test} from '@jest/globals';

import {chartArtifact} from '../../src/release/resolve.ts';
import {releaseFate} from '../../src/report/image-table.ts';
import type {MatrixEntry} from '../../src/report/record.ts';
import {trueSets} from '../release/history.ts';
import type {MirrorRun} from '../support/mirror-run.ts';
import {mirrored, putReleases, putTiny, World} from './world.ts';

const core = [
  'arc-bootstrapper',
  'arc-controller',
  'arc-controller-db',
  'arc-ha-orchestrator',
  'arc-ha-supervisor',
  'arc-monitor-collectd',
  'arc-monitor-fluentbit',
  'arc-monitor-influxdb',
  'arc-monitor-telegraf',
  'arc-service-proxy',
  'arc-sqlmi'
];
const tags = ['v1.44.0_2026-03-10', 'v1.45.0_2026-04-14', 'v1.46.0_2026-05-12'] as const;
/** An optional image that comes and goes, one that is dropped, and one that is in no list yet. */
const sets: readonly (readonly [string, readonly string[]])[] = [
  [tags[0], [...core, 'arc-dns', 'arc-postgres-14']],
  [tags[1], [...core, 'arc-postgres-14']],
  [tags[2], [...core, 'arc-dns', 'arc-vector-search']]
];
const everything = sets.flatMap(([tag, names]) => names.map(name => `${name}:${tag}`)).sort();
const range = '1.44..1.46';

let world: World;

beforeEach(async () => {
  world = await World.begin();
  putReleases(world.source.store, 'arcdata', sets);
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

type Inputs = Parameters<World['mirror']>[1];

async function matrixOf(request: string, inputs: Inputs = {}): Promise<readonly MatrixEntry[]> {
  const {record} = await world.mirror(request, {...inputs, 'dry-run': 'true'});
  expect(record.failure).toBeUndefined();
  expect(world.writes()).toEqual([]);
  if (record.matrix === undefined) throw new Error('a dry run has a matrix');
  return record.matrix.include;
}

/** What one shard job does. */
const stage = (entry: MatrixEntry) =>
  world.mirror(entry['source-tag'], {images: entry.images, publish: 'false'});

const imagesOf = ({record}: MirrorRun) =>
  record.releases.flatMap(({images}) =>
    images.map(({name, target}) => `${name}:${target.tag ?? ''}`)
  );

/** Stages all shards at the same time, and looks at what each of them took. */
async function stageAll(entries: readonly MatrixEntry[]): Promise<readonly string[]> {
  const runs = await Promise.all(entries.map(stage));
  for (const [i, {record, reporter}] of runs.entries()) {
    expect(record.failure).toBeUndefined();
    const images = record.releases.flatMap(one => one.images);
    expect(new Set(images.map(({status}) => status))).toEqual(new Set(['staged']));
    // Fewer where another shard was there before.
    const copied = images.reduce((sum, {bytes}) => sum + bytes.copied, 0);
    expect(copied).toBeLessThanOrEqual(entries[i]?.bytes ?? 0);
    expect(reporter.lines.filter(({level}) => level === 'warning')).toEqual([]);
  }
  expect(world.target.store.tagEvents).toEqual([]);
  return runs.flatMap(imagesOf).sort();
}

/** Waits for what earlier runs asked for ahead and did not need: it may still be on its way. */
async function quiet(): Promise<void> {
  for (let before = -1; before !== world.source.requests.length;) {
    before = world.source.requests.length;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

/** The last run: it moves nothing but tags. */
async function publish(request: string, inputs: Inputs = {}): Promise<MirrorRun> {
  await quiet();
  const before = world.writes().length;
  const read = world.source.requests.filter(({kind}) => kind === 'blob').length;
  const run = await world.mirror(request, inputs);
  expect(run.record.failure).toBeUndefined();
  expect(run.reporter.figures).toMatchObject({bytesToCopy: 0, bytesToMount: 0});
  expect(run.record.releases.map(one => one.published)).toEqual(
    run.record.releases.map(() => true)
  );
  const written = world.writes().slice(before);
  const byTag = /^PUT \/v2\/mirror\/arcdata\/[\w-]+\/manifests\/(?!sha256:)/;
  expect(written.filter(line => !byTag.test(line))).toEqual([]);
  expect(written).toHaveLength(imagesOf(run).length);
  expect(world.source.requests.filter(({kind}) => kind === 'blob')).toHaveLength(read);
  expect(world.target.store.tagEvents.flatMap(({holes}) => holes)).toEqual([]);
  return run;
}

describe('releases with different images', () => {
  test('are spread so that each image is staged once, and none is missed', async () => {
    const entries = await matrixOf(range);
    expect(entries).toHaveLength(4);
    expect(entries.map(({shard, name}) => [shard, name])).toEqual(
      entries.map((_, i) => [i + 1, expect.stringMatching(`^${i + 1} of 4, .* kB$`)])
    );
    // Names alone where every release of the shard has them all; else the own sets without the others.
    const byName = entries.filter(({images}) => !/^[+-]/m.test(images));
    expect(byName.length).toBeGreaterThan(0);
    expect(byName.length).toBeLessThan(4);
    expect(await stageAll(entries)).toEqual(everything);
    await publish(range);
    for (const [tag, names] of sets) {
      expect([tag, world.imagesOf(tag), world.broken(tag)]).toEqual([tag, [...names].sort(), []]);
    }
    const {tagEvents} = world.target.store;
    expect([...new Set(tagEvents.map(({tag}) => tag))]).toEqual(tags);
    for (const tag of tags) {
      expect(tagEvents.findLast(event => event.tag === tag)?.repository).toBe(
        `${mirrored}/arc-controller`
      );
    }
  });

  test.each([range, tags[2]])(
    '%s: found although the catalogue hides what has no tag',
    async request => {
      await stageAll(await matrixOf(request));
      world.target.rule({
        on: {kind: 'catalog'},
        times: 'always',
        do: {effect: 'substitute', body: {json: {repositories: []}}}
      });
      await publish(request);
      expect(world.target.requests.some(({kind}) => kind === 'catalog')).toBe(true);
    }
  );

  test('with images added and taken away, and the chart', async () => {
    const version = '1.46.0';
    for (const name of ['1.44.0', '1.45.0', version])
      putTiny(world.source.store, 'arcdata', chartArtifact, name);
    for (const tag of tags) putTiny(world.source.store, 'arcdata', 'odd-tool', tag);
    const images = '+odd-tool\n-arc-sqlmi\n-arc-postgres-14';
    const entries = await matrixOf(range, {images, chart: 'true'});
    const staged = await stageAll(entries);
    expect(staged).toEqual(
      [
        ...everything.filter(name => !/^arc-(?:sqlmi|postgres-14):/.test(name)),
        ...tags.map(tag => `odd-tool:${tag}`),
        ...['1.44.0', '1.45.0', version].map(one => `${chartArtifact}:${one}`)
      ].sort()
    );
    await publish(range, {images, chart: 'true'});
  });

  test('that are named: the shards name them too', async () => {
    const names = ['arc-controller', 'arc-service-proxy', 'arc-sqlmi'];
    const images = names.join('\n');
    const entries = await matrixOf(range, {images});
    expect([...new Set(entries.flatMap(one => one.images.split('\n')))].sort()).toEqual(names);
    expect(await stageAll(entries)).toEqual(
      names.flatMap(name => tags.map(tag => `${name}:${tag}`)).sort()
    );
    await publish(range, {images});
  });

  test('an image that is added, and is in the set anyway, is staged by one shard', async () => {
    putTiny(world.source.store, 'arcdata', 'arc-dns', tags[1]);
    const entries = await matrixOf(range, {images: '+arc-dns'});
    expect(entries.length).toBeGreaterThan(1);
    expect(await stageAll(entries)).toEqual([...everything, `arc-dns:${tags[1]}`].sort());
  });

  test('the chart may be all that a shard has', async () => {
    putTiny(world.source.store, 'arcdata', chartArtifact, '1.46.0');
    const run = await world.mirror(tags[2], {images: chartArtifact, publish: 'false'});
    expect(run.record.failure).toBeUndefined();
    expect(imagesOf(run)).toEqual([`${chartArtifact}:1.46.0`]);
  });
});

test('staging a release that stands there with its tags does not make it an unpublished one', async () => {
  const fates = async () => {
    const {record} = await world.mirror(range, {publish: 'false'});
    expect(record).toMatchObject({publish: false, releases: [{changed: false}, {}, {}]});
    return record.releases.map(release => [release.published, releaseFate(release)]);
  };
  await world.mirror(tags[0]);
  const staged = [false, '📦 staged, not tagged'];
  const published = [true, '✅ already published'];
  expect(await fates()).toEqual([published, staged, staged]);
  await world.mirror(range);
  expect(await fates()).toEqual([published, published, published]);
});

test.each(['', '-arc-controller'])(
  'shards find releases that are older than the images they have, with images %j',
  async images => {
    const history = [...trueSets].filter(([tag]) => /^v1\.[0-3]\./.test(tag));
    putReleases(world.source.store, 'arcdata', history);
    const taken: string[] = [];
    for (const entry of await matrixOf('1.0..1.3', {images, shards: '8'})) {
      const run = await world.mirror(entry['source-tag'], {
        ...{images: entry.images, 'dry-run': 'true'}
      });
      expect([entry, run.record.failure]).toEqual([entry, undefined]);
      taken.push(...imagesOf(run));
    }
    const wanted = history.flatMap(([tag, names]) => names.map(name => `${name}:${tag}`));
    const left = wanted.filter(name => images === '' || !name.startsWith('arc-controller:'));
    expect(taken.sort()).toEqual(left.sort());
  }
);

describe('the number of shards', () => {
  test('is at most what was asked for', async () => {
    const count = async (shards: string) => (await matrixOf(range, {shards})).length;
    expect([await count('1'), await count('2'), await count('3')]).toEqual([1, 2, 3]);
    const most = await count('16');
    expect(most).toBeGreaterThan(4);
    expect(most).toBeLessThanOrEqual(16);
    const [only] = await matrixOf(range, {shards: '1'});
    expect(only).toMatchObject({shard: 1, 'source-tag': tags.join('\n')});
    expect(only?.name).toMatch(/^1 of 1, [\d.]+ kB$/);
  });
});

describe('there are no shards', () => {
  test('where nothing has to be copied, be it complete or staged', async () => {
    await stageAll(await matrixOf(range, {shards: '2'}));
    const staged = await world.mirror(range, {'dry-run': 'true'});
    expect(staged.record.matrix).toEqual({include: []});
    expect(staged.reporter.figures).toMatchObject({bytesToCopy: 0});
    await publish(range);
    const again = await world.mirror(range, {'dry-run': 'true'});
    expect(again.record.matrix).toEqual({include: []});
    const none = await world.mirror('catch-up', {'dry-run': 'true'});
    expect(none.record).toMatchObject({releases: [], matrix: {include: []}});
  });

  test('without a dry run, or without a plan', async () => {
    expect((await world.mirror(tags[0])).record.matrix).toBeUndefined();
    const failed = await world.mirror('1.40', {'dry-run': 'true'});
    expect(failed.record.failure).toBeDefined();
    expect(failed.record.matrix).toBeUndefined();
  });
});

test('shards that overlap do each other no harm', async () => {
  // The same images in both, another release in each, and blobs that all have.
  const images = core.join('\n');
  const runs = await Promise.all(
    [`${tags[0]}\n${tags[1]}`, `${tags[1]}\n${tags[2]}`, tags.join('\n')].map(request =>
      world.mirror(request, {images, publish: 'false'})
    )
  );
  expect(runs.map(({record}) => record.failure)).toEqual([undefined, undefined, undefined]);
  expect(world.target.store.tagEvents).toEqual([]);
  await publish(range, {images});
  for (const tag of tags) expect([world.imagesOf(tag), world.broken(tag)]).toEqual([core, []]);
});
