import {clean} from '../oci/clean.ts';
import type {RegistryName} from '../oci/reference.ts';

/**
 * What kind of failure it was:
 * `missing` there is no docker client, or none that can be used; `install` it could not be installed;
 * `daemon` the daemon cannot be reached; `registry` the registry refused or could not be reached by
 * docker; `timeout` docker did not end in time; `space` the disk is too small; `config` the docker
 * config cannot be used; `failed` anything else that docker failed at.
 */
export type DockerFault =
  'missing' | 'install' | 'daemon' | 'registry' | 'timeout' | 'space' | 'config' | 'failed';

/** A failure of docker or around it: what failed, and what to do next. All text is clean. */
export class DockerError extends Error {
  override readonly name = 'DockerError' as const;
  readonly fault: DockerFault;
  /** What to do next, one sentence. */
  readonly advice: string | undefined;
  /** The registry that docker was talking to, where it was one. */
  readonly host: RegistryName | undefined;

  constructor(
    fault: DockerFault,
    message: string,
    advice?: string,
    {cause, host}: {readonly cause?: unknown; readonly host?: RegistryName | undefined} = {}
  ) {
    super(clean(message, 1000), cause === undefined ? undefined : {cause});
    this.fault = fault;
    this.host = host;
    this.advice = advice === undefined ? undefined : clean(advice, 1000);
  }
}
