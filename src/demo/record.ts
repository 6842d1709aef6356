import type {IncomingHttpHeaders} from 'node:http';

import type {Kind} from './route.ts';

/** A request as it was answered; it is there from the moment the request came. */
export interface RequestRecord {
  /** When it came, in milliseconds of the server's clock. */
  readonly at: number;
  readonly method: string;
  readonly path: string;
  /** Without the question mark. */
  readonly query: string;
  readonly kind: Kind;
  readonly repository?: string;
  /** 0 until it is answered, and for ever when it was not. */
  readonly status: number;
  /** Bytes of the request's body that were read. */
  readonly bytesIn: number;
  /** Bytes of the answer's body that were written. */
  readonly bytesOut: number;
  readonly authorization: 'none' | 'basic' | 'bearer' | 'other';
  readonly headers: IncomingHttpHeaders;
  /** Which of the server's connections it came by, counted from 1. */
  readonly connection: number;
  /** The names of the faults that were applied, joined by commas. */
  readonly rule?: string;
}

/** Which kind of credentials a request carries. */
export function authorizationOf(header: string | undefined): RequestRecord['authorization'] {
  if (header === undefined) return 'none';
  const scheme = header.split(' ', 1)[0]?.toLowerCase();
  return scheme === 'basic' || scheme === 'bearer' ? scheme : 'other';
}
