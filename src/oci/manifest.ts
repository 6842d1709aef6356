import {clean, cleanValue} from './clean.ts';
import {
  byLowerCase,
  type Descriptor,
  isForeign,
  parseDescriptor,
  refuseTwins
} from './descriptor.ts';
import {OciError} from './error.ts';
import {
  baseType,
  isIndexType,
  isManifestType,
  type ManifestMediaType,
  manifestTypes
} from './media-type.ts';

/** The most bytes a manifest may have: what every registry has to accept, and no more is read. */
export const largestManifest = 4 * 1024 * 1024;

/** The most children an index may have; a real one has a dozen. */
export const mostChildren = 1000;

/** The fields that are read, by their names in lower case. */
const fields = byLowerCase([
  ...['schemaVersion', 'mediaType', 'config', 'layers', 'manifests', 'subject', 'fsLayers'],
  'artifactType'
]);

/** An image: its config and layers are blobs. */
export interface ImageManifest {
  readonly kind: 'image';
  readonly mediaType: ManifestMediaType;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
}

/** An index (a manifest list in docker's words): its children are manifests. */
export interface IndexManifest {
  readonly kind: 'index';
  readonly mediaType: ManifestMediaType;
  readonly manifests: readonly Descriptor[];
  readonly subject?: Descriptor;
}

/** A manifest that has been read. Its bytes stay as they came: they are never written anew. */
export type Manifest = ImageManifest | IndexManifest;

/**
 * Reads a manifest, strictly: a body that could be taken for both kinds, or whose own `mediaType`
 * is not what `Content-Type` says, is refused, so that no two clients can see different images in
 * the same bytes.
 * @param contentType the header it came with, if any; its parameters do not count
 * @throws OciError
 * @see https://github.com/opencontainers/image-spec/blob/main/manifest.md
 * @see https://github.com/advisories/GHSA-77vh-xpmg-72qh
 */
export function parseManifest(bytes: Uint8Array, contentType: string | undefined): Manifest {
  const body = parseObject(bytes);
  const mediaType = typeOf(body, contentType);
  const subject = isThere(body.subject)
    ? {subject: parseDescriptor(body.subject, 'its subject')}
    : {};
  if (isIndexType(mediaType)) {
    if (isThere(body.layers) || isThere(body.config))
      throw new OciError('an index has layers or a config');
    return {kind: 'index', mediaType, manifests: list(body.manifests, 'manifests'), ...subject};
  }
  if (isThere(body.manifests)) throw new OciError('an image manifest has children');
  return {
    kind: 'image',
    mediaType,
    config: parseDescriptor(body.config, 'its config'),
    layers: list(body.layers, 'layers'),
    ...subject
  };
}

/**
 * What a registry has to have of an image: its config and its layers, but for foreign ones. A config that
 * may be had elsewhere too is none: without it nobody can pull the image.
 */
export function blobsOf({config, layers}: ImageManifest): readonly Descriptor[] {
  return [config, ...layers.filter(layer => !isForeign(layer))];
}

function parseObject(bytes: Uint8Array): Record<string, unknown> {
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder('utf-8', {fatal: true}).decode(bytes));
  } catch {
    throw new OciError('the manifest is not JSON');
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new OciError('the manifest is not a JSON object');
  }
  const {schemaVersion} = body as Record<string, unknown>;
  if (schemaVersion === 1 || 'fsLayers' in body) {
    throw new OciError('the manifest has the retired schema 1, whose digest no registry keeps');
  }
  refuseTwins(body, fields, 'the manifest');
  if (schemaVersion !== 2) throw new OciError('the manifest has no schemaVersion 2');
  return body as Record<string, unknown>;
}

/** The field decides; the header where the field is missing; both must agree where both speak. */
function typeOf(body: Record<string, unknown>, contentType: string | undefined): ManifestMediaType {
  const header = baseType(contentType);
  const field = body.mediaType;
  if (field !== undefined && !isManifestType(field)) {
    const shown = typeof field === 'string' ? JSON.stringify(field) : cleanValue(field);
    throw new OciError(
      `the manifest has the type ${JSON.stringify(clean(shown, 120))}; known are ${manifestTypes.join(', ')}`
    );
  }
  if (isManifestType(header)) {
    if (field !== undefined && field !== header) {
      throw new OciError(`the manifest says it is ${field}, but was served as ${header}`);
    }
    return header;
  }
  // Some registries serve manifests as application/json or text/plain: then only the body speaks.
  if (field !== undefined) return field;
  throw new OciError(
    `the manifest has no mediaType and was served as ${JSON.stringify(clean(header ?? 'nothing', 120))}`
  );
}

/** Some builders write null for what is not there. */
function isThere(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function list(value: unknown, name: string): readonly Descriptor[] {
  if (value === null) return [];
  if (!Array.isArray(value)) throw new OciError(`the manifest has no list of ${name}`);
  if (value.length > mostChildren) {
    throw new OciError(`the manifest has ${value.length} ${name}; ${mostChildren} is the most`);
  }
  return value.map((item, i) => parseDescriptor(item, `number ${i + 1} of its ${name}`));
}
