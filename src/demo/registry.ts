import {OciError} from '../oci/error.ts';
import {parseRepository, type RegistryName} from '../oci/reference.ts';
import {type AuthOptions, Gate} from './auth.ts';
import {BlobHost} from './blob-host.ts';
import {serveBlob} from './blobs.ts';
import {serveCatalog} from './catalog.ts';
import type {Desk} from './desk.ts';
import {DemoError} from './error.ts';
import type {Exchange} from './exchange.ts';
import {Listener} from './listener.ts';
import {serveManifest} from './manifests.ts';
import {type Character, type Profile, profiles} from './profiles.ts';
import type {RequestRecord} from './record.ts';
import {serveReferrers} from './referrers.ts';
import type {Rule} from './rules.ts';
import {Store} from './store.ts';
import {serveTags} from './tags.ts';
import {serveUpload} from './uploads.ts';

/** How an embedded registry is. */
export interface EmbeddedOptions {
  readonly auth?: AuthOptions;
  /** PEM; without it plain http is spoken. */
  readonly tls?: {readonly key: string; readonly cert: string};
  /** Tags and repositories of a page; default 100. */
  readonly pageSize?: number;
  /** Whose behaviour; default `distribution`. */
  readonly profile?: Profile;
  /** Single traits that differ from the profile's. */
  readonly character?: Partial<Character>;
  /** Whether a manifest is refused while something it names is missing; default the profile's. */
  readonly verifyReferences?: boolean;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default: a free one. */
  readonly port?: number;
  /** Default: one of its own. */
  readonly store?: Store;
  /** The clock of rules and tokens, in milliseconds; default monotonic. */
  readonly now?: () => number;
}

/**
 * A registry inside this process, on loopback, for the demo and the tests. It follows the
 * distribution specification in the manner of its profile, and goes wrong exactly as rules ask.
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md
 */
export class EmbeddedRegistry implements AsyncDisposable {
  /** Seeds and shows what the registry holds. */
  readonly store: Store;
  readonly #listener: Listener;
  readonly #blobHost: BlobHost | undefined;

  private constructor(listener: Listener, store: Store, blobHost: BlobHost | undefined) {
    this.#listener = listener;
    this.store = store;
    this.#blobHost = blobHost;
  }

  /** Starts a registry; dispose of it to stop it. */
  static async start(options: EmbeddedOptions = {}): Promise<EmbeddedRegistry> {
    const {verifyReferences} = options;
    const character: Character = {
      ...profiles[options.profile ?? 'distribution'],
      ...options.character,
      ...(verifyReferences !== undefined && {verifyReferences})
    };
    const store = options.store ?? new Store({blobsInOnePlace: character.blobsIn === 'registry'});
    const blobHost = character.redirectBlobs
      ? await BlobHost.start({...shared(options), store})
      : undefined;
    const listener: Listener = await Listener.start(
      {...shared(options), ...(options.port !== undefined && {port: options.port})},
      {
        handle: async exchange => {
          await dispatch(desk, exchange);
        },
        challenge: exchange => gate.challenge(exchange),
        arrived: exchange => {
          if (exchange.effect('revoke-tokens') !== undefined) gate.revoke();
        }
      }
    );
    const gate = new Gate(options.auth, listener.now, character);
    const desk: Desk = {store, character, gate, pageSize: options.pageSize ?? 100, blobHost};
    for (const rule of character.standing) listener.standing.add(rule, listener.now());
    return new EmbeddedRegistry(listener, store, blobHost);
  }

  /** `127.0.0.1:41234` */
  get name(): RegistryName {
    return this.#listener.name;
  }

  /** `http://127.0.0.1:41234` */
  get url(): string {
    return this.#listener.url;
  }

  /** Every request so far, those for tokens included, in the order in which they came. */
  get requests(): readonly RequestRecord[] {
    return this.#listener.requests;
  }

  /** Connections that clients opened so far. */
  get connections(): number {
    return this.#listener.connections;
  }

  /** Where blobs are read from, when the profile redirects. */
  get blobHost(): BlobHost | undefined {
    return this.#blobHost;
  }

  /** Adds a fault. */
  rule(rule: Rule): void {
    this.#listener.rule(rule);
  }

  /** Forgets all faults, but not the profile's own quirks. */
  clearRules(): void {
    this.#listener.clearRules();
  }

  /** Closes every connection at once, as a restart would; what is stored stays. */
  dropConnections(): void {
    this.#listener.dropConnections();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener[Symbol.asyncDispose]();
    await this.#blobHost?.[Symbol.asyncDispose]();
  }
}

function shared({host, tls, now}: EmbeddedOptions) {
  return {...(host !== undefined && {host}), ...(tls && {tls}), ...(now && {now})};
}

async function dispatch(desk: Desk, exchange: Exchange): Promise<void> {
  const {kind} = exchange.route;
  if (kind === 'token') {
    await desk.gate.serveToken(desk, exchange);
    return;
  }
  if (kind === 'other') {
    await exchange.answer(404, {}, '404 page not found\n');
    return;
  }
  desk.gate.check(exchange);
  checkNames(desk, exchange);
  switch (kind) {
    case 'ping':
      await exchange.answer(200, {}, {json: {}});
      return;
    case 'catalog':
      await serveCatalog(desk, exchange);
      return;
    case 'tags':
      await serveTags(desk, exchange);
      return;
    case 'manifest':
      await serveManifest(desk, exchange);
      return;
    case 'blob':
      await serveBlob(desk, exchange);
      return;
    case 'referrers':
      await serveReferrers(desk, exchange);
      return;
    case 'upload':
    case 'mount':
      await serveUpload(desk, exchange);
      return;
  }
}

const tagGrammar = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

function checkNames({store, character, gate}: Desk, exchange: Exchange): void {
  const {repository, tag} = exchange.route;
  if (repository === undefined) return;
  try {
    if (parseRepository(repository) !== repository) throw new OciError('blanks');
  } catch {
    throw new DemoError(400, 'NAME_INVALID', 'invalid repository name');
  }
  if (tag !== undefined && !tagGrammar.test(tag)) {
    throw new DemoError(400, 'TAG_INVALID', 'invalid tag');
  }
  const reads = exchange.method === 'GET' || exchange.method === 'HEAD';
  if (reads && character.unknownRepository === 401 && !store.has(repository)) {
    const challenge = gate.challenge(exchange, 'insufficient_scope');
    throw new DemoError(401, 'UNAUTHORIZED', 'authentication required', {
      ...(challenge !== undefined && {headers: {'WWW-Authenticate': challenge}})
    });
  }
}
