import {contradicts, type Digest, isDigest} from '../oci/digest.ts';
import {largestManifest} from '../oci/manifest.ts';
import {manifestTypes} from '../oci/media-type.ts';
import {headPatience} from './blobs.ts';
import {discard, readBody} from './body.ts';
import {isRefusal, RegistryError} from './error.ts';
import {type FetchedManifest, readManifest} from './fetched-manifest.ts';
import type {Question} from './question.ts';
import type {Registry} from './registry.ts';
import type {Answer} from './transport.ts';

/** Bytes that a small manifest may gain where a proxy packs it although nobody asked. */
const packed = 1024;

/** How often content that is not what it should be is asked for again. */
const mostCorrupt = 2;

/**
 * The manifest of a tag or digest, or undefined where the registry has none.
 * @param largest the most bytes that it may have: what an index says of it
 * @throws RegistryError; corrupt when the bytes are not those of the digest, or not a manifest
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
 */
export async function getManifest(
  registry: Registry,
  repository: string,
  reference: string,
  signal: AbortSignal,
  largest = largestManifest
): Promise<FetchedManifest | undefined> {
  const question = about(registry, 'GET', repository, reference, signal);
  const limit = Math.min(largest + packed, largestManifest);
  for (let tries = 0; ; tries++) {
    try {
      return await registry.ask(question, async answer => {
        if (answer.status === 404) {
          await discard(answer);
          return undefined;
        }
        const place = {host: registry.name, method: 'GET', repository};
        const {idle} = registry.transport.timings;
        const bytes = await readBody(answer.body, limit, idle, place);
        return readManifest(bytes, answer, reference, place);
      });
    } catch (error) {
      const corrupt = error instanceof RegistryError && error.fault === 'corrupt';
      if (!corrupt || tries >= mostCorrupt) throw error;
      registry.log.debug(`${error.message}; asked for again`);
    }
  }
}

/** What HEAD tells of a manifest; the digest only where the registry says it. */
export interface ManifestHead {
  readonly digest?: Digest;
}

/**
 * Whether there is a manifest of that name, by HEAD; `unknown` where the registry refuses to say.
 */
export async function headManifest(
  registry: Registry,
  repository: string,
  reference: string,
  signal: AbortSignal
): Promise<ManifestHead | 'absent' | 'unknown'> {
  try {
    const question = {
      ...about(registry, 'HEAD', repository, reference, signal),
      own: headPatience
    };
    const {status, headers} = await registry.ask(question, discard);
    if (status === 404) return 'absent';
    const digest = headers['docker-content-digest'];
    return isDigest(digest) ? {digest} : {};
  } catch (error) {
    // Something may be against HEAD alone: GET tells.
    const failed = error instanceof RegistryError && error.fault === 'server';
    if (failed) registry.learned.headFails = true;
    if (failed || isRefusal(error)) return 'unknown';
    throw error;
  }
}

/**
 * The digest that a tag or digest stands for at the registry: by HEAD, and by GET where HEAD does
 * not tell. Undefined where there is none.
 * @throws RegistryError, the signal's reason
 */
export async function resolveManifest(
  registry: Registry,
  repository: string,
  reference: string,
  signal: AbortSignal
): Promise<Digest | undefined> {
  const {learned} = registry;
  const head = await headUnlessFailing(registry, repository, reference, signal);
  if (head !== 'absent' && head !== 'unknown' && head.digest !== undefined) return head.digest;
  if (head === 'absent') {
    // Only a tag is worth the question.
    if (isDigest(reference) && (await learned.headTells) !== false) return undefined;
    // Some registries answer HEAD with 404 where GET finds it. The first one tells for all.
    learned.headTells ??= byGet(registry, repository, reference, signal)
      .then(digest => digest === undefined)
      .catch((error: unknown) => {
        learned.headTells = undefined;
        throw error;
      });
    if (await learned.headTells) return undefined;
  }
  return await byGet(registry, repository, reference, signal);
}

