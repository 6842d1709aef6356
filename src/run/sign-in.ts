import type {Settings} from '../inputs.ts';
import type {Log} from '../log.ts';
import {type Account, type DockerSession, signIn} from '../docker/login.ts';
import type {Undo} from './undo.ts';

interface Surroundings {
  readonly env: NodeJS.ProcessEnv;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly runnerTemp: string;
  readonly undo: Undo;
}

/**
 * Signs docker in wherever a name and password were given. The registry client has made its own
 * handshake with the same credentials by now, so a docker that cannot answer is said and passed over.
 */
export async function signInDocker(
  settings: Settings,
  around: Surroundings
): Promise<DockerSession> {
  const {env, log, signal, runnerTemp, undo} = around;
  const accounts = [settings.source, settings.target].flatMap(
    ({registry, username, password}): Account[] =>
      username === undefined || password === undefined ? [] : [{registry, username, password}]
  );
  const session = await signIn({
    accounts,
    runnerTemp,
    env,
    log,
    signal,
    keepLogin: settings.keepLogin,
    onDirectory: path => {
      undo.directory(path);
    },
    onKeptLogin: state => {
      undo.keptLogin(state);
    }
  });
  for (const {registry, outcome, reason} of session.answers) {
    if (outcome === 'accepted') log.info(`docker is signed in at ${registry}`);
    else if (outcome === 'refused')
      log.warning(
        `docker was refused at ${registry}: ${reason}; the registry client's own handshake was accepted, and it moves the images`
      );
    else
      log.info(
        `docker could not sign in at ${registry}: ${reason}; the registry client's own handshake decides`
      );
  }
  return session;
}
