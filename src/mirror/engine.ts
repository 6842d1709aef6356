import type {PlannedRelease} from './plan.ts';
import type {ReleaseResult} from './result.ts';

/** How a release ended. */
export interface Ended {
  readonly result: ReleaseResult;
  /** Why it did not come to where it should; absent when it did. */
  readonly failure?: Error | undefined;
}

/** What brings releases to the target, one after the other. */
export interface Engine {
  /**
   * Brings all of a release, or nothing that anybody would see. What goes wrong is in what it gives
   * back; it does not throw for that.
   */
  release(release: PlannedRelease): Promise<Ended>;
}
