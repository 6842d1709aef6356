import {RegistryError} from './error.ts';
import {collect} from './pages.ts';
import type {Question} from './question.ts';
import type {Registry} from './registry.ts';

/**
 * The repositories of a registry that begin with `prefix`, or undefined where it does not list them.
 * It may hold names that are dead, and may leave out what the account must not see: a hint, no proof.
 * @see https://github.com/distribution/distribution/blob/main/docs/content/spec/api.md#catalog
 */
export async function listRepositories(
  registry: Registry,
  prefix: string,
  signal: AbortSignal,
  tries: Question['tries'] = 'patient'
): Promise<string[] | undefined> {
  try {
    const all = await collect(registry, {
      // Lists are sorted: begin where the prefix begins, and end where it has passed. A registry that
      // does not know `last` begins at its beginning, and only takes longer.
      path: `/v2/_catalog?n=1000&last=${encodeURIComponent(prefix)}`,
      needs: [{repository: '', actions: 'pull'}],
      key: 'repositories',
      until: name => name > prefix && !name.startsWith(prefix),
      tries,
      signal
    });
    return all?.filter(name => name.startsWith(prefix));
  } catch (error) {
    const faults = ['unauthorized', 'denied', 'absent', 'refused', 'corrupt'];
    if (error instanceof RegistryError && faults.includes(error.fault)) {
      registry.log.debug(`${registry.name} does not list its repositories: ${error.message}`);
      return undefined;
    }
    throw error;
  }
}
