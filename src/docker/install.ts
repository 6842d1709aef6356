import {createHash} from 'node:crypto';
import {createReadStream} from 'node:fs';
import {mkdir, mkdtemp, rm} from 'node:fs/promises';
import {basename, join} from 'node:path';

import {getExecOutput} from '@actions/exec';
import {cacheDir, downloadTool, find} from '@actions/tool-cache';

import {deadline} from '../deadline.ts';
import type {Log} from '../log.ts';
import {clean} from '../oci/clean.ts';
import {unlessAborted} from '../on-abort.ts';
import {findProgram, systemProgram} from '../process.ts';
import {DockerError} from './error.ts';
import {type DockerClient, useDocker} from './find.ts';
import {type Build, buildFor, type Pin} from './pins.ts';
import {dockerEnvironment} from './run.ts';

/** Which client to install, from where. */
export interface InstallOptions {
  /** The one that is built in for this machine when absent. */
  readonly pin?: Pin;
  /** The base of the download site, without a slash at its end. */
  readonly downloadUrl: string;
  /** Node's names; this machine's when absent. */
  readonly platform?: string;
  readonly arch?: string;
}

const toolName = 'docker-client';
/** For the download with all its attempts, in milliseconds. */
const downloadTimeout = 10 * 60_000;
/** For unpacking one program of 40 MB, in milliseconds; a disk that hangs must not hang the run. */
const unpackTimeout = 2 * 60_000;

/**
 * A docker client from the tool cache, downloaded into it first when it is not there yet. The
 * archive is hashed before anything looks into it.
 * @throws DockerError `install` with the reason, the signal's reason
 */
export async function installDocker(
  options: InstallOptions & {readonly log: Log; readonly signal: AbortSignal}
): Promise<DockerClient> {
  const {platform = process.platform, arch = process.arch, signal} = options;
  signal.throwIfAborted();
  const machine = clean(`${platform} ${arch}`, 60);
  const build = buildFor(platform, arch);
  if (build === undefined) {
    throw fail(
      `there is no docker client to download for ${machine}`,
      'Install docker on the runner.'
    );
  }
  const pin = options.pin ?? build.pins[0];
  if (pin === undefined) {
    throw fail(
      `no checksum is confirmed for docker on ${machine}, and nothing unchecked is installed`,
      'Install docker on the runner, or give the inputs docker-version and docker-sha256.'
    );
  }
  for (const name of ['RUNNER_TEMP', 'RUNNER_TOOL_CACHE']) {
    if ((process.env[name] ?? '') === '') {
      throw fail(
        `${name} is not set, so that there is no tool cache to put a docker client into`,
        'Install docker yourself; only on a runner it is done for you.'
      );
    }
  }
  try {
    return await fromCache(build, pin, {...options, arch});
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof DockerError) throw error;
    throw fail(
      `docker could not be installed: ${clean((error as Error).message, 300)}`,
      "See that the runner's folders for tools and temporary files can be written to and have space left.",
      error
    );
  }
}

async function fromCache(
  build: Build,
  pin: Pin,
  {
    arch,
    downloadUrl,
    log,
    signal
  }: Required<Pick<InstallOptions, 'arch' | 'downloadUrl'>> & {
    readonly log: Log;
    readonly signal: AbortSignal;
  }
): Promise<DockerClient> {
  const {version, sha256} = pin;
  const clientIn = (directory: string) =>
    useDocker(join(directory, basename(build.client)), {env: process.env, log, signal});
  // The checksum is part of the place: what was cached for another one is never taken.
  const place = `${arch}-${sha256.slice(0, 16)}`;
  const cached = find(toolName, version, place);
  if (cached !== '') {
    log.debug(`docker ${version} is in the tool cache`);
    return await clientIn(cached);
  }
  const url = `${downloadUrl}/${build.directory}/docker-${version}.${build.archive}`;
  log.info(`Installing docker ${version} from ${clean(url, 200)}`);
  const home = await mkdtemp(join(process.env.RUNNER_TEMP ?? '', 'docker-client-'));
  try {
    const archive = join(home, basename(new URL(url).pathname));
    await download(url, archive, signal);
    await check(archive, pin, url);
    const client = await unpack(archive, build, {to: join(home, 'unpacked'), signal});
    return await clientIn(await cacheDir(client, toolName, version, place));
  } finally {
    await rm(home, {recursive: true, force: true});
  }
}

/** The toolkit's download knows no signal; who waits for it does. */
async function download(url: string, to: string, signal: AbortSignal): Promise<void> {
  try {
    await unlessAborted(downloadTool(url, to), deadline(downloadTimeout, signal));
  } catch (error) {
    signal.throwIfAborted();
    throw fail(
      `docker could not be downloaded from ${clean(url, 200)}: ${clean((error as Error).message, 200)}`,
      'Install docker on the runner, or give docker-download-url a place that this runner reaches.',
      error
    );
  }
}

async function check(archive: string, pin: Pin, url: string): Promise<void> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(archive)) hash.update(chunk as Buffer);
  const found = hash.digest('hex');
  if (found === pin.sha256) return;
  await rm(archive, {force: true});
  throw fail(
    `the download of docker ${pin.version} from ${clean(url, 200)} has the SHA-256 checksum ${found}, wanted is ${pin.sha256}; it was deleted`,
    'See what stands at that address. Where it is meant to be another archive, give docker-version and docker-sha256.'
  );
}

/** Takes the client alone out of the archive; hands back the directory it is in. */
async function unpack(
  archive: string,
  build: Build,
  {to, signal}: {readonly to: string; readonly signal: AbortSignal}
): Promise<string> {
  // On Windows it is the system's tar that reads zip; the one that comes with Git does not.
  const tar =
    build.archive === 'zip' ? systemProgram('tar.exe') : await findProgram('tar', process.env);
  if (tar === undefined) {
    throw fail('there is no tar program to unpack docker with', 'Install docker on the runner.');
  }
  await mkdir(to, {recursive: true});
  // Silent and with an environment of its own: the toolkit would show the command, and hand on the inputs.
  const {exitCode, stderr} = await unlessAborted(
    getExecOutput(`"${tar}"`, ['-x', '-f', archive, '-C', to, build.client], {
      silent: true,
      ignoreReturnCode: true,
      env: dockerEnvironment(process.env)
    }),
    deadline(unpackTimeout, signal)
  );
  if (exitCode !== 0) {
    throw fail(
      `the archive of docker could not be unpacked (exit code ${exitCode}): ${clean(stderr, 200)}`,
      'See whether it holds docker/docker, as the archives of Docker do.'
    );
  }
  return join(to, 'docker');
}

function fail(message: string, advice: string, cause?: unknown): DockerError {
  return new DockerError('install', message, advice, {cause});
}
