import {clean, cleanValue} from './clean.ts';
import {type Digest, parseDigest} from './digest.ts';
import {OciError} from './error.ts';
import type {Platform} from './platform.ts';

/**
 * What points at content: its type, its digest and its size in bytes.
 * @see https://github.com/opencontainers/image-spec/blob/main/descriptor.md
 */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  /** Where a non-distributable layer may be had elsewhere. Never fetched from there. */
  readonly urls?: readonly string[];
  readonly platform?: Platform;
  readonly artifactType?: string;
}

/** The fields of a descriptor, by their names in lower case. */
const fields = byLowerCase(['mediaType', 'digest', 'size', 'urls', 'platform', 'artifactType']);

/** Names by themselves in lower case, for `refuseTwins`. */
export function byLowerCase(names: readonly string[]): ReadonlyMap<string, string> {
  return new Map(names.map(name => [name.toLowerCase(), name]));
}

/**
 * Refuses a key that is a known one but for its case. Clients written in Go take `Layers` for `layers`,
 * others do not: they would see another image in the same bytes than the one that is looked at here.
 * @throws OciError
 * @see https://pkg.go.dev/encoding/json#Unmarshal
 */
export function refuseTwins(
  value: object,
  known: ReadonlyMap<string, string>,
  where: string
): void {
  for (const key of Object.keys(value)) {
    // By way of capitals: to Go, a long s and the sign of the kelvin are an s and a k.
    const name = known.get(key.toUpperCase().toLowerCase());
    if (name !== undefined && name !== key) {
      throw new OciError(
        `${where} has ${JSON.stringify(clean(key, 40))}, which some clients take for ${name}`
      );
    }
  }
}

/**
 * The descriptor in `value`, a part of a manifest that `where` names.
 * @throws OciError when a field is missing or malformed
 */
export function parseDescriptor(value: unknown, where: string): Descriptor {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new OciError(`${where} is not a descriptor`);
  }
  refuseTwins(value, fields, where);
  const {mediaType, digest, size, urls, platform, artifactType} = value as Record<string, unknown>;
  if (typeof mediaType !== 'string' || mediaType.length > 255) {
    throw new OciError(`${where} has no valid mediaType`);
  }
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw new OciError(
      `${where} has the size ${cleanValue(size, 40)}, which is not a number of bytes`
    );
  }
  return {
    mediaType,
    digest: parseDigest(digest),
    size,
    ...(Array.isArray(urls) && {urls: urls.filter(url => typeof url === 'string')}),
    ...(isPlatform(platform) && {platform: pickPlatform(platform)}),
    ...(typeof artifactType === 'string' && {artifactType})
  };
}

/**
 * Whether the content lives elsewhere by design: a foreign layer, which registries need not have. One of an
 * ordinary type has to be there, wherever else it may be had; and so has one that says no other place.
 * @see https://github.com/opencontainers/image-spec/blob/main/layer.md#non-distributable-layers
 */
export function isForeign({mediaType, urls}: Descriptor): boolean {
  const isMeant = mediaType.includes('.nondistributable.') || mediaType.includes('.foreign.');
  return isMeant && urls !== undefined && urls.length > 0;
}

function isPlatform(value: unknown): value is Platform {
  const {os, architecture} = (value ?? {}) as Record<string, unknown>;
  return typeof os === 'string' && typeof architecture === 'string';
}

function pickPlatform({os, architecture, variant}: Platform): Platform {
  return {os, architecture, ...(typeof variant === 'string' && {variant})};
}
