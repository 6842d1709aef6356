import type {Log} from '../log.ts';
import {clean} from '../oci/clean.ts';
import {type Environment, findProgram, type Outcome, ProcessError, runProcess} from '../process.ts';
import {isRecord} from './docker-config.ts';

/** What a helper had for a registry. */
export interface HelperAnswer {
  readonly username: string;
  readonly secret: string;
}

/** A helper that could not be asked, or answered nonsense. The message is clean and has no secret. */
export class HelperError extends Error {
  override readonly name = 'HelperError' as const;
}

/** In milliseconds: a helper may ask its cloud. */
const helperTimeout = 15_000;

/**
 * What is ours and no business of a helper's: the inputs, the runner's own tokens, files and state.
 * What the user put into the step's environment for it (AWS_PROFILE, GOOGLE_…) it gets, as from docker.
 */
const ours =
  /^(?:INPUT_|SOURCE_DOCKER_|TARGET_DOCKER_|STATE_|ACTIONS_|DOCKER_AUTH_CONFIG$|GITHUB_(?:ENV|OUTPUT|PATH|STATE|STEP_SUMMARY)$|NODE_OPTIONS$)/i;

/**
 * Asks `docker-credential-<name> get` for a server, as docker does: the server on its standard
 * input, JSON or an error on its standard output.
 * @returns undefined when the helper knows nothing of that server
 * @throws HelperError, the signal's reason
 * @see https://github.com/docker/docker-credential-helpers#development
 */
export async function askHelper(
  name: string,
  server: string,
  {env, log, signal}: {readonly env: Environment; readonly log: Log; readonly signal: AbortSignal}
): Promise<HelperAnswer | undefined> {
  // The name becomes that of a program.
  if (!/^[A-Za-z0-9._-]+$/.test(name)) {
    throw new HelperError(
      `${JSON.stringify(clean(name, 60))} is not the name of a credential helper`
    );
  }
  const program = `docker-credential-${name}`;
  const file = await findProgram(program, env);
  if (file === undefined) throw new HelperError(`${program} is not on PATH`);
  log.debug(`asking ${clean(file, 200)} for ${clean(server, 200)}`);
  const outcome = await run(file, server, env, signal);
  if (outcome.timedOut) throw new HelperError(`${program} did not answer within 15 s`);
  if (outcome.exitCode !== 0) {
    const said = outcome.stdout.trim() || outcome.stderr.trim();
    if (/credentials not found/i.test(said)) return undefined;
    // Should it have failed after it had printed a secret, that is not shown.
    const shown = said.includes('{') ? 'no reason that could be shown' : clean(said, 200);
    throw new HelperError(`${program} failed: ${shown === '' ? 'it said nothing' : shown}`);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(outcome.stdout);
  } catch {
    throw new HelperError(`${program} did not answer in JSON`);
  }
  const {Username: username, Secret: secret} = isRecord(parsed) ? parsed : {};
  if (typeof username !== 'string' || typeof secret !== 'string') {
    throw new HelperError(`${program} answered without Username and Secret`);
  }
  return username === '' && secret === '' ? undefined : {username, secret};
}

async function run(
  file: string,
  server: string,
  env: Environment,
  signal: AbortSignal
): Promise<Outcome> {
  const theirs = Object.fromEntries(Object.entries(env).filter(([key]) => !ours.test(key)));
  try {
    return await runProcess({
      file,
      args: ['get'],
      env: theirs,
      stdin: server,
      timeout: helperTimeout,
      signal
    });
  } catch (error) {
    if (error instanceof ProcessError) throw new HelperError(error.message, {cause: error});
    throw error;
  }
}
