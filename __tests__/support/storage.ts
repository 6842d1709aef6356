import {mkdir, writeFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';

import {buildRelease, type SampleOptions} from '../../src/demo/sample.ts';
import type {Digest} from '../../src/oci/digest.ts';

/**
 * Writes a sample release into a real registry's data, as that keeps it: over HTTP it would take a
 * thousand requests. The registry sees it at once, since it has no cache.
 * @param storage its root directory
 * @see https://distribution.github.io/distribution/spec/implementations/
 */
export async function seedStorage(
  storage: string,
  repository: string,
  options: SampleOptions
): Promise<void> {
  const root = join(storage, 'docker', 'registry', 'v2');
  const written = new Set<string>();
  const write = async (path: string, content: string | Buffer) => {
    if (written.has(path)) return;
    written.add(path);
    await mkdir(dirname(path), {recursive: true});
    await writeFile(path, content);
  };
  const data = (digest: Digest, bytes: Buffer) => {
    const hex = hexOf(digest);
    return write(join(root, 'blobs', 'sha256', hex.slice(0, 2), hex, 'data'), bytes);
  };
  const release = buildRelease(options);
  for (const {name, blobs, children, root: top} of release.images) {
    const at = (...parts: string[]) => join(root, 'repositories', repository, name, ...parts);
    const link = (digest: Digest, ...parts: string[]) =>
      write(at(...parts, 'sha256', hexOf(digest), 'link'), digest);
    for (const {digest, bytes} of blobs) {
      await data(digest, bytes);
      await link(digest, '_layers');
    }
    for (const {digest, body} of [...children, top]) {
      await data(digest, body);
      await link(digest, '_manifests', 'revisions');
    }
    await link(top.digest, '_manifests', 'tags', release.tag, 'index');
    await write(at('_manifests', 'tags', release.tag, 'current', 'link'), top.digest);
  }
}

function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}
