import type {Socket} from 'node:net';
import type {Writable} from 'node:stream';

import {onAbort} from '../on-abort.ts';
import type {BodyStream} from './transport.ts';

/** Why a body is not sent to its end. */
const answered = new Error('the answer came first');

/** Where a body goes. */
export interface Destination {
  readonly sink: Writable;
  /** It has been written to its end. */
  readonly whole: () => void;
  /** It cannot go on: the exchange is to tell of it. */
  readonly broken: (error: Error) => void;
}

/** A body that streams, on its way. */
export class Sending {
  readonly #stop = new AbortController();
  readonly #callOff: () => void;
  #whole = false;

  /** Begins. */
  constructor(stream: BodyStream, {sink, whole, broken}: Destination, signal: AbortSignal) {
    this.#callOff = onAbort(signal, () => {
      this.#stop.abort(signal.reason);
    });
    stream.pump(sink, this.#stop.signal).then(
      () => {
        if (this.#stop.signal.aborted) return;
        this.#whole = true;
        whole();
      },
      (error: unknown) => {
        if (!this.#stop.signal.aborted) broken(error as Error);
      }
    );
  }

  /** The rest, if there is any, is not wanted. */
  end(): void {
    this.#callOff();
    if (!this.#whole) this.#stop.abort(answered);
  }
}

/**
 * Calls back when nothing has moved on a connection for so many milliseconds although bytes wait for it:
 * a body that waits for its own source is not the other side's fault. The socket's own clock sees each
 * byte leave; its writes end only with their last one.
 * @returns a function that calls it off
 */
export function whenStuck(
  socket: Socket,
  waiting: Pick<Writable, 'writableLength'>,
  milliseconds: number,
  stuck: () => void
): () => void {
  const look = () => {
    if (waiting.writableLength > 0) stuck();
  };
  socket.on('timeout', look).setTimeout(milliseconds);
  return () => {
    socket.off('timeout', look).setTimeout(0);
  };
}
