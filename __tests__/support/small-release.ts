import {Random} from '../../src/demo/random.ts';
import type {Store} from '../../src/demo/store.ts';
import {type Digest, digestOf} from '../../src/oci/digest.ts';
import {isIndexType, mediaTypes} from '../../src/oci/media-type.ts';

/** The release that fault tests mirror: small, but with every kind of part that matters. */
export const smallTag = 'v1.46.0_2026-05-12';
/** The tag of the release of a month before. */
export const earlierTag = 'v1.45.0_2026-04-14';
export const smallNames = ['arc-bootstrapper', 'arc-controller', 'arc-dns'] as const;

export interface SmallBlob {
  readonly digest: Digest;
  readonly bytes: Buffer;
}

/** An image or index, with what is below it. */
export interface SmallManifest {
  readonly mediaType: string;
  readonly body: Buffer;
  readonly digest: Digest;
  readonly blobs: readonly SmallBlob[];
  readonly children: readonly SmallManifest[];
}

/** The images by name, and the blobs that rules speak of. */
export interface SmallRelease {
  readonly images: ReadonlyMap<string, SmallManifest>;
  /** In every image: one travels, the others are mounted. 1.5 MiB. */
  readonly base: SmallBlob;
  /** In arc-controller only. 5 MiB. */
  readonly engine: SmallBlob;
  /** In every image of every month. 20 KB. */
  readonly common: SmallBlob;
  /** In arc-dns only, in its second child. 40 KB. */
  readonly late: SmallBlob;
}

const platforms = [
  {os: 'linux', architecture: 'amd64'},
  {os: 'linux', architecture: 'arm64'}
];

/** The same month gives the same bytes. */
export function smallRelease(month = 1): SmallRelease {
  const blob = (what: string, size: number): SmallBlob => {
    const bytes = new Random(Random.seedOf(what, size)).bytes(size);
    return {bytes, digest: digestOf(bytes)};
  };
  const common = blob('common', 20_000);
  const base = blob(`base ${month}`, 1_572_864);
  const engine = blob(`engine ${month}`, 5_242_880);
  const late = blob(`late ${month}`, 40_000);
  const image = (name: string, family: 'docker' | 'oci', layers: readonly SmallBlob[]) =>
    imageOf(`${name} ${month}`, family, layers);
  const first = image('arc-dns amd64', 'docker', [common, base, blob(`dns ${month}`, 30_000)]);
  const second = image('arc-dns arm64', 'docker', [common, base, late]);
  const images = new Map([
    ['arc-bootstrapper', image('arc-bootstrapper', 'oci', [common, base])],
    ['arc-controller', image('arc-controller', 'docker', [common, base, engine])],
    ['arc-dns', indexOf(mediaTypes.dockerList, [first, second])]
  ]);
  return {images, base, engine, common, late};
}

/** An image with these layers. */
export function imageOf(
  what: string,
  family: 'docker' | 'oci',
  layers: readonly (SmallBlob & {
    readonly urls?: readonly string[];
    /** It may be had elsewhere, and is here too, as any other layer. */
    readonly here?: true;
  })[],
  more: Readonly<Record<string, unknown>> = {}
): SmallManifest {
  const docker = family === 'docker';
  const bytes = Buffer.from(
    JSON.stringify({created: '2026-05-12T00:00:00Z', ...platforms[0], config: {Labels: {what}}})
  );
  const config = {bytes, digest: digestOf(bytes)};
  const mediaType = docker ? mediaTypes.dockerManifest : mediaTypes.ociManifest;
  const body = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      config: {
        mediaType: docker
          ? 'application/vnd.docker.container.image.v1+json'
          : 'application/vnd.oci.image.config.v1+json',
        size: bytes.length,
        digest: config.digest
      },
      layers: layers.map(({digest, bytes: {length}, urls, here}) => ({
        mediaType: layerType(docker, urls !== undefined && here === undefined),
        size: length,
        digest,
        ...(urls && {urls})
      })),
      ...more
    })
  );
  const own = layers.filter(({urls, here}) => urls === undefined || here === true);
  return {mediaType, body, digest: digestOf(body), blobs: [config, ...own], children: []};
}

function layerType(docker: boolean, foreign: boolean): string {
  return docker
    ? `application/vnd.docker.image.rootfs.${foreign ? 'foreign.' : ''}diff.tar.gzip`
    : `application/vnd.oci.image.layer.${foreign ? 'nondistributable.' : ''}v1.tar+gzip`;
}

/** An index of these images. */
export function indexOf(mediaType: string, children: readonly SmallManifest[]): SmallManifest {
  const manifests = children.map(({mediaType: type, body, digest}, i) => ({
    mediaType: type,
    size: body.length,
    digest,
    ...(!isIndexType(type) && {platform: platforms[i % 2]})
  }));
  const body = Buffer.from(JSON.stringify({schemaVersion: 2, mediaType, manifests}));
  return {mediaType, body, digest: digestOf(body), blobs: [], children};
}

/** Puts an image with all that is below it into a store. */
export function putImage(
  store: Store,
  repository: string,
  {mediaType, body, blobs, children}: SmallManifest,
  tag?: string
): void {
  for (const child of children) putImage(store, repository, child);
  for (const {bytes} of blobs) store.putBlob(repository, bytes);
  store.putManifest(repository, {mediaType, body}, tag);
}

/** Puts a release into a store, below `repository`. */
export function putRelease(
  store: Store,
  repository: string,
  {images}: SmallRelease,
  tag: string = smallTag
): void {
  for (const [name, image] of images) putImage(store, `${repository}/${name}`, image, tag);
}
