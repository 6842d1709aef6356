import {onAbort} from '../on-abort.ts';
import {Http1Connection, type ConnectionKeeper, type Http1Target} from './http1-connection.ts';

/**
 * HTTP/1.1 of our own, for many bytes and many questions: requests over sockets whose bytes land in
 * buffers that are used again and again. Node's own HTTP client copies each piece of a body into
 * memory of its own, and does much for each request; with gigabytes and hundreds of questions that
 * more than doubles the processor time of the whole mirror and adds three quarters to its memory. Only
 * answers with a known length are read this way; whatever is more complicated is left to Node.
 */

/** One buffer, in bytes: large enough that a call costs nothing beside it, small enough to stay in the cache. */
const bufferSize = 128 * 1024;
/** So many buffers are kept for later. */
const mostKept = 64;
/** How many idle sockets to one origin are kept: more than there are questions at once (`openLanes`). */
const mostIdle = 96;

/** A request that waits for a connection. */
interface Waiting {
  readonly resolve: (connection: Http1Connection) => void;
  readonly reject: (error: Error) => void;
}

/** What leads to one origin. There are never more waiting than connections being opened. */
interface Place {
  /** The last one of them was used last. */
  readonly idle: Http1Connection[];
  readonly waiting: Waiting[];
  /** How many are being opened for whoever waits. */
  opening: number;
}

/** The kept sockets of a run. */
export class Http1Pool implements ConnectionKeeper {
  readonly #places = new Map<string, Place>();
  /** All that are open, or about to be. */
  readonly #open = new Set<Http1Connection>();
  /** Those about to be; with the one request that each is opened for, where nobody else may have it. */
  readonly #opening = new Map<Http1Connection, Waiting | undefined>();
  readonly #buffers: Buffer[] = [];

  /**
   * A connection that stands and that nobody uses. Where there is none, one is opened; whichever is there
   * first then counts, that one or one that is given back meanwhile: opening takes two or three round trips,
   * and many answers only one.
   * @param fresh whether it has to be one that has carried nothing; what is kept there is closed
   * @throws why none came about; the signal's reason
   */
  async take(target: Http1Target, fresh: boolean, signal: AbortSignal): Promise<Http1Connection> {
    const place = this.#place(target.key);
    if (fresh) this.forget(target.key);
    for (let kept = place.idle.pop(); kept !== undefined; kept = place.idle.pop())
      if (kept.usable) return kept;
    let callOff: () => void = () => undefined;
    try {
      return await new Promise((resolve, reject) => {
        const waiting = {resolve, reject};
        const own = fresh ? new Http1Connection(target, this) : undefined;
        if (own !== undefined) this.#opening.set(own, waiting);
        else if (place.waiting.push(waiting) > place.opening) this.#add(target);
        callOff = onAbort(signal, () => {
          const at = place.waiting.indexOf(waiting);
          if (at >= 0) place.waiting.splice(at, 1);
          reject(signal.reason as Error);
          own?.destroy();
        });
      });
    } finally {
      callOff();
    }
  }

  /** Closes what is kept there and not in use. */
  forget(key: string): void {
    for (const connection of [...this.#place(key).idle]) connection.destroy();
  }

  /** Closes what is kept in all such places and not in use. */
  forgetAll(such: (key: string) => boolean): void {
    for (const key of [...this.#places.keys()].filter(such)) this.forget(key);
  }

  /** Opens so many connections ahead of their first use. One that fails is gone without a word. */
  warm(target: Http1Target, count: number): void {
    for (let i = 0; i < count; i++) this.#add(target);
  }

  /** Takes one that stands by now: for who opened it, for whoever waits, or to be kept. */
  connected(connection: Http1Connection): void {
    const waiting = this.#opening.get(connection);
    this.#opening.delete(connection);
    if (waiting !== undefined) {
      waiting.resolve(connection);
    } else {
      this.#place(connection.key).opening--;
      this.#offer(connection, 'unshift');
    }
  }

  /** Takes back a socket whose answer has been read to its end. */
  keep(connection: Http1Connection): void {
    this.#offer(connection, 'push');
  }

  /** Forgets a socket that closed, and tells those who waited for it and have no other to wait for. */
  drop(connection: Http1Connection, error: Error): void {
    this.#open.delete(connection);
    const place = this.#place(connection.key);
    const at = place.idle.indexOf(connection);
    if (at >= 0) place.idle.splice(at, 1);
    if (!this.#opening.has(connection)) return;
    const waiting = this.#opening.get(connection);
    this.#opening.delete(connection);
    if (waiting !== undefined) waiting.reject(error);
    else if (place.waiting.length > --place.opening) place.waiting.shift()?.reject(error);
  }

  /** Knows of a socket that was opened. */
  opened(connection: Http1Connection): void {
    this.#open.add(connection);
  }

  /** A buffer that nobody uses. */
  buffer(): Buffer {
    return this.#buffers.pop() ?? Buffer.allocUnsafeSlow(bufferSize);
  }

  /** Takes a buffer back. */
  release(buffer: Buffer): void {
    if (this.#buffers.length < mostKept) this.#buffers.push(buffer);
  }

  /** Closes all that is open, also where an answer is still under way. */
  close(): void {
    for (const connection of [...this.#open]) connection.destroy();
    this.#places.clear();
  }

  #add(target: Http1Target): void {
    this.#place(target.key).opening++;
    this.#opening.set(new Http1Connection(target, this), undefined);
  }

  /** Gives a connection to who waits longest, or keeps it. */
  #offer(connection: Http1Connection, end: 'push' | 'unshift'): void {
    const {idle, waiting} = this.#place(connection.key);
    const first = waiting.shift();
    if (first !== undefined) {
      first.resolve(connection);
    } else if (idle.length >= mostIdle) {
      connection.destroy();
    } else {
      connection.idle();
      idle[end](connection);
    }
  }

  #place(key: string): Place {
    const place = this.#places.get(key) ?? {idle: [], waiting: [], opening: 0};
    this.#places.set(key, place);
    return place;
  }
}
