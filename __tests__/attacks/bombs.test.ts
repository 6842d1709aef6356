import {gzipSync} from 'node:zlib';

import {afterAll, beforeAll, describe, expect, test} from '@jest/globals';

import type {Body} from '../../src/demo/body.ts';
import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import type {Effect, Rule, RuleMatch} from '../../src/demo/rules.ts';
import {digestOf} from '../../src/oci/digest.ts';
import {mediaTypes} from '../../src/oci/media-type.ts';
import {
  indexOf as indexOfImages,
  putRelease,
  type SmallManifest,
  smallNames,
  smallRelease,
  smallTag
} from '../support/small-release.ts';
import {Job} from '../support/step.ts';

const MB = 1_000_000;
const auth = {kind: 'bearer', username: 'robot', password: 'a password'} as const;

/** What a bomb may cost beside a run that ends just as soon without one, in bytes. */
const most = 64 * 1024 * 1024;

let source: EmbeddedRegistry;
let job: Job;
let without: Ran;

beforeAll(async () => {
  source = await EmbeddedRegistry.start({auth: {...auth, anonymousPull: true}});
  putRelease(source.store, 'arcdata', smallRelease());
  job = await Job.begin();
  without = await run();
});

afterAll(async () => {
  for (const one of [job, source]) await one[Symbol.asyncDispose]();
});

interface Ran {
  /** The most that the process had in memory, by the system's account, in bytes. */
  readonly peakMemory: number;
  readonly outcome: string;
  readonly told: string;
}

/** A process of its own each time, to a target that has nothing. */
async function run(more: readonly string[] = []): Promise<Ran> {
  await using target = await EmbeddedRegistry.start();
  const end = await job.cli([
    '--json',
    ...['--source-registry', source.name, '--source-tag', smallTag],
    ...['--target-registry', target.name, '--target-repository', 'arcdata'],
    ...['--images', smallNames.join(',')],
    ...['--insecure-registries', `${source.name},${target.name}`],
    ...more
  ]).end;
  const {peakMemory, outcome} = JSON.parse(end.stdout) as Omit<Ran, 'told'>;
  return {peakMemory, outcome, told: end.stderr};
}

const huge = (size: number, more: Partial<Extract<Body, {repeat: string}>> = {}): Body => ({
  repeat: ' ',
  size,
  ...more
});

/** 200 MB as they travel, packed once. */
const packed = gzipSync(Buffer.alloc(200 * MB, ' '), {level: 1});

/** An index of so many manifests that nobody has. */
function indexOf(count: number, size: number): string {
  const manifests = Array.from({length: count}, (_, i) => ({
    mediaType: mediaTypes.ociManifest,
    digest: digestOf(Buffer.from(String(i))),
    size
  }));
  return JSON.stringify({schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests});
}

const dns = smallRelease().images.get('arc-dns');

/** Puts what is below an index, one of each: it may have the same child many times. */
function putEach({children: [child]}: SmallManifest): void {
  if (child === undefined) return;
  putEach(child);
  for (const {bytes} of child.blobs) source.store.putBlob('arcdata/arc-dns', bytes);
  source.store.putManifest('arcdata/arc-dns', child);
}

interface Bomb {
  readonly name: string;
  readonly rules: readonly Rule[];
  /** What shows that it was this that ended the run. */
  readonly told: RegExp;
}

const bomb = (name: string, told: RegExp, on: RuleMatch, ...effects: readonly Effect[]): Bomb => ({
  ...{name, told},
  rules: effects.map(effect => ({on, times: 'always', do: effect}))
});

const bombs: readonly Bomb[] = [
  bomb(
    'a manifest of 300 MB',
    /larger than 4194304 bytes/,
    {kind: 'manifest'},
    {effect: 'substitute', body: huge(300 * MB)}
  ),
  bomb(
    'a manifest of 200 MB in gzip',
    /cannot be unpacked within the limit/,
    {kind: 'manifest'},
    {effect: 'substitute', body: packed},
    {effect: 'headers', set: {'Content-Encoding': 'gzip'}}
  ),
  bomb(
    'a token of 10 MB',
    /larger than 131072 bytes/,
    {kind: 'token'},
    {effect: 'substitute', body: huge(10 * MB)}
  ),
  bomb(
    'an error of 100 MB',
    /answers 403/,
    {kind: 'manifest'},
    {effect: 'answer', status: 403, body: huge(100 * MB)}
  ),
  bomb(
    'an error of 100 MB of JSON',
    /answers 400/,
    {kind: 'manifest'},
    {
      effect: 'answer',
      status: 400,
      body: huge(100 * MB, {
        head: '{"errors":[',
        repeat: '{"code":"X","message":"y"},',
        tail: '{}]}'
      })
    }
  ),
  bomb(
    'a list of tags of 300 MB',
    /larger than 8388608 bytes/,
    {kind: 'tags'},
    {
      effect: 'substitute',
      body: huge(300 * MB, {head: '{"tags":["', repeat: 'v1","', tail: '"]}'})
    }
  ),
  bomb(
    'an index of manifests of 40 MB',
    /has manifests of more than 16777216 bytes in all/,
    {kind: 'manifest', tag: smallTag},
    {effect: 'substitute', body: indexOf(10, 4 * MB)},
    {effect: 'headers', set: {'Content-Type': mediaTypes.ociIndex, 'Docker-Content-Digest': null}}
  ),
  bomb(
    'manifests of 4 MB of which the index says that they are small',
    /larger than \d{4} bytes/,
    {kind: 'manifest', digest: dns?.children[0]?.digest ?? ''},
    {effect: 'substitute', body: huge(4 * MB)}
  ),
  bomb(
    'a blob that is said to be small and has no end',
    /bytes by its manifest, 1000000000 by the registry/,
    {kind: 'blob', method: 'GET'},
    {effect: 'substitute', body: huge(1000 * MB)}
  )
];

describe('V10 memory bombs', () => {
  test('there is something to compare with', () => {
    expect(without.outcome).toBe('mirrored');
    expect(without.peakMemory).toBeGreaterThan(30 * MB);
  });

  test.each([[[]], [['--referrers']]])(
    'an image that is named 64 million times costs next to nothing, asked for with %j',
    async more => {
      source.clearRules();
      const [leaf] = dns?.children ?? [];
      if (dns === undefined || leaf === undefined) throw new Error('there is no index');
      const floors = [400, 400, 400].reduce<SmallManifest>(
        (below, count) =>
          indexOfImages(mediaTypes.ociIndex, Array<SmallManifest>(count).fill(below)),
        leaf
      );
      putEach(floors);
      source.store.putManifest('arcdata/arc-dns', floors, smallTag);
      const end = await run(more);
      source.store.putManifest('arcdata/arc-dns', dns, smallTag);
      expect(end.outcome).toBe('mirrored');
      expect(end.peakMemory - without.peakMemory).toBeLessThan(most);
    }
  );

  test.each(bombs)('$name costs next to nothing', async ({rules, told}) => {
    source.clearRules();
    for (const rule of rules) source.rule(rule);
    const end = await run();
    expect(end.outcome).toBe('failed');
    expect(end.told).toMatch(told);
    expect(end.peakMemory - without.peakMemory).toBeLessThan(most);
  });
});
