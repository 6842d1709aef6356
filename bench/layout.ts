import {constants} from 'node:fs';
import {access, copyFile, link, mkdir, readFile, writeFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';

import type {Digest} from '../src/oci/digest.ts';
import {within} from '../src/oci/reference.ts';
import type {WorkImage, WorkMonth} from './workload.ts';

// How distribution keeps its data on a file system: one file a blob, and small files that hold a
// digest for whatever a repository links to. Writing these is a hundred times faster than pushing.

const root = (storage: string) => join(storage, 'docker', 'registry', 'v2');
const hex = (digest: Digest) => digest.slice('sha256:'.length);

/** The file of a blob's bytes. */
export function blobPath(storage: string, digest: Digest): string {
  const name = hex(digest);
  return join(root(storage), 'blobs', 'sha256', name.slice(0, 2), name, 'data');
}

/** Writes the bytes of a blob; no repository has it yet. */
export async function writeBlob(storage: string, digest: Digest, bytes: Buffer): Promise<void> {
  const path = blobPath(storage, digest);
  await mkdir(dirname(path), {recursive: true});
  await writeFile(path, bytes);
}

/** Links an image whose blobs have been written into a repository, and tags it. */
export async function writeImage(
  storage: string,
  repository: string,
  tag: string,
  {blobs, manifests}: WorkImage
): Promise<void> {
  const place = join(root(storage), 'repositories', repository);
  const write = async (path: readonly string[], digest: Digest) => {
    const folder = join(place, ...path);
    await mkdir(folder, {recursive: true});
    await writeFile(join(folder, 'link'), digest);
  };
  for (const {digest} of blobs) await write(['_layers', 'sha256', hex(digest)], digest);
  for (const {digest, text} of manifests) {
    await writeBlob(storage, digest, Buffer.from(text));
    await write(['_manifests', 'revisions', 'sha256', hex(digest)], digest);
  }
  const digest = manifests.at(-1)?.digest;
  if (digest === undefined) return;
  await write(['_manifests', 'tags', tag, 'current'], digest);
  await write(['_manifests', 'tags', tag, 'index', 'sha256', hex(digest)], digest);
}

/**
 * Puts a month into a storage as if it had been mirrored there. The bytes are hard links to those in
 * `from` where one file system holds both: a registry never changes a blob in place.
 */
export async function writeMonth(
  storage: string,
  repository: string,
  {tag, images}: WorkMonth,
  from: string
): Promise<void> {
  for (const image of images) {
    for (const {digest} of image.blobs) {
      const path = blobPath(storage, digest);
      await mkdir(dirname(path), {recursive: true});
      await linkOrCopy(blobPath(from, digest), path);
    }
    await writeImage(storage, within(repository, image.name), tag, image);
  }
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    const {code} = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    if (code !== 'EXDEV') throw error;
    await copyFile(from, to, constants.COPYFILE_FICLONE);
  }
}

/** What of a month a storage has. */
export interface Found {
  /** Tags that stand for the digest they have at the source, of `tags`. */
  readonly tagged: number;
  readonly tags: number;
  /** Manifests below an index that are there, of `childrenWanted`. */
  readonly children: number;
  readonly childrenWanted: number;
  /** Blobs times repositories that are there, bytes included, of `pairsWanted`. */
  readonly pairs: number;
  readonly pairsWanted: number;
}

/** Looks whether a month has arrived, in the files: the registry has checked every digest itself. */
export async function findMonth(
  storage: string,
  repository: string,
  {tag, images}: WorkMonth
): Promise<Found> {
  const found = {tagged: 0, tags: 0, children: 0, childrenWanted: 0, pairs: 0, pairsWanted: 0};
  for (const {name, blobs, manifests} of images) {
    const place = join(root(storage), 'repositories', within(repository, name));
    const linked = async (...path: readonly string[]) =>
      await readFile(join(place, ...path, 'link'), 'utf8').catch(() => undefined);
    const children = manifests.slice(0, -1);
    found.tags++;
    found.childrenWanted += children.length;
    found.pairsWanted += blobs.length;
    if ((await linked('_manifests', 'tags', tag, 'current')) === manifests.at(-1)?.digest)
      found.tagged++;
    for (const {digest} of children) {
      if (
        (await linked('_manifests', 'revisions', 'sha256', hex(digest))) === digest &&
        (await exists(blobPath(storage, digest)))
      )
        found.children++;
    }
    for (const {digest} of blobs) {
      if (
        (await linked('_layers', 'sha256', hex(digest))) === digest &&
        (await exists(blobPath(storage, digest)))
      )
        found.pairs++;
    }
  }
  return found;
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false
  );
}
