import type {IncomingHttpHeaders, IncomingMessage} from 'node:http';
import {connect as connectPlain, type LookupFunction, type Socket} from 'node:net';
import type {Writable} from 'node:stream';
import {connect as connectSecure, type SecureContext} from 'node:tls';

import {hostOf} from './address.ts';
import {asks, type Head, parseHead, type WireMethod} from './head.ts';
import {NodeParser} from './node-parser.ts';
import {readBeforeWriting} from './read-first.ts';
import {type Carrier, WireBody} from './wire-body.ts';

/** The most bytes of an answer's head. */
const largestHead = 64 * 1024;
/**
 * So many bytes may wait to be sent before a body is held up: three pieces, so that the next one need not
 * wait for the event loop where the other side takes them as they come.
 */
const mostWaiting = 384 * 1024;
/** So many answers of the kind 1xx before the real one. */
const mostForetastes = 16;

/** The head of an answer, and its body. */
export interface WireAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: WireBody;
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

/** Where lines come from and go to, and the buffers that they read into. */
export interface LineKeeper {
  /** Knows of a line that was opened. */
  opened(line: Line): void;
  /** Takes back a line whose answer has been read to its end. */
  keep(line: Line): void;
  /** Forgets a line that closed. */
  drop(line: Line): void;
  /** A buffer that nobody uses. */
  buffer(): Buffer;
  /** Takes a buffer back. */
  release(buffer: Buffer): void;
}

/** One socket: one exchange after the other. */
export class Line implements Carrier {
  readonly key: string;
  /** Whether it has carried an answer before. */
  used = false;
  readonly #socket: Socket;
  readonly #keeper: LineKeeper;
  #exchange: Exchange | undefined;
  #buffer: Buffer = Buffer.alloc(0);
  #connected = false;
  readonly #whenConnected: (() => void)[] = [];
  #endSending: () => void = () => undefined;

