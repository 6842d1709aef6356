import {access, mkdir, readFile, rename, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {digestOf, type Digest} from '../src/oci/digest.ts';
import {mediaTypes} from '../src/oci/media-type.ts';
import {within} from '../src/oci/reference.ts';
import {type Layer, makeLayer} from './layer.ts';
import {blobPath, writeBlob, writeImage} from './layout.ts';
import {type Month, multiPlatform, names, type PlatformPlan, shapeOf, tags} from './shape.ts';

/** A blob by its digest; its bytes are in the storage of the source. */
export interface Blob {
  readonly digest: Digest;
  readonly size: number;
}

/** A manifest, complete. */
export interface Manifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly text: string;
}

/** One image of one month. */
export interface WorkImage {
  readonly name: string;
  readonly blobs: readonly Blob[];
  /** Children first, the root last. */
  readonly manifests: readonly Manifest[];
}

/** A month of the workload. */
export interface WorkMonth {
  readonly tag: string;
  readonly images: readonly WorkImage[];
}

/** A workload on disk. */
export interface Workload {
  /** Megabytes of unique bytes, about. */
  readonly scale: number;
  readonly months: Readonly<Record<Month, WorkMonth>>;
  /** Storage of a registry that holds all months below `sourceRepository`. */
  readonly storage: string;
}

/** Where the images are at the source, and where they go. */
export const sourceRepository = 'arcdata';
export const targetRepository = 'mirror/arcdata';

/** Goes up when the same scale gives other bytes: what was made before is then made anew. */
const edition = 1;

/** Where the bench keeps what it can use again. */
export const cacheFolder = join(tmpdir(), 'arcdata-mirror-bench');

/** Makes the workload of a scale, or takes the one that was made before. */
export async function openWorkload(scale: number): Promise<Workload> {
  const folder = join(cacheFolder, `workload-${edition}-${scale}`);
  const storage = join(folder, 'storage');
  const index = join(folder, 'workload.json');
  if (!(await exists(index))) {
    await rm(folder, {recursive: true, force: true});
    const draft = `${folder}.draft`;
    await rm(draft, {recursive: true, force: true});
    await mkdir(draft, {recursive: true});
    const months = await makeMonths(scale, join(draft, 'storage'));
    await writeFile(join(draft, 'workload.json'), JSON.stringify(months));
    await rename(draft, folder);
  }
  const months = JSON.parse(await readFile(index, 'utf8')) as Workload['months'];
  return {scale, months, storage};
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false
  );
}

/** Makes all months and writes them as the storage of a registry. */
export async function makeMonths(scale: number, storage: string): Promise<Workload['months']> {
  const made = new Map<string, Omit<Layer, 'bytes'> & {readonly size: number}>();
  const months: Partial<Record<Month, WorkMonth>> = {};
  for (const month of ['first', 'next', 'rebuilt'] as const) {
    const plans = shapeOf(month, scale);
    for (const {words, size} of plans.flatMap(({layers}) => layers)) {
      if (made.has(words)) continue;
      const {bytes, digest, diff} = makeLayer(words, size);
      made.set(words, {digest, diff, size: bytes.length});
      await writeBlob(storage, digest, bytes);
    }
    const images: WorkImage[] = [];
    for (const name of names) {
      const built = plans
        .filter(plan => plan.name === name)
        .map(plan => ({plan, ...platformOf(plan, month, made)}));
      for (const {config} of built) await writeBlob(storage, config.digest, config.bytes);
      images.push(imageOf(name, built));
    }
    months[month] = {tag: tags[month], images};
    for (const image of images) {
      await writeImage(storage, within(sourceRepository, image.name), tags[month], image);
    }
  }
  return months as Workload['months'];
}

interface Built {
  readonly plan: PlatformPlan;
  readonly config: {readonly digest: Digest; readonly bytes: Buffer};
  readonly manifest: Manifest;
  readonly blobs: readonly Blob[];
}

