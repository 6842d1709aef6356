import {readFile, stat} from 'node:fs/promises';
import {homedir} from 'node:os';
import {join, resolve} from 'node:path';

import {clean} from '../oci/clean.ts';
import {parseRegistry, type RegistryName} from '../oci/reference.ts';
import type {Environment} from '../process.ts';
import {RegistryError} from './error.ts';

/** What an `auths` entry holds, still to be read. */
export type AuthEntry = Readonly<Record<string, unknown>>;

/** A docker config, as far as it tells of credentials. */
export interface DockerConfig {
  /** The file or variable it was read from, for messages. */
  readonly from: string;
  /** By the key as it stands there: a host, or a URL. */
  readonly auths: ReadonlyMap<string, AuthEntry>;
  readonly credHelpers: ReadonlyMap<string, string>;
  readonly credsStore?: string;
}

/** The most bytes of a docker config. */
const largestConfig = 1024 * 1024;

/**
 * The docker config of a job: what earlier steps (docker/login-action, az acr login) signed in to.
 * @see https://docs.docker.com/reference/cli/docker/#change-the-docker-directory
 */
export function dockerConfigFile(env: Environment): string {
  const given = env.DOCKER_CONFIG ?? '';
  const home = (process.platform === 'win32' ? env.USERPROFILE : env.HOME) ?? '';
  return join(
    given === '' ? join(home === '' ? homedir() : home, '.docker') : resolve(given),
    'config.json'
  );
}

/**
 * Reads a docker config file.
 * @param host whose credentials are looked for, for messages
 * @returns undefined when there is none
 * @throws RegistryError when it cannot be read or understood; its content is never told
 */
export async function readDockerConfig(
  path: string,
  host: string
): Promise<DockerConfig | undefined> {
  let text: string;
  try {
    const found = await stat(path);
    // A FIFO would be waited for without end.
    if (!found.isFile()) throw unreadable(path, host, 'it is not a file');
    if (found.size > largestConfig) throw unreadable(path, host, 'it is larger than 1 MiB');
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof RegistryError) throw error;
    const {code} = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw unreadable(path, host, `it cannot be read (${code ?? 'unknown error'})`);
  }
  return parseDockerConfig(text, path, host);
}

/**
 * Reads the text of a docker config. Fields that have nothing to do with credentials are not looked at.
 * @throws RegistryError naming `from` and the field; its content is never told
 */
export function parseDockerConfig(text: string, from: string, host: string): DockerConfig {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text.replace(/^\uFEFF/, '').trim() || '{}');
  } catch {
    // The parser's own message quotes the text.
    throw unreadable(from, host, 'it is not JSON');
  }
  if (!isRecord(parsed)) throw unreadable(from, host, 'it is not a JSON object');
  const {auths = {}, credHelpers = {}, credsStore} = parsed;
  if (!isRecord(auths)) throw unreadable(from, host, 'its auths is not an object');
  if (!isRecord(credHelpers)) throw unreadable(from, host, 'its credHelpers is not an object');
  if (credsStore !== undefined && typeof credsStore !== 'string') {
    throw unreadable(from, host, 'its credsStore is not a text');
  }
  return {
    from,
    auths: new Map(
      Object.entries(auths).filter((entry): entry is [string, AuthEntry] => isRecord(entry[1]))
    ),
    credHelpers: new Map(
      Object.entries(credHelpers).filter(
        (entry): entry is [string, string] => typeof entry[1] === 'string'
      )
    ),
    ...(credsStore !== undefined && credsStore !== '' && {credsStore})
  };
}

/**
 * The registry that a key of a docker config stands for: `https://host/v1/`, `https://host` and
 * `host` are one, Docker Hub has its aliases, 443 (80 after `http://`) is no port of its own. A key
 * with another path stands for something smaller than a registry.
 */
export function registryOfKey(key: string): RegistryName | undefined {
  const parts = /^(?:(https?):\/\/)?([^/]+)(?:\/|\/v[12]\/?)?$/i.exec(key.trim());
  const [, scheme, host] = parts ?? [];
  if (host === undefined) return undefined;
  try {
    return parseRegistry(scheme?.toLowerCase() === 'http' ? host.replace(/:80$/, '') : host);
  } catch {
    return undefined;
  }
}

/**
 * What `entries` has for a registry: what stands under its very name first, as docker looks, then
 * under another spelling of it. Never what only begins alike.
 */
export function entriesFor<T>(
  entries: ReadonlyMap<string, T>,
  registry: RegistryName
): readonly (readonly [string, T])[] {
  const own = dockerServer(registry);
  return [...entries]
    .filter(([key]) => registryOfKey(key) === registry)
    .sort(([one], [other]) => Number(other === own) - Number(one === own));
}

/**
 * How docker itself names a registry, in its config and to credential helpers.
 * @see https://github.com/docker/cli/blob/master/cli/config/credentials/file_store.go
 */
export function dockerServer(registry: RegistryName): string {
  return registry === 'docker.io' ? 'https://index.docker.io/v1/' : registry;
}

/** That a docker config cannot be used, and why; its content is never told. */
export function unreadable(from: string, host: string, why: string): RegistryError {
  return new RegistryError(
    'unauthorized',
    `the docker config in ${clean(from, 300)} cannot be used for ${host}: ${why}`,
    {
      host,
      advice: `Mend ${clean(from, 300)}, or give user name and password as inputs.`
    }
  );
}

/** Whether a parsed JSON value is an object. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
