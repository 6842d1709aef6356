import {createServer, type IncomingMessage, type Server, type ServerResponse} from 'node:http';
import {createServer as createSecureServer} from 'node:https';
import type {AddressInfo, Socket} from 'node:net';
import {performance} from 'node:perf_hooks';

import type {RegistryName} from '../oci/reference.ts';
import {closed, type Connection} from './connection.ts';
import {DemoError} from './error.ts';
import {Exchange} from './exchange.ts';
import {Interruption} from './receive.ts';
import {authorizationOf, type RequestRecord} from './record.ts';
import {routeOf} from './route.ts';
import {RuleBook} from './rule-book.ts';
import type {Rule} from './rules.ts';

/** Where and how a server listens. */
export interface ListenerOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default: a free one. */
  readonly port?: number;
  /** PEM; without it plain http is spoken. */
  readonly tls?: {readonly key: string; readonly cert: string};
  /** The clock of rules and tokens, in milliseconds; default monotonic. */
  readonly now?: () => number;
}

/** What a listener does with requests. */
export interface Service {
  /** Answers when no rule does. A DemoError becomes an answer. */
  handle(exchange: Exchange): Promise<void>;
  /** The WWW-Authenticate of a 401 for this request. */
  challenge?(exchange: Exchange): string | undefined;
  /** Before anything else, rules included. */
  arrived?(exchange: Exchange): void;
}

/** A server on loopback that keeps a record of its requests and applies rules to them. */
export class Listener implements AsyncDisposable {
  readonly requests: RequestRecord[] = [];
  readonly now: () => number;
  /** Rules that belong to the server's character and stay when the others are cleared. */
  readonly standing = new RuleBook();
  readonly #server: Server;
  readonly #scheme: 'http' | 'https';
  readonly #rules = new RuleBook();
  readonly #service: Service;
  readonly #connections = new Map<string, Connection>();
  #opened = 0;

