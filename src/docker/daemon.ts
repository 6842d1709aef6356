import {statfs} from 'node:fs/promises';

import {clean} from '../oci/clean.ts';
import type {Environment} from '../process.ts';
import {answerLimit, parseAnswer, textOf} from './answer.ts';
import {DockerError} from './error.ts';
import {type DockerCall, succeed} from './run.ts';

/** What a daemon says of itself. */
export interface DaemonInfo {
  readonly version: string;
  /**
   * `classic` packs layers anew when it pushes, so that most digests change; `containerd` keeps what it
   * pulled, of an index one platform.
   * @see https://docs.docker.com/engine/storage/containerd/
   */
  readonly store: 'classic' | 'containerd';
  /** The storage driver or snapshotter, such as `overlay2`. */
  readonly driver: string;
  /** Where it keeps its data, on its own machine. */
  readonly dataRoot: string;
  /** Where the job's docker context has it, such as `ssh://build`; absent where none is chosen. */
  readonly host?: string;
}

/** In milliseconds. */
const infoTimeout = 30_000;

/**
 * Asks the daemon about itself.
 * @throws DockerError `daemon` when it does not answer
 */
export async function askDaemon(call: Omit<DockerCall, 'timeout'>): Promise<DaemonInfo> {
  const text = await succeed(
    ['info', '--format', '{{json .}}'],
    {...call, timeout: infoTimeout},
    answerLimit
  );
  const info = parseAnswer(text, 'docker info');
  const [said] = Array.isArray(info.ServerErrors) ? (info.ServerErrors as unknown[]) : [];
  if (said !== undefined || typeof info.DockerRootDir !== 'string' || info.DockerRootDir === '') {
    throw new DockerError(
      'daemon',
      `the docker daemon does not answer: ${typeof said === 'string' ? said : 'it told nothing of itself'}`,
      'Start the docker daemon, or point DOCKER_HOST at one.'
    );
  }
  const host = await hostIn(info.ClientInfo, call);
  const containerd = JSON.stringify(info.DriverStatus ?? []).includes('io.containerd.snapshotter');
  return {
    version: textOf(info.ServerVersion),
    store: containerd ? 'containerd' : 'classic',
    driver: textOf(info.Driver),
    dataRoot: info.DockerRootDir,
    ...(host !== undefined && {host})
  };
}

/** Where the chosen context has its daemon; `default` is what DOCKER_HOST says. */
async function hostIn(
  client: unknown,
  call: Omit<DockerCall, 'timeout'>
): Promise<string | undefined> {
  const {Context: context} = (client ?? {}) as {Context?: unknown};
  if (typeof context !== 'string' || ['', 'default'].includes(context)) return undefined;
  const args = ['context', 'inspect', '--format', '{{.Endpoints.docker.Host}}', context];
  return clean((await succeed(args, {...call, timeout: infoTimeout})).trim(), 200);
}

/**
 * How many bytes are free where the daemon keeps its data. Undefined where that cannot be known:
 * the daemon is on another machine, or its directory is out of sight.
 */
export async function freeSpace(info: DaemonInfo, env: Environment): Promise<number | undefined> {
  const host = info.host ?? env.DOCKER_HOST ?? '';
  if (host !== '' && !/^(?:unix|npipe):/.test(host)) return undefined;
  // With containerd's store the images may lie with containerd instead.
  const places =
    info.store === 'containerd' ? [info.dataRoot, '/var/lib/containerd'] : [info.dataRoot];
  const free = await Promise.all(
    places.map(async place => {
      const {bavail, bsize} = await statfs(place);
      return bavail * bsize;
    })
  ).catch(() => [] as number[]);
  return free.length === 0 ? undefined : Math.min(...free);
}

/**
 * Checks that `bytes` more find room at the daemon.
 * @throws DockerError `space`
 */
export async function checkSpace(bytes: number, info: DaemonInfo, env: Environment): Promise<void> {
  const free = await freeSpace(info, env);
  if (free !== undefined && free < bytes) {
    throw new DockerError(
      'space',
      `the docker daemon needs ${bytes} bytes in ${info.dataRoot}, and ${free} are free`,
      'Make room there (docker system prune), or use engine: registry, which needs no disk.'
    );
  }
}
