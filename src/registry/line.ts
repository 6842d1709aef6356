import type {IncomingHttpHeaders} from 'node:http';
import {connect as connectPlain, type LookupFunction, type Socket} from 'node:net';
import {connect as connectSecure, type SecureContext} from 'node:tls';

import {hostOf} from './address.ts';
import {type Head, parseHead, type WireMethod} from './head.ts';
import {type Carrier, WireBody} from './wire-body.ts';

/** The most bytes of an answer's head. */
const largestHead = 64 * 1024;
/** So many answers of the kind 1xx before the real one. */
const mostForetastes = 16;

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
    const more = body.take(parsed.cut || astray ? Buffer.alloc(0) : rest, () => undefined);
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
