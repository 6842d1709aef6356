import {Slots} from './slots.ts';

/** The lanes of a transfer: few large blobs that fill the link, many small ones between their round trips. */
export interface Lanes {
  readonly large: Slots;
  readonly small: Slots;
  /** Requests to the target without a body to speak of. */
  readonly control: Slots;
  /** Manifests that are read at the source: these must not wait for the many questions to the target. */
  readonly reading: Slots;
  /** How many connections for questions are opened ahead of them. */
  readonly ahead: {readonly source: number; readonly target: number};
}

/** Up to here a blob is small, in bytes: its round trips take longer than its bytes on most links. */
const smallBlob = 1024 * 1024;

/**
 * The lanes of a run.
 * @param concurrency the most transfers at once that the user allows; the usual 24 fill a line of 40 ms
 *   and 200 Mbit/s, and with 32 or 48 nothing was gained there
 */
export function openLanes(concurrency: number): Lanes {
  // Two to sixteen large ones at once were measured on a link with 40 ms: below four the link is not
  // full, above eight nothing is gained, and each one costs the registries memory. Where the line is wider
  // than the machine, all of them share the processor: with eight, the largest layer of a release was
  // still on its way when all else was there; with six they ended together, 7 % sooner.
  const large = Math.max(1, Math.floor(concurrency / 4));
  const small = Math.max(0, concurrency - large);
  // Whoever allows few transfers means to be gentle: few questions, too.
  const questions = (most: number) => Math.min(most, 4 * concurrency);
  return {
    large: new Slots(large, large),
    small: new Slots(small, small),
    // A question takes a registry one or two milliseconds and the line tens of them: this many are under
    // way before the registry is what is waited for. It does not begin with fewer and grow: each one more
    // would be a connection more, which costs two or three round trips, for the last few of 250 questions.
    // Measured with 40 ms, in seconds for these: 0.71 with 32, 0.59 with 48, 0.56 with 64, 0.53 with 80,
    // 0.54 with 96; as many connections, but at most 64, were opened ahead.
    control: new Slots(questions(80), questions(80)),
    // As many as a release has images, with the children of those that are indexes.
    reading: new Slots(questions(32), questions(64)),
    // At the source for the root of each image; at the target the most that paid.
    ahead: {source: questions(24), target: questions(64)}
  };
}

/** Takes the pressure off a host that asked for it; what only the other one is asked goes on as it was. */
export function ease({large, small, control, reading}: Lanes, side: 'source' | 'target'): void {
  for (const slots of [large, small, side === 'source' ? reading : control]) slots.halve();
}

/**
 * Runs all tasks, the largest first over the whole set, while the small lane works from the other
 * end: the last one to finish is then a small one. That lane's first wave is of the largest small ones:
 * a connection is slow at first, only bytes make it faster, and the line is full sooner with all of
 * them. `run` must not throw.
 */
export async function largestFirst<T>(
  tasks: readonly T[],
  sizeOf: (task: T) => number,
  {large, small}: Lanes,
  run: (task: T) => Promise<void>
): Promise<void> {
  const sorted = [...tasks].sort((one, other) => sizeOf(other) - sizeOf(one));
  const big = sorted.filter(task => sizeOf(task) > smallBlob);
  const little = sorted.slice(big.length);
  const fromTop = () => big.shift() ?? little.shift();
  let wave = small.most;
  const fromBottom = () => (wave-- > 0 ? little.shift() : little.pop());
  const worker = async (slots: Slots, take: () => T | undefined) => {
    for (let more = true; more;) {
      more = await slots.run(async () => {
        const task = take();
        if (task !== undefined) await run(task);
        return task !== undefined;
      });
    }
  };
  await Promise.all([
    ...Array.from({length: large.most}, () => worker(large, fromTop)),
    ...Array.from({length: small.most}, () => worker(small, fromBottom))
  ]);
}
