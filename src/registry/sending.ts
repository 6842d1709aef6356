import {onAbort} from '../on-abort.ts';
import type {Line} from './line.ts';
import type {BodyStream} from './transport.ts';

/** Why a body is not sent to its end. */
const answered = new Error('the answer came first');

/** A body that streams, on its way to a connection. */
export class Sending {
  readonly #stop = new AbortController();
  readonly #callOff: () => void;
  #whole = false;

  /**
   * Begins. What goes wrong with the body breaks the connection, whose exchange tells of it.
   * @param end called when the other side has taken all of it
   */
  constructor(stream: BodyStream, line: Line, signal: AbortSignal, end: () => void) {
    this.#callOff = onAbort(signal, () => {
      this.#stop.abort(signal.reason);
    });
    stream.pump(line.sink, this.#stop.signal).then(
      () => {
        if (this.#stop.signal.aborted) return;
        this.#whole = true;
        // Called when everything before it is on its way.
        line.sink.write('', error => {
          if (error) return;
          line.sent();
          end();
        });
      },
      (error: unknown) => {
        if (!this.#stop.signal.aborted) line.destroy(error as Error);
      }
    );
  }

  /** The rest, if there is any, is not wanted. */
  end(): void {
    this.#callOff();
    if (!this.#whole) this.#stop.abort(answered);
  }
}
