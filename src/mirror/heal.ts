import type {Digest} from '../oci/digest.ts';
import {hasBlob} from '../registry/blobs.ts';
import {RegistryError} from '../registry/error.ts';
import {putManifest} from '../registry/manifests.ts';
import type {Registry} from '../registry/registry.ts';
import {all} from './all.ts';
import type {Node} from './graph.ts';
import type {Placement, PlannedImage} from './plan.ts';
import type {Slots} from './slots.ts';

/** What putting a manifest needs; without `repair`, what is missing below it stays missing. */
export interface PutContext {
  readonly target: Registry;
  readonly slots: Slots;
  readonly signal: AbortSignal;
  /** Puts a blob that turned out to be missing in its place. */
  readonly repair?: (placement: Placement) => Promise<void>;
}

/** How often a registry may say that something is missing which it has taken. */
const mostHeals = 5;

/**
 * Puts a manifest under a digest or tag; a registry that misses something below it gets that again.
 * @param above what is being put for want of this one, and waits for it
 * @returns whether the registry lists it by what it refers to
 * @throws RegistryError
 */
export async function putHealed(
  planned: PlannedImage,
  node: Node,
  reference: string,
  context: PutContext,
  above: ReadonlySet<Digest> = new Set()
): Promise<{readonly subjectTaken: boolean}> {
  const {target, signal, repair} = context;
  const {repository} = planned.image.target;
  // Replicas of a registry were seen to need most of a minute to learn of a blob: it gets that time.
  const patience = target.patience({first: 8000, steady: 0.6});
  for (let heals = 0; ; heals++) {
    try {
      return await putManifest(target, repository, reference, node, signal);
    } catch (error) {
      if (!(error instanceof RegistryError) || repair === undefined || heals >= mostHeals)
        throw error;
      if (!error.says('MANIFEST_BLOB_UNKNOWN', 'BLOB_UNKNOWN', 'MANIFEST_UNKNOWN')) throw error;
      const named = new Set(error.entries.flatMap(({digests}) => digests));
      // One that is named while it is put is no child of its own.
      const healing = new Set([...above, node.descriptor.digest]);
      await mend(planned, named, {...context, repair}, {insist: heals > 0, healing});
      await target.recover(patience, error.as('server', error.message), signal);
    }
  }
}

/** Puts in place again what is not there; all that was named where asking does not help. */
async function mend(
  planned: PlannedImage,
  named: ReadonlySet<Digest>,
  context: Required<PutContext>,
  {insist, healing}: {readonly insist: boolean; readonly healing: ReadonlySet<Digest>}
): Promise<void> {
  const {target, signal, repair} = context;
  const {repository} = planned.image.target;
  const suspects = planned.placements.filter(
    ({descriptor}) => named.size === 0 || named.has(descriptor.digest)
  );
  await all(
    suspects.map(async placement => {
      const has = await hasBlob(target, repository, placement.descriptor, signal);
      if (has !== 'present' || (insist && named.size > 0)) await repair(placement);
    })
  );
  // With what lies below them in turn: a registry that tidies up takes a child and its blobs together.
  for (const node of [...planned.image.manifests, ...planned.image.attached]) {
    const {digest} = node.descriptor;
    if (named.has(digest) && !healing.has(digest))
      await putHealed(planned, node, digest, context, healing);
  }
}
