import type {IncomingHttpHeaders} from 'node:http';
import {connect as connectPlain, type LookupFunction, type Socket} from 'node:net';
import {Readable} from 'node:stream';
import {connect as connectSecure, type SecureContext} from 'node:tls';

import {hostOf} from './address.ts';
import type {Pieces, PieceTaker} from './pieces.ts';

/**
 * The straight way for many bytes and many questions: requests over sockets whose bytes land in
 * buffers that are used again and again. Node's own HTTP client copies each piece of a body into
 * memory of its own, and does much for each request; with gigabytes and hundreds of questions that
 * costs a third of the processor time and half of the memory of the whole mirror. Only answers with
 * a known length go this way, and only bodies that are at hand; whatever is more complicated is left
 * to Node.
 */

/** What is asked for this way. */
export type WireMethod = 'GET' | 'HEAD' | 'POST' | 'PUT';

/** One buffer, in bytes: large enough that a call costs nothing beside it, small enough to stay in the cache. */
const bufferSize = 128 * 1024;
/** So many buffers are kept for later. */
const mostKept = 64;
/** The most bytes of an answer's head. */
const largestHead = 64 * 1024;
/** How many idle sockets to one origin are kept. */
const mostIdle = 64;

/** The head of an answer, and its body. */
export interface WireAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: WireBody;
}

/** The answer cannot be read this way; it has to be asked for again, by Node's client. */
export class NotPlain extends Error {
  override readonly name = 'NotPlain' as const;
}

/** What a connection is made with. */
export interface WireTarget {
  readonly url: URL;
  readonly lookup: LookupFunction;
  /** Certificates that are believed; for https. */
  readonly trust: () => SecureContext;
  /** Connections are shared only among equals; it begins with the URL's origin. */
  readonly key: string;
}

/** A request that has been sent, and the way to give it up. */
export interface WireRequest {
  readonly answer: Promise<WireAnswer>;
  /** The socket, for its events. */
  readonly line: Line;
}

/** The kept sockets of a run. */
export class Wires {
  readonly #idle = new Map<string, Line[]>();
  /** All that are open. */
  readonly #open = new Set<Line>();
  readonly #buffers: Buffer[] = [];

