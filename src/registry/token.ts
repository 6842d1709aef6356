import type {IncomingHttpHeaders} from 'node:http';

import type {Log} from '../log.ts';
import {clean} from '../oci/clean.ts';
import {userPass} from '../user-pass.ts';
import {hostOf, isAddress, reachOf, sameOwner} from './address.ts';
import {readDocument, readError} from './body.ts';
import type {Challenge} from './challenge.ts';
import type {FoundCredentials} from './credentials.ts';
import {type Fault, faultOf, RegistryError} from './error.ts';
import type {Judge} from './names.ts';
import {judgeLiteral} from './redirect.ts';
import type {Answer, Transport} from './transport.ts';

/** What a token allows: `repository:arcdata/arc-dns:pull,push`. */
export type Scope = string;

/** A bearer token and until when it may be used, by the monotonic clock, in milliseconds. */
export interface Token {
  readonly value: string;
  readonly until: number;
}

/** The most bytes of a token server's answer. */
const largestToken = 128 * 1024;
/** So many characters, and a token is masked. */
const shortestSecret = 8;
/** The most characters of a token: no server takes more in its headers. */
const longestToken = 16 * 1024;
/** A token lives 60 s where nothing is said, and at least so long where less is said. */
const shortestLife = 60;
/** Nothing lives longer than an hour here: asking again is cheap. */
const longestLife = 3600;

/** The registry that a token is for. */
export interface TokenContext {
  readonly origin: URL;
  readonly transport: Transport;
  readonly credentials: FoundCredentials;
  readonly log: Log;
  /** Judges addresses of hosts that the registry named. */
  readonly judge: Judge;
  /** The hosts that may be spoken to over plain http. */
  readonly plainHosts: ReadonlySet<string>;
}

/**
 * Asks a token server for a token, by GET with Basic as all of them take it; an identity token
 * goes by POST as OAuth 2 wants it.
 * @throws RegistryError: unsafe (the realm must not be asked), unauthorized, corrupt, and the transport's
 * @see https://github.com/distribution/distribution/blob/main/docs/content/spec/auth/token.md
 */
export async function fetchToken(
  challenge: Challenge,
  scopes: readonly Scope[],
  context: TokenContext,
  signal: AbortSignal
): Promise<Token> {
  const {origin, transport, credentials, log} = context;
  const realm = judgeRealm(challenge.parameters.get('realm'), context);
  const service = challenge.parameters.get('service');
  const foreign = realm.origin !== origin.origin;
  const headers: Record<string, string> = {
    Accept: 'application/json',
    'Accept-Encoding': 'identity'
  };
  let method = 'GET';
  let body: Buffer | undefined;
  if (credentials.kind === 'identity-token') {
    method = 'POST';
    headers['Content-Type'] = 'application/x-www-form-urlencoded';
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      client_id: 'arcdata-mirror',
      refresh_token: credentials.token,
      ...(service !== undefined && {service}),
      scope: scopes.join(' ')
    });
    body = Buffer.from(form.toString());
  } else {
    if (service !== undefined) realm.searchParams.set('service', service);
    for (const scope of scopes) realm.searchParams.append('scope', scope);
    if (credentials.kind === 'password') {
      realm.searchParams.set('account', credentials.username);
      headers.Authorization = `Basic ${userPass(credentials)}`;
    }
  }
  const answer = await transport.send({
    method,
    url: realm,
    headers,
    ...(body !== undefined && {body}),
    answerWithin: transport.timings.answer,
    ...(foreign && {judge: context.judge}),
    signal
  });
  return await readToken(answer, context, log);
}

/**
 * The realm decides who gets the password, and whoever answers for the registry decides the realm.
 * So: https (unless the registry itself may be spoken to without), no user in it, no address that
 * nobody may send us to; and with a secret to lose, only a host of the registry's owner.
 * @see https://github.com/advisories/GHSA-28r5-37g7-p6mp
 */
function judgeRealm(
  text: string | undefined,
  {origin, credentials, judge, plainHosts}: TokenContext
): URL {
  const refuse = (rule: string) =>
    new RegistryError(
      'unsafe',
      `${origin.host} asks for a token from ${clean(bare(text), 160)}: ${rule}`,
      {
        host: origin.host,
        advice:
          "Nothing was sent there. Look into the registry's or its proxy's configuration (external URL)."
      }
    );
  if (text === undefined || !URL.canParse(text)) throw refuse('that is not a URL');
  const realm = new URL(text);
  if (realm.username !== '' || realm.password !== '') throw refuse('it holds a user name');
  const same = realm.hostname === origin.hostname;
  // A proxy that ends TLS in front of the registry makes it name itself by http.
  if (
    same &&
    realm.protocol === 'http:' &&
    origin.protocol === 'https:' &&
    (realm.port === '' || realm.port === origin.port)
  ) {
    realm.protocol = 'https:';
    realm.port = origin.port;
  }
  if (realm.protocol !== 'https:' && !(realm.protocol === 'http:' && origin.protocol === 'http:')) {
    throw refuse('only https is spoken to a token server');
  }
  if (same) return realm;
  if (realm.protocol !== 'https:' && !plainHosts.has(realm.host))
    throw refuse('over plain http only hosts in insecure-registries are asked');
  const host = hostOf(realm);
  // Names are judged when they are looked up; for an address nothing is looked up.
  if (isAddress(realm) && reachOf(host) === 'never')
    throw refuse('no registry may send anyone to that address');
  judgeLiteral(realm, judge);
  if (credentials.kind !== 'anonymous' && !sameOwner(host, hostOf(origin))) {
    throw refuse('that host has another owner, and the password is not for it');
  }
  return realm;
}

