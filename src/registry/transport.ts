import {type Agent, type ClientRequest, type IncomingHttpHeaders, request as http} from 'node:http';
import {request as https} from 'node:https';
import type {Socket} from 'node:net';
import type {Readable, Writable} from 'node:stream';

import {onAbort} from '../on-abort.ts';
import {hostOf, portOf} from './address.ts';
import {Agents, type AgentsOptions} from './agents.ts';
import {type Clock, systemClock} from './clock.ts';
import {RegistryError} from './error.ts';
import {explain, proxyRefusal, stalled} from './explain.ts';
import {type Judge, Names, type Resolve} from './names.ts';
import type {Pieces} from './pieces.ts';
import {readBeforeWriting} from './read-first.ts';
import {Sending, whenStuck} from './sending.ts';
import {Http1Client, nodeAnswer} from './http1-client.ts';

/** How long each part of an exchange may take, in milliseconds. */
export interface Timings {
  /** Until the connection stands, TLS included. */
  readonly connect: number;
  /** From the request's last byte to the answer's head. */
  readonly answer: number;
  /** The same for commits and whole blobs: registries move or check gigabytes before they answer. */
  readonly commit: number;
  /** Between two pieces of a body, in either direction. */
  readonly idle: number;
}

/** Generous to slow registries, short enough that nothing hangs; a commit of 9 GiB was seen to take 90 s. */
export const usualTimings: Timings = {
  connect: 15_000,
  answer: 60_000,
  commit: 300_000,
  idle: 60_000
};

/** A body that is written as it comes. */
export interface BodyStream {
  /** Its exact length in bytes: it goes out as Content-Length, since some registries refuse chunks. */
  readonly length: number;
  /** Writes all of it to `sink`; whoever calls ends the sink. Rejects when the body cannot go on. */
  pump(sink: Writable, signal: AbortSignal): Promise<void>;
}

/** One request, complete. */
export interface Outgoing {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | BodyStream;
  /** How long the answer's head may take, in milliseconds. */
  readonly answerWithin: number;
  /** On the hot path: many bytes either way, or one of many questions. */
  readonly hot?: boolean;
  /** Not on a kept connection, which may have been closed unnoticed: the body cannot be sent again. */
  readonly fresh?: boolean;
  /**
   * For whom, as far as that matters: what one side holds must never wait for the other where both are at
   * one registry that takes few connections.
   */
  readonly side?: string | undefined;
  /** For hosts that a registry named: judges the addresses. */
  readonly judge?: Judge;
  readonly signal: AbortSignal;
}

/** The head of an answer, its body still to be read: to its end, or destroyed. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readable;
  /** It has no body, and its connection is free already: there is nothing to read away. */
  readonly bare?: boolean;
  /** The body for those who want many bytes; instead of `body`, not beside it. */
  pieces(): Pieces;
  readonly url: URL;
}

/** What a transport is made with. */
export interface TransportOptions extends AgentsOptions {
  readonly timings?: Timings;
  readonly clock?: Clock;
  readonly resolve?: Resolve;
}

/**
 * HTTP/1.1 for all registries of a run: kept connections, time limits, proxies and private CAs.
 * It knows nothing of registries: one request, one answer, whatever its status.
 */
export class Transport {
  readonly timings: Timings;
  readonly clock: Clock;
  readonly names: Names;
  readonly #agents: Agents;
  readonly #http1: Http1Client;

  constructor(options: TransportOptions = {}) {
    this.timings = options.timings ?? usualTimings;
    this.clock = options.clock ?? systemClock;
    this.names = new Names(options.resolve);
    this.#agents = new Agents(options);
    this.#http1 = new Http1Client(this.#agents, this.names, this.timings);
  }

