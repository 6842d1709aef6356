import {clean} from '../oci/clean.ts';
import {hostOf, isAddress, portOf, reachOf} from './address.ts';
import {RegistryError} from './error.ts';
import type {Judge} from './names.ts';
import {type Question, streams} from './question.ts';
import type {Answer} from './transport.ts';

/** How many redirects in a row are followed. */
export const mostHops = 5;

/**
 * Where an answer sends the question, judged; undefined where it is an answer by itself. What is asked is
 * sent on wherever a registry may send anyone to; what writes only within its origin, with 307 and 308,
 * which keep the method, and with a body that can be sent once more.
 * @throws RegistryError of the kind unsafe
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-15.4
 */
export function followed({status, headers, url}: Answer, question: Question): URL | undefined {
  const asks = question.method === 'GET' || question.method === 'HEAD';
  const keeps = status === 307 || status === 308;
  if (!keeps && !(asks && [301, 302, 303].includes(status))) return undefined;
  if (!asks && streams(question)) return undefined;
  const next = judgeRedirect(headers.location, url);
  if (asks || next.origin === url.origin) return next;
  throw new RegistryError(
    'unsafe',
    `${url.host} redirects a ${question.method} to ${clean(next.origin, 120)}, another origin; nothing was sent there`,
    {
      host: url.host,
      advice: "Set the registry's external URL to the name that is used here."
    }
  );
}

/**
 * Where a redirect leads, judged: to https from https, without a user in it, and never to an
 * address that no registry may send anyone to. The caller keeps credentials to their origin.
 * @throws RegistryError of the kind unsafe
 */
export function judgeRedirect(location: string | undefined, from: URL): URL {
  const refuse = (rule: string) =>
    new RegistryError('unsafe', `${from.host} redirects ${rule}`, {host: from.host});
  if (location === undefined || !URL.canParse(location, from.href)) throw refuse('to nowhere');
  const url = new URL(location, from);
  const shown = clean(`${url.protocol}//${url.host}`, 120);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && from.protocol === 'http:')) {
    throw refuse(`to ${shown}, which is not https`);
  }
  if (url.username !== '' || url.password !== '')
    throw refuse(`to ${shown} with a user name in the address`);
  return url;
}

/**
 * Where an upload goes on. It must stay at the registry: bytes of a private image, and the
 * credentials with them, go nowhere else. A registry behind a proxy may call itself by http or
 * without its port; then the path is taken and the origin stays what it was.
 * @throws RegistryError of the kind unsafe or corrupt
 * @see https://github.com/advisories/GHSA-jxpm-75mh-9fp7
 */
export function judgeLocation(location: string | undefined, request: URL): URL {
  const facts = {host: request.host};
  if (location === undefined || location === '' || !URL.canParse(location, request.href)) {
    throw new RegistryError(
      'corrupt',
      `${request.host} opened an upload but did not say where it goes on`,
      facts
    );
  }
  const url = new URL(location, request);
  if (url.hostname !== request.hostname) {
    throw new RegistryError(
      'unsafe',
      `${request.host} wants the upload to go on at ${clean(url.host, 120)}, another host; nothing was sent there`,
      {...facts, advice: "Set the registry's external URL to the name that is used here."}
    );
  }
  if (url.port !== '' && portOf(url) !== portOf(request)) {
    throw new RegistryError(
      'unsafe',
      `${request.host} wants the upload to go on at ${clean(url.host, 120)}, another port; nothing was sent there`,
      facts
    );
  }
  const here = new URL(request.origin);
  here.pathname = url.pathname;
  here.search = url.search;
  return here;
}

/**
 * Judges the addresses of hosts that a registry names. Private ones only if the registry's own are:
 * a closed network has its blob store beside it, but a public registry has no business there.
 * @param own all the addresses that the registry was found at by the time when it judges: a name that led to a
 *   public one first does not belong to this network for leading to a private one later
 */
export function judgeAddress(registry: string, own: () => readonly string[]): Judge {
  const judge = (address: string) => {
    const reach = reachOf(address);
    if (reach === 'public' || (reach === 'private' && isInside(own()))) return;
    throw new RegistryError(
      'unsafe',
      `${registry} names a host at ${clean(address, 60)}, an address that it has no business to send anyone to`,
      {host: registry, advice: 'Nothing was sent there.'}
    );
  };
  return Object.assign(judge, {registry});
}

function isInside(own: readonly string[]): boolean {
  return own.length > 0 && own.every(address => reachOf(address) === 'private');
}

/** Judges a literal address in a URL; names are judged when they are looked up. */
export function judgeLiteral(url: URL, judge: Judge): void {
  if (isAddress(url)) judge(hostOf(url));
}
