import {clean} from '../oci/clean.ts';
import type {Descriptor} from '../oci/descriptor.ts';
import {contradicts, type Digest} from '../oci/digest.ts';
import {discard} from './body.ts';
import {encodingOf} from './encoding.ts';
import {isRefusal, RegistryError} from './error.ts';
import type {Question} from './question.ts';
import type {Registry} from './registry.ts';
import type {Answer} from './transport.ts';

/** How long HEAD is tried again before GET is asked in its place, in milliseconds. */
export const headPatience = 20_000;

/** `unknown` where the registry refuses to say: then it has to be pushed, which does no harm. */
export type Presence = 'present' | 'absent' | 'unknown';

/**
 * Whether a repository has a blob, in full length.
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#checking-if-content-exists-in-the-registry
 */
export async function hasBlob(
  registry: Registry,
  repository: string,
  {digest, size}: Pick<Descriptor, 'digest' | 'size'>,
  signal: AbortSignal,
  tries: Question['tries'] = 'patient',
  asked: 'HEAD' | 'GET' = registry.learned.headRefused === true ? 'GET' : 'HEAD'
): Promise<Presence> {
  const ask = (method: 'GET' | 'HEAD') =>
    registry.ask(
      {
        ...about(registry, method, repository, digest, signal),
        expect: [200, 206, 404, 416],
        tries,
        ...(method === 'HEAD' && {own: headPatience}),
        ...(method === 'GET' && size > 0 && {headers: {Range: 'bytes=0-0'}})
      },
      discard
    );
  const byGet = () => hasBlob(registry, repository, {digest, size}, signal, tries, 'GET');
  try {
    const answer = await ask(asked);
    const has = judge(answer, digest, size);
    if (has === 'present' || asked === 'GET' || answer.status === 404) return has;
    // What stands between may tell another length to HEAD alone: it counts where bytes come with it.
    // https://github.com/yusing/godoxy/issues/169
    const seen = await byGet();
    if (seen === 'present') registry.learned.headRefused = true;
    return seen === 'unknown' ? has : seen;
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    // Something may be against HEAD alone: then GET tells, from here on.
    const refused = isRefusal(error);
    if (asked === 'HEAD' && (refused || error.fault === 'server')) {
      const has = await byGet();
      if (has !== 'unknown') registry.learned.headRefused = true;
      return has;
    }
    if (refused) return 'unknown';
    throw error;
  }
}

function judge({status, headers}: Answer, digest: Digest, size: number): 'present' | 'absent' {
  // 416: not even the first byte is there.
  if (status === 404 || status === 416) return 'absent';
  // It says itself that it holds something else there.
  if (contradicts(headers['docker-content-digest'], digest)) return 'absent';
  const total =
    status === 206
      ? /\/(\d+)$/.exec(headers['content-range'] ?? '')?.[1]
      : headers['content-length'];
  // A length that is not the blob's: half of it is stored, which is as good as nothing.
  return encodingOf(headers) === undefined && total !== undefined && Number(total) !== size
    ? 'absent'
    : 'present';
}

/** A blob's bytes from `offset` on. */
export interface OpenBlob {
  readonly answer: Answer;
  /** So many bytes come first that were not asked for, since the registry ignored the range. */
  readonly skip: number;
}

/**
 * Opens a blob for reading from `offset` up to, not including, `end`; in bytes. Where the registry refuses
 * the range, the blob comes from its start.
 * @throws RegistryError; corrupt when what is offered cannot be that blob
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-14.4
 */
export async function openBlob(
  registry: Registry,
  repository: string,
  {digest, size}: Descriptor,
  {offset, end}: {offset: number; end: number},
  signal: AbortSignal,
  tries: Question['tries'] = 'patient'
): Promise<OpenBlob> {
  const question = {...about(registry, 'GET', repository, digest, signal), tries};
  const opened = (answer: Answer): OpenBlob => {
    const {status, headers} = answer;
    const fail = (text: string) => {
      answer.body.destroy();
      return new RegistryError('corrupt', `${registry.name}/${repository}@${digest}: ${text}`, {
        host: registry.name,
        repository,
        digest
      });
    };
    if (status === 206) {
      const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers['content-range'] ?? '');
      if (range === null || Number(range[1]) !== offset) {
        throw fail(
          `bytes from ${offset} on were asked for, ${clean(headers['content-range'] ?? 'nothing said', 60)} was sent`
        );
      }
      return {answer, skip: 0};
    }
    const length = headers['content-length'];
    // Of what comes packed it is the packed length, which says nothing of the blob.
    const encoding = encodingOf(headers);
    if (encoding?.kind !== 'gzip' && length !== undefined && Number(length) !== size) {
      throw fail(
        encoding === undefined || encoding.kind === 'odd'
          ? `it has ${size} bytes by its manifest, ${clean(length, 30)} by the registry`
          : `it came with Content-Encoding ${encoding.said}, which nobody asked for`
      );
    }
    return {answer, skip: offset};
  };
  if (offset > 0 || end < size) {
    // With its end, since some take no other.
    const headers = {Range: `bytes=${offset}-${end - 1}`};
    const found = await registry.ask({...question, expect: [200, 206, 416], headers}, answer => {
      if (answer.status !== 416) return opened(answer);
      answer.body.destroy();
      return undefined;
    });
    if (found !== undefined) return found;
  }
  return await registry.ask({...question, expect: [200]}, opened);
}

function about(
  registry: Registry,
  method: 'GET' | 'HEAD',
  repository: string,
  digest: Digest,
  signal: AbortSignal
): Omit<Question, 'expect'> {
  return {
    method,
    path: `/v2/${repository}/blobs/${digest}`,
    needs: [{repository, actions: registry.actions}],
    hot: true,
    digest,
    signal
  };
}