function bare(text: string | undefined): string {
  if (text === undefined) return 'nowhere';
  if (!URL.canParse(text)) return JSON.stringify(text);
  const {protocol, host, pathname} = new URL(text);
  return `${protocol}//${host}${pathname}`;
}

/** An address, a repository or a tag, rather than a secret: those are drawn from more signs. */
const looksLikeName = /^(?=.*[./:])[a-z\d._/:-]+$/;

async function readToken(answer: Answer, context: TokenContext, log: Log): Promise<Token> {
  const {transport, credentials, origin} = context;
  const {status, headers, url} = answer;
  const place = {host: url.host, method: 'GET', path: url.pathname};
  const server = `the token server of ${origin.host}${url.host === origin.host ? '' : ` (${url.host})`}`;
  const fail = (fault: Fault, text: string, advice?: string) =>
    new RegistryError(fault, `${server} ${text}`, {
      ...place,
      status,
      ...(advice !== undefined && {advice})
    });
  if (status !== 200) {
    await readError(answer, transport.timings.idle);
    if (status === 401 || (status === 403 && credentials.kind !== 'anonymous')) {
      throw fail(
        'unauthorized',
        credentials.kind === 'anonymous'
          ? `wants a user name (${status})`
          : `refuses the user name or password (${status})`,
        credentials.kind === 'anonymous'
          ? `Give its user name and password, or sign in with docker first: ${credentials.from}.`
          : `Check the credentials for ${origin.host} (${credentials.from}).`
      );
    }
    // Nobody's token server sends a password on: not followed.
    if (status >= 300 && status < 400)
      throw fail('unsafe', `answers with a redirect (${status}), which is not followed`);
    throw new RegistryError(faultOf(status), `${server} answers ${status}`, {
      ...place,
      status,
      ...retryAfterOf(headers, transport.clock.date())
    });
  }
  const body = await readDocument(answer, largestToken, transport.timings.idle, place);
  let parsed: Record<string, unknown>;
  try {
    parsed = (JSON.parse(body.toString('utf8')) ?? {}) as Record<string, unknown>;
  } catch {
    throw fail('server', 'sends no JSON');
  }
  // The name of Docker or that of OAuth 2; some send both and leave one of them empty.
  const value = [parsed.token, parsed.access_token].find(isText);
  if (value === undefined) throw fail('server', 'sends no token');
  // It becomes a header: anything that could end the line would be shown in Node's own error.
  if (!/^[\x21-\x7e]+$/.test(value))
    throw fail('corrupt', 'sends a token with characters that no header may have');
  if (value.length > longestToken)
    throw fail(
      'corrupt',
      `sends a token of ${value.length} characters; ${longestToken} are the most that are taken`
    );
  // Hiding a few letters, or what anybody may read, would blot out half the log, and whole outputs.
  if (value.length >= shortestSecret && !looksLikeName.test(value)) log.secret(value);
  const {expires_in: told} = parsed;
  const life = typeof told === 'number' && Number.isFinite(told) ? told : shortestLife;
  const seconds = Math.min(Math.max(life, shortestLife), longestLife);
  // A tenth less, so that it does not end on the way.
  return {value, until: transport.clock.now() + seconds * 900};
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

/**
 * `Retry-After` in milliseconds from now: seconds or a date, and nothing else, since registries
 * were seen to send `880.092µs`. A date counts from the answer's own, so that two clocks that differ
 * are no matter. Less than a second, or a date in the past, does not say when it will be better: some
 * front doors answer so for as long as what is behind them is down.
 * @param date the time here, for answers that do not tell theirs
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
 */
export function retryAfterOf(headers: IncomingHttpHeaders, date: number): {retryAfter?: number} {
  const text = headers['retry-after']?.trim() ?? '';
  const at = dateOf(text);
  const wait = /^\d{1,9}$/.test(text)
    ? Number(text) * 1000
    : (at ?? -Infinity) - (dateOf(headers.date) ?? date);
  return wait < 1000 ? {} : {retryAfter: wait};
}

/** A date as headers have it, in milliseconds since 1970. */
function dateOf(text = ''): number | undefined {
  if (!/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(text))
    return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : at;
}
