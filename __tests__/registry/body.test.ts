import {Readable} from 'node:stream';

import {describe, expect, test} from '@jest/globals';

import {largestError, readBody, readError} from '../../src/registry/body.ts';
import type {Place} from '../../src/registry/error.ts';

const place: Place = {host: 'r.example'};

/** A body that says one more byte every few milliseconds, and never comes to its end. */
function dripping(every: number): Readable {
  const body = new Readable({read: () => undefined});
  const timer = setInterval(() => body.push('x'), every);
  body.once('close', () => {
    clearInterval(timer);
  });
  return body;
}

describe('a body that must be small', () => {
  test('is read to its end', async () => {
    const body = Readable.from([Buffer.from('one '), Buffer.from('two')]);
    expect((await readBody(body, 7, 1000, place)).toString()).toBe('one two');
  });

  test('is not read beyond its limit', async () => {
    const body = Readable.from([Buffer.from('one '), Buffer.from('two')]);
    await expect(readBody(body, 6, 1000, place)).rejects.toMatchObject({
      fault: 'corrupt',
      message: 'r.example: its answer is larger than 6 bytes'
    });
    expect(body.destroyed).toBe(true);
  });

  test('is given up when nothing more comes', async () => {
    const body = new Readable({read: () => undefined});
    body.push('x');
    await expect(readBody(body, 100, 50, place)).rejects.toMatchObject({
      fault: 'stalled',
      message: 'r.example: its answer stopped for 0.05 s'
    });
    expect(body.destroyed).toBe(true);
  });

  test('is given up when it drips and has no end', async () => {
    const body = dripping(10);
    await expect(readBody(body, 1_000_000, 100, place)).rejects.toMatchObject({
      fault: 'stalled',
      message: expect.stringMatching(
        /^r\.example: its answer was not at its end after 0\.5 s, at \d+ bytes$/
      )
    });
    expect(body.destroyed).toBe(true);
  });
});

describe("an error's body", () => {
  test('is read as far as it is worth reading', async () => {
    const body = Readable.from([Buffer.alloc(largestError), Buffer.alloc(largestError)]);
    expect(await readError(body, 1000)).toHaveLength(largestError);
    expect(body.destroyed).toBe(true);
  });

  test('is left when it drips: what came by then is what there is', async () => {
    const body = dripping(10);
    const said = await readError(body, 200);
    expect(said).toMatch(/^x{3,40}$/);
    expect(body.destroyed).toBe(true);
  });
});
