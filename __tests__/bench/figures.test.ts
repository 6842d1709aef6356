import {mkdtemp, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {afterAll, beforeAll, describe, expect, test} from '@jest/globals';

import {blobPath} from '../../bench/layout.ts';
import type {Month} from '../../bench/shape.ts';
import {
  makeMonths,
  sourceRepository,
  targetRepository,
  weigh,
  type WorkImage,
  type Workload
} from '../../bench/workload.ts';
import type {RequestRecord} from '../../src/demo/record.ts';
import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import type {Given} from '../../src/inputs/given.ts';
import {readSettings} from '../../src/inputs.ts';
import {main} from '../../src/main.ts';
import type {Digest} from '../../src/oci/digest.ts';
import {within} from '../../src/oci/reference.ts';
import type {RunRecord} from '../../src/report/record.ts';
import {terminalReporter} from '../../src/report/terminal.ts';
import {noUndo} from '../../src/run/saved.ts';

// The bench's own workload at two hundredths of its size: the shape, and with it every count, is the same.
const scale = 2;

/** Bytes that travel, of those that have to; requests to the target for each unique blob of a first mirror. */
const bound = {bytes: 1.01, requests: 2.9};

let folder: string;
let months: Workload['months'];
let source: EmbeddedRegistry;

const storage = () => join(folder, 'storage');

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'figures-'));
  months = await makeMonths(scale, storage());
  source = await EmbeddedRegistry.start();
  for (const month of Object.values(months)) {
    for (const image of month.images) {
      await put(source, within(sourceRepository, image.name), month.tag, image);
    }
  }
});

afterAll(async () => {
  await source[Symbol.asyncDispose]();
  await rm(folder, {recursive: true, force: true});
});

async function put(
  {store}: EmbeddedRegistry,
  repository: string,
  tag: string,
  {blobs, manifests}: WorkImage
): Promise<void> {
  for (const {digest} of blobs) {
    store.putBlob(repository, await readFile(blobPath(storage(), digest)));
  }
  for (const [i, {mediaType, text}] of manifests.entries()) {
    const root = i === manifests.length - 1;
    store.putManifest(repository, {mediaType, body: Buffer.from(text)}, root ? tag : undefined);
  }
}

/** What one run asked both registries for. */
interface Asked {
  readonly record: RunRecord;
  readonly source: readonly RequestRecord[];
  readonly target: readonly RequestRecord[];
}

async function mirror(target: EmbeddedRegistry, month: Month): Promise<Asked> {
  const before = [source.requests.length, target.requests.length] as const;
  const given: Given = new Map(
    Object.entries({
      'source-registry': source.name,
      'source-repository': sourceRepository,
      'source-tag': months[month].tag,
      'target-registry': target.name,
      'target-repository': targetRepository,
      'insecure-registries': `${source.name}\n${target.name}`,
      'lock-file': join(folder, 'release.lock.json')
    }).map(([name, value]) => [name, {value, origin: 'flag'}]) as [never, never][]
  );
  const silent = {write: () => true, columns: 80};
  const reporter = terminalReporter({
    stdout: silent,
    stderr: silent,
    json: false,
    tty: false,
    verbose: false
  });
  const record = await main(readSettings(given, reporter.log, {}), {
    reporter,
    env: {HOME: folder},
    signal: new AbortController().signal,
    runnerTemp: folder,
    undo: noUndo
  });
  return {
    record,
    source: source.requests.slice(before[0]),
    target: target.requests.slice(before[1])
  };
}

const sum = (numbers: readonly number[]) => numbers.reduce((all, one) => all + one, 0);
const pulled = ({source: requests}: Asked) =>
  sum(requests.filter(({kind}) => kind === 'blob').map(({bytesOut}) => bytesOut));
const pushed = ({target: requests}: Asked) =>
  sum(requests.filter(({kind}) => kind === 'upload').map(({bytesIn}) => bytesIn));

/** Every image's manifests as the target has them: digests under the tag and below it. */
async function arrived(target: EmbeddedRegistry, month: Month): Promise<readonly string[]> {
  const {tag, images} = months[month];
  const found = images.flatMap(({name, manifests}) =>
    manifests.map(async ({digest}, i) => {
      const reference = i === manifests.length - 1 ? tag : digest;
      const place = `${target.url}/v2/${within(targetRepository, name)}/manifests/${reference}`;
      const answer = await fetch(place, {method: 'HEAD', headers: {Accept: '*/*'}});
      return answer.headers.get('Docker-Content-Digest') ?? `${name} ${answer.status}`;
    })
  );
  return await Promise.all(found);
}

const wanted = (month: Month): readonly Digest[] =>
  months[month].images.flatMap(({manifests}) => manifests.map(({digest}) => digest));

describe('what has to hold of a release, whatever the machine', () => {
  test('the workload is shaped as the bench says', () => {
    const {uniqueBlobs, pairs, uniqueBytes, summedBytes} = weigh(months.first);
    expect({uniqueBlobs, pairs}).toEqual({uniqueBlobs: 162, pairs: 247});
    expect(summedBytes / uniqueBytes).toBeGreaterThan(2.3);
    expect(weigh(months.next, months.first).uniqueBlobs).toBe(43 + 18);
  });

  test('a first mirror moves each byte once, in few requests', async () => {
    await using target = await EmbeddedRegistry.start();
    const asked = await mirror(target, 'first');
    const {uniqueBytes, uniqueBlobs} = weigh(months.first);
    expect(asked.record.releases.map(({published}) => published)).toEqual([true]);
    expect(pulled(asked) / uniqueBytes).toBeLessThanOrEqual(bound.bytes);
    expect(pushed(asked) / uniqueBytes).toBeLessThanOrEqual(bound.bytes);
    expect(pushed(asked)).toBeGreaterThanOrEqual(uniqueBytes);
    expect(asked.target.length / uniqueBlobs).toBeLessThanOrEqual(bound.requests);
    expect(await arrived(target, 'first')).toEqual(wanted('first'));
  });

  test.each(['next', 'rebuilt'] as const)(
    'a later month (%s) moves what changed, and that once',
    async month => {
      await using target = await EmbeddedRegistry.start();
      for (const image of months.first.images) {
        await put(target, within(targetRepository, image.name), months.first.tag, image);
      }
      const asked = await mirror(target, month);
      const {uniqueBytes} = weigh(months[month], months.first);
      expect(asked.record.releases.map(({published}) => published)).toEqual([true]);
      expect(pulled(asked) / uniqueBytes).toBeLessThanOrEqual(bound.bytes);
      expect(pushed(asked) / uniqueBytes).toBeLessThanOrEqual(bound.bytes);
      expect(await arrived(target, month)).toEqual(wanted(month));
      expect(await arrived(target, 'first')).toEqual(wanted('first'));
    }
  );

  test('an unchanged release moves no blob, and is checked down to every one', async () => {
    await using target = await EmbeddedRegistry.start();
    for (const image of months.first.images) {
      await put(target, within(targetRepository, image.name), months.first.tag, image);
    }
    const asked = await mirror(target, 'first');
    expect(pulled(asked) + pushed(asked)).toBe(0);
    expect(asked.target.filter(({method}) => method === 'PUT')).toEqual([]);
    const looked = asked.target.filter(({kind}) => kind === 'blob').map(({path}) => path);
    expect(new Set(looked).size).toBe(weigh(months.first).pairs);
  });
});
