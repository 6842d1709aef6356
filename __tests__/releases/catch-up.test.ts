import {afterEach, beforeEach, describe, expect, test} from '@jest/globals';

import type {Rule} from '../../src/demo/rules.ts';
import {digestOf} from '../../src/oci/digest.ts';
import {compareTags} from '../../src/release/tag.ts';
import {verdict} from '../../src/report/verdict.ts';
import {trueSets} from '../release/history.ts';
import {imageOf, putImage} from '../support/small-release.ts';
import {Job, until} from '../support/step.ts';
import {mirrored, ownLayer, putReleases, World} from './world.ts';

const sets = [...trueSets].filter(([tag]) => /^v1\.4\d\./.test(tag));
const [first = '', ...later] = sets.map(([tag]) => tag);
const newest = later.at(-1) ?? '';
const namesOf = (tag: string) => trueSets.get(tag) ?? [];

let world: World;

beforeEach(async () => {
  world = await World.begin();
  putReleases(world.source.store, 'arcdata', sets);
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

/** Every tag so far: one release after the other, the controller's last, everything below it there. */
function expectInOrder(tags: readonly string[]): void {
  const {tagEvents} = world.target.store;
  expect([...new Set(tagEvents.map(({tag}) => tag))]).toEqual(tags);
  for (const tag of tags) {
    const events = tagEvents
      .map((event, at) => ({...event, at}))
      .filter(event => event.tag === tag);
    const [begin = 0, end = 0] = [events[0]?.at, events.at(-1)?.at];
    expect({tag, span: end - begin + 1}).toEqual({tag, span: events.length});
    expect(events.slice(-2).map(({repository}) => repository)).toEqual([
      `${mirrored}/arc-bootstrapper`,
      `${mirrored}/arc-controller`
    ]);
    expect(events.flatMap(({holes}) => holes)).toEqual([]);
    expect([tag, world.imagesOf(tag), world.broken(tag)]).toEqual([tag, namesOf(tag), []]);
  }
}

test.each([
  ['taken out by name', {images: '-arc-monitor-telegraf'}],
  ['taken out, and it is the controller', {images: '-arc-controller'}],
  ['named one by one', {images: 'arc-controller\narc-dns'}]
])('where images are %s, the others keep no release from being complete', async (_, images) => {
  expect((await world.mirror('1.44', images)).record.failure).toBeUndefined();
  const {record} = await world.mirror('catch-up', images);
  expect(record.failure).toBeUndefined();
  expect(record.releases.map(({tag}) => tag)).toEqual(later.filter(tag => tag >= 'v1.45'));
  expect((await world.mirror('catch-up', images)).record.releases).toEqual([]);
});

test('goes on from what docker brought, which has digests of its own and the same content', async () => {
  // Packed anew: another layer, and the config of the source.
  const bytes = Buffer.from('packed by docker');
  for (const [tag, names] of sets.slice(0, 4)) {
    for (const name of names) {
      const image = imageOf(`${name} ${tag}`, 'oci', [{bytes, digest: digestOf(bytes)}]);
      putImage(world.target.store, `${mirrored}/${name}`, image, tag);
    }
  }
  const {record} = await world.mirror('catch-up');
  expect(record.failure).toBeUndefined();
  expect(record.releases.map(({tag}) => tag)).toEqual(sets.slice(4).map(([tag]) => tag));
});

test('an image that was named is missed, though it is none that Arc needs', async () => {
  const images = {images: 'arc-controller\narc-monitor-grafana'};
  expect((await world.mirror('1.46', images)).record.failure).toBeUndefined();
  world.target.store.deleteTag(`${mirrored}/arc-monitor-grafana`, newest);
  expect((await world.mirror('catch-up', images)).record.releases.map(({tag}) => tag)).toEqual([
    newest
  ]);
});

test('six releases come in order, and then none', async () => {
  expect([first, newest, later.length]).toEqual(['v1.40.0_2025-08-12', 'v1.46.0_2026-05-12', 6]);
  expect((await world.mirror('1.40')).record.failure).toBeUndefined();
  const {record} = await world.mirror('catch-up');
  expect(record.failure).toBeUndefined();
  expect(record.releases.map(({tag, published, changed}) => [tag, published, changed])).toEqual(
    later.map(tag => [tag, true, true])
  );
  expectInOrder([first, ...later]);
  const before = world.writes().length;
  const again = await world.mirror('catch-up');
  expect(again.record).toMatchObject({releases: []});
  expect(again.record.failure).toBeUndefined();
  expect(again.reporter.lines.map(({text}) => text).join('\n')).toContain('Already up to date');
  expect(world.writes()).toHaveLength(before);
});

describe('a target that lists no tags for this account', () => {
  const login = {'target-username': 'pusher', 'target-password': 'a long password'};
  beforeEach(() => {
    world.target.rule({on: {kind: 'tags'}, times: 'always', do: {effect: 'answer', status: 403}});
  });

  test('is asked for each release, so that none is skipped', async () => {
    expect((await world.mirror('1.43', login)).record.failure).toBeUndefined();
    const {record} = await world.mirror('catch-up', login);
    expect(record.failure).toBeUndefined();
    expect(record.releases.map(({tag}) => tag)).toEqual(later.filter(tag => tag >= 'v1.44'));
    expect((await world.mirror('catch-up', login)).record).toMatchObject({releases: []});
  });

  test('gets the newest release alone where it has none', async () => {
    const {record} = await world.mirror('catch-up', login);
    expect(record.failure).toBeUndefined();
    expect(record.releases.map(({tag}) => tag)).toEqual([newest]);
  });
});

test('an empty target gets the newest one', async () => {
  const {record} = await world.mirror('catch-up');
  expect(record.releases.map(({tag}) => tag)).toEqual([newest]);
  expectInOrder([newest]);
});

test('a release of which a core tag is missing does not count as complete', async () => {
  await world.mirror('1.44..1.46');
  world.target.store.deleteTag(`${mirrored}/arc-sqlmi`, newest);
  const {record} = await world.mirror('catch-up');
  expect(record.releases).toMatchObject([{tag: newest, published: true}]);
  expect([world.imagesOf(newest), world.broken(newest)]).toEqual([namesOf(newest), []]);
});

test('what comes to the source after the rest of its release is brought, too', async () => {
  const {store} = world.source;
  for (const name of ['arc-dns', 'arc-sb-plugin']) store.deleteTag(`arcdata/${name}`, newest);
  const {record} = await world.mirror('1.46');
  expect(record.releases).toMatchObject([{published: true}]);
  expect((await world.mirror('catch-up')).record).toMatchObject({releases: []});
  putReleases(store, 'arcdata', sets);
  expect((await world.mirror('catch-up')).record.releases).toMatchObject([
    {tag: newest, published: true}
  ]);
  expect([world.imagesOf(newest), world.broken(newest)]).toEqual([namesOf(newest), []]);
  expect((await world.mirror('catch-up')).record).toMatchObject({releases: []});
});

test('an image that is wanted beside the release is missed, too, where the source has it', async () => {
  const [added, inputs] = ['arc-monitor-kafka', {images: '+arc-monitor-kafka'}];
  expect((await world.mirror('1.46')).record.failure).toBeUndefined();
  putReleases(world.source.store, 'arcdata', [[newest, [...namesOf(newest), added]]]);
  expect((await world.mirror('catch-up', inputs)).record.releases).toMatchObject([
    {tag: newest, published: true}
  ]);
  expect(world.imagesOf(newest)).toContain(added);
  expect((await world.mirror('catch-up', inputs)).record).toMatchObject({releases: []});
});

test('a failure in the third of five stops the later ones, and says which are in', async () => {
  const [one, two = '', three = '', four = '', five = ''] = [first, ...later];
  expect(world.source.store.deleteBlob('arcdata/arc-sqlmi', ownLayer('arc-sqlmi', three))).toBe(
    true
  );
  const {record} = await world.mirror('1.40..1.44');
  expect(record.releases.map(({tag, published}) => [tag, published])).toEqual([
    [one, true],
    [two, true],
    [three, false]
  ]);
  const {outcome, sentence} = verdict(record);
  expect(outcome).toBe('failed');
  expect(sentence).toContain(`2 releases (${one} to ${two}) are whole`);
  expect(sentence).toContain(
    `${three} was not published: 1 of ${namesOf(three).length} images failed`
  );
  expect(record.failure?.message).toContain('arc-sqlmi');
  expectInOrder([one, two]);
  for (const tag of [three, four, five]) expect(world.imagesOf(tag)).toEqual([]);
});

describe('a kill in the middle', () => {
  const [, , third = ''] = later;
  const places: readonly (readonly [string, Rule])[] = [
    [
      'of the bytes',
      {
        on: {kind: 'blob', method: 'GET', digest: ownLayer('arc-sqlmi', third)},
        times: 'always',
        do: {effect: 'stall'}
      }
    ],
    [
      'of the first tags',
      {
        on: {kind: 'manifest', method: 'PUT', tag: third, repository: `${mirrored}/arc-sqlmi`},
        times: 'always',
        do: {effect: 'stall'}
      }
    ],
    [
      'before the very last tag',
      {
        on: {kind: 'manifest', method: 'PUT', tag: third, repository: `${mirrored}/arc-controller`},
        times: 'always',
        do: {effect: 'stall'}
      }
    ]
  ];

  test.each(places)(
    '%s leaves only whole releases, and the next run finishes',
    async (_place, rule) => {
      await using job = await Job.begin();
      expect((await world.mirror('1.40')).record.failure).toBeUndefined();
      const {source, target} = world;
      const side = rule.on.method === 'GET' ? source : target;
      side.rule({...rule, name: 'halt'});
      const program = job.cli([
        ...['--yes', '--source-tag=catch-up', `--source-registry=${source.name}`],
        ...[`--target-registry=${target.name}`, `--target-repository=${mirrored}`],
        `--insecure-registries=${source.name},${target.name}`
      ]);
      await until('the run halts in the third release', () =>
        side.requests.some(({rule: applied}) => applied === 'halt')
      );
      program.kill('SIGKILL');
      const end = await program.end;
      expect(end.exitCode).toBeNull();

      // What Arc takes for releases is whole; the one in the middle is not among them.
      const [one = '', two = ''] = later;
      expect(world.published()).toEqual([first, one, two]);
      for (const tag of world.published())
        expect([tag, world.imagesOf(tag), world.broken(tag)]).toEqual([tag, namesOf(tag), []]);
      // Nor is any image half under its tag.
      expect(world.broken(third)).toEqual([]);

      side.clearRules();
      const {record} = await world.mirror('catch-up');
      expect(record.failure).toBeUndefined();
      expect(record.releases.map(({tag}) => tag)).toEqual(later.slice(2));
      expect(world.published()).toEqual([first, ...later].sort(compareTags));
      for (const tag of later)
        expect([tag, world.imagesOf(tag), world.broken(tag)]).toEqual([tag, namesOf(tag), []]);
      expect(target.store.tagEvents.flatMap(({holes}) => holes)).toEqual([]);
    }
  );
});
