import {algorithmOf, digestOf, isDigest, type Digest} from '../oci/digest.ts';
import {largestManifest} from '../oci/manifest.ts';
import {baseType, isIndexType, mediaTypes} from '../oci/media-type.ts';
import type {Desk} from './desk.ts';
import {DemoError} from './error.ts';
import type {Exchange} from './exchange.ts';
import {type References, referencesOf} from './references.ts';
import type {Store, StoredManifest} from './store.ts';

/** GET, HEAD, PUT and DELETE of a manifest, by tag or by digest. */
export async function serveManifest(desk: Desk, exchange: Exchange): Promise<void> {
  switch (exchange.method) {
    case 'GET':
    case 'HEAD':
      await read(desk, exchange);
      return;
    case 'PUT':
      await put(desk, exchange);
      return;
    case 'DELETE':
      await remove(desk, exchange);
      return;
    default:
      throw new DemoError(405, 'UNSUPPORTED', 'a manifest is read, put or deleted');
  }
}

async function read({store, character}: Desk, exchange: Exchange): Promise<void> {
  const {repository = '', digest, tag = ''} = exchange.route;
  if (exchange.method === 'HEAD' && character.manifestHead !== 200) {
    throw new DemoError(character.manifestHead, 'UNSUPPORTED', 'HEAD is not served');
  }
  const subject = /^sha(256|512)-([0-9a-f]+)$/.exec(tag);
  const alias =
    character.subjectTags && subject ? `sha${subject[1] ?? ''}:${subject[2] ?? ''}` : '';
  const found = store.manifest(repository, digest ?? tag) ?? store.manifest(repository, alias);
  if (found === undefined) {
    const {status, code} = character.absentManifest;
    throw new DemoError(status, code, 'manifest unknown', {detail: {Tag: digest ?? tag}});
  }
  const manifest = accepted(store, repository, found, exchange, character.accept);
  await exchange.answer(
    200,
    {
      'Content-Type': manifest.mediaType,
      'Docker-Content-Digest': manifest.digest,
      ETag: `"${manifest.digest}"`
    },
    manifest.body
  );
}

/** What is served of a manifest to a client that may not know its type. */
function accepted(
  store: Store,
  repository: string,
  manifest: StoredManifest,
  exchange: Exchange,
  manner: 'ignored' | 'strict' | 'converted'
): StoredManifest {
  const known = new Set((exchange.header('Accept') ?? '').split(',').map(part => baseType(part)));
  const knows = (type: string) => known.has(type) || known.has('*/*') || known.has('application/*');
  if (manner === 'ignored' || knows(manifest.mediaType)) return manifest;
  const oci = manifest.mediaType.startsWith('application/vnd.oci.');
  if (manner === 'strict' || oci) {
    throw new DemoError(
      404,
      'MANIFEST_UNKNOWN',
      `${oci ? 'OCI manifest' : 'manifest'} found, but accept header does not support it`
    );
  }
  if (manifest.mediaType === mediaTypes.dockerList) {
    const child = firstChild(store, repository, manifest);
    if (child !== undefined) return accepted(store, repository, child, exchange, manner);
  }
  return schema1(repository, exchange.route.tag ?? 'latest', manifest);
}

function firstChild(
  store: Store,
  repository: string,
  list: StoredManifest
): StoredManifest | undefined {
  const child = referencesOf(list.body)?.manifests[0];
  return child && store.manifest(repository, child.digest);
}

// The retired form that old clients get, unsigned: its digest is another one than the image's.
function schema1(repository: string, tag: string, {body}: StoredManifest): StoredManifest {
  const layers = referencesOf(body)?.blobs.slice(1) ?? [];
  const old = Buffer.from(
    JSON.stringify({
      schemaVersion: 1,
      name: repository,
      tag,
      architecture: 'amd64',
      fsLayers: layers.map(({digest}) => ({blobSum: digest})).reverse(),
      history: layers.map(() => ({v1Compatibility: '{}'}))
    })
  );
  const mediaType = 'application/vnd.docker.distribution.manifest.v1+prettyjws';
  return {digest: digestOf(old), mediaType, body: old};
}

