import {type Digest, isDigest} from '../oci/digest.ts';

/** What a manifest points at; as little as possible is asked of its form. */
export interface Referenced {
  readonly digest: Digest;
  /** As the descriptor says, in bytes; undefined when it says nothing usable. */
  readonly size: number | undefined;
}

/** Everything a manifest names. */
export interface References {
  /** Config and layers, without those that live at foreign URLs. */
  readonly blobs: readonly Referenced[];
  /** The children of an index. */
  readonly manifests: readonly Referenced[];
  readonly subject: Digest | undefined;
  readonly mediaType: string | undefined;
}

/**
 * Reads what a manifest names, leniently: a registry has to hold odd manifests too, so that a test
 * can see what a client makes of them. Undefined when the body is no JSON object.
 */
export function referencesOf(body: Uint8Array): References | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const {config, layers, manifests, subject, mediaType} = value as Record<string, unknown>;
  return {
    blobs: [config, ...list(layers)].flatMap(item => reference(item, true)),
    manifests: list(manifests).flatMap(item => reference(item, false)),
    subject: reference(subject, false)[0]?.digest,
    mediaType: typeof mediaType === 'string' ? mediaType : undefined
  };
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function reference(value: unknown, skipForeign: boolean): Referenced[] {
  if (typeof value !== 'object' || value === null) return [];
  const {digest, size, urls} = value as Record<string, unknown>;
  if (!isDigest(digest)) return [];
  if (skipForeign && Array.isArray(urls) && urls.length > 0) return [];
  return [{digest, size: typeof size === 'number' ? size : undefined}];
}
