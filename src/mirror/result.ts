import type {Digest} from '../oci/digest.ts';
import type {Reference} from '../oci/reference.ts';

/**
 * What became of an image: `copied` (something was moved, and it is tagged), `present` (all of it was
 * there), `planned` (a dry run), `staged` (moved and verified, not tagged), `failed`.
 */
export type ImageStatus = 'copied' | 'present' | 'planned' | 'staged' | 'failed';

/** Bytes of an image by the way they came to the target; in a plan, the way they will come. */
export interface Moved {
  /** Read from the source and written to the target. */
  readonly copied: number;
  /** Taken over from another repository of the target, without travelling. */
  readonly mounted: number;
  /** Already in the image's repository. */
  readonly present: number;
}

/** Why an image failed, in the words a stranger needs. All text is clean. */
export interface ImageFailure {
  /** What failed, one sentence. */
  readonly message: string;
  /** What to do next, one sentence. */
  readonly advice?: string;
  readonly host?: string;
  readonly repository?: string;
  readonly digest?: Digest;
  /** The HTTP status of the last answer. */
  readonly status?: number;
  /** How many times it was tried. */
  readonly attempts?: number;
}

/** One image of one release. */
export interface ImageResult {
  /** The release's tag at the source. */
  readonly release: string;
  /** The image's own name, such as `arc-controller`. */
  readonly name: string;
  readonly source: Reference;
  readonly target: Reference;
  /** The root's digest, the same on both sides; absent when it was never learnt. */
  readonly digest?: Digest;
  /** The root's media type; absent when it was never read. */
  readonly mediaType?: string;
  /** The platforms of an index, such as `linux/amd64`. */
  readonly platforms: readonly string[];
  readonly status: ImageStatus;
  /** Bytes of everything below the root and the root itself, each blob once. */
  readonly size: number;
  readonly bytes: Moved;
  /** From the first byte of this image to its last, in milliseconds. */
  readonly milliseconds: number;
  readonly error?: ImageFailure;
}

/** One release: published as one set, or not at all. */
export interface ReleaseResult {
  /** Its tag at the source. */
  readonly tag: string;
  /** Its tag at the target. */
  readonly targetTag: string;
  readonly images: readonly ImageResult[];
  /** Optional images that the source does not have under this tag. */
  readonly missing: readonly string[];
  /** Whether every image was verified at the target under `targetTag`. */
  readonly published: boolean;
  /** Whether a tag was created or moved. */
  readonly changed: boolean;
}
