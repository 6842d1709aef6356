import {IncomingMessage} from 'node:http';

import {onAbort} from '../on-abort.ts';
import {hostOf} from './address.ts';
import type {Agents} from './agents.ts';
import {RegistryError} from './error.ts';
import {explain, stalled} from './explain.ts';
import type {Http1Method} from './http1-head.ts';
import {type Http1Connection, type Http1Target, Late} from './http1-connection.ts';
import type {Names} from './names.ts';
import {piecesOf} from './pieces.ts';
import {Sending, whenStuck} from './sending.ts';
import type {Answer, BodyStream, Outgoing, Timings} from './transport.ts';
import {Http1Pool} from './http1-pool.ts';
import type {Http1Answer} from './http1-exchange.ts';

/** What a connection is for. */
interface Use {
  readonly side?: Outgoing['side'];
  readonly judge?: Outgoing['judge'] | undefined;
  readonly bodies: boolean;
}

/** How often a request is sent anew over another connection, where one that nobody had heard broke. */
const mostUnheard = 3;

/** Requests over connections of our own (`http1-pool.ts`), under the transport's limits and with its names and trust. */
export class Http1Client {
  readonly #agents: Agents;
  readonly #names: Names;
  readonly #timings: Timings;
  readonly #pool = new Http1Pool();
  /** Methods of an origin whose answers are not of the plain kind. */
  readonly #leftToNode = new Set<string>();

  constructor(agents: Agents, names: Names, timings: Timings) {
    this.#agents = agents;
    this.#names = names;
    this.#timings = timings;
  }

  /**
   * Sends a request, if it is of the plain kind.
   * @returns undefined where Node's client has to: through a proxy, or where answers are not plain
   * @throws RegistryError of the kinds address, certificate, connection, stalled, unsafe; the signal's reason
   */
  async ask(outgoing: Outgoing): Promise<Answer | undefined> {
    const {method, url, side, judge, headers, body, signal} = outgoing;
    if (!isPlain(method)) return undefined;
    const stream = body === undefined || body instanceof Uint8Array ? undefined : body;
    const kind = `${method} ${url.origin}`;
    if (this.#leftToNode.has(kind) || !this.#agents.isDirect(url)) return undefined;
    const target = this.#target(url, {side, judge, bodies: stream !== undefined});
    let {fresh = false} = outgoing;
    for (let unheard = 0; ;) {
      signal.throwIfAborted();
      let connection: Http1Connection | undefined;
      let used = false;
      try {
        connection = await this.#pool.take(target, fresh, signal);
        // In the moment between its taking and here, nothing listened.
        if (signal.aborted) connection.destroy();
        signal.throwIfAborted();
        ({used} = connection);
        const answer = connection.ask(method, url, headers, body);
        const given = await this.#within(connection, answer, outgoing, stream);
        if (given instanceof IncomingMessage) {
          // Errors are seldom, and come as they like.
          if ((given.statusCode ?? 0) < 400) this.#leftToNode.add(kind);
          return nodeAnswer(given, url, signal);
        }
        given.body.until(signal);
        return answerOf(given, url);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof Late) {
          this.#names.forget(hostOf(url));
          throw stalled(outgoing, error.message, error.within);
        }
        // Where one is silent, what lies between may have forgotten all that are kept: the next try gets another.
        if (error instanceof RegistryError && error.fault === 'stalled') this.#pool.forget(target);
        const {code} = error as NodeJS.ErrnoException;
        const reset = code === 'ECONNRESET' || code === 'EPIPE';
        // One more than the origin takes: nobody has heard it.
        const beyond = !used && this.#pool.isLimited(target) && unheard++ < mostUnheard;
        // A body that streams cannot be sent twice from here.
        if (!reset || !(used || beyond) || stream !== undefined)
          throw explain(error, outgoing, this.#names, connection !== undefined);
        // Where one was closed unnoticed, others were, too: what lies between may have forgotten them all.
        fresh ||= used;
      }
    }
  }

  /** Opens connections to an origin that will be asked for much. */
  warm(url: URL, count: number, use: Pick<Use, 'side' | 'bodies'>): void {
    if (this.#agents.isDirect(url)) this.#pool.warm(this.#target(url, use), count);
  }

  /** Closes what is kept open to an origin and not in use. */
  forget(url: URL): void {
    this.#pool.forgetAll(url.origin);
  }

  /** Closes what is kept open. */
  close(): void {
    this.#pool.close();
  }

  #target(url: URL, {side = '', judge, bodies}: Use): Http1Target {
    const place = `${url.origin} ${judge?.registry ?? ''} ${side}`;
    return {
      url,
      lookup: this.#names.lookup(judge),
      trust: () => this.#agents.trust(),
      // A connection that carried a body is the quickest one for the next.
      key: `${place} ${bodies ? 'bodies' : ''}`,
      place,
      connectWithin: this.#timings.connect,
      freeWithin: this.#timings.commit
    };
  }

  /** Waits for an answer, as long as that may take; a body that streams is sent meanwhile. */
  async #within(
    connection: Http1Connection,
    answer: Promise<Http1Answer | IncomingMessage>,
    outgoing: Outgoing,
    stream: BodyStream | undefined
  ): Promise<Http1Answer | IncomingMessage> {
    const {answerWithin, signal} = outgoing;
    const {idle} = this.#timings;
    let timer: NodeJS.Timeout | undefined;
    let over = false;
    let endWatch: () => void = () => undefined;
    const expect = () => {
      endWatch();
      if (over) return;
      timer = setTimeout(() => {
        connection.destroy(stalled(outgoing, 'it did not answer', answerWithin));
      }, answerWithin);
    };
    let sending: Sending | undefined;
    if (stream === undefined) {
      expect();
    } else {
      const {sink} = connection;
      sending = new Sending(
        stream,
        {
          sink,
          whole: () => {
            connection.sent(expect);
          },
          broken: error => {
            connection.destroy(error);
          }
        },
        signal
      );
      endWatch = whenStuck(sink, sink, idle, () => {
        connection.destroy(stalled(outgoing, 'it took no more bytes', idle));
      });
    }
    const callOff = onAbort(signal, () => {
      connection.destroy(signal.reason as Error);
    });
    try {
      return await answer;
    } finally {
      over = true;
      clearTimeout(timer);
      endWatch();
      callOff();
      sending?.end();
    }
  }
}

function isPlain(method: string): method is Http1Method {
  return ['GET', 'HEAD', 'POST', 'PUT', 'PATCH'].includes(method);
}

/** What Node's parser has read. */
export function nodeAnswer(message: IncomingMessage, url: URL, signal: AbortSignal): Answer {
  const callOff = onAbort(signal, () => message.destroy(signal.reason as Error));
  message.once('close', callOff);
  return {
    status: message.statusCode ?? 0,
    headers: message.headers,
    body: message,
    pieces: () => piecesOf(message),
    url
  };
}

/** With the body both ways: as pieces for those who want many bytes, as a stream for all others. */
function answerOf({status, headers, body}: Http1Answer, url: URL): Answer {
  let stream: Answer['body'] | undefined;
  return {
    status,
    headers,
    url,
    bare: body.over,
    get body() {
      stream ??= body.readable();
      return stream;
    },
    pieces: () => body
  };
}
