import {afterEach, beforeEach, describe, expect, test} from '@jest/globals';

import type {Body} from '../../src/demo/body.ts';
import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import type {Rule} from '../../src/demo/rules.ts';
import {putRelease, smallNames, smallRelease, smallTag} from '../support/small-release.ts';
import {Job} from '../support/step.ts';

const MB = 1_000_000;
const auth = {kind: 'bearer', username: 'robot', password: 'a password'} as const;

/** What a bomb may cost beside a run that ends just as soon without one, in bytes. */
const most = 64 * 1024 * 1024;

let source: EmbeddedRegistry;
let target: EmbeddedRegistry;
let job: Job;

beforeEach(async () => {
  source = await EmbeddedRegistry.start({auth: {...auth, anonymousPull: true}});
  target = await EmbeddedRegistry.start();
  putRelease(source.store, 'arcdata', smallRelease());
  job = await Job.begin();
});

afterEach(async () => {
  for (const one of [job, source, target]) await one[Symbol.asyncDispose]();
});

/** The program's own account of its memory. */
async function peak(): Promise<{readonly memory: number; readonly outcome: string}> {
  const end = await job.cli([
    '--json',
    ...['--source-registry', source.name, '--source-tag', smallTag],
    ...['--target-registry', target.name, '--target-repository', 'arcdata'],
    ...['--images', smallNames.join(',')],
    ...['--insecure-registries', `${source.name},${target.name}`]
  ]).end;
  const {peakMemory, outcome} = JSON.parse(end.stdout) as {peakMemory: number; outcome: string};
  return {memory: peakMemory, outcome};
}

const huge = (size: number, more: Partial<Extract<Body, {repeat: string}>> = {}): Body => ({
  repeat: ' ',
  size,
  ...more
});

const bombs: readonly (readonly [string, Rule])[] = [
  [
    'a manifest of 300 MB',
    {on: {kind: 'manifest'}, do: {effect: 'substitute', body: huge(300 * MB)}}
  ],
  [
    'a manifest of 200 MB in gzip',
    {on: {kind: 'manifest'}, do: {effect: 'substitute', body: huge(200 * MB, {gzip: true})}}
  ],
  ['a token of 10 MB', {on: {kind: 'token'}, do: {effect: 'substitute', body: huge(10 * MB)}}],
  [
    'an error of 100 MB',
    {on: {kind: 'manifest'}, do: {effect: 'answer', status: 403, body: huge(100 * MB)}}
  ],
  [
    'an error of 100 MB of JSON',
    {
      on: {kind: 'manifest'},
      do: {
        effect: 'answer',
        status: 400,
        body: huge(100 * MB, {
          head: '{"errors":[',
          repeat: '{"code":"X","message":"y"},',
          tail: '{}]}'
        })
      }
    }
  ],
  [
    'a list of tags of 300 MB',
    {
      on: {kind: 'tags'},
      do: {
        effect: 'substitute',
        body: huge(300 * MB, {head: '{"tags":["', repeat: 'v1","', tail: '"]}'})
      }
    }
  ],
  [
    'a blob that is said to be small and has no end',
    {on: {kind: 'blob', method: 'GET'}, do: {effect: 'substitute', body: huge(1000 * MB)}}
  ]
];

describe('memory bombs', () => {
  test('cost next to nothing', async () => {
    const without = await peak();
    expect(without.outcome).toBe('mirrored');
    const costs: string[] = [];
    for (const [name, rule] of bombs) {
      source.clearRules();
      source.rule({...rule, times: 'always'});
      for (const image of smallNames) {
        for (const {digest} of target.store.manifests(`arcdata/${image}`))
          target.store.deleteManifest(`arcdata/${image}`, digest);
        for (const {blobs, children} of [...smallRelease().images.values()])
          for (const {digest} of [...blobs, ...children.flatMap(child => child.blobs)])
            target.store.deleteBlob(`arcdata/${image}`, digest);
      }
      const {memory, outcome} = await peak();
      if (outcome !== 'failed') costs.push(`${name} did not fail: ${outcome}`);
      if (memory - without.memory > most) {
        costs.push(`${name} costs ${Math.round((memory - without.memory) / MB)} MB`);
      }
    }
    expect(costs).toEqual([]);
  });
});
