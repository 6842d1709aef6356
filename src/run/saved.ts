import type {KeptLogin} from '../docker/kept-login.ts';
import {removePrivateConfig} from '../docker/private-config.ts';
import type {Undo} from './undo.ts';

/** The names of a step's saved state. */
export const stateNames = {directory: 'docker-config', keptLogin: 'kept-login'} as const;

/** Saves what has to be undone for the step's post part, by the runner's saved state. */
export function savedUndo(save: (name: string, value: string) => void): Undo {
  return {
    directory: path => {
      save(stateNames.directory, path);
    },
    keptLogin: (state: KeptLogin) => {
      save(stateNames.keptLogin, JSON.stringify(state));
    }
  };
}

/**
 * Undoes with the end of the process, whichever way that comes: where no later step does it, only an end
 * by force leaves something behind. A login is not kept there.
 */
export function undoAtExit(runnerTemp: string): Undo {
  return {
    directory: path => {
      process.once('exit', () => {
        try {
          removePrivateConfig(path, runnerTemp);
        } catch (error) {
          const text = `${path} holds a login and could not be removed (${(error as Error).message}): delete it.`;
          process.stderr.write(`${text}\n`);
        }
      });
    },
    keptLogin: () => undefined
  };
}

/** Where nothing is undone later: the run itself cleans up. */
export const noUndo: Undo = {directory: () => undefined, keptLogin: () => undefined};
