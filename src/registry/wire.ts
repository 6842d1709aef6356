import type {IncomingMessage} from 'node:http';

import type {WireMethod} from './head.ts';
import {Line, type LineKeeper, type WireTarget} from './line.ts';
import type {WireAnswer} from './wire-exchange.ts';

/**
 * The straight way for many bytes and many questions: requests over sockets whose bytes land in
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
export interface WireRequest {
  readonly answer: Promise<WireAnswer | IncomingMessage>;
  /** The socket, for its events. */
  readonly line: Line;
}

/** The kept sockets of a run. */
export class Wires implements LineKeeper {
  readonly #idle = new Map<string, Line[]>();
  /** All that are open. */
  readonly #open = new Set<Line>();
  readonly #buffers: Buffer[] = [];

  /**
   * Sends a request on a kept socket, or on a fresh one; a body that is not at hand is still to be
   * written to it.
   * @param fresh whether what is kept there is closed instead
   */
  ask(
    method: WireMethod,
    target: WireTarget,
    headers: Readonly<Record<string, string>>,
    body?: Uint8Array | {readonly length: number},
    fresh = false
  ): WireRequest {
    if (fresh) for (const line of [...(this.#idle.get(target.key) ?? [])]) line.destroy();
    const line = this.#take(target.key) ?? new Line(target, this);
    return {answer: line.ask(method, target.url, headers, body), line};
  }

  /** Opens so many connections ahead of their first use. One that fails is gone without a word. */
  warm(target: WireTarget, count: number): void {
    for (let i = 0; i < count; i++) {
      const line = new Line(target, this);
      line.idle();
      this.keep(line);
    }
  }

  /** Takes back a socket whose answer has been read to its end. */
  keep(line: Line): void {
    const idle = this.#idle.get(line.key) ?? [];
    if (idle.length >= mostIdle) line.destroy();
    else idle.push(line);
    this.#idle.set(line.key, idle);
  }

  /** Forgets a socket that closed. */
  drop(line: Line): void {
    this.#open.delete(line);
    const idle = this.#idle.get(line.key);
    const at = idle?.indexOf(line) ?? -1;
    if (at >= 0) idle?.splice(at, 1);
  }

  /** Knows of a socket that was opened. */
  opened(line: Line): void {
    this.#open.add(line);
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
    for (const line of [...this.#open]) line.destroy();
    this.#idle.clear();
  }

  #take(key: string): Line | undefined {
    const idle = this.#idle.get(key);
    for (let line = idle?.pop(); line !== undefined; line = idle?.pop())
      if (line.usable) return line;
    return undefined;
  }
}
