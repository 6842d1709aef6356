import {expect, test} from '@jest/globals';

import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import {mirrorRun} from '../support/mirror-run.ts';
import {putRelease, smallRelease} from '../support/small-release.ts';

const release = smallRelease(2);

test('within one registry no layer travels', async () => {
  await using registry = await EmbeddedRegistry.start();
  putRelease(registry.store, 'arcdata', release);
  const {record} = await mirrorRun({source: registry, target: registry});
  expect(record.failure).toBeUndefined();
  expect(record.releases[0]).toMatchObject({published: true, changed: true});
  expect(registry.requests.filter(({kind, method}) => kind === 'blob' && method === 'GET')).toEqual(
    []
  );
  const images = record.releases[0]?.images ?? [];
  for (const {size, bytes} of images) {
    expect(bytes.mounted).toBeGreaterThan(0);
    // Manifests are put, not mounted.
    expect(bytes.copied).toBeLessThan(5000);
    expect(bytes.copied + bytes.mounted + bytes.present).toBe(size);
  }
});

test('where it mounts nothing, all travels once and is there', async () => {
  await using registry = await EmbeddedRegistry.start({character: {mount: 'never'}});
  putRelease(registry.store, 'arcdata', release);
  const {record} = await mirrorRun({source: registry, target: registry});
  expect(record.failure).toBeUndefined();
  expect(record.releases[0]?.published).toBe(true);
});
