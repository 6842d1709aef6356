import {describe, expect, test} from '@jest/globals';

import {catalogEntries, type ImageRole, imageSet} from '../../src/release/catalog.ts';
import {everyTag, scriptList, stableReleases, trueSets} from './history.ts';

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

const names = (tag: string) => imageSet(tag).map(({name}) => name);
const withRole = (tag: string, wanted: ImageRole) =>
  imageSet(tag)
    .filter(({role}) => role === wanted)
    .map(({name}) => name);

test.each([...trueSets])('%s has its true set', (tag, expected) => {
  expect(names(tag)).toEqual([...expected].sort());
});

test('the history that this is checked against has every release but two', () => {
  const unknown = stableReleases.filter(tag => !trueSets.has(tag));
  expect(unknown).toEqual(['v1.1.0_2021-11-02', 'v1.2.0_2021-12-15']);
});

test.each(stableReleases.slice(2))('%s has the eleven core images', tag => {
  expect(withRole(tag, 'core')).toEqual(core);
});

test('earlier releases have the core that is known of them', () => {
  expect(withRole('v1.0.0_2021-07-30', 'core')).toEqual(
    core.map(name => (name === 'arc-ha-orchestrator' ? 'arc-ha-operator' : name)).sort()
  );
  const without = core.filter(name => name !== 'arc-ha-orchestrator');
  expect(withRole('v1.1.0_2021-11-02', 'core')).toEqual(without);
});

test('the tools for tests are marked', () => {
  expect(withRole('v1.46.0_2026-05-12', 'test-only')).toEqual(['arc-ci-launcher', 'arc-sb-plugin']);
});

describe("the months in which the script's list was wrong", () => {
  test.each(everyTag.filter(tag => scriptList(tag)?.includes('arc-security-support')))(
    'arc-security-support in %s',
    tag => {
      const exists = !/^(?:public|v1\.[0-5]\.)/.test(tag);
      expect(names(tag).includes('arc-security-support')).toBe(exists);
    }
  );

  test.each(stableReleases.filter(tag => /^v1\.(?:[4-9]|10)\./.test(tag)))(
    'arc-dns and arc-kafka in %s',
    tag => {
      expect(scriptList(tag)).not.toContain('arc-dns');
      expect(scriptList(tag)).not.toContain('arc-kafka');
      expect(names(tag)).toEqual(expect.arrayContaining(['arc-dns', 'arc-kafka']));
    }
  );
});

test('a release of the future has the newest set', () => {
  expect(imageSet('v1.50.0_2027-03-09')).toEqual(imageSet('v1.46.0_2026-05-12'));
  expect(imageSet('v2.0.0_2028-01-11')).toEqual(imageSet('v1.46.0_2026-05-12'));
});

test('a build has the set of its version, and what tells no version the newest', () => {
  expect(imageSet('v1.8.0_2022-06-07_5ba6b837')).toEqual(imageSet('v1.8.0_2022-06-14'));
  expect(imageSet('v1.8')).toEqual(imageSet('v1.8.0_2022-06-14'));
  expect(imageSet('production')).toEqual(imageSet('v1.46.0_2026-05-12'));
});

test('previews between the two known lists may have what either had', () => {
  expect(names('public-preview-feb-2021')).toEqual(
    expect.arrayContaining(['arc-control-watchdog', 'arc-dns', 'arc-ha-operator'])
  );
  expect(withRole('public-preview-feb-2021', 'core')).not.toContain('arc-ha-supervisor');
});

test('the data is sound: sorted, known roles, no name twice at a time', () => {
  expect(catalogEntries.map(({name}) => name)).toEqual(
    catalogEntries.map(({name}) => name).toSorted()
  );
  for (const {name, role} of catalogEntries) {
    expect(name).toMatch(/^arc-[a-z0-9-]+$/);
    expect(['core', 'optional', 'test-only']).toContain(role);
  }
  for (const tag of everyTag) expect(names(tag)).toEqual([...new Set(names(tag))].sort());
});
