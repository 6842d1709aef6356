import type {KeptLogin} from '../docker/kept-login.ts';
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

/** Where nothing is undone later: the run itself cleans up. */
export const noUndo: Undo = {directory: () => undefined, keptLogin: () => undefined};
