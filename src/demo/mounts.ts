import {isDigest} from '../oci/digest.ts';
import type {Desk} from './desk.ts';
import {DemoError} from './error.ts';
import type {Exchange} from './exchange.ts';
import {referencesOf} from './references.ts';

/**
 * Takes a blob over from another repository. False when the registry does not, so that an upload
 * session is to be opened in its place.
 * @throws DemoError where the registry's character is to refuse
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#mounting-a-blob-from-another-repository
 */
export function mount({store, character}: Desk, exchange: Exchange): boolean {
  const {repository = '', digest, query} = exchange.route;
  if (!isDigest(digest)) throw new DemoError(400, 'DIGEST_INVALID', 'invalid digest');
  if (exchange.effect('vanish') !== undefined) return true;
  if (character.mount === 'never') return false;
  const named = query.get('from');
  if (named === null) {
    const {mountWithoutFrom} = character;
    if (mountWithoutFrom === 'upload') return false;
    if (mountWithoutFrom !== 'search') {
      throw new DemoError(mountWithoutFrom, 'UNSUPPORTED', 'mount needs from');
    }
  } else if (!store.has(named) && character.mountFromUnknown !== 'upload') {
    throw new DemoError(character.mountFromUnknown, 'UNAUTHORIZED', `${named} is not known here`);
  }
  const from = named ?? store.holderOf(digest);
  if (from === undefined) return false;
  if (character.mount === 'committed') {
    const committed = store
      .manifests(from)
      .some(({body}) => referencesOf(body)?.blobs.some(blob => blob.digest === digest));
    if (!committed) return false;
  }
  return store.mountBlob(repository, digest, from);
}
