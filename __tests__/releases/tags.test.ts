import {afterEach, beforeEach, describe, expect, test} from '@jest/globals';

import {imageSet} from '../../src/release/catalog.ts';
import {everyTag, stableReleases} from '../release/history.ts';
import {imageOf, putImage} from '../support/small-release.ts';
import {mirrored, putReleases, putTiny, World} from './world.ts';

const newest = 'v1.46.0_2026-05-12';
const names = imageSet(newest).map(({name}) => name);
const warnings = ({reporter}: Awaited<ReturnType<World['mirror']>>) =>
  reporter.lines.filter(({level}) => level === 'warning').map(({text}) => text);

let world: World;

beforeEach(async () => {
  world = await World.begin();
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

describe('a misprinted tag', () => {
  beforeEach(() => {
    for (const tag of everyTag) putTiny(world.source.store, 'arcdata', 'arc-controller', tag);
  });

  test.each([
    ['v1.27.0_2023-02-13', 'v1.27.0_2024-02-13'],
    ['v1.35.0_2024-11-128', 'v1.35.0_2024-11-12'],
    ['1.46.0_2026-05-12', newest],
    ['v1.10.0_2022-08-08', 'v1.10.0_2022-08-09']
  ])('%s: did you mean %s?', async (written, meant) => {
    const {record} = await world.mirror(written);
    expect(record.failure?.message).toBe(
      `${written} does not exist; did you mean ${meant}? The tags of ${world.source.name}/arcdata/arc-controller were looked at.`
    );
    expect(world.writes()).toEqual([]);
  });

  const misprints: Readonly<Record<string, (tag: string) => string>> = {
    'without its v': tag => tag.slice(1),
    'with a digit too many': tag => `${tag}8`,
    'with another year': tag => tag.replace(/_(\d{4})/, (_, year) => `_${Number(year) - 1}`),
    'with another day': tag => tag.replace(/\d\d$/, day => (day === '28' ? '27' : '28'))
  };
  test.each(Object.entries(misprints))('%s, of every release', async (_what, misprint) => {
    const wrong: string[] = [];
    for (const tag of stableReleases) {
      const {record} = await world.mirror(misprint(tag));
      const message = record.failure?.message ?? 'mirrored';
      if (!message.includes(`did you mean ${tag}`)) wrong.push(`${tag}: ${message}`);
    }
    expect(wrong).toEqual([]);
    expect(world.writes()).toEqual([]);
  });
});

const otherRelease = (tag: string, own: string) =>
  `v1.44.0_2026-01-13 is the tag of another release than ${tag}: Arc's tools would take the one for the other, and the target would lose what stands under it. Leave target-tag out, and ${own} keeps its own tag.`;

test('latest does not go under the tag of another release', async () => {
  putReleases(world.source.store, 'arcdata', [[newest, names]]);
  const {record} = await world.mirror('latest', {'target-tag': 'v1.44.0_2026-01-13'});
  expect(record.failure?.message).toBe(`target-tag ${otherRelease(newest, 'the release')}`);
  expect(world.writes()).toEqual([]);
});

test.each([
  [newest, 'the release'],
  ['nightly', 'it']
])('%s under the tag of another release is told from the inputs', async (tag, own) => {
  const mirrored = world.mirror(tag, {'target-tag': 'v1.44.0_2026-01-13'});
  await expect(mirrored).rejects.toThrow(otherRelease(tag, own));
  expect([...world.source.requests, ...world.target.requests]).toEqual([]);
});

test('a source that may be read and not listed is mirrored by exact tags', async () => {
  putReleases(world.source.store, 'arcdata', [[newest, names]]);
  const account = {'source-username': 'me', 'source-password': 'canary-4'};
  for (const status of [403, 401]) {
    world.source.rule({on: {kind: 'tags'}, times: 'always', do: {effect: 'answer', status}});
    const {record} = await world.mirror(newest, account);
    expect(record).toMatchObject({releases: [{tag: newest, published: true}]});
  }
  expect((await world.mirror('latest', account)).record.failure?.message).toContain('tags/list');
  const missing = 'v1.99.0_2031-01-14';
  expect((await world.mirror(missing, account)).record.failure?.message).toContain(missing);
});

describe('pre-release builds', () => {
  const coming = 'v1.47.0_2026-06-09';
  const preview = {'source-repository': 'arcdata/preview'};

  beforeEach(() => {
    putReleases(world.source.store, 'arcdata', [[newest, names]]);
    putReleases(world.source.store, 'arcdata/preview', [[coming, names]]);
  });

  test.each(['latest', '1.47', 'newest:2', 'catch-up', '1.46..'])(
    'are not chosen by %s',
    async request => {
      await expect(world.mirror(request, preview)).rejects.toThrow(
        `arcdata/preview holds pre-release builds, which are mirrored by exact tag only, not by ${request}`
      );
      // It is told from the inputs, with whatever else is wrong with them.
      expect([...world.source.requests, ...world.target.requests]).toEqual([]);
    }
  );

  test('come by exact tag to a place of their own', async () => {
    const {record} = await world.mirror(coming, preview);
    expect(record).toMatchObject({releases: [{tag: coming, published: true}]});
    expect(world.imagesOf(coming)).toEqual(names);
  });

  test('never come beside stable releases, but beside them to a path for previews', async () => {
    expect((await world.mirror('latest')).record.failure).toBeUndefined();
    const before = world.writes().length;
    const {record} = await world.mirror(coming, preview);
    expect(record.failure?.message).toMatch(
      /v1\.47\.0_2026-06-09 is a pre-release build, .*stable releases/
    );
    expect(world.writes()).toHaveLength(before);
    expect(world.imagesOf(coming)).toEqual([]);
    const there = {...preview, 'target-repository': `${mirrored}/preview`};
    expect((await world.mirror(coming, there)).record.failure).toBeUndefined();
  });

  test('do not take the place of a stable release of their name', async () => {
    putReleases(world.source.store, 'arcdata', [[coming, names]]);
    const build = imageOf('a build of it', 'oci', []);
    putImage(world.source.store, 'arcdata/preview/arc-controller', build, coming);
    expect((await world.mirror(coming)).record.failure).toBeUndefined();
    const before = world.writes().length;
    const {record} = await world.mirror(coming, preview);
    expect(record.failure?.message).toMatch(/is a pre-release build, .*stable releases \(1, /);
    expect(world.writes()).toHaveLength(before);
  });

  test.each([
    ['with a stable release', 'arcdata', `latest\n${coming}_5ba6b837`, `${coming}_5ba6b837`],
    ['with another build', 'arcdata/preview', `${coming}\nv1.48.0_2026-07-14`, coming]
  ])('do not come %s in one run either', async (_, repository, requests, refused) => {
    for (const tag of [`${coming}_5ba6b837`, 'v1.48.0_2026-07-14'])
      putReleases(world.source.store, repository, [[tag, names]]);
    const inputs = {'source-repository': repository};
    const {record} = await world.mirror(requests, inputs);
    expect(record.failure?.message).toContain(
      `${refused} is a pre-release build, and this run brings tags of stable releases beside it (1, `
    );
    expect(world.writes()).toEqual([]);
    const there = {...inputs, 'target-repository': `${mirrored}/preview`};
    expect((await world.mirror(requests, there)).record.failure).toBeUndefined();
  });

  test('do not come beside stable releases that the target does not list', async () => {
    expect((await world.mirror('latest')).record.failure).toBeUndefined();
    world.target.rule({on: {kind: 'tags'}, times: 'always', do: {effect: 'answer', status: 403}});
    const before = world.writes().length;
    const account = {'target-username': 'me', 'target-password': 'canary-5'};
    const {record} = await world.mirror(coming, {...preview, ...account});
    expect(record.failure?.message).toMatch(/is a pre-release build, .*stable releases \(1, /);
    expect(world.writes()).toHaveLength(before);
    // Nobody asks where nothing hangs on it.
    const asked = world.target.requests.length;
    expect((await world.mirror('latest', account)).record.failure).toBeUndefined();
    expect(world.target.requests.length - asked).toBeLessThan(100);
  });

  test('do not count as what catch-up has brought', async () => {
    const first = await world.mirror(coming, preview);
    expect(first.record.failure).toBeUndefined();
    expect(warnings(first).join('\n')).toContain(
      `${coming} is a pre-release build: keep stable releases out of ${world.target.name}/${mirrored}`
    );
    expect((await world.mirror('catch-up')).record.releases).toMatchObject([{tag: newest}]);
    const build = imageOf('what has shipped', 'oci', []);
    putReleases(world.source.store, 'arcdata', [[coming, names]]);
    putImage(world.source.store, 'arcdata/arc-controller', build, coming);
    expect((await world.mirror('catch-up')).record.releases).toMatchObject([
      {tag: coming, published: true, changed: true}
    ]);
    expect(world.target.store.tag(`${mirrored}/arc-controller`, coming)).toBe(
      world.source.store.tag('arcdata/arc-controller', coming)
    );
    expect((await world.mirror('catch-up')).record.reason).toContain('Already up to date');
  });

  test('with a suffix are not taken for the newest release', async () => {
    putTiny(world.source.store, 'arcdata', 'arc-controller', 'v1.48.0_2026-07-14_5ba6b837');
    const {record} = await world.mirror('latest');
    expect(record.releases).toMatchObject([{tag: newest, published: true}]);
  });
});

test("a tag that would confuse Arc's upgrade check does not come beside stable releases", async () => {
  const odd = `${newest}-amd64`;
  putReleases(world.source.store, 'arcdata', [
    [newest, names],
    [odd, names]
  ]);
  expect((await world.mirror('latest')).record.failure).toBeUndefined();
  const before = world.writes().length;
  const {record} = await world.mirror(odd);
  expect(record.failure?.message).toContain(`${odd} is no tag of a stable release, and the target`);
  expect(world.writes()).toHaveLength(before);
  expect((await world.mirror(odd, {'target-tag': 'amd64'})).record.failure).toBeUndefined();
  // Nor does a stable release under such a name.
  const renamed = await world.mirror('latest', {'target-tag': `${newest}-arm64`});
  expect(renamed.record.failure?.message).toContain(
    `${newest}-arm64 is no tag of a stable release, and the target`
  );
});

test("tags at the target that would confuse Arc's upgrade check are told", async () => {
  putReleases(world.source.store, 'arcdata', [[newest, names]]);
  const odd = ['v1.30.0_2024-05-14', 'v1.46.0_2026-05-12-amd64', 'v1-test'];
  for (const tag of [...odd, 'latest', 'v1.45.0_2026-04-14'])
    putTiny(world.target.store, mirrored, 'arc-controller', tag);
  const run = await world.mirror('latest');
  expect(run.record.failure).toBeUndefined();
  const told = warnings(run).filter(text => text.includes('upgrade check'));
  expect(told).toHaveLength(1);
  expect(odd.filter(tag => !told[0]?.includes(tag))).toEqual([]);
  expect(told[0]).not.toMatch(/latest|v1\.45\.0/);
});

test.each(['latest', 'catch-up'])(
  '%s is the newest release, not the newest that has an image which came to an end',
  async request => {
    const old = 'v1.40.0_2025-08-12';
    const dropped = 'arc-postgres-14';
    putReleases(world.source.store, 'arcdata', [
      [old, names],
      [newest, names.filter(name => name !== dropped)]
    ]);
    for (const images of [`${dropped}\narc-sqlmi`, `arc-sqlmi\n${dropped}`]) {
      const {record} = await world.mirror(request, {images});
      expect(record.failure?.message).toBe(
        `${dropped} is named in images but is not at ${world.source.name}/arcdata under ${newest}. Nothing was moved.`
      );
    }
    expect(world.writes()).toEqual([]);
  }
);

describe('a catalogue of five thousand names', () => {
  const asked = () => world.source.requests.filter(({kind}) => kind === 'manifest');

  test('of which most are others, costs a few pages and a question for each sibling', async () => {
    putReleases(world.source.store, 'arcdata', [[newest, [...names, 'arc-vector-search']]]);
    for (let i = 0; i < 300; i++)
      putTiny(world.source.store, 'arcdata', `arc-dead-${i}`, 'v1.0.0_2021-07-30');
    const [manifest] = world.source.store.manifests('arcdata/arc-dead-0');
    for (let i = 0; i < 4680 && manifest; i++) {
      const other = i % 2 === 0 ? 'a-product' : 'z-product';
      world.source.store.putManifest(`${other}/arc-image-${i}`, manifest);
    }
    expect(world.source.store.repositories().length).toBeGreaterThanOrEqual(5000);
    const run = await world.mirror('latest');
    expect(run.record).toMatchObject({releases: [{tag: newest, published: true}]});
    expect(world.imagesOf(newest)).toContain('arc-vector-search');
    const roots = asked().map(({repository}) => repository);
    expect(new Set(roots).size).toBe(roots.length);
    expect(roots).toHaveLength(names.length + 1 + 300);
    expect(roots.filter(name => name?.startsWith('arcdata/') !== true)).toEqual([]);
    const pages = world.source.requests.filter(({kind}) => kind === 'catalog');
    expect(pages.length).toBeLessThanOrEqual(5);
  });

  test('that all look like siblings, costs at most a thousand questions, and says so', async () => {
    putReleases(world.source.store, 'arcdata', [[newest, names]]);
    putTiny(world.source.store, 'arcdata', 'arc-dead', 'v1.0.0_2021-07-30');
    const [manifest] = world.source.store.manifests('arcdata/arc-dead');
    for (let i = 0; i < 5000 && manifest; i++)
      world.source.store.putManifest(`arcdata/arc-dead-${i}`, manifest);
    const run = await world.mirror('latest');
    expect(run.record).toMatchObject({releases: [{tag: newest, published: true}]});
    expect(asked().length).toBeLessThanOrEqual(1000 + names.length);
    expect(warnings(run)).toEqual([
      'The source lists 5001 more names that begin with arc-; the first 1000 are asked for.'
    ]);
  });

  test('of which hundreds carry the tag, is no release', async () => {
    putReleases(world.source.store, 'arcdata', [[newest, names]]);
    putTiny(world.source.store, 'arcdata', 'arc-dead', newest);
    const [manifest] = world.source.store.manifests('arcdata/arc-dead');
    for (let i = 0; i < 300 && manifest; i++) {
      world.source.store.putManifest(`arcdata/arc-dead-${i}`, manifest);
      world.source.store.setTag(`arcdata/arc-dead-${i}`, newest, manifest.digest);
    }
    const run = await world.mirror('latest');
    expect(run.record.failure?.message).toContain('More than 100 images that are in no list');
    expect(asked().length).toBeLessThan(250);
  });
});
