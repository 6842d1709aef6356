import {onAbort} from '../on-abort.ts';
import {Ceiling} from './ceiling.ts';
import {
  Http1Connection,
  type ConnectionKeeper,
  type Http1Target,
  Late
} from './http1-connection.ts';
import {Closed} from './http1-exchange.ts';

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
  readonly target: Http1Target;
  readonly resolve: (connection: Http1Connection) => void;
  readonly reject: (error: Error) => void;
}

/** What leads to one origin, and may carry the same. */
interface Place {
  /** By key; the last one of each was used last. */
  readonly idle: Map<string, Http1Connection[]>;
  /** Where there is no ceiling, never more of a key than are being opened for it. */
  readonly waiting: Waiting[];
  /** How many are being opened for whoever waits, by key. */
  readonly opening: Map<string, number>;
  readonly ceiling: Ceiling<Http1Connection>;
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
   * and many answers only one. Where the origin takes no more of them, one that is given back.
   * @param fresh whether it has to be one that has carried nothing, as far as there may be another; what is
   *   kept there is closed
   * @throws why none came about; `Late` when none became free; the signal's reason
   */
  async take(target: Http1Target, fresh: boolean, signal: AbortSignal): Promise<Http1Connection> {
    const place = this.#place(target);
    const {ceiling} = place;
    if (fresh) this.forget(target);
    const kept = this.#kept(place, target.key);
    if (kept !== undefined) return kept;
    const waits = ceiling.reached;
    const sibling = waits ? this.#anyKept(place) : undefined;
    if (sibling !== undefined) return sibling;
    let timer: NodeJS.Timeout | undefined;
    let callOff: () => void = () => undefined;
    try {
      return await new Promise((resolve, reject) => {
        const waiting = {target, resolve, reject};
        const own = fresh && !waits ? new Http1Connection(target, this) : undefined;
        if (own !== undefined) this.#opening.set(own, waiting);
        else {
          place.waiting.push(waiting);
          if (!waits) this.#openFor(place, target);
        }
        const giveUp = (error: Error) => {
          const at = place.waiting.indexOf(waiting);
          if (at >= 0) place.waiting.splice(at, 1);
          reject(error);
          own?.destroy();
        };
        timer = setTimeout(() => {
          giveUp(new Late('no connection became free', target.freeWithin));
        }, target.freeWithin);
        callOff = onAbort(signal, () => {
          giveUp(signal.reason as Error);
        });
      });
    } finally {
      clearTimeout(timer);
      callOff();
    }
  }

