import {isIP} from 'node:net';

import ipaddr from 'ipaddr.js';
import {getDomain} from 'tldts';

/** How far an address can be reached from. */
export type Reach = 'public' | 'private' | 'never';

/** Services of clouds for their own machines, metadata first, at addresses that look like any other. */
const services: ReadonlySet<string> = new Set([
  // Google by IPv6, within the private range; Scaleway and Oracle, too.
  'fd20:ce::254',
  'fd00:42::42',
  'fd00:c1::a9fe:a9fe',
  // Alibaba Cloud, within carrier-grade NAT.
  '100.100.100.200',
  // Azure's WireServer, which is a public address.
  '168.63.129.16'
]);

/** Whole networks of that kind: AWS keeps one for its services. Loopback aside, `::/96` hides IPv4 addresses. */
const reserved = ['fd00:ec2::/32', '::/96'].map(range => ipaddr.IPv6.parseCIDR(range));

/**
 * Judges an IP address: `never` are those that no registry may send us to (link-local with the
 * clouds' metadata services, unspecified, multicast, broadcast), `private` are loopback and
 * the networks of a site. An IPv4 address within IPv6 counts as itself; where a network of IPv6 alone
 * translates, only a public one does.
 * @see https://www.iana.org/assignments/iana-ipv4-special-registry
 * @see https://www.rfc-editor.org/rfc/rfc6052#section-3.1
 */
export function reachOf(address: string): Reach {
  if (!ipaddr.isValid(address)) return 'never';
  const ip = ipaddr.process(address);
  if (services.has(ip.toString())) return 'never';
  const range = ip.range();
  const hidden = ip instanceof ipaddr.IPv6 && reserved.some(network => ip.match(network));
  if (hidden && range !== 'loopback') return 'never';
  switch (range) {
    case 'unicast':
      return 'public';
    case 'loopback':
    case 'private':
    case 'uniqueLocal':
    case 'carrierGradeNat':
      return 'private';
    case 'rfc6052':
      return translated(ip.toByteArray()) === 'public' ? 'public' : 'never';
    default:
      // Link-local, unspecified, multicast, reserved, and the tunnels that hide an IPv4 address.
      return 'never';
  }
}

/** Behind the well-known prefix of 96 bits stands the IPv4 address; any other prefix is a network's own. */
function translated(bytes: readonly number[]): Reach {
  const wellKnown = bytes.slice(4, 12).every(byte => byte === 0);
  return wellKnown ? reachOf(ipaddr.fromByteArray(bytes.slice(12)).toString()) : 'never';
}

/**
 * Domains below which hosts belong to customers, where the public suffix list does not say so: of
 * registries and of clouds, and those whose names lead to whatever address they spell.
 */
const hosting = [
  ...['azurecr.io', 'azurecr.cn', 'azurecr.us', 'azurecr.de', 'cloudapp.azure.com'],
  ...['azurecontainerapps.io', 'azmk8s.io'],
  ...['amazonaws.com', 'amazonaws.com.cn', 'on.aws'],
  ...['gcr.io', 'pkg.dev', 'icr.io', 'ocir.io', 'jfrog.io'],
  ...['aliyuncs.com', 'myhuaweicloud.com', 'tencentcloudcr.com'],
  ...['container-registry.ovh.net', 'scw.cloud', 'vultrcr.com'],
  ...['nip.io', 'sslip.io']
];

/**
 * Where a registry below such a domain has its token server elsewhere all the same: `server registry`.
 * No customer can have a host of the server's name.
 */
const kin = [
  // Alibaba Cloud: one for a region, whose buckets are below `oss-` and the region instead.
  /^dockerauth(?:-ee)?(?:-vpc)?\.([a-z]{2}-[a-z\d-]+)\.aliyuncs\.com (?:registry[a-z-]*\.\1|[a-z\d-]+\.\1\.cr)\.aliyuncs\.com$/,
  /^dockerauth-(cn-zhangjiakou)\.aliyuncs\.com (?:registry[a-z-]*\.\1|[a-z\d-]+\.\1\.cr)\.aliyuncs\.com$/,
  /^api\.scaleway\.com rg\.[a-z\d-]+\.scw\.cloud$/,
  // Two names of one machine. Their own part spells no address, neither in digits nor as eight hexadecimals.
  /^(?![a-f]{8}\.)[a-z]+(\.\d+\.\d+\.\d+\.\d+\.(?:nip|sslip)\.io) (?![a-f]{8}\.)[a-z]+\1$/
];

/**
 * Whether a token server belongs to the owner of a registry, by their names: the same name, or the same
 * registrable domain (`auth.example.co.uk` and `registry.example.co.uk`, but not two tenants of one
 * hosting domain), or kin that is known.
 * @see https://publicsuffix.org
 */
export function sameOwner(server: string, registry: string): boolean {
  // The same name with a dot behind it, which would not be found among the domains.
  if (server.endsWith('.')) return sameOwner(server.replace(/\.+$/, ''), registry);
  if (server === registry) return true;
  if (isIP(server) !== 0 || isIP(registry) !== 0) return false;
  if (kin.some(pair => pair.test(`${server} ${registry}`))) return true;
  if (hosting.some(domain => `.${server}`.endsWith(`.${domain}`))) return false;
  const domain = getDomain(server, {allowPrivateDomains: true});
  return domain !== null && domain === getDomain(registry, {allowPrivateDomains: true});
}

/** The host of a URL as an address or name, without the brackets of IPv6. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

/** The port of a URL, also where it goes without saying. */
export function portOf({port, protocol}: URL): number {
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}

/** Whether the host of a URL is an address: nothing is looked up for it. */
export function isAddress(url: URL): boolean {
  return isIP(hostOf(url)) !== 0;
}
