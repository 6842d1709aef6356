import type {ImageFailure, ReleaseResult} from '../mirror/result.ts';
import type {Reference} from '../oci/reference.ts';

/** One side of the mirror: `mcr.microsoft.com` and `arcdata`. */
export type Side = Pick<Reference, 'registry' | 'repository'>;

/** One job of a job matrix: the inputs that make a run do one shard, and what a reader wants to know. */
export interface MatrixEntry {
  /** From 1 on, the largest first. */
  readonly shard: number;
  /** Such as `1 of 4, 612 MB`. */
  readonly name: string;
  readonly 'source-tag': string;
  readonly images: string;
  /** To be copied. */
  readonly bytes: number;
}

/** What `strategy.matrix` of a job takes. */
export interface Matrix {
  readonly include: readonly MatrixEntry[];
}

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
  /** Images were left out by name: a release need not be all that Arc runs from. */
  readonly partly?: boolean;
  /** In the order in which they were mirrored, oldest first. What was not reached is absent. */
  readonly releases: readonly ReleaseResult[];
  /** Releases that were chosen but not begun, since the run ended before; oldest first. */
  readonly unreached?: readonly string[];
  /** Why there was nothing to do, where the choice of releases came to that: one clean sentence. */
  readonly reason?: string;
  /** The absolute path of the lock file. */
  readonly lockFile: string;
  /** It was asked for, so that a run that cannot write it fails. */
  readonly lockFileAsked?: boolean;
  /** How the plan can be spread over several machines; only of a dry run whose plan was made. */
  readonly matrix?: Matrix;
  /** Why the run as a whole ended early or failed; an image's own failure stands at the image too. */
  readonly failure?: ImageFailure;
  /** Highest number of bytes of memory the process held. */
  readonly peakMemory: number;
  /** Requests sent to each side. */
  readonly requests: {readonly source: number; readonly target: number};
}
