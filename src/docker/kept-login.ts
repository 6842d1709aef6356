import {randomBytes} from 'node:crypto';
import {chmod, readFile, realpath, rename, rm, stat, writeFile} from 'node:fs/promises';
import {basename, dirname, isAbsolute, join} from 'node:path';
import {isDeepStrictEqual} from 'node:util';

import type {Log} from '../log.ts';
import {clean} from '../oci/clean.ts';
import {parseRegistry, type RegistryName} from '../oci/reference.ts';
import type {Environment} from '../process.ts';
import {
  type DockerConfig,
  dockerConfigFile,
  dockerServer,
  entriesFor,
  isRecord,
  parseDockerConfig
} from '../registry/docker-config.ts';
import {DockerError} from './error.ts';
import {findDocker} from './find.ts';
import {isPrivateConfig, removePrivateConfig} from './private-config.ts';
import {runDocker} from './run.ts';

/**
 * What a kept login changed in the job's docker config, so that it can be undone: plain JSON without
 * secrets. What the config held before lies beside the private config, in a file that only we may read.
 */
export interface KeptLogin {
  /** The private directory. */
  readonly directory: string;
  /** The job's config.json. */
  readonly file: string;
  /** Whether it was there before. */
  readonly existed: boolean;
  /** The registries that were signed in to. */
  readonly registries: readonly string[];
}

const backupName = 'before.json';
/** In milliseconds: post has little time. */
const logoutTimeout = 15_000;

/**
 * Looks at the job's docker config before it is changed, and keeps a copy in the private directory.
 * Registries whose login lies with a credential helper are left out: what a helper holds cannot be
 * put back.
 * @throws DockerError `config` when it cannot be understood
 */
export async function beforeKeptLogin(
  registries: readonly RegistryName[],
  directory: string,
  env: Environment
): Promise<KeptLogin> {
  const file = dockerConfigFile(env);
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new DockerError('config', `${file} cannot be read`, 'See who owns it.', {cause: error});
  });
  await writeFile(join(directory, backupName), text ?? '', {mode: 0o600, flag: 'wx'});
  if (text === undefined) return {directory, file, existed: false, registries};
  const config = understood(text, file);
  const byHelper = (registry: RegistryName) =>
    (config.credsStore !== undefined || entriesFor(config.credHelpers, registry).length > 0) &&
    entriesFor(config.auths, registry).length + entriesFor(config.credHelpers, registry).length > 0;
  return {
    directory,
    file,
    existed: true,
    registries: registries.filter(registry => !byHelper(registry))
  };
}

function understood(text: string, file: string): DockerConfig {
  try {
    return parseDockerConfig(text, file, 'the sign-in');
  } catch (error) {
    const {message} = error as Error;
    throw new DockerError('config', message, `Mend ${file}, or do without keep-login.`, {
      cause: error
    });
  }
}

/**
 * Undoes a kept login: signs out where nobody was signed in before, puts back the entries that were
 * replaced, leaves alone what others wrote for other registries, and makes the file byte for byte what
 * it was where it says the same again. What another job wrote for the same one goes as well: that job
 * found our login there, and would bring it back for good. Removes the private directory. May be called again.
 * @throws DockerError `config` when the state is not one of ours or the file cannot be written
 */
export async function undoKeptLogin(
  state: KeptLogin,
  options: {
    readonly runnerTemp: string;
    readonly env: Environment;
    readonly log: Log;
    readonly signal: AbortSignal;
  }
): Promise<void> {
  const {directory, file, existed} = state;
  if (
    !isPrivateConfig(directory, options.runnerTemp) ||
    !isAbsolute(file) ||
    basename(file) !== 'config.json'
  ) {
    throw new DockerError('config', 'the saved state of the sign-in is not one of ours');
  }
  const backup = await read(join(directory, backupName));
  // Undone already, and who has signed in since then is none of ours.
  if (backup === undefined) return;
  const before = parse(backup, file);
  const registries = state.registries.map(name => parseRegistry(name, () => true));
  const strangers = registries.filter(registry => authsFor(before, registry).length === 0);
  await signOut(strangers, file, options);
  const now = await read(file);
  if (now !== undefined) {
    const found = parse(now, file);
    const put = restored(found, before, registries);
    const unchanged = isDeepStrictEqual(put, found) ? now : JSON.stringify(put, undefined, '\t');
    const text = isDeepStrictEqual(put, before) && existed ? backup : unchanged;
    if (!existed && empty(put)) await rm(file, {force: true});
    else if (text !== now) await replace(file, text);
  }
  removePrivateConfig(directory, options.runnerTemp);
}

