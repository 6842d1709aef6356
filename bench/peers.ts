import {execFile} from 'node:child_process';
import {accessSync, constants} from 'node:fs';
import {readFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {promisify} from 'node:util';

import {programOnPath} from '../__tests__/support/program.ts';
import {within} from '../src/oci/reference.ts';
import {docker} from './docker.ts';
import {floor} from './floor.ts';
import {ours} from './ours.ts';
import {monthOf} from './phase.ts';
import type {Errand, Tool} from './tool.ts';
import {cacheFolder, sourceRepository, targetRepository} from './workload.ts';

const run = promisify(execFile);

/** The tools that were found, and what has to be stopped in the end. */
export interface Found extends AsyncDisposable {
  readonly tools: readonly Tool[];
  /** Names for which there is no program here. */
  readonly missing: readonly string[];
}

/** Finds what is wanted, on PATH or where bench/peers.sh put it. */
export async function findTools(names: ReadonlySet<string>, bundle: string): Promise<Found> {
  const tools: Tool[] = [await ours(bundle)];
  for (const name of names) {
    const [word = '', mode = ''] = name.split(' ');
    const processes = /^-P(\d+)$/.exec(mode)?.[1];
    const tool =
      word === 'floor'
        ? await floor(Number(processes))
        : word === 'docker'
          ? await docker()
          : await peer(name, word, processes);
    if (tool !== undefined) tools.push(tool);
  }
  return {
    tools,
    missing: [...names].filter(name => tools.every(tool => tool.name !== name)),
    async [Symbol.asyncDispose]() {
      for (const tool of tools) await tool.stop?.();
    }
  };
}

/** A tool that copies images, as many at once as `processes` says. */
async function peer(
  name: string,
  word: string,
  processes: string | undefined
): Promise<Tool | undefined> {
  const program = find(word);
  if (program === undefined) return undefined;
  const version = await versionOf(word, program);
  const commands: Readonly<Record<string, readonly string[]>> = {
    crane: [program, 'copy', '--insecure'],
    oras: [program, 'cp', '-r', '--from-plain-http', '--to-plain-http'],
    skopeo: [
      ...[program, '--insecure-policy', 'copy', '--all', '--quiet'],
      ...['--src-tls-verify=false', '--dest-tls-verify=false']
    ]
  };
  const copy = commands[word];
  if (processes !== undefined && copy !== undefined) {
    const scheme = word === 'skopeo' ? 'docker://' : '';
    return {
      name,
      version,
      command: errand =>
        Promise.resolve({
          argv: ['xargs', '-P', processes, '-n', '2', ...copy],
          env: environment(errand),
          cwd: errand.scratch,
          // In the order of the sample script, as anybody would loop over it.
          input: pairsOf(errand)
            .map(({from, to}) => `${scheme}${from} ${scheme}${to}\n`)
            .join('')
        })
    };
  }
  if (name === 'skopeo sync') return {name, version, command: errand => sync(program, errand)};
  if (name === 'regsync') return {name, version, command: errand => regsync(program, errand)};
  throw new TypeError(`no tool ${name}`);
}

/** The whole set in one process; it remembers where blobs are, in its home. */
async function sync(program: string, errand: Errand) {
  const {workload, phase, source, target, scratch} = errand;
  const {tag, images} = workload.months[monthOf[phase]];
  const list = join(scratch, 'sync.yml');
  await writeFile(
    list,
    [
      `${source}:`,
      '  tls-verify: false',
      '  images:',
      ...images.map(({name}) => `    ${within(sourceRepository, name)}: [${JSON.stringify(tag)}]`),
      ''
    ].join('\n')
  );
  return {
    argv: [
      ...[program, '--insecure-policy', 'sync', '--all', '--src', 'yaml', '--dest', 'docker'],
      ...['--dest-tls-verify=false', list, `${target}/${targetRepository}`]
    ],
    env: environment(errand),
    cwd: scratch
  };
}

async function regsync(program: string, errand: Errand) {
  const config = join(errand.scratch, 'regsync.yml');
  const host = (name: string) => `  - {registry: "${name}", tls: disabled}`;
  await writeFile(
    config,
    [
      'version: 1',
      'creds:',
      host(errand.source),
      host(errand.target),
      'defaults: {parallel: 4}',
      'sync:',
      ...pairsOf(errand).map(
        ({from, to}) => `  - {source: "${from}", target: "${to}", type: image}`
      ),
      ''
    ].join('\n')
  );
  return {
    argv: [program, 'once', '--config', config],
    env: environment(errand),
    cwd: errand.scratch
  };
}

/** Every image of an errand: where it is and where it goes. */
export function pairsOf({workload, phase, source, target}: Errand) {
  const {tag, images} = workload.months[monthOf[phase]];
  return images.map(({name}) => ({
    from: `${source}/${within(sourceRepository, name)}:${tag}`,
    to: `${target}/${within(targetRepository, name)}:${tag}`
  }));
}

/** Nothing of this machine's own settings: a home of its own, and no proxies. */
export function environment({home}: Errand): Readonly<Record<string, string>> {
  return {
    PATH: process.env.PATH ?? '',
    HOME: home,
    XDG_DATA_HOME: join(home, 'data'),
    XDG_RUNTIME_DIR: home,
    // Without it the containers tools use the machine's own cache when they run as root.
    _CONTAINERS_ROOTLESS_UID: '1000'
  };
}

function find(word: string): string | undefined {
  const unpacked = join(cacheFolder, 'peers', 'bin', word);
  try {
    accessSync(unpacked, constants.X_OK);
    return unpacked;
  } catch {
    return programOnPath(word);
  }
}

/** What it says of itself; else the version of the package it came in. */
async function versionOf(word: string, program: string): Promise<string> {
  for (const args of [['--version'], ['version']]) {
    const said = await run(program, args).catch(() => undefined);
    const version = /\d+\.\d+\.\d+/.exec(said?.stdout ?? '')?.[0];
    if (version !== undefined) return version;
  }
  const versions = await readFile(join(cacheFolder, 'peers', 'versions'), 'utf8').catch(() => '');
  return new RegExp(`^${word} (\\d+\\.\\d+\\.\\d+)`, 'm').exec(versions)?.[1] ?? 'unknown';
}