async function put(desk: Desk, exchange: Exchange): Promise<void> {
  const {store, character} = desk;
  const {repository = '', digest, tag, query} = exchange.route;
  const body = await exchange.receiveAll(largestManifest);
  const references = check(body, exchange, desk);
  const actual = digestOf(body, isDigest(digest) ? algorithmOf(digest) : 'sha256');
  if (digest !== undefined && digest !== actual) {
    throw new DemoError(400, 'DIGEST_INVALID', 'provided digest did not match uploaded content');
  }
  refuseMissing(desk, exchange, references);
  if (tag !== undefined) refuseMoved(desk, exchange, tag, actual);
  if (exchange.effect('vanish') === undefined) {
    const mediaType = references.mediaType ?? baseType(exchange.header('Content-Type')) ?? '';
    store.putManifest(repository, {mediaType, body}, tag, algorithmOf(actual));
    if (digest !== undefined)
      for (const also of query.getAll('tag')) store.setTag(repository, also, actual);
  }
  await exchange.answer(201, {
    Location: `${exchange.origin}/v2/${repository}/manifests/${actual}`,
    'Docker-Content-Digest': actual,
    ...(digest !== undefined && query.has('tag') && {'OCI-Tag': query.getAll('tag').join(', ')}),
    ...(references.subject !== undefined &&
      character.referrers === 'served' && {'OCI-Subject': references.subject})
  });
}

function check(body: Buffer, exchange: Exchange, {character}: Desk): References {
  const invalid = (message: string) => new DemoError(400, 'MANIFEST_INVALID', message);
  const references = referencesOf(body);
  if (references === undefined) throw invalid('the manifest is not a JSON object');
  const type = baseType(exchange.header('Content-Type'));
  if (type === undefined) throw invalid('there is no Content-Type');
  if (references.mediaType !== undefined && references.mediaType !== type) {
    throw invalid(`mediaType ${references.mediaType} does not match Content-Type ${type}`);
  }
  const {manifestTypes, refusedLayers} = character;
  if (manifestTypes !== 'all' && !manifestTypes.includes(type)) {
    throw new DemoError(415, 'MANIFEST_INVALID', `the media type ${type} is not supported`);
  }
  const {layers, manifests} = JSON.parse(body.toString('utf8')) as Record<string, unknown>;
  if (isIndexType(type) ? layers !== undefined : manifests !== undefined) {
    throw invalid('the manifest could be taken for an index and for an image');
  }
  const odd = (Array.isArray(layers) ? layers : [])
    .map(layer => (layer as {mediaType?: unknown} | null)?.mediaType)
    .find((layer): layer is string => typeof layer === 'string' && refusedLayers.includes(layer));
  if (odd !== undefined) throw invalid(`layers of type ${odd} are not supported`);
  return references;
}

function refuseMissing(desk: Desk, exchange: Exchange, references: References): void {
  const {store, character} = desk;
  const {repository = ''} = exchange.route;
  const all = [...references.blobs, ...references.manifests].map(({digest}) => digest);
  const ruled = exchange.effect('missing');
  const absent = character.verifyReferences ? store.missing(repository, references) : [];
  const digests = ruled ? (ruled.digests ?? all) : absent;
  if (ruled?.drop === true) {
    for (const digest of digests) {
      store.deleteBlob(repository, digest);
      store.deleteManifest(repository, digest);
    }
  }
  if (digests.length === 0) return;
  throw new DemoError(400, 'MANIFEST_BLOB_UNKNOWN', 'blob unknown to registry', {
    details: digests.map(digest => (character.unknownDetail === 'text' ? digest : {digest}))
  });
}

function refuseMoved(
  {store, character}: Desk,
  exchange: Exchange,
  tag: string,
  digest: Digest
): void {
  const {repository = ''} = exchange.route;
  const ruled = exchange.effect('immutable');
  const same = ruled ? (ruled.same ?? 'refused') : character.immutableTags;
  const now = store.tag(repository, tag);
  if (same === 'no' || now === undefined || (now === digest && same === 'accepted')) return;
  throw new DemoError(
    ruled?.status ?? 400,
    'TAG_INVALID',
    `tag invalid: the image tag '${tag}' already exists in the '${repository}' repository and cannot be overwritten because the tag is immutable`
  );
}

async function remove({store, character}: Desk, exchange: Exchange): Promise<void> {
  const {repository = '', digest, tag = ''} = exchange.route;
  if (!character.deletes) throw new DemoError(405, 'UNSUPPORTED', 'nothing is deleted here');
  const done =
    digest === undefined
      ? store.deleteTag(repository, tag)
      : store.deleteManifest(repository, digest);
  if (!done) throw new DemoError(404, 'MANIFEST_UNKNOWN', 'manifest unknown');
  await exchange.answer(202);
}
