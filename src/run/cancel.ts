import {EndedError, type TimeLimit} from './time-limit.ts';

/**
 * A signal that aborts when the process is asked to end: SIGINT first, on a runner SIGTERM 7.5 s
 * later, and 2.5 s after that the end. The default of ending at once is taken away, so that uploads
 * are cancelled and private files removed; a second SIGINT ends at once after all.
 * @see https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-cancellation
 */
export function onCancel(): TimeLimit {
  const controller = new AbortController();
  const cancel = (name: NodeJS.Signals) => {
    if (controller.signal.aborted && name === 'SIGINT') process.exit(130);
    controller.abort(
      new EndedError('the run was cancelled', 'Run again: what has arrived is not sent again.')
    );
  };
  process.on('SIGINT', cancel);
  process.on('SIGTERM', cancel);
  return {
    signal: controller.signal,
    end: () => {
      process.off('SIGINT', cancel);
      process.off('SIGTERM', cancel);
    }
  };
}
