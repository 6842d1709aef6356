import type {IncomingMessage} from 'node:http';
import {connect as connectPlain, type LookupFunction, type Socket} from 'node:net';
import {connect as connectSecure} from 'node:tls';

import {hostOf, isAddress, portOf} from './address.ts';
import type {Trust} from './agents.ts';
import {asks, type Http1Method} from './http1-head.ts';
import {readBeforeWriting} from './read-first.ts';
import type {Carrier} from './http1-body.ts';
import {Closed, type Http1Answer, Http1Exchange} from './http1-exchange.ts';

/**
 * So many bytes may wait to be sent before a body is held up: three pieces, so that the next one need not
 * wait for the event loop where the other side takes them as they come.
 */
const mostWaiting = 384 * 1024;

/**
 * When the system asks whether the other side is still there, in milliseconds without a byte. What lies
 * between may forget a connection without a word while a large layer travels over another one: a load
 * balancer of Azure does after four minutes.
 * @see https://learn.microsoft.com/azure/load-balancer/load-balancer-tcp-reset
 */
const keepAlive = 30_000;

/** What a connection is made with. */
export interface Http1Target {
  readonly url: URL;
  readonly lookup: LookupFunction;
  /** Certificates that are believed; for https. */
  readonly trust: () => Trust;
  /** Connections are shared only among equals; it begins with the URL's origin. */
  readonly place: string;
  /** Of these, the ones for questions and those for bodies are kept apart as long as there may be many. */
  readonly key: string;
  /** How long it may take to connect, TLS included, in milliseconds. */
  readonly connectWithin: number;
  /** How long it may take until one becomes free, where there may be no more, in milliseconds. */
  readonly freeWithin: number;
}

/** No connection was there in time. */
export class Late extends Error {
  override readonly name = 'Late' as const;
  /** How long was waited, in milliseconds. */
  readonly within: number;

  constructor(message: string, within: number) {
    super(message);
    this.within = within;
  }
}

/** Where connections are kept, and the buffers that they read into. */
export interface ConnectionKeeper {
  /** Knows of a connection that was opened. */
  opened(connection: Http1Connection): void;
  /** Takes one that stands by now. */
  connected(connection: Http1Connection): void;
  /** Hears that one has carried an answer to its end. */
  answered(connection: Http1Connection): void;
  /** Takes back one that can carry another. */
  keep(connection: Http1Connection): void;
  /** Forgets one that closed. */
  drop(connection: Http1Connection, error: Error): void;
  /** A buffer that nobody uses. */
  buffer(): Buffer;
  /** Takes a buffer back. */
  release(buffer: Buffer): void;
}

/** One connection over a socket of our own: one exchange after the other. */
export class Http1Connection implements Carrier {
  readonly target: Http1Target;
  /** Whether it has carried an answer before. */
  used = false;
  readonly #socket: Socket;
  readonly #keeper: ConnectionKeeper;
  #exchange: Http1Exchange | undefined;
  #buffer: Buffer = Buffer.alloc(0);
  readonly #timer: NodeJS.Timeout;
  #endSending: () => void = () => undefined;

  constructor(target: Http1Target, keeper: ConnectionKeeper) {
    const {url, lookup, trust, connectWithin} = target;
    this.target = target;
    this.#keeper = keeper;
    keeper.opened(this);
    const secure = url.protocol === 'https:';
    const options = {
      host: hostOf(url),
      port: portOf(url),
      lookup,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAlive,
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
          ...trust(),
          // An address is no name to ask for.
          servername: isAddress(url) ? '' : hostOf(url)
        })
      : connectPlain(options);
    this.#timer = setTimeout(() => {
      this.destroy(new Late('no connection came about', connectWithin));
    }, connectWithin);
    this.#socket.once(secure ? 'secureConnect' : 'connect', () => {
      clearTimeout(this.#timer);
      keeper.connected(this);
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

  /**
   * Sends a request; the answer comes when its head is there: as a message of Node's own where it is
   * not of the plain kind. A body that is not at hand is then written to `sink`, and `sent` called
   * behind it.
   */
  ask(
    method: Http1Method,
    url: URL,
    headers: Readonly<Record<string, string>>,
    body?: Uint8Array | {readonly length: number}
  ): Promise<Http1Answer | IncomingMessage> {
    const lines = Object.entries({
      Host: url.host,
      ...headers,
      ...(!asks(method) && {'Content-Length': String(body?.length ?? 0)}),
      Connection: 'keep-alive'
    });
    const head = `${method} ${url.pathname}${url.search} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
    const follows = body !== undefined && !(body instanceof Uint8Array);
    const exchange = new Http1Exchange(this, method, !follows);
    this.#exchange = exchange;
    // What could end a line early never gets here; should it, nothing is sent.
    if (
      /[^\t\x20-\x7e\r\n]|\r(?!\n)|(?<!\r)\n/.test(head) ||
      head.split('\r\n').length !== lines.length + 3
    ) {
      this.destroy(new Error('a header holds what no header may hold'));
    } else if (this.#socket.destroyed) {
      // Since it was taken: nobody would tell.
      exchange.fail(new Closed());
    } else {
      if (follows) this.#endSending = readBeforeWriting(this.#socket);
      this.#socket.cork();
      this.#socket.write(head, 'latin1');
      if (body instanceof Uint8Array) this.#socket.write(body);
      this.#socket.uncork();
      this.#socket.ref();
    }
    return exchange.head;
  }

  /** Where a body is written to. */
  get sink(): Socket {
    return this.#socket;
  }

  /** The body has been written to its end. @param taken called when all of it is on its way */
  sent(taken: () => void): void {
    // Called when everything before it is.
    this.#socket.write('', error => {
      if (error) return;
      this.#endSending();
      this.#exchange?.sent();
      taken();
    });
  }

  /** The body may flow again. */
  resume(): void {
    this.#socket.resume();
  }

  /** The exchange is over, its body read to the last byte. */
  done(keep: boolean): void {
    this.#exchange = undefined;
    this.used = true;
    this.#keeper.answered(this);
    this.#endSending();
    if (!keep || this.#socket.destroyed) {
      this.destroy();
      return;
    }
    // Also one whose last body was held up has to hear that the other side closes it.
    this.#socket.resume();
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
      this.destroy();
      return false;
    }
    return exchange.take(buffer.subarray(0, bytes), release);
  }

  #end(error: Error): void {
    clearTimeout(this.#timer);
    this.#keeper.drop(this, error);
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.fail(error);
  }
}
