import {dirname} from 'node:path';

import type {Log} from '../log.ts';
import {clean} from '../oci/clean.ts';
import type {RegistryName} from '../oci/reference.ts';
import {dockerConfigFile} from '../registry/docker-config.ts';
import {type Environment, type Outcome, ProcessError, runProcess} from '../process.ts';
import {DockerError} from './error.ts';

/** How docker is to be run. */
export interface DockerCall {
  /** The client, an absolute path. */
  readonly docker: string;
  /** The DOCKER_CONFIG directory; docker's own choice when absent. */
  readonly configDirectory?: string;
  /** Our environment; docker gets what `dockerEnvironment` lets through. */
  readonly env: Environment;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** In milliseconds. */
  readonly timeout: number;
  /** What an image may take of which this is one command, in milliseconds; `timeout` is what is left. */
  readonly imageTimeout?: number;
  /** The registry that docker talks to by this command. */
  readonly registry?: RegistryName;
}

/** How a docker command ended; its texts are as docker wrote them, not clean. */
export type DockerOutcome = Outcome;

/** What docker needs to find its way: itself, its daemon, proxies, the keyrings of its helpers. */
const allowed = new Set(
  `PATH PATHEXT HOME USERPROFILE HOMEDRIVE HOMEPATH APPDATA LOCALAPPDATA PROGRAMDATA PROGRAMFILES
  SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC TMPDIR TEMP TMP LANG LC_ALL USER USERNAME LOGNAME
  DOCKER_HOST DOCKER_CONTEXT DOCKER_TLS DOCKER_TLS_VERIFY DOCKER_CERT_PATH DOCKER_API_VERSION DOCKER_CONFIG
  HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY SSL_CERT_FILE SSL_CERT_DIR XDG_RUNTIME_DIR SSH_AUTH_SOCK
  DBUS_SESSION_BUS_ADDRESS GNUPGHOME PASSWORD_STORE_DIR RUNNER_TRACKING_ID`.split(/\s+/)
);

/**
 * The environment of every docker command: what is on the list and nothing else, so that no input,
 * token or password of the step is in it. By RUNNER_TRACKING_ID the runner finds what a killed step
 * left running.
 */
export function dockerEnvironment(
  env: Environment,
  configDirectory?: string
): Readonly<Record<string, string>> {
  const kept = Object.entries(env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && allowed.has(entry[0].toUpperCase())
  );
  return {
    ...Object.fromEntries(kept),
    ...(configDirectory !== undefined && {DOCKER_CONFIG: configDirectory, ...certificates(env)}),
    // Advertisements of the client's.
    DOCKER_CLI_HINTS: 'false'
  };
}

/**
 * Where docker finds its certificates for a daemon behind TLS: unless told, in its config directory,
 * which is the job's own.
 */
function certificates(env: Environment): Readonly<Record<string, string>> {
  const given = (name: string) => (env[name] ?? '') !== '';
  const wanted = given('DOCKER_TLS') || given('DOCKER_TLS_VERIFY');
  if (!wanted || given('DOCKER_CERT_PATH')) return {};
  return {DOCKER_CERT_PATH: dirname(dockerConfigFile(env))};
}

/**
 * Runs one docker command; the one place where that is done. What docker printed is handed back,
 * never shown as it is.
 * @param stdin the only way that a secret may take
 * @throws DockerError (`missing`, `timeout`), the signal's reason; a non-zero exit is handed back
 */
export async function runDocker(
  args: readonly string[],
  call: DockerCall,
  stdin?: string,
  capture?: number
): Promise<DockerOutcome> {
  const {docker, configDirectory, env, log, signal, timeout, imageTimeout, registry} = call;
  const shown = clean(`docker ${args.join(' ')}`, 300);
  log.debug(shown);
  let outcome: Outcome;
  try {
    outcome = await runProcess({
      file: docker,
      args,
      env: dockerEnvironment(env, configDirectory),
      timeout,
      signal,
      ...(stdin !== undefined && {stdin}),
      ...(capture !== undefined && {capture})
    });
  } catch (error) {
    if (!(error instanceof ProcessError)) throw error;
    throw new DockerError(
      'missing',
      error.message,
      'Install a docker client that runs on this machine.',
      {cause: error}
    );
  }
  if (outcome.timedOut) {
    const seconds = Math.round((imageTimeout ?? timeout) / 1000);
    throw new DockerError(
      'timeout',
      imageTimeout === undefined
        ? `${shown} did not end within ${seconds} s and was stopped`
        : `${shown} was stopped: the ${seconds} s that the image may take were over`,
      'See whether the docker daemon answers (docker info), and look at its log.',
      {host: registry}
    );
  }
  return outcome;
}

