import {isUtf8} from 'node:buffer';
import type {Readable} from 'node:stream';

import {clean} from '../oci/clean.ts';
import {type Encoding, encodingOf, unpack} from './encoding.ts';
import {type Place, RegistryError} from './error.ts';
import type {Answer} from './transport.ts';

/**
 * So many times the wait for one piece may a whole small body take: five minutes as a rule, in which
 * the largest of them comes through a line of 200 kbit/s. What drips on below that never ends.
 */
const wholeOverIdle = 5;
/** What an error's body may take as a whole, in milliseconds: the status has said enough. */
const longestError = 5000;

/**
 * Reads a body that must be small, to its end, as it comes.
 * @param limit the most bytes that are taken in; reading stops there, whatever Content-Length said
 * @param idle milliseconds between two pieces; the whole may take five times that
 * @throws RegistryError of the kinds corrupt (too large), stalled, connection (it ended early)
 */
export function readBody(
  body: Readable,
  limit: number,
  idle: number,
  place: Place
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let size = 0;
    const stalled = (what: string) => {
      end();
      body.destroy();
      reject(new RegistryError('stalled', `${place.host}: ${what}`, place));
    };
    const timer = setTimeout(() => {
      stalled(`its answer stopped for ${idle / 1000} s`);
    }, idle);
    const whole = setTimeout(() => {
      stalled(
        `its answer was not at its end after ${(idle * wholeOverIdle) / 1000} s, at ${size} bytes`
      );
    }, idle * wholeOverIdle);
    const end = () => {
      clearTimeout(timer);
      clearTimeout(whole);
    };
    body.on('data', (piece: Buffer) => {
      timer.refresh();
      size += piece.length;
      if (size > limit) {
        end();
        body.destroy();
        reject(
          new RegistryError(
            'corrupt',
            `${place.host}: its answer is larger than ${limit} bytes`,
            place
          )
        );
        return;
      }
      pieces.push(piece);
    });
    body.on('end', () => {
      end();
      resolve(Buffer.concat(pieces, size));
    });
    body.on('close', () => {
      end();
      reject(
        new RegistryError(
          'connection',
          `${place.host}: its answer broke off after ${size} bytes`,
          place
        )
      );
    });
    body.on('error', (cause: Error) => {
      end();
      const text = `${place.host}: its answer broke off after ${size} bytes (${clean(cause.message, 100)})`;
      reject(new RegistryError('connection', text, {...place, cause}));
    });
  });
}

/**
 * Reads a document that must be small, to its end. Some proxies pack although nobody asked: it is unpacked
 * where that can be done.
 * @param limit the most bytes, both of what is sent and of what it becomes
 * @param idle milliseconds, as for `readBody`
 * @throws RegistryError as `readBody` does; corrupt also where it cannot be unpacked
 */
export async function readDocument(
  answer: Pick<Answer, 'headers' | 'body'>,
  limit: number,
  idle: number,
  place: Place
): Promise<Buffer> {
  const encoding = encodingOf(answer.headers);
  const fail = (text: string) =>
    new RegistryError('corrupt', `${place.host}: its answer ${text}`, {
      ...place,
      advice:
        'See what answers there, and what stands in front of it: it packs although nobody asked.'
    });
  if (encoding?.kind === 'foreign') {
    answer.body.destroy();
    throw fail(`came with Content-Encoding ${encoding.said}, which nobody asked for`);
  }
  const bytes = await readBody(answer.body, limit, idle, place);
  // What names no way of packing is not packed, or else no document.
  if (encoding === undefined || encoding.kind === 'odd') return bytes;
  const unpacked = unpack(bytes, encoding.kind, limit);
  if (unpacked !== undefined) return unpacked;
  throw fail(
    `came with Content-Encoding ${encoding.said}, and cannot be unpacked within ${limit} bytes`
  );
}

/** What is read at most of an error's body: enough for any honest one. */
export const largestError = 64 * 1024;

/**
 * As much of an error's body as is worth reading, unpacked; empty where it cannot be unpacked. Never throws,
 * since the status has said enough.
 * @param idle the most milliseconds that it may take
 */
export async function readError(
  {headers, body}: Pick<Answer, 'headers' | 'body'>,
  idle: number
): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  const timer = setTimeout(() => body.destroy(), Math.min(idle, longestError));
  try {
    for await (const piece of body as AsyncIterable<Buffer>) {
      pieces.push(piece);
      size += piece.length;
      if (size >= largestError) break;
    }
  } catch {
    // What came before it broke is what there is.
  } finally {
    clearTimeout(timer);
    body.destroy();
  }
  return textOf(Buffer.concat(pieces).subarray(0, largestError), encodingOf(headers));
}

function textOf(bytes: Buffer, encoding: Encoding | undefined): string {
  if (encoding === undefined) return bytes.toString('utf8');
  if (encoding.kind === 'gzip' || encoding.kind === 'deflate')
    return unpack(bytes, encoding.kind, largestError)?.toString('utf8') ?? '';
  // A label that names no way of packing may still stand on something that is no text.
  return encoding.kind === 'odd' && isUtf8(bytes) ? bytes.toString('utf8') : '';
}

/** How long a body may take that nobody wants, in milliseconds. */
const longestDiscard = 2000;

/**
 * Reads an answer's body away, to its end: only then its connection is free, and the next request
 * need not open another one. A body that is long or does not end costs its connection.
 */
export async function discard(answer: Answer): Promise<Answer> {
  if (answer.bare === true) return answer;
  const {body} = answer;
  const done = new Promise<void>(resolve => {
    body
      .once('close', resolve)
      .once('end', resolve)
      .once('error', () => {
        resolve();
      });
  });
  let size = 0;
  body.on('data', (piece: Buffer) => {
    size += piece.length;
    if (size > largestError) body.destroy();
  });
  const timer = setTimeout(() => body.destroy(), longestDiscard);
  if (!body.readableEnded && !body.destroyed) await done;
  clearTimeout(timer);
  return answer;
}
