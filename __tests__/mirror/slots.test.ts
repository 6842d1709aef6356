import {describe, expect, test} from '@jest/globals';

import {deferred} from '../../src/mirror/deferred.ts';
import {Slots} from '../../src/mirror/slots.ts';

const good = () => Promise.resolve();

/** So many pieces of work, one after the other, that all go well. */
async function succeed(slots: Slots, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await slots.run(good);
}

describe('slots', () => {
  test('begin with no more than the most', () => {
    expect(new Slots(4, 8).limit).toBe(4);
    expect(new Slots(9, 8).limit).toBe(8);
  });

  test('are one more after as many successes as there are, up to the most', async () => {
    const slots = new Slots(2, 4);
    await succeed(slots, 1);
    expect(slots.limit).toBe(2);
    await succeed(slots, 1);
    expect(slots.limit).toBe(3);
    await succeed(slots, 2);
    expect(slots.limit).toBe(3);
    await succeed(slots, 1);
    expect(slots.limit).toBe(4);
    await succeed(slots, 20);
    expect(slots.limit).toBe(4);
  });

  test('are halved, rounded down, and never fewer than one', () => {
    const slots = new Slots(13, 16);
    const limits = Array.from({length: 5}, () => {
      slots.halve();
      return slots.limit;
    });
    expect(limits).toEqual([6, 3, 1, 1, 1]);
  });

  test('count successes anew once they are halved', async () => {
    const slots = new Slots(4, 8);
    await succeed(slots, 3);
    slots.halve();
    await succeed(slots, 1);
    expect(slots.limit).toBe(2);
    await succeed(slots, 1);
    expect(slots.limit).toBe(3);
  });

  test('do not grow by what fails', async () => {
    const slots = new Slots(1, 8);
    for (let i = 0; i < 5; i++)
      await expect(slots.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(slots.limit).toBe(1);
    // And each of them gave its slot back.
    await succeed(slots, 1);
    expect(slots.limit).toBe(2);
  });

  test('are never more at once than they are just now, and a new one is taken at once', async () => {
    const slots = new Slots(2, 3);
    const works = Array.from({length: 6}, () => deferred<undefined>());
    let [open, begun] = [0, 0];
    const most: number[] = [];
    const all = works.map(work =>
      slots.run(async () => {
        most.push(++open);
        begun++;
        await work.promise;
        open--;
      })
    );
    const turn = () => new Promise(resolve => setImmediate(resolve));
    await turn();
    expect(begun).toBe(2);
    works[0]?.resolve(undefined);
    await turn();
    expect({begun, limit: slots.limit}).toEqual({begun: 3, limit: 2});
    works[1]?.resolve(undefined);
    await turn();
    // The slot that was given back, and the new one.
    expect({begun, limit: slots.limit}).toEqual({begun: 5, limit: 3});
    // The two that are left fill what is left, and one success is enough to grow from there.
    slots.halve();
    works[2]?.resolve(undefined);
    await turn();
    expect({begun, limit: slots.limit}).toEqual({begun: 5, limit: 2});
    for (const work of works) work.resolve(undefined);
    await Promise.all(all);
    expect(Math.max(...most)).toBe(3);
  });
});
