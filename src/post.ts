import {deadline} from './deadline.ts';
import {type KeptLogin, undoKeptLogin} from './docker/kept-login.ts';
import {notRemoved, removePrivateConfig} from './docker/private-config.ts';
import type {Log} from './log.ts';
import {clean} from './oci/clean.ts';
import {stateNames} from './run/saved.ts';

/** What the post part of a step has to go by. */
export interface PostOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly log: Log;
  readonly runnerTemp: string;
  /** The saved state of that name, empty where there is none. */
  readonly state: (name: string) => string;
}

/**
 * Undoes what outlived the run: a login that was kept for later steps, and the private docker config
 * of a run that was killed. It says what it could not undo and does not fail for it: the job is over.
 */
export async function post({env, log, runnerTemp, state}: PostOptions): Promise<void> {
  const kept = state(stateNames.keptLogin);
  const directory = state(stateNames.directory);
  try {
    if (kept !== '') {
      const signal = deadline(30_000);
      await undoKeptLogin(JSON.parse(kept) as KeptLogin, {runnerTemp, env, log, signal});
    }
  } catch (error) {
    log.warning(`the sign-in could not be undone: ${clean((error as Error).message)}`);
  }
  try {
    // Also where the job's own config cannot be put back: what lies here is a login, too.
    if (directory !== '' && removePrivateConfig(directory, runnerTemp))
      log.info('removed the private docker config of the run');
  } catch (error) {
    notRemoved(directory, error, log);
  }
}
