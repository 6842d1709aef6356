import type {Digest} from '../oci/digest.ts';
import type {Need} from './authorizer.ts';
import type {BodyStream} from './transport.ts';

/** What to ask of a registry, and which answers are answers. */
export interface Question {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';
  /** Below the origin, such as `/v2/arcdata/arc-dns/tags/list`; or the URL that the registry gave. */
  readonly path: string | URL;
  readonly needs: readonly Need[];
  /** The statuses that the caller understands; every other one is thrown. */
  readonly expect: readonly number[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | BodyStream;
  /** One of many questions, or one with many bytes either way; its answer says its length as a rule. */
  readonly hot?: boolean;
  /** Not on a kept connection: one has just broken under this body. */
  readonly fresh?: boolean;
  /** A commit, or a whole blob: it may take the registry minutes. */
  readonly commit?: boolean;
  /**
   * `if-throttled` where the caller has its own way to go on, such as an upload that is under way: then only
   * what was too much is asked again from here, since it has not been looked at. `once` where the answer
   * only helps.
   * @see https://www.rfc-editor.org/rfc/rfc6585#section-4
   */
  readonly tries?: 'patient' | 'if-throttled' | 'once' | undefined;
  /** Where there is another way, how long of our own accord this one is tried again, in milliseconds. */
  readonly own?: number;
  /** For messages. */
  readonly digest?: Digest;
  readonly signal: AbortSignal;
}

/** What registries put into every answer, though they need not. */
export const versionHeader = 'docker-distribution-api-version';

/** Where every registry answers, whatever is in it. */
export const greeting = '/v2/';

/** Whether the body is written as it comes, so that sending it once more means reading it once more. */
export function streams({body}: Question): boolean {
  return body !== undefined && !(body instanceof Uint8Array);
}
