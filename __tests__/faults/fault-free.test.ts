import {describe, expect, test} from '@jest/globals';

import type {RequestRecord} from '../../src/demo/record.ts';
import {play, previous, release, type Row} from '../support/fault-world.ts';
import {asked} from '../support/rows.ts';
import {putRelease, type SmallRelease} from '../support/small-release.ts';

// What it costs to be ready for all the faults of this folder when none of them comes: nothing. These
// are the very numbers of requests, which no care may raise.

/** The unique blobs of a release, by digest, in bytes. */
function blobsOf({images}: SmallRelease): ReadonlyMap<string, number> {
  const all = [...images.values()].flatMap(image => [image, ...image.children]);
  return new Map(
    all.flatMap(({blobs}) => blobs.map(({digest, bytes}) => [digest, bytes.length] as const))
  );
}

const manifests = [...release.images.values()].flatMap(image => [image, ...image.children]);
const all = blobsOf(release);
const fresh = new Map([...all].filter(([digest]) => !blobsOf(previous).has(digest)));
const sum = (numbers: Iterable<number>) => [...numbers].reduce((total, one) => total + one, 0);

interface Cost {
  readonly name: string;
  readonly prepare?: Row['prepare'];
  /** What has to move. */
  readonly blobs: ReadonlyMap<string, number>;
  /** Requests at most. */
  readonly source: number;
  readonly target: number;
}

const costs: readonly Cost[] = [
  // Greeting, list of tags, each manifest, each blob.
  {name: 'a first mirror', blobs: all, source: 2 + manifests.length + all.size, target: 41},
  {
    name: 'another image stands under the tags',
    prepare: ({target}) => {
      putRelease(target.store, 'mirror/arcdata', previous);
    },
    blobs: fresh,
    source: 2 + manifests.length + fresh.size,
    target: 51
  },
  {
    name: 'all is there',
    prepare: ({target}) => {
      putRelease(target.store, 'mirror/arcdata', release);
    },
    blobs: new Map(),
    source: 2 + manifests.length,
    // Greeting, list of tags, each manifest once, each blob of each repository once.
    target: 2 + manifests.length + 13
  }
];

describe('without any fault', () => {
  test.each(costs)('$name: no request too many, no byte twice', async cost => {
    const seen: {source: readonly RequestRecord[]; target: readonly RequestRecord[]} = {
      source: [],
      target: []
    };
    const findings = await play({
      id: 'fault-free',
      end: 'complete',
      name: cost.name,
      ...(cost.prepare && {prepare: cost.prepare}),
      also: ({source, target}) => {
        Object.assign(seen, {source: source.requests, target: target.requests});
        return [];
      }
    });
    expect(findings).toEqual([]);
    const read = asked(seen.source, 'blob', 'GET');
    expect(read).toHaveLength(cost.blobs.size);
    expect(sum(read.map(({bytesOut}) => bytesOut))).toBe(sum(cost.blobs.values()));
    const manifestsRead = asked(seen.source, 'manifest', 'GET');
    expect(sum(manifestsRead.map(({bytesOut}) => bytesOut))).toBe(
      sum(manifests.map(({body}) => body.length))
    );
    const sent = seen.target.filter(({kind}) => kind === 'upload');
    expect(sum(sent.map(({bytesIn}) => bytesIn))).toBe(sum(cost.blobs.values()));
    const failed = [...seen.source, ...seen.target].filter(
      ({status, kind}) => status >= 500 || (status >= 400 && kind === 'upload')
    );
    expect(failed).toEqual([]);
    expect(seen.source.length).toBeLessThanOrEqual(cost.source);
    expect(seen.target.length).toBeLessThanOrEqual(cost.target);
  });
});
