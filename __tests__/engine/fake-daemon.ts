import {existsSync} from 'node:fs';
import {mkdir, readFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';

import {digestOf} from '../../src/oci/digest.ts';
import {manifestTypes} from '../../src/oci/media-type.ts';
import type {Call, Ending} from '../docker/fake.ts';

/** How a fake daemon is. */
export interface FakeDaemonOptions {
  /** The classic store packs anew, containerd's keeps manifests. Default classic. */
  readonly store?: 'classic' | 'containerd';
  /**
   * What it does before it does what it should: it may fail by throwing, or answer in its place. It
   * tells of the command without `image`.
   */
  readonly before?: (
    call: Call & {readonly command: string; readonly name: string},
    daemon: FakeDaemon
  ) => Promise<void> | void;
  /** What `docker --version` prints. */
  readonly version?: string;
}

/** An image as the daemon has it. */
export interface DaemonImage {
  readonly Id: string;
  readonly RepoDigests: readonly string[];
  readonly RootFS: {readonly Layers: readonly string[]};
  readonly from: {readonly host: string; readonly base: string};
  readonly text: string;
  readonly type: string;
}

interface Config {
  auths?: Record<string, {auth?: string}>;
}

/** Thrown where docker ends with exit code 1: what it says then. */
export class DockerSays extends Error {}

/** Fails as docker does. @throws DockerSays */
export function fail(text: string): never {
  throw new DockerSays(text);
}

/** A command that never ends; only a signal does that. */
export function hang(): Promise<never> {
  return new Promise(() => undefined);
}

/** How docker says that there is nobody. */
export const noDaemon =
  'Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?';

const accept = {Accept: manifestTypes.join(', ')};

/**
 * A docker with a daemon that really pulls and pushes, over plain http and with the accounts of its
 * DOCKER_CONFIG. Of an index it takes linux/amd64.
 */
export class FakeDaemon {
  /** By name: with a tag or with a digest. */
  readonly images = new Map<string, DaemonImage>();
  readonly #options: FakeDaemonOptions;

  constructor(options: FakeDaemonOptions = {}) {
    this.#options = options;
  }

  /** Answers one start of docker. */
  readonly answer = async (call: Call): Promise<Ending> => {
    const {version = 'Docker version 28.2.2, build e6534b4', before} = this.#options;
    const {argv} = call;
    if (argv[0] === '--version') return {stdout: `${version}\n`};
    const command = (argv[0] === 'image' ? argv[1] : argv[0]) ?? '';
    const name = argv.at(-1) ?? '';
    try {
      await before?.({...call, command, name}, this);
      return {stdout: await this.#run(command, name, call)};
    } catch (error) {
      if (error instanceof DockerSays) return {code: 1, stderr: `${error.message}\n`};
      return {code: 1, stderr: `Error response from daemon: ${String(error)}\n`};
    }
  };

  async #run(command: string, name: string, call: Call): Promise<string> {
    switch (command) {
      case 'info':
        return this.#info(call);
      case 'login':
        return await login(name, call);
      case 'logout':
        await changeConfig(call, ({auths = {}}) => Reflect.deleteProperty(auths, name));
        return '';
      case 'inspect':
        return JSON.stringify(this.#image(name));
      case 'pull':
        this.images.set(name, await pull(name, call));
        return '';
      case 'tag':
        this.images.set(name, this.#image(call.argv[1] ?? ''));
        return '';
      case 'push':
        return await this.#push(name, call);
      case 'rm':
        this.#remove(name);
        return '';
      default:
        return fail(`docker: ${command} is not known`);
    }
  }

  #image(name: string): DaemonImage {
    return this.images.get(name) ?? fail(`Error: No such image: ${name}`);
  }

  #info({env}: Call): string {
    const containerd = [['driver-type', 'io.containerd.snapshotter.v1']];
    return JSON.stringify({
      ServerVersion: '28.2.2',
      Driver: 'overlay2',
      DockerRootDir: env.HOME,
      OSType: 'linux',
      Architecture: 'x86_64',
      DriverStatus: this.#options.store === 'containerd' ? containerd : []
    });
  }

  async #push(name: string, call: Call): Promise<string> {
    const {host, base, reference} = partsOf(name);
    const {from, text, type, RootFS} = this.#image(name);
    const manifest = JSON.parse(text) as Manifest;
    const lines: string[] = [];
    for (const [i, {digest}] of [manifest.config, ...manifest.layers].entries()) {
      const said = (what: string) => {
        if (i > 0) lines.push(`${RootFS.Layers[i - 1]?.slice(7, 19) ?? ''}: ${what}`);
      };
      const there = await ask(call, host, `${base}/blobs/${digest}`, {method: 'HEAD'});
      if (there.status === 200) {
        said('Layer already exists');
        continue;
      }
      const blob = await ask(call, from.host, `${from.base}/blobs/${digest}`);
      const opened = await ask(call, host, `${base}/blobs/uploads/`, {method: 'POST'});
      const to = new URL(opened.headers.get('location') ?? '', base);
      to.searchParams.set('digest', digest);
      await ask(call, host, to.href, {method: 'PUT', body: await blob.arrayBuffer()});
      said('Pushed');
    }
    const sent = this.#options.store === 'containerd' ? text : JSON.stringify(manifest);
    await ask(call, host, `${base}/manifests/${reference}`, {
      method: 'PUT',
      headers: {'Content-Type': type},
      body: sent
    });
    const digest = digestOf(Buffer.from(sent));
    this.images.set(name.replace(/:[^:/]+$/, `@${digest}`), this.#image(name));
    return [...lines, `${reference}: digest: ${digest} size: ${sent.length}`, ''].join('\n');
  }

  #remove(name: string): void {
    this.#image(name);
    this.images.delete(name);
    if (name.includes('@')) return;
    // With the last tag of a repository its digests go, as they do at a real daemon.
    const digests = `${name.replace(/:[^:/]+$/, '')}@`;
    for (const other of [...this.images.keys()])
      if (other.startsWith(digests)) this.images.delete(other);
  }
}