  private constructor({tls, now = () => performance.now()}: ListenerOptions, service: Service) {
    this.now = now;
    this.#scheme = tls ? 'https' : 'http';
    this.#service = service;
    // No time limits of its own: slowness is what the rules are for.
    const options = {keepAliveTimeout: 60_000, requestTimeout: 0, headersTimeout: 0};
    this.#server = tls ? createSecureServer({...options, ...tls}) : createServer(options);
    this.#server.on('connection', (socket: Socket) => {
      this.#opened++;
      const connection = {id: this.#opened, requests: 0, active: 0, raw: socket};
      const key = keyOf(socket);
      this.#connections.set(key, connection);
      socket.once('close', () => this.#connections.delete(key));
    });
    this.#server.on('request', (request, response) => {
      void this.#serve(request, response);
    });
    // A client that speaks TLS badly or goes away is its own affair.
    this.#server.on('tlsClientError', () => undefined);
    this.#server.on('clientError', (_error, socket) => socket.destroy());
  }

  /** Starts listening. */
  static async start(options: ListenerOptions, service: Service): Promise<Listener> {
    const listener = new Listener(options, service);
    await new Promise<void>((resolve, reject) => {
      listener.#server.once('error', reject);
      listener.#server.listen(options.port ?? 0, options.host ?? '127.0.0.1', resolve);
    });
    return listener;
  }

  /** `127.0.0.1:41234` */
  get name(): RegistryName {
    const {address, family, port} = this.#server.address() as AddressInfo;
    return `${family === 'IPv6' ? `[${address}]` : address}:${port}` as RegistryName;
  }

  /** `http://127.0.0.1:41234` */
  get url(): string {
    return `${this.#scheme}://${this.name}`;
  }

  /** Connections opened so far. */
  get connections(): number {
    return this.#opened;
  }

  /** Adds a rule. */
  rule(rule: Rule): void {
    this.#rules.add(rule, this.now());
  }

  /** Forgets all rules but the standing ones. */
  clearRules(): void {
    this.#rules.clear();
  }

  /** Closes every connection at once, as a restart would. */
  dropConnections(): void {
    for (const {raw} of this.#connections.values()) raw.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>(resolve => {
      this.#server.close(() => {
        resolve();
      });
      this.#server.closeAllConnections();
      this.dropConnections();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const {socket} = request;
    // Both are told of by the exchange; unheard they would end the process.
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    const connection = this.#connections.get(keyOf(socket));
    if (connection === undefined) {
      socket.destroy();
      return;
    }
    connection.requests++;
    connection.active++;
    const exchange = this.#open(request, response, connection);
    try {
      this.#service.arrived?.(exchange);
      if (!(await this.#ruled(exchange))) await this.#service.handle(exchange);
    } catch (error) {
      await this.#mend(exchange, error);
    } finally {
      connection.active--;
    }
  }

  #open(request: IncomingMessage, response: ServerResponse, connection: Connection): Exchange {
    const {method = 'GET', url = '/', headers} = request;
    const route = routeOf(method, url);
    const now = this.now();
    const facts = {
      method,
      route,
      authorized: headers.authorization !== undefined,
      ranged: headers.range !== undefined,
      contentRange: headers['content-range'] !== undefined
    };
    const hits = [...this.standing.hits(facts, now), ...this.#rules.hits(facts, now)];
    const record: RequestRecord = {
      at: now,
      method,
      path: route.path,
      query: url.includes('?') ? url.slice(url.indexOf('?') + 1) : '',
      kind: route.kind,
      ...(route.repository !== undefined && {repository: route.repository}),
      status: 0,
      bytesIn: 0,
      bytesOut: 0,
      authorization: authorizationOf(headers.authorization),
      headers,
      connection: connection.id,
      ...(hits.length > 0 && {rule: hits.map(rule => rule.name ?? rule.do.effect).join(',')})
    };
    this.requests.push(record);
    const origin = `${this.#scheme}://${headers.host ?? this.name}`;
    const effects = hits.map(rule => rule.do);
    return new Exchange({request, response, route, connection, record, effects, origin});
  }

  /** Does what rules put in place of an answer; false when there is no such rule. */
  async #ruled(exchange: Exchange): Promise<boolean> {
    const custom = exchange.effect('custom');
    if (custom !== undefined && (await custom.run(exchange))) return true;
    const answer = exchange.effect('answer');
    const drop = exchange.effect('drop');
    const redirect = exchange.effect('redirect');
    const sign = exchange.effect('sign');
    if (answer !== undefined) {
      await exchange.answerAsRuled(answer, this.#service.challenge?.(exchange));
    } else if (exchange.effect('stall') !== undefined) {
      await exchange.cut('stall');
    } else if (drop !== undefined) {
      await exchange.cut(drop.how ?? 'reset');
    } else if (redirect !== undefined) {
      const self = exchange.request.url ?? '/';
      const location = redirect.to.replaceAll('{self}', self);
      await exchange.answer(redirect.status ?? 307, {Location: location});
    } else if (sign !== undefined) {
      const {repository = '', digest = ''} = exchange.route;
      const location = sign.host.sign(repository, digest, sign);
      await exchange.answer(307, {Location: location});
    } else {
      return false;
    }
    return true;
  }

  /** Turns what a handler threw into what the client sees. */
  async #mend(exchange: Exchange, error: unknown): Promise<void> {
    if (error instanceof Interruption) {
      const {aftermath} = error;
      if (aftermath.kind === 'cut') await exchange.cut(aftermath.how);
      else if (aftermath.kind === 'answer')
        await exchange.answerAsRuled(aftermath.answer, undefined);
      else await closed(exchange.request.socket);
    } else if (error instanceof DemoError && !exchange.response.headersSent) {
      await exchange.refuse(error);
    } else {
      // A fault of this server itself must not pass for one that was asked for.
      process.emitWarning(`the embedded registry failed: ${String(error)}`);
      exchange.request.socket.destroy();
    }
  }
}

function keyOf({remoteAddress, remotePort}: Socket): string {
  return `${remoteAddress ?? ''} ${remotePort ?? 0}`;
}
