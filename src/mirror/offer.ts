import {isForeign} from '../oci/descriptor.ts';
import type {Digest} from '../oci/digest.ts';
import {RegistryError} from '../registry/error.ts';
import {putManifest} from '../registry/manifests.ts';
import type {Registry} from '../registry/registry.ts';
import type {Node} from './graph.ts';
import type {Slots} from './slots.ts';

/**
 * Puts a manifest by digest, once, to hear what is missing below it.
 * @returns the digests that the registry says it misses, none when it takes the manifest; undefined
 *   when it says something else
 * @throws the signal's reason
 */
export async function offer(
  target: Registry,
  repository: string,
  node: Node,
  signal: AbortSignal
): Promise<ReadonlySet<Digest> | undefined> {
  try {
    await putManifest(target, repository, node.descriptor.digest, node, signal, 'once');
    return new Set();
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof RegistryError)) throw error;
    if (!error.says('MANIFEST_BLOB_UNKNOWN')) return undefined;
    return new Set(error.entries.flatMap(({digests}) => digests));
  }
}

/**
 * Whether what a registry named as missing holds one of each kind that such a manifest has below it: one
 * that looks at layers only must not be believed about configs.
 */
export function namesEachKind({manifest}: Node, said: ReadonlySet<Digest>): boolean {
  if (manifest.kind !== 'image') return true;
  const layers = manifest.layers.filter(layer => !isForeign(layer));
  return (
    said.has(manifest.config.digest) &&
    (layers.length === 0 || layers.some(({digest}) => said.has(digest)))
  );
}

/** So many manifests of a type are tried that settle nothing, since all below them is there. */
const mostVain = 3;

interface Proof {
  vain: number;
  /** The registry takes what is not whole, or does not name all that is missing. */
  refuted: boolean;
  underWay?: Promise<unknown> | undefined;
}

/**
 * Asks what is missing of images by offering their manifests: one question an image instead of one a
 * blob. First the registry has to prove itself, for each type of manifest: of one manifest the blobs are
 * looked at, and it is offered when at least two are missing; the registry must name just these. One
 * that takes a manifest with holes is offered no second one of that type.
 */
export class Offers {
  readonly #target: Registry;
  readonly #slots: Slots;
  readonly #signal: AbortSignal;
  readonly #proofs = new Map<string, Proof>();

  constructor(target: Registry, slots: Slots, signal: AbortSignal) {
    this.#target = target;
    this.#slots = slots;
    this.#signal = signal;
  }

  /**
   * What is missing below a manifest, by the registry's own word; undefined where that does not count.
   * @param look looks at everything below it, and tells what is missing
   */
  async ask(
    repository: string,
    node: Node,
    look: () => Promise<readonly Digest[]>
  ): Promise<ReadonlySet<Digest> | undefined> {
    const {mediaType} = node.descriptor;
    // What an index names is put anew in any case.
    if (node.manifest.kind !== 'image') return new Set();
    const {checks} = this.#target.learned;
    const proof = this.#proofs.get(mediaType) ?? {vain: 0, refuted: false};
    this.#proofs.set(mediaType, proof);
    while (!checks.has(mediaType)) {
      if (proof.refuted || proof.vain >= mostVain) return undefined;
      if (proof.underWay === undefined) {
        const proving = this.#prove(repository, node, look, proof);
        proof.underWay = proving;
        return await proving;
      }
      await proof.underWay.catch(() => undefined);
    }
    return await this.#slots.run(() => offer(this.#target, repository, node, this.#signal));
  }

  /** @returns what is missing, as it was looked at */
  async #prove(
    repository: string,
    node: Node,
    look: () => Promise<readonly Digest[]>,
    proof: Proof
  ): Promise<ReadonlySet<Digest>> {
    try {
      const missing = await look();
      // Of one, it may be the first that it met; of none, the manifest would be put for nothing.
      if (missing.length < 2) {
        proof.vain++;
        return new Set(missing);
      }
      const said = await this.#slots.run(() => offer(this.#target, repository, node, this.#signal));
      const same = said?.size === missing.length && missing.every(digest => said.has(digest));
      if (!same) proof.refuted = true;
      else if (namesEachKind(node, said))
        this.#target.learned.checks.add(node.descriptor.mediaType);
      else proof.vain++;
      return new Set(missing);
    } finally {
      proof.underWay = undefined;
    }
  }
}
