import type {ImageFailure} from '../mirror/result.ts';

/**
 * The page that goes by error message. It is the one of the major version, so that a link from an old
 * run still leads to the words of its message; a test holds that to package.json.
 */
const page = 'https://github.com/arcdata-mirror/arcdata-mirror/blob/v1/docs/troubleshooting.md';

/** Where to read on, by the kind of the failure. A status decides first, where it says more. */
const anchors = {
  'RegistryError/address': 'cannot-be-reached',
  'RegistryError/certificate': 'certificate',
  'RegistryError/proxy': 'proxy',
  'RegistryError/connection': 'connection-broke',
  'RegistryError/stalled': 'no-answer',
  'RegistryError/unauthorized': 'not-signed-in',
  'RegistryError/denied': 'not-allowed',
  'RegistryError/absent': 'not-found',
  'RegistryError/throttled': 'throttled',
  'RegistryError/server': 'server-error',
  'RegistryError/refused': 'refused',
  'RegistryError/refused/200': 'no-registry',
  'RegistryError/refused/404': 'no-registry',
  'RegistryError/refused/405': 'read-only',
  'RegistryError/refused/409': 'locked',
  'RegistryError/refused/412': 'locked',
  'RegistryError/refused/413': 'too-large',
  'RegistryError/refused/423': 'locked',
  'RegistryError/refused/507': 'no-room',
  'RegistryError/unsafe': 'sent-elsewhere',
  'RegistryError/corrupt': 'other-content',
  OciError: 'other-content',
  ReleaseError: 'choosing-a-release',
  'MirrorError/source': 'not-whole-at-the-source',
  'MirrorError/request': 'one-release',
  'MirrorError/half': 'not-published',
  'MirrorError/docker': 'docker-changed',
  'DockerError/missing': 'no-docker',
  'DockerError/install': 'docker-install',
  'DockerError/daemon': 'docker-daemon',
  'DockerError/registry': 'docker-refused',
  'DockerError/timeout': 'docker-slow',
  'DockerError/space': 'docker-space',
  'DockerError/config': 'docker-config',
  'DockerError/failed': 'docker-failed',
  EndedError: 'ended',
  InputError: 'inputs',
  ReportError: 'not-written',
  Difference: 'different'
} as const;

/** Messages that have an entry of their own, where their kind would lead to another one. */
export const ownEntries: readonly (readonly [RegExp, string])[] = [
  [/does not speak TLS as it should|Client sent an HTTP request to an HTTPS server/, 'no-tls'],
  [/wants a client certificate/, 'client-certificate'],
  [/is not whole at/, 'not-whole-at-the-source'],
  [/asks for a token from/, 'token-server'],
  [/wants the upload to go on at/, 'upload-elsewhere'],
  [/no space left on device/, 'no-room']
];

/**
 * Where to read on about a failure. Undefined for one of which nothing is known, such as that of an
 * image that was not reached.
 */
export function helpFor({kind, status, message}: ImageFailure): string | undefined {
  if (kind === undefined) return undefined;
  const [, entry] = ownEntries.find(([words]) => words.test(message)) ?? [];
  return entry === undefined ? helpOn(kind, status) : `${page}#${entry}`;
}

/**
 * The entry of the troubleshooting page for a kind of failure; the page itself for a kind that has
 * none.
 * @param status of the last answer, where there was one
 */
export function helpOn(kind: string, status?: number): string {
  const entry = [`${kind}/${status ?? ''}`, kind].find(isAnchored);
  return entry === undefined ? page : `${page}#${anchors[entry]}`;
}

function isAnchored(kind: string): kind is keyof typeof anchors {
  return Object.hasOwn(anchors, kind);
}
