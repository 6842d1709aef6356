/** What may go with a refusal. */
export interface RefusalOptions {
  /** The `detail` of the error, as JSON. */
  readonly detail?: unknown;
  /** In place of one: the error once for each of these, all in one document. */
  readonly details?: readonly unknown[];
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * A refusal of the embedded registry: it becomes an answer with this status and a JSON body. The
 * same class tells a caller of the store that what it asked for is not there.
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
 */
export class DemoError extends Error {
  override readonly name = 'DemoError' as const;
  readonly status: number;
  /** One of the specification's codes, such as `BLOB_UNKNOWN`. */
  readonly code: string;
  readonly details: readonly unknown[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, message: string, options: RefusalOptions = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = options.details ?? [options.detail];
    this.headers = options.headers ?? {};
  }

  /** The body of the answer. */
  document(): string {
    const {code, message} = this;
    return errorDocument(
      ...this.details.map(detail => ({code, message, ...(detail !== undefined && {detail})}))
    );
  }
}

/** One error of the specification's error document. */
export interface WireError {
  readonly code: string;
  readonly message: string;
  readonly detail?: unknown;
}

/** The error document around `errors`. */
export function errorDocument(...errors: readonly WireError[]): string {
  return JSON.stringify({errors});
}