  constructor({url, lookup, trust, key}: WireTarget, keeper: LineKeeper) {
    this.key = key;
    this.#keeper = keeper;
    keeper.opened(this);
    const secure = url.protocol === 'https:';
    const host = hostOf(url);
    const options = {
      host,
      port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
      lookup,
      noDelay: true,
      highWaterMark: mostWaiting,
      onread: {
        buffer: () => {
          this.#buffer = keeper.buffer();
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
      this.#end(new Closed());
    });
  }

  /** Whether it can carry another exchange. */
  get usable(): boolean {
    return !this.#socket.destroyed && this.#exchange === undefined;
  }

  /** Whether the connection stands, TLS included. */
  get connected(): boolean {
    return this.#connected;
  }

  /** Calls back when it does. */
  whenConnected(connected: () => void): void {
    this.#whenConnected.push(connected);
  }

  /**
   * Sends a request; the answer comes when its head is there: as a message of Node's own where it is
   * not of the plain kind. A body that is not at hand is then written to `sink`, and `sent` called
   * behind it.
   */
  ask(
    method: WireMethod,
    url: URL,
    headers: Readonly<Record<string, string>>,
    body?: Uint8Array | {readonly length: number}
  ): Promise<WireAnswer | IncomingMessage> {
    const lines = Object.entries({
      Host: url.host,
      ...headers,
      ...(!asks(method) && {'Content-Length': String(body?.length ?? 0)}),
      Connection: 'keep-alive'
    });
    const head = `${method} ${url.pathname}${url.search} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
    const follows = body !== undefined && !(body instanceof Uint8Array);
    const exchange = new Exchange(this, method, !follows);
    this.#exchange = exchange;
    // What could end a line early never gets here; should it, nothing is sent.
    if (
      /[^\t\x20-\x7e\r\n]|\r(?!\n)|(?<!\r)\n/.test(head) ||
      head.split('\r\n').length !== lines.length + 3
    ) {
      this.destroy(new Error('a header holds what no header may hold'));
    } else {
      if (follows) this.#endSending = readBeforeWriting(this.#socket);
      this.#socket.cork();
      this.#socket.write(head, 'latin1');
      if (body instanceof Uint8Array) this.#socket.write(body);
      this.#socket.uncork();
      // The answer before may have ended while its taker was not ready for more.
      this.#socket.ref().resume();
    }
    return exchange.head;
  }

  /** Where a body is written to. */
  get sink(): Writable {
    return this.#socket;
  }

  /** How many bytes the other side has taken of all that was written. */
  get taken(): number {
    return this.#socket.bytesWritten - this.#socket.writableLength;
  }

  /** The body has been written. */
  sent(): void {
    this.#endSending();
    this.#exchange?.sent();
  }

  /** The body may flow again. */
  resume(): void {
    this.#socket.resume();
  }

  /** The exchange is over, its body read to the last byte. */
  done(keep: boolean): void {
    this.#exchange = undefined;
    this.used = true;
    this.#endSending();
    if (!keep || this.#socket.destroyed) {
      this.destroy();
      return;
    }
    this.idle();
    this.#keeper.keep(this);
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
      this.#keeper.release(buffer);
    };
    const exchange = this.#exchange;
    if (exchange === undefined) {
      // Nothing was asked: whatever this is, it is no answer.
      release();
      this.#keeper.drop(this);
      this.#socket.destroy();
      return false;
    }
    return exchange.take(buffer.subarray(0, bytes), release);
  }

  #end(error: Error): void {
    this.#keeper.drop(this);
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.fail(error);
  }
}

/** The other side closed the connection, without an error. */
class Closed extends Error {
  override readonly name = 'Closed' as const;
  readonly code = 'ECONNRESET';

  constructor() {
    super('closed by the other side');
  }
}

/** One question and its answer. */
class Exchange {
  readonly head: Promise<WireAnswer | IncomingMessage>;
  readonly #line: Line;
  readonly #method: WireMethod;
  #settle:
    | {
        resolve: (answer: WireAnswer | Promise<IncomingMessage>) => void;
        reject: (error: Error) => void;
      }
    | undefined;
  #start: Buffer = Buffer.alloc(0);
  #foretastes = 0;
  #body: WireBody | undefined;
  /** Reads the answer in this one's place. */
  #parser: NodeParser | undefined;
  /** Whether all of the request has been sent. */
  #whole: boolean;

  constructor(line: Line, method: WireMethod, whole: boolean) {
    this.#line = line;
    this.#method = method;
    this.#whole = whole;
    this.head = new Promise((resolve, reject) => {
      this.#settle = {resolve, reject};
    });
  }

  /** @returns whether more may come at once */
  take(piece: Buffer, release: () => void): boolean {
    if (this.#body !== undefined) return this.#body.take(piece, release);
    if (this.#parser !== undefined) {
      // What it is given it keeps.
      const copy = Buffer.from(piece);
      release();
      return this.#parser.take(copy);
    }
    let known = this.#start.length;
    this.#start = Buffer.concat([this.#start, piece]);
    release();
    let parsed: Head | undefined;
    do {
      const end = this.#start.indexOf('\r\n\r\n', Math.max(0, known - 3));
      if (end < 0) {
        if (this.#start.length <= largestHead) return true;
        return this.#parse(this.#start);
      }
      parsed = parseHead(this.#start.toString('latin1', 0, end), this.#method);
      if (parsed === undefined) return this.#parse(this.#start);
      this.#start = this.#start.subarray(end + 4);
      known = 0;
      if (parsed.status < 200 && ++this.#foretastes > mostForetastes) {
        this.#line.destroy(new Error('it announces an answer again and again'));
        return false;
      }
      // Nothing but a foretaste: the real answer follows.
    } while (parsed.status < 200);
    const rest = this.#start;
    this.#start = Buffer.alloc(0);
    // Some send a body where none may be: it is passed over, and its connection with it.
    const astray = parsed.bodiless && rest.length > 0;
    // Maybe before all was sent: then the rest of the request is not wanted, nor its connection.
    const body = new WireBody(this.#line, parsed.length, parsed.keep && !astray && this.#whole);
    this.#body = body;
    const more = body.take(astray ? Buffer.alloc(0) : rest, () => undefined);
    this.#settle?.resolve({status: parsed.status, headers: parsed.headers, body});
    this.#settle = undefined;
    return more;
  }

  /** All of the request has been sent. */
  sent(): void {
    this.#whole = true;
  }

  fail(error: Error): void {
    this.#settle?.reject(error);
    this.#settle = undefined;
    this.#body?.fail(error);
    if (error instanceof Closed) this.#parser?.end();
    else this.#parser?.fail(error);
  }

  /** Leaves the answer to Node's parser. @returns whether more may come at once */
  #parse(start: Buffer): boolean {
    this.#start = Buffer.alloc(0);
    this.#parser = new NodeParser(this.#method, {
      resume: () => {
        this.#line.resume();
      },
      over: () => {
        this.#line.destroy();
      }
    });
    this.#settle?.resolve(this.#parser.head);
    this.#settle = undefined;
    return this.#parser.take(start);
  }
}
