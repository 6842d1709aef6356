/** One archive of Docker's static builds. */
export interface Pin {
  readonly version: string;
  /** In lower-case hex, of the archive as it is downloaded. */
  readonly sha256: string;
}

/** A system and processor for which Docker publishes archives. */
export interface Build {
  /** The directory of the download site. */
  readonly directory: string;
  readonly archive: 'tgz' | 'zip';
  /** The client within the archive. */
  readonly client: string;
  /** Confirmed checksums; the first is what is installed when nobody asks for a version. */
  readonly pins: readonly Pin[];
}

/**
 * Docker publishes no checksums beside its static archives. So a value stands here only when at
 * least two unrelated public projects carry the same one for that version and build; for anything
 * else the user has to give version and checksum. Keys are Node's platform and architecture.
 * @see https://docs.docker.com/engine/install/binaries/
 */
const builds: Readonly<Record<string, Build>> = {
  'linux x64': {
    directory: 'linux/static/stable/x86_64',
    archive: 'tgz',
    client: 'docker/docker',
    pins: [
      {
        version: '29.6.2',
        sha256: 'd6204aea92238e2453d5445c885b9d2e5eb8f82915568ec50edf9dbe12a3ac74'
      },
      {
        version: '29.6.1',
        sha256: 'b0df4a43a98d7ecb708acbdb5a34a3416e13b6e39bcbbdf296f51f0f3442b29f'
      },
      {
        version: '27.3.1',
        sha256: '9b4f6fe406e50f9085ee474c451e2bb5adb119a03591f467922d3b4e2ddf31d3'
      }
    ]
  },
  'linux arm64': {
    directory: 'linux/static/stable/aarch64',
    archive: 'tgz',
    client: 'docker/docker',
    pins: [
      {
        version: '29.6.2',
        sha256: '8d16d8b3b158c132a9fb9963d4b4345746f925e287e154c9ed880ac257baf292'
      },
      {
        version: '29.6.1',
        sha256: '917a4bb83565bcacb38c430f08daae8b59db3256331ac23f22394f0542509881'
      },
      {
        version: '27.3.1',
        sha256: '4da6a6c7502b7ab561675a5ff5ac192d9b49d76d0b8847cf17ade246122279f4'
      }
    ]
  },
  'darwin arm64': {
    directory: 'mac/static/stable/aarch64',
    archive: 'tgz',
    client: 'docker/docker',
    pins: [
      {
        version: '29.8.1',
        sha256: '5a8f5604d7673202b2af925229d15eb4bbb86f7f542e4ac8cd7aa3f14cfa0f8b'
      },
      {
        version: '29.7.2',
        sha256: 'b8683ed19d1f06048a496f9b8429e2c71d0b088d475b7487c054ea3666c02a3c'
      }
    ]
  },
  'darwin x64': {
    directory: 'mac/static/stable/x86_64',
    archive: 'tgz',
    client: 'docker/docker',
    pins: []
  },
  'win32 x64': {
    directory: 'win/static/stable/x86_64',
    archive: 'zip',
    client: 'docker/docker.exe',
    pins: []
  }
};

/** The build for Node's names of a platform and an architecture; undefined where none is published. */
export function buildFor(platform: string, arch: string): Build | undefined {
  return builds[`${platform} ${arch}`];
}
