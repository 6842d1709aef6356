import type {IncomingHttpHeaders, IncomingMessage} from 'node:http';

import {type Head, parseHead, type Http1Method} from './http1-head.ts';
import {NodeParser} from './node-parser.ts';
import {type Carrier, Http1Body} from './http1-body.ts';

/** The most bytes of an answer's head. */
const largestHead = 64 * 1024;
/**
 * So many interim answers before the real one.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-15.2
 */
const mostInterim = 16;

/** The head of an answer, and its body. */
export interface Http1Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Http1Body;
}

/** The other side closed the connection, without an error. */
export class Closed extends Error {
  override readonly name = 'Closed' as const;
  readonly code = 'ECONNRESET';

  constructor() {
    super('closed by the other side');
  }
}

/** One question and its answer, over a connection that is not known any further. */
export class Http1Exchange {
  readonly head: Promise<Http1Answer | IncomingMessage>;
  readonly #carrier: Carrier;
  readonly #method: Http1Method;
  #settle:
    | {
        resolve: (answer: Http1Answer | Promise<IncomingMessage>) => void;
        reject: (error: Error) => void;
      }
    | undefined;
  #start: Buffer = Buffer.alloc(0);
  #interim = 0;
  #body: Http1Body | undefined;
  /** Reads the answer in this one's place. */
  #parser: NodeParser | undefined;
  /** Whether all of the request has been sent. */
  #whole: boolean;

  constructor(carrier: Carrier, method: Http1Method, whole: boolean) {
    this.#carrier = carrier;
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
      if (parsed.status < 200 && ++this.#interim > mostInterim) {
        this.#carrier.destroy(new Error('it announces an answer again and again'));
        return false;
      }
      // Of an interim one the real answer follows.
    } while (parsed.status < 200);
    const rest = this.#start;
    this.#start = Buffer.alloc(0);
    // Some send a body where none may be: it is passed over, and its connection with it.
    const astray = parsed.bodiless && rest.length > 0;
    // Maybe before all was sent: then the rest of the request is not wanted, nor its connection.
    const body = new Http1Body(this.#carrier, parsed.length, parsed.keep && !astray && this.#whole);
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
        this.#carrier.resume();
      },
      over: () => {
        this.#carrier.destroy();
      }
    });
    this.#settle?.resolve(this.#parser.head);
    this.#settle = undefined;
    return this.#parser.take(start);
  }
}
