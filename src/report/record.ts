import type {ImageFailure, ReleaseResult} from '../mirror/result.ts';
import type {Reference} from '../oci/reference.ts';

/** One side of the mirror: `mcr.microsoft.com` and `arcdata`. */
export type Side = Pick<Reference, 'registry' | 'repository'>;

/** All that is known of a run when it ends: outputs, summary, annotations and lock file come from this. */
export interface RunRecord {
  readonly startedAt: Date;
  readonly finishedAt: Date;
  readonly source: Side;
  readonly target: Side;
  readonly engine: 'registry' | 'docker';
  readonly dryRun: boolean;
  /** Whether tags were to be pushed. */
  readonly publish: boolean;
  /** In the order in which they were mirrored, oldest first. What was not reached is absent. */
  readonly releases: readonly ReleaseResult[];
  /** Releases that were chosen but not begun, since the run ended before; oldest first. */
  readonly unreached?: readonly string[];
  /** Why there was nothing to do, where the choice of releases came to that: one clean sentence. */
  readonly reason?: string;
  /** The absolute path of the lock file. */
  readonly lockFile: string;
  /** Why the run as a whole ended early or failed; an image's own failure stands at the image too. */
  readonly failure?: ImageFailure;
  /** Highest number of bytes of memory the process held. */
  readonly peakMemory: number;
  /** Requests sent to each side. */
  readonly requests: {readonly source: number; readonly target: number};
}
