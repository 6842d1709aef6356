import type {Log} from '../log.ts';
import {clean} from '../oci/clean.ts';
import {type Environment, findProgram} from '../process.ts';
import {DockerError} from './error.ts';
import {lastSaid, runDocker} from './run.ts';

/** A docker client that can be used. */
export interface DockerClient {
  /** Absolute. */
  readonly path: string;
  /** Such as `28.2.2`. */
  readonly version: string;
}

/** What finding a client needs. */
export interface FindOptions {
  readonly env: Environment;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Older clients do not know what is asked of them here, and are out of support since 2021. */
const oldest = {major: 20, minor: 10};
/** A client's own version needs no daemon; in milliseconds. */
const versionTimeout = 15_000;

/**
 * The docker client on PATH.
 * @returns undefined when PATH has none
 * @throws DockerError `missing` when it is too old or something else under docker's name
 */
export async function findDocker(options: FindOptions): Promise<DockerClient | undefined> {
  const path = await findProgram('docker', options.env);
  return path === undefined ? undefined : await useDocker(path, options);
}

/**
 * Asks the client at `path` for its version and whether it can be used.
 * @throws DockerError `missing` (too old, not docker, not to be run), `timeout`
 */
export async function useDocker(
  path: string,
  {env, log, signal}: FindOptions
): Promise<DockerClient> {
  const call = {docker: path, env, log, signal, timeout: versionTimeout};
  const outcome = await runDocker(['--version'], call);
  const shown = clean(path, 200);
  const version = /^Docker version (\d+)\.(\d+)\.\d+[\w.+~-]*/m.exec(outcome.stdout);
  if (outcome.exitCode !== 0 || version === null) {
    // Podman's stand-in, for one, would keep its sign-in at a place of its own.
    throw new DockerError(
      'missing',
      `${shown} is not a docker client that works: asked for its version it said "${lastSaid({...outcome, stderr: outcome.stderr || outcome.stdout})}"`,
      "Install Docker's own client."
    );
  }
  const [text, major, minor] = version;
  const found = {path, version: text.slice('Docker version '.length)};
  const age = Number(major) - oldest.major || Number(minor) - oldest.minor;
  if (age < 0) {
    throw new DockerError(
      'missing',
      `docker ${found.version} at ${shown} is too old: ${oldest.major}.${oldest.minor} or newer is wanted`,
      'Install a newer docker client.'
    );
  }
  log.debug(`docker ${found.version} at ${shown}`);
  return found;
}