  /** Closes what is kept there and not in use. */
  forget(target: Http1Target): void {
    for (const connection of [...(this.#place(target).idle.get(target.key) ?? [])])
      connection.destroy();
  }

  /** Closes what is kept to an origin and not in use. */
  forgetAll(origin: string): void {
    for (const [name, {idle}] of this.#places) {
      if (!name.startsWith(`${origin} `)) continue;
      for (const connection of [...idle.values()].flat()) connection.destroy();
    }
  }

  /** Whether the origin has shown how many connections it takes, and some of these stand. */
  isLimited(target: Http1Target): boolean {
    return this.#place(target).ceiling.known;
  }

  /** Opens so many connections ahead of their first use. One that fails is gone without a word. */
  warm(target: Http1Target, count: number): void {
    const place = this.#place(target);
    for (let i = 0; i < count && !place.ceiling.reached; i++) this.#add(place, target);
  }

  /** Knows of a socket that was opened. */
  opened(connection: Http1Connection): void {
    this.#open.add(connection);
    this.#place(connection.target).ceiling.opened();
  }

  /** Takes one that stands by now: for who opened it, for whoever waits, or to be kept. */
  connected(connection: Http1Connection): void {
    const place = this.#place(connection.target);
    place.ceiling.stands(connection);
    const waiting = this.#opening.get(connection);
    this.#opening.delete(connection);
    if (waiting !== undefined) {
      waiting.resolve(connection);
    } else {
      count(place.opening, connection.target.key, -1);
      this.#offer(place, connection, 'unshift');
    }
  }

  /** Knows that an answer has been read to its end. */
  answered(connection: Http1Connection): void {
    this.#place(connection.target).ceiling.answered();
  }

  /** Takes back a socket that can carry another request. */
  keep(connection: Http1Connection): void {
    const place = this.#place(connection.target);
    if (place.ceiling.surplus > 0) connection.destroy();
    else this.#offer(place, connection, 'push');
  }

  /** Forgets a socket that closed, and tells those who waited for it and have no other to wait for. */
  drop(connection: Http1Connection, error: Error): void {
    if (!this.#open.delete(connection)) return;
    const {target} = connection;
    const place = this.#place(target);
    const {idle, waiting, opening, ceiling} = place;
    ceiling.closed(connection, isBroken(error));
    const kept = idle.get(target.key) ?? [];
    const at = kept.indexOf(connection);
    if (at >= 0) kept.splice(at, 1);
    if (this.#opening.has(connection)) {
      const own = this.#opening.get(connection);
      this.#opening.delete(connection);
      if (own !== undefined) own.reject(error);
      else {
        const left = count(opening, target.key, -1);
        const those = waiting.filter(one => one.target.key === target.key);
        // Where others stand and there may be no more, one of these will be given back.
        if (those.length > left && !ceiling.known) this.#tell(place, those[0], error);
      }
    }
    this.#settle(place);
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
    const waiting = [...this.#places.values()].flatMap(place => place.waiting.splice(0));
    for (const one of waiting) one.reject(new Error('given up'));
    for (const connection of [...this.#open]) connection.destroy();
    this.#places.clear();
  }

  /**
   * After one has closed: whoever waits and cannot have one of his own gets what is kept; what is too much is
   * closed as well; and what there is room for is opened.
   */
  #settle(place: Place): void {
    const {idle, waiting, opening, ceiling} = place;
    while (ceiling.known && waiting.length > 0) {
      const kept = this.#anyKept(place);
      if (kept === undefined) break;
      waiting.shift()?.resolve(kept);
    }
    if (ceiling.surplus > 0) {
      // It comes by here when it is closed.
      const kept = [...idle.values()].flat();
      (kept.find(({used}) => !used) ?? kept[0])?.destroy();
    }
    const [first] = waiting;
    const underWay = [...opening.values()].reduce((sum, some) => sum + some, 0);
    if (first !== undefined && waiting.length > underWay && !ceiling.reached)
      this.#add(place, first.target);
  }

  #tell({waiting}: Place, one: Waiting | undefined, error: Error): void {
    if (one === undefined) return;
    waiting.splice(waiting.indexOf(one), 1);
    one.reject(error);
  }

  #kept({idle}: Place, key: string): Http1Connection | undefined {
    const those = idle.get(key) ?? [];
    for (let kept = those.pop(); kept !== undefined; kept = those.pop())
      if (kept.usable) return kept;
    return undefined;
  }

  #anyKept(place: Place): Http1Connection | undefined {
    for (const key of place.idle.keys()) {
      const kept = this.#kept(place, key);
      if (kept !== undefined) return kept;
    }
    return undefined;
  }

  /** Unless enough are being opened for all of its kind that wait. */
  #openFor(place: Place, target: Http1Target): void {
    const those = place.waiting.filter(one => one.target.key === target.key).length;
    if (those > (place.opening.get(target.key) ?? 0)) this.#add(place, target);
  }

  #add({opening}: Place, target: Http1Target): void {
    count(opening, target.key, 1);
    this.#opening.set(new Http1Connection(target, this), undefined);
  }

  /** Gives a connection to who waits longest, or keeps it. */
  #offer(place: Place, connection: Http1Connection, end: 'push' | 'unshift'): void {
    const {idle, waiting, ceiling} = place;
    const {key} = connection.target;
    const alike = waiting.findIndex(one => one.target.key === key);
    // Where there may be no more of them, each has to do for all.
    const at = alike < 0 && ceiling.known ? 0 : alike;
    const first = at < 0 ? undefined : waiting.splice(at, 1)[0];
    const kept = idle.get(key) ?? [];
    idle.set(key, kept);
    if (first !== undefined) {
      first.resolve(connection);
    } else if (kept.length >= mostIdle) {
      connection.destroy();
    } else {
      connection.idle();
      kept[end](connection);
    }
  }

  #place({place: name}: Http1Target): Place {
    let place = this.#places.get(name);
    if (place === undefined) {
      place = {idle: new Map(), waiting: [], opening: new Map(), ceiling: new Ceiling()};
      this.#places.set(name, place);
    }
    return place;
  }
}

/** Adds to a number that is kept by a key. @returns the sum */
function count(numbers: Map<string, number>, key: string, more: number): number {
  const sum = (numbers.get(key) ?? 0) + more;
  numbers.set(key, sum);
  return sum;
}

/** Whether it was the other side that broke a connection. */
function isBroken(error: Error): boolean {
  const {code = ''} = error as NodeJS.ErrnoException;
  return error instanceof Closed || code === 'ECONNRESET' || code === 'EPIPE';
}
