import {createCipheriv, createHash} from 'node:crypto';
import {crc32} from 'node:zlib';

import {tarOf} from '../src/demo/tar.ts';
import {digestOf, type Digest} from '../src/oci/digest.ts';

/** A layer as it travels. */
export interface Layer {
  readonly bytes: Buffer;
  readonly digest: Digest;
  /** The digest of the archive inside. */
  readonly diff: Digest;
}

/** The longest stored block of deflate, in bytes: RFC 1951, 3.2.4. */
const longestBlock = 0xffff;

/**
 * A layer of about `size` bytes that nothing can compress: one file of noise in an archive, stored
 * in gzip. The same words give the same bytes on every machine, at a gigabyte in a few seconds.
 */
export function makeLayer(words: string, size: number): Layer {
  const overhead = 3 * 512 + 512 + 18 + 5 * Math.ceil(size / longestBlock);
  const noise = noiseOf(words, Math.max(1, size - overhead));
  const name = `opt/arcdata/${words.replaceAll(/[^a-z0-9.-]+/g, '-')}.bin`;
  const archive = tarOf([{name, bytes: noise}], Date.UTC(2026, 0, 1) / 1000);
  const bytes = stored(archive);
  return {bytes, digest: digestOf(bytes), diff: digestOf(archive)};
}

/** Key stream of AES in counter mode: fast, and without a pattern to any compressor. */
function noiseOf(words: string, length: number): Buffer {
  const seed = createHash('sha256').update(words).digest();
  const cipher = createCipheriv('aes-128-ctr', seed.subarray(0, 16), seed.subarray(16, 32));
  return cipher.update(Buffer.alloc(length));
}

/** gzip whose every byte is known beforehand: versions of zlib cut their blocks differently. */
function stored(bytes: Buffer): Buffer {
  const parts: Buffer[] = [Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])];
  for (let at = 0; at < bytes.length; at += longestBlock) {
    const block = bytes.subarray(at, at + longestBlock);
    const head = Buffer.alloc(5);
    head.writeUInt8(at + longestBlock >= bytes.length ? 1 : 0, 0);
    head.writeUInt16LE(block.length, 1);
    head.writeUInt16LE(~block.length & 0xffff, 3);
    parts.push(head, block);
  }
  const tail = Buffer.alloc(8);
  tail.writeUInt32LE(crc32(bytes), 0);
  tail.writeUInt32LE(bytes.length % 0x1_0000_0000, 4);
  return Buffer.concat([...parts, tail]);
}
