import {Readable} from 'node:stream';
import {brotliCompressSync, deflateRawSync, deflateSync, gzipSync} from 'node:zlib';

import {describe, expect, test} from '@jest/globals';

import {largestError, readBody, readDocument, readError} from '../../src/registry/body.ts';
import type {Place} from '../../src/registry/error.ts';

const place: Place = {host: 'r.example'};

/** An answer with this body, labelled as packed in some way. */
const labelled = (encoding: string | undefined, ...pieces: readonly Buffer[]) => ({
  headers: {'content-encoding': encoding},
  body: Readable.from(pieces)
});

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

describe('a document that comes packed, though nobody asked', () => {
  const text = JSON.stringify({tags: ['v1.0.0', 'v1.1.0']});
  const bytes = Buffer.from(text);

  test.each([
    ['gzip', gzipSync(bytes)],
    ['x-gzip', gzipSync(bytes)],
    ['GZip', gzipSync(bytes)],
    ['identity, gzip', gzipSync(bytes)],
    ['deflate', deflateSync(bytes)],
    ['deflate', deflateRawSync(bytes)],
    ['Identity', bytes],
    ['utf-8', bytes],
    ['', bytes],
    [undefined, bytes]
  ])('is read where the label says %j', async (encoding, sent) => {
    const answer = labelled(encoding, sent.subarray(0, 5), sent.subarray(5));
    expect((await readDocument(answer, 100, 1000, place)).toString()).toBe(text);
  });

  test.each(['br', 'zstd', 'compress', 'gzip, gzip', 'gzip, br'])(
    'in a way that nobody here can unpack is told as that: %s',
    async encoding => {
      const answer = labelled(encoding, brotliCompressSync(bytes));
      await expect(readDocument(answer, 100, 1000, place)).rejects.toMatchObject({
        fault: 'corrupt',
        message: `r.example: its answer came with Content-Encoding ${encoding}, which nobody asked for`,
        advice: expect.stringContaining('what stands in front of it')
      });
      expect(answer.body.destroyed).toBe(true);
    }
  );

  test.each([
    ['is plain', 'gzip', bytes],
    ['breaks off', 'gzip', gzipSync(bytes).subarray(0, -9)],
    ['is plain', 'deflate', bytes],
    ['becomes too large', 'gzip', gzipSync(Buffer.alloc(101))],
    ['becomes too large', 'deflate', deflateSync(Buffer.alloc(101))],
    ['becomes much too large', 'x-gzip', gzipSync(Buffer.alloc(60_000))]
  ])('and %s is refused (%s)', async (_, encoding, sent) => {
    await expect(readDocument(labelled(encoding, sent), 100, 1000, place)).rejects.toMatchObject({
      fault: 'corrupt',
      message: `r.example: its answer came with Content-Encoding ${encoding}, and cannot be unpacked within 100 bytes`
    });
  });

  test('fills its limit, and no more', async () => {
    const answer = labelled('gzip', gzipSync(Buffer.alloc(100)));
    expect(await readDocument(answer, 100, 1000, place)).toHaveLength(100);
  });

  test('has no more packed bytes than its limit either', async () => {
    const packed = gzipSync(Buffer.from('much ado'), {level: 0});
    await expect(
      readDocument(labelled('gzip', packed), packed.length - 1, 1000, place)
    ).rejects.toThrow(`larger than ${packed.length - 1} bytes`);
  });
});

describe("an error's body", () => {
  test('is read as far as it is worth reading', async () => {
    const body = Readable.from([Buffer.alloc(largestError), Buffer.alloc(largestError)]);
    expect(await readError({headers: {}, body}, 1000)).toHaveLength(largestError);
    expect(body.destroyed).toBe(true);
  });

  test('is left when it drips: what came by then is what there is', async () => {
    const body = dripping(10);
    const said = await readError({headers: {}, body}, 200);
    expect(said).toMatch(/^x{3,40}$/);
    expect(body.destroyed).toBe(true);
  });

  const said = Buffer.from('Grüße: no');
  test.each([
    ['gzip', gzipSync(said)],
    ['X-GZIP', gzipSync(said)],
    ['deflate', deflateSync(said)],
    ['utf-8', said],
    ['identity', said]
  ])('is unpacked where it can be (%s)', async (encoding, sent) => {
    expect(await readError(labelled(encoding, sent), 1000)).toBe('Grüße: no');
  });

  test.each([
    ['gzip', said],
    ['gzip', gzipSync(said).subarray(0, 20)],
    ['gzip', gzipSync(Buffer.alloc(largestError + 1))],
    ['deflate', gzipSync(said)],
    ['br', brotliCompressSync(said)],
    ['zstd', gzipSync(said)],
    ['utf-8', gzipSync(said)]
  ])('is none where it cannot be (%s)', async (encoding, sent) => {
    expect(await readError(labelled(encoding, sent), 1000)).toBe('');
  });
});
