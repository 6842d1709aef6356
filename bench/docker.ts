import {execFile} from 'node:child_process';
import {readFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {promisify} from 'node:util';

import {type Dockerd, startDockerd} from '../__tests__/support/dockerd.ts';
import {programOnPath} from '../__tests__/support/program.ts';
import {environment, pairsOf} from './peers.ts';
import {cpuSeconds, treeOf} from './proc.ts';
import type {Tool} from './tool.ts';

const run = promisify(execFile);

/** The classic way, one image after the other, through a daemon of our own. */
const script =
  'while read -r from to; do docker pull -q "$from" && docker tag "$from" "$to" && docker push -q "$to" || exit; done';

/** docker with a daemon of its own; undefined where one of them is missing or may not be started. */
export async function docker(): Promise<Tool | undefined> {
  const [client, server] = [programOnPath('docker'), programOnPath('dockerd')];
  if (client === undefined || server === undefined || process.getuid?.() !== 0) return undefined;
  const {stdout} = await run(server, ['--version']);
  let daemon: Dockerd | undefined;
  return {
    name: 'docker',
    version: `${/\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? 'unknown'}, pull, tag and push`,
    // A cold run begins with an empty daemon; later ones with what it has.
    async prepare({phase}) {
      if (daemon !== undefined && phase !== 'cold') return;
      await daemon?.stop();
      daemon = await startDockerd();
      if (daemon === undefined) throw new Error('no docker daemon can be started');
    },
    command: errand =>
      Promise.resolve({
        argv: ['bash', '-c', script],
        env: {...environment(errand), DOCKER_HOST: daemon?.host ?? ''},
        cwd: errand.scratch,
        input: pairsOf(errand)
          .map(({from, to}) => `${from} ${to}\n`)
          .join('')
      }),
    async service() {
      if (daemon === undefined) return 0;
      const pid = Number(await readFile(join(dirname(daemon.root), 'pid'), 'utf8'));
      const all = await Promise.all(treeOf(pid).map(cpuSeconds));
      return all.reduce((sum, one) => sum + one, 0);
    },
    async stop() {
      await daemon?.stop();
    }
  };
}
