import {OciError} from '../oci/error.ts';
import {
  longestName,
  parseRegistry,
  parseRepository,
  parseTag,
  type RegistryName
} from '../oci/reference.ts';
import {type Checks, shown} from './checks.ts';
import {Refusal} from './error.ts';
import {inputRow} from './table.ts';
import {readPassword} from './secret.ts';
import type {Endpoint} from './settings.ts';

/** The longest user name, in characters. */
const longestUsername = 1024;

const needed = {
  registry: 'the registry to mirror to, such as myregistry.azurecr.io',
  repository: 'where the images go at the target, such as arcdata or team/arcdata'
} as const;

/**
 * One side as it was given: `source`, with its defaults, or `target`, which has to be told. What is
 * wrong is noted at the checks, and then there is no endpoint.
 */
export function readEndpoint(
  checks: Checks,
  side: 'source' | 'target',
  insecure: ReadonlySet<string>,
  images: readonly string[]
): Endpoint | undefined {
  const wrong = checks.problems.length;
  const registry = checks.read(`${side}-registry`, text => readRegistry(text, insecure));
  const repository = checks.read(`${side}-repository`, readRepository);
  for (const part of ['registry', 'repository'] as const) {
    const name = `${side}-${part}` as const;
    if (checks.text(name) !== undefined || checks.has(name)) continue;
    const hint = part === 'repository' ? misprint(checks) : '';
    checks.refuse(
      name,
      `is required: ${needed[part]}; the variable ${inputRow(name).variable ?? ''} says it too${hint}`,
      {missing: true}
    );
  }
  const given = registry === undefined ? undefined : (checks.text(`${side}-registry`) ?? '');
  if (registry !== undefined && given !== undefined && given.toLowerCase() !== registry) {
    checks.tell('notice', `${side}-registry`, `${shown(given)} is taken as ${registry}`);
  }
  const login = readLogin(checks, side);
  if (registry === undefined || repository === undefined) return undefined;
  checkLength(checks, side, registry, repository, images);
  return checks.problems.length > wrong ? undefined : {registry, repository, ...login};
}

/**
 * A registry's name; see `parseRegistry`. One that holds a user name is refused unshown.
 * @throws Refusal or OciError
 */
export function readRegistry(
  text: string,
  insecure: Pick<ReadonlySet<string>, 'has'>
): RegistryName {
  if (text.includes('@')) {
    throw new Refusal(
      'holds an @, and with it a user name or password (so it is not shown); give those as inputs of their own, and here only the host, such as myregistry.azurecr.io',
      {discreet: true}
    );
  }
  if (/[\r\n]/.test(text)) {
    throw new Refusal(`${shown(text)} has more than one line; one registry is wanted`);
  }
  try {
    return parseRegistry(text, host => insecure.has(host));
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    throw new Refusal([error.message, ...besidePath(text, insecure)].join('; and '));
  }
}

/** What is wrong with an address beside the path that it holds, which is told first. */
function besidePath(text: string, insecure: Pick<ReadonlySet<string>, 'has'>): readonly string[] {
  const host = /^\s*([a-z][a-z0-9+.-]*:\/\/[^/]+)\/+[^/\s]/i.exec(text)?.[1];
  if (host === undefined) return [];
  try {
    parseRegistry(host, one => insecure.has(one));
    return [];
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    return [error.rule];
  }
}

/**
 * A host that may be spoken to over plain http. `http://` before it does no harm.
 * @throws Refusal or OciError
 */
export function readPlainHost(text: string): RegistryName {
  // Named here, it is named in insecure-registries.
  return readRegistry(text, {has: () => true});
}

/** @throws Refusal or OciError; see `parseRepository` */
export function readRepository(text: string): string {
  if (text.includes('@') || text.includes('://')) {
    throw new Refusal(
      'is more than a repository (and not shown, since it may hold a password); give only the path, such as team/arcdata, and the host in the input for the registry',
      {discreet: true}
    );
  }
  return parseRepository(text);
}

/**
 * A tag at the target.
 * @throws Refusal or OciError; see `parseTag`
 */
export function readTag(text: string): string {
  if (/[\r\n]/.test(text)) {
    throw new Refusal(
      `${shown(text)} holds a line break; one tag is wanted, such as v1.46.0_2026-05-12`
    );
  }
  return parseTag(text);
}

/**
 * A user name.
 * @throws Refusal
 * @see https://www.rfc-editor.org/rfc/rfc7617#section-2
 */
export function readUsername(text: string): string {
  const name = text.trim();
  if (name.includes(':')) {
    // What follows the colon is probably the password, and what comes before it perhaps a part.
    throw new Refusal(
      'holds a colon, which Basic authentication cannot send (so it is not shown); give only the user name, such as robot$mirror',
      {discreet: true}
    );
  }
  // eslint-disable-next-line no-control-regex -- control characters are what this is about
  if (/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(name)) {
    throw new Refusal(`${shown(name)} holds a line break or another control character`);
  }
  if (name.length > longestUsername) {
    throw new Refusal(`has ${name.length} characters; at most ${longestUsername} are taken`);
  }
  return name;
}

function readLogin(
  checks: Checks,
  side: 'source' | 'target'
): {readonly username: string; readonly password: string} | undefined {
  const [user, pass] = [`${side}-username`, `${side}-password`] as const;
  const username = checks.read(user, readUsername);
  const password = checks.read(pass, text =>
    readPassword(text, message => {
      checks.tell('warning', pass, message);
    })
  );
  if (checks.has(user) && !checks.has(pass)) {
    checks.refuse(
      pass,
      `is missing, since ${user} is given; give both or neither (an empty secret counts as not given)`
    );
  }
  if (checks.has(pass) && !checks.has(user)) {
    checks.refuse(user, `is missing, since ${pass} is given; give both or neither`);
  }
  return username === undefined || password === undefined ? undefined : {username, password};
}

function checkLength(
  checks: Checks,
  side: 'source' | 'target',
  registry: RegistryName,
  repository: string,
  images: readonly string[]
): void {
  const longest = images.reduce((long, name) => (name.length > long.length ? name : long), '');
  const path = `${registry}/${repository}/${longest}`;
  if (path.length > longestName) {
    checks.refuse(
      `${side}-repository`,
      `${shown(repository)} is too long: registry, repository and image ${shown(longest)} make ${path.length} characters, and many tools stop at ${longestName}`
    );
  }
}

/** One translated edition of the script's page prints the registry's variable on the repository's row. */
function misprint(checks: Checks): string {
  return checks.origin('target-registry') === 'variable'
    ? ' (some pages print TARGET_DOCKER_REGISTRY where TARGET_DOCKER_REPOSITORY is meant)'
    : '';
}
