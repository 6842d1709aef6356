import {once} from 'node:events';

import {expect, test} from '@jest/globals';

import {ownTime} from '../../src/mirror/own-time.ts';

/** Milliseconds until it aborts. */
async function lasts(signal: AbortSignal): Promise<number> {
  const began = performance.now();
  // A timer of its own keeps nothing alive.
  const awake = setInterval(() => undefined, 1000);
  if (!signal.aborted) await once(signal, 'abort');
  clearInterval(awake);
  return performance.now() - began;
}

const time = {usual: 30_000, cancelled: 50};

test('it ends by itself, whatever becomes of the run', async () => {
  const {signal} = new AbortController();
  expect(await lasts(ownTime(signal, {usual: 50, cancelled: 30_000}))).toBeLessThan(5000);
});

test('it is short where the run was cancelled before', async () => {
  expect(await lasts(ownTime(AbortSignal.abort(), time))).toBeLessThan(5000);
});

test('it is cut short where the run is cancelled meanwhile, and not at once', async () => {
  const run = new AbortController();
  const own = ownTime(run.signal, time);
  run.abort();
  expect(own.aborted).toBe(false);
  expect(await lasts(own)).toBeLessThan(5000);
});
