import {Readable} from 'node:stream';

import {onAbort} from '../on-abort.ts';
import type {Pieces, PieceTaker} from './pieces.ts';

/** The connection that a body comes by. */
export interface Carrier {
  /** The body may flow again. */
  resume(): void;
  /** The exchange is over, its body read to the last byte. */
  done(keep: boolean): void;
  /** Closes the connection. */
  destroy(error?: Error): void;
}

/** A body of known length, straight from its socket. */
export class Http1Body implements Pieces {
  readonly #carrier: Carrier;
  readonly #keep: boolean;
  #left: number;
  #paused = true;
  #over = false;
  #taker: PieceTaker | undefined;
  #waiting: {piece: Buffer; release: () => void}[] = [];
  #failure: Error | undefined;
  #ended: () => void = () => undefined;

  constructor(carrier: Carrier, length: number, keep: boolean) {
    this.#carrier = carrier;
    this.#left = length;
    this.#keep = keep;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Gives it up when the signal aborts, as long as it lasts. */
  until(signal: AbortSignal): void {
    if (this.#over) return;
    this.#ended = onAbort(signal, () => {
      this.#carrier.destroy(signal.reason as Error);
    });
  }

  /** Nothing more will come: it was read to its end, or was empty. */
  get over(): boolean {
    return this.#over;
  }

  start(taker: PieceTaker): void {
    this.#taker = taker;
    if (this.#failure !== undefined) taker.fail(this.#failure);
    else this.resume();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    while (!this.#isPaused()) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#taker?.data(next.piece, next.release);
    }
    if (this.#isPaused()) return;
    this.#finish();
    if (!this.#over) this.#carrier.resume();
  }

  destroy(): void {
    this.#taker = undefined;
    this.#waiting = [];
    if (this.#over) return;
    this.#over = true;
    this.#ended();
    this.#carrier.destroy();
  }

  /** @returns whether more may come at once */
  take(piece: Buffer, release: () => void): boolean {
    if (piece.length > this.#left) {
      // More than was announced: from here on nothing on this connection can be believed.
      release();
      this.#carrier.destroy(new Error('more came than was announced'));
      return false;
    }
    this.#left -= piece.length;
    if (piece.length === 0) release();
    else if (this.#paused || this.#waiting.length > 0) this.#waiting.push({piece, release});
    else this.#taker?.data(piece, release);
    if (!this.#paused) this.#finish();
    // A body without bytes is over before anyone has looked at it: its socket is free.
    else if (this.#left === 0 && this.#waiting.length === 0) this.#free();
    // Nothing holds up a connection that is free: it has to hear of its end.
    return this.#over || !this.#paused;
  }

  fail(error: Error): void {
    // All of it is here and waits to be taken, for which it needs no connection.
    if (this.#over || this.#left === 0) return;
    this.#failure = error;
    this.#over = true;
    this.#ended();
    this.#taker?.fail(error);
  }

  /** The body as a stream of Node's own, its pieces copied: for small ones. */
  readable(): Readable {
    const stream = new Readable({
      read: () => {
        if (started) this.resume();
        else {
          started = true;
          this.start({
            data: (piece, release) => {
              const more = stream.push(Buffer.from(piece));
              release();
              if (!more) this.pause();
            },
            end: () => stream.push(null),
            fail: error => stream.destroy(error)
          });
        }
      },
      destroy: (error, done) => {
        this.destroy();
        done(error);
      }
    });
    let started = false;
    return stream;
  }

  #isPaused(): boolean {
    return this.#paused;
  }

  #finish(): void {
    if (this.#left > 0 || this.#waiting.length > 0) return;
    this.#free();
    const taker = this.#taker;
    this.#taker = undefined;
    taker?.end();
  }

  #free(): void {
    if (this.#over) return;
    this.#over = true;
    this.#ended();
    this.#carrier.done(this.#keep);
  }
}
