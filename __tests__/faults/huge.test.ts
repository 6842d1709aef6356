import {expect, test} from '@jest/globals';

import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import {Store} from '../../src/demo/store.ts';
import {mediaTypes} from '../../src/oci/media-type.ts';
import {hasFailed} from '../../src/report/verdict.ts';
import {release} from '../support/fault-world.ts';
import {mirrorRun} from '../support/mirror-run.ts';
import {tellOf} from '../support/oracle.ts';
import {asked} from '../support/rows.ts';
import {putRelease, smallTag} from '../support/small-release.ts';

const MiB = 1024 * 1024;
/** Where 32 bits end. */
const edge = 2 ** 32;

// Its bytes are computed as they are sent, and hashed and dropped as they come: nothing holds them.
const size = edge + 24 * MiB;

/** Where the part begins that a request asked for or brought. */
const startOf = (range: string | undefined) => Number(/\d+/.exec(range ?? '')?.[0] ?? 0);

test('T30 a blob of more than 2^32 bytes, broken beyond them on the way down and on the way up', async () => {
  await using source = await EmbeddedRegistry.start();
  await using target = await EmbeddedRegistry.start({
    profile: 'spec',
    store: new Store({discardOver: 16 * MiB})
  });
  putRelease(source.store, 'arcdata', release);
  const place = 'arcdata/arc-dns';
  const config = source.store.putBlob(place, Buffer.from('{}'));
  const layer = source.store.putBlob(place, {size, seed: 30});
  const body = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: {...config, mediaType: 'application/vnd.oci.image.config.v1+json'},
    layers: [{...layer, mediaType: 'application/vnd.oci.image.layer.v1.tar'}]
  });
  source.store.putManifest(place, {mediaType: mediaTypes.ociManifest, body}, smallTag);
  source.rule({
    on: {kind: 'blob', method: 'GET', digest: layer.digest},
    do: {effect: 'cut-download', after: edge + 4 * MiB}
  });
  target.rule({
    on: {kind: 'upload', method: 'PATCH', repository: 'mirror/arcdata/arc-dns'},
    // What is read again is hashed again, from the last place where the hash was kept: 17 MiB before, or less.
    do: {effect: 'cut-upload', after: edge + 20 * MiB}
  });

  const before = process.memoryUsage().rss;
  let peak = before;
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss);
  }, 50);
  const run = await mirrorRun({source, target, inputs: {images: 'arc-dns'}});
  clearInterval(watch);

  expect(hasFailed(run.record) ? tellOf(run) : '').toBe('');
  // The target has hashed all of it before it took it.
  expect(target.store.blob('mirror/arcdata/arc-dns', layer.digest)?.size).toBe(size);
  expect(target.store.tagEvents.map(({tag, holes}) => ({tag, holes}))).toEqual([
    {tag: smallTag, holes: []}
  ]);
  // Both went on from beyond the edge, and hardly anything went twice.
  const reads = asked(source.requests, 'blob', 'GET').filter(({path}) =>
    path.endsWith(layer.digest)
  );
  expect(reads.slice(1).filter(({headers}) => startOf(headers.range) < edge)).toEqual([]);
  const chunks = asked(target.requests, 'upload', 'PATCH');
  const later = chunks.filter(({headers}) => startOf(headers['content-range']) > edge);
  expect(later.length).toBeGreaterThan(0);
  expect(chunks.filter(one => !later.includes(one))).toHaveLength(1);
  const sent = chunks.reduce((sum, {bytesIn}) => sum + bytesIn, 0);
  expect(sent).toBe(size);
  expect(peak - before).toBeLessThan(256 * MiB);
}, 120_000);
