import type {RegistryName} from '../oci/reference.ts';
import type {ImageSelection} from '../release/resolve.ts';
import type {TagRequest} from '../release/request.ts';
import type {DockerChoice} from './docker.ts';

/** One side, as the user gave it. */
export interface Endpoint {
  readonly registry: RegistryName;
  readonly repository: string;
  /** Both or neither. */
  readonly username?: string;
  readonly password?: string;
}

export type {ImageSelection};

/** Everything a run was told, checked. */
export interface Settings extends DockerChoice {
  readonly source: Endpoint;
  readonly target: Endpoint;
  readonly tags: readonly TagRequest[];
  /** Only with one release. */
  readonly targetTag?: string;
  readonly images: ImageSelection;
  readonly engine: 'registry' | 'docker';
  /** Upper bound of transfers at once; adaptive when absent. */
  readonly concurrency: number;
  /** For the whole run, in milliseconds. */
  readonly timeout: number;
  readonly dryRun: boolean;
  readonly publish: boolean;
  /** The most parts that a dry run divides its plan into. */
  readonly shards: number;
  readonly referrers: boolean;
  /** Whether the companion chart is mirrored too. */
  readonly chart: boolean;
  /** PEM certificates of a private CA: those of ca-file. */
  readonly ca?: string;
  /** ca-file's absolute path, for messages. */
  readonly caFile?: string;
  readonly insecure: ReadonlySet<string>;
  readonly keepLogin: boolean;
  /** Absolute. */
  readonly lockFile: string;
  /** Somebody asked for the lock file: without it the run has not done what it was told. */
  readonly lockFileAsked?: boolean;
}
