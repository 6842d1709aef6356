import {dirname} from 'node:path';

import type {Log} from '../log.ts';
import type {RegistryName} from '../oci/reference.ts';
import type {Environment} from '../process.ts';
import {dockerConfigFile, dockerServer} from '../registry/docker-config.ts';
import {userPass} from '../user-pass.ts';
import {DockerError} from './error.ts';
import {type DockerClient, findDocker, useDocker} from './find.ts';
import type {installDocker, InstallOptions} from './install.ts';
import {beforeKeptLogin, type KeptLogin} from './kept-login.ts';
import {makePrivateConfig, notRemoved, removePrivateConfig} from './private-config.ts';
import {type DockerOutcome, exitOf, lastSaid, runDocker} from './run.ts';

/** Who signs in where. */
export interface Account {
  readonly registry: RegistryName;
  readonly username: string;
  readonly password: string;
  /** Whether a kept login is for this one too; it is when absent. */
  readonly keep?: boolean;
}

/**
 * What docker said to an account: `accepted`; `refused`, the credentials are wrong; `unavailable`,
 * docker could not find out, which says nothing about the credentials.
 */
export interface SignInAnswer {
  readonly registry: RegistryName;
  readonly outcome: 'accepted' | 'refused' | 'unavailable';
  /** Why, clean; empty when accepted. */
  readonly reason: string;
}

/** What signing in needs. */
export interface SignInOptions {
  readonly accounts: readonly Account[];
  /** Where the private config goes: the runner's temp, or the system's. */
  readonly runnerTemp: string;
  readonly env: Environment;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** The client, an absolute path; searched on PATH when absent. */
  readonly docker?: string;
  /** Allows a client to be installed where PATH has none that can be used. */
  readonly install?: InstallOptions;
  /** How: only a runner has a place for tools, so a terminal does without the code, too. */
  readonly installer?: typeof installDocker | undefined;
  /** Signs in to the job's own docker config too. `undoKeptLogin` signs out. */
  readonly keepLogin?: boolean;
  /** For one login, in milliseconds. */
  readonly timeout?: number;
  /** Told of the private directory before it exists. */
  readonly onDirectory?: (path: string) => void;
  /** Told what will have to be undone, before the job's own config is touched. */
  readonly onKeptLogin?: (state: KeptLogin) => void;
}

/** Docker, signed in. Disposal removes the private config, and says where it could not. */
export interface DockerSession extends Disposable {
  /** The private DOCKER_CONFIG directory. */
  readonly configDirectory: string;
  /** Undefined when there is none that can be used. */
  readonly client: DockerClient | undefined;
  /** Why there is none. */
  readonly reason?: DockerError;
  /** One an account, in their order. */
  readonly answers: readonly SignInAnswer[];
}

const loginTimeout = 60_000;

/**
 * Signs in by `docker login --password-stdin`, one account after the other, into a private docker
 * config. That docker cannot answer is no error: each account has its answer.
 * @throws DockerError `config` when no private config can be made, or the job's own cannot be kept;
 * the signal's reason. Then nothing is left behind but what undoes a kept login.
 */
export async function signIn(options: SignInOptions): Promise<DockerSession> {
  const {accounts, runnerTemp, env, log, onDirectory} = options;
  for (const account of accounts) {
    log.secret(account.password);
    log.secret(userPass(account));
  }
  const configDirectory = await makePrivateConfig({runnerTemp, env, onDirectory});
  let kept: KeptLogin | undefined;
  const cleanUp = () => {
    // What undoes a kept login lies there, until post.
    if (kept !== undefined) return;
    // How the run has ended counts for more.
    try {
      removePrivateConfig(configDirectory, runnerTemp);
    } catch (error) {
      notRemoved(configDirectory, error, log);
    }
  };
  try {
    const client = await clientFor(options);
    const answers: SignInAnswer[] = [];
    // One by one: docker reads, changes and writes its config at each.
    for (const account of accounts) {
      answers.push(
        client instanceof DockerError
          ? unavailable(account, client.message)
          : await login(account, client, configDirectory, options)
      );
    }
    if (options.keepLogin === true) {
      accounts.forEach(({registry, keep}, index) => {
        const {outcome, reason = ''} = answers[index] ?? {};
        if (keep !== false && outcome !== 'accepted') notKept(registry, reason, log);
      });
    }
    if (options.keepLogin === true && !(client instanceof DockerError)) {
      const good = accounts.filter(
        (account, index) => account.keep !== false && answers[index]?.outcome === 'accepted'
      );
      kept = await beforeKeptLogin(
        good.map(({registry}) => registry),
        configDirectory,
        env
      );
      options.onKeptLogin?.(kept);
      await keep(good, kept, client, options);
    }
    return {
      configDirectory,
      ...(client instanceof DockerError ? {client: undefined, reason: client} : {client}),
      answers,
      [Symbol.dispose]: cleanUp
    };
  } catch (error) {
    cleanUp();
    throw error;
  }
}

