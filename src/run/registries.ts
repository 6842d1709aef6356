import type {Settings} from '../inputs.ts';
import type {Log} from '../log.ts';
import {clean} from '../oci/clean.ts';
import {type RegistryName, within} from '../oci/reference.ts';
import {findCredentials} from '../registry/credentials.ts';
import {RegistryError} from '../registry/error.ts';
import {isPassing, type PatienceOptions} from '../registry/patience.ts';
import type {Quirks} from '../registry/quirks.ts';
import {Registry} from '../registry/registry.ts';
import {ping} from '../registry/ping.ts';
import {Transport, type TransportOptions} from '../registry/transport.ts';
import {splitRequest} from '../report/causes.ts';
import {leaderOf} from './tag-lists.ts';

/** Both ends of the mirror, over one set of connections; disposal closes those. */
export interface Registries extends Disposable {
  readonly source: Registry;
  readonly target: Registry;
}

/** The network as a run sees it, where that is another than this machine's: each part may be left out. */
export interface Network extends Pick<TransportOptions, 'clock' | 'timings' | 'resolve'> {
  readonly patience?: PatienceOptions;
  /** What is known of a registry beforehand; by default its name tells. */
  readonly quirks?: (registry: RegistryName) => Quirks;
}

/** What opening them needs beside the settings. */
export interface Surroundings {
  readonly env: NodeJS.ProcessEnv;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Told when a registry says that it is asked for too much at once. */
  readonly onPressure: (side: 'source' | 'target') => void;
  readonly network?: Network | undefined;
  /** Whether the target is only looked at: then the right to push is not asked for. */
  readonly readOnly?: boolean;
}

/**
 * Finds the credentials for both registries. Nothing is sent yet.
 * @throws RegistryError when a docker config cannot be understood
 */
export async function openRegistries(
  settings: Settings,
  around: Surroundings
): Promise<Registries> {
  const {open, close} = opener(settings, around);
  return {source: await open('source'), target: await open('target'), [Symbol.dispose]: close};
}

/**
 * Finds the credentials for the target alone, where no source is needed. Nothing is sent yet.
 * @throws RegistryError when a docker config cannot be understood
 */
export async function openTarget(
  settings: Settings,
  around: Surroundings
): Promise<Pick<Registries, 'target'> & Disposable> {
  const {open, close} = opener(settings, around);
  return {target: await open('target'), [Symbol.dispose]: close};
}

function opener(settings: Settings, around: Surroundings) {
  const {log, env, signal, onPressure, network = {}, readOnly = false} = around;
  const {patience, quirks, ...parts} = network;
  if (env.NODE_TLS_REJECT_UNAUTHORIZED === '0') {
    log.warning(
      'NODE_TLS_REJECT_UNAUTHORIZED=0 changes nothing here: certificates are checked. Name a private authority in ca-file.'
    );
  }
  const transport = new Transport({
    ...parts,
    ...(settings.ca !== undefined && {ca: settings.ca}),
    secret: value => {
      log.secret(value);
    }
  });
  const deadline = transport.clock.now() + settings.timeout;
  const open = async (side: 'source' | 'target') => {
    const {registry, username, password} = settings[side];
    const found = await findCredentials({
      registry,
      env,
      log,
      signal,
      ...(username !== undefined && {username}),
      ...(password !== undefined && {password})
    });
    // Two registries have inputs: which ones were used is what helps whoever has mistaken them.
    const given = username !== undefined && password !== undefined;
    const credentials = given ? {...found, from: `${side}-username and ${side}-password`} : found;
    return new Registry({
      name: registry,
      plainHosts: settings.insecure,
      credentials,
      transport,
      log,
      deadline,
      privateCa: settings.ca !== undefined,
      actions: side === 'source' || readOnly ? 'pull' : 'pull,push',
      onPressure: () => {
        onPressure(side);
      },
      ...(patience && {patience}),
      ...(quirks && {quirks: quirks(registry)})
    });
  };
  const close = () => {
    transport.close();
  };
  return {open, close};
}

interface Greeting {
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** What each registry is asked first. */
type Asked = Readonly<Record<'source' | 'target', () => Promise<unknown>>>;

/**
 * Greets both registries, each with the credentials that were found for it: a wrong password ends
 * the run here, before anything is read or written.
 * @throws RegistryError naming the registry
 */
export async function greet(
  registries: Registries,
  settings: Settings,
  {log, signal, asked}: Greeting & {readonly asked?: Asked | undefined}
): Promise<void> {
  // Both are asked, so that two wrong passwords are two messages in one run.
  const results = await Promise.allSettled(
    (['source', 'target'] as const).map(side =>
      greetOne(registries[side], within(settings[side].repository, leaderOf(settings)), {
        ...{log, signal},
        asked: asked?.[side]
      })
    )
  );
  const failed = results
    .filter(result => result.status === 'rejected')
    .map(({reason}) => reason as Error);
  const [first, second] = failed;
  if (first === undefined) return;
  throw second === undefined || signal.aborted ? first : together(first, second);
}

/** Of the first of two failures, so that the second is seen too, in characters. */
const longestOfTwo = 480;

/** Two failures at once as one, so that whoever mends the first does not meet the second then. */
function together(first: Error, second: Error): Error {
  if (!(first instanceof RegistryError) || !(second instanceof RegistryError)) return first;
  const advice = [...new Set([first.advice, second.advice])].filter(text => text !== undefined);
  return first.as(
    first.fault,
    `${clean(first.message, longestOfTwo)}; and ${splitRequest(second.message).answer}`,
    advice.length === 0 ? {} : {advice: advice.join(' ')}
  );
}

/**
 * Greets one registry with the credentials that were found for it.
 * @param asked a question that it is asked in any case: where it answers that as registries do, it need
 *   not be greeted beside it
 * @throws RegistryError naming it
 */
export async function greetOne(
  registry: Registry,
  repository: string,
  {log, signal, asked}: Greeting & {readonly asked?: (() => Promise<unknown>) | undefined}
): Promise<void> {
  const greeting = () => ping(registry, [{repository, actions: registry.actions}], signal);
  try {
    await asked?.();
  } catch (error) {
    // Why it is refused, the greeting tells best; what is out of reach is not waited for once more.
    if (error instanceof RegistryError && !isPassing(error)) await greeting();
    throw error;
  }
  if (asked === undefined || registry.learned.speaks !== true) await greeting();
  const {kind, from} = registry.credentials;
  log.info(
    `${registry.name} answers, ${kind === 'anonymous' ? 'without credentials' : `with the credentials from ${from}`}`
  );
  if (kind === 'anonymous') log.debug(`no credentials: ${from}`);
}
