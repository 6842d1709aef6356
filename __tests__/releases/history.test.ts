import {describe, expect, test} from '@jest/globals';

import {imageSet} from '../../src/release/catalog.ts';
import {scriptList, trueSets} from '../release/history.ts';
import {putReleases, putTiny, World} from './world.ts';

const sets = [...trueSets];
const tags = sets.map(([tag]) => tag);

describe.each([
  ['that lists its repositories', true],
  ['that does not', false]
])('the whole history, from a registry %s', (_what, catalog) => {
  test('arrives release by release, each with what the registry has', async () => {
    await using world = await World.begin({character: {catalog}});
    putReleases(world.source.store, 'arcdata', sets);
    // Names that a catalogue may hold as well: a dead one, and neighbours.
    putTiny(world.source.store, 'arcdata', 'arc-dead', 'v0.9');
    putTiny(world.source.store, 'arcdata/preview', 'arc-controller', 'v1.46.0_2026-05-12');
    const {record, reporter} = await world.mirror(tags.join('\n'));
    expect(record.failure).toBeUndefined();
    expect(record.releases.map(({tag, published}) => [tag, published])).toEqual(
      tags.map(tag => [tag, true])
    );
    for (const [tag, names] of sets) {
      const release = record.releases.find(one => one.tag === tag);
      expect([tag, release?.images.map(({name}) => name).sort()]).toEqual([tag, names]);
      expect([tag, world.imagesOf(tag), world.broken(tag)]).toEqual([tag, names, []]);
    }
    // Nothing had to be discovered: the list was right by itself.
    expect(reporter.lines.filter(({text}) => text.includes('is in no list'))).toEqual([]);
    expect(world.published()).toEqual(tags);
  });
});

test('in the months in which the script was wrong, the mirror differs from it', () => {
  const wrong = sets.filter(
    ([tag, names]) =>
      scriptList(tag) !== undefined && [...(scriptList(tag) ?? [])].sort().join() !== names.join()
  );
  const difference = ([tag, names]: (typeof sets)[number]) => ({
    tag,
    more: names.filter(name => !scriptList(tag)?.includes(name)),
    less: scriptList(tag)?.filter(name => !names.includes(name))
  });
  expect(wrong.map(difference)).toEqual([
    ...['public-preview-jun-2021', 'v1.0.0_2021-07-30'].map(tag => ({
      tag,
      more: [],
      less: ['arc-security-support']
    })),
    ...[
      'v1.4.0_2022-02-25',
      'v1.4.1_2022-03-08',
      'v1.5.0_2022-04-05',
      'v1.6.0_2022-05-02',
      'v1.7.0_2022-05-24',
      'v1.8.0_2022-06-14',
      'v1.9.0_2022-07-12',
      'v1.10.0_2022-08-09'
    ].map(tag => ({tag, more: ['arc-dns', 'arc-kafka'], less: []}))
  ]);
});

describe('a release that this code has never heard of', () => {
  const tag = 'v1.50.0_2027-03-09';
  const names = imageSet(tag).map(({name}) => name);
  const dropped = 'arc-monitor-grafana';
  const fresh = 'arc-vector-search';
  const set = [...names.filter(name => name !== dropped), fresh].sort();

  test('comes with its new image and without the one that is gone', async () => {
    await using world = await World.begin();
    putReleases(world.source.store, 'arcdata', [
      ['v1.46.0_2026-05-12', names],
      [tag, set]
    ]);
    const {record, reporter} = await world.mirror('latest');
    expect(record.failure).toBeUndefined();
    expect(record.releases).toMatchObject([{tag, published: true, missing: [dropped]}]);
    expect([world.imagesOf(tag), world.broken(tag)]).toEqual([set, []]);
    const notices = reporter.lines.filter(({level}) => level === 'notice').map(({text}) => text);
    expect(notices).toEqual([
      expect.stringContaining(dropped),
      `${fresh} is in no list but carries ${tag}: it is mirrored too.`
    ]);
    expect(world.published()).toEqual([tag]);
  });

  test('is not mirrored without a core image', async () => {
    await using world = await World.begin();
    putReleases(world.source.store, 'arcdata', [[tag, set.filter(name => name !== 'arc-sqlmi')]]);
    const {record} = await world.mirror('latest');
    expect(record.failure?.message).toMatch(
      /v1\.50\.0_2027-03-09 is not whole .*arc-sqlmi is missing/
    );
    expect(world.writes()).toEqual([]);
  });
});
