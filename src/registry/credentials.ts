import type {Log} from '../log.ts';
import {clean} from '../oci/clean.ts';
import type {RegistryName} from '../oci/reference.ts';
import type {Environment} from '../process.ts';
import {userPass} from '../user-pass.ts';
import {askHelper, type HelperAnswer, HelperError} from './credential-helper.ts';
import {
  type AuthEntry,
  type DockerConfig,
  dockerConfigFile,
  dockerServer,
  entriesFor,
  parseDockerConfig,
  readDockerConfig,
  unreadable
} from './docker-config.ts';
import {RegistryError} from './error.ts';

/** Credentials for one registry, and where they were found, in words that fit after "from". */
export type FoundCredentials =
  | {
      readonly kind: 'password';
      readonly username: string;
      readonly password: string;
      readonly from: string;
    }
  | {readonly kind: 'identity-token'; readonly token: string; readonly from: string}
  /** `from` says where nothing was found. */
  | {readonly kind: 'anonymous'; readonly from: string};

/** Whose credentials are wanted, and what is at hand. */
export interface CredentialsQuery {
  readonly registry: RegistryName;
  /** The inputs, both or neither. */
  readonly username?: string;
  readonly password?: string;
  readonly env: Environment;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** By this user name docker marks an identity token. */
const tokenUser = '<token>';

/**
 * The one chain of credentials: the given ones; else DOCKER_AUTH_CONFIG; else the docker config of
 * the job with its helpers; else none. Every secret on the way is masked before it is used. Whoever
 * is found first is used, and when the registry refuses it, nobody else is tried.
 * @throws RegistryError `unauthorized` when a place that speaks of this registry cannot be read;
 * the signal's reason
 */
export async function findCredentials(query: CredentialsQuery): Promise<FoundCredentials> {
  const {registry, username, password, env, log} = query;
  if (username !== undefined && password !== undefined) {
    return masked({kind: 'password', username, password, from: 'the inputs'}, log);
  }
  const variable = env.DOCKER_AUTH_CONFIG ?? '';
  if (variable.trim() !== '') {
    const config = parseDockerConfig(variable, 'DOCKER_AUTH_CONFIG', registry);
    const found = inAuths(config, registry);
    if (found !== undefined) return masked(found, log);
  }
  const file = dockerConfigFile(env);
  const config = await readDockerConfig(file, registry);
  if (config !== undefined) {
    const found = (await fromHelpers(config, query)) ?? inAuths(config, registry);
    if (found !== undefined) return masked(found, log);
  }
  return {
    kind: 'anonymous',
    from: `neither the inputs nor ${variable.trim() === '' ? '' : 'DOCKER_AUTH_CONFIG nor '}${clean(file, 300)} has any for ${registry}`
  };
}

/** What the config's helpers have: the registry's own one, else the store for all. */
async function fromHelpers(
  config: DockerConfig,
  query: CredentialsQuery
): Promise<FoundCredentials | undefined> {
  const {registry, log} = query;
  const [own] = entriesFor(config.credHelpers, registry);
  const name = own?.[1] ?? config.credsStore;
  if (name === undefined || name === '') return undefined;
  const signedIn = entriesFor(config.auths, registry).map(([key]) => key);
  try {
    // Docker asks by its own name of the registry; others have signed in under other spellings.
    for (const server of new Set([dockerServer(registry), ...signedIn])) {
      const answer = await askHelper(name, server, query);
      if (answer !== undefined) return fromAnswer(answer, name, config);
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof HelperError)) throw error;
    if (own !== undefined || signedIn.length > 0) {
      throw new RegistryError(
        'unauthorized',
        `the credentials for ${registry} could not be had: ${error.message}; ${clean(config.from, 300)} names it`,
        {
          host: registry,
          advice: `Mend the helper or ${clean(config.from, 300)}, or give user name and password as inputs.`,
          cause: error
        }
      );
    }
    // The store is there for other registries too; nothing says that it has this one.
    log.warning(`${error.message}; ${registry} is spoken to without what it may hold`);
    return undefined;
  }
}

function fromAnswer(
  {username, secret}: HelperAnswer,
  name: string,
  config: DockerConfig
): FoundCredentials {
  const from = `docker-credential-${name} (named in ${clean(config.from, 300)})`;
  return username === tokenUser
    ? {kind: 'identity-token', token: secret, from}
    : {kind: 'password', username, password: secret, from};
}

function inAuths(config: DockerConfig, registry: RegistryName): FoundCredentials | undefined {
  for (const [, entry] of entriesFor(config.auths, registry)) {
    const found = fromEntry(entry, config, registry);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** An entry may be empty: then it only says that a helper has the credentials. */
function fromEntry(
  entry: AuthEntry,
  config: DockerConfig,
  registry: RegistryName
): FoundCredentials | undefined {
  const field = (name: string): string => {
    const value = entry[name] ?? '';
    if (typeof value !== 'string') {
      throw unreadable(config.from, registry, `${name} of its entry is not a text`);
    }
    return value;
  };
  const from = clean(config.from, 300);
  const token = field('identitytoken');
  if (token !== '') return {kind: 'identity-token', token, from};
  const auth = field('auth');
  const [username, password] =
    auth === '' ? [field('username'), field('password')] : decodeAuth(auth, config, registry);
  if (username === '' && password === '') return undefined;
  if (username === tokenUser) return {kind: 'identity-token', token: password, from};
  return {kind: 'password', username, password, from};
}

function decodeAuth(
  auth: string,
  config: DockerConfig,
  registry: RegistryName
): readonly [string, string] {
  const text = /^[A-Za-z0-9+/_-]+={0,2}$/.test(auth.trim())
    ? Buffer.from(auth.trim(), 'base64').toString('utf8')
    : '';
  const colon = text.indexOf(':');
  if (colon < 0) {
    throw unreadable(config.from, registry, 'auth of its entry is not base64 of name:password');
  }
  // Docker pads with NUL and takes it off again.
  return [text.slice(0, colon), text.slice(colon + 1).replace(/\0+$/, '')];
}

function masked(found: FoundCredentials, log: Log): FoundCredentials {
  if (found.kind === 'password' && found.password !== '') {
    log.secret(found.password);
    log.secret(userPass(found));
  }
  if (found.kind === 'identity-token') log.secret(found.token);
  return found;
}
