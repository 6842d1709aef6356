import {randomBytes} from 'node:crypto';
import * as http from 'node:http';
import * as https from 'node:https';

import type {Distribution} from './distribution.ts';
import {until} from './step.ts';

/** One request, as a registry's access log tells it. */
export interface Logged {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly status: number;
  /** Of the answer's body. */
  readonly bytes: number;
}

/** Reads a line of the common log format; undefined for anything else. */
export function parseLogged(line: string): Logged | undefined {
  const parts = /"([A-Z]+) (\S+) HTTP\/[\d.]+" (\d{3}) (\d+|-)/.exec(line);
  if (parts === null) return undefined;
  const [, method = '', path = '', status, bytes] = parts;
  return {method, path, status: Number(status), bytes: bytes === '-' ? 0 : Number(bytes)};
}

/**
 * Every request that the registry has answered so far. A line comes a moment after its answer, so
 * a request of our own is made, and waited for.
 */
export async function requestsOf(registry: Distribution): Promise<readonly Logged[]> {
  const mark = `mark=${randomBytes(8).toString('hex')}`;
  const client = registry.url.startsWith('https:') ? https : http;
  await new Promise((resolve, reject) => {
    client
      .get(`${registry.url}/v2/?${mark}`, {agent: false, rejectUnauthorized: false}, answer => {
        answer.resume().once('end', resolve);
      })
      .once('error', reject);
  });
  await until('the registry logged our request', () =>
    registry.accessLog().some(line => line.includes(mark))
  );
  return registry
    .accessLog()
    .flatMap(line => parseLogged(line) ?? [])
    .filter(({path}) => !path.includes('mark='));
}

/** The digests of blobs that were committed, once for each time. */
export function uploads(requests: readonly Logged[]): readonly string[] {
  return requests.flatMap(({method, path, status}) => {
    if (method !== 'PUT' || status !== 201 || !path.includes('/blobs/uploads/')) return [];
    return new URL(path, 'http://registry').searchParams.get('digest') ?? [];
  });
}

/** The digests of blobs that were mounted, once for each time. */
export function mounts(requests: readonly Logged[]): readonly string[] {
  return requests.flatMap(({method, path, status}) => {
    if (method !== 'POST' || status !== 201) return [];
    return new URL(path, 'http://registry').searchParams.get('mount') ?? [];
  });
}

/** The digests of blobs that were read, with the bytes that were sent. */
export function downloads(
  requests: readonly Logged[]
): readonly {readonly digest: string; readonly bytes: number}[] {
  return requests.flatMap(({method, path, status, bytes}) => {
    const digest = /\/blobs\/(sha256:[0-9a-f]{64})$/.exec(path)?.[1];
    return method === 'GET' && status < 300 && digest !== undefined ? [{digest, bytes}] : [];
  });
}

/** Manifests that were put: the reference (a tag or digest) and the repository, in order. */
export function manifestPuts(
  requests: readonly Logged[]
): readonly {readonly repository: string; readonly reference: string}[] {
  return requests.flatMap(({method, path, status}) => {
    const parts = /^\/v2\/(.+)\/manifests\/([^/]+)$/.exec(decodeURIComponent(path));
    if (method !== 'PUT' || status !== 201 || parts === null) return [];
    return [{repository: parts[1] ?? '', reference: parts[2] ?? ''}];
  });
}
