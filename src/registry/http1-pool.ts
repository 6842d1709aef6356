import type {IncomingMessage} from 'node:http';

import type {Http1Method} from './http1-head.ts';
import {Http1Connection, type ConnectionKeeper, type Http1Target} from './http1-connection.ts';
import type {Http1Answer} from './http1-exchange.ts';

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
/** How many idle sockets to one origin are kept. */
const mostIdle = 64;

/** A request that has been sent, and the way to give it up. */
export interface Http1Request {
  readonly answer: Promise<Http1Answer | IncomingMessage>;
  /** The socket, for its events. */
  readonly connection: Http1Connection;
}

/** The kept sockets of a run. */
export class Http1Pool implements ConnectionKeeper {
  readonly #idle = new Map<string, Http1Connection[]>();
  /** All that are open. */
  readonly #open = new Set<Http1Connection>();
  readonly #buffers: Buffer[] = [];

  /**
   * Sends a request on a kept socket, or on a fresh one; a body that is not at hand is still to be
   * written to it.
   * @param fresh whether what is kept there is closed instead
   */
  ask(
    method: Http1Method,
    target: Http1Target,
    headers: Readonly<Record<string, string>>,
    body?: Uint8Array | {readonly length: number},
    fresh = false
  ): Http1Request {
    if (fresh)
      for (const connection of [...(this.#idle.get(target.key) ?? [])]) connection.destroy();
    const connection = this.#take(target.key) ?? new Http1Connection(target, this);
    return {answer: connection.ask(method, target.url, headers, body), connection};
  }

  /** Opens so many connections ahead of their first use. One that fails is gone without a word. */
  warm(target: Http1Target, count: number): void {
    for (let i = 0; i < count; i++) {
      const connection = new Http1Connection(target, this);
      connection.idle();
      this.keep(connection);
    }
  }

  /** Takes back a socket whose answer has been read to its end. */
  keep(connection: Http1Connection): void {
    const idle = this.#idle.get(connection.key) ?? [];
    if (idle.length >= mostIdle) connection.destroy();
    else idle.push(connection);
    this.#idle.set(connection.key, idle);
  }

  /** Forgets a socket that closed. */
  drop(connection: Http1Connection): void {
    this.#open.delete(connection);
    const idle = this.#idle.get(connection.key);
    const at = idle?.indexOf(connection) ?? -1;
    if (at >= 0) idle?.splice(at, 1);
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
    this.#idle.clear();
  }

  #take(key: string): Http1Connection | undefined {
    const idle = this.#idle.get(key);
    for (let connection = idle?.pop(); connection !== undefined; connection = idle?.pop())
      if (connection.usable) return connection;
    return undefined;
  }
}
