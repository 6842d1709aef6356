import type {Readable} from 'node:stream';

/** Who takes the pieces of a body. */
export interface PieceTaker {
  /** The next piece; its memory is used again once `release` has been called. */
  data(piece: Buffer, release: () => void): void;
  /** The body has ended, as far as its sender goes. */
  end(): void;
  /** It broke. Nothing comes after. */
  fail(error: Error): void;
}

/** The body of an answer, piece by piece, at the taker's pace. */
export interface Pieces {
  readonly paused: boolean;
  /** Begins; once only. */
  start(taker: PieceTaker): void;
  /** Holds the body up; what is under way may still come. */
  pause(): void;
  /** Lets it flow again. */
  resume(): void;
  /** Ends it, and its connection; the taker hears no more. */
  destroy(): void;
}

/** A stream of Node's own as pieces; its memory is not used again. */
export function piecesOf(body: Readable): Pieces {
  return {
    get paused() {
      return body.isPaused();
    },
    start(taker) {
      let over = false;
      const fail = (error: Error) => {
        if (over) return;
        over = true;
        taker.fail(error);
      };
      body.on('error', fail);
      if (body.destroyed) {
        // It broke while it waited: nobody will tell of it any more.
        fail(new Error('it broke off before it was read'));
        return;
      }
      body.on('end', () => {
        if (!over) taker.end();
        over = true;
      });
      body.on('close', () => {
        fail(new Error('closed early'));
      });
      body.on('data', (piece: Buffer) => {
        if (!over) taker.data(piece, () => undefined);
      });
    },
    pause: () => body.pause(),
    resume: () => body.resume(),
    destroy: () => body.destroy()
  };
}