  /** Sends a request on a kept socket, or on a fresh one. */
  ask(
    method: WireMethod,
    target: WireTarget,
    headers: Readonly<Record<string, string>>,
    body?: Uint8Array
  ): WireRequest {
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

/** One socket: one exchange after the other. */
export class Line {
  readonly key: string;
  /** Whether it has carried an answer before. */
  used = false;
  readonly #socket: Socket;
  readonly #wires: Wires;
  #exchange: Exchange | undefined;
  #buffer: Buffer = Buffer.alloc(0);
  #connected = false;
  readonly #whenConnected: (() => void)[] = [];

  constructor({url, lookup, trust, key}: WireTarget, wires: Wires) {
    this.key = key;
    this.#wires = wires;
    wires.opened(this);
    const secure = url.protocol === 'https:';
    const host = hostOf(url);
    const options = {
      host,
      port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
      lookup,
      noDelay: true,
      onread: {
        buffer: () => {
          this.#buffer = wires.buffer();
          return this.#buffer;
        },
        callback: (bytes: number) => this.#receive(bytes)
      }
    };
    this.#socket = secure
      ? connectSecure({
          ...options,
          secureContext: trust(),
          servername: /^[\d.]+$|:/.test(host) ? '' : host
        })
      : connectPlain(options);
    this.#socket.once(secure ? 'secureConnect' : 'connect', () => {
      this.#connected = true;
      for (const connected of this.#whenConnected.splice(0)) connected();
    });
    this.#socket.on('error', error => {
      this.#end(error);
    });
    this.#socket.on('close', () => {
      this.#end(Object.assign(new Error('closed by the other side'), {code: 'ECONNRESET'}));
    });
  }

  /** Whether it can carry another exchange. */
  get usable(): boolean {
    return !this.#socket.destroyed && this.#exchange === undefined;
  }

  /** Calls back when the connection stands, TLS included; at once if it does. */
  whenConnected(connected: () => void): void {
    if (this.#connected) connected();
    else this.#whenConnected.push(connected);
  }

  /** Sends a request; the answer comes when its head is there. */
  ask(
    method: WireMethod,
    url: URL,
    headers: Readonly<Record<string, string>>,
    body?: Uint8Array
  ): Promise<WireAnswer> {
    const asks = method === 'GET' || method === 'HEAD';
    const lines = Object.entries({
      Host: url.host,
      ...headers,
      ...(!asks && {'Content-Length': String(body?.length ?? 0)}),
      Connection: 'keep-alive'
    });
    const head = `${method} ${url.pathname}${url.search} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
    const exchange = new Exchange(this, method);
    this.#exchange = exchange;
    // What could end a line early never gets here; should it, nothing is sent.
    if (
      /[^\t\x20-\x7e\r\n]|\r(?!\n)|(?<!\r)\n/.test(head) ||
      head.split('\r\n').length !== lines.length + 3
    ) {
      this.destroy(new Error('a header holds what no header may hold'));
    } else {
      if (body === undefined) this.#socket.write(head);
      else {
        this.#socket.cork();
        this.#socket.write(head);
        this.#socket.write(body);
        this.#socket.uncork();
      }
      // The answer before may have ended while its taker was not ready for more.
      this.#socket.ref().resume();
    }
    return exchange.head;
  }

  /** The body may flow again. */
  resume(): void {
    this.#socket.resume();
  }

  /** The exchange is over, its body read to the last byte. */
  done(keep: boolean): void {
    this.#exchange = undefined;
    this.used = true;
    if (!keep || this.#socket.destroyed) {
      this.destroy();
      return;
    }
    this.idle();
    this.#wires.keep(this);
  }

  /** Kept for later, but not worth staying alive for. */
  idle(): void {
    this.#socket.unref();
  }

  /** Closes the connection. */
  destroy(error?: Error): void {
    this.#end(error ?? new Error('given up'));
    this.#socket.destroy();
  }

  #receive(bytes: number): boolean {
    const buffer = this.#buffer;
    const release = () => {
      this.#wires.release(buffer);
    };
    const exchange = this.#exchange;
    if (exchange === undefined) {
      // Nothing was asked: whatever this is, it is no answer.
      release();
      this.#wires.drop(this);
      this.#socket.destroy();
      return false;
    }
    return exchange.take(buffer.subarray(0, bytes), release);
  }

  #end(error: Error): void {
    this.#wires.drop(this);
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.fail(error);
  }
}

/** One question and its answer. */
class Exchange {
  readonly head: Promise<WireAnswer>;
  readonly #line: Line;
  readonly #method: WireMethod;
  #settle: {resolve: (answer: WireAnswer) => void; reject: (error: Error) => void} | undefined;
  #start: Buffer = Buffer.alloc(0);
  #foretastes = 0;
  #body: WireBody | undefined;

  constructor(line: Line, method: WireMethod) {
    this.#line = line;
    this.#method = method;
    this.head = new Promise((resolve, reject) => {
      this.#settle = {resolve, reject};
    });
  }

  /** @returns whether more may come at once */
  take(piece: Buffer, release: () => void): boolean {
    if (this.#body !== undefined) return this.#body.take(piece, release);
    let known = this.#start.length;
    this.#start = Buffer.concat([this.#start, piece]);
    release();
    let parsed: Head | undefined;
    do {
      const end = this.#start.indexOf('\r\n\r\n', Math.max(0, known - 3));
      if (end < 0) {
        if (this.#start.length <= largestHead) return true;
        this.#refuse('its head has no end');
        return false;
      }
      parsed = parseHead(this.#start.toString('latin1', 0, end), this.#method);
      this.#start = this.#start.subarray(end + 4);
      known = 0;
      if (parsed === undefined || (parsed.status < 200 && ++this.#foretastes > mostForetastes)) {
        this.#refuse('its head is not plain');
        return false;
      }
      // Nothing but a foretaste: the real answer follows.
    } while (parsed.status < 200);
    const rest = this.#start;
    this.#start = Buffer.alloc(0);
    // Some send a body where none may be: it is passed over, and its connection with it.
    const astray = parsed.bodiless && rest.length > 0;
    const body = new WireBody(this.#line, parsed.length, parsed.keep && !astray);
    this.#body = body;
    // Of an answer that is cut off, nothing but its head counts.
    const more = body.take(parsed.cut || astray ? none : rest, () => undefined);
    this.#settle?.resolve({status: parsed.status, headers: parsed.headers, body});
    this.#settle = undefined;
    return more;
  }

  fail(error: Error): void {
    this.#settle?.reject(error);
    this.#settle = undefined;
    this.#body?.fail(error);
  }

  #refuse(rule: string): void {
    this.#line.destroy(new NotPlain(rule));
  }
}

/** A body of known length, straight from its socket. */
export class WireBody implements Pieces {
  readonly #line: Line;
  readonly #keep: boolean;
  #left: number;
  #paused = true;
  #over = false;
  #taker: PieceTaker | undefined;
  #waiting: {piece: Buffer; release: () => void}[] = [];
  #failure: Error | undefined;
  #ended: () => void = () => undefined;

  constructor(line: Line, length: number, keep: boolean) {
    this.#line = line;
    this.#left = length;
    this.#keep = keep;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Gives it up when the signal aborts, as long as it lasts. */
  until(signal: AbortSignal): void {
    if (this.#over) return;
    const end = () => {
      this.#line.destroy(signal.reason as Error);
    };
    signal.addEventListener('abort', end, {once: true});
    this.#ended = () => {
      signal.removeEventListener('abort', end);
    };
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
    if (!this.#over) this.#line.resume();
  }

  destroy(): void {
    this.#taker = undefined;
    this.#waiting = [];
    if (this.#over) return;
    this.#over = true;
    this.#ended();
    this.#line.destroy();
  }

  /** @returns whether more may come at once */
  take(piece: Buffer, release: () => void): boolean {
    if (piece.length > this.#left) {
      // More than was announced: from here on nothing on this connection can be believed.
      release();
      this.#line.destroy(new Error('more came than was announced'));
      return false;
    }
    this.#left -= piece.length;
    if (piece.length === 0) release();
    else if (this.#paused || this.#waiting.length > 0) this.#waiting.push({piece, release});
    else this.#taker?.data(piece, release);
    if (!this.#paused) this.#finish();
    // A body without bytes is over before anyone has looked at it: its socket is free.
    else if (this.#left === 0 && this.#waiting.length === 0) this.#free();
    return !this.#paused;
  }

  fail(error: Error): void {
    this.#failure = error;
    if (this.#over) return;
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
    this.#line.done(this.#keep);
  }
}

interface Head {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly length: number;
  readonly keep: boolean;
  /** Its body is of a kind that is not read here, and not wanted either. */
  readonly cut: boolean;
  /** No body may follow. */
  readonly bodiless: boolean;
}

/** So many answers of the kind 1xx before the real one. */
const mostForetastes = 16;

const none = Buffer.alloc(0);

/**
 * The head of an answer, if it is of the plain kind: HTTP/1.1, one Content-Length, no coding.
 * @see https://www.rfc-editor.org/rfc/rfc9112
 */
function parseHead(text: string, method: WireMethod): Head | undefined {
  const [first = '', ...lines] = text.split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3})(?: |$)/.exec(first)?.[1]);
  if (Number.isNaN(status)) return undefined;
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon)).toLowerCase();
    const value = line.slice(colon + 1).trim();
    // eslint-disable-next-line no-control-regex
    if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(name) || /[\x00-\x08\x0a-\x1f\x7f]/.test(value))
      return undefined;
    const before = headers[name];
    if (before !== undefined && name === 'content-length') return undefined;
    headers[name] = before === undefined ? value : `${before}, ${value}`;
  }
  if (status < 200) return {status, headers, length: 0, keep: true, cut: false, bodiless: true};
  // What has no body says of what length it would be, or nothing.
  const bodiless = method === 'HEAD' || status === 204 || status === 304;
  const length = bodiless ? '0' : (headers['content-length'] ?? '');
  if (!/^\d{1,15}$/.test(length) || headers['transfer-encoding'] !== undefined) {
    // What was done is not asked for a second time: its head says all, and its body is cut off.
    const done = (method === 'POST' || method === 'PUT') && status < 300;
    return done ? {status, headers, length: 0, keep: false, cut: true, bodiless} : undefined;
  }
  return {
    status,
    headers,
    length: Number(length),
    keep: !/\bclose\b/i.test(headers.connection ?? ''),
    cut: false,
    bodiless
  };
}
