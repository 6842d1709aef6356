import {afterAll, afterEach, beforeEach, expect, test} from '@jest/globals';

import {Random} from '../../src/demo/random.ts';
import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import {previous, release} from '../support/fault-world.ts';
import {holesBelow, snapshotOf} from '../support/oracle.ts';
import {putRelease, smallNames, smallTag} from '../support/small-release.ts';
import {Job, until} from '../support/step.ts';

/** How many kills, and the seed of their moments. */
const kills = Number(process.env.SOAK_KILLS ?? 6);
const seed = Number(process.env.SOAK_SEED ?? 20_260_512);
const random = new Random(Random.seedOf('kills', seed));

let source: EmbeddedRegistry;
let target: EmbeddedRegistry;
let job: Job;

beforeEach(async () => {
  source = await EmbeddedRegistry.start();
  target = await EmbeddedRegistry.start();
  job = await Job.begin();
  putRelease(source.store, 'arcdata', release);
  // Slow enough that there is something to be killed in the middle of.
  for (const one of [source, target]) {
    one.rule({
      on: {kind: ['blob', 'upload', 'manifest', 'mount']},
      times: 'always',
      do: {effect: 'delay', ms: 25}
    });
  }
});

afterEach(async () => {
  for (const one of [job, source, target]) await one[Symbol.asyncDispose]();
});

afterAll(() => {
  process.stdout.write(`kills: seed ${seed}, ${kills} kills\n`);
});

const start = () =>
  job.cli([
    ...['--source-registry', source.name, '--source-tag', smallTag],
    ...['--target-registry', target.name, '--target-repository', 'arcdata'],
    ...['--images', smallNames.join(',')],
    ...['--insecure-registries', `${source.name},${target.name}`]
  ]);

/** What is wrong at the target just now: tags over holes, at any moment so far. */
function findings(): string[] {
  const over = target.store.tagEvents
    .filter(({holes}) => holes.length > 0)
    .map(({repository}) => `a tag of ${repository} was set over holes`);
  const half = [...snapshotOf(target.store).tags].flatMap(([name, digest]) =>
    holesBelow(target.store, name.slice(0, name.lastIndexOf(':')), digest)
  );
  return [...over, ...half];
}

/** Bytes of blobs that came with the requests from this one on. */
const sentSince = (request: number) =>
  target.requests
    .slice(request)
    .filter(({kind, method, status}) => kind === 'upload' && method !== 'POST' && status < 300)
    .reduce((sum, {bytesIn}) => sum + bytesIn, 0);

/** A run asks the target at least so many times: a kill at one of these finds it at work. */
const requests = 36;

test.each(Array.from({length: kills}, (_, i) => [i + 1, random.between(1, requests)] as const))(
  'T20 kill %i, at request %i: never a half tag, and the next run completes without sending again',
  async (_number, nth) => {
    if (random.fraction() < 0.5) putRelease(target.store, 'arcdata', previous);
    const later = random.between(0, 30);
    const running = start();
    target.rule({
      on: {},
      skip: nth - 1,
      do: {
        effect: 'custom',
        run: () => {
          setTimeout(() => {
            running.kill('SIGKILL');
          }, later);
          return false;
        }
      }
    });
    expect((await running.end).exitCode).toBeNull();
    expect(findings()).toEqual([]);
    const there = smallNames.map(name =>
      target.store.blob(`arcdata/${name}`, release.engine.digest)
    );
    // What was on its way when it was killed may still be read from its socket.
    const before = target.requests.length;
    const end = await start().end;
    expect({code: end.exitCode, log: end.exitCode === 0 ? '' : end.stdout + end.stderr}).toEqual({
      code: 0,
      log: ''
    });
    expect(findings()).toEqual([]);
    expect(smallNames.map(name => target.store.tag(`arcdata/${name}`, smallTag))).toEqual(
      smallNames.map(name => release.images.get(name)?.digest)
    );
    // The largest blob is not sent a second time once it is there.
    const engine = there.some(blob => blob !== undefined) ? release.engine.bytes.length : 0;
    const all = 7_200_000;
    expect(sentSince(before)).toBeLessThanOrEqual(all - engine);
  }
);

test.each([
  ['SIGINT', 'while uploads are opened', {kind: ['upload', 'mount'], method: 'POST'}, 700],
  ['SIGINT', 'while uploads are on their way', {kind: 'upload', method: ['PUT', 'PATCH']}, 60_000],
  ['SIGTERM', 'while uploads are on their way', {kind: 'upload', method: ['PUT', 'PATCH']}, 60_000]
] as const)(
  'T19 %s %s ends the run soon, and none of them stays',
  async (signal, _when, on, ms) => {
    putRelease(target.store, 'arcdata', previous);
    const before = snapshotOf(target.store);
    target.clearRules();
    target.rule({
      on,
      times: 'always',
      do: ms > 1000 ? {effect: 'stall-upload', after: 1} : {effect: 'delay', ms}
    });
    const running = start();
    await until('three of them are under way', () => {
      const under = target.requests.filter(
        ({method, kind, status, path}) =>
          status === 0 && path.includes('/uploads') && kind !== 'manifest' && method !== 'DELETE'
      );
      return under.length >= 3;
    });
    const at = performance.now();
    running.kill(signal);
    const end = await running.end;
    expect(end.exitCode).toBe(130);
    expect(performance.now() - at).toBeLessThan(7500);
    expect(end.stdout + end.stderr).toContain('cancelled');
    expect(snapshotOf(target.store).tags).toEqual(before.tags);
    await until('no upload is open', () => target.store.sessions.length === 0, 2000);
  }
);
