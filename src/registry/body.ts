import type {Readable} from 'node:stream';

import {clean} from '../oci/clean.ts';
import {type Place, RegistryError} from './error.ts';

/**
 * Reads a body that must be small, to its end.
 * @param limit the most bytes that are taken in; reading stops there, whatever Content-Length said
 * @param idle milliseconds between two pieces
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
    const timer = setTimeout(() => {
      body.destroy();
      reject(
        new RegistryError(
          'stalled',
          `${place.host}: its answer stopped for ${idle / 1000} s`,
          place
        )
      );
    }, idle);
    body.on('data', (piece: Buffer) => {
      timer.refresh();
      size += piece.length;
      if (size > limit) {
        clearTimeout(timer);
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
      clearTimeout(timer);
      resolve(Buffer.concat(pieces, size));
    });
    body.on('close', () => {
      clearTimeout(timer);
      reject(
        new RegistryError(
          'connection',
          `${place.host}: its answer broke off after ${size} bytes`,
          place
        )
      );
    });
    body.on('error', (cause: Error) => {
      clearTimeout(timer);
      const text = `${place.host}: its answer broke off after ${size} bytes (${clean(cause.message, 100)})`;
      reject(new RegistryError('connection', text, {...place, cause}));
    });
  });
}

/** What is read at most of an error's body: enough for any honest one. */
export const largestError = 64 * 1024;

/**
 * As much of an error's body as is worth reading; never throws, since the status has said enough.
 */
export async function readError(body: Readable, idle: number): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  const timer = setTimeout(() => body.destroy(), Math.min(idle, 5000));
  try {
    for await (const piece of body as AsyncIterable<Buffer>) {
      timer.refresh();
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
  return Buffer.concat(pieces).subarray(0, largestError).toString('utf8');
}
