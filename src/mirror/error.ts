import {clean} from '../oci/clean.ts';
import type {Digest} from '../oci/digest.ts';
import {RegistryError} from '../registry/error.ts';
import type {Registry} from '../registry/registry.ts';
import type {ImageFailure, ImageResult, ImageStatus} from './result.ts';

/**
 * What kind of failure it was:
 * `source` the set cannot be mirrored as it is at the source; `request` what was asked for does not go
 * together; `half` a release is not whole; `docker` the daemon made something else of an image.
 */
export type MirrorFault = 'source' | 'request' | 'half' | 'docker';

/** The set cannot be mirrored as it is; the message says which image and why. */
export class MirrorError extends Error {
  override readonly name = 'MirrorError' as const;
  readonly fault: MirrorFault;
  readonly advice: string | undefined;
  /** What the target keeps of it that was meant to go back, as a sentence. */
  readonly kept: string | undefined;
  constructor(
    message: string,
    advice?: string,
    {
      fault = 'source',
      cause,
      kept
    }: {
      readonly fault?: MirrorFault;
      readonly cause?: unknown;
      readonly kept?: string | undefined;
    } = {}
  ) {
    super(message, cause === undefined ? undefined : {cause});
    this.fault = fault;
    this.advice = advice;
    this.kept = kept;
  }
}

/** Any error as what a report says of it. */
export function failureOf(error: unknown): ImageFailure {
  if (error instanceof RegistryError) {
    const {message, advice, host, repository, digest, status, attempts} = error;
    return {
      message,
      host,
      attempts,
      kind: kindOf(error),
      ...(advice !== undefined && {advice}),
      ...(repository !== undefined && {repository}),
      ...(digest !== undefined && {digest}),
      ...(status !== undefined && {status})
    };
  }
  const {message, advice, host} = error as {message?: unknown; advice?: unknown; host?: unknown};
  return {
    message: clean(typeof message === 'string' ? message : String(error), 1000),
    ...(typeof advice === 'string' && {advice}),
    ...(typeof host === 'string' && {host}),
    kind: kindOf(error)
  };
}

/** `DockerError/space`: names that this house gave, never a word from outside. */
function kindOf(error: unknown): string {
  const {name, fault} = error as {name?: unknown; fault?: unknown};
  const known = typeof name === 'string' ? name : 'Error';
  return typeof fault === 'string' ? `${known}/${fault}` : known;
}

/**
 * The failure of an image whose own tag was not refused: a tag that cannot be set is a failure of each
 * image whose tag was to be moved with it.
 * @param repository the image's, at the target
 * @param left whether its tag was moved, and could not be put back
 */
export function untagged(repository: string, error: unknown, left: boolean): unknown {
  if (!(error instanceof RegistryError) || error.repository === undefined) return error;
  if (error.repository === repository) return error;
  return new MirrorError(
    left
      ? `${repository} has its tag, which could not be put back when that of ${error.repository} could not be set`
      : `${repository} is there without its tag, since that of ${error.repository} could not be set`,
    undefined,
    {fault: 'half'}
  );
}

/**
 * A release that is not whole is not published; what is told says what the target has of it.
 * @param left where all had arrived and not all tags could be set: the images whose tags were moved, and
 *   could not be put back
 */
export function refuseHalf(
  release: string,
  images: readonly Pick<ImageResult, 'name' | 'status' | 'error'>[],
  left?: readonly string[]
): MirrorError {
  const named = (wanted: ImageStatus) =>
    images.filter(({status}) => status === wanted).map(({name}) => name);
  const failed = named('failed');
  // With all that is below them, since before this run.
  const standing = named('present');
  const kept =
    left === undefined || left.length === 0
      ? undefined
      : left.includes('arc-controller')
        ? `The target took the tags of ${left.join(', ')} and could not be made to go back: Arc may take the release for whole, since it looks at that of arc-controller.`
        : `The target took the tags of ${left.join(', ')} and could not be made to go back; Arc looks at that of arc-controller only.`;
  const stands =
    standing.length === 0
      ? 'No tag at the target stands for it.'
      : `The tags of ${some(standing)} stand there already; Arc looks at that of arc-controller only.`;
  // What a registry refuses it will refuse the next time, too.
  const refused = images.some(({error}) => lasting.test(error?.kind ?? ''));
  const again = refused ? 'Mend the reason that the images tell, then run again' : 'Run again';
  return new MirrorError(
    left === undefined
      ? `${release} is not published: ${failed.length === 1 ? 'one image' : `${failed.length} images`} failed (${some(failed)})`
      : `${release} is not published: all of it is there, but not all tags could be set`,
    `${kept ?? stands} ${again}: what has arrived is not sent again.`,
    {fault: 'half', kept}
  );
}

/**
 * What the target took and does not have.
 * @param how it came there, such as `took it twice`
 */
export function notKept(
  {name}: Pick<Registry, 'name'>,
  repository: string,
  digest: Digest,
  how: string
): RegistryError {
  return new RegistryError(
    'corrupt',
    `${name}/${repository} does not have ${digest}, though it ${how}`,
    {
      host: name,
      repository,
      digest,
      advice:
        "Look into the registry's storage and its replicas; one that answers from a cache has to be restarted after its garbage collection."
    }
  );
}

/** Kinds of failures that do not pass by themselves. */
const lasting = /^RegistryError\/(?:denied|unauthorized|refused|unsafe|certificate)$/;

/** A few of many names: all of them stand in the table. */
function some(names: readonly string[]): string {
  const most = 4;
  return names.length <= most
    ? names.join(', ')
    : `${names.slice(0, most - 1).join(', ')} and ${names.length - most + 1} more`;
}
