import type {IncomingHttpHeaders} from 'node:http';
import {gunzipSync, inflateRawSync, inflateSync} from 'node:zlib';

import {clean} from '../oci/clean.ts';

/** What an answer says of how its body is packed. */
export interface Encoding {
  /**
   * `gzip` and `deflate` can be unpacked; `foreign` is packed in another way, or more than once; `odd`
   * names no way of packing, as `utf-8` does.
   */
  readonly kind: 'gzip' | 'deflate' | 'foreign' | 'odd';
  /** The header's own words, cleaned. */
  readonly said: string;
}

/**
 * The codings that pack.
 * @see https://www.iana.org/assignments/http-parameters/http-parameters.xhtml#content-coding
 */
const packing: ReadonlyMap<string, Encoding['kind']> = new Map([
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['deflate', 'deflate'],
  ['br', 'foreign'],
  ['zstd', 'foreign'],
  ['compress', 'foreign'],
  ['x-compress', 'foreign'],
  ['dcb', 'foreign'],
  ['dcz', 'foreign']
]);

/**
 * What `Content-Encoding` says, in any letter case; undefined where it says nothing, or `identity`. It need
 * not be true: some registries label a blob with what the blob itself is.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-8.4
 * @see https://github.com/moby/moby/issues/17595
 */
export function encodingOf({
  'content-encoding': header
}: Pick<IncomingHttpHeaders, 'content-encoding'>): Encoding | undefined {
  if (header === undefined) return undefined;
  const names = header
    .split(',')
    .map(name => name.trim().toLowerCase())
    .filter(name => name !== '' && name !== 'identity');
  if (names.length === 0) return undefined;
  const kinds = names.map(name => packing.get(name)).filter(kind => kind !== undefined);
  const [kind = 'odd'] = kinds;
  return {kind: kinds.length > 0 && names.length > 1 ? 'foreign' : kind, said: clean(header, 40)};
}

/**
 * Unpacks what is small; undefined where it cannot be unpacked, or becomes more than `limit` bytes.
 * Never throws.
 */
export function unpack(
  packed: Buffer,
  kind: 'gzip' | 'deflate',
  limit: number
): Buffer | undefined {
  const open = kind === 'gzip' ? gunzipSync : hasZlibHead(packed) ? inflateSync : inflateRawSync;
  try {
    return open(packed, {maxOutputLength: limit});
  } catch {
    return undefined;
  }
}

/**
 * `deflate` means the format of zlib, but some send its inside alone.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1.2
 * @see https://www.rfc-editor.org/rfc/rfc1950#section-2.2
 */
function hasZlibHead(packed: Buffer): boolean {
  return packed.length >= 2 && packed.readUInt8() % 16 === 8 && packed.readUInt16BE() % 31 === 0;
}
