import {Random} from '../../src/demo/random.ts';
import type {Store} from '../../src/demo/store.ts';
import {digestOf} from '../../src/oci/digest.ts';
import {mediaTypes} from '../../src/oci/media-type.ts';
import {imageOf, indexOf, putImage, type SmallBlob} from './small-release.ts';

/** The tags of seven releases, oldest first. */
export const sevenTags = [
  'v1.40.0_2025-08-12',
  'v1.41.0_2025-09-09',
  'v1.42.0_2025-10-14',
  'v1.43.0_2025-11-11',
  'v1.44.0_2026-03-10',
  'v1.45.0_2026-04-14',
  'v1.46.0_2026-05-12'
] as const;

const names = [
  'arc-bootstrapper',
  'arc-controller',
  'arc-controller-db',
  'arc-dns',
  'arc-ha-orchestrator',
  'arc-ha-supervisor',
  'arc-monitor-collectd',
  'arc-monitor-fluentbit',
  'arc-monitor-influxdb',
  'arc-monitor-telegraf',
  'arc-postgres-14',
  'arc-security-support',
  'arc-service-proxy',
  'arc-sqlmi'
];

/** An image of one of the releases. */
export interface SevenImage {
  readonly tag: string;
  readonly name: string;
  readonly image: ReturnType<typeof imageOf>;
}

/**
 * Seven releases of eleven core images and three others, one of which is dropped after the fourth
 * month. All stand upon one base, half of them upon a second one, one has a far larger layer; what is
 * new every month is a small part. About 3 MB together, each blob once; always the same bytes.
 */
export function sevenReleases(): readonly SevenImage[] {
  const made = new Map<string, SmallBlob>();
  const layer = (words: string, size: number): SmallBlob => {
    const known = made.get(words);
    if (known !== undefined) return known;
    const bytes = new Random(Random.seedOf('seven', words)).bytes(size);
    const blob = {bytes, digest: digestOf(bytes)};
    made.set(words, blob);
    return blob;
  };
  const platform = (name: string, month: number, architecture: string) => {
    const random = new Random(Random.seedOf('seven', name, architecture));
    const own = (what: string, low: number, high: number) =>
      layer(`${name} ${architecture} ${what}`, random.between(low, high));
    return imageOf(`${name} ${month} ${architecture}`, month % 2 === 0 ? 'docker' : 'oci', [
      layer(`base ${architecture}`, 90_000),
      ...(names.indexOf(name) % 2 === 0 ? [layer(`runtime ${architecture}`, 60_000)] : []),
      ...(name === 'arc-sqlmi' ? [layer('engine', 250_000)] : []),
      ...[own('first', 20_000, 60_000), own('second', 5000, 30_000)],
      ...[own(`application ${month}`, 8000, 20_000), own(`settings ${month}`, 1000, 4000)]
    ]);
  };
  return sevenTags.flatMap((tag, month) =>
    names
      .filter(name => name !== 'arc-postgres-14' || month < 4)
      .map(name => {
        const image = platform(name, month, 'amd64');
        if (name !== 'arc-monitor-telegraf') return {tag, name, image};
        const both = [image, platform(name, month, 'arm64')];
        return {tag, name, image: indexOf(mediaTypes.ociIndex, both)};
      })
  );
}

/** Puts them into a store, each image in its own repository below `repository`. */
export function putSeven(store: Store, repository: string, images: readonly SevenImage[]): void {
  for (const {tag, name, image} of images) putImage(store, `${repository}/${name}`, image, tag);
}

/** The blobs of an image, those of its children included. */
export function blobsBelow({blobs, children}: SevenImage['image']): readonly SmallBlob[] {
  return [...blobs, ...children.flatMap(blobsBelow)];
}
