import {clean} from '../oci/clean.ts';
import {type Digest, isDigest} from '../oci/digest.ts';

/**
 * What kind of failure it was:
 * `address` the host cannot be found or reached; `certificate` its TLS identity is not believed;
 * `proxy` the proxy refused; `connection` it broke; `stalled` nothing came in time;
 * `unauthorized` 401; `denied` 403; `absent` 404; `throttled` 429; `server` 408 and 5xx;
 * `refused` any other answer that was not wanted; `unsafe` the registry asked for something that is
 * never done; `corrupt` what it sent is not what was asked for.
 */
export type Fault =
  | 'address'
  | 'certificate'
  | 'proxy'
  | 'connection'
  | 'stalled'
  | 'unauthorized'
  | 'denied'
  | 'absent'
  | 'throttled'
  | 'server'
  | 'refused'
  | 'unsafe'
  | 'corrupt';

/**
 * One entry of a registry's error answer, cleaned.
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
 */
export interface ErrorEntry {
  readonly code: string;
  /** With the entry's detail where that is a text: some say only there what they mean. */
  readonly message: string;
  /** The digests that the entry's detail names, wherever they stand in it. */
  readonly digests: readonly Digest[];
}

/** Where a request went, without anything secret: no query, no header. */
export interface Place {
  readonly host: string;
  readonly method?: string | undefined;
  readonly repository?: string | undefined;
  readonly digest?: Digest | undefined;
}

interface Facts extends Place {
  readonly status?: number | undefined;
  readonly entries?: readonly ErrorEntry[] | undefined;
  /** How long the registry asked to wait, in milliseconds. */
  readonly retryAfter?: number | undefined;
  readonly advice?: string | undefined;
  /** Where the connection led that broke or was silent: to the registry, or where that had redirected to. */
  readonly through?: URL | undefined;
  readonly cause?: unknown;
}

/** A failure at a registry, as data: what, where, how often tried, and what to do. All text is clean. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError' as const;
  readonly fault: Fault;
  /** How many times it was tried. */
  attempts = 1;
  readonly #facts: Facts;

  constructor(fault: Fault, message: string, facts: Facts) {
    super(clean(message, 1000), facts.cause === undefined ? undefined : {cause: facts.cause});
    this.fault = fault;
    this.#facts = facts;
  }

  get host(): string {
    return this.#facts.host;
  }

  get method(): string | undefined {
    return this.#facts.method;
  }

  get repository(): string | undefined {
    return this.#facts.repository;
  }

  get digest(): Digest | undefined {
    return this.#facts.digest;
  }

  get status(): number | undefined {
    return this.#facts.status;
  }

  get entries(): readonly ErrorEntry[] {
    return this.#facts.entries ?? [];
  }

  /** How long the registry asked to wait, in milliseconds. */
  get retryAfter(): number | undefined {
    return this.#facts.retryAfter;
  }

  get advice(): string | undefined {
    return this.#facts.advice;
  }

  /** Where the connection led that broke or was silent; undefined where it was none. */
  get through(): URL | undefined {
    return this.#facts.through;
  }

  /** The same failure, seen from further away. */
  as(fault: Fault, message: string, more: Partial<Facts> = {}): RegistryError {
    const seen = new RegistryError(fault, message, {...this.#facts, ...more});
    seen.attempts = this.attempts;
    return seen;
  }

  /** The same failure, after so many tries. */
  tried(attempts: number): RegistryError {
    const seen = this.as(this.fault, this.message);
    seen.attempts = attempts;
    return seen;
  }

  /** Whether the registry gave one of these codes. */
  says(...codes: readonly string[]): boolean {
    return this.entries.some(({code}) => codes.includes(code));
  }
}

/**
 * A plain no to a question about existence, from which nothing follows: of what does not exist some
 * registries say 403, or 401 to whoever is signed in.
 */
export function isRefusal(error: unknown): boolean {
  return (
    error instanceof RegistryError && ['denied', 'refused', 'unauthorized'].includes(error.fault)
  );
}

/** The status as a kind of failure. */
export function faultOf(status: number): Fault {
  if (status === 401) return 'unauthorized';
  if (status === 403) return 'denied';
  if (status === 404) return 'absent';
  if (status === 429) return 'throttled';
  // Not what it can do, no room left, a sign-in to the network: none of these passes by itself.
  if ([501, 505, 507, 508, 511].includes(status)) return 'refused';
  // 499 and 52x come from proxies that lost patience with the registry behind them.
  if (status === 408 || status === 499 || status >= 500) return 'server';
  return 'refused';
}

/** Reads `{"errors": [...]}`; anything else has no entries. Never throws: a registry may answer anything. */
export function parseEntries(body: string): readonly ErrorEntry[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return [];
  }
  const {errors} = (parsed ?? {}) as {errors?: unknown};
  if (!Array.isArray(errors)) return [];
  return errors.slice(0, 1000).map((entry: unknown) => {
    const {code, message, detail} = (entry ?? {}) as Record<string, unknown>;
    const said = typeof message === 'string' ? clean(message, 300) : '';
    const more =
      typeof detail === 'string' && !isDigest(detail) ? clean(detail, 300) : fullIn(detail);
    return {
      code: typeof code === 'string' ? clean(code, 60) : '',
      message: said.includes(more) ? said : said === '' ? more : `${said}: ${more}`,
      digests: digestsIn(detail)
    };
  });
}

/**
 * What distribution only tells as a number of its system: that its disk is full.
 * @see https://github.com/distribution/distribution/blob/main/registry/storage/driver/storagedriver.go
 */
function fullIn(detail: unknown): string {
  if (typeof detail !== 'object' || detail === null) return '';
  const {Enclosed: enclosed} = detail as {Enclosed?: unknown};
  const {Err: number} = (enclosed ?? {}) as {Err?: unknown};
  return number === 28 ? noSpace : '';
}

/** As systems say that a disk is full. */
export const noSpace = 'no space left on device';

/** Wherever they stand in it. */
function digestsIn(detail: unknown): readonly Digest[] {
  try {
    return [...new Set(JSON.stringify(detail ?? '').match(digests) ?? [])] as Digest[];
  } catch {
    // It is nested too deeply to be written out.
    return [];
  }
}

const digests = /sha256:[0-9a-f]{64}(?![0-9a-f])|sha512:[0-9a-f]{128}(?![0-9a-f])/g;
