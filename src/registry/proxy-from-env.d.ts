declare module 'proxy-from-env' {
  /** The proxy for a URL by the environment's usual variables; empty where there is none. */
  export function getProxyForUrl(url: string): string;
}