/** By docker, which knows its helpers. Where it cannot, the entries still go, a little later. */
async function signOut(
  registries: readonly RegistryName[],
  file: string,
  {env, log, signal}: {readonly env: Environment; readonly log: Log; readonly signal: AbortSignal}
): Promise<void> {
  if (registries.length === 0) return;
  try {
    const client = await findDocker({env, log, signal});
    if (client === undefined) {
      log.debug(
        'there is no docker client on PATH: the sign-in is taken out of its config without it'
      );
      return;
    }
    const call = {
      docker: client.path,
      configDirectory: dirname(file),
      ...{env, log, signal, timeout: logoutTimeout}
    };
    for (const registry of registries) await runDocker(['logout', dockerServer(registry)], call);
  } catch (error) {
    if (!(error instanceof DockerError)) throw error;
    log.warning(`docker did not sign out: ${error.message}`);
  }
}

type Json = Readonly<Record<string, unknown>>;

function authsFor(config: Json, registry: RegistryName): readonly string[] {
  const auths = isRecord(config.auths) ? config.auths : {};
  return entriesFor(new Map(Object.entries(auths)), registry).map(([key]) => key);
}

/**
 * `now` with the entries of `registries` as they were before. Where somebody has signed out since, nothing
 * is put back: it may have been the login of another job, which is to be found nowhere any more.
 */
function restored(now: Json, before: Json, registries: readonly RegistryName[]): Json {
  const auths = new Map(Object.entries(isRecord(now.auths) ? now.auths : {}));
  const old = isRecord(before.auths) ? before.auths : {};
  for (const registry of registries) {
    const ours = authsFor(now, registry);
    if (ours.length === 0) continue;
    for (const key of ours) auths.delete(key);
    for (const key of authsFor(before, registry)) auths.set(key, old[key]);
  }
  // Where a config has no entry at all, docker chooses a store by itself, and writes that down.
  const gone = [
    ...(auths.size === 0 && before.auths === undefined ? ['auths'] : []),
    ...(auths.size === 0 && before.credsStore === undefined ? ['credsStore'] : [])
  ];
  const put = {...now, auths: Object.fromEntries(auths)};
  return Object.fromEntries(Object.entries(put).filter(([key]) => !gone.includes(key)));
}

function empty(config: Json): boolean {
  return Object.values(config).every(value => isRecord(value) && Object.keys(value).length === 0);
}

function parse(text: string, file: string): Json {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text.trim() || '{}');
  } catch {
    parsed = undefined;
  }
  if (isRecord(parsed)) return parsed;
  throw new DockerError(
    'config',
    `${file} is no longer a docker config, so that the sign-in in it cannot be undone`,
    'Sign out by docker logout when it is mended.'
  );
}

async function read(path: string): Promise<string | undefined> {
  return await readFile(path, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new DockerError('config', `${clean(path, 300)} cannot be read`, undefined, {
      cause: error
    });
  });
}

/** All at once: another job may read it at any time. A link stays a link. */
async function replace(path: string, text: string): Promise<void> {
  const file = await realpath(path);
  const {mode} = await stat(file);
  const next = `${file}.${randomBytes(8).toString('hex')}`;
  try {
    await writeFile(next, text, {mode: 0o600, flag: 'wx'});
    await chmod(next, mode & 0o777);
    await rename(next, file);
  } catch (error) {
    await rm(next, {force: true});
    throw new DockerError(
      'config',
      `${path} cannot be written, so that the sign-in in it is not undone`,
      'Sign out by docker logout.',
      {cause: error}
    );
  }
}
