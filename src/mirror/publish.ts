import type {Digest} from '../oci/digest.ts';
import {hasBlob, type Presence} from '../registry/blobs.ts';
import {resolvePut} from '../registry/manifests.ts';
import {recordReferrer} from '../registry/referrers.ts';
import {all} from './all.ts';
import {notKept} from './error.ts';
import type {Node} from './graph.ts';
import {putHealed, type PutContext} from './heal.ts';
import {pair, type Placement, type PlannedImage} from './plan.ts';
import {below} from './proof.ts';

/** What committing an image needs. */
export interface PublishContext extends Required<PutContext> {
  /** Whether the root gets its tag afterwards. */
  readonly publish: boolean;
  /** What is at the target, by `pair`: manifests are added as they arrive. */
  readonly landed: Set<string>;
  /** Resolves when it is known which manifests the registry checks by itself. */
  readonly proven: Promise<void>;
  /** Told of the bytes of manifests when they arrive. */
  readonly arrived: (bytes: number) => void;
  /** What one look at each blob tells that the registry only said it has; begun while others travel. */
  readonly looks: ReadonlyMap<Digest, Promise<Presence>>;
}

/**
 * Commits an image by digest: children first, then a look at everything below the root, then the
 * root. No tag is touched. What turns out to be missing is put in place and looked at once more.
 * @throws RegistryError when the registry does not keep what it took
 */
export async function commitImage(planned: PlannedImage, context: PublishContext): Promise<void> {
  const {image, standing} = planned;
  const {slots} = context;
  const missing = [...image.manifests, ...image.attached].filter(
    ({descriptor}) => !standing.manifests.has(descriptor.digest)
  );
  if (
    missing.length === 0 &&
    planned.placements.every(({way, told}) => way === 'present' && told !== true)
  )
    return;
  const children = missing.filter(node => node !== image.root && !image.attached.includes(node));
  // Children of children come first: the list has them in that order.
  const put = (node: Node) => slots.run(() => commitManifest(planned, node, context));
  // One after the other: those that refer to something may share the tag that lists them.
  const putInTurn = async (nodes: readonly Node[]) => {
    for (const node of nodes) await put(node);
  };
  const refers = ({manifest}: Node) => manifest.subject !== undefined;
  for (const level of levels(children)) {
    await all(level.filter(node => !refers(node)).map(put));
    await putInTurn(level.filter(refers));
  }
  await verifyBelow(planned, context);
  if (missing.includes(image.root)) await put(image.root);
  await putInTurn(image.attached.filter(node => missing.includes(node)));
  // The root is read back by its tag, where it gets one.
  const last = context.publish ? image.attached : [image.root, ...image.attached];
  await manifestsThere(
    planned,
    last.filter(node => missing.includes(node)),
    context
  );
}

function levels(nodes: readonly Node[]): readonly (readonly Node[])[] {
  const images = nodes.filter(({manifest}) => manifest.kind === 'image');
  const indexes = nodes.filter(({manifest}) => manifest.kind === 'index');
  return [images, ...indexes.map(node => [node])];
}

/** Puts a manifest by digest, with what belongs to it. */
async function commitManifest(
  planned: PlannedImage,
  node: Node,
  context: PublishContext
): Promise<void> {
  const {target, signal} = context;
  const {repository} = planned.image.target;
  const {digest, size} = node.descriptor;
  const {subjectTaken} = await putHealed(planned, node, digest, context);
  const {subject} = node.manifest;
  if (subject !== undefined && !subjectTaken)
    await recordReferrer(target, repository, subject.digest, node, signal);
  context.landed.add(pair(repository, digest));
  context.arrived(size);
}

/**
 * Looks at everything below the root: that a registry took a blob does not mean that it has it.
 * What the plan found present was looked at then; and where the registry has been seen to refuse
 * manifests of that type while anything below is missing, its own look is the better one.
 */
async function verifyBelow(planned: PlannedImage, context: PublishContext): Promise<void> {
  const {target, proven, looks} = context;
  await proven;
  const {checks} = target.learned;
  const unchecked = new Set(
    [...planned.image.manifests, ...planned.image.attached]
      // The registry looks at what it is sent; what stands there already is not sent.
      .filter(
        ({descriptor: {mediaType, digest}}) =>
          !checks.has(mediaType) || planned.standing.manifests.has(digest)
      )
      .flatMap(({manifest}) => below(manifest))
  );
  const unseen = planned.placements.filter(
    ({way, told, descriptor}) =>
      told === true || (way !== 'present' && unchecked.has(descriptor.digest))
  );
  await blobsThere(
    unseen,
    async placement =>
      placement.told === true && (await looks.get(placement.descriptor.digest)) === 'present',
    context
  );
  await manifestsThere(
    planned,
    planned.image.manifests.slice(0, -1).filter(({descriptor}) => unchecked.has(descriptor.digest)),
    context
  );
}

/**
 * Looks at everything below a tag once more, and puts in place again what has gone since: a registry that
 * tidies up while a long run is under way knows of no tag yet that would keep it.
 * @throws RegistryError when the registry does not keep what it took
 */
export async function lookAgain(planned: PlannedImage, context: PublishContext): Promise<void> {
  const {target, slots, signal} = context;
  const {image, placements} = planned;
  const {repository} = image.target;
  await blobsThere(placements, () => Promise.resolve(false), context);
  const nodes = [...image.manifests, ...image.attached];
  const gone = new Set<Node>();
  await all(
    nodes.map(async node => {
      const {digest} = node.descriptor;
      const there = await slots.run(() => resolvePut(target, repository, digest, signal));
      if (there !== digest) gone.add(node);
    })
  );
  // Children come first in the list.
  for (const node of nodes.filter(one => gone.has(one)))
    await slots.run(() => commitManifest(planned, node, context));
}

/** Looks at blobs of a repository, unless they have been `seen`; what is missing is put in place again. */
async function blobsThere(
  placements: readonly Placement[],
  seen: (placement: Placement) => Promise<boolean>,
  {target, slots, signal, repair}: PublishContext
): Promise<void> {
  const has = ({targetRepository, descriptor}: Placement) =>
    slots.run(() => hasBlob(target, targetRepository, descriptor, signal));
  await all(
    placements.map(async placement => {
      if ((await seen(placement)) || (await has(placement)) !== 'absent') return;
      await repair(placement);
      if ((await has(placement)) !== 'absent') return;
      const {targetRepository: repository, descriptor} = placement;
      throw notKept(target, repository, descriptor.digest, 'took it twice');
    })
  );
}

/** @throws RegistryError when one of these manifests, which the target took, is not there */
async function manifestsThere(
  {image}: PlannedImage,
  nodes: readonly Node[],
  {target, slots, signal}: PublishContext
): Promise<void> {
  const {repository} = image.target;
  await all(
    nodes.map(async ({descriptor: {digest}}) => {
      const there = await slots.run(() => resolvePut(target, repository, digest, signal));
      if (there === digest) return;
      throw notKept(target, repository, digest, 'took it');
    })
  );
}
