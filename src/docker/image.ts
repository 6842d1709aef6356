import {deadline} from '../deadline.ts';
import {clean} from '../oci/clean.ts';
import {type Digest, parseDigest} from '../oci/digest.ts';
import {formatReference, type Reference} from '../oci/reference.ts';
import {answerLimit, parseAnswer, textOf} from './answer.ts';
import {DockerError} from './error.ts';
import {type DockerCall, failureOf, runDocker, succeed} from './run.ts';

/** An image as the daemon has it. */
export interface LocalImage {
  readonly id: string;
  /** `registry/repository@digest`, one for each place it was pulled from or pushed to. */
  readonly repoDigests: readonly string[];
  /** Such as `linux/amd64`. */
  readonly platform: string;
  /** The layers' digests, unpacked, from the base upwards; empty where the daemon does not tell. */
  readonly diffIds: readonly string[];
}

/** How a layer came to the target: sent, taken over from another repository, or there already. */
export type LayerWay = 'copied' | 'mounted' | 'present';

/** What docker said of a push. */
export interface Pushed {
  /** The digest that the target gave. */
  readonly digest: Digest;
  /** By the first twelve hex digits of a layer: of its diff id (classic store) or its digest (containerd). */
  readonly ways: ReadonlyMap<string, LayerWay>;
}

/** Removing is quick, and is done after a cancel too; in milliseconds. */
export const removeTimeout = 20_000;

/**
 * What the daemon knows of an image.
 * @returns undefined when it has none of that name
 * @throws DockerError
 */
export async function inspect(name: string, call: DockerCall): Promise<LocalImage | undefined> {
  const args = ['image', 'inspect', '--format', '{{json .}}', name];
  const outcome = await runDocker(args, call, undefined, answerLimit);
  if (outcome.exitCode !== 0 && /no such image/i.test(outcome.stderr)) return undefined;
  if (outcome.exitCode !== 0) throw failureOf(args, outcome, call);
  const image = parseAnswer(outcome.stdout, 'docker image inspect');
  if (typeof image.Id !== 'string') {
    throw new DockerError('failed', `docker told nothing of ${name}`);
  }
  const digests = Array.isArray(image.RepoDigests) ? (image.RepoDigests as unknown[]) : [];
  return {
    id: image.Id,
    repoDigests: digests.filter(digest => typeof digest === 'string'),
    platform: `${textOf(image.Os)}/${textOf(image.Architecture)}`,
    diffIds: diffIdsIn(image.RootFS)
  };
}

function diffIdsIn(rootfs: unknown): readonly string[] {
  const {Layers: layers} = (rootfs ?? {}) as {Layers?: unknown};
  return Array.isArray(layers) ? layers.filter(layer => typeof layer === 'string') : [];
}

/** Pulls an image by digest. @throws DockerError */
export async function pull(source: Reference, call: DockerCall, platform?: string): Promise<void> {
  const which = platform === undefined ? [] : ['--platform', platform];
  await succeed(['pull', ...which, nameOf(source)], {...call, registry: source.registry});
}

/**
 * Pushes an image under its tag, and hands back what docker said of it.
 * @throws DockerError
 */
export async function push(target: Reference, call: DockerCall): Promise<Pushed> {
  const name = nameOf(target);
  const text = await succeed(['push', name], {...call, registry: target.registry});
  // "<tag>: digest: sha256:… size: 1234" is the last thing it says.
  const last = [...text.matchAll(/^(\S+): digest: (\S+) size: \d+\s*$/gm)].at(-1);
  if (last?.[1] !== target.tag || last?.[2] === undefined) {
    throw new DockerError('failed', `docker push ${name} told no digest`);
  }
  const layers = text.matchAll(/^([0-9a-f]{12}): (Pushed|Mounted from|Layer already exists)\b/gm);
  const ways = new Map([...layers].map(([, id = '', said = '']) => [id, wayOf[said] ?? 'copied']));
  return {digest: parseDigest(last[2]), ways};
}

const wayOf: Readonly<Record<string, LayerWay>> = {
  'Mounted from': 'mounted',
  'Layer already exists': 'present'
};

/** Takes a name away from the daemon, and what no other name holds. Never throws: it is the last resort. */
export async function remove(name: string, call: Omit<DockerCall, 'timeout'>): Promise<void> {
  // Also when the run was cancelled: what was made is removed.
  const signal = deadline(removeTimeout);
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

/** A reference as docker takes it: by its digest when it has one, else by its tag. */
export function nameOf(reference: Reference): string {
  const {registry, repository, tag, digest} = reference;
  return formatReference(
    digest === undefined
      ? {registry, repository, ...(tag !== undefined && {tag})}
      : {registry, repository, digest}
  );
}
