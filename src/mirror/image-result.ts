import type {Descriptor} from '../oci/descriptor.ts';
import type {RegistryName} from '../oci/reference.ts';
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

/** What is told of an image beside what the plan knows. */
type ImageEnd = Pick<
  ImageResult,
  'status' | 'bytes' | 'milliseconds' | 'throughDocker' | 'error'
> & {
  /** The root at the target, where it is not the source's. */
  readonly root?: Pick<Descriptor, 'digest' | 'mediaType'> | undefined;
};

/** One image as it is reported. */
export function imageResult(
  {image}: PlannedImage,
  names: {source: RegistryName; target: RegistryName},
  {root, milliseconds, ...end}: ImageEnd
): ImageResult {
  const {descriptor} = image.root;
  const {digest, mediaType} = root ?? descriptor;
  return {
    release: image.release,
    name: image.name,
    source: {registry: names.source, ...image.source, digest: descriptor.digest},
    target: {registry: names.target, ...image.target, digest},
    digest,
    mediaType,
    platforms: image.platforms,
    size: image.size,
    milliseconds: Math.round(milliseconds),
    ...end
  };
}
