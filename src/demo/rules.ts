import type {Body} from './body.ts';
import type {BlobHost} from './blob-host.ts';
import type {Exchange} from './exchange.ts';
import type {LocationMode} from './location.ts';
import type {Kind} from './route.ts';

/** Header values to set; null takes the header away. Names in any case. */
export type HeaderChanges = Readonly<Record<string, string | readonly string[] | null>>;

/** An answer that a rule gives instead of the registry's own. */
export interface AnswerEffect {
  readonly effect: 'answer';
  readonly status: number;
  readonly headers?: HeaderChanges;
  readonly body?: Body;
  /** Adds the registry's own WWW-Authenticate for this request. */
  readonly challenge?: boolean;
  /** Bytes of the request's body to read before; default: all of it. */
  readonly after?: number;
  /** What becomes of the connection; default `keep`, or `close` when the body was not read. */
  readonly then?: 'keep' | 'close' | 'reset';
}

/** What a rule does to a request it applies to. */
export type Effect =
  // Instead of the registry's own answer; the first of these that applies is the only one.
  | AnswerEffect
  /** Never an answer; the request's body is not read. */
  | {readonly effect: 'stall'}
  /** The connection is cut before any answer, the request's body unread. */
  | {readonly effect: 'drop'; readonly how?: 'reset' | 'end'}
  /** `{self}` in `to` stands for the request's own path and query. Default status 307. */
  | {readonly effect: 'redirect'; readonly to: string; readonly status?: number}
  /** Sends a blob's reader to a signed URL at another host; see BlobHost for its life. */
  | {
      readonly effect: 'sign';
      readonly host: BlobHost;
      readonly lifetime?: number;
      readonly uses?: number;
    }
  /** As last resort. When it returns true it has answered itself. */
  | {readonly effect: 'custom'; readonly run: (exchange: Exchange) => Promise<boolean> | boolean}

  // While the body of the request comes in.
  /** The connection is cut after so many bytes. */
  | {readonly effect: 'cut-upload'; readonly after: number; readonly how?: 'reset' | 'end'}
  /** Nothing more is read after so many bytes, and nothing answered. */
  | {readonly effect: 'stall-upload'; readonly after: number}
  /** A larger body is refused, before it is read when Content-Length tells. Default 413, HTML. */
  | {
      readonly effect: 'max-body';
      readonly bytes: number;
      readonly status?: number;
      readonly body?: Body;
    }
  /** A body without Content-Length is refused. Default 411. */
  | {readonly effect: 'refuse-chunked'; readonly status?: number; readonly body?: Body}
  /** The session takes only so many bytes of this PATCH and says so with 202 or 416 and Range. */
  | {readonly effect: 'take'; readonly bytes: number; readonly status?: 202 | 416}

  // To the registry's own answer.
  /** The connection is cut, or halts (for ever or for `ms`), after so many bytes of the body. */
  | {
      readonly effect: 'cut-download';
      readonly after: number;
      readonly how?: 'reset' | 'end' | 'stall';
      readonly ms?: number;
    }
  /** The byte at this offset of the body is another one. */
  | {readonly effect: 'flip'; readonly at: number}
  /** Another body under the same headers, Content-Length excepted. */
  | {readonly effect: 'substitute'; readonly body: Body}
  | {readonly effect: 'headers'; readonly set: HeaderChanges}
  | {readonly effect: 'location'; readonly mode: LocationMode; readonly host?: string}
  /** Link of a page: to itself, to ever new pages, to another host, or literally. */
  | {
      readonly effect: 'link';
      readonly mode: 'self' | 'endless' | 'absolute' | 'literal';
      readonly to?: string;
    }
  /** Content-Encoding: gzip, asked for or not; `sized` with a Content-Length, the packed one. */
  | {readonly effect: 'gzip'; readonly sized?: boolean}
  /** All is done as asked, then the connection is cut in place of the answer. */
  | {readonly effect: 'lose-answer'; readonly how?: 'reset' | 'end' | 'stall'}
  /** So many milliseconds pass before the answer. */
  | {readonly effect: 'delay'; readonly ms: number}
  /** The idle connection is closed so many milliseconds after this answer, unannounced. */
  | {readonly effect: 'close-idle'; readonly ms: number}
  /** A connection is closed after its n-th answer; announced by `Connection: close` or not. */
  | {readonly effect: 'close-after'; readonly requests: number; readonly announced?: boolean}

  // To what the request means.
  /** A commit, a manifest or a mount is answered as done, but nothing is kept. */
  | {readonly effect: 'vanish'}
  /** The upload session is gone: 404 BLOB_UPLOAD_UNKNOWN unless told otherwise. */
  | {readonly effect: 'lose-session'; readonly status?: number; readonly code?: string}
  /** A manifest is refused with MANIFEST_BLOB_UNKNOWN; by default all it names is listed. */
  | {readonly effect: 'missing'; readonly digests?: readonly string[]; readonly drop?: boolean}
  /** A tag that exists cannot be put; `same` says whether with its own digest it can. */
  | {readonly effect: 'immutable'; readonly same?: 'accepted' | 'refused'; readonly status?: number}
  /** Range is not heeded: 200 and the whole blob. */
  | {readonly effect: 'ignore-range'}
  /** What the token endpoint gives out. A value of null leaves the field out. */
  | {readonly effect: 'token'; readonly fields: Readonly<Record<string, unknown>>}
  /** All tokens given out so far are refused from this request on. */
  | {readonly effect: 'revoke-tokens'};

/** The name of an effect. */
export type EffectName = Effect['effect'];

/** One, or any of these. */
export type OneOrMore<T> = T | readonly T[];

/** Which requests a rule is for; what is not given matches all. */
export interface RuleMatch {
  readonly method?: OneOrMore<string>;
  readonly kind?: OneOrMore<Kind>;
  readonly repository?: string | RegExp;
  readonly digest?: string;
  readonly tag?: string;
  /** The method, in lower case: how an upload's steps are called. */
  readonly phase?: OneOrMore<'get' | 'head' | 'post' | 'patch' | 'put' | 'delete'>;
  /** Whether the request carries an Authorization header. */
  readonly authorized?: boolean;
  /** Whether it asks for a Range. */
  readonly ranged?: boolean;
  /** Whether its body is a chunk with Content-Range. */
  readonly contentRange?: boolean;
}

/** A fault: which requests, how many of them, and what. */
export interface Rule {
  readonly on: RuleMatch;
  /** So many matching requests go through before; default none. */
  readonly skip?: number;
  /** So many requests are hit; default 1. */
  readonly times?: number | 'always';
  /** Only within this time, in milliseconds of the registry's clock since the rule was added. */
  readonly window?: {readonly from?: number; readonly to: number};
  readonly do: Effect;
  /** What the request log calls it; default the effect's name. */
  readonly name?: string;
}