/**
 * The same of what was put there: HEAD alone is not believed when it says that it is not there.
 * @throws RegistryError, the signal's reason
 */
export async function resolvePut(
  registry: Registry,
  repository: string,
  reference: string,
  signal: AbortSignal
): Promise<Digest | undefined> {
  const head = await headUnlessFailing(registry, repository, reference, signal);
  if (head !== 'absent' && head !== 'unknown' && head.digest !== undefined) return head.digest;
  const found = await byGet(registry, repository, reference, signal);
  if (head === 'absent' && found !== undefined) registry.learned.headTells = Promise.resolve(false);
  return found;
}

/** What HEAD says, where it has not been seen to fail. */
async function headUnlessFailing(
  ...about: Parameters<typeof headManifest>
): ReturnType<typeof headManifest> {
  return about[0].learned.headFails === true ? 'unknown' : await headManifest(...about);
}

async function byGet(
  registry: Registry,
  repository: string,
  reference: string,
  signal: AbortSignal
): Promise<Digest | undefined> {
  try {
    return (await getManifest(registry, repository, reference, signal))?.descriptor.digest;
  } catch (error) {
    if (isRefusal(error)) return undefined;
    throw error;
  }
}

/**
 * Stores a manifest, byte by byte as it is. Repeating it is harmless, so a lost answer is no harm;
 * a tag that may not be moved but stands there already counts as stored.
 * @throws RegistryError; its `entries` name what the registry says is missing below it
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests
 */
export async function putManifest(
  registry: Registry,
  repository: string,
  reference: string,
  {bytes, descriptor}: Pick<FetchedManifest, 'bytes' | 'descriptor'>,
  signal: AbortSignal,
  tries: Question['tries'] = 'patient'
): Promise<{readonly subjectTaken: boolean}> {
  const {digest, mediaType} = descriptor;
  let answer: Answer;
  try {
    answer = await registry.ask(
      {
        method: 'PUT',
        path: `/v2/${repository}/manifests/${reference}`,
        needs: [{repository, actions: 'pull,push'}],
        expect: [200, 201, 202, 204],
        headers: {'Content-Type': mediaType},
        body: bytes,
        commit: true,
        hot: true,
        tries,
        digest,
        signal
      },
      discard
    );
  } catch (error) {
    if (!(error instanceof RegistryError) || !mayStandAlready(error)) throw error;
    const there = await resolvePut(registry, repository, reference, signal);
    if (there !== digest) throw error;
    return {subjectTaken: false};
  }
  const echoed = answer.headers['docker-content-digest'];
  if (contradicts(echoed, digest)) {
    const stored = await getManifest(registry, repository, reference, signal);
    if (stored?.descriptor.digest !== digest) {
      throw new RegistryError(
        'corrupt',
        `${registry.name} took ${digest} and says that it stored ${echoed}`,
        {
          host: registry.name,
          repository,
          digest
        }
      );
    }
  }
  return {subjectTaken: answer.headers['oci-subject'] !== undefined};
}

/** An immutable tag refuses even the manifest that it has; so may a lock. */
function mayStandAlready({status, entries}: RegistryError): boolean {
  if (status === 409 || status === 412 || status === 405 || status === 423) return true;
  return (
    status === 400 &&
    entries.some(
      ({code, message}) =>
        code === 'TAG_INVALID' ||
        /already exists|immutable|not allow updating|cannot be updated/i.test(message)
    )
  );
}

function about(
  registry: Registry,
  method: 'GET' | 'HEAD',
  repository: string,
  reference: string,
  signal: AbortSignal
): Question {
  return {
    method,
    path: `/v2/${repository}/manifests/${reference}`,
    needs: [{repository, actions: registry.actions}],
    expect: [200, 404],
    headers: {Accept: manifestTypes.join(', ')},
    ...(isDigest(reference) && {digest: reference}),
    hot: true,
    signal
  };
}
