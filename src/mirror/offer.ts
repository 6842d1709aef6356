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
    await putManifest(target, repository, node.descriptor.digest, node, signal, 'if-throttled');
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

/** What is known of a registry's word on manifests of one type. */
interface Proof {
  vain: number;
  /** The registry takes what is not whole, or does not name all that is missing. */
  refuted: boolean;
  underWay?: Trial | undefined;
}

/** By blob, whether it is there. */
type Looks = ReadonlyMap<Digest, Promise<boolean>>;

/** One manifest with which the registry is put to the proof. */
interface Trial {
  /** Whether it has named several as missing: then it looks, and takes nothing with holes. */
  readonly promising: Promise<boolean>;
  /** What is missing, as it was looked at. */
  readonly missing: Promise<ReadonlySet<Digest>>;
}

/**
 * Asks what is missing of images by offering their manifests: one question an image instead of one a
 * blob. First the registry has to prove itself, for each type of manifest: the blobs of one are looked
 * at, it is offered when at least two are missing, and the registry must name just those. One that
 * takes a manifest with holes is offered no second one of that type; from one that has named several,
 * the others are heard while the first is still looked at.
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
   * @param look looks at everything below it
   */
  async ask(
    repository: string,
    node: Node,
    look: () => Looks
  ): Promise<ReadonlySet<Digest> | undefined> {
    const {mediaType} = node.descriptor;
    // What an index names is put anew in any case.
    if (node.manifest.kind !== 'image') return new Set();
    const {checks} = this.#target.learned;
    const proof = this.#proofs.get(mediaType) ?? {vain: 0, refuted: false};
    this.#proofs.set(mediaType, proof);
    let said: Promise<ReadonlySet<Digest> | undefined> | undefined;
    while (!checks.has(mediaType)) {
      if (proof.refuted || proof.vain >= mostVain) return undefined;
      if (proof.underWay === undefined) {
        proof.underWay = this.#try(node, repository, look(), proof);
        return await proof.underWay.missing;
      }
      const {promising, missing} = proof.underWay;
      if (said === undefined && (await promising)) said = this.#offer(repository, node);
      await Promise.allSettled([missing, said]);
    }
    return await (said ?? this.#offer(repository, node));
  }

  #offer(repository: string, node: Node): Promise<ReadonlySet<Digest> | undefined> {
    return this.#slots.run(() => offer(this.#target, repository, node, this.#signal));
  }

  #try(node: Node, repository: string, looks: Looks, proof: Proof): Trial {
    // Of one, it may be the first that it met; with none missing, the manifest would be put for nothing.
    const offered = twoMissing([...looks.values()]).then(two =>
      two ? this.#offer(repository, node) : undefined
    );
    return {
      promising: offered.then(
        said => said !== undefined && said.size > 1 && namesEachKind(node, said),
        () => false
      ),
      missing: this.#prove(node, looks, offered, proof)
    };
  }

  /** @returns what is missing, as it was looked at */
  async #prove(
    node: Node,
    looks: Looks,
    offered: Promise<ReadonlySet<Digest> | undefined>,
    proof: Proof
  ): Promise<ReadonlySet<Digest>> {
    try {
      const found = await Promise.all(
        [...looks].map(async ([digest, there]) => ((await there) ? [] : [digest]))
      );
      const missing = new Set(found.flat());
      const said = await offered;
      const {checks, lax} = this.#target.learned;
      const {mediaType} = node.descriptor;
      if (missing.size < 2) proof.vain++;
      else if (said?.size !== missing.size || ![...missing].every(digest => said.has(digest))) {
        proof.refuted = true;
        // What it said otherwise, such as that it is out of order, it may not say again.
        if (said !== undefined) lax.add(mediaType);
      } else if (namesEachKind(node, said)) checks.add(mediaType);
      else proof.vain++;
      return missing;
    } finally {
      proof.underWay = undefined;
    }
  }
}

/** Whether at least two are missing, as soon as that is known. @throws what a look throws */
function twoMissing(looks: readonly Promise<boolean>[]): Promise<boolean> {
  let missing = 0;
  return new Promise((resolve, reject) => {
    const counted = looks.map(async look => {
      if (!(await look) && ++missing === 2) resolve(true);
    });
    Promise.all(counted).then(() => {
      resolve(missing > 1);
    }, reject);
  });
}
