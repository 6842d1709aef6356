import ipaddr from 'ipaddr.js';

import {hostOf, portOf} from './address.ts';

/**
 * Whether NO_PROXY takes a URL out of the proxy's hands. Parted by commas or blanks, in any letter
 * case: `*` for everything; `example.com` for that name and all below it, as curl, docker and the
 * runner have it; `.example.com` and `*.example.com` for those below it alone; an address; a network
 * such as `10.0.0.0/8` for hosts that are given as addresses (names are not looked up for it). All but
 * networks may end in `:port`.
 */
export function bypasses(url: URL, noProxy: string): boolean {
  const host = hostOf(url).toLowerCase();
  const port = portOf(url);
  return noProxy
    .toLowerCase()
    .split(/[\s,]+/)
    .filter(entry => entry !== '')
    .some(entry => matches(entry, host, port));
}

function matches(entry: string, host: string, port: number): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return inNetwork(host, entry);
  const bare = ipaddr.isValid(entry);
  const parts = bare ? null : /^(.*?):(\d+)$/.exec(entry);
  if (parts !== null && Number(parts[2]) !== port) return false;
  const name = (parts?.[1] ?? entry).replace(/^\[|\]$/g, '').replace(/^\*(?=\.)/, '');
  if (ipaddr.isValid(host) && ipaddr.isValid(name)) {
    return ipaddr.process(host).toNormalizedString() === ipaddr.process(name).toNormalizedString();
  }
  return name.startsWith('.') ? host.endsWith(name) : host === name || host.endsWith(`.${name}`);
}

function inNetwork(host: string, network: string): boolean {
  if (!ipaddr.isValid(host) || !ipaddr.isValidCIDR(network)) return false;
  const address = ipaddr.process(host);
  const [base, bits] = ipaddr.parseCIDR(network);
  return address.kind() === base.kind() && address.match([base, bits]);
}
