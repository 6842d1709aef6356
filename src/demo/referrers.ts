import {mediaTypes} from '../oci/media-type.ts';
import type {Desk} from './desk.ts';
import {DemoError} from './error.ts';
import type {Exchange} from './exchange.ts';
import {referencesOf} from './references.ts';
import type {StoredManifest} from './store.ts';

/**
 * GET referrers: an index of the manifests whose subject is the digest; empty when there is none.
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
 */
export async function serveReferrers({store, character}: Desk, exchange: Exchange): Promise<void> {
  if (character.referrers !== 'served') {
    if (character.referrers === 404) await exchange.answer(404, {}, '404 page not found\n');
    else throw new DemoError(character.referrers, 'UNSUPPORTED', 'there are no referrers here');
    return;
  }
  const {repository = '', digest, query} = exchange.route;
  const wanted = query.get('artifactType');
  const all = store
    .manifests(repository)
    .filter(({body}) => referencesOf(body)?.subject === digest);
  const manifests = all
    .map(describe)
    .filter(({artifactType}) => wanted === null || artifactType === wanted);
  await exchange.answer(
    200,
    {
      'Content-Type': mediaTypes.ociIndex,
      ...(wanted !== null && {'OCI-Filters-Applied': 'artifactType'})
    },
    {json: {schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests}}
  );
}

function describe({mediaType, digest, body}: StoredManifest) {
  const {artifactType, config, annotations} = JSON.parse(body.toString('utf8')) as {
    artifactType?: string;
    config?: {mediaType?: string};
    annotations?: Record<string, string>;
  };
  return {
    mediaType,
    digest,
    size: body.length,
    artifactType: artifactType ?? config?.mediaType,
    annotations
  };
}
