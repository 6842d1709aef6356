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
  /** The class of the error, and its fault where it has one, such as `RegistryError/address`. */
  readonly kind?: string;
}

/** What a docker daemon made of an image that went through it. */
export interface ThroughDocker {
  /**
   * `kept`, the digest is the source's; `one-platform`, of an index one manifest arrived, unchanged;
   * `rewritten`, the daemon made another manifest of the same content.
   */
  readonly fate: 'kept' | 'one-platform' | 'rewritten';
  /** What travelled, such as `linux/amd64`; of an index nothing else did unless it was kept. */
  readonly platform: string;
}

/** One image of one release. */
export interface ImageResult {
  /** The release's tag at the source. */
  readonly release: string;
  /** The image's own name, such as `arc-controller`. */
  readonly name: string;
  readonly source: Reference;
  readonly target: Reference;
  /**
   * The root's digest at the target; absent when it was never learnt. The source's is the same, or
   * stands in `source` where docker has changed it.
   */
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
  /** Absent where no daemon was between. */
  readonly throughDocker?: ThroughDocker;
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
