/** The media types of manifests. @see https://github.com/opencontainers/image-spec/blob/main/media-types.md */
export const mediaTypes = {
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json'
} as const;

/** A manifest that this mirror can carry: an image manifest or an index, of either family. */
export type ManifestMediaType = (typeof mediaTypes)[keyof typeof mediaTypes];

/** All four, for `Accept`: with fewer, some registries convert to schema 1 and the digest changes. */
export const manifestTypes: readonly ManifestMediaType[] = Object.values(mediaTypes);

/** Whether `text` names one of the four kinds of manifest. */
export function isManifestType(text: unknown): text is ManifestMediaType {
  return manifestTypes.includes(text as ManifestMediaType);
}

/** Whether `text` names an index (a manifest list in docker's words). */
export function isIndexType(text: unknown): boolean {
  return text === mediaTypes.ociIndex || text === mediaTypes.dockerList;
}

/** A `Content-Type` without its parameters, in lower case. */
export function baseType(header: string | undefined): string | undefined {
  return header?.split(';', 1)[0]?.trim().toLowerCase();
}