  /**
   * Sends a request and waits for the head of its answer.
   * @throws RegistryError of the kinds address, certificate, proxy, connection, stalled, unsafe, refused; the signal's reason
   */
  async send(outgoing: Outgoing): Promise<Answer> {
    if (outgoing.hot === true) {
      const answer = await this.#http1.ask(outgoing);
      if (answer !== undefined) return answer;
    }
    let {fresh = false} = outgoing;
    for (;;) {
      const attempt = new Exchange({...outgoing, fresh}, this);
      try {
        return await attempt.run(this.#agents);
      } catch (error) {
        outgoing.signal.throwIfAborted();
        // Where one is silent, what lies between may have forgotten all that are kept.
        if (error instanceof RegistryError && error.fault === 'stalled')
          dropIdle(this.#agents.for(outgoing.url, outgoing.judge), outgoing.url);
        // The other side closed a kept connection before it saw the request: not a failure of the
        // registry, so a fresh one is taken. A body that streams cannot be sent twice from here.
        const replayable = outgoing.body === undefined || outgoing.body instanceof Uint8Array;
        if (!attempt.stale(error) || !replayable) {
          // There may be no room for one more beside those that are kept for what is asked more often.
          this.#http1.forget(outgoing.url);
          throw explain(error, outgoing, this.names, attempt.established);
        }
        fresh = true;
      }
    }
  }

  /** Opens connections to an origin ahead of their use: for questions, and for bodies. */
  warm(
    url: URL,
    count: {readonly questions: number; readonly bodies: number},
    side?: Outgoing['side']
  ): void {
    this.#http1.warm(url, count.questions, {side, bodies: false});
    this.#http1.warm(url, count.bodies, {side, bodies: true});
  }

  /** Lets the next connection to an origin go to another address of its name, as far as there is one. */
  turn(url: URL): void {
    this.names.turn(hostOf(url));
    this.#http1.forget(url);
    dropIdle(this.#agents.for(url), url);
  }

  /** Closes what is kept open. */
  close(): void {
    this.#agents.close();
    this.#http1.close();
  }
}

/** One request on one connection. */
class Exchange {
  readonly #outgoing: Outgoing;
  readonly #transport: Transport;
  #request: ClientRequest | undefined;
  #timer: NodeJS.Timeout | undefined;
  #endWatch: () => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;
  #over = false;

  constructor(outgoing: Outgoing, transport: Transport) {
    this.#outgoing = outgoing;
    this.#transport = transport;
  }

  async run(agents: Agents): Promise<Answer> {
    const {method, url, headers, body, judge, signal} = this.#outgoing;
    signal.throwIfAborted();
    const length = body === undefined ? bodiless(method) : body.length;
    const send = url.protocol === 'https:' ? https : http;
    const {names} = this.#transport;
    const agent = agents.for(url, judge);
    if (this.#outgoing.fresh === true) dropIdle(agent, url);
    const request = send(url, {
      method,
      headers: length === undefined ? headers : {...headers, 'Content-Length': String(length)},
      agent,
      lookup: names.lookup(judge)
    });
    this.#request = request;
    const callOff = onAbort(signal, () => {
      request.destroy(signal.reason as Error);
      this.#reject(signal.reason);
    });
    let sending: Sending | undefined;
    try {
      return await new Promise<Answer>((resolve, reject) => {
        // While a proxy is waited for there is no connection that could be destroyed and tell of it.
        this.#reject = reject;
        request.on('error', reject);
        // What a proxy says instead of letting us through is not the registry's answer.
        request.once('proxyConnect', ({statusCode = 0}: {statusCode?: number}) => {
          if (statusCode !== 200) request.destroy(proxyRefusal(statusCode, this.#outgoing));
        });
        request.on('response', message => {
          if (message.statusCode === 407) {
            message.resume();
            request.destroy(proxyRefusal(407, this.#outgoing));
            return;
          }
          // Maybe before all was sent: then the rest of the body is not wanted.
          resolve(nodeAnswer(message, url, signal));
        });
        this.#limitConnect(request);
        request.on('finish', () => {
          this.#endWatch();
          this.#limit(this.#outgoing.answerWithin, 'it did not answer');
        });
        if (body === undefined || body instanceof Uint8Array) {
          request.end(body);
        } else {
          this.#watchSending(request);
          readBeforeWriting(request);
          sending = new Sending(
            body,
            {
              sink: request,
              whole: () => request.end(),
              broken: error => request.destroy(error)
            },
            signal
          );
        }
      });
    } finally {
      callOff();
      sending?.end();
      this.#over = true;
      clearTimeout(this.#timer);
      this.#endWatch();
    }
  }

  /** Whether the connection had come about, TLS included. */
  get established(): boolean {
    const socket = this.#request?.socket;
    return socket != null && !socket.connecting && !isShaking(socket);
  }

  /** Whether the other side had closed this kept connection already. */
  stale(error: unknown): boolean {
    const {code} = error as NodeJS.ErrnoException;
    return this.#request?.reusedSocket === true && (code === 'ECONNRESET' || code === 'EPIPE');
  }

  #limitConnect(request: ClientRequest): void {
    // From the very start: a proxy's CONNECT takes its time before there is a socket.
    this.#limit(this.#transport.timings.connect, 'no connection came about', () => {
      this.#transport.names.forget(hostOf(this.#outgoing.url));
    });
    request.once('socket', socket => {
      const secure = this.#outgoing.url.protocol === 'https:';
      // Through a proxy the connection stands already, and TLS has just begun.
      if (!socket.connecting && !isShaking(socket)) {
        clearTimeout(this.#timer);
        return;
      }
      socket.once(secure ? 'secureConnect' : 'connect', () => {
        clearTimeout(this.#timer);
        if (request.writableFinished) this.#limit(this.#outgoing.answerWithin, 'it did not answer');
      });
    });
  }

  /** A body that waits for the other side, and not for its own source, must get on. */
  #watchSending(request: ClientRequest): void {
    const {idle} = this.#transport.timings;
    request.once('socket', socket => {
      if (this.#over) return;
      this.#endWatch = whenStuck(socket, request, idle, () => {
        this.#stalled('it took no more bytes', idle);
      });
    });
  }

  #limit(milliseconds: number, what: string, late?: () => void): void {
    clearTimeout(this.#timer);
    // What a request that was given up still does must not keep the process.
    if (this.#over) return;
    this.#timer = setTimeout(() => {
      late?.();
      this.#stalled(what, milliseconds);
    }, milliseconds);
  }

  #stalled(what: string, milliseconds: number): void {
    const error = stalled(this.#outgoing, what, milliseconds);
    this.#request?.destroy(error);
    this.#reject(error);
  }
}

/** Whether TLS is still being agreed upon. */
function isShaking(socket: Socket & {readonly secureConnecting?: boolean}): boolean {
  return socket.secureConnecting === true;
}

/** Closes what is kept to this host and idle, so that the next request gets a connection of its own. */
function dropIdle({freeSockets}: Agent, url: URL): void {
  const place = `${hostOf(url)}:${portOf(url)}:`;
  for (const [key, sockets] of Object.entries(freeSockets)) {
    if (key.startsWith(place)) for (const socket of sockets ?? []) socket.destroy();
  }
}

/** A request without a body says so where the method could have one: some proxies ask for it. */
function bodiless(method: string): 0 | undefined {
  return method === 'POST' || method === 'PUT' || method === 'PATCH' ? 0 : undefined;
}