interface Manifest {
  readonly config: {readonly digest: string};
  readonly layers: readonly {readonly digest: string}[];
  readonly manifests?: readonly {
    readonly digest: string;
    readonly platform: {readonly architecture: string};
  }[];
}

function partsOf(name: string): {host: string; reference: string; base: string} {
  const [, host = '', repository = '', reference = ''] =
    /^([^/]+)\/([^@:]+)[@:](.+)$/.exec(name) ?? [];
  return {host, reference, base: `http://${host}/v2/${repository}`};
}

/** Where the accounts are. */
export function configOf({env}: Call): string {
  return join(env.DOCKER_CONFIG ?? '', 'config.json');
}

async function readConfig(call: Call): Promise<Config> {
  const file = configOf(call);
  return existsSync(file) ? (JSON.parse(await readFile(file, 'utf8')) as Config) : {};
}

async function changeConfig(call: Call, change: (config: Config) => unknown): Promise<void> {
  const config = await readConfig(call);
  change(config);
  await mkdir(call.env.DOCKER_CONFIG ?? '', {recursive: true});
  await writeFile(configOf(call), JSON.stringify(config, undefined, '\t'));
}

async function login(host: string, call: Call): Promise<string> {
  const {argv, stdin} = call;
  const username = argv[argv.indexOf('--username') + 1] ?? '';
  const auth = Buffer.from(`${username}:${stdin}`).toString('base64');
  const url = `http://${host}/v2/`;
  const answer = await fetch(url, {headers: {Authorization: `Basic ${auth}`}});
  if (answer.status !== 200) {
    fail(
      `Error response from daemon: login attempt to ${url} failed with status: 401 Unauthorized`
    );
  }
  await changeConfig(call, config => {
    config.auths = {...config.auths, [host]: {auth}};
  });
  return '';
}

async function ask(
  call: Call,
  host: string,
  url: string,
  init: Omit<RequestInit, 'headers'> & {readonly headers?: Readonly<Record<string, string>>} = {}
): Promise<Response> {
  const auth = (await readConfig(call)).auths?.[host]?.auth;
  const headers = {...init.headers, ...(auth !== undefined && {Authorization: `Basic ${auth}`})};
  const answer = await fetch(url, {...init, redirect: 'manual', headers});
  if (answer.status >= 400 && answer.status !== 404) {
    const more = answer.status === 401 ? ' no basic auth credentials' : '';
    fail(`Error response from daemon: ${url}: status: ${answer.status}${more}`);
  }
  return answer;
}

async function pull(name: string, call: Call): Promise<DaemonImage> {
  const {host, base, reference} = partsOf(name);
  const get = async (digest: string) => {
    const answer = await ask(call, host, `${base}/manifests/${digest}`, {headers: accept});
    if (answer.status === 404) fail('manifest unknown');
    return {text: await answer.text(), type: answer.headers.get('content-type') ?? ''};
  };
  let found = await get(reference);
  const {manifests = []} = JSON.parse(found.text) as Manifest;
  const wanted = manifests.find(({platform}) => platform.architecture === 'amd64');
  if (wanted !== undefined) found = await get(wanted.digest);
  const {config} = JSON.parse(found.text) as Manifest;
  const answer = await ask(call, host, `${base}/blobs/${config.digest}`);
  const {rootfs} = (await answer.json()) as {rootfs: {diff_ids: readonly string[]}};
  const platform = {Os: 'linux', Architecture: 'amd64'};
  return {
    ...{Id: config.digest, RepoDigests: [name], Size: 1000, ...platform},
    ...{RootFS: {Layers: rootfs.diff_ids}, from: {host, base}, ...found}
  };
}
