import {randomBytes} from 'node:crypto';

import {deadline} from '../deadline.ts';
import type {Log} from '../log.ts';
import {clean} from '../oci/clean.ts';
import type {Digest} from '../oci/digest.ts';
import type {Reference} from '../oci/reference.ts';
import type {Environment} from '../process.ts';
import {DockerError} from './error.ts';
import {
  inspect,
  type LocalImage,
  nameOf,
  pull,
  push,
  type Pushed,
  remove,
  removeTimeout
} from './image.ts';
import {type DockerCall, succeed} from './run.ts';

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
  readonly source: Reference & {readonly digest: Digest};
  /** By tag, since docker pushes by nothing else. */
  readonly target: Omit<Reference, 'digest'> & {readonly tag: string};
  /** The platform to pull of an index, such as `linux/amd64`; the daemon's own when absent. */
  readonly platform?: string;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** For the whole image, in milliseconds. */
  readonly timeout: number;
}

/** What came of it. */
export interface MirroredByDocker extends Pushed {
  /** Such as `linux/amd64`. */
  readonly platform: string;
  /** The layers' digests, unpacked, from the base upwards. */
  readonly diffIds: readonly string[];
}

/** A tag that no other run has, and that nobody takes for a release: those begin with `v`. */
export function stagingTag(): string {
  return `mirror-${randomBytes(12).toString('hex')}`;
}

/** What became of an image, by the digest that the target gave it. */
export function fateOf(root: Root, pushed: Digest): {fate: Fate; platform?: string} {
  if (pushed === root.digest) return {fate: 'kept'};
  const child = root.children?.find(({digest}) => digest === pushed);
  if (child === undefined) return {fate: 'rewritten'};
  return {fate: 'one-platform', ...(child.platform !== undefined && {platform: child.platform})};
}

/**
 * Mirrors one image through the daemon: pulled by digest, named, pushed, removed. What the daemon had
 * before under the same names it has afterwards.
 * @throws DockerError, the signal's reason; whatever happens, what was made is removed
 */
export async function mirrorImageByDocker(options: MirrorByDocker): Promise<MirroredByDocker> {
  const {source, target, platform, timeout, log} = options;
  const ends = performance.now() + timeout;
  // Each command may take what is left of the image's time.
  const call = (): DockerCall => ({
    ...options,
    timeout: Math.max(1, ends - performance.now()),
    imageTimeout: timeout
  });
  const sourceName = nameOf(source);
  const targetName = nameOf(target);
  const had = await inspect(sourceName, call());
  const held = await inspect(targetName, call());
  const gained = new Set<string>();
  let known: readonly string[] = [];
  try {
    if (had === undefined) gained.add(sourceName);
    await pull(source, call(), platform);
    const image = await inspect(sourceName, call());
    if (image === undefined) throw new DockerError('failed', `docker lost ${sourceName}`);
    const beside = nameOf({registry: target.registry, repository: target.repository});
    known = image.repoDigests.filter(name => sameName(name.replace(/@.*$/, ''), beside));
    gained.add(targetName);
    await succeed(['tag', sourceName, targetName], call());
    const {digest, ways} = await push(target, call());
    // By its push the image has got the target's digest as one more name.
    const pushedName = nameOf({...target, digest});
    if (!known.some(name => sameName(name, pushedName))) gained.add(pushedName);
    return {digest, ways, platform: image.platform, diffIds: image.diffIds};
  } finally {
    // Last made, first removed: with its source's name the image may go.
    const names = [...gained].reverse();
    for (const name of names) if (name !== sourceName) await remove(name, options);
    for (const name of known) await pullAgain(name, options);
    if (gained.has(sourceName)) await remove(sourceName, options);
    if (held !== undefined) await giveBack(held, targetName, options, log);
  }
}

/**
 * With the last tag of a repository docker takes away its names by digest too, also those that it had
 * before. While the image is there still, pulling one of them is only asking for its manifest.
 */
async function pullAgain(name: string, options: MirrorByDocker): Promise<void> {
  const call = {...options, signal: deadline(removeTimeout), timeout: removeTimeout};
  try {
    if ((await inspect(name, call)) === undefined) await succeed(['pull', name], call);
  } catch (error) {
    options.log.warning(
      `The docker daemon had ${clean(name, 300)} and has it no longer: ${clean((error as Error).message, 300)}`
    );
  }
}

/** A name that the daemon had for another image goes back to that. */
async function giveBack(
  held: LocalImage,
  name: string,
  options: MirrorByDocker,
  log: Log
): Promise<void> {
  const signal = deadline(removeTimeout);
  await succeed(['tag', held.id, name], {...options, signal, timeout: removeTimeout}).catch(
    (error: unknown) => {
      log.warning(
        `${clean(name, 300)} does not name what it did at the docker daemon: ${clean((error as Error).message, 300)}`
      );
    }
  );
}

/** Docker leaves its own registry away when it tells a name. */
function sameName(one: string, other: string): boolean {
  const full = (name: string) => name.replace(/^docker\.io\/(?:library\/)?/, '');
  return full(one) === full(other);
}
