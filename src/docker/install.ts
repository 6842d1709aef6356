import {createHash} from 'node:crypto';
import {createReadStream} from 'node:fs';
import {mkdir, mkdtemp, rm} from 'node:fs/promises';
import {basename, join} from 'node:path';

import {getExecOutput} from '@actions/exec';
import {cacheDir, downloadTool, find} from '@actions/tool-cache';

import {deadline} from '../deadline.ts';
import type {Log} from '../log.ts';
import {clean} from '../oci/clean.ts';
import {findProgram, systemProgram} from '../process.ts';
import {DockerError} from './error.ts';
import {type DockerClient, useDocker} from './find.ts';
import {type Build, buildFor, type Pin} from './pins.ts';
import {dockerEnvironment} from './run.ts';

/** Which client to install, from where. */
export interface InstallOptions {
  /** Such as `29.6.2`; the newest confirmed one when absent. */
  readonly version?: string;
  /** Of the archive, in hex; needed where none is confirmed for the version. */
  readonly sha256?: string;
  /** The base of the download site, for closed networks; Docker's own when absent. */
  readonly downloadUrl?: string;
  /** Node's names; this machine's when absent. */
  readonly platform?: string;
  readonly arch?: string;
}

/** Where Docker's static builds are. */
export const dockerDownloads = 'https://download.docker.com';

const toolName = 'docker-client';
/** For the download with all its attempts, in milliseconds. */
const downloadTimeout = 10 * 60_000;
const inputsToGive =
  'Install docker on the runner, or give the inputs docker-version and docker-sha256.';

/**
 * A docker client from the tool cache, downloaded into it first when it is not there yet. The
 * archive is hashed before anything looks into it.
 * @throws DockerError `install` with the reason, the signal's reason
 */
export async function installDocker(
  options: InstallOptions & {readonly log: Log; readonly signal: AbortSignal}
): Promise<DockerClient> {
  const {platform = process.platform, arch = process.arch, log, signal} = options;
  signal.throwIfAborted();
  const build = buildFor(platform, arch);
  if (build === undefined) {
    throw fail(
      `there is no docker client to download for ${clean(`${platform} ${arch}`, 60)}`,
      'Install docker on the runner.'
    );
  }
  const pin = choose(build, `${platform} ${arch}`, options);
  const url = archiveUrl(build, pin, options.downloadUrl ?? dockerDownloads);
  for (const name of ['RUNNER_TEMP', 'RUNNER_TOOL_CACHE']) {
    if ((process.env[name] ?? '') === '') {
      throw fail(
        `${name} is not set, so that there is no tool cache to put a docker client into`,
        'Install docker yourself; only on a runner it is done for you.'
      );
    }
  }
  // The checksum is part of the place: what was cached for another one is never taken.
  const place = `${arch}-${pin.sha256.slice(0, 16)}`;
  const cached = find(toolName, pin.version, place);
  if (cached !== '') {
    log.debug(`docker ${pin.version} is in the tool cache`);
    return await useDocker(join(cached, basename(build.client)), {env: process.env, log, signal});
  }
  log.info(`Installing docker ${pin.version} from ${clean(url, 200)}`);
  const home = await mkdtemp(join(process.env.RUNNER_TEMP ?? '', 'docker-client-'));
  try {
    const archive = join(home, basename(new URL(url).pathname));
    await download(url, archive, signal);
    await check(archive, pin, url);
    const client = await unpack(archive, build, join(home, 'unpacked'));
    const directory = await cacheDir(client, toolName, pin.version, place);
    return await useDocker(join(directory, basename(build.client)), {
      env: process.env,
      log,
      signal
    });
  } finally {
    await rm(home, {recursive: true, force: true});
  }
}

function choose(build: Build, machine: string, {version, sha256}: InstallOptions): Pin {
  if (version !== undefined && !/^\d+\.\d+\.\d+(?:-[a-z]+\.?\d*)?$/.test(version)) {
    throw fail(
      `docker-version ${JSON.stringify(clean(version, 60))} is not a version`,
      'Give it in full, such as 29.6.2.'
    );
  }
  if (sha256 !== undefined) {
    const hex = sha256
      .trim()
      .toLowerCase()
      .replace(/^sha256:/, '');
    if (!/^[0-9a-f]{64}$/.test(hex)) {
      throw fail(
        'docker-sha256 is not a SHA-256 checksum',
        'Give the 64 hex digits of the archive, as sha256sum prints them.'
      );
    }
    if (version === undefined) {
      throw fail('docker-sha256 is given without docker-version', 'Give both.');
    }
    return {version, sha256: hex};
  }
  const pin =
    version === undefined ? build.pins[0] : build.pins.find(known => known.version === version);
  if (pin !== undefined) return pin;
  throw fail(
    `no checksum is confirmed for docker${version === undefined ? '' : ` ${version}`} on ${machine}, and nothing unchecked is installed`,
    inputsToGive
  );
}

function archiveUrl(build: Build, {version}: Pin, base: string): string {
  const url = URL.canParse(base) ? new URL(base) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw fail(
      'docker-download-url is not an http or https address',
      `Give the base under which ${build.directory} lies.`
    );
  }
  // It would be in the log and in the process list of who serves it.
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw fail(
      'docker-download-url holds a user name, a query or a fragment',
      `Give the bare base under which ${build.directory} lies.`
    );
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}/${build.directory}/docker-${version}.${build.archive}`;
}

/** The toolkit's download knows no signal; who waits for it does. */
async function download(url: string, to: string, signal: AbortSignal): Promise<void> {
  const limit = deadline(downloadTimeout, signal);
  const given = new Promise<never>((_, reject) => {
    limit.addEventListener(
      'abort',
      () => {
        reject(limit.reason as Error);
      },
      {once: true}
    );
  });
  try {
    await Promise.race([downloadTool(url, to), given]);
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
async function unpack(archive: string, build: Build, to: string): Promise<string> {
  // On Windows it is the system's tar that reads zip; the one that comes with Git does not.
  const tar =
    build.archive === 'zip' ? systemProgram('tar.exe') : await findProgram('tar', process.env);
  if (tar === undefined) {
    throw fail('there is no tar program to unpack docker with', 'Install docker on the runner.');
  }
  await mkdir(to, {recursive: true});
  // Silent and with an environment of its own: the toolkit would show the command, and hand on the inputs.
  const {exitCode, stderr} = await getExecOutput(
    `"${tar}"`,
    ['-x', '-f', archive, '-C', to, build.client],
    {silent: true, ignoreReturnCode: true, env: dockerEnvironment(process.env)}
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