/**
 * Runs a docker command that must succeed, and hands back its standard output.
 * @throws DockerError with the last lines of what docker said on any non-zero exit
 */
export async function succeed(
  args: readonly string[],
  call: DockerCall,
  capture?: number
): Promise<string> {
  const outcome = await runDocker(args, call, undefined, capture);
  if (outcome.exitCode === 0) return outcome.stdout;
  throw failureOf(args, outcome, call);
}

/** A command that did not succeed, with the last lines of what docker said. */
export function failureOf(
  args: readonly string[],
  outcome: DockerOutcome,
  {registry: host}: Pick<DockerCall, 'registry'>
): DockerError {
  const said = lastSaid(outcome);
  const denied = denial.test(said) && host !== undefined;
  return new DockerError(
    faultIn(said),
    `docker ${args.join(' ')} failed (${exitOf(outcome)}): ${said}`,
    adviceFor(said, host ?? 'the registry') ??
      (denied ? `Check what the account may do at ${host}.` : undefined),
    {host}
  );
}

/**
 * What to do about a failure that docker told in these words, where they say it. What the registry
 * client was told (a CA, plain http) is not the daemon's: it has to be told by itself.
 * @param host the registry's name
 */
export function adviceFor(said: string, host: string): string | undefined {
  if (daemonTrouble.test(said)) return 'Start the docker daemon, or point DOCKER_HOST at one.';
  if (/x509|certificate/i.test(said)) {
    return `The docker daemon must believe the registry's CA: put it into /etc/docker/certs.d/${host}/ca.crt on the daemon's own machine; ca-file serves the registry client alone.`;
  }
  if (/server gave HTTP response to HTTPS client/i.test(said)) {
    return `The docker daemon speaks https there: name ${host} under insecure-registries in its daemon.json too, and restart it.`;
  }
  if (/no space left on device/i.test(said)) {
    return 'Make room there (docker system prune), or use engine: registry, which needs no disk.';
  }
  return undefined;
}

/** The end of a command in words: `exit code 1`. */
export function exitOf({exitCode}: DockerOutcome): string {
  return exitCode === null ? 'ended by a signal' : `exit code ${exitCode}`;
}

/**
 * The last of what docker said, clean and on one line, its error output first; `secrets` are taken
 * out before the cut.
 */
export function lastSaid(outcome: DockerOutcome, secrets: readonly string[] = []): string {
  const text = outcome.stderr.trim() === '' ? outcome.stdout : outcome.stderr;
  const redacted = secrets
    .filter(secret => secret !== '')
    .reduce((rest, secret) => rest.replaceAll(secret, '***'), text);
  const lines = redacted
    .replace(query, '')
    .split(/\r?\n|\r/)
    .map(line => line.trim())
    .filter(line => line !== '' && !noise.test(line));
  return clean(lines.slice(-4).join(' '), 400) || 'it said nothing';
}

/** What follows an address: a signed one carries its signature there. It would also fill the place of the reason. */
const query = /(?<=https?:\/\/[^\s"'?]+)\?[^\s"']*?(?=:?(?:[\s"']|$))/g;

/** What docker prints at every login, whatever comes of it. */
const noise =
  /^WARNING! (?:Your (?:password|credentials) |Using --password)|^Configure a credential helper|^https:\/\/docs\.docker\.com\/|^See 'docker .*--help'/;

/** What kind of failure docker's own words tell of. */
export function faultIn(said: string): 'daemon' | 'registry' | 'space' | 'failed' {
  if (daemonTrouble.test(said)) return 'daemon';
  if (/no space left on device/i.test(said)) return 'space';
  if (registryTrouble.test(said)) return 'registry';
  return 'failed';
}

const daemonTrouble =
  /cannot connect to the docker daemon|is the docker daemon running|failed to connect to the docker API|docker daemon socket|docker_engine|error during connect|unable to resolve docker endpoint|context ["'].*["'] (?:does not exist|not found)/i;

/** A registry's no; not that of a file system. */
const denial = /unauthorized|no basic auth|(?<!permission )denied|forbidden/i;

const registryTrouble =
  /unauthorized|no basic auth|denied|forbidden|x509|certificate|no such host|connection refused|timeout|manifest unknown|not found|status: [45]\d\d|toomanyrequests|too many requests|http: server gave HTTP response/i;
