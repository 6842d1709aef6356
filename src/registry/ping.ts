import {baseType} from '../oci/media-type.ts';
import type {Need} from './authorizer.ts';
import {discard} from './body.ts';
import {RegistryError} from './error.ts';
import {greeting, type Question, versionHeader} from './question.ts';
import type {Registry} from './registry.ts';

/**
 * The registry's handshake: is it there, does it speak the protocol, what does it ask for?
 * Signs in where credentials are there, so that wrong ones end the run before anything else.
 * @param needs what will be needed later: a token for it is fetched now
 * @throws RegistryError
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#determining-support
 */
export async function ping(
  registry: Registry,
  needs: readonly Need[],
  signal: AbortSignal
): Promise<void> {
  const question: Question = {method: 'GET', path: greeting, needs, expect: [200, 404], signal};
  const answer = await registry.ask(question, discard);
  // Some registries hide /v2/ from those who may still pull; a page of something else is no registry.
  const {status, headers, url} = answer;
  const registryLike = headers[versionHeader] !== undefined;
  if (baseType(headers['content-type']) === 'text/html' && (status !== 200 || !registryLike)) {
    const where = url.host === registry.origin.host ? '' : `, at ${url.host}`;
    throw new RegistryError(
      'refused',
      `${registry.name} answers, but it is no registry: GET /v2/ is ${status} with an HTML page${where}`,
      {
        host: registry.name,
        status,
        advice: 'Check the name; a path such as /registry does not belong into it.'
      }
    );
  }
}
