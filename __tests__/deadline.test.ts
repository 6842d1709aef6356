import {once} from 'node:events';
import {setFlagsFromString} from 'node:v8';
import {runInNewContext} from 'node:vm';

import {expect, test} from '@jest/globals';

import {deadline} from '../src/deadline.ts';
import {ownTime} from '../src/mirror/own-time.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Whether it aborts, in spite of a collector that takes whatever nobody holds. */
async function ends(signal: AbortSignal): Promise<boolean> {
  // A deadline keeps nothing alive; this does.
  const collecting = setInterval(collectGarbage, 20);
  const over = new AbortController();
  const patience = setTimeout(() => {
    over.abort();
  }, 10_000);
  try {
    await once(signal, 'abort', {signal: over.signal});
  } catch {
    // Its patience was over.
  }
  clearInterval(collecting);
  clearTimeout(patience);
  return signal.aborted;
}

const {signal} = new AbortController();

test.each<[string, () => AbortSignal]>([
  ['by itself', () => deadline(200)],
  ['beside another signal', () => deadline(200, signal)],
  ['joined once more', () => AbortSignal.any([deadline(200, signal), signal])],
  ['as the time of what is put right', () => ownTime(signal, {usual: 200, cancelled: 30_000})]
])('a deadline ends %s, though memory is tidied meanwhile', async (_, make) => {
  expect(await ends(make())).toBe(true);
});

test('it tells how long it was', async () => {
  const limit = deadline(50);
  await ends(limit);
  expect(limit.reason).toMatchObject({
    name: 'TimeoutError',
    message: 'the time was over after 0.05 s'
  });
});

test('it ends with the signal beside it, for its reason', () => {
  const run = new AbortController();
  const limit = deadline(30_000, run.signal);
  run.abort(new Error('enough'));
  expect(limit.reason).toMatchObject({message: 'enough'});
});
