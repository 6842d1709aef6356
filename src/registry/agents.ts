import {setMaxListeners} from 'node:events';
import {readFileSync} from 'node:fs';
import {Agent as HttpAgent} from 'node:http';
import {Agent as HttpsAgent} from 'node:https';
import type {Socket} from 'node:net';
import {
  checkServerIdentity,
  createSecureContext,
  rootCertificates,
  type SecureContext
} from 'node:tls';

import debug from 'debug';
import {HttpProxyAgent} from 'http-proxy-agent';
import {HttpsProxyAgent} from 'https-proxy-agent';

import {clean} from '../oci/clean.ts';
import {userPass} from '../user-pass.ts';
import {RegistryError} from './error.ts';
import type {Judge} from './names.ts';
import {type Proxy, proxyFor, proxyOf, ProxyUnreached} from './proxy.ts';

// With DEBUG=* the proxies' agents would write their password, and whole requests, past all masks.
debug.disable();

/** What TLS connections believe. */
export interface Trust {
  readonly secureContext: SecureContext;
  /** Said, since NODE_TLS_REJECT_UNAUTHORIZED would turn it around where nothing is. */
  readonly rejectUnauthorized: true;
}

/** What connections are made with. */
export interface AgentsOptions {
  /** PEM certificates of a private CA, believed beside the usual ones. */
  readonly ca?: string;
  /** Told of a proxy's password before it is used. */
  readonly secret?: (value: string) => void;
}

/**
 * The connections of a run, kept open between requests. Hosts that a registry named have
 * connections of their own: one that was judged is never shared with one that was not, nor with
 * one that was judged for another registry, which may have other places to send anyone to.
 */
export class Agents {
  readonly #options: AgentsOptions;
  readonly #agents = new Map<string, HttpAgent>();
  /** By origin: the environment is slow to ask, and stays as it is. */
  readonly #proxies = new Map<string, string>();
  #closed = newController();
  #trust: Trust | undefined;

  constructor(options: AgentsOptions) {
    this.#options = options;
  }

  /**
   * The agent for a URL: directly, or through the proxy that the environment names for it.
   * @param judge of the URL's host, where a registry named that
   */
  for(url: URL, judge?: Judge): HttpAgent {
    const proxy = this.#proxyFor(url);
    const key = `${url.protocol} ${proxy} ${judge?.registry ?? ''}`;
    let agent = this.#agents.get(key);
    if (agent === undefined) {
      agent = this.#open(url, proxy);
      this.#agents.set(key, agent);
    }
    return agent;
  }

  /** Whether a URL is reached without a proxy. */
  isDirect(url: URL): boolean {
    return this.#proxyFor(url) === '';
  }

