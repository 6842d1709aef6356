import {type IncomingMessage, request as requestPlain} from 'node:http';
import {request as requestSecure} from 'node:https';

import {isIndexType} from '../oci/media-type.ts';
import {within} from '../oci/reference.ts';
import {DemoError} from './error.ts';
import {
  buildRelease,
  type SampleManifest,
  type SampleOptions,
  type SeededRelease,
  summaryOf
} from './sample.ts';

/** How the registry wants to be spoken to. */
export interface SeedOptions {
  /** The whole Authorization header, such as `Basic …`. */
  readonly authorization?: string;
  /** PEM of the authority that signed the registry's certificate. */
  readonly ca?: string;
}

/**
 * Makes up a release and writes it into any registry over HTTP, in the plainest way: one request
 * after the other, nothing retried. `url` is the registry's origin.
 * @throws DemoError when the registry answers anything but what the specification says
 */
export async function seedOver(
  url: string,
  repository: string,
  options: SampleOptions & SeedOptions
): Promise<SeededRelease> {
  const release = buildRelease(options);
  for (const {name, blobs, children, root} of release.images) {
    const base = `${url}/v2/${within(repository, name)}`;
    for (const {digest, bytes} of blobs) await putBlob(base, digest, bytes, options);
    for (const child of children) await putManifest(base, child.digest, child, options);
    await putManifest(base, release.tag, root, options);
  }
  return summaryOf(release);
}

async function putBlob(
  base: string,
  digest: string,
  bytes: Buffer,
  options: SeedOptions
): Promise<void> {
  const head = await send('HEAD', `${base}/blobs/${digest}`, options);
  if (head.statusCode === 200) return;
  const opened = await send('POST', `${base}/blobs/uploads/`, options);
  expect(opened, 202, `opening an upload at ${base}`);
  const location = new URL(opened.headers.location ?? '', `${base}/blobs/uploads/`);
  const mark = location.search === '' ? '?' : '&';
  const place = `${location.href}${mark}digest=${encodeURIComponent(digest)}`;
  const put = await send('PUT', place, options, bytes, 'application/octet-stream');
  expect(put, 201, `putting ${digest} at ${base}`);
}

async function putManifest(
  base: string,
  reference: string,
  {mediaType, body}: SampleManifest,
  options: SeedOptions
): Promise<void> {
  const put = await send('PUT', `${base}/manifests/${reference}`, options, body, mediaType);
  expect(
    put,
    201,
    `putting the ${isIndexType(mediaType) ? 'index' : 'manifest'} ${reference} at ${base}`
  );
}

function expect({statusCode = 0}: IncomingMessage, wanted: number, what: string): void {
  if (statusCode === wanted) return;
  throw new DemoError(
    statusCode,
    'UNKNOWN',
    `${what}: answered ${statusCode} in place of ${wanted}`
  );
}

async function send(
  method: string,
  url: string,
  {authorization, ca}: SeedOptions,
  body: Uint8Array = Buffer.alloc(0),
  type?: string
): Promise<IncomingMessage> {
  const headers = {
    'Content-Length': String(body.length),
    ...(type !== undefined && {'Content-Type': type}),
    ...(authorization !== undefined && {Authorization: authorization})
  };
  return await new Promise((resolve, reject) => {
    const options = {method, headers, ...(ca !== undefined && {ca})};
    const request = url.startsWith('https:')
      ? requestSecure(url, options)
      : requestPlain(url, options);
    request.once('error', reject);
    request.once('response', response => {
      response.resume();
      response.once('error', reject);
      response.once('end', () => {
        resolve(response);
      });
    });
    request.end(body);
  });
}
