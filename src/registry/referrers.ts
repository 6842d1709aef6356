import type {Descriptor} from '../oci/descriptor.ts';
import {algorithmOf, type Digest, digestOf, hexOf} from '../oci/digest.ts';
import {OciError} from '../oci/error.ts';
import {parseManifest} from '../oci/manifest.ts';
import {baseType, mediaTypes} from '../oci/media-type.ts';
import {discard, readDocument} from './body.ts';
import {RegistryError} from './error.ts';
import type {FetchedManifest} from './fetched-manifest.ts';
import {getManifest, putManifest} from './manifests.ts';
import {nextPage} from './pages.ts';
import type {Registry} from './registry.ts';

/** The most bytes of a list of referrers, all its pages together: what an index may have. */
const largestList = 4 * 1024 * 1024;

/**
 * What refers to a manifest: signatures, attestations, SBOMs. By the registry's own list, and where
 * it has none, by the tag that clients keep instead; undefined where the registry refuses to tell.
 * @throws RegistryError
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
 */
export async function listReferrers(
  registry: Registry,
  repository: string,
  digest: Digest,
  signal: AbortSignal
): Promise<readonly Descriptor[] | undefined> {
  try {
    const listed = await byList(registry, repository, digest, signal);
    if (listed !== undefined && listed !== 'refused') return listed;
    const tagged = await byTag(registry, repository, digest, signal);
    return listed === 'refused' && tagged.length === 0 ? undefined : tagged;
  } catch (error) {
    const faults = ['denied', 'unauthorized', 'refused', 'corrupt', 'unsafe'];
    if (!(error instanceof RegistryError) || !faults.includes(error.fault)) throw error;
    registry.warnOnce(
      `${registry.name}/${repository} does not tell what refers to its images: ${error.message}`
    );
    return undefined;
  }
}

/** Page by page; undefined where the registry has no such list. */
async function byList(
  registry: Registry,
  repository: string,
  digest: Digest,
  signal: AbortSignal
): Promise<readonly Descriptor[] | 'refused' | undefined> {
  const listed: Descriptor[] = [];
  const seen = new Set<string>();
  let left = largestList;
  let next: URL | undefined = new URL(`/v2/${repository}/referrers/${digest}`, registry.origin);
  while (next !== undefined) {
    const url: URL = next;
    seen.add(url.href);
    const place = {host: registry.name, method: 'GET', repository, digest};
    const page = await registry.ask(
      {
        method: 'GET',
        path: url,
        needs: [{repository, actions: registry.actions}],
        // Whatever a registry says that does not have this list: the tag is looked at then.
        expect: [200, 400, 403, 404, 405, 406, 501],
        headers: {Accept: mediaTypes.ociIndex},
        digest,
        signal
      },
      async answer => {
        const {status, headers} = answer;
        if (status === 403) {
          registry.warnOnce(`${registry.name} does not tell what refers to ${repository} (403)`);
        }
        // A page of something else, such as a login form behind a redirect, is no list either.
        if (status !== 200 || baseType(headers['content-type']) !== mediaTypes.ociIndex) {
          await discard(answer);
          return status === 403 ? 'refused' : undefined;
        }
        const {idle} = registry.transport.timings;
        const bytes = await readDocument(answer, left, idle, place);
        left -= bytes.length;
        return {manifests: listIn(bytes, place), link: headers.link};
      }
    );
    if (page === undefined || page === 'refused') {
      if (seen.size === 1) return page;
      // A part of the list is no list: a signature may be in the rest.
      throw new RegistryError(
        'server',
        `${registry.name}: its list of referrers breaks off after ${seen.size - 1} pages`,
        place
      );
    }
    listed.push(...page.manifests);
    next = nextPage(page.link, url, registry, {seen, what: 'referrers'});
  }
  return listed;
}

function listIn(
  bytes: Buffer,
  place: {readonly host: string; readonly repository: string}
): readonly Descriptor[] {
  try {
    const list = parseManifest(bytes, mediaTypes.ociIndex);
    return list.kind === 'index' ? list.manifests : [];
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    throw new RegistryError(
      'corrupt',
      `${place.host}: its list of referrers cannot be read: ${error.message}`,
      place
    );
  }
}

/** Some registries let this tag stand for the image itself: an index of other things is wanted. */
async function byTag(
  registry: Registry,
  repository: string,
  digest: Digest,
  signal: AbortSignal
): Promise<readonly Descriptor[]> {
  const found = await getManifest(registry, repository, referrersTag(digest), signal);
  if (found === undefined || found.descriptor.digest === digest) return [];
  return found.manifest.kind === 'index' ? found.manifest.manifests : [];
}

/**
 * The tag under which clients list referrers where the registry does not.
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema
 */
export function referrersTag(digest: Digest): string {
  return `${algorithmOf(digest).slice(0, 32)}-${hexOf(digest).slice(0, 64)}`;
}

/**
 * Adds a manifest to the tag that lists the referrers of its subject, for a registry that did not
 * say that it keeps the list itself. What others have put into the list stays as they wrote it.
 * @throws RegistryError
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests-with-subject
 */
export async function recordReferrer(
  registry: Registry,
  repository: string,
  subject: Digest,
  referrer: Pick<FetchedManifest, 'descriptor' | 'bytes'>,
  signal: AbortSignal
): Promise<void> {
  const tag = referrersTag(subject);
  const before = await getManifest(registry, repository, tag, signal);
  const {digest} = referrer.descriptor;
  let list: Listing = {schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: []};
  if (before?.manifest.kind === 'index' && before.descriptor.digest !== subject) {
    if (before.manifest.manifests.some(one => one.digest === digest)) return;
    list = JSON.parse(before.bytes.toString('utf8')) as Listing;
  }
  const manifests = [...list.manifests, entryOf(referrer)];
  const bytes = Buffer.from(JSON.stringify({...list, mediaType: mediaTypes.ociIndex, manifests}));
  const index = {mediaType: mediaTypes.ociIndex, digest: digestOf(bytes), size: bytes.length};
  await putManifest(registry, repository, tag, {bytes, descriptor: index}, signal);
}

/** An index as it was written, with whatever its writer put into it. */
interface Listing {
  readonly manifests: readonly unknown[];
  readonly [key: string]: unknown;
}

/** A referrer as a list names it: with its type, by which clients look for it, and its annotations. */
function entryOf({descriptor, bytes}: Pick<FetchedManifest, 'descriptor' | 'bytes'>): object {
  const {artifactType, config, annotations} = JSON.parse(bytes.toString('utf8')) as {
    readonly artifactType?: string;
    readonly config?: {readonly mediaType?: string};
    readonly annotations?: object;
  };
  const {mediaType, digest, size} = descriptor;
  const type = artifactType ?? config?.mediaType;
  return {
    mediaType,
    digest,
    size,
    ...(type && {artifactType: type}),
    ...(annotations && {annotations})
  };
}