/** The given client, the one on PATH, else an installed one; or why there is none. */
async function clientFor(options: SignInOptions): Promise<DockerClient | DockerError> {
  const {docker, install, installer, log, signal} = options;
  let trouble: DockerError;
  try {
    const found =
      docker === undefined ? await findDocker(options) : await useDocker(docker, options);
    if (found !== undefined) return found;
    trouble = new DockerError('missing', 'there is no docker client on PATH');
  } catch (error) {
    if (!(error instanceof DockerError)) throw error;
    trouble = error;
  }
  if (install === undefined || installer === undefined) return trouble;
  try {
    return await installer({...install, log, signal});
  } catch (error) {
    if (!(error instanceof DockerError)) throw error;
    return new DockerError('install', `${trouble.message}, and ${error.message}`, error.advice);
  }
}

async function login(
  {registry, username, password}: Account,
  client: DockerClient,
  configDirectory: string,
  {env, log, signal, timeout = loginTimeout}: SignInOptions
): Promise<SignInAnswer> {
  const call = {docker: client.path, configDirectory, env, log, signal, timeout};
  const args = ['login', '--username', username, '--password-stdin', dockerServer(registry)];
  try {
    const outcome = await runDocker(args, call, password);
    if (outcome.exitCode === 0) return {registry, outcome: 'accepted', reason: ''};
    return judge({registry, username, password}, outcome);
  } catch (error) {
    if (!(error instanceof DockerError)) throw error;
    return unavailable({registry}, error.message);
  }
}

/** Where docker's words leave a doubt, nothing is said about the credentials. */
function judge({registry, username, password}: Account, outcome: DockerOutcome): SignInAnswer {
  const said = lastSaid(outcome, [password, userPass({username, password})]);
  const reason = `docker login failed (${exitOf(outcome)}): ${said}`;
  // A registry's name may hold any of the words.
  const words = said.replaceAll(registry, '');
  const refused = !elsewhere.test(words) && wrong.test(words);
  return {registry, outcome: refused ? 'refused' : 'unavailable', reason};
}

/** Troubles that have words in common with a refusal, but are docker's own or the network's. */
const elsewhere =
  /x509|certificate|docker daemon|docker\.sock|dial |lookup |no such host|timeout|saving credentials|storing credentials|proxyconnect|config\.json|status(?: code)?:? 5\d\d/i;

const wrong =
  /unauthorized|\b401\b|\b403\b|incorrect username or password|authentication required|access .*denied|access forbidden|denied:|invalid (?:username|user name|password|credentials)/i;

function unavailable({registry}: Pick<Account, 'registry'>, reason: string): SignInAnswer {
  return {registry, outcome: 'unavailable', reason};
}

/** Signs in once more, to the job's own config, where that can be undone. */
async function keep(
  accounts: readonly Account[],
  kept: KeptLogin,
  client: DockerClient,
  options: SignInOptions
): Promise<void> {
  const directory = dirname(dockerConfigFile(options.env));
  for (const account of accounts) {
    if (!kept.registries.includes(account.registry)) {
      options.log.notice(
        `The job's docker config has a login for ${account.registry} with a credential helper already; it is left as it is.`
      );
      continue;
    }
    const {outcome, reason} = await login(account, client, directory, options);
    if (outcome !== 'accepted') notKept(account.registry, reason, options.log);
  }
}

/** Without docker's yes there is nothing to keep: a later step would fail, and nobody would know why. */
function notKept(registry: RegistryName, reason: string, log: Log): void {
  log.warning(`Later steps will not be signed in to ${registry} (keep-login): ${reason}`);
}
