import {afterAll, beforeAll, describe, expect, test} from '@jest/globals';

import type {RequestRecord} from '../../src/demo/record.ts';
import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import {buildRelease, type SampleRelease, seedRelease} from '../../src/demo/sample.ts';
import {Job, type StepEnd} from '../support/step.ts';

const months = [
  {tag: 'v1.45.0_2026-04-14', month: 1},
  {tag: 'v1.46.0_2026-05-12', month: 2}
] as const;

/** Sizes by digest. */
function blobsOf({images}: SampleRelease): ReadonlyMap<string, number> {
  return new Map(
    images.flatMap(({blobs}) =>
      blobs.map(({digest, bytes}) => [digest as string, bytes.length] as const)
    )
  );
}

/** Sizes of all manifests by digest. */
function manifestsOf({images}: SampleRelease): ReadonlyMap<string, number> {
  return new Map(
    images
      .flatMap(({children, root}) => [...children, root])
      .map(({digest, body}) => [digest as string, body.length] as const)
  );
}

const sum = (sizes: Iterable<number>) => [...sizes].reduce((all, size) => all + size, 0);
const sorted = (texts: Iterable<string>) => [...texts].sort();
const digestIn = ({path, query}: RequestRecord) =>
  new URLSearchParams(query).get('digest') ?? path.slice(path.lastIndexOf('/') + 1);

