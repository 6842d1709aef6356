import {execFile} from 'node:child_process';
import {once} from 'node:events';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import * as http from 'node:http';
import * as https from 'node:https';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {freePort, missing, type Program, programOnPath, startProgram} from './program.ts';

/** A real registry: the distribution project's own, as Debian packages it. */
export interface Distribution extends AsyncDisposable {
  /** `127.0.0.1:port`. */
  readonly host: string;
  /** `http://host` or `https://host`, without a slash behind it. */
  readonly url: string;
  /** Its data: `docker/registry/v2/…` beneath. */
  readonly storage: string;
  /**
   * One line a request, in the common log format, oldest first. A line comes a moment after its
   * answer; after `stop` they are all there.
   */
  accessLog(): readonly string[];
  stop(): Promise<void>;
}

/** What the registry should be like. */
export interface DistributionOptions {
  /** The one account; anonymous for all when absent. */
  readonly htpasswd?: {readonly username: string; readonly password: string};
  /** PEM texts. Plain http when absent. */
  readonly tls?: {readonly key: string; readonly cert: string};
  /** A directory to keep the data in, which then outlives the registry. */
  readonly storage?: string;
}

const program = () => programOnPath('docker-registry');

const needed = 'docker-registry (Debian: docker-registry)';

/** Whether the program is there, which is said if not: for `describe.skip`. */
export function distributionInstalled(): boolean {
  if (program() !== undefined) return true;
  missing(needed);
  return false;
}

/**
 * Starts a registry on a free port of loopback; it answers when this returns. Deletion of
 * manifests and blobs is allowed. Undefined where the program is missing, but an error in CI.
 */
export async function startDistribution(
  options: DistributionOptions = {}
): Promise<Distribution | undefined> {
  const path = program();
  if (path === undefined) {
    missing(needed);
    return;
  }
  const directory = await mkdtemp(join(tmpdir(), 'distribution-'));
  const storage = options.storage ?? join(directory, 'storage');
  const scheme = options.tls ? 'https' : 'http';
  // The port may be taken between the asking and the listening: then another one.
  for (let attempt = 1; ; attempt++) {
    const host = `127.0.0.1:${await freePort()}`;
    await configure(directory, storage, host, options);
    const registry = startProgram(path, ['serve', join(directory, 'config.yml')], {
      PATH: process.env.PATH ?? '',
      OTEL_TRACES_EXPORTER: 'none'
    });
    const stop = async () => {
      await registry.stop();
      await rm(directory, {recursive: true, force: true});
    };
    if (await answers(`${scheme}://${host}/v2/`, registry)) {
      return {
        host,
        url: `${scheme}://${host}`,
        storage,
        accessLog: registry.stdout,
        stop,
        [Symbol.asyncDispose]: stop
      };
    }
    await registry.stop();
    if (attempt === 3) {
      throw new Error(`docker-registry did not start: ${registry.stderr().join('\n')}`);
    }
  }
}

async function configure(
  directory: string,
  storage: string,
  host: string,
  {htpasswd, tls}: DistributionOptions
): Promise<void> {
  const at = (name: string) => join(directory, name);
  const lines = [
    'version: 0.1',
    'log: {level: warn, accesslog: {disabled: false}}',
    `storage: {filesystem: {rootdirectory: ${JSON.stringify(storage)}}, delete: {enabled: true}}`,
    `http: {addr: ${JSON.stringify(host)}, secret: shared${
      tls
        ? `, tls: {certificate: ${JSON.stringify(at('cert.pem'))}, key: ${JSON.stringify(at('key.pem'))}}`
        : ''
    }}`
  ];
  if (tls) {
    await writeFile(at('key.pem'), tls.key, {mode: 0o600});
    await writeFile(at('cert.pem'), tls.cert);
  }
  if (htpasswd) {
    await writeFile(at('htpasswd'), await hashed(htpasswd.username, htpasswd.password));
    lines.push(`auth: {htpasswd: {realm: test, path: ${JSON.stringify(at('htpasswd'))}}}`);
  }
  await writeFile(at('config.yml'), `${lines.join('\n')}\n`);
}

/** A line of an htpasswd file, at bcrypt's lowest cost: every request pays it. */
async function hashed(username: string, password: string): Promise<string> {
  const child = execFile('htpasswd', ['-n', '-i', '-B', '-C', '4', username]);
  let line = '';
  child.stdout?.on('data', (chunk: string) => (line += chunk));
  child.stdin?.end(password);
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error('htpasswd (Debian: apache2-utils) failed');
  return line;
}

/**
 * Waits at most ten seconds for an answer of any status, which this registry's own log has too: another
 * one may have taken the port, and would answer just as well.
 */
async function answers(url: string, registry: Program): Promise<boolean> {
  const logged = () => registry.stdout().some(line => line.includes('/v2/'));
  for (let left = 200; left > 0 && !registry.exited(); left--) {
    if ((await ping(url)) && logged()) return true;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  return false;
}

function ping(url: string): Promise<boolean> {
  return new Promise(resolve => {
    const answered = (response: http.IncomingMessage) => {
      response.resume();
      resolve(true);
    };
    // Whether the certificate is a good one is not what is asked here.
    const request = url.startsWith('https:')
      ? https.get(url, {agent: false, rejectUnauthorized: false}, answered)
      : http.get(url, {agent: false}, answered);
    request.on('error', () => {
      resolve(false);
    });
  });
}
