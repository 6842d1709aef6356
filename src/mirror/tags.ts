import type {Digest} from '../oci/digest.ts';
import {RegistryError} from '../registry/error.ts';
import {getManifest, putManifest, resolveManifest, resolvePut} from '../registry/manifests.ts';
import {all} from './all.ts';
import {ownTime} from './own-time.ts';
import type {PlannedImage} from './plan.ts';
import {putHealed, type PutContext} from './heal.ts';

/** What became of the tags of a release. */
export interface Tagged {
  /** Whether any tag was created or moved, and has stayed so. */
  readonly changed: boolean;
  /** Why they are not all where they should be; absent when they are. */
  readonly error?: unknown;
  /** Then: the images whose tags were moved, and could not be put back. */
  readonly left: readonly string[];
}

/**
 * Moves the tags of a release, all images of which are committed: the last ones in the order given, the
 * others before them, which have to read as they were put before the very last one is. In the end each has
 * been read back. When one fails, tags that had stood for something else are put back: what went wrong is in
 * what it gives back, and it does not throw for that.
 * @param last the images whose tags come last, one after the other
 */
export async function pushTags(
  images: readonly PlannedImage[],
  last: readonly string[],
  context: PutContext
): Promise<Tagged> {
  const due = images.filter(
    ({image, standing}) => standing.tagged !== image.root.descriptor.digest
  );
  const ranked = last.flatMap(name => due.filter(({image}) => image.name === name));
  const others = due.filter(planned => !ranked.includes(planned));
  const moved: PlannedImage[] = [];
  const taken = new Set<PlannedImage>();
  const reading: Promise<void>[] = [];
  const push = async (planned: PlannedImage) => {
    moved.push(planned);
    await putHealed(planned, planned.image.root, planned.image.target.tag, context);
    taken.add(planned);
  };
  const read = (planned: PlannedImage) => {
    const back = context.slots.run(() => readBack(planned, context));
    // Whoever comes last waits for all.
    back.catch(() => undefined);
    reading.push(back);
  };
  try {
    let before: PlannedImage[] = [];
    const waves = [others, ...ranked.map(planned => [planned])];
    for (const [i, wave] of waves.entries()) {
      // The last tag tells that all is there. The one right before it is read beside it, where the others
      // have shown that the registry keeps what it takes.
      if (i === waves.length - 1) {
        if (reading.length === 0) for (const planned of before.splice(0)) read(planned);
        await all(reading);
      }
      const pushing = all(wave.map(planned => context.slots.run(() => push(planned))));
      // Behind what is put now, so that no tag waits for the reading of another.
      for (const planned of before) read(planned);
      await pushing;
      before = [...wave];
    }
    for (const planned of before) read(planned);
    await all(reading);
  } catch (error) {
    await Promise.allSettled(reading);
    const left = await restore(moved, taken, context);
    return {changed: left.length > 0, error, left};
  }
  return {changed: due.length > 0, left: []};
}

/** How often a tag may read as something else, with a wait after each: a replica that lags has caught up by then. */
const mostStale = 4;

async function readBack({image}: PlannedImage, {target, signal}: PutContext): Promise<void> {
  const {repository, tag} = image.target;
  const {digest} = image.root.descriptor;
  const patience = target.patience();
  for (;;) {
    const now = await resolvePut(target, repository, tag, signal);
    if (now === digest) return;
    // Behind some names stand machines that learn of a tag a moment later.
    const text = `${target.name}/${repository}:${tag} was put to ${digest}, but reads ${now ?? 'as absent'}`;
    const late = new RegistryError('server', text, {host: target.name, repository, digest});
    if (patience.tries >= mostStale) throw late;
    await target.recover(patience, late, signal);
  }
}

/** How long tags are put back: a passing fault is no reason to leave one. */
const restoreTime = {usual: 120_000, cancelled: 5000};

/**
 * Best effort: a tag that stood for another image goes back to it, unless another run has moved it
 * since. New tags cannot be taken away.
 * @param moved the images whose tags were put, and may have been taken
 * @param taken those of them that the registry said it took
 * @returns the images whose tags stay where they were moved to, as far as anyone can tell
 */
async function restore(
  moved: readonly PlannedImage[],
  taken: ReadonlySet<PlannedImage>,
  {target, slots, signal: run}: PutContext
): Promise<readonly string[]> {
  const signal = ownTime(run, restoreTime);
  const left: string[] = [];
  const back = async (planned: PlannedImage) => {
    const {image, standing} = planned;
    const {repository, tag} = image.target;
    const {digest} = image.root.descriptor;
    // Until the registry says otherwise, it stands where it was moved to.
    let stands: Digest | undefined = digest;
    let gone = !taken.has(planned);
    try {
      // What stands for a third image is another run's by now, and stays.
      stands = await resolveManifest(target, repository, tag, signal);
      if (![undefined, digest, standing.tagged].includes(stands)) return;
      const before =
        standing.tagged && (await getManifest(target, repository, standing.tagged, signal));
      if (before) {
        await putManifest(target, repository, tag, before, signal);
        gone = true;
      }
      stands = await resolveManifest(target, repository, tag, signal);
    } catch {
      // What was last known of it counts.
    }
    // A registry that took a tag, and did not take it back, is not believed that there is none.
    if (stands === digest || (stands === undefined && !gone)) left.push(image.name);
  };
  await Promise.all(moved.map(one => slots.run(() => back(one))));
  return left;
}
