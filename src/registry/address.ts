import {isIP} from 'node:net';

import ipaddr from 'ipaddr.js';
import {getDomain} from 'tldts';

/** How far an address can be reached from. */
export type Reach = 'public' | 'private' | 'never';

/**
 * Judges an IP address: `never` are those that no registry may send us to (link-local with the
 * clouds' metadata services, unspecified, multicast, broadcast), `private` are loopback and
 * the networks of a site. An IPv4 address within IPv6 counts as itself.
 * @see https://www.iana.org/assignments/iana-ipv4-special-registry
 */
export function reachOf(address: string): Reach {
  if (!ipaddr.isValid(address)) return 'never';
  const ip = ipaddr.process(address);
  // AWS' IPv6 metadata service lies within the private range.
  if (ip.toNormalizedString() === 'fd00:ec2:0:0:0:0:0:254') return 'never';
  switch (ip.range()) {
    case 'unicast':
      return 'public';
    case 'loopback':
    case 'private':
    case 'uniqueLocal':
      return 'private';
    case 'carrierGradeNat':
      // Alibaba Cloud's metadata service lies within carrier-grade NAT.
      return ip.toString() === '100.100.100.200' ? 'never' : 'private';
    default:
      // Link-local, unspecified, multicast, reserved, and the tunnels that hide an IPv4 address.
      return 'never';
  }
}

/** Domains below which every host is another customer's, where the public suffix list does not say so. */
const hosting =
  /(?:^|\.)(?:azurecr\.(?:io|cn|us|de)|amazonaws\.com(?:\.cn)?|on\.aws|jfrog\.io|pkg\.dev|gcr\.io|ocir\.io|icr\.io)$/;

/**
 * Whether two host names belong to one owner: the same name, or the same registrable domain
 * (`registry.example.co.uk` and `auth.example.co.uk`, but not two tenants of one hosting domain).
 * @see https://publicsuffix.org
 */
export function sameOwner(one: string, other: string): boolean {
  if (one === other) return true;
  if (isIP(one) !== 0 || isIP(other) !== 0 || hosting.test(one)) return false;
  const domain = getDomain(one, {allowPrivateDomains: true});
  return domain !== null && domain === getDomain(other, {allowPrivateDomains: true});
}

/** The host of a URL as an address or name, without the brackets of IPv6. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}