describe('bytes, counted by the registries themselves', () => {
  let source: EmbeddedRegistry;
  let target: EmbeddedRegistry;
  let job: Job;

  beforeAll(async () => {
    source = await EmbeddedRegistry.start();
    target = await EmbeddedRegistry.start();
    job = await Job.begin();
    seedRelease(source.store, 'arcdata', months[0]);
  });

  afterAll(async () => {
    for (const one of [job, source, target]) await one[Symbol.asyncDispose]();
  });

  async function step(more: Readonly<Record<string, string>> = {}): Promise<{
    readonly end: StepEnd;
    readonly source: readonly RequestRecord[];
    readonly target: readonly RequestRecord[];
  }> {
    const before = [source.requests.length, target.requests.length] as const;
    const end = await job.run({
      'source-registry': source.name,
      'target-registry': target.name,
      'target-repository': 'arcdata',
      'insecure-registries': `${source.name}\n${target.name}`,
      ...more
    });
    return {
      end,
      source: source.requests.slice(before[0]),
      target: target.requests.slice(before[1])
    };
  }

  /** What went through, against what had to. */
  function expectOnce(
    {end, source: asked, target: told}: Awaited<ReturnType<typeof step>>,
    blobs: ReadonlyMap<string, number>,
    manifests: ReadonlyMap<string, number>
  ): void {
    expect({code: end.exitCode, stderr: end.stderr}).toEqual({code: 0, stderr: ''});
    const read = asked.filter(({kind, method}) => kind === 'blob' && method === 'GET');
    expect(sorted(read.map(digestIn))).toEqual(sorted(blobs.keys()));
    expect(sum(read.map(({bytesOut}) => bytesOut))).toBe(sum(blobs.values()));

    const sent = told.filter(({kind}) => kind === 'upload');
    const commits = sent.filter(({method}) => method === 'PUT');
    expect(commits.filter(({status}) => status !== 201)).toEqual([]);
    expect(sorted(commits.map(digestIn))).toEqual(sorted(blobs.keys()));
    expect(sum(sent.map(({bytesIn}) => bytesIn))).toBe(sum(blobs.values()));
    // Every upload that was opened, a refused mount's too, was used.
    const opened = told.filter(({method, status}) => method === 'POST' && status === 202);
    expect(opened).toHaveLength(blobs.size);
    expect(target.store.sessions).toEqual([]);

    const copied = sum(blobs.values()) + sum(manifests.values());
    expect(end.outputs['bytes-copied']).toBe(String(copied));
    const plan = end.stdout.split('\n').find(line => line.startsWith('Plan: ')) ?? '';
    expect(plan).toContain(`(${copied.toLocaleString('en')} B) to copy`);
  }

  /** Every manifest of the release was read once at the source, by its tag or its digest. */
  function expectManifestsOnce(asked: readonly RequestRecord[], release: SampleRelease): void {
    const read = asked.filter(
      ({kind, method, status}) => kind === 'manifest' && method === 'GET' && status === 200
    );
    const expected = release.images.flatMap(({name, children}) => [
      `${name}/manifests/${release.tag}`,
      ...children.map(({digest}) => `${name}/manifests/${digest}`)
    ]);
    expect(sorted(read.map(({path}) => path.replace('/v2/arcdata/', '')))).toEqual(
      sorted(expected)
    );
  }

  test('a dry run moves nothing, and foretells what the run moves', async () => {
    const release = buildRelease(months[0]);
    const {end, source: asked, target: told} = await step({'dry-run': 'true'});
    expect(end.exitCode).toBe(0);
    expect(told.filter(({method}) => method !== 'GET' && method !== 'HEAD')).toEqual([]);
    expect(asked.filter(({kind}) => kind === 'blob')).toEqual([]);
    const copied = sum(blobsOf(release).values()) + sum(manifestsOf(release).values());
    expect(end.outputs).toMatchObject({changed: 'false', 'bytes-copied': String(copied)});
    const rows = JSON.parse(end.outputs.images ?? '[]') as {status: string}[];
    expect(rows.map(({status}) => status)).toEqual(release.images.map(() => 'planned'));
    // No image has an output: none is at the target.
    expect(end.outputs).not.toHaveProperty('arc-controller');
  });

  test('staged is all but the tags', async () => {
    const release = buildRelease(months[0]);
    const staged = await step({publish: 'false'});
    expectOnce(staged, blobsOf(release), manifestsOf(release));
    expectManifestsOnce(staged.source, release);
    expect(target.store.tagEvents).toEqual([]);
    expect(staged.end.outputs).toMatchObject({changed: 'false'});
    expect(staged.end.outputs).not.toHaveProperty('arc-controller');
    const rows = JSON.parse(staged.end.outputs.images ?? '[]') as {status: string}[];
    expect(new Set(rows.map(({status}) => status))).toEqual(new Set(['staged']));
  });

  test('an ordinary run then publishes, and no blob moves', async () => {
    const {end, source: asked, target: told} = await step();
    expect(end.exitCode).toBe(0);
    expect(asked.filter(({kind}) => kind === 'blob')).toEqual([]);
    expect(told.filter(({kind}) => kind === 'upload' || kind === 'mount')).toEqual([]);
    const events = target.store.tagEvents;
    expect(events).toHaveLength(20);
    expect(events.filter(({holes}) => holes.length > 0)).toEqual([]);
    expect(events.slice(-2).map(({repository}) => repository)).toEqual([
      'arcdata/arc-bootstrapper',
      'arcdata/arc-controller'
    ]);
    expect(end.outputs).toMatchObject({changed: 'true', release: months[0].tag});
  });

  test('next month moves what is new, each byte once', async () => {
    seedRelease(source.store, 'arcdata', months[1]);
    const [old, release] = [buildRelease(months[0]), buildRelease(months[1])];
    const known = blobsOf(old);
    const fresh = new Map([...blobsOf(release)].filter(([digest]) => !known.has(digest)));
    const run = await step();
    expectOnce(run, fresh, manifestsOf(release));
    expectManifestsOnce(run.source, release);
    expect(run.target.filter(({kind}) => kind === 'mount')).toEqual([]);
    expect(target.store.tagEvents.slice(20).filter(({holes}) => holes.length > 0)).toEqual([]);
  });

  test('three releases at once share their bytes, and come oldest first', async () => {
    await using fresh = await EmbeddedRegistry.start();
    seedRelease(source.store, 'arcdata', {tag: 'v1.44.0_2026-03-10', month: 0});
    const releases = [{tag: 'v1.44.0_2026-03-10', month: 0}, ...months].map(buildRelease);
    const before = source.requests.length;
    const end = await job.run({
      'source-registry': source.name,
      'source-tag': '1.44..1.46',
      'target-registry': fresh.name,
      'target-repository': 'arcdata',
      'insecure-registries': `${source.name}\n${fresh.name}`
    });
    expect(end.exitCode).toBe(0);
    const all = new Map(releases.flatMap(release => [...blobsOf(release)]));
    const read = source.requests
      .slice(before)
      .filter(({kind, method}) => kind === 'blob' && method === 'GET');
    expect(sorted(read.map(digestIn))).toEqual(sorted(all.keys()));
    const commits = fresh.requests.filter(
      ({kind, method}) => kind === 'upload' && method === 'PUT'
    );
    expect(sorted(commits.map(digestIn))).toEqual(sorted(all.keys()));
    expect(JSON.parse(end.outputs.releases ?? '')).toEqual(releases.map(({tag}) => tag));
    expect(end.outputs.release).toBe(months[1].tag);
    expect(end.outputs['arc-controller']).toContain(months[1].tag);
    // One release is whole before the next one shows.
    const order = fresh.store.tagEvents.map(({tag}) => tag);
    expect(order).toEqual(releases.flatMap(({tag, images}) => images.map(() => tag)));
    expect(fresh.store.tagEvents.filter(({holes}) => holes.length > 0)).toEqual([]);
    const figures = releases.reduce((bytes, one) => bytes + sum(manifestsOf(one).values()), 0);
    expect(end.outputs['bytes-copied']).toBe(String(sum(all.values()) + figures));
  });
});
