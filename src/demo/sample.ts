import {digestOf, type Digest} from '../oci/digest.ts';
import {mediaTypes} from '../oci/media-type.ts';
import type {Platform} from '../oci/platform.ts';
import {within} from '../oci/reference.ts';
import {LayerMaker} from './layers.ts';
import type {Store} from './store.ts';

/** The images of a release since v1.30.0, in the order in which the sample script lists them. */
export const sampleNames: readonly string[] = [
  'arc-bootstrapper',
  'arc-ci-launcher',
  'arc-controller',
  'arc-controller-db',
  'arc-dns',
  'arc-ha-orchestrator',
  'arc-ha-supervisor',
  'arc-monitor-collectd',
  'arc-monitor-fluentbit',
  'arc-monitor-grafana',
  'arc-monitor-influxdb',
  'arc-monitor-opensearch',
  'arc-monitor-opensearch-dashboards',
  'arc-monitor-telegraf',
  'arc-postgres-14',
  'arc-postgresql-agent',
  'arc-sb-plugin',
  'arc-security-support',
  'arc-service-proxy',
  'arc-sqlmi'
];

/** Which release to make up. */
export interface SampleOptions {
  readonly tag: string;
  /** Default: the twenty of a release. */
  readonly names?: readonly string[];
  readonly seed?: number;
  /** Default 0. Each further month changes a fifth of the bytes, and every config and manifest. */
  readonly month?: number;
  /** 1 is about 5 MB of unique bytes; 200 about a gigabyte. Default 1. */
  readonly scale?: number;
}

/** A blob of a sample. */
export interface SampleBlob {
  readonly digest: Digest;
  readonly bytes: Buffer;
}

/** A manifest of a sample. */
export interface SampleManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly body: Buffer;
}

/** An image of a sample, children before their index. */
export interface SampleImage {
  readonly name: string;
  readonly blobs: readonly SampleBlob[];
  readonly children: readonly SampleManifest[];
  readonly root: SampleManifest;
}

/** A release that was made up, with the figures a mirror of it should arrive at. */
export interface SampleRelease {
  readonly tag: string;
  readonly images: readonly SampleImage[];
  /** Bytes of all blobs, each once. Manifests are not blobs. */
  readonly uniqueBytes: number;
  /** Bytes of all blobs, once for every image that has them. */
  readonly summedBytes: number;
  readonly uniqueBlobs: number;
}

/** What was seeded. */
export interface SeededRelease {
  readonly images: readonly {readonly name: string; readonly digest: Digest}[];
  readonly uniqueBytes: number;
  readonly summedBytes: number;
  readonly uniqueBlobs: number;
}

const amd64: Platform = {os: 'linux', architecture: 'amd64'};
const arm64: Platform = {os: 'linux', architecture: 'arm64', variant: 'v8'};
/** The two images that are made for two platforms, and in which family. */
const multiPlatform: Readonly<Record<string, 'docker' | 'oci'>> = {
  'arc-monitor-fluentbit': 'docker',
  'arc-monitor-telegraf': 'oci'
};

/** Built upon the second common base as well: every other image. */
const hasRuntime = (name: string) => sampleNames.indexOf(name) % 2 === 0;

/**
 * Makes up a release with the shape of a real one: layers of a common base in every image, of a
 * second base in half of them, one layer far larger than all others, docker and OCI manifests, one
 * manifest list and one index. The same options give the same bytes on every machine.
 */
export function buildRelease(options: SampleOptions): SampleRelease {
  const {tag, names = sampleNames} = options;
  const maker = new LayerMaker(options, hasRuntime);
  const images = names.map(name => imageOf(name, options, maker));
  const all = new Map(images.flatMap(({blobs}) => blobs.map(blob => [blob.digest, blob] as const)));
  return {
    tag,
    images,
    uniqueBytes: sum([...all.values()]),
    summedBytes: images.reduce((total, {blobs}) => total + sum(blobs), 0),
    uniqueBlobs: all.size
  };
}

