import type {Descriptor} from '../oci/descriptor.ts';
import {algorithmOf, type Digest, digestOf, isDigest} from '../oci/digest.ts';
import {OciError} from '../oci/error.ts';
import {largestManifest, type Manifest, parseManifest} from '../oci/manifest.ts';
import {encodingOf, unpack} from './encoding.ts';
import {RegistryError} from './error.ts';
import type {Answer} from './transport.ts';

/** A manifest as it came: its bytes untouched, its digest computed from them. */
export interface FetchedManifest {
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
  readonly manifest: Manifest;
}

/**
 * Judges the bytes of an answer, which must be those of the digest that was asked for, or else that the
 * registry named.
 * @throws RegistryError of the kind corrupt
 */
export function readManifest(
  raw: Buffer,
  {headers}: Answer,
  reference: string,
  place: {host: string; repository: string}
): FetchedManifest {
  const wanted = isDigest(reference) ? reference : undefined;
  const fail = (text: string) =>
    new RegistryError(
      'corrupt',
      `${place.host}/${place.repository}${wanted === undefined ? ':' : '@'}${reference}: ${text}`,
      {
        ...place,
        digest: wanted
      }
    );
  const claimed = headers['docker-content-digest'];
  const expected = wanted ?? (isDigest(claimed) ? claimed : undefined);
  const bytes = decode(raw, headers, expected, fail);
  const digest = digestOf(bytes, expected === undefined ? 'sha256' : algorithmOf(expected));
  if (expected !== undefined && digest !== expected) {
    throw fail(`the registry sent other bytes: ${digest} instead of ${expected}`);
  }
  try {
    const manifest = parseManifest(bytes, headers['content-type']);
    const {mediaType} = manifest;
    return {descriptor: {mediaType, digest, size: bytes.length}, bytes, manifest};
  } catch (error) {
    if (error instanceof OciError) throw fail(error.message);
    throw error;
  }
}

/**
 * Some proxies compress although nobody asked, and some registries label what they do not pack: by its
 * digest, where one is known, exactly one of both forms is the content.
 */
function decode(
  raw: Buffer,
  headers: Answer['headers'],
  expected: Digest | undefined,
  fail: (text: string) => RegistryError
): Buffer {
  const encoding = encodingOf(headers);
  if (encoding === undefined) return raw;
  if (expected !== undefined && digestOf(raw, algorithmOf(expected)) === expected) return raw;
  if (encoding.kind !== 'gzip')
    throw fail(`it came with Content-Encoding ${encoding.said}, which nobody asked for`);
  const bytes = unpack(raw, encoding.kind, largestManifest);
  if (bytes === undefined)
    throw fail('it came compressed, and cannot be unpacked within the limit');
  return bytes;
}
