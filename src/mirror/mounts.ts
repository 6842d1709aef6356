import {hasBlob} from '../registry/blobs.ts';
import type {Registry} from '../registry/registry.ts';
import {cancelUpload, mountBlob, type Session} from '../registry/sessions.ts';
import type {Placement} from './plan.ts';
import type {Slots} from './slots.ts';

/** What taking blobs over needs. */
interface MountsContext {
  readonly target: Registry;
  readonly slots: Slots;
  readonly signal: AbortSignal;
}

/** Takes blobs over from other repositories of the target, and learns in a run how far that goes there. */
export class Mounts {
  readonly #context: MountsContext;
  /** Refused for blobs that were certainly there. */
  #refused = false;
  #told = false;
  /** Whether such a blob is seen in other repositories all the same; undefined while that was not tried. */
  #seenEverywhere: boolean | undefined;

  constructor(context: MountsContext) {
    this.#context = context;
  }

  /**
   * Takes a blob over from its home, which has it. Where that is refused all the same, the home's manifests
   * may have to be committed first; or the registry keeps all blobs in one place, and has it here as well.
   * @param committed waits until the home's manifests are, as far as there is something to wait for
   * @returns the upload that the registry opened in its place, if any, where the blob has to travel once more
   * @throws RegistryError, the signal's reason
   */
  async take(
    placement: Placement,
    committed: () => Promise<void>
  ): Promise<'mounted' | Session | undefined> {
    const {target, slots, signal} = this.#context;
    const {from = '', targetRepository, descriptor} = placement;
    const mount = () =>
      slots.run(() => mountBlob(target, targetRepository, descriptor.digest, from, signal));
    if (this.#seenEverywhere === true && (await this.#isSeen(placement))) return 'mounted';
    const {mountsCommittedOnly} = target.quirks;
    if (mountsCommittedOnly && !this.#refused) await committed();
    let answer = await mount();
    if (answer === 'mounted') return 'mounted';
    if (!this.#refused && !mountsCommittedOnly) {
      await committed();
      if (answer !== undefined) await cancelUpload(target, targetRepository, answer);
      answer = await mount();
      if (answer === 'mounted') return 'mounted';
    }
    this.#refused = true;
    let wanted = false;
    try {
      wanted = !(await this.#isSeen(placement));
    } finally {
      // Also where the look ends in a failure: nobody else knows of this upload.
      if (!wanted && answer !== undefined) await cancelUpload(target, targetRepository, answer);
    }
    if (!wanted) return 'mounted';
    this.#tell();
    return answer;
  }

  #tell(): void {
    if (this.#told) return;
    this.#told = true;
    const {log, name} = this.#context.target;
    log.notice(
      `${name} mounts no layers from one repository to another: what images share is sent to each of them`
    );
  }

  /** Whether a blob is seen in a repository to which it was not put. One that is not tells for all. */
  async #isSeen({targetRepository, descriptor}: Placement): Promise<boolean> {
    if (this.#seenEverywhere === false) return false;
    const {target, slots, signal} = this.#context;
    const has = await slots.run(() => hasBlob(target, targetRepository, descriptor, signal));
    return (this.#seenEverywhere = has === 'present');
  }
}
