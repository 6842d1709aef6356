import {isTag} from '../oci/reference.ts';
import {discard} from './body.ts';
import {RegistryError} from './error.ts';
import {resolveManifest} from './manifests.ts';
import {collect} from './pages.ts';
import type {Registry} from './registry.ts';

/**
 * All tags of a repository, in the registry's order, which means nothing. None where the repository
 * is not known.
 * @throws RegistryError
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags
 */
export async function listTags(
  registry: Registry,
  repository: string,
  signal: AbortSignal
): Promise<string[]> {
  const pages = await collect(registry, {
    path: `/v2/${repository}/tags/list?n=1000`,
    needs: [{repository, actions: registry.actions}],
    key: 'tags',
    signal
  });
  // What is no tag names nothing, and may hold anything.
  return (pages ?? []).filter(isTag);
}

/**
 * Takes a tag away. The manifest is meant to stay under its other names; a registry was seen to
 * delete it too, so whoever needs it looks at it afterwards.
 * @returns whether the tag is gone; many registries do not let tags be deleted
 * @throws the signal's reason
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#deleting-tags
 */
export async function removeTag(
  registry: Registry,
  repository: string,
  tag: string,
  signal: AbortSignal
): Promise<boolean> {
  try {
    await registry.ask(
      {
        method: 'DELETE',
        path: registry.quirks.untag?.(repository, tag) ?? `/v2/${repository}/manifests/${tag}`,
        needs: [{repository, actions: 'delete'}],
        expect: [200, 202, 204, 404],
        tries: 'if-throttled',
        signal
      },
      discard
    );
    return (await resolveManifest(registry, repository, tag, signal)) === undefined;
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    registry.log.debug(`the tag stays: ${error.message}`);
    return false;
  }
}
