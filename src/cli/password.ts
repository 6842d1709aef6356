import {addAbortSignal, type Readable} from 'node:stream';

import {deadline} from '../deadline.ts';
import {trimLineEnd} from '../inputs/given.ts';
import {mostBytes} from '../inputs/lines.ts';
import {CancelledError, UsageError} from './error.ts';

/** How long a password may be waited for, in milliseconds: time enough to unlock a safe by hand. */
const patience = 300_000;

/**
 * Reads a password to the end of a stream, such as standard input. The line end
 * that programs put behind what they write is taken off.
 * @throws UsageError when the stream is a terminal, is empty, too long, or does not end in five minutes;
 *   CancelledError
 */
export async function readPasswordFrom(
  stream: Readable & {readonly isTTY?: boolean},
  signal?: AbortSignal,
  milliseconds = patience
): Promise<string> {
  if (stream.isTTY === true) {
    throw new UsageError(
      'a password was to come over standard input, but nothing is piped into it; leave the flag out to be asked'
    );
  }
  const late = deadline(milliseconds, signal);
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of addAbortSignal(late, stream) as AsyncIterable<Buffer | string>) {
      const piece = Buffer.from(chunk as string);
      bytes += piece.length;
      if (bytes > mostBytes) break;
      chunks.push(piece);
    }
  } catch (error) {
    if (signal?.aborted === true) throw new CancelledError();
    const reason = late.aborted
      ? 'did not end in time'
      : `could not be read (${(error as NodeJS.ErrnoException).code ?? 'no reason told'})`;
    // Without a cause: an error of a stream may hold what went through it.
    throw new UsageError(`the password on standard input ${reason}`);
  }
  if (bytes === 0) throw new UsageError('standard input is empty; a password was to come over it');
  if (bytes > mostBytes) throw new UsageError(`standard input holds more than ${mostBytes} bytes`);
  return trimLineEnd(Buffer.concat(chunks).toString());
}
