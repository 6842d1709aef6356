import {RegistryError} from './error.ts';
import {collect} from './pages.ts';
import type {Registry} from './registry.ts';

/**
 * The repositories of a registry that begin with `prefix`, or undefined where it does not list them.
 * It may hold names that are dead, and may leave out what the account must not see.
 * @see https://github.com/distribution/distribution/blob/main/docs/content/spec/api.md#catalog
 */
export async function listRepositories(
  registry: Registry,
  prefix: string,
  signal: AbortSignal
): Promise<string[] | undefined> {
  try {
    const all = await collect(registry, {
      path: '/v2/_catalog?n=1000',
      needs: [{repository: '', actions: 'pull'}],
      key: 'repositories',
      signal
    });
    return all?.filter(name => name.startsWith(prefix));
  } catch (error) {
    if (
      error instanceof RegistryError &&
      ['unauthorized', 'denied', 'absent', 'refused', 'corrupt'].includes(error.fault)
    ) {
      registry.log.debug(`${registry.name} does not list its repositories: ${error.message}`);
      return undefined;
    }
    throw error;
  }
}