/** Makes up a release and puts it into a store, each image in its own repository below `repository`. */
export function seedRelease(
  store: Store,
  repository: string,
  options: SampleOptions
): SeededRelease {
  const release = buildRelease(options);
  for (const {name, blobs, children, root} of release.images) {
    const place = within(repository, name);
    for (const {bytes} of blobs) store.putBlob(place, bytes);
    for (const child of children) store.putManifest(place, child);
    store.putManifest(place, root, release.tag);
  }
  return summaryOf(release);
}

/** What is told of a release after seeding. */
export function summaryOf(release: SampleRelease): SeededRelease {
  const {uniqueBytes, summedBytes, uniqueBlobs} = release;
  const images = release.images.map(({name, root}) => ({name, digest: root.digest}));
  return {images, uniqueBytes, summedBytes, uniqueBlobs};
}

function sum(blobs: readonly SampleBlob[]): number {
  return blobs.reduce((total, {bytes}) => total + bytes.length, 0);
}

function imageOf(name: string, options: SampleOptions, maker: LayerMaker): SampleImage {
  const family = multiPlatform[name];
  if (family === undefined) {
    const kind = sampleNames.indexOf(name) % 3 === 2 ? 'oci' : 'docker';
    const {blobs, manifest} = platformImage(name, amd64, kind, options, maker);
    return {name, blobs, children: [], root: manifest};
  }
  const variants = [amd64, arm64].map(platform => ({
    platform,
    ...platformImage(name, platform, family, options, maker)
  }));
  const mediaType = family === 'docker' ? mediaTypes.dockerList : mediaTypes.ociIndex;
  const manifests = variants.map(({manifest, platform}) => ({
    mediaType: manifest.mediaType,
    size: manifest.body.length,
    digest: manifest.digest,
    platform
  }));
  const blobs = new Map(
    variants.flatMap(variant => variant.blobs.map(blob => [blob.digest, blob]))
  );
  return {
    name,
    blobs: [...blobs.values()],
    children: variants.map(({manifest}) => manifest),
    root: manifestOf({schemaVersion: 2, mediaType, manifests})
  };
}

function platformImage(
  name: string,
  platform: Platform,
  family: 'docker' | 'oci',
  {tag, month = 0}: SampleOptions,
  maker: LayerMaker
): {readonly blobs: readonly SampleBlob[]; readonly manifest: SampleManifest} {
  const layers = maker.layers(name, platform);
  const created = new Date(Date.UTC(2026, 0, 13) + month * 28 * 86_400_000).toISOString();
  const config = Buffer.from(
    JSON.stringify({
      created,
      ...platform,
      config: {
        User: '0',
        Env: [
          'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
          `ARC_TAG=${tag}`
        ],
        Entrypoint: [`/opt/arcdata/${name}/bin/start`],
        WorkingDir: '/opt/arcdata',
        Labels: {'org.opencontainers.image.title': name, 'org.opencontainers.image.version': tag}
      },
      history: layers.map((_, i) => ({created, created_by: `COPY layer ${i + 1}`})),
      rootfs: {type: 'layers', diff_ids: layers.map(({diff}) => diff)}
    })
  );
  const docker = family === 'docker';
  const manifest = manifestOf({
    schemaVersion: 2,
    mediaType: docker ? mediaTypes.dockerManifest : mediaTypes.ociManifest,
    config: {
      mediaType: docker
        ? 'application/vnd.docker.container.image.v1+json'
        : 'application/vnd.oci.image.config.v1+json',
      size: config.length,
      digest: digestOf(config)
    },
    layers: layers.map(({digest, bytes}) => ({
      mediaType: docker
        ? 'application/vnd.docker.image.rootfs.diff.tar.gzip'
        : 'application/vnd.oci.image.layer.v1.tar+gzip',
      size: bytes.length,
      digest
    }))
  });
  return {blobs: [{digest: digestOf(config), bytes: config}, ...layers], manifest};
}

function manifestOf(document: {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly [field: string]: unknown;
}): SampleManifest {
  const body = Buffer.from(JSON.stringify(document, undefined, 3));
  return {digest: digestOf(body), mediaType: document.mediaType, body};
}
