import {execFile} from 'node:child_process';
import {mkdir} from 'node:fs/promises';
import {join} from 'node:path';
import {promisify} from 'node:util';

import {programOnPath} from '../__tests__/support/program.ts';
import {within} from '../src/oci/reference.ts';
import type {Tool} from './tool.ts';
import {cacheFolder, sourceRepository, targetRepository} from './workload.ts';

const run = promisify(execFile);

/** The lower bound, compiled here; undefined where there is no C compiler. */
export async function floor(threads: number): Promise<Tool | undefined> {
  const compiler = programOnPath('gcc') ?? programOnPath('cc');
  if (compiler === undefined) return undefined;
  await mkdir(cacheFolder, {recursive: true});
  const program = join(cacheFolder, 'floor');
  await run(compiler, ['-O2', '-pthread', 'bench/floor.c', '-o', program]);
  return {
    name: `floor -P${threads}`,
    version: 'bench/floor.c',
    floor: true,
    command: ({workload, source, target, home, scratch}) => {
      const blobs = new Map<string, {line: string; size: number}>();
      for (const image of workload.months.first.images) {
        const [from, to] = [sourceRepository, targetRepository].map(path =>
          within(path, image.name)
        );
        for (const {digest, size} of image.blobs) {
          if (blobs.has(digest)) continue;
          blobs.set(digest, {line: `${from ?? ''} ${to ?? ''} ${digest} ${size}\n`, size});
        }
      }
      const sorted = [...blobs.values()].sort((one, other) => other.size - one.size);
      const port = (host: string) => host.slice(host.lastIndexOf(':') + 1);
      return Promise.resolve({
        argv: [program, port(source), port(target), String(threads)],
        env: {PATH: process.env.PATH ?? '', HOME: home},
        cwd: scratch,
        input: sorted.map(({line}) => line).join('')
      });
    }
  };
}
