import {createGzip} from 'node:zlib';

import {errorDocument, type WireError} from './error.ts';

/**
 * What an answer says. `repeat` gives a body of `size` bytes that is never held in memory; with
 * `gzip` it is what the client gets when it unpacks, that is a bomb.
 */
export type Body =
  | string
  | Uint8Array
  | {readonly json: unknown}
  | {readonly html: string}
  | {readonly errors: readonly WireError[]}
  | {
      readonly repeat: string;
      /** In bytes, `head` and `tail` included. */
      readonly size: number;
      readonly type?: string;
      readonly gzip?: boolean;
      readonly head?: string;
      readonly tail?: string;
    };

/** A body ready to go. */
export interface Payload {
  readonly type: string | undefined;
  readonly encoding?: 'gzip';
  /** In bytes; undefined when only the end tells. */
  readonly size: number | undefined;
  readonly pieces: Iterable<Buffer> | AsyncIterable<Buffer>;
}

/** Text with everything in it that a log must not pass on: commands, escapes, direction marks. */
export const hostileText =
  'x\n::add-mask::a\n ::set-output name=digest::evil\n##[set-output name=digest]evil\r' +
  '\u001b[2J\u001b]0;title\u0007\u202egnp.exe\u2028::error::two\u0000 | `code` <b>bold</b> ' +
  '::stop-commands::end\u200b';

/** An error document whose every text is hostile. */
export const hostileErrors: Body = {
  errors: [{code: hostileText, message: hostileText, detail: {text: hostileText}}]
};

/** Turns a body into bytes. */
export function payloadOf(body: Body): Payload {
  if (typeof body === 'string') return whole(Buffer.from(body), 'text/plain; charset=utf-8');
  if (body instanceof Uint8Array) return whole(Buffer.from(body), 'application/octet-stream');
  if ('json' in body) return whole(Buffer.from(JSON.stringify(body.json)), json);
  if ('errors' in body) return whole(Buffer.from(errorDocument(...body.errors)), json);
  if ('html' in body) return whole(Buffer.from(body.html), 'text/html; charset=utf-8');
  const type = body.type ?? json;
  if (body.gzip === true) return {type, encoding: 'gzip', size: undefined, pieces: zipped(body)};
  return {type, size: body.size, pieces: repeated(body)};
}

const json = 'application/json; charset=utf-8';

function whole(bytes: Buffer, type: string): Payload {
  return {type, size: bytes.length, pieces: [bytes]};
}

type Repeat = Extract<Body, {readonly repeat: string}>;

function* repeated({repeat, size, head = '', tail = ''}: Repeat): Iterable<Buffer> {
  const first = Buffer.from(head);
  const last = Buffer.from(tail);
  const unit = Buffer.from(repeat);
  const block = Buffer.alloc(unit.length * Math.max(1, Math.ceil(65536 / unit.length)), unit);
  yield first;
  let left = size - first.length - last.length;
  for (; left > 0; left -= block.length) yield block.subarray(0, Math.min(left, block.length));
  yield last;
}

/** Packs `pieces` with gzip as they go out. */
export async function* zip(
  pieces: Iterable<Buffer> | AsyncIterable<Buffer>
): AsyncGenerator<Buffer> {
  const gzip = createGzip();
  const feed = async () => {
    for await (const piece of pieces) {
      if (!gzip.write(piece)) await new Promise(resolve => gzip.once('drain', resolve));
    }
    gzip.end();
  };
  feed().catch((error: unknown) => gzip.destroy(error as Error));
  for await (const piece of gzip) yield piece as Buffer;
}

function zipped(body: Repeat): AsyncIterable<Buffer> {
  return zip(repeated(body));
}
