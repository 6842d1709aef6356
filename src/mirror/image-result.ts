import type {RegistryName} from '../oci/reference.ts';
import {failureOf} from './error.ts';
import type {PlannedImage, PlannedRelease} from './plan.ts';
import type {ImageResult, ImageStatus, Moved, ReleaseResult} from './result.ts';

/** What became of an image that did not fail. */
export function statusOf(
  {copied, mounted}: Moved,
  {standing, image}: PlannedImage,
  published: boolean
): ImageStatus {
  const moved = copied + mounted > 0 || standing.tagged !== image.root.descriptor.digest;
  if (!moved) return 'present';
  return published ? 'copied' : 'staged';
}

/** A release as a dry run reports it. */
export function plannedResult(
  {tag, targetTag, images, missing}: PlannedRelease,
  names: {source: RegistryName; target: RegistryName}
): ReleaseResult {
  const results = images.map(planned =>
    imageResult(planned, names, {
      status: planned.complete ? 'present' : 'planned',
      bytes: planned.bytes,
      milliseconds: 0
    })
  );
  return {
    tag,
    targetTag,
    missing,
    images: results,
    published: images.every(({complete}) => complete),
    changed: false
  };
}

/** One image as it is reported. */
export function imageResult(
  {image}: PlannedImage,
  names: {source: RegistryName; target: RegistryName},
  end: Pick<ImageResult, 'status' | 'bytes' | 'milliseconds'> & {error?: unknown}
): ImageResult {
  const {descriptor} = image.root;
  return {
    release: image.release,
    name: image.name,
    source: {registry: names.source, ...image.source, digest: descriptor.digest},
    target: {registry: names.target, ...image.target, digest: descriptor.digest},
    digest: descriptor.digest,
    mediaType: descriptor.mediaType,
    platforms: image.platforms,
    status: end.status,
    size: image.size,
    bytes: end.bytes,
    milliseconds: Math.round(end.milliseconds),
    ...(end.error !== undefined && {error: failureOf(end.error)})
  };
}
