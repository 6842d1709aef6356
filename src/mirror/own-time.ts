import {deadline} from '../deadline.ts';
import {onAbort} from '../on-abort.ts';

/** How long something may take, in milliseconds: as a rule, and once the run was cancelled. */
export interface OwnTime {
  readonly usual: number;
  readonly cancelled: number;
}

/**
 * A signal for what is put right when the work has ended, however it ended: the run's own may be aborted
 * by then. Once the run is cancelled there is little time left, also where that comes in the midst of it.
 */
export function ownTime(run: AbortSignal, {usual, cancelled}: OwnTime): AbortSignal {
  if (run.aborted) return deadline(cancelled);
  const late = new AbortController();
  onAbort(run, () => {
    setTimeout(() => {
      late.abort(run.reason);
    }, cancelled).unref();
  });
  return deadline(usual, late.signal);
}
