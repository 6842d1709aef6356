import {gunzipSync} from 'node:zlib';

import {describe, expect, test} from '@jest/globals';

import {Random} from '../../src/demo/random.ts';
import {buildRelease, sampleNames, seedRelease} from '../../src/demo/sample.ts';
import {Store} from '../../src/demo/store.ts';
import {gzipOf, tarOf} from '../../src/demo/tar.ts';
import {digestOf} from '../../src/oci/digest.ts';
import {parseManifest} from '../../src/oci/manifest.ts';

const tag = 'v1.46.0_2026-05-12';

describe('a sample release', () => {
  const store = new Store();
  const seeded = seedRelease(store, 'arcdata', {tag});

  test('has twenty whole images, of all four types', () => {
    expect(seeded.images.map(({name}) => name)).toEqual(sampleNames);
    expect(store.tagEvents.flatMap(({holes}) => holes)).toEqual([]);
    const types = seeded.images.map(({name}) => store.manifest(`arcdata/${name}`, tag)?.mediaType);
    expect(new Set(types).size).toBe(4);
  });

  test('shares its base, and has the figures it tells', () => {
    const blobs = new Map<string, number>();
    const platforms: unknown[] = [];
    let summed = 0;
    for (const {name} of seeded.images) {
      const place = `arcdata/${name}`;
      const own = new Map<string, number>();
      for (const {body, mediaType} of store.manifests(place)) {
        const parsed = parseManifest(body, mediaType);
        if (parsed.kind === 'index') {
          platforms.push(...parsed.manifests.map(({platform}) => platform?.architecture));
          continue;
        }
        for (const {digest, size} of [parsed.config, ...parsed.layers]) own.set(digest, size);
      }
      for (const [digest, size] of own) blobs.set(digest, size);
      summed += [...own.values()].reduce((total, size) => total + size, 0);
    }
    const unique = [...blobs.values()].reduce((total, size) => total + size, 0);
    expect(seeded).toMatchObject({
      uniqueBytes: unique,
      summedBytes: summed,
      uniqueBlobs: blobs.size
    });
    expect(platforms).toEqual(['amd64', 'arm64', 'amd64', 'arm64']);
    expect(unique).toBeGreaterThan(4e6);
    expect(unique).toBeLessThan(7e6);
    expect(summed / unique).toBeGreaterThan(2);
  });

  test('has layers that unpack to what the config says', () => {
    const {blobs} = buildRelease({tag, names: ['arc-dns']}).images[0] ?? {blobs: []};
    const [config, ...layers] = blobs;
    const {rootfs} = JSON.parse(config?.bytes.toString() ?? '') as {rootfs: {diff_ids: string[]}};
    const archives = layers.map(({bytes}) => gunzipSync(bytes));
    expect(archives.map(archive => digestOf(archive))).toEqual(rootfs.diff_ids);
    expect(archives[0]?.subarray(257, 262).toString()).toBe('ustar');
  });

  test('is the same each time, and another with another seed', () => {
    const again = seedRelease(new Store(), 'elsewhere', {tag});
    expect(again).toEqual(seeded);
    expect(seeded.images[0]?.digest).toBe(
      'sha256:00673ceab34dae7fd647af5ecdbf52527d249a57042531156ca14b262a2d9d18'
    );
    const other = buildRelease({tag, seed: 2, names: ['arc-dns']});
    expect(seeded.images.map(({digest}) => digest)).not.toContain(other.images[0]?.root.digest);
  });

  test('shares four fifths with the next month', () => {
    const sizes = (month: number) =>
      new Map(
        buildRelease({tag, month}).images.flatMap(({blobs}) =>
          blobs.map(({digest, bytes}) => [digest, bytes.length] as const)
        )
      );
    const [now, then] = [sizes(0), sizes(1)];
    const sum = (all: readonly number[]) => all.reduce((total, size) => total + size, 0);
    const shared = sum([...then].filter(([digest]) => now.has(digest)).map(([, size]) => size));
    expect(shared / sum([...then.values()])).toBeCloseTo(0.8, 1);
  });

  test('grows with its scale', () => {
    const one = buildRelease({tag, names: ['arc-dns']}).uniqueBytes;
    expect(buildRelease({tag, names: ['arc-dns'], scale: 4}).uniqueBytes / one).toBeGreaterThan(3);
  });
});

test('archives of any length are gzip', () => {
  for (const length of [0, 1, 65_535, 65_536, 200_000]) {
    const bytes = new Random(length).bytes(length);
    expect(gunzipSync(gzipOf(bytes)).equals(bytes)).toBe(true);
  }
  expect(tarOf([], 0)).toHaveLength(1024);
});
