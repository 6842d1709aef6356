import {Hasher, type Digest} from '../oci/digest.ts';
import {DemoError} from './error.ts';
import {Random} from './random.ts';

/** The bytes of a blob, wherever they come from. */
export interface Content {
  /** In bytes. */
  readonly size: number;
  /** The bytes from `from` up to, but not including, `to`, in pieces that must not be written to. */
  pieces(from: number, to: number): Iterable<Buffer>;
}

/** A blob that is computed rather than kept, so that one of 5 GiB needs no memory. */
export interface VirtualBlob {
  /** In bytes. */
  readonly size: number;
  readonly seed: number;
  /** When it is known already; else it is computed, which takes about a second for a gigabyte. */
  readonly digest?: Digest;
}

/** Bytes that are held in memory, as they came. */
export class HeldContent implements Content {
  readonly size: number;
  readonly #chunks: readonly Buffer[];

  constructor(chunks: readonly Buffer[]) {
    this.#chunks = chunks;
    this.size = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  *pieces(from: number, to: number): Iterable<Buffer> {
    let start = 0;
    for (const chunk of this.#chunks) {
      const end = start + chunk.length;
      if (end > from && start < to) {
        const part = chunk.subarray(Math.max(0, from - start), Math.min(chunk.length, to - start));
        yield* inPieces(part);
      }
      start = end;
      if (start >= to) return;
    }
  }
}

const pieceSize = 256 * 1024;

// A blob that was put in whole is cut, so that backpressure has something to hold on to.
function* inPieces(bytes: Buffer): Iterable<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceSize) yield bytes.subarray(at, at + pieceSize);
}

const blockSize = 1024 * 1024;
const patterns = new Map<number, Buffer>();

/** One megabyte of noise over and over, each time behind the number of its block (8 bytes). */
export class VirtualContent implements Content {
  readonly size: number;
  readonly #pattern: Buffer;

  constructor({size, seed}: VirtualBlob) {
    this.size = size;
    const pattern = patterns.get(seed) ?? new Random(seed).bytes(blockSize);
    patterns.set(seed, pattern);
    this.#pattern = pattern;
  }

  *pieces(from: number, to: number): Iterable<Buffer> {
    let at = from;
    while (at < to) {
      const block = Math.floor(at / blockSize);
      const offset = at - block * blockSize;
      const left = to - at;
      let part: Buffer;
      if (offset < 8) {
        const number = Buffer.alloc(8);
        number.writeBigUInt64LE(BigInt(block));
        part = number.subarray(offset, Math.min(8, offset + left));
      } else {
        part = this.#pattern.subarray(offset, Math.min(blockSize, offset + left));
      }
      at += part.length;
      yield part;
    }
  }
}

/** What is left of an upload whose bytes were not kept: its size. */
export class DiscardedContent implements Content {
  readonly size: number;

  constructor(size: number) {
    this.size = size;
  }

  pieces(): Iterable<Buffer> {
    throw new DemoError(500, 'UNKNOWN', 'the bytes of this blob were not kept, only their digest');
  }
}

const known = new Map<string, Digest>();

/** The digest of all of `content`; that of a virtual blob is computed once for each size and seed. */
export function digestOfContent(content: Content, virtual?: VirtualBlob): Digest {
  if (virtual?.digest !== undefined) return virtual.digest;
  const key = virtual && `${virtual.size} ${virtual.seed}`;
  const before = key === undefined ? undefined : known.get(key);
  if (before !== undefined) return before;
  const hasher = new Hasher('sha256');
  for (const piece of content.pieces(0, content.size)) hasher.update(piece);
  const digest = hasher.digest();
  if (key !== undefined) known.set(key, digest);
  return digest;
}
