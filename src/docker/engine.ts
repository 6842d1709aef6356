import {randomBytes} from 'node:crypto';
import {statfs} from 'node:fs/promises';

import type {Log} from '../log.ts';
import {clean} from '../oci/clean.ts';
import {type Digest, parseDigest} from '../oci/digest.ts';
import {formatReference, type Reference} from '../oci/reference.ts';
import type {Environment} from '../process.ts';
import {DockerError} from './error.ts';
import {type DockerCall, runDocker, succeed} from './run.ts';

/** What a daemon says of itself. */
export interface DaemonInfo {
  readonly version: string;
  /** `classic` recompresses layers when it pushes; `containerd` keeps what it pulled. */
  readonly store: 'classic' | 'containerd';
  /** The storage driver or snapshotter, such as `overlay2`. */
  readonly driver: string;
  /** Where it keeps its data, on its own machine. */
  readonly dataRoot: string;
  /** What it runs, such as `linux/x86_64`. */
  readonly platform: string;
}

/** An image as the daemon has it. */
export interface LocalImage {
  readonly id: string;
  /** `registry/repository@digest`, one for each place it was pulled from or pushed to. */
  readonly repoDigests: readonly string[];
  /** Bytes on the daemon's disk, unpacked. */
  readonly size: number;
  /** Such as `linux/amd64`. */
  readonly platform: string;
}

/**
 * What becomes of an image that goes through a daemon: `kept`, it has the same digest; `one-platform`,
 * of an index one platform's manifest arrives, unchanged; `rewritten`, the daemon made another
 * manifest of the same content.
 */
export type Fate = 'kept' | 'one-platform' | 'rewritten';

/** The source's root, as the plan knows it. */
export interface Root {
  readonly digest: Digest;
  /** The manifests of an index; absent for a single manifest. */
  readonly children?: readonly {readonly digest: Digest; readonly platform?: string}[];
}

/** What mirroring an image needs. */
export interface MirrorByDocker {
  readonly docker: string;
  readonly configDirectory: string;
  readonly env: Environment;
  /** By digest: a tag could move meanwhile. */
  readonly source: Reference;
  /** Without a tag the image is pushed under one that no other run has. */
  readonly target: Reference;
  /** The platform to pull of an index, such as `linux/amd64`; the daemon's own when absent. */
  readonly platform?: string;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** For the whole image, in milliseconds. */
  readonly timeout: number;
}

/** What came of it. */
export interface MirroredByDocker {
  /** The digest that the target gave. */
  readonly digest: Digest;
  /** Whether it is the source's. */
  readonly kept: boolean;
  /** Bytes on the daemon's disk, unpacked, while it was there. */
  readonly bytes: number;
  /** Such as `linux/amd64`. */
  readonly platform: string;
  /** Where it was pushed to, with the tag. */
  readonly pushed: Reference;
}

/** Removing is quick, and is done after a cancel too; in milliseconds. */
const removeTimeout = 20_000;
const infoTimeout = 30_000;
/** The daemon's answers about itself and its images are larger than what commands print. */
const answerLimit = 1024 * 1024;

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
  const info = parse(text, 'docker info');
  const [said] = Array.isArray(info.ServerErrors) ? (info.ServerErrors as unknown[]) : [];
  if (said !== undefined || typeof info.DockerRootDir !== 'string' || info.DockerRootDir === '') {
    throw new DockerError(
      'daemon',
      `the docker daemon does not answer: ${typeof said === 'string' ? said : 'it told nothing of itself'}`,
      'Start the docker daemon, or point DOCKER_HOST at one.'
    );
  }
  const containerd = JSON.stringify(info.DriverStatus ?? []).includes('io.containerd.snapshotter');
  return {
    version: textOf(info.ServerVersion),
    store: containerd ? 'containerd' : 'classic',
    driver: textOf(info.Driver),
    dataRoot: info.DockerRootDir,
    platform: `${textOf(info.OSType)}/${textOf(info.Architecture)}`
  };
}

