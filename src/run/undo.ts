import type {KeptLogin} from '../docker/kept-login.ts';

/** Told of what outlives the run, before it exists, so that a later step can undo it. */
export interface Undo {
  /** A private docker config. */
  directory(path: string): void;
  /** A login that was kept in the job's own docker config. */
  keptLogin(state: KeptLogin): void;
}
