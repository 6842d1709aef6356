import type {Settings} from '../inputs.ts';
import type {Log} from '../log.ts';
import {askDaemon, type DaemonInfo} from '../docker/daemon.ts';
import {DockerError} from '../docker/error.ts';
import type {installDocker, InstallOptions} from '../docker/install.ts';
import {type Account, type DockerSession, signIn, type SignInAnswer} from '../docker/login.ts';
import {keepIdentityToken} from '../docker/private-config.ts';
import {adviceFor} from '../docker/run.ts';
import type {Registries} from './registries.ts';
import type {Undo} from './undo.ts';

interface Surroundings {
  readonly env: NodeJS.ProcessEnv;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly runnerTemp: string;
  readonly undo: Undo;
  readonly installer?: typeof installDocker | undefined;
}

/** Docker, ready to carry images: signed in wherever it is needed, with a daemon that answers. */
export interface ReadyDocker {
  /** The client, an absolute path. */
  readonly path: string;
  readonly configDirectory: string;
  readonly daemon: DaemonInfo;
}

/** Docker, signed in; `ready` where it is the engine. */
export interface SignedIn extends Disposable {
  readonly ready?: ReadyDocker;
}

const nobody: SignedIn = {[Symbol.dispose]: () => undefined};

/**
 * Signs docker in. The registry client has made its own handshake by now. Where that moves the
 * images, only the accounts of the inputs are signed in, and a docker that cannot answer is said and
 * passed over. Where docker is the engine it signs in with whatever the registry client found, and
 * its own yes is needed.
 * @throws DockerError when docker is the engine and cannot be
 */
export async function signInDocker(
  settings: Settings,
  registries: Registries,
  around: Surroundings
): Promise<SignedIn> {
  const {undo} = around;
  const accounts =
    settings.engine === 'docker' ? foundAccounts(settings, registries) : givenAccounts(settings);
  // Nobody to sign in, and nothing else for docker to do.
  if (settings.engine !== 'docker' && accounts.length === 0) return nobody;
  const install = installation(settings, around.env);
  let session: DockerSession;
  try {
    session = await signIn({
      ...around,
      accounts,
      keepLogin: settings.keepLogin,
      ...(install !== undefined && {install}),
      onDirectory: path => {
        undo.directory(path);
      },
      onKeptLogin: state => {
        undo.keptLogin(state);
      }
    });
  } catch (error) {
    // The registry engine needs no disk: what docker would have said is not worth the run.
    if (!(error instanceof DockerError) || error.fault !== 'config') throw error;
    if (settings.engine === 'docker' || settings.keepLogin) throw error;
    for (const {registry} of accounts)
      tell({registry, outcome: 'unavailable', reason: error.message}, around.log);
    return nobody;
  }
  around.log.debug(`the docker config of this run is ${session.configDirectory}`);
  if (settings.engine !== 'docker') {
    for (const answer of session.answers) tell(answer, around.log);
    return session;
  }
  try {
    return {...session, ready: await readyFor(session, registries, around)};
  } catch (error) {
    session[Symbol.dispose]();
    throw error;
  }
}

/**
 * Whether a client may be installed where the machine has none: only where docker has something to do
 * that nobody else can, and only where a runner has a place for tools.
 */
function installation(settings: Settings, env: NodeJS.ProcessEnv): InstallOptions | undefined {
  const {engine, keepLogin, dockerPin, dockerDownloadUrl} = settings;
  if ((engine !== 'docker' && !keepLogin) || (env.RUNNER_TOOL_CACHE ?? '') === '') return undefined;
  return {
    ...(dockerPin !== undefined && {pin: dockerPin}),
    downloadUrl: dockerDownloadUrl
  };
}

function givenAccounts({source, target}: Settings): readonly Account[] {
  return [source, target].flatMap(({registry, username, password}) =>
    username === undefined || password === undefined ? [] : [{registry, username, password}]
  );
}

/** What the registry client found, wherever: the private config of docker knows of no other place. */
function foundAccounts(settings: Settings, {source, target}: Registries): readonly Account[] {
  const given = new Set(givenAccounts(settings).map(({registry}) => registry));
  return [source, target].flatMap(({name, credentials}) =>
    credentials.kind === 'password'
      ? [
          {
            registry: name,
            username: credentials.username,
            password: credentials.password,
            // What the job's config has, it has already.
            keep: given.has(name)
          }
        ]
      : []
  );
}

function tell({registry, outcome, reason}: SignInAnswer, log: Log): void {
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

async function readyFor(
  {client, answers, configDirectory, reason}: DockerSession,
  {source, target}: Registries,
  {env, log, signal}: Surroundings
): Promise<ReadyDocker> {
  if (client === undefined) {
    throw new DockerError(
      'missing',
      `engine: docker cannot be used: ${reason?.message ?? 'there is no docker client'}`,
      reason?.advice ?? 'Install docker, or use engine: registry, which needs none.'
    );
  }
  for (const {registry, outcome, reason: why} of answers) {
    if (outcome !== 'accepted') {
      throw new DockerError(
        'registry',
        `docker ${outcome === 'refused' ? 'was refused' : 'could not sign in'} at ${registry}: ${why}`,
        adviceFor(why, registry) ??
          "The docker engine needs docker's own sign-in: see why it was not had, or use engine: registry."
      );
    }
    log.info(`docker is signed in at ${registry}`);
  }
  for (const {name, credentials} of [source, target]) {
    if (credentials.kind !== 'identity-token') continue;
    await keepIdentityToken(configDirectory, name, credentials.token);
    log.info(`docker goes to ${name} with the token from ${credentials.from}`);
  }
  const daemon = await askDaemon({docker: client.path, configDirectory, env, log, signal});
  log.info(
    `docker ${client.version}, daemon ${daemon.version} with the ${daemon.store} image store (${daemon.driver})`
  );
  return {path: client.path, configDirectory, daemon};
}
