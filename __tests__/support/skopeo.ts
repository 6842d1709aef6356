import {execFile} from 'node:child_process';
import {createHash} from 'node:crypto';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';

import {missing, programOnPath} from './program.ts';

const run = promisify(execFile);

/** Whether the program is there, which is said if not: for `describe.skip`. */
export function skopeoInstalled(): boolean {
  if (programOnPath('skopeo') !== undefined) return true;
  missing('skopeo (Debian: skopeo)');
  return false;
}

/** How to reach a registry. */
export interface SkopeoAccess {
  readonly host: string;
  /** PEM of its authority; plain http when absent. */
  readonly ca?: string;
  readonly account?: {readonly username: string; readonly password: string};
}

/** An independent witness of what a registry holds. */
export class Skopeo implements AsyncDisposable {
  readonly #directory: string;
  readonly #args: readonly string[];
  readonly #host: string;

  private constructor(directory: string, args: readonly string[], host: string) {
    this.#directory = directory;
    this.#args = args;
    this.#host = host;
  }

  static async at({host, ca, account}: SkopeoAccess): Promise<Skopeo> {
    const directory = await mkdtemp(join(tmpdir(), 'skopeo-'));
    const auth = account && Buffer.from(`${account.username}:${account.password}`);
    await writeFile(
      join(directory, 'auth.json'),
      JSON.stringify({auths: auth ? {[host]: {auth: auth.toString('base64')}} : {}})
    );
    if (ca !== undefined) await writeFile(join(directory, 'ca.crt'), ca);
    const tls = ca === undefined ? ['--tls-verify=false'] : ['--cert-dir', directory];
    return new Skopeo(directory, [...tls, '--authfile', join(directory, 'auth.json')], host);
  }

  /** The SHA-256 of the manifest's raw bytes, and the digests of an index's children. */
  async manifest(
    repository: string,
    reference: string
  ): Promise<{
    readonly digest: string;
    readonly mediaType: string;
    readonly children: readonly string[];
  }> {
    const mark = reference.includes(':') ? '@' : ':';
    const name = `docker://${this.#host}/${repository}${mark}${reference}`;
    const {stdout} = await run('skopeo', ['inspect', '--raw', ...this.#args, name], {
      encoding: 'buffer',
      env: {PATH: process.env.PATH, HOME: this.#directory}
    });
    const {mediaType = '', manifests = []} = JSON.parse(stdout.toString()) as {
      mediaType?: string;
      manifests?: {digest: string}[];
    };
    const hex = createHash('sha256').update(stdout).digest('hex');
    return {digest: `sha256:${hex}`, mediaType, children: manifests.map(({digest}) => digest)};
  }

  /** The tags of a repository, sorted. */
  async tags(repository: string): Promise<readonly string[]> {
    const name = `docker://${this.#host}/${repository}`;
    const {stdout} = await run('skopeo', ['list-tags', ...this.#args, name], {
      env: {PATH: process.env.PATH, HOME: this.#directory}
    });
    return (JSON.parse(stdout) as {Tags: string[]}).Tags.sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, {recursive: true, force: true});
  }
}
