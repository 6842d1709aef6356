import {heedOutput} from './output.ts';
import {EndedError, type Ending} from './time-limit.ts';

/**
 * SIGHUP is what a terminal sends when it is closed; with Ctrl-\ or Ctrl-Break, too, somebody wants out, and a
 * login must not stay behind.
 */
const endings: readonly NodeJS.Signals[] = [
  ...(['SIGINT', 'SIGTERM', 'SIGHUP'] as const),
  process.platform === 'win32' ? 'SIGBREAK' : 'SIGQUIT'
];

/** What is left to be written when all is done, such as to a slow pipe, has so long; in milliseconds. */
const lastWords = 2_000;

/**
 * A signal that aborts when the process is asked to end: SIGINT first, on a runner SIGTERM 7.5 s
 * later, and 2.5 s after that the end; or when nobody reads any more what it says. The default of
 * ending at once is taken away, so that uploads are cancelled and private files removed; a second
 * SIGINT ends at once after all.
 * @see https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-cancellation
 */
export function onCancel(): Ending {
  const controller = new AbortController();
  const cancel = (why = '') => {
    controller.abort(
      new EndedError(
        `the run was cancelled${why}`,
        'Run again: what has arrived is not sent again.'
      )
    );
  };
  // Without a terminal nobody can have closed one: what is left running (nohup) goes on.
  const {stdin, stdout, stderr} = process;
  const atTerminal = [stdin, stdout, stderr].some(({isTTY}) => isTTY);
  const asked = (name: NodeJS.Signals) => {
    if (name === 'SIGHUP' && !atTerminal) return;
    if (controller.signal.aborted && name === 'SIGINT') process.exit(130);
    cancel();
  };
  for (const name of endings) process.on(name, asked);
  heedOutput(name => {
    cancel(`, since nobody reads its ${name} any more`);
  });
  return {
    signal: controller.signal,
    end: () => {
      for (const name of endings) process.off(name, asked);
    }
  };
}

/** Ends the process a moment from now with the exit code that it has, whatever still keeps it. */
export function exitSoon(): void {
  setTimeout(() => process.exit(), lastWords).unref();
}
