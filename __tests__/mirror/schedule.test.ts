import {describe, expect, test} from '@jest/globals';

import {ease, largestFirst, openLanes} from '../../src/mirror/schedule.ts';

const MiB = 1024 * 1024;

/** The order in which tasks of these sizes are begun, each as long as its size. */
async function begun(sizes: readonly number[], concurrency: number): Promise<readonly number[]> {
  const order: number[] = [];
  const waiting: {readonly until: number; readonly end: () => void}[] = [];
  let now = 0;
  const done = largestFirst(
    sizes,
    size => size,
    openLanes(concurrency),
    size => {
      order.push(size);
      return new Promise(end => waiting.push({until: now + size, end}));
    }
  );
  const state = {over: false};
  void done.then(() => {
    state.over = true;
  });
  while (!state.over) {
    // All that can begin has begun once the loop has turned.
    await new Promise(resolve => setImmediate(resolve));
    const next = waiting.sort((one, other) => one.until - other.until).shift();
    if (next === undefined) continue;
    now = next.until;
    next.end();
  }
  return order;
}

describe('the order of transfers', () => {
  test('large ones come by size, while the small lane ends with the larger of the small ones', async () => {
    const small = [1, 2, 3, 4, 5, 6];
    const large = [10, 40, 20, 30].map(size => size * MiB);
    // One lane for large ones, two for small ones.
    const order = await begun([...small, ...large], 3);
    expect(order.filter(size => size > MiB)).toEqual([40, 30, 20, 10].map(size => size * MiB));
    // The first wave fills the line; from then on the smallest, so that no tiny one is last.
    expect(order.filter(size => size <= MiB)).toEqual([6, 5, 1, 2, 3, 4]);
  });

  test('small ones fill all lanes once nothing large is left', async () => {
    const order = await begun([1, 2, 3, 4, 5, 6, 2 * MiB], 3);
    expect(order).toHaveLength(7);
    expect(new Set(order.slice(0, 3))).toEqual(new Set([2 * MiB, 6, 5]));
  });

  test('each is begun once, whatever the bound', async () => {
    const sizes = Array.from({length: 50}, (_, i) => (i % 2 === 0 ? i : i * MiB));
    for (const concurrency of [1, 2, 24]) {
      const order = await begun(sizes, concurrency);
      expect([...order].sort((a, b) => a - b)).toEqual([...sizes].sort((a, b) => a - b));
    }
  });
});

test.each(['source', 'target'] as const)('an overloaded %s is asked half as much at once', side => {
  const lanes = openLanes(24);
  const limits = () => ({
    large: lanes.large.limit,
    small: lanes.small.limit,
    control: lanes.control.limit,
    reading: lanes.reading.limit
  });
  const {large, small, control, reading} = limits();
  ease(lanes, side);
  expect(limits()).toEqual({
    large: large / 2,
    small: small / 2,
    // Nothing but questions to the target, and what is read at the source.
    control: side === 'target' ? control / 2 : control,
    reading: side === 'source' ? reading / 2 : reading
  });
});

test('whoever allows few transfers has few questions asked, too', () => {
  const most = (concurrency: number) => {
    const {large, small, control, reading, ahead} = openLanes(concurrency);
    return [large.most + small.most, control.most, reading.most, ahead.source, ahead.target];
  };
  expect(most(1)).toEqual([1, 4, 4, 4, 4]);
  expect(most(24)).toEqual([24, 80, 64, 24, 64]);
  expect(most(64)).toEqual([64, 80, 64, 24, 64]);
});
