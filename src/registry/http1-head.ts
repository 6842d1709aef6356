import type {IncomingHttpHeaders} from 'node:http';

/** The methods of requests that go over connections of our own. */
export type Http1Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH';

/** Whether it asks, and changes nothing: such a request has no body. */
export function asks(method: Http1Method): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** Headers of which only the first one counts, as in Node: a list of them would be none of both. */
const single: ReadonlySet<string> = new Set([
  'age',
  'content-type',
  'etag',
  'expires',
  'last-modified',
  'location',
  'retry-after',
  'server'
]);

/** The head of an answer of the plain kind. */
export interface Head {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly length: number;
  readonly keep: boolean;
  /** No body may follow. */
  readonly bodiless: boolean;
}

/**
 * The head of an answer, if it is of the plain kind: HTTP/1.1, one Content-Length, no coding.
 * @see https://www.rfc-editor.org/rfc/rfc9112
 */
export function parseHead(text: string, method: Http1Method): Head | undefined {
  const [first = '', ...lines] = text.split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3})(?: |$)/.exec(first)?.[1]);
  if (Number.isNaN(status)) return undefined;
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon)).toLowerCase();
    const value = line.slice(colon + 1).trim();
    // eslint-disable-next-line no-control-regex
    if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(name) || /[\x00-\x08\x0a-\x1f\x7f]/.test(value))
      return undefined;
    const before = headers[name];
    if (before !== undefined && name === 'content-length') return undefined;
    if (before !== undefined && single.has(name)) continue;
    headers[name] = before === undefined ? value : `${before}, ${value}`;
  }
  if (status < 200) return {status, headers, length: 0, keep: true, bodiless: true};
  // What has no body says of what length it would be, or nothing.
  const bodiless = method === 'HEAD' || status === 204 || status === 304;
  const length = bodiless ? '0' : (headers['content-length'] ?? '');
  const coded = !bodiless && headers['transfer-encoding'] !== undefined;
  if (!/^\d{1,15}$/.test(length) || coded) return undefined;
  return {
    status,
    headers,
    length: Number(length),
    keep: !/\bclose\b/i.test(headers.connection ?? ''),
    bodiless
  };
}
