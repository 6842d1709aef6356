import {clean} from '../oci/clean.ts';
import {hostOf, portOf} from './address.ts';
import {type Fault, RegistryError} from './error.ts';
import type {Names} from './names.ts';
import {ProxyUnreached} from './proxy.ts';

const unreachable: Readonly<Record<string, string>> = {
  ENOTFOUND: 'the name is unknown to DNS',
  EAI_AGAIN: 'DNS did not answer',
  ECONNREFUSED: 'the connection was refused',
  EHOSTUNREACH: 'there is no route to it',
  ENETUNREACH: 'its network cannot be reached',
  EADDRNOTAVAIL: 'its address cannot be used from here',
  ETIMEDOUT: 'no connection came about'
};

/** What took longer than it may. @param what such as "it did not answer" @param milliseconds how long it may take */
export function stalled(
  {url, method}: {readonly url: URL; readonly method: string},
  what: string,
  milliseconds: number
): RegistryError {
  const seconds = Math.round(milliseconds / 100) / 10;
  const place = {host: url.host, method, through: new URL(url.origin)};
  return new RegistryError('stalled', `${url.host}: ${what} within ${seconds} s`, place);
}

/**
 * What an error of Node's network code means, in words that name the host, and what to do.
 * Errors that are understood already pass through.
 * @param established whether the connection had come about, TLS included
 */
export function explain(
  error: unknown,
  request: {url: URL; method: string},
  names: Names,
  established: boolean
): RegistryError {
  if (error instanceof RegistryError) return error;
  const {url, method} = request;
  const proxy = error instanceof ProxyUnreached ? error.proxy : undefined;
  const broken = (error instanceof ProxyUnreached ? error.cause : error) as NodeJS.ErrnoException;
  const {code = '', message} = broken;
  const place = {
    host: url.host,
    method,
    through: new URL(url.origin),
    cause: error
  };
  const registry = `${url.hostname}:${portOf(url)}`;
  const host =
    proxy === undefined
      ? registry
      : `the proxy ${proxy.place} (${proxy.variable}), which leads to ${registry},`;
  const make = (fault: Fault, text: string, advice?: string) =>
    new RegistryError(fault, text, {...place, ...(advice !== undefined && {advice})});

  const reason = unreachable[code];
  if (proxy !== undefined && (reason !== undefined || code === 'ECONNRESET')) {
    const what =
      code === 'ECONNREFUSED'
        ? 'refused the connection'
        : `cannot be reached: ${reason ?? 'the connection broke'}`;
    return make(
      'proxy',
      `${host} ${what} (${code})`,
      `Check ${proxy.variable}, or name the host in NO_PROXY.`
    );
  }
  if (reason !== undefined) {
    names.forget(hostOf(url));
    return make(
      'address',
      `${host} cannot be reached: ${reason} (${code})`,
      'Check the name and port, and that this machine may connect to it (firewall, proxy, NO_PROXY).'
    );
  }
  if (
    /^(?:CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_CERT_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE)/.test(
      code
    )
  ) {
    return make(
      'certificate',
      `${host} has a TLS certificate that is not believed: ${clean(message, 200)} (${code})`,
      certificateAdvice(code, broken)
    );
  }
  // We show none: then a server says that it is required, or that it is a bad one.
  if (/alert.certificate.required|alert.bad.certificate/i.test(`${code} ${message}`)) {
    return make(
      'certificate',
      `${host} wants a client certificate, and none can be given`,
      'Let it take a user name and a password instead, or name an address of it that does.'
    );
  }
  const told = clean(reasonOf(message), 200);
  // Once TLS stands, it only breaks where bytes were spoilt on the way, as any connection may: unless
  // it is about a certificate after all, since TLS 1.3 wants the client's when it has begun.
  const tls = code.startsWith('ERR_SSL_') || code === 'EPROTO';
  if (tls && (!established || /certificate|unknown.ca/i.test(`${code} ${message}`))) {
    return make(
      'certificate',
      `${host} does not speak TLS as it should: ${told}`,
      'If it is meant to be spoken to over plain http, name it in insecure-registries.'
    );
  }
  if (/proxy/i.test(message)) {
    return make(
      'proxy',
      `the proxy${proxy === undefined ? '' : ` ${proxy.place} (${proxy.variable})`} did not let ${registry} through: ${clean(message, 200)}`,
      "Check HTTPS_PROXY, NO_PROXY and the proxy's user and password."
    );
  }
  return make(
    'connection',
    `the connection to ${host} broke: ${told}${code === '' ? '' : ` (${code})`}`,
    // So ends a handshake with some servers that speak plain http, and with some that are overloaded.
    message.includes('before secure TLS connection')
      ? 'If it is meant to be spoken to over plain http, name it in insecure-registries.'
      : undefined
  );
}

