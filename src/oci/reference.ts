import {clean} from './clean.ts';
import {type Digest} from './digest.ts';
import {OciError} from './error.ts';

/** `host` or `host:port`, checked, in lower case, with docker.io's aliases made one. */
export type RegistryName = string & {readonly __brand: 'RegistryName'};

/** One image: where it is and which. */
export interface Reference {
  readonly registry: RegistryName;
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** The most characters that host, slash and repository may have together; many clients stop there. */
export const longestName = 255;

const repositoryGrammar =
  /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const tagGrammar = /^\w[\w.-]{0,127}$/;
const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const hubAliases = new Set(['index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com']);

/**
 * A registry's name: a DNS name, IPv4 address, `localhost` or `[IPv6]`, with a port if it has one.
 * Blanks around it, one slash behind it and `https://` before it are taken off; letters become
 * lower case; Docker Hub's other names become `docker.io`; the default port 443 is dropped.
 * `http://` is taken off too when `plainHttp` says that the host may be spoken to without TLS.
 * @throws OciError with the rule that is broken; the message never holds a password
 */
export function parseRegistry(
  text: string,
  plainHttp: (host: string) => boolean = () => false
): RegistryName {
  const shown = JSON.stringify(clean(text.replace(/\/\/[^/]*@|^[^/]*@/, '***@'), 120));
  const fail = (rule: string) => new OciError(`${shown} is not a registry: ${rule}`, rule);
  let rest = text.trim();
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(rest);
  if (scheme) rest = rest.slice(scheme[0].length);
  rest = rest.replace(/\/$/, '').toLowerCase();
  if (rest.includes('@'))
    throw fail('it holds a user name or password; give those as inputs of their own');
  if (rest.includes('/')) throw fail('it holds a path; that belongs into the repository');
  const parts = /^(\[[0-9a-f:.]+\]|[^:\s]+)(?::([0-9]{1,5}))?$/.exec(rest);
  const host = parts?.[1];
  if (parts === null || host === undefined || !isHost(host)) {
    throw fail(
      'a host name or address is wanted, with :port if it has one, such as myregistry.azurecr.io'
    );
  }
  const port = parts[2] === undefined ? undefined : Number(parts[2]);
  if (port !== undefined && (port < 1 || port > 65535))
    throw fail('its port is not within 1 to 65535');
  const name = hubAliases.has(host) ? 'docker.io' : host;
  const full = port === undefined || port === 443 ? name : `${name}:${port}`;
  if (
    scheme &&
    scheme[1]?.toLowerCase() !== 'https' &&
    !(scheme[1]?.toLowerCase() === 'http' && plainHttp(full))
  ) {
    throw fail(
      'only https is spoken; a host that may be spoken to over plain http is named in insecure-registries'
    );
  }
  return full as RegistryName;
}

function isHost(host: string): boolean {
  if (host.startsWith('[')) return URL.canParse(`http://${host}/`);
  if (host.length > 253) return false;
  const labels = host.split('.');
  if (!labels.every(part => label.test(part))) return false;
  // All digits and dots: then it is an IPv4 address or nothing.
  return (
    !/^[\d.]+$/.test(host) || (labels.length === 4 && labels.every(part => Number(part) <= 255))
  );
}

/**
 * A repository, as registries spell them: lower-case path components with `.`, `_`, `__` or dashes
 * inside. Blanks around it are taken off; nothing is put into lower case, since that could name
 * another repository.
 * @throws OciError with the rule that is broken
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
 */
export function parseRepository(text: string): string {
  const name = text.trim();
  const fail = (rule: string) =>
    new OciError(`${JSON.stringify(clean(text, 120))} is not a repository: ${rule}`);
  if (name !== name.toLowerCase()) throw fail('it must be lower-case');
  if (name.length > longestName) throw fail(`it has more than ${longestName} characters`);
  if (!repositoryGrammar.test(name)) {
    throw fail(
      'letters, digits and single . _ - inside are wanted, parts joined by /, such as team/arcdata'
    );
  }
  if (/^[0-9a-f]{64}$/.test(name)) throw fail('64 hex digits would be taken for an image id');
  return name;
}

/** Whether `text` is spelt as a repository, or a part of one. */
export function isRepository(text: string): boolean {
  return repositoryGrammar.test(text);
}

/**
 * A tag: a letter, digit or underscore, then up to 127 of those, dots and dashes.
 * @throws OciError
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
 */
export function parseTag(text: string): string {
  const tag = text.trim();
  if (isTag(tag)) return tag;
  throw new OciError(
    `${JSON.stringify(clean(text, 140))} is not a tag: up to 128 letters, digits and . _ - are wanted, not beginning with . or -`
  );
}

/** Whether a text is a tag, to the letter. */
export function isTag(text: string): boolean {
  return tagGrammar.test(text) && /^[\x20-\x7e]+$/.test(text);
}

/**
 * `registry/repository:tag@digest`, with both when both are there.
 */
export function formatReference({registry, repository, tag, digest}: Reference): string {
  return `${registry}/${repository}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

/** A path below a repository: `arcdata` and `arc-dns` make `arcdata/arc-dns`. */
export function within(repository: string, name: string): string {
  return `${repository}/${name}`;
}
