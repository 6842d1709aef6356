import {clean} from '../oci/clean.ts';
import {baseType} from '../oci/media-type.ts';
import {readError} from './body.ts';
import type {FoundCredentials} from './credentials.ts';
import {type ErrorEntry, faultOf, noSpace, parseEntries, RegistryError} from './error.ts';
import {mayBeHttps} from './explain.ts';
import {proxyOf} from './proxy.ts';
import {greeting, type Question} from './question.ts';
import type {Quirks} from './quirks.ts';
import {retryAfterOf} from './token.ts';
import type {Answer, Transport} from './transport.ts';

/** What is known of the registry that refuses. */
export interface Refusing {
  readonly name: string;
  readonly origin: URL;
  readonly quirks: Quirks;
  readonly transport: Transport;
  readonly credentials: FoundCredentials;
  /** Which credentials were used, and where they are from, in words. */
  readonly used: string;
}

/** An answer that was not wanted, as an error that says what to do; its body is read, bounded. */
export async function refusalOf(
  answer: Answer,
  question: Question,
  registry: Refusing
): Promise<RegistryError> {
  const {status, headers, url} = answer;
  const {name, origin, transport} = registry;
  const text = await readError(answer, transport.timings.idle);
  const page = baseType(headers['content-type']) === 'text/html' || /^\s*</.test(text);
  const entries = page ? [] : parseEntries(text);
  const redirected = url.origin !== origin.origin;
  const said =
    entries.length > 0
      ? `: ${entries
          .slice(0, 3)
          .map(entry => entryText(entry))
          .join('; ')}`
      : page || text.trim() === ''
        ? ''
        : `: ${clean(text, 200)}`;
  // Over plain http a proxy answers in the registry's place, and with a page of its own.
  const proxy = page && url.protocol === 'http:' ? proxyOf(url) : undefined;
  const through =
    proxy === undefined ? '' : ` (through the proxy ${proxy.place}, ${proxy.variable})`;
  const where = (redirected ? `${url.host} (where ${name} redirects to)` : name) + through;
  // Behind a redirect, a 403 is a signed address that has expired: the registry gives a new one.
  const expired = redirected && status >= 400 && status < 500;
  const full = said.includes(noSpace);
  const blocked = page && status === 403 && registry.quirks.blocksAtTimes === true;
  return new RegistryError(
    full ? 'refused' : expired || blocked ? 'server' : faultOf(status),
    `${question.method} ${describePath(question, origin)}: ${where} answers ${status}${page ? ' with an HTML page' : said}`,
    {
      host: url.host,
      status,
      entries,
      ...retryAfterOf(headers, transport.clock.date()),
      advice: full
        ? "Make room on the registry's disk; what has arrived is not sent again."
        : proxy === undefined
          ? adviceFor(status, page, question, registry)
          : `Look at the proxy, or name ${url.hostname} in NO_PROXY.`
    }
  );
}

function adviceFor(
  status: number,
  page: boolean,
  question: Question,
  {name, credentials, origin, quirks, used}: Refusing
): string | undefined {
  const greeted = question.path === greeting;
  if (status === 401 && greeted && !page) {
    return credentials.kind === 'anonymous'
      ? `Give its user name and password, or sign in with docker first; ${used}.`
      : `The user name or password for ${name} is wrong (from ${credentials.from}).`;
  }
  if (status === 400 && greeted && origin.protocol === 'http:') return mayBeHttps;
  if (status === 401 || status === 403) {
    const known = quirks.repositoryAdvice === undefined ? '' : ` ${quirks.repositoryAdvice}`;
    return page
      ? 'Something in front of the registry blocks the request (firewall, gateway); look there.'
      : `Check what the account may do; ${used}.${known}`;
  }
  if (status === 404) return quirks.repositoryAdvice;
  if ((status === 405 || status === 501) && isUpload(question, origin)) {
    return question.method === 'POST'
      ? 'This registry takes no uploads: it is read-only, or a pull-through cache. Mirror to another one.'
      : `Something in front of the registry may let no ${question.method} through; look there.`;
  }
  if (status === 405 || status === 412 || status === 423)
    return 'The tag or repository may be locked or immutable.';
  if (status === 413) return 'Something in front of the registry limits the size of requests.';
  if (status === 507) return 'The registry has no room left: make some, or raise its quota.';
  return undefined;
}

function isUpload(question: Question, origin: URL): boolean {
  return /\/blobs\/uploads(?:\/|$)/.test(describePath(question, origin));
}

/** One entry in words; what is missing is told by its digest. */
function entryText({code, message, digests}: ErrorEntry): string {
  const unknown = code.endsWith('_UNKNOWN')
    ? digests.slice(0, 2).filter(one => !message.includes(one))
    : [];
  return [code, message, ...unknown].join(' ').trim();
}

function describePath({path}: Question, origin: URL): string {
  return clean((path instanceof URL ? path : new URL(path, origin)).pathname, 200);
}
