import {readFile} from 'node:fs/promises';
import {join, resolve} from 'node:path';

import {monthOf} from './phase.ts';
import type {Tool} from './tool.ts';
import {sourceRepository, targetRepository} from './workload.ts';

/** This project, as its built program: nothing but flags that a user has. */
export async function ours(bundle: string): Promise<Tool> {
  const {version} = JSON.parse(await readFile('package.json', 'utf8')) as {version: string};
  return {
    name: 'arcdata-mirror',
    version: `${version} on Node ${process.versions.node}`,
    command: ({workload, phase, source, target, home, scratch}) =>
      Promise.resolve({
        argv: [
          ...[process.execPath, resolve(bundle), 'mirror', '--json', '--yes'],
          ...['--source-registry', source, '--source-repository', sourceRepository],
          ...['--source-tag', workload.months[monthOf[phase]].tag],
          ...['--target-registry', target, '--target-repository', targetRepository],
          ...['--insecure-registries', `${source},${target}`],
          ...['--lock-file', join(scratch, 'lock.json')]
        ],
        env: {PATH: process.env.PATH ?? '', HOME: home, TMPDIR: scratch},
        cwd: scratch
      })
  };
}