const unknownAuthority =
  "Give the registry's CA as ca-file, or mend the certificate; it is never skipped over.";

/** What to do about a certificate: that depends on what is wrong with it. */
function certificateAdvice(code: string, error: unknown): string {
  if (code === 'CERT_HAS_EXPIRED')
    return 'Renew the certificate; if it is still good, see whether the clock of this machine is right.';
  if (code === 'CERT_NOT_YET_VALID')
    return 'The certificate is not good yet: see whether the clock of this machine is right.';
  if (code !== 'ERR_TLS_CERT_ALTNAME_INVALID') return unknownAuthority;
  const {host, cert} = error as {host?: unknown; cert?: {subjectaltname?: string}};
  const names = (cert?.subjectaltname ?? '')
    .split(/,\s*/)
    .flatMap(entry => /^(?:DNS|IP Address):(.+)$/.exec(entry)?.[1] ?? [])
    .map(name => clean(name, 100));
  if (typeof host !== 'string' || names.length === 0)
    return 'The certificate is for another name: use that one, or mend the certificate.';
  const [first, second] = names;
  const shown = names.slice(0, 3).join(', ') + (names.length > 3 ? ', …' : '');
  return second === undefined
    ? `The certificate is for ${first ?? ''}, not for ${clean(host, 100)}: use that name, or mend the certificate.`
    : `The certificate is for ${shown}, not for ${clean(host, 100)}: use one of those names, or mend the certificate.`;
}

/** What is known of a registry beside what the connection said. */
interface Known {
  /** As it is named in the inputs. */
  readonly name: string;
  readonly origin: URL;
  /** Whether it has ever answered. */
  readonly met: boolean;
  /** Whether a private authority is believed. */
  readonly privateCa: boolean;
}

/** A failure with what only the registry's owner can say of it: the registry behind it, and better advice. */
export function explainFor(error: RegistryError, known: Known): RegistryError {
  const {name, origin, met, privateCa} = known;
  const {fault, message, host} = error;
  const elsewhere = host !== origin.host && host !== name && !message.includes(name);
  const text = elsewhere ? `${message}; ${name} leads there` : message;
  // So ends plain http at some ports that speak TLS; after a first answer it is another matter.
  if (fault === 'connection' && !met && !elsewhere && origin.protocol === 'http:')
    return error.as(fault, text, {advice: mayBeHttps});
  if (error.advice === unknownAuthority && privateCa) {
    return error.as(fault, text, {
      advice:
        'None of the certificates in ca-file signed it: add that of its authority there, or mend the certificate; it is never skipped over.'
    });
  }
  return text === message ? error : error.as(fault, text);
}

/** Advice where plain http is not understood. */
export const mayBeHttps = 'It may speak https: then take it out of insecure-registries.';

/** What is left of OpenSSL's words without its numbers, functions and files. */
function reasonOf(message: string): string {
  return message.replace(/^.*:error:[0-9A-F]+:[^:]*:[^:]*:([^:]+):.*$/s, '$1');
}

/** What it means that a proxy answered `status` instead of letting us through. */
export function proxyRefusal(
  status: number,
  {url, method}: {url: URL; method: string}
): RegistryError {
  const wants = status === 407;
  return new RegistryError(
    'proxy',
    `the proxy did not let ${url.host} through: ${wants ? 'it wants a user name and password, or other ones (407)' : `it answered ${status}`}`,
    {
      host: url.host,
      method,
      status,
      advice: wants
        ? 'Give the proxy its account in HTTPS_PROXY: http://user:password@proxy:port, special characters percent-encoded.'
        : 'See whether the proxy may go to that host, or name the host in NO_PROXY.'
    }
  );
}
