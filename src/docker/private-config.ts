import {randomBytes} from 'node:crypto';
import {lstatSync, rmSync} from 'node:fs';
import {lstat, mkdir, readFile, rm, symlink, writeFile} from 'node:fs/promises';
import {basename, dirname, join, resolve} from 'node:path';

import type {Log} from '../log.ts';
import {clean} from '../oci/clean.ts';
import type {RegistryName} from '../oci/reference.ts';
import type {Environment} from '../process.ts';
import {dockerConfigFile, dockerServer} from '../registry/docker-config.ts';
import {userPass} from '../user-pass.ts';
import {DockerError} from './error.ts';

const namePattern = /^arcdata-mirror-docker-[0-9a-f]{32}$/;

/**
 * An entry for nobody. In a config without any entry docker chooses a store by itself: the system's own
 * (keychain, wincred, secretservice, pass), where its helper is on PATH. A login would stay there for good.
 * @see https://github.com/docker/cli/blob/master/cli/config/config.go
 */
const placeholder = {'arcdata-mirror.invalid': {}};

/** What making a private config needs. */
export interface PrivateConfigOptions {
  /** Where it goes: the runner's temp, or the system's. */
  readonly runnerTemp: string;
  readonly env: Environment;
  /** Told of the directory before it exists, so that it can be removed whatever happens next. */
  readonly onDirectory?: ((path: string) => void) | undefined;
}

/**
 * Makes a DOCKER_CONFIG directory that only we may look into. It names no helper, so that docker
 * keeps what it is told in that directory and nowhere else. Of the job's own config it takes over
 * which daemon is meant (the context), nothing more.
 * @returns its absolute path
 * @throws DockerError `config`; nothing is left behind then
 */
export async function makePrivateConfig({
  runnerTemp,
  env,
  onDirectory
}: PrivateConfigOptions): Promise<string> {
  const directory = join(
    resolve(runnerTemp),
    `arcdata-mirror-docker-${randomBytes(16).toString('hex')}`
  );
  onDirectory?.(directory);
  try {
    await mkdir(directory, {mode: 0o700});
    const currentContext = await contextOf(env, directory);
    await writeFile(
      join(directory, 'config.json'),
      JSON.stringify({auths: placeholder, ...(currentContext !== undefined && {currentContext})}),
      {mode: 0o600, flag: 'wx'}
    );
  } catch (error) {
    await rm(directory, {recursive: true, force: true}).catch(() => undefined);
    throw new DockerError(
      'config',
      `a private docker config cannot be made in ${runnerTemp}: ${(error as Error).message}`,
      'See that the directory exists, can be written to and has space left.',
      {cause: error}
    );
  }
  return directory;
}

/**
 * Puts an identity token into a private config, as docker itself writes down one that a registry gave
 * it: docker login takes none.
 * @see https://github.com/docker/cli/blob/master/cli/config/types/authconfig.go
 */
export async function keepIdentityToken(
  directory: string,
  registry: RegistryName,
  token: string
): Promise<void> {
  const file = join(directory, 'config.json');
  const config = JSON.parse(await readFile(file, 'utf8')) as {auths?: object};
  const auth = userPass({username: '00000000-0000-0000-0000-000000000000', password: ''});
  const auths = {...config.auths, [dockerServer(registry)]: {auth, identitytoken: token}};
  await writeFile(file, JSON.stringify({...config, auths}), {mode: 0o600});
}

/** The job's context, with its store linked into `directory`; a broken config is the client's to tell of. */
async function contextOf(env: Environment, directory: string): Promise<string | undefined> {
  const file = dockerConfigFile(env);
  const store = join(dirname(file), 'contexts');
  const found = await lstat(store).catch(() => undefined);
  if (found === undefined) return undefined;
  await symlink(store, join(directory, 'contexts'), 'junction');
  try {
    const {currentContext} = JSON.parse(await readFile(file, 'utf8')) as {currentContext?: unknown};
    return typeof currentContext === 'string' ? currentContext : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Removes a private config, and nothing else: only a directory of our naming directly beneath the
 * runner's temp, since the path comes from saved state. May be called again, and from where nothing can
 * be waited for.
 * @returns whether the path was of that kind
 * @throws what the file system says
 */
export function removePrivateConfig(path: string, runnerTemp: string): boolean {
  if (!isPrivateConfig(path, runnerTemp)) return false;
  // A link of that name would be somebody else's work.
  const found = lstatSync(path, {throwIfNoEntry: false});
  if (found === undefined) return true;
  if (!found.isDirectory()) return false;
  rmSync(path, {recursive: true, force: true, maxRetries: 3});
  return true;
}

/** Says that a private config is still there, with the logins in it. */
export function notRemoved(path: string, error: unknown, log: Log): void {
  log.warning(`${path} holds a login and could not be removed: ${clean((error as Error).message)}`);
}

/** Whether a path is one that `makePrivateConfig` could have made there. */
export function isPrivateConfig(path: string, runnerTemp: string): boolean {
  return dirname(resolve(path)) === resolve(runnerTemp) && namePattern.test(basename(path));
}
