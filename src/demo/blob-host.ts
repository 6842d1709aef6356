import {randomBytes} from 'node:crypto';

import type {RegistryName} from '../oci/reference.ts';
import {sendContent} from './blobs.ts';
import {DemoError} from './error.ts';
import type {Exchange} from './exchange.ts';
import {Listener, type ListenerOptions} from './listener.ts';
import type {RequestRecord} from './record.ts';
import type {Rule} from './rules.ts';
import type {Store} from './store.ts';

/** A blob host's ways. */
export interface BlobHostOptions extends ListenerOptions {
  readonly store: Store;
  /** Whether a forwarded Authorization is refused with 400, as cloud stores do; default true. */
  readonly refuseAuthorization?: boolean;
}

/** How long a signed URL is good. */
export interface SignedFor {
  /** Milliseconds of the host's clock; default for ever. */
  readonly lifetime?: number;
  /** Requests; default any number. */
  readonly uses?: number;
}

interface Signature {
  readonly repository: string;
  readonly digest: string;
  readonly until: number;
  uses: number;
}

/**
 * A second server, as registries have for their blobs: it gives them to whoever has a signed URL
 * and answers 403 when that has expired. It takes no part in the registry's sign-in. With rules it
 * also serves as any foreign host, since it records whatever reaches it.
 */
export class BlobHost implements AsyncDisposable {
  readonly #listener: Listener;
  readonly #signatures: Map<string, Signature>;

  private constructor(listener: Listener, signatures: Map<string, Signature>) {
    this.#listener = listener;
    this.#signatures = signatures;
  }

  /** Starts a host of a store's blobs. */
  static async start(options: BlobHostOptions): Promise<BlobHost> {
    const signatures = new Map<string, Signature>();
    const listener: Listener = await Listener.start(options, {
      handle: async exchange => {
        await serve(exchange, options, signatures, listener.now());
      }
    });
    return new BlobHost(listener, signatures);
  }

  get name(): RegistryName {
    return this.#listener.name;
  }

  get url(): string {
    return this.#listener.url;
  }

  get requests(): readonly RequestRecord[] {
    return this.#listener.requests;
  }

  /** A URL that opens one blob. */
  sign(repository: string, digest: string, {lifetime, uses}: SignedFor = {}): string {
    const signature = randomBytes(32).toString('base64url');
    const until = lifetime === undefined ? Infinity : this.#listener.now() + lifetime;
    this.#signatures.set(signature, {repository, digest, until, uses: uses ?? Infinity});
    const query = new URLSearchParams({se: String(until), sig: signature});
    return `${this.url}/data/${digest}?${query.toString()}`;
  }

  /** Adds a fault. */
  rule(rule: Rule): void {
    this.#listener.rule(rule);
  }

  /** Forgets all rules. */
  clearRules(): void {
    this.#listener.clearRules();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener[Symbol.asyncDispose]();
  }
}

async function serve(
  exchange: Exchange,
  {store, refuseAuthorization = true}: BlobHostOptions,
  signatures: ReadonlyMap<string, Signature>,
  now: number
): Promise<void> {
  // What is sent to a foreign host has to show in its record, even though it is refused.
  await exchange.receive(() => undefined);
  if (refuseAuthorization && exchange.header('Authorization') !== undefined) {
    throw new DemoError(
      400,
      'InvalidAuthenticationInfo',
      'Authentication information is not given in the correct format.'
    );
  }
  const signature = signatures.get(exchange.route.query.get('sig') ?? '');
  if (signature === undefined || signature.until <= now || signature.uses <= 0) {
    throw new DemoError(
      403,
      'AuthenticationFailed',
      'Signature not valid in the specified time frame'
    );
  }
  signature.uses--;
  const content = store.blob(signature.repository, signature.digest);
  if (content === undefined) throw new DemoError(404, 'BlobNotFound', 'The blob does not exist.');
  await sendContent(exchange, content, {'Content-Type': 'application/octet-stream'});
}
