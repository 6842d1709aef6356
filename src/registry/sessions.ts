import {deadline} from '../deadline.ts';
import {algorithmOf, type Digest} from '../oci/digest.ts';
import {onAbort} from '../on-abort.ts';
import type {Need} from './authorizer.ts';
import {discard} from './body.ts';
import {isRefusal, RegistryError} from './error.ts';
import type {Question} from './question.ts';
import {judgeLocation} from './redirect.ts';
import type {Registry} from './registry.ts';
import type {Answer} from './transport.ts';

/** An upload that the registry has opened. Only its newest address is good. */
export interface Session {
  readonly url: URL;
  /** The smallest chunk that the registry takes, in bytes. */
  readonly shortestChunk: number;
}

/** How long the answer to an upload's opening is waited for after it was given up, in milliseconds. */
const lastAnswer = 2000;

/**
 * Asks the registry to take a blob over from another of its repositories, which moves no byte.
 * @returns `mounted`, or the upload that the registry opened instead; undefined where it did neither
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#mounting-a-blob-from-another-repository
 */
export async function mountBlob(
  registry: Registry,
  repository: string,
  digest: Digest,
  from: string,
  signal: AbortSignal
): Promise<'mounted' | Session | undefined> {
  const needs: Need[] = [{repository, actions: 'pull,push'}];
  if (from !== repository) needs.push({repository: from, actions: 'pull'});
  try {
    const answer = await answered(signal, late =>
      registry.ask(
        {
          method: 'POST',
          // In case that it opens an upload, which then has to know what it will be checked by.
          path: `/v2/${repository}/blobs/uploads/?mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}${algorithmParameter('&', digest)}`,
          needs,
          expect: [201, 202],
          // There is another way: an upload.
          own: 10_000,
          hot: true,
          digest,
          signal: late
        },
        discard
      )
    );
    return answer.status === 201 ? 'mounted' : sessionOf(answer);
  } catch (error) {
    // Whatever a registry has against a mount, it may still take an upload.
    if (error instanceof RegistryError && error.fault !== 'unsafe') {
      registry.log.debug(`not mounted: ${error.message}`);
      return undefined;
    }
    throw error;
  }
}

/**
 * Opens an upload.
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-a-blob-in-chunks
 */
export async function openUpload(
  registry: Registry,
  repository: string,
  digest: Digest,
  signal: AbortSignal,
  tries: Question['tries'] = 'patient'
): Promise<Session> {
  const answer = await answered(signal, late =>
    registry.ask(
      {
        method: 'POST',
        path: `/v2/${repository}/blobs/uploads/${algorithmParameter('?', digest)}`,
        needs: [{repository, actions: 'pull,push'}],
        expect: [202],
        tries,
        hot: true,
        digest,
        signal: late
      },
      discard
    )
  );
  return sessionOf(answer);
}

/** Says the algorithm of a digest where it is not the usual one. */
function algorithmParameter(before: '?' | '&', digest: Digest): string {
  const algorithm = algorithmOf(digest);
  return algorithm === 'sha256' ? '' : `${before}digest-algorithm=${algorithm}`;
}

/**
 * Asks for what may open an upload. When it is given up meanwhile, the answer is still waited for,
 * for a moment: without it nobody could cancel what was opened.
 */
async function answered<T>(
  signal: AbortSignal,
  ask: (late: AbortSignal) => Promise<T>
): Promise<T> {
  signal.throwIfAborted();
  return await ask(lateOf(signal));
}

const lates = new WeakMap<AbortSignal, AbortSignal>();

/** The same signal a moment later, one for all that ask for it. */
function lateOf(signal: AbortSignal): AbortSignal {
  let late = lates.get(signal);
  if (late === undefined) {
    const controller = new AbortController();
    onAbort(signal, () => {
      setTimeout(() => {
        controller.abort(signal.reason);
      }, lastAnswer).unref();
    });
    late = controller.signal;
    lates.set(signal, late);
  }
  return late;
}

/** How long an upload is cancelled, in milliseconds: a cancelled run has little time left. */
const cancelTime = 2000;

/** Tells the registry that an upload will not go on. Best effort: some registries cannot. */
export async function cancelUpload(
  registry: Registry,
  repository: string,
  {url}: Session
): Promise<void> {
  const signal = deadline(cancelTime);
  const push: Need = {repository, actions: 'pull,push'};
  const ask = (method: 'DELETE' | 'GET', path: URL, expect: readonly number[], needs: Need[]) =>
    registry.ask({method, path, needs, expect, own: cancelTime, signal}, discard);
  const end = async (at: URL, expect: readonly number[]) => {
    // Whoever may push may not delete for that, and distribution takes this for deleting.
    const remove: Need = {repository, actions: 'delete'};
    return await ask('DELETE', at, expect, [push, remove]).catch((error: unknown) => {
      // Some token servers do not want to hear of that right.
      if (isRefusal(error)) return ask('DELETE', at, expect, [push]);
      throw error;
    });
  };
  try {
    const gone = [200, 202, 204, 404, 405];
    const {status} = await end(url, [...gone, 400, 416]);
    if (status !== 400 && status !== 404 && status !== 416) return;
    // The address may be the one of before the last bytes, by which distribution finds nothing; it tells
    // the one of now.
    const answer = await ask('GET', url, [204, 400, 404, 405, 416], [push]);
    if (answer.status === 204) await end(sessionOf(answer, {url, shortestChunk: 0}).url, gone);
  } catch {
    registry.log.debug(`an upload at ${registry.name}/${repository} could not be cancelled`);
  }
}

/**
 * The upload that an answer speaks of. @throws RegistryError of the kind corrupt or unsafe
 */
export function sessionOf({headers, url}: Answer, before?: Session): Session {
  const {location} = headers;
  // An answer to a chunk may leave it out: then the address stays.
  const next =
    location === undefined && before !== undefined ? before.url : judgeLocation(location, url);
  const told = headers['oci-chunk-min-length'];
  // However much that is, the last chunk may be smaller: then the blob goes up whole.
  const least = typeof told === 'string' && /^\d{1,12}$/.test(told) ? Number(told) : 0;
  return {url: next, shortestChunk: Math.max(least, before?.shortestChunk ?? 0)};
}
