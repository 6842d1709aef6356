import {IncomingMessage} from 'node:http';

import {onAbort} from '../on-abort.ts';
import {hostOf} from './address.ts';
import type {Agents} from './agents.ts';
import {RegistryError} from './error.ts';
import {explain} from './explain.ts';
import type {WireMethod} from './head.ts';
import type {Line, WireTarget} from './line.ts';
import type {Judge, Names} from './names.ts';
import {piecesOf} from './pieces.ts';
import {Sending, whenStuck} from './sending.ts';
import type {Answer, BodyStream, Outgoing, Timings} from './transport.ts';
import {Wires} from './wire.ts';
import type {WireAnswer} from './wire-exchange.ts';

/** The straight way of `wire.ts`, under the transport's limits and with its names and trust. */
export class StraightWay {
  readonly #agents: Agents;
  readonly #names: Names;
  readonly #timings: Timings;
  readonly #wires = new Wires();
  /** Methods of an origin whose answers are not of the plain kind. */
  readonly #winding = new Set<string>();

  constructor(agents: Agents, names: Names, timings: Timings) {
    this.#agents = agents;
    this.#names = names;
    this.#timings = timings;
  }

  /**
   * Sends a request the straight way.
   * @returns undefined where it cannot be gone: through a proxy, or where answers are not plain
   * @throws RegistryError of the kinds address, certificate, connection, stalled, unsafe; the signal's reason
   */
  async ask(outgoing: Outgoing): Promise<Answer | undefined> {
    const {method, url, judge, headers, body, signal} = outgoing;
    if (!isStraight(method)) return undefined;
    const stream = body === undefined || body instanceof Uint8Array ? undefined : body;
    const kind = `${method} ${url.origin}`;
    if (this.#winding.has(kind) || !this.#agents.isDirect(url)) return undefined;
    const target = this.#target(url, judge, stream !== undefined);
    let {fresh = false} = outgoing;
    for (;;) {
      signal.throwIfAborted();
      let line: Line | undefined;
      let used = false;
      try {
        const asked = this.#wires.ask(method, target, headers, body, fresh);
        ({line} = asked);
        ({used} = line);
        const given = await this.#within(line, asked.answer, outgoing, stream);
        if (given instanceof IncomingMessage) {
          // Errors are seldom, and come as they like.
          if ((given.statusCode ?? 0) < 400) this.#winding.add(kind);
          return messageOf(given, url, signal);
        }
        given.body.until(signal);
        return answerOf(given, url);
      } catch (error) {
        signal.throwIfAborted();
        const {code} = error as NodeJS.ErrnoException;
        const stale = used && (code === 'ECONNRESET' || code === 'EPIPE');
        // A body that streams cannot be sent twice from here.
        if (!stale || stream !== undefined)
          throw explain(error, outgoing, this.#names, line?.connected === true);
        // Where one was closed unnoticed, others were, too: what lies between may have forgotten them all.
        fresh = true;
      }
    }
  }

  /** Opens connections to an origin that will be asked for much. */
  warm(url: URL, count: number, bodies = false): void {
    if (this.#agents.isDirect(url)) this.#wires.warm(this.#target(url, undefined, bodies), count);
  }

  /** Closes what is kept open. */
  close(): void {
    this.#wires.close();
  }

  #target(url: URL, judge: Judge | undefined, bodies: boolean): WireTarget {
    return {
      url,
      lookup: this.#names.lookup(judge),
      trust: () => this.#agents.trust(),
      // A connection that carried a body is the quickest one for the next.
      key: `${url.origin} ${judge?.registry ?? ''} ${bodies ? 'bodies' : ''}`
    };
  }

  /** Waits for an answer, as long as that may take; a body that streams is sent meanwhile. */
  async #within(
    line: Line,
    answer: Promise<WireAnswer | IncomingMessage>,
    {method, url, answerWithin, signal}: Outgoing,
    stream: BodyStream | undefined
  ): Promise<WireAnswer | IncomingMessage> {
    const {connect, idle} = this.#timings;
    let timer: NodeJS.Timeout | undefined;
    let over = false;
    const stalled = (milliseconds: number, what: string) => {
      const text = `${url.host}: ${what} within ${Math.round(milliseconds / 100) / 10} s`;
      line.destroy(
        new RegistryError('stalled', text, {host: url.host, method, path: url.pathname})
      );
    };
    const limit = (milliseconds: number, what: string, late?: () => void) => {
      clearTimeout(timer);
      if (over) return;
      timer = setTimeout(() => {
        late?.();
        stalled(milliseconds, what);
      }, milliseconds);
    };
    let endWatch: () => void = () => undefined;
    const expect = () => {
      endWatch();
      limit(answerWithin, 'it did not answer');
    };
    const sending =
      stream &&
      new Sending(
        stream,
        {
          sink: line.sink,
          whole: () => {
            line.sent(expect);
          },
          broken: error => {
            line.destroy(error);
          }
        },
        signal
      );
    const next = () => {
      if (sending === undefined) expect();
      else {
        clearTimeout(timer);
        if (!over)
          endWatch = whenStuck(line.sink, line.sink, idle, () => {
            stalled(idle, 'it took no more bytes');
          });
      }
    };
    if (line.connected) next();
    else {
      limit(connect, 'no connection came about', () => {
        this.#names.forget(hostOf(url));
      });
      line.whenConnected(next);
    }
    const callOff = onAbort(signal, () => {
      line.destroy(signal.reason as Error);
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

function isStraight(method: string): method is WireMethod {
  return ['GET', 'HEAD', 'POST', 'PUT', 'PATCH'].includes(method);
}

/** What Node's parser has read. */
function messageOf(message: IncomingMessage, url: URL, signal: AbortSignal): Answer {
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
function answerOf({status, headers, body}: WireAnswer, url: URL): Answer {
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
