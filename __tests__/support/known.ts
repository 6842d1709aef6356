import type {Profile} from '../../src/demo/profiles.ts';
import type {EmbeddedRegistry} from '../../src/demo/registry.ts';
import type {RegistryName} from '../../src/oci/reference.ts';
import {type Quirks, quirksOf} from '../../src/registry/quirks.ts';
import {smallBounds} from './mirror-run.ts';

/** By which name the client knows the kind of registry; the others it takes as they come. */
const names: Readonly<Partial<Record<Profile, string>>> = {
  acr: 'mine.azurecr.io',
  ecr: '123456789012.dkr.ecr.eu-west-1.amazonaws.com',
  ghcr: 'ghcr.io',
  dockerhub: 'docker.io',
  quay: 'quay.io',
  artifactory: 'mine.jfrog.io',
  gar: 'europe-docker.pkg.dev'
};

/** What the client knows by a registry's real name, said of the test's own, with bounds that small blobs reach. */
export function knownAs(
  profile: Profile,
  registry: EmbeddedRegistry
): (name: RegistryName) => Quirks {
  return name => {
    const bounds = smallBounds(name);
    const host = name === registry.name ? names[profile] : undefined;
    if (host === undefined) return bounds;
    // The API is where the test's registry listens.
    const quirks = {...quirksOf(host), singlePut: bounds.singlePut, chunk: bounds.chunk};
    Reflect.deleteProperty(quirks, 'api');
    return quirks;
  };
}

/** What a registry of this kind wants made before a push, for images below `repository`. */
export function prepareFor(
  profile: Profile,
  {store}: EmbeddedRegistry,
  repository: string,
  images: readonly string[]
): void {
  if (profile === 'ecr') for (const name of images) store.createRepository(`${repository}/${name}`);
  if (profile === 'harbor')
    store.createRepository(`${repository.split('/', 1)[0] ?? ''}/something-else`);
}