/**
 * What to expect of an image before it is pulled. The classic store may keep a digest by luck; that
 * it does not is the rule.
 * @see https://docs.docker.com/engine/storage/containerd/
 */
export function foresee({store}: Pick<DaemonInfo, 'store'>, root: Pick<Root, 'children'>): Fate {
  if (store === 'classic') return 'rewritten';
  return root.children === undefined ? 'kept' : 'one-platform';
}

/** What became of an image, by the digest that the target gave it. */
export function fateOf(root: Root, pushed: Digest): {fate: Fate; platform?: string} {
  if (pushed === root.digest) return {fate: 'kept'};
  const child = root.children?.find(({digest}) => digest === pushed);
  if (child === undefined) return {fate: 'rewritten'};
  return {fate: 'one-platform', ...(child.platform !== undefined && {platform: child.platform})};
}

/**
 * How many bytes are free where the daemon keeps its data. Undefined where that cannot be known:
 * the daemon is on another machine, or its directory is out of sight.
 */
export async function freeSpace(info: DaemonInfo, env: Environment): Promise<number | undefined> {
  const host = env.DOCKER_HOST ?? '';
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
 * @returns the free bytes, undefined where they cannot be known
 * @throws DockerError `space`
 */
export async function checkSpace(
  bytes: number,
  info: DaemonInfo,
  env: Environment
): Promise<number | undefined> {
  const free = await freeSpace(info, env);
  if (free !== undefined && free < bytes) {
    throw new DockerError(
      'space',
      `the docker daemon needs ${bytes} bytes in ${info.dataRoot}, and ${free} are free`,
      'Make room there (docker system prune), or use engine: registry, which needs no disk.'
    );
  }
  return free;
}

/**
 * What the daemon knows of an image.
 * @returns undefined when it has none of that name
 * @throws DockerError
 */
export async function inspect(name: string, call: DockerCall): Promise<LocalImage | undefined> {
  const args = ['image', 'inspect', '--format', '{{json .}}', name];
  const outcome = await runDocker(args, call, undefined, answerLimit);
  if (outcome.exitCode !== 0 && /no such image/i.test(outcome.stderr)) return undefined;
  const text = outcome.exitCode === 0 ? outcome.stdout : await succeed(args, call, answerLimit);
  const image = parse(text, 'docker image inspect');
  if (typeof image.Id !== 'string' || typeof image.Size !== 'number') {
    throw new DockerError('failed', `docker told nothing of ${name}`);
  }
  const digests = Array.isArray(image.RepoDigests) ? (image.RepoDigests as unknown[]) : [];
  return {
    id: image.Id,
    repoDigests: digests.filter(digest => typeof digest === 'string'),
    size: image.Size,
    platform: `${textOf(image.Os)}/${textOf(image.Architecture)}`
  };
}

/** Pulls an image by digest. @throws DockerError */
export async function pull(source: Reference, call: DockerCall, platform?: string): Promise<void> {
  const which = platform === undefined ? [] : ['--platform', platform];
  await succeed(['pull', ...which, nameOf(source)], call);
}

/**
 * Pushes an image under its tag, and hands back the digest that the target gave it.
 * @throws DockerError
 */
export async function push(target: Reference, call: DockerCall): Promise<Digest> {
  const name = nameOf(target);
  const text = await succeed(['push', name], call);
  // "<tag>: digest: sha256:… size: 1234" is the last thing it says.
  const last = [...text.matchAll(/^(\S+): digest: (\S+) size: \d+\s*$/gm)].at(-1);
  if (last?.[1] !== target.tag || last?.[2] === undefined) {
    throw new DockerError('failed', `docker push ${name} told no digest`);
  }
  return parseDigest(last[2]);
}

/** Takes a name away from the daemon, and what no other name holds. Never throws: it is the last resort. */
export async function remove(name: string, call: Omit<DockerCall, 'timeout'>): Promise<void> {
  // Also when the run was cancelled: what was made is removed.
  const signal = AbortSignal.timeout(removeTimeout);
  try {
    await succeed(['image', 'rm', name], {
      ...call,
      signal,
      timeout: removeTimeout
    });
  } catch (error) {
    const {message} = error as Error;
    if (!/no such image/i.test(message)) {
      call.log.warning(`${clean(name, 300)} is still at the docker daemon: ${clean(message, 300)}`);
    }
  }
}

/**
 * Mirrors one image through the daemon: pulled by digest, named, pushed, removed. What the daemon had
 * before under the same names it has afterwards.
 * @throws DockerError, the signal's reason; whatever happens, what was made is removed
 */
export async function mirrorImageByDocker(options: MirrorByDocker): Promise<MirroredByDocker> {
  const {source, target, platform, timeout, log} = options;
  if (source.digest === undefined) {
    throw new DockerError('failed', `${formatReference(source)} has no digest to pull it by`);
  }
  const ends = performance.now() + timeout;
  // Each command may take what is left of the image's time.
  const call = (): DockerCall => ({
    ...options,
    timeout: Math.max(1, ends - performance.now())
  });
  const from = {registry: source.registry, repository: source.repository, digest: source.digest};
  const to = {
    registry: target.registry,
    repository: target.repository,
    tag: target.tag ?? `mirror-${randomBytes(12).toString('hex')}`
  };
  const sourceName = nameOf(from);
  const targetName = nameOf(to);
  const had = await inspect(sourceName, call());
  const held = await inspect(targetName, call());
  const gained = new Set<string>();
  try {
    if (had === undefined) gained.add(sourceName);
    await pull(from, call(), platform);
    const image = await inspect(sourceName, call());
    if (image === undefined) throw new DockerError('failed', `docker lost ${sourceName}`);
    gained.add(targetName);
    await succeed(['tag', sourceName, targetName], call());
    const digest = await push(to, call());
    // By its push the image has got the target's digest as one more name.
    const pushedName = nameOf({registry: to.registry, repository: to.repository, digest});
    if (!image.repoDigests.some(name => sameName(name, pushedName))) gained.add(pushedName);
    return {
      digest,
      kept: digest === source.digest,
      bytes: image.size,
      platform: image.platform,
      pushed: to
    };
  } finally {
    // Last made, first removed.
    for (const name of [...gained].reverse()) await remove(name, options);
    if (held !== undefined) await giveBack(held, targetName, options, log);
  }
}

/** A name that the daemon had for another image goes back to that. */
async function giveBack(
  held: LocalImage,
  name: string,
  options: MirrorByDocker,
  log: Log
): Promise<void> {
  const signal = AbortSignal.timeout(removeTimeout);
  await succeed(['tag', held.id, name], {...options, signal, timeout: removeTimeout}).catch(
    (error: unknown) => {
      log.warning(
        `${clean(name, 300)} does not name what it did at the docker daemon: ${clean((error as Error).message, 300)}`
      );
    }
  );
}

/** A reference as docker takes it: by its digest when it has one, else by its tag. */
function nameOf(reference: Reference): string {
  const {registry, repository, tag, digest} = reference;
  return formatReference(
    digest === undefined
      ? {registry, repository, ...(tag !== undefined && {tag})}
      : {registry, repository, digest}
  );
}

/** Docker leaves its own registry away when it tells a name. */
function sameName(one: string, other: string): boolean {
  const full = (name: string) => name.replace(/^docker\.io\/(?:library\/)?/, '');
  return full(one) === full(other);
}

function parse(text: string, what: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null) return parsed as Record<string, unknown>;
  } catch {
    // Told below.
  }
  throw new DockerError('failed', `${what} did not answer in JSON`);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? clean(value, 200) : 'unknown';
}
