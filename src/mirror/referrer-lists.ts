import type {Descriptor} from '../oci/descriptor.ts';
import type {Digest} from '../oci/digest.ts';
import {listReferrers} from '../registry/referrers.ts';
import type {Registry} from '../registry/registry.ts';
import {once} from './once.ts';
import {pair} from './plan.ts';
import type {Slots} from './slots.ts';

interface Asking {
  readonly target: Registry;
  readonly slots: Slots;
  readonly signal: AbortSignal;
}

/** What the target lists as referring to its manifests; each list is asked for once. */
export class ReferrerLists {
  readonly #asking: Asking;
  /** By `pair`. */
  readonly #lists = new Map<string, Promise<readonly Descriptor[] | undefined>>();

  constructor(asking: Asking) {
    this.#asking = asking;
  }

  /**
   * Whether a manifest is on the list of what it refers to: only there it is of use, and a run may have
   * ended between the two. Where the list is kept secret, putting it anew would tell no more.
   * @param subject none for what refers to nothing
   * @throws RegistryError
   */
  async has(repository: string, digest: Digest, subject: Digest | undefined): Promise<boolean> {
    if (subject === undefined) return true;
    const {target, slots, signal} = this.#asking;
    const listed = await once(this.#lists, pair(repository, subject), () =>
      slots.run(() => listReferrers(target, repository, subject, signal))
    );
    return listed === undefined || listed.some(one => one.digest === digest);
  }
}
