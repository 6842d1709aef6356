import {getProxyForUrl} from 'proxy-from-env';

import {bypasses} from './no-proxy.ts';

/** A proxy as messages speak of it: never with its account. */
export interface Proxy {
  /** Its host, with the port where it has one. */
  readonly place: string;
  /** The variable that names it. */
  readonly variable: string;
}

/** The connection broke before the proxy had let anybody through: nothing of it is the registry's fault. */
export class ProxyUnreached extends Error {
  override readonly name = 'ProxyUnreached' as const;
  readonly proxy: Proxy;
  override readonly cause: Error;

  constructor(proxy: Proxy, cause: Error) {
    super(cause.message);
    this.proxy = proxy;
    this.cause = cause;
  }
}

/** The address of the proxy that the environment names for a URL, as it stands there; empty for none. */
export function proxyFor(url: URL): string {
  const {no_proxy: lower = '', NO_PROXY: upper = ''} = process.env;
  return bypasses(url, lower === '' ? upper : lower) ? '' : getProxyForUrl(url.href);
}

/** The proxy that is between here and a URL; undefined where there is none. */
export function proxyOf(url: URL): Proxy | undefined {
  const address = proxyFor(url);
  if (!URL.canParse(address)) return undefined;
  const own = `${url.protocol.slice(0, -1)}_proxy`;
  const names = [own, 'all_proxy'].flatMap(name => [name, name.toUpperCase()]);
  const variable = names.find(name => (process.env[name] ?? '') !== '') ?? own.toUpperCase();
  return {place: new URL(address).host, variable};
}
