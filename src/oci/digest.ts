import {createHash, type Hash} from 'node:crypto';

import {cleanValue} from './clean.ts';
import {OciError} from './error.ts';

/** A content address that has been checked: `sha256:` and 64, or `sha512:` and 128 lower-case hex digits. */
export type Digest = string & {readonly __brand: 'Digest'};

const grammar = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/**
 * The digest in `text`. Digests come from registries and end up in paths and file names, so nothing
 * but the two registered algorithms in their canonical spelling gets through.
 * @throws OciError for anything else
 * @see https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests
 */
export function parseDigest(text: unknown): Digest {
  if (isDigest(text)) return text;
  throw new OciError(
    `${JSON.stringify(cleanValue(text, 160))} is not a digest (sha256: and 64 lower-case hex digits, or sha512: and 128)`
  );
}

/** Whether `text` is a digest in canonical spelling. */
export function isDigest(text: unknown): text is Digest {
  return typeof text === 'string' && grammar.test(text);
}

/** Whether a digest that was told is another one; one by another algorithm says nothing. */
export function contradicts(told: unknown, digest: Digest): told is Digest {
  return isDigest(told) && algorithmOf(told) === algorithmOf(digest) && told !== digest;
}

/** `sha256` or `sha512`. */
export function algorithmOf(digest: Digest): 'sha256' | 'sha512' {
  return digest.startsWith('sha256:') ? 'sha256' : 'sha512';
}

/** The hex digits after the algorithm. */
export function hexOf(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1);
}

/** The digest of `bytes`, by default with sha256. */
export function digestOf(
  bytes: Uint8Array | string,
  algorithm: 'sha256' | 'sha512' = 'sha256'
): Digest {
  return new Hasher(algorithm).update(bytes).digest();
}

/** Hashes a stream piece by piece. */
export class Hasher {
  readonly #hash: Hash;
  readonly #algorithm: 'sha256' | 'sha512';
  /** @param before what was put into another one, to go on from there */
  constructor(algorithm: 'sha256' | 'sha512', before?: Hasher) {
    this.#algorithm = algorithm;
    this.#hash = before === undefined ? createHash(algorithm) : before.#hash.copy();
  }
  update(bytes: Uint8Array | string): this {
    this.#hash.update(bytes);
    return this;
  }
  /** Another one that goes on from here. */
  copy(): Hasher {
    return new Hasher(this.#algorithm, this);
  }
  /** The digest of all that was put in; the hasher cannot be used afterwards. */
  digest(): Digest {
    return `${this.#algorithm}:${this.#hash.digest('hex')}` as Digest;
  }
}
