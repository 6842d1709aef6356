import type {ServerResponse} from 'node:http';
import {setTimeout as pause} from 'node:timers/promises';

/** How a body goes out. */
export interface Transmission {
  /** Told of the bytes of each piece as it is written. */
  readonly count: (bytes: number) => void;
  /** Stop behind so many bytes. */
  readonly stopAt?: number;
  /** Go on after so many milliseconds at the stop. */
  readonly resumeAfter?: number;
  /** The byte at this offset is written wrong. */
  readonly flipAt?: number;
}

// So much may wait in memory for a slow reader, in bytes.
const window = 1024 * 1024;

/**
 * Writes `pieces` as the reader takes them. False when it stopped at `stopAt`; what was written has
 * then been handed to the system.
 */
export async function transmit(
  response: ServerResponse,
  pieces: Iterable<Buffer> | AsyncIterable<Buffer>,
  {count, stopAt, resumeAfter, flipAt}: Transmission
): Promise<boolean> {
  let at = 0;
  let stop = stopAt ?? Infinity;
  for await (const given of pieces) {
    if (response.destroyed) return true;
    let piece = flipAt === undefined ? given : flipped(given, flipAt - at);
    const room = stop - at;
    at += piece.length;
    if (piece.length >= room) {
      count(room);
      await flush(response, piece.subarray(0, room));
      if (resumeAfter === undefined) return false;
      await pause(resumeAfter, undefined, {ref: false});
      piece = piece.subarray(room);
      stop = Infinity;
    }
    if (piece.length === 0) continue;
    count(piece.length);
    if (!response.write(piece) && response.writableLength >= window) await drained(response);
  }
  return true;
}

function flipped(piece: Buffer, at: number): Buffer {
  if (at < 0 || at >= piece.length) return piece;
  const copy = Buffer.from(piece);
  copy[at] = (copy[at] ?? 0) ^ 0x01;
  return copy;
}

async function drained(response: ServerResponse): Promise<void> {
  await new Promise<void>(resolve => {
    const done = () => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.once('drain', done).once('close', done);
  });
}

async function flush(response: ServerResponse, piece: Buffer): Promise<void> {
  response.flushHeaders();
  if (piece.length === 0) return;
  await new Promise<void>(resolve => {
    response.once('close', resolve);
    response.write(piece, () => {
      resolve();
    });
  });
}
