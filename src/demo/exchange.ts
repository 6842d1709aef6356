import type {IncomingMessage, ServerResponse} from 'node:http';
import {setTimeout as pause} from 'node:timers/promises';

import {type Body, type Payload, payloadOf, zip} from './body.ts';
import {closed, type Connection, reset} from './connection.ts';
import {DemoError} from './error.ts';
import {Interruption, limitsOf, receive} from './receive.ts';
import type {RequestRecord} from './record.ts';
import type {Route} from './route.ts';
import type {AnswerEffect, Effect, EffectName, HeaderChanges} from './rules.ts';
import {transmit} from './transmit.ts';

type Writable<T> = {-readonly [K in keyof T]: T[K]};

/** What an exchange is made of. */
export interface ExchangeParts {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly route: Route;
  readonly connection: Connection;
  readonly record: RequestRecord;
  readonly effects: readonly Effect[];
  /** Scheme, host and port as the client named them. */
  readonly origin: string;
}

/**
 * One request and its answer. Handlers read and answer through it as though nothing could go wrong;
 * the faults that the rules ask for happen in here.
 */
export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly route: Route;
  readonly connection: Connection;
  readonly origin: string;
  readonly method: string;
  readonly #record: Writable<RequestRecord>;
  readonly #effects: readonly Effect[];
  #lingers = false;
  #delivered = false;

  constructor(parts: ExchangeParts) {
    this.request = parts.request;
    this.response = parts.response;
    this.route = parts.route;
    this.connection = parts.connection;
    this.origin = parts.origin;
    this.method = parts.request.method ?? 'GET';
    this.#record = parts.record;
    this.#effects = parts.effects;
  }

  /** The first effect of this name that a rule asks for. */
  effect<N extends EffectName>(name: N): Extract<Effect, {readonly effect: N}> | undefined {
    return this.#effects.find(
      (effect): effect is Extract<Effect, {readonly effect: N}> => effect.effect === name
    );
  }

  /** Whether the answer was handed over whole to a client that was still there. */
  get delivered(): boolean {
    return this.#delivered;
  }

  /** A header of the request. */
  header(name: string): string | undefined {
    const value = this.request.headers[name.toLowerCase()];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  /**
   * Reads the request's body into `sink`. The chunks may be kept.
   * @throws Interruption when a rule or the client ends it early
   */
  async receive(sink: (chunk: Buffer) => void): Promise<void> {
    await receive(this.request, limitsOf(this.request, this.#effects), chunk => {
      this.#record.bytesIn += chunk.length;
      sink(chunk);
    });
  }

  /**
   * Reads the request's body whole.
   * @throws DemoError with `tooLarge` as its status when it has more than `limit` bytes
   */
  async receiveAll(limit: number, tooLarge = 413): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let size = 0;
    await this.receive(chunk => {
      size += chunk.length;
      if (size <= limit) chunks.push(chunk);
    });
    if (size > limit) {
      throw new DemoError(tooLarge, 'SIZE_INVALID', `more than ${limit} bytes are not taken`);
    }
    return Buffer.concat(chunks);
  }

  /** Answers, with whatever faults the rules put into an answer. */
  async answer(status: number, headers: HeaderChanges = {}, body?: Body | Payload): Promise<void> {
    const lost = this.effect('lose-answer');
    if (lost !== undefined) {
      await this.cut(lost.how ?? 'reset');
      return;
    }
    const delay = this.effect('delay');
    if (delay !== undefined) await pause(delay.ms, undefined, {ref: false});
    const payload = await this.#payload(status, body);
    const sent = this.#headers(headers, payload);
    this.#record.status = status;
    this.response.writeHead(status, Object.fromEntries(sent));
    if (payload === undefined || this.method === 'HEAD') await this.#end();
    else await this.#send(payload);
  }

  /** Answers with an error document. */
  async refuse(error: DemoError): Promise<void> {
    const headers = {'Content-Type': json, ...error.headers};
    await this.answer(error.status, headers, error.document());
  }

  /** Carries out an `answer` of a rule: reads as much as it says, answers, ends as it says. */
  async answerAsRuled(ruled: AnswerEffect, challenge: string | undefined): Promise<void> {
    if (ruled.after === undefined) await this.receive(() => undefined);
    else if (ruled.after > 0) await this.#read(ruled.after);
    const then = ruled.then ?? (this.#unread() ? 'close' : 'keep');
    this.#lingers = then === 'close';
    const headers: HeaderChanges = {
      ...(then !== 'keep' && {Connection: 'close'}),
      ...(ruled.challenge === true && {'WWW-Authenticate': challenge ?? null}),
      ...ruled.headers
    };
    await this.answer(ruled.status, headers, ruled.body);
    if (then === 'reset') {
      await pause(grace);
      reset(this.connection, this.request.socket);
    }
  }

  /** Cuts the connection, or leaves it hanging. */
  async cut(how: 'reset' | 'end' | 'stall'): Promise<void> {
    if (how === 'stall') await closed(this.request.socket);
    else if (how === 'end') this.request.socket.destroy();
    else reset(this.connection, this.request.socket);
  }

  async #read(bytes: number): Promise<void> {
    try {
      await receive(this.request, [{at: bytes, then: undefined}], chunk => {
        this.#record.bytesIn += chunk.length;
      });
    } catch (error) {
      if (!(error instanceof Interruption)) throw error;
    }
  }

  #unread(): boolean {
    const {headers, complete} = this.request;
    return (
      !complete &&
      (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0)
    );
  }

  /**
   * Takes the rest of the body after the answer, as servers do before they close: closed on unread
   * bytes, a connection is reset, and the answer may be lost with it.
   */
  async #linger(): Promise<void> {
    this.response.flushHeaders();
    const {request} = this;
    if (request.complete || request.destroyed) return;
    await new Promise<void>(resolve => {
      const done = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(done, patience);
      request.once('end', done).once('close', done).resume();
    });
  }

  async #payload(status: number, body: Body | Payload | undefined): Promise<Payload | undefined> {
    if (body === undefined) return undefined;
    const given = typeof body === 'object' && 'pieces' in body ? body : payloadOf(body);
    const other = status < 300 ? this.effect('substitute') : undefined;
    const payload = other ? {...payloadOf(other.body), type: given.type} : given;
    const gzip = this.effect('gzip');
    if (gzip === undefined) return payload;
    const packed = {type: payload.type, encoding: 'gzip'} as const;
    if (gzip.sized !== true) return {...packed, size: undefined, pieces: zip(payload.pieces)};
    const pieces: Buffer[] = [];
    for await (const piece of zip(payload.pieces)) pieces.push(piece);
    return {...packed, size: pieces.reduce((sum, {length}) => sum + length, 0), pieces};
  }

  #headers(given: HeaderChanges, payload: Payload | undefined): Map<string, string | string[]> {
    const all = new Map<string, string | string[]>();
    const set = (changes: HeaderChanges) => {
      for (const [name, value] of Object.entries(changes)) {
        for (const known of all.keys()) {
          if (known.toLowerCase() === name.toLowerCase()) all.delete(known);
        }
        if (value !== null) all.set(name, typeof value === 'string' ? value : [...value]);
      }
    };
    if (payload?.type !== undefined) set({'Content-Type': payload.type});
    if (payload?.encoding !== undefined) set({'Content-Encoding': payload.encoding});
    if (payload === undefined) set({'Content-Length': '0'});
    else if (payload.size !== undefined) set({'Content-Length': String(payload.size)});
    set({'Docker-Distribution-Api-Version': 'registry/2.0', ...given});
    const link = this.#link();
    if (link !== undefined) set({Link: link});
    for (const effect of this.#effects) if (effect.effect === 'headers') set(effect.set);
    const last = this.effect('close-after');
    if (last?.announced === true && this.connection.requests >= last.requests) {
      set({Connection: 'close'});
    }
    return all;
  }

  #link(): string | undefined {
    const link = this.effect('link');
    if (link === undefined) return undefined;
    const {path, query} = this.route;
    const page = new URLSearchParams(query);
    if (link.mode === 'endless') page.set('page', String(Number(query.get('page') ?? 1) + 1));
    const self = `${path}?${page.toString()}`;
    const target = {self, endless: self, absolute: this.origin + self, literal: link.to ?? ''};
    return `<${target[link.mode]}>; rel="next"`;
  }

  async #send(payload: Payload): Promise<void> {
    const cut = this.effect('cut-download');
    const flip = this.effect('flip');
    const whole = await transmit(this.response, payload.pieces, {
      count: bytes => (this.#record.bytesOut += bytes),
      ...(cut && {stopAt: cut.after}),
      ...(cut?.how === 'stall' && cut.ms !== undefined && {resumeAfter: cut.ms}),
      ...(flip && {flipAt: flip.at})
    });
    if (whole) {
      await this.#end();
      return;
    }
    await pause(grace);
    await this.cut(cut?.how ?? 'reset');
  }

  async #end(): Promise<void> {
    if (this.#lingers) await this.#linger();
    await new Promise<void>(resolve => {
      if (this.response.destroyed) resolve();
      this.response.once('close', resolve);
      this.response.end(resolve);
    });
    this.#delivered = this.response.writableFinished;
    const {socket} = this.request;
    const idle = this.effect('close-idle');
    if (idle !== undefined) {
      setTimeout(() => {
        if (this.connection.active === 0) socket.destroy();
      }, idle.ms).unref();
    }
    const last = this.effect('close-after');
    if (last !== undefined && this.connection.requests >= last.requests) socket.destroySoon();
  }
}

// Milliseconds in which a client may notice an answer while it still sends.
const patience = 1000;

const json = 'application/json; charset=utf-8';

// Milliseconds for what was written to leave before a reset throws it away.
const grace = 10;