function platformOf(
  {name, platform, layers}: PlatformPlan,
  month: Month,
  made: ReadonlyMap<string, Omit<Layer, 'bytes'> & {readonly size: number}>
): Omit<Built, 'plan'> {
  const docker = name === multiPlatform[0] || names.indexOf(name) % 3 !== 2;
  const parts = layers.map(({words}) => {
    const layer = made.get(words);
    if (layer === undefined) throw new TypeError(`no layer ${words}`);
    return layer;
  });
  const created = `${tags[month].slice(-10)}T00:00:00Z`;
  const config = Buffer.from(
    JSON.stringify({
      created,
      ...platform,
      config: {
        User: '0',
        Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
        Entrypoint: [`/opt/arcdata/${name}/bin/start`],
        WorkingDir: '/opt/arcdata',
        Labels: {'org.opencontainers.image.title': name}
      },
      history: layers.map(({words}) => ({created, created_by: `COPY ${words}`})),
      rootfs: {type: 'layers', diff_ids: parts.map(({diff}) => diff)}
    })
  );
  const digest = digestOf(config);
  const manifest = manifestOf(docker ? mediaTypes.dockerManifest : mediaTypes.ociManifest, {
    config: {
      mediaType: docker
        ? 'application/vnd.docker.container.image.v1+json'
        : 'application/vnd.oci.image.config.v1+json',
      size: config.length,
      digest
    },
    layers: parts.map(layer => ({
      mediaType: docker
        ? 'application/vnd.docker.image.rootfs.diff.tar.gzip'
        : 'application/vnd.oci.image.layer.v1.tar+gzip',
      size: layer.size,
      digest: layer.digest
    }))
  });
  const blobs = [
    {digest, size: config.length},
    ...parts.map(layer => ({digest: layer.digest, size: layer.size}))
  ];
  return {config: {digest, bytes: config}, manifest, blobs};
}

function imageOf(name: string, built: readonly Built[]): WorkImage {
  const blobs = built.flatMap(one => one.blobs);
  const manifests = built.map(({manifest}) => manifest);
  if (multiPlatform.includes(name)) {
    const type = name === multiPlatform[0] ? mediaTypes.dockerList : mediaTypes.ociIndex;
    manifests.push(
      manifestOf(type, {
        manifests: built.map(({plan: {platform}, manifest: {mediaType, text, digest}}) => ({
          mediaType,
          size: Buffer.byteLength(text),
          digest,
          platform
        }))
      })
    );
  }
  return {name, blobs: [...new Map(blobs.map(blob => [blob.digest, blob])).values()], manifests};
}

function manifestOf(mediaType: string, fields: Readonly<Record<string, unknown>>): Manifest {
  const text = JSON.stringify({schemaVersion: 2, mediaType, ...fields}, undefined, 3);
  return {digest: digestOf(text), mediaType, text};
}

/** What a month weighs. */
export interface Weights {
  readonly uniqueBytes: number;
  readonly uniqueBlobs: number;
  /** Blobs times the repositories that need them. */
  readonly pairs: number;
  readonly summedBytes: number;
}

/** The weights of a month; of what `before` does not have, when it is given. */
export function weigh(month: WorkMonth, before?: WorkMonth): Weights {
  const known = new Set(before?.images.flatMap(({blobs}) => blobs.map(({digest}) => digest)));
  const all = month.images.flatMap(({blobs}) => blobs).filter(({digest}) => !known.has(digest));
  const unique = [...new Map(all.map(blob => [blob.digest, blob])).values()];
  const bytes = (blobs: readonly Blob[]) => blobs.reduce((sum, {size}) => sum + size, 0);
  return {
    uniqueBytes: bytes(unique),
    uniqueBlobs: unique.length,
    pairs: all.length,
    summedBytes: bytes(all)
  };
}

/** Reads every blob once, so that no run pays for a cold disk. */
export async function warmUp({months, storage}: Workload): Promise<void> {
  const all = Object.values(months).flatMap(({images}) => images.flatMap(({blobs}) => blobs));
  for (const digest of new Set(all.map(blob => blob.digest))) {
    await readFile(blobPath(storage, digest));
  }
}
