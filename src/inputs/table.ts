/** How an input is written. A list has one item a line, or commas between; on the command line its flag repeats, too. */
export type InputForm =
  'text' | 'tag' | 'secret' | 'list' | 'boolean' | 'minutes' | 'number' | 'path';

/** One input, as the README, the help text, the flags and action.yml know it. */
export interface InputRow {
  readonly name: string;
  readonly form: InputForm;
  /** One sentence; action.yml's description begins with it. */
  readonly meaning: string;
  /** What counts when nothing is given. */
  readonly default?: string;
  /** The default in words, where it is not a plain value. */
  readonly otherwise?: string;
  /** The environment variable of Microsoft's sample script that says the same. */
  readonly variable?: string;
}

const rows = [
  {
    name: 'source-registry',
    form: 'text',
    meaning: 'Registry that holds the release: a host name or address, with :port if it has one.',
    default: 'mcr.microsoft.com',
    variable: 'SOURCE_DOCKER_REGISTRY'
  },
  {
    name: 'source-repository',
    form: 'text',
    meaning: 'Repository path at the source under which the images are.',
    default: 'arcdata',
    variable: 'SOURCE_DOCKER_REPOSITORY'
  },
  {
    name: 'source-username',
    form: 'text',
    meaning: 'User name at the source; only where the source wants one.',
    otherwise: 'none',
    variable: 'SOURCE_DOCKER_USERNAME'
  },
  {
    name: 'source-password',
    form: 'secret',
    meaning: 'Password or token that belongs to source-username.',
    otherwise: 'none',
    variable: 'SOURCE_DOCKER_PASSWORD'
  },
  {
    name: 'source-tag',
    form: 'list',
    meaning: 'Which release, or which ones, to mirror.',
    default: 'latest',
    variable: 'SOURCE_DOCKER_TAG'
  },
  {
    name: 'target-registry',
    form: 'text',
    meaning: 'Registry to mirror to: a host name or address, with :port if it has one. Required.',
    variable: 'TARGET_DOCKER_REGISTRY'
  },
  {
    name: 'target-repository',
    form: 'text',
    meaning: 'Repository path at the target under which the images go. Required.',
    variable: 'TARGET_DOCKER_REPOSITORY'
  },
  {
    name: 'target-username',
    form: 'text',
    meaning: 'User name at the target.',
    otherwise: "the job's docker config",
    variable: 'TARGET_DOCKER_USERNAME'
  },
  {
    name: 'target-password',
    form: 'secret',
    meaning: 'Password or token that belongs to target-username.',
    otherwise: "the job's docker config",
    variable: 'TARGET_DOCKER_PASSWORD'
  },
  {
    name: 'target-tag',
    form: 'tag',
    meaning: 'Tag at the target, where it is to be another than the release has at the source.',
    otherwise: "the source's",
    variable: 'TARGET_DOCKER_TAG'
  },
  {
    name: 'images',
    form: 'list',
    meaning: 'Which images of the release to mirror.',
    otherwise: "the release's own set"
  },
  {
    name: 'engine',
    form: 'text',
    meaning: 'How the images travel: registry or docker.',
    default: 'registry'
  },
  {
    name: 'concurrency',
    form: 'number',
    meaning: 'The most transfers at once, 1 to 64; fewer while a registry asks for that.',
    default: '24'
  },
  {
    name: 'timeout',
    form: 'minutes',
    meaning: 'Minutes that the whole run may take, 1 to 2880.',
    default: '180'
  },
  {
    name: 'dry-run',
    form: 'boolean',
    meaning: 'Plan and report, but move nothing.',
    default: 'false'
  },
  {
    name: 'publish',
    form: 'boolean',
    meaning: 'Push the tags once everything is there; false stages the images by digest only.',
    default: 'true'
  },
  {
    name: 'shards',
    form: 'number',
    meaning: 'The most shards in the output matrix of a dry run, 1 to 16.',
    default: '4'
  },
  {
    name: 'referrers',
    form: 'boolean',
    meaning: 'Copy signatures and attestations of the images too.',
    default: 'false'
  },
  {
    name: 'chart',
    form: 'boolean',
    meaning: 'Mirror the companion chart arcdataservices-extension too.',
    default: 'false'
  },
  {
    name: 'ca-file',
    form: 'path',
    meaning: 'PEM file with the certificates of a private certification authority.',
    otherwise: 'none'
  },
  {
    name: 'insecure-registries',
    form: 'list',
    meaning: 'Hosts that may be spoken to over plain http.',
    otherwise: 'none'
  },
  {
    name: 'keep-login',
    form: 'boolean',
    meaning: "Sign in to the job's own docker config, so that later steps can use it.",
    default: 'false'
  },
  {
    name: 'lock-file',
    form: 'path',
    meaning: 'Where the JSON record of the run is written.',
    otherwise: "arcdata-mirror.lock.json in the runner's temporary folder"
  },
  {
    name: 'docker-version',
    form: 'text',
    meaning: 'Version of the docker CLI to install where the machine has none.',
    otherwise: 'a version whose checksum is built in'
  },
  {
    name: 'docker-sha256',
    form: 'text',
    meaning: 'SHA-256 of the archive that docker-version names.',
    otherwise: 'built in'
  },
  {
    name: 'docker-download-url',
    form: 'text',
    meaning: 'Base address of a copy of the docker CLI downloads, for closed networks.',
    default: 'https://download.docker.com'
  }
] as const satisfies readonly InputRow[];

/** The name of an input, as `with:` and the flags spell it. */
export type InputName = (typeof rows)[number]['name'];

/** Every input there is, in the order in which it is shown. */
export const inputTable: readonly (InputRow & {readonly name: InputName})[] = rows;

const byName = new Map(inputTable.map(row => [row.name, row]));

/** The row of an input. */
export function inputRow(name: InputName): InputRow & {readonly name: InputName} {
  const row = byName.get(name);
  if (row === undefined) throw new TypeError(`no input ${name}`);
  return row;
}

/** Whether a text is the name of an input, spelt exactly so. */
export function isInputName(text: string): text is InputName {
  return byName.has(text as InputName);
}
