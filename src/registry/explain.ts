import {clean} from '../oci/clean.ts';
import {hostOf} from './address.ts';
import {type Fault, RegistryError} from './error.ts';
import type {Names} from './names.ts';

const unreachable: Readonly<Record<string, string>> = {
  ENOTFOUND: 'the name is unknown to DNS',
  EAI_AGAIN: 'DNS did not answer',
  ECONNREFUSED: 'the connection was refused',
  EHOSTUNREACH: 'there is no route to it',
  ENETUNREACH: 'its network cannot be reached',
  EADDRNOTAVAIL: 'its address cannot be used from here',
  ETIMEDOUT: 'no connection came about'
};

/**
 * What an error of Node's network code means, in words that name the host, and what to do.
 * Errors that are understood already pass through.
 */
export function explain(
  error: unknown,
  request: {url: URL; method: string},
  names: Names
): RegistryError {
  if (error instanceof RegistryError) return error;
  const {url, method} = request;
  const {code = '', message} = error as NodeJS.ErrnoException;
  const place = {host: url.host, method, path: url.pathname, cause: error};
  const host = url.port === '' ? `${url.host}:${url.protocol === 'https:' ? 443 : 80}` : url.host;
  const make = (fault: Fault, text: string, advice?: string) =>
    new RegistryError(fault, text, {...place, ...(advice !== undefined && {advice})});

  const reason = unreachable[code];
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
      "Give the registry's CA as ca-file, or mend the certificate; it is never skipped over."
    );
  }
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO') {
    return make(
      'certificate',
      `${host} does not speak TLS as it should: ${clean(message.replace(/^.*:error:[0-9A-F]+:[^:]*:[^:]*:([^:]+):.*$/s, '$1'), 200)}`,
      'If it is meant to be spoken to over plain http, name it in insecure-registries.'
    );
  }
  if (/proxy/i.test(message)) {
    return make(
      'proxy',
      `the proxy did not let ${host} through: ${clean(message, 200)}`,
      "Check HTTPS_PROXY, NO_PROXY and the proxy's user and password."
    );
  }
  return make(
    'connection',
    `the connection to ${host} broke: ${clean(message, 200)}${code === '' ? '' : ` (${code})`}`,
    // So ends a handshake with some servers that speak plain http, and with some that are overloaded.
    message.includes('before secure TLS connection')
      ? 'If it is meant to be spoken to over plain http, name it in insecure-registries.'
      : undefined
  );
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
      path: url.pathname,
      status,
      advice: wants
        ? 'Give the proxy its account in HTTPS_PROXY: http://user:password@proxy:port, special characters percent-encoded.'
        : 'See whether the proxy may go to that host, or name the host in NO_PROXY.'
    }
  );
}
