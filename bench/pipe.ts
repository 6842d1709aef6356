import type {Socket} from 'node:net';

/** What a link is like. */
export interface LinkOptions {
  /** Round trip, in milliseconds. */
  readonly roundTrip: number;
  /** Bytes a second, for each direction on its own. */
  readonly rate: number;
}

/** The first window of a connection, in bytes: ten segments (RFC 6928). */
const initialWindow = 14_600;
/** The most in flight on one connection: where Linux's own receive window usually ends. */
const largestWindow = 4 * 1024 * 1024;
/** A connection that was silent for so long begins anew, in milliseconds (RFC 5681, 4.1). */
const idleReset = 300;
/** Connections take turns of this many bytes. */
const turn = 16 * 1024;
/** What the sender's side holds before it has to wait, in bytes. */
const sendBuffer = 256 * 1024;
/** The clock beats every millisecond or so; a slot that it missed may be used this much later. */
const catchUp = 10;
/** How far ahead of the clock bytes are handed to the line, so that a late beat leaves no gap. */
const lead = 2;

/** One direction of one connection. */
export class Flow {
  readonly to: Socket;
  readonly #from: Socket;
  readonly #queue: Buffer[] = [];
  #queued = 0;
  #window = initialWindow;
  #lastSent = 0;
  #ended = false;
  /** Bytes that are under way, or whose acknowledgement is. */
  inFlight = 0;

  constructor(from: Socket, to: Socket) {
    this.#from = from;
    this.to = to;
  }

  push(bytes: Buffer): void {
    this.#queue.push(bytes);
    this.#queued += bytes.length;
    if (this.#queued > sendBuffer) this.#from.pause();
  }

  end(): void {
    this.#ended = true;
  }

  get empty(): boolean {
    return this.#queued === 0;
  }

  /** All has been taken, and nothing will follow. */
  get finished(): boolean {
    return this.#ended && this.#queued === 0;
  }

  /** The next bytes to send, as the window allows; undefined while it does not. */
  take(now: number): Buffer | undefined {
    if (this.inFlight === 0 && now - this.#lastSent > idleReset) this.#window = initialWindow;
    // What the receiver has not read yet narrows its window.
    const room = Math.min(this.#window, largestWindow - this.to.writableLength) - this.inFlight;
    const head = this.#queue[0];
    if (room <= 0 || head === undefined) return undefined;
    const length = Math.min(head.length, turn, room);
    const bytes = length === head.length ? head : head.subarray(0, length);
    if (length === head.length) this.#queue.shift();
    else this.#queue[0] = head.subarray(length);
    const before = this.#queued;
    this.#queued -= length;
    if (before > sendBuffer / 2 && this.#queued <= sendBuffer / 2) this.#from.resume();
    this.#lastSent = now;
    this.inFlight += length;
    return bytes;
  }

  /** Slow start: the window grows by what has arrived, so it doubles with every round trip. */
  acknowledge(length: number): void {
    this.inFlight -= length;
    this.#window = Math.min(largestWindow, this.#window + length);
  }
}

interface UnderWay {
  readonly at: number;
  readonly flow: Flow;
  /** None is the end of the stream. */
  readonly bytes: Buffer | undefined;
}

/**
 * One direction of a link: connections share its rate in turns, and all that is sent arrives half a
 * round trip later. Nothing is lost, so a window only grows: kind to every tool alike.
 */
export class Direction {
  readonly #delay: number;
  /** Bytes a millisecond. */
  readonly #rate: number;
  readonly #flows: Flow[] = [];
  readonly #underWay = new Queue<UnderWay>();
  readonly #acknowledgements = new Queue<{at: number; flow: Flow; length: number}>();
  #freeAt = 0;
  /** Bytes waited for the line when it was last looked at. */
  #backlog = false;
  #next = 0;
  /** Bytes that were sent. */
  bytes = 0;

  constructor({roundTrip, rate}: LinkOptions) {
    this.#delay = roundTrip / 2;
    this.#rate = rate / 1000;
  }

  add(flow: Flow): void {
    this.#flows.push(flow);
  }

  /** Moves everything that is due. @returns whether something is still under way or waits */
  beat(now: number): boolean {
    this.#deliver(now);
    for (let due = this.#acknowledgements.due(now); due; due = this.#acknowledgements.due(now))
      due.flow.acknowledge(due.length);
    this.#send(now);
    return (
      this.#underWay.length > 0 ||
      this.#acknowledgements.length > 0 ||
      this.#flows.some(flow => !flow.empty || flow.finished)
    );
  }

  #deliver(now: number): void {
    const corked = new Set<Socket>();
    for (let due = this.#underWay.due(now); due; due = this.#underWay.due(now)) {
      const {flow, bytes} = due;
      if (bytes === undefined) {
        flow.to.end();
        continue;
      }
      if (!flow.to.destroyed) {
        if (!corked.has(flow.to)) flow.to.cork();
        corked.add(flow.to);
        flow.to.write(bytes);
      }
      this.#acknowledgements.add({at: due.at + this.#delay, flow, length: bytes.length});
    }
    for (const socket of corked) socket.uncork();
  }

  #send(now: number): void {
    // A late beat does not cost the line its rate, but idle time cannot be used later.
    this.#freeAt = Math.max(this.#freeAt, this.#backlog ? now - catchUp : now);
    let idle = 0;
    while (idle < this.#flows.length && this.#freeAt < now + lead) {
      this.#next = (this.#next + 1) % this.#flows.length;
      const flow = this.#flows[this.#next];
      if (flow === undefined) break;
      const bytes = flow.take(now);
      if (bytes === undefined) {
        idle++;
        if (flow.finished) {
          this.#flows.splice(this.#next, 1);
          const at = Math.max(this.#freeAt, now) + this.#delay;
          this.#underWay.add({at, flow, bytes: undefined});
        }
        continue;
      }
      idle = 0;
      this.#freeAt += bytes.length / this.#rate;
      this.bytes += bytes.length;
      this.#underWay.add({at: this.#freeAt + this.#delay, flow, bytes});
    }
    this.#backlog = idle < this.#flows.length;
  }

  /** Forgets a connection that broke. */
  drop(flow: Flow): void {
    const at = this.#flows.indexOf(flow);
    if (at >= 0) this.#flows.splice(at, 1);
  }
}

/** First in, first out, by the time at which each is due. */
class Queue<T extends {readonly at: number}> {
  #items: T[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  add(item: T): void {
    this.#items.push(item);
  }

  due(now: number): T | undefined {
    const item = this.#items[this.#head];
    if (item === undefined || item.at > now) return undefined;
    if (++this.#head > 1024) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}
