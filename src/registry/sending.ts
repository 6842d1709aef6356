import {onAbort} from '../on-abort.ts';
import type {Line} from './line.ts';
import type {BodyStream} from './transport.ts';

/** Why a body is not sent to its end. */
const answered = new Error('the answer came first');

/** A body that streams, on its way to a connection. */
export class Sending {
  readonly #line: Line;
  readonly #stop = new AbortController();
  readonly #callOff: () => void;
  #whole = false;
  /** Bytes of the connection that had been taken when that was last asked for. */
  #taken = 0;

  /**
   * Begins. What goes wrong with the body breaks the connection, whose exchange tells of it.
   * @param end called when the other side has taken all of it
   */
  constructor(stream: BodyStream, line: Line, signal: AbortSignal, end: () => void) {
    this.#line = line;
    this.#callOff = onAbort(signal, () => {
      this.#stop.abort(signal.reason);
    });
    stream.pump(line.sink, this.#stop.signal).then(
      () => {
        if (this.#stop.signal.aborted) return;
        this.#whole = true;
        line.sent();
        // Called when everything before it is on its way.
        line.sink.write('', error => {
          if (!error) end();
        });
      },
      (error: unknown) => {
        if (!this.#stop.signal.aborted) line.destroy(error as Error);
      }
    );
  }

  /**
   * Whether the other side has taken nothing since this was last asked for, although there was
   * something: a body that waits for its own source is not its fault.
   */
  get stuck(): boolean {
    const before = this.#taken;
    this.#taken = this.#line.taken;
    return this.#taken === before && this.#line.sink.writableLength > 0;
  }

  /** The rest, if there is any, is not wanted. */
  end(): void {
    this.#callOff();
    if (!this.#whole) this.#stop.abort(answered);
  }
}
