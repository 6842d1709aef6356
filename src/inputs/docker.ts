import {OciError} from '../oci/error.ts';
import {parseRegistry} from '../oci/reference.ts';
import {type Checks, shown} from './checks.ts';
import {Refusal} from './error.ts';

/** Which docker CLI to install where the machine has none. */
export interface DockerChoice {
  /** One of the user's choice, with the SHA-256 of its archive in lower-case hex. */
  readonly dockerPin?: {readonly version: string; readonly sha256: string};
  /** Without a slash at the end. */
  readonly dockerDownloadUrl: string;
}

/** What the three docker inputs say. A version and its checksum are only taken together. */
export function readDocker(checks: Checks, insecure: ReadonlySet<string>): DockerChoice {
  const version = checks.read('docker-version', readVersion);
  const sha256 = checks.read('docker-sha256', readSha256);
  const pair = ['docker-version', 'docker-sha256'] as const;
  for (const [name, other] of [pair, [pair[1], pair[0]] as const]) {
    if (checks.has(other) && !checks.has(name)) {
      checks.refuse(
        name,
        `is missing, since ${other} is given; an archive is only installed against its checksum`
      );
    }
  }
  const dockerDownloadUrl = checks.read('docker-download-url', text => readBase(text, insecure));
  return {
    ...(version !== undefined && sha256 !== undefined && {dockerPin: {version, sha256}}),
    dockerDownloadUrl: dockerDownloadUrl ?? ''
  };
}

function readVersion(text: string): string {
  const version = /^v?([0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4})$/.exec(text)?.[1];
  if (version === undefined) {
    throw new Refusal(
      `${shown(text)} is not a version of docker; three numbers are wanted, such as 29.6.2`
    );
  }
  return version;
}

function readSha256(text: string): string {
  const digits = text.replace(/^sha256:/, '').toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(digits)) {
    throw new Refusal(`${shown(text)} is not a SHA-256; 64 hex digits are wanted`);
  }
  return digits;
}

function readBase(text: string, insecure: ReadonlySet<string>): string {
  const example =
    'the base address of a copy is wanted, such as https://artifacts.example.com/docker';
  if (text.includes('@')) {
    throw new Refusal(
      `holds an @, and with it a user name or password (so it is not shown); ${example}`,
      {discreet: true}
    );
  }
  if (/[\s\\?#%]/.test(text) || !URL.canParse(text)) {
    throw new Refusal(`${shown(text)} is not a plain address; ${example}`);
  }
  const url = new URL(text);
  if (!/^https?:$/.test(url.protocol))
    throw new Refusal(
      `${shown(text)} is not an address to download from: only https is spoken; ${example}`
    );
  // The host is held to the same rules as a registry's.
  try {
    parseRegistry(`${url.protocol}//${url.host}`, host => insecure.has(host));
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    throw new Refusal(`${shown(text)} is not an address to download from: ${error.rule}`);
  }
  return url.href.endsWith('/') ? url.href.slice(0, -1) : url.href;
}