  #proxyFor(url: URL): string {
    let proxy = this.#proxies.get(url.origin);
    if (proxy === undefined) {
      proxy = proxyFor(url);
      this.#proxies.set(url.origin, proxy);
    }
    return proxy;
  }

  /** Closes the connections that are idle. */
  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
    // A proxy that has not answered yet is known to no agent.
    this.#closed.abort();
    this.#closed = newController();
  }

  #open(url: URL, proxy: string): HttpAgent {
    const keep = {keepAlive: true, maxFreeSockets: 256};
    const secure = url.protocol === 'https:';
    if (proxy === '') {
      return secure ? new HttpsAgent({...keep, ...this.trust()}) : new HttpAgent(keep);
    }
    if (!URL.canParse(proxy)) {
      throw new RegistryError(
        'refused',
        `the proxy that the environment names for ${url.host} is not an address`,
        {host: url.host, advice: 'Write HTTPS_PROXY as http://proxy:port.'}
      );
    }
    const {host: place, protocol, pathname, username, password} = new URL(proxy);
    if (protocol !== 'http:' && protocol !== 'https:') {
      throw new RegistryError(
        'refused',
        `the proxy that the environment names for ${url.host} speaks ${clean(protocol.slice(0, -1), 20)}; only http and https proxies can be used`,
        {host: url.host, advice: 'Name an http proxy in HTTPS_PROXY, or the host in NO_PROXY.'}
      );
    }
    if (pathname.includes('@')) {
      throw new RegistryError(
        'refused',
        `the user or password of the proxy that the environment names for ${url.host} has a / in it`,
        {host: url.host, advice: 'Percent-encode special characters in HTTPS_PROXY: / is %2F.'}
      );
    }
    // Whoever connects to it would stumble over that, too, and say nothing that helps.
    if (!isEncoded(username) || !isEncoded(password)) {
      throw new RegistryError(
        'refused',
        `the user or password of the proxy that the environment names for ${url.host} has a % that stands for nothing`,
        {
          host: url.host,
          advice: 'Percent-encode special characters in HTTPS_PROXY; a % itself is %25.'
        }
      );
    }
    const named = proxyOf(url) ?? {place, variable: 'HTTPS_PROXY'};
    if (password !== '') {
      const pair = {username: decodeURIComponent(username), password: decodeURIComponent(password)};
      for (const secret of [password, pair.password, userPass(pair)])
        this.#options.secret?.(secret);
    }
    return blaming(
      named,
      secure
        ? new TunnelAgent(proxy, {...keep, ...this.trust(), signal: this.#closed.signal})
        : new ForwardAgent(proxy, {...keep, ...(protocol === 'https:' && this.trust())})
    );
  }

  /**
   * The certificates that are believed, read once for all connections: that takes as long as a
   * handshake or two. Giving a CA replaces the usual ones, so all are named. NODE_EXTRA_CA_CERTS is
   * read here since Node itself only reads it for connections without a CA of their own.
   */
  trust(): Trust {
    const {ca} = this.#options;
    this.#trust ??= {
      secureContext: createSecureContext({
        ca: [...rootCertificates, ...extra(), ...(ca ? [ca] : [])]
      }),
      rejectUnauthorized: true
    };
    return this.#trust;
  }
}

/**
 * Its base class believes the given CA of the proxy alone; here it is meant for the registry too. And of a
 * registry that is named by its address, it has the certificate looked at by the proxy's name.
 */
class TunnelAgent extends HttpsProxyAgent<string> {
  override connect(
    ...[request, options]: Parameters<HttpsProxyAgent<string>['connect']>
  ): ReturnType<HttpsProxyAgent<string>['connect']> {
    const {secureContext, rejectUnauthorized} = this.connectOpts as unknown as Trust;
    const {host = ''} = options;
    return super.connect(request, {
      ...options,
      ...{secureContext, rejectUnauthorized},
      checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate)
    } as typeof options);
  }
}

/**
 * Its base class takes a path that begins with two slashes for a host, and would ask that one, with all
 * that is meant for the registry.
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2
 */
class ForwardAgent extends HttpProxyAgent<string> {
  override setRequestProps(...given: Parameters<HttpProxyAgent<string>['setRequestProps']>): void {
    const [request] = given;
    const {path} = request;
    super.setRequestProps(...given);
    request.path = `http://${String(request.getHeader('host'))}${path}`;
  }
}

/** An agent that tells of its proxy what breaks before that has let us through. */
function blaming<T extends HttpProxyAgent<string> | HttpsProxyAgent<string>>(
  named: Proxy,
  agent: T
): T {
  const connect = agent.connect.bind(agent) as (...given: unknown[]) => Promise<Socket>;
  agent.connect = (...given: unknown[]) =>
    connect(...given).catch((error: unknown) => {
      throw new ProxyUnreached(named, error as Error);
    });
  return agent;
}

/** One that every connection may listen to. */
function newController(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}

function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

function extra(): string[] {
  const file = process.env.NODE_EXTRA_CA_CERTS;
  if (file === undefined || file === '') return [];
  try {
    return [readFileSync(file, 'utf8')];
  } catch {
    // Node has warned of it when it started.
    return [];
  }
}
