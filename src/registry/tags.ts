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
  return pages ?? [];
}
