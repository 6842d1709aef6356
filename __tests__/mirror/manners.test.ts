import {expect, test} from '@jest/globals';

import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import type {Rule} from '../../src/demo/rules.ts';
import {seedRelease} from '../../src/demo/sample.ts';
import {mirrorRun} from '../support/mirror-run.ts';
import {always, rule, status} from '../support/rows.ts';
import {earlierTag, putRelease, smallNames, smallRelease} from '../support/small-release.ts';

const tag = 'v1.46.0_2026-05-12';

test('concurrency: 1 asks little at once, and brings all', async () => {
  await using source = await EmbeddedRegistry.start();
  await using target = await EmbeddedRegistry.start();
  seedRelease(source.store, 'arcdata', {tag, seed: 1, month: 1});
  seedRelease(target.store, 'mirror/arcdata', {tag: 'v1.45.0_2026-04-14', seed: 1, month: 0});
  const open = {now: 0, most: 0};
  const slow: Rule['do'] = {
    effect: 'custom',
    run: async () => {
      open.most = Math.max(open.most, ++open.now);
      await new Promise(resolve => setTimeout(resolve, 20));
      open.now--;
      return false;
    }
  };
  target.rule({on: {}, times: 'always', do: slow});
  const {record} = await mirrorRun({source, target, inputs: {concurrency: '1', images: ''}});
  expect(record.failure).toBeUndefined();
  expect(record.releases[0]).toMatchObject({published: true, changed: true});
  // One transfer, four questions, four looks at what the registry said it has, and the tags' lists.
  expect(open.most).toBeLessThan(12);
});

test('a look by GET keeps its connection', async () => {
  await using source = await EmbeddedRegistry.start();
  await using target = await EmbeddedRegistry.start();
  for (const [{store}, place] of [
    [source, 'arcdata'],
    [target, 'mirror/arcdata']
  ] as const)
    seedRelease(store, place, {tag, seed: 1, month: 1});
  target.rule(rule({kind: 'blob', method: 'HEAD'}, status(405), {times: always}));
  const {record} = await mirrorRun({source, target, inputs: {images: ''}});
  expect(record.failure).toBeUndefined();
  const looks = target.requests.filter(({kind, method}) => kind === 'blob' && method === 'GET');
  expect(looks.length).toBeGreaterThan(200);
  expect(new Set(target.requests.map(({connection}) => connection)).size).toBeLessThan(100);
});

test('a failure that several images share is told with the tries that there were', async () => {
  const release = smallRelease(2);
  await using source = await EmbeddedRegistry.start({profile: 'spec'});
  await using target = await EmbeddedRegistry.start();
  putRelease(source.store, 'arcdata', release);
  const {digest} = release.base;
  source.rule(rule({kind: 'blob', method: 'GET', digest}, status(403), {times: always}));
  const {record} = await mirrorRun({source, target});
  const tries = source.requests.filter(({path}) => path.endsWith(digest)).length;
  expect(tries).toBeGreaterThan(1);
  expect(record.releases[0]?.images.map(({error}) => error?.attempts)).toEqual(
    smallNames.map(() => tries)
  );
});

test('an account for one image is asked about that one', async () => {
  const login = {kind: 'bearer', username: 'robot', password: 'secret-word'} as const;
  await using source = await EmbeddedRegistry.start({profile: 'spec'});
  await using target = await EmbeddedRegistry.start({auth: login});
  putRelease(source.store, 'arcdata', smallRelease(2));
  const onlyOne: Rule['do'] = {
    effect: 'custom',
    run: async exchange => {
      if (!(exchange.request.url ?? '').includes('arc-controller')) return false;
      await exchange.answer(403);
      return true;
    }
  };
  target.rule({on: {kind: 'token'}, times: 'always', do: onlyOne});
  const inputs = {images: 'arc-dns', 'target-username': 'robot', 'target-password': 'secret-word'};
  const {record} = await mirrorRun({source, target, inputs});
  expect(record.failure).toBeUndefined();
});

test('nothing is put before all is known of the source', async () => {
  const release = smallRelease(2);
  await using source = await EmbeddedRegistry.start({profile: 'spec'});
  await using target = await EmbeddedRegistry.start();
  putRelease(source.store, 'arcdata', release);
  putRelease(target.store, 'mirror/arcdata', smallRelease(1), earlierTag);
  const digest = release.images.get('arc-dns')?.children[1]?.digest ?? '';
  const late: Rule['do'] = {
    effect: 'custom',
    run: async exchange => {
      await new Promise(resolve => setTimeout(resolve, 600));
      await exchange.answer(404);
      return true;
    }
  };
  source.rule({on: {kind: 'manifest', method: 'GET', digest}, times: 'always', do: late});
  const {record} = await mirrorRun({source, target});
  expect(record.failure?.message).toContain(digest);
  expect(target.requests.filter(({method}) => !['GET', 'HEAD'].includes(method))).toEqual([]);
});

test.each(['source', 'target'] as const)(
  'a %s that forbids with a page, and is not known to do so at times, is not waited for',
  async side => {
    const registries = {
      source: await EmbeddedRegistry.start({profile: 'spec'}),
      target: await EmbeddedRegistry.start()
    };
    await using source = registries.source;
    await using target = registries.target;
    putRelease(source.store, 'arcdata', smallRelease(2));
    const page = status(403, {body: {html: '<p>Forbidden by policy'}});
    registries[side].rule(rule({}, page, {times: always}));
    const {record, slept} = await mirrorRun({source, target});
    expect(record.failure).toMatchObject({kind: 'RegistryError/denied', attempts: 1});
    expect(slept).toBe(0);
  }
);
