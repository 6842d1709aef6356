import {Lines, spread} from './lines.ts';
import type {PlannedImage} from './plan.ts';

/** A part of a plan that a machine can do by itself: these images of these releases. */
export interface Shard {
  /** In the plan's order. */
  readonly releases: readonly string[];
  /** In the plan's order. Not every release need have every one of them. */
  readonly names: readonly string[];
  /** What travels when it is done by itself, manifests included. */
  readonly bytes: number;
}

/** What the shards may move together, in tenths of what one run over everything would move. */
const mostTenths = 11;

/** How much keeping layers together counts against filling all shards alike; each is tried. */
const weights = [0, 0.5, 1, 2, 4, 8, 32];

/**
 * Divides a plan into at most so many shards, so that the largest is as small as can be while
 * together they move at most a tenth more than one run over everything would: a layer that two
 * shards need travels twice. Where the images share too much for that there are fewer shards, at the
 * least one. Every image is in exactly one of them, but for those that need nothing moved. Pure, and
 * the same plan gives the same shards.
 * @returns the largest first; none when nothing has to travel
 */
export function divide(images: readonly PlannedImage[], most: number): readonly Shard[] {
  const all = busyOnes(images);
  const whole = movedBy(all);
  if (whole === 0) return [];
  let best: readonly Part[] = [];
  for (const parts of candidates(all, most)) {
    if (total(parts) * 10 > whole * mostTenths) continue;
    if (best.length === 0 || compare(parts, best, whole) < 0) best = parts;
  }
  return best
    .filter(({bytes}) => bytes > 0)
    .map(part => {
      const own = new Set(part.images);
      const planned = all.filter(one => own.has(one)).map(({image}) => image);
      return {
        releases: [...new Set(planned.map(({release}) => release))],
        names: [...new Set(planned.map(({name}) => name))],
        bytes: part.bytes
      };
    })
    .sort((one, other) => other.bytes - one.bytes);
}

interface Part {
  readonly images: readonly PlannedImage[];
  readonly bytes: number;
}

function total(parts: readonly Part[]): number {
  return parts.reduce((sum, {bytes}) => sum + bytes, 0);
}

/**
 * Below zero when the first is the better division: with the smaller largest part, where a hundredth
 * of the whole is not worth another machine; then the one with fewer parts and fewer bytes.
 */
function compare(one: readonly Part[], other: readonly Part[], whole: number): number {
  const largest = (parts: readonly Part[]) =>
    Math.ceil((Math.max(...parts.map(({bytes}) => bytes)) * 100) / whole);
  return largest(one) - largest(other) || one.length - other.length || total(one) - total(other);
}

/**
 * Without the releases that are complete, unless another one takes layers over from there: whoever
 * keeps a long range up to date has little of it to do.
 */
function busyOnes(images: readonly PlannedImage[]): readonly PlannedImage[] {
  const busy = new Set(images.filter(({complete}) => !complete).map(({image}) => image.release));
  const some = images.filter(({image}) => busy.has(image.release));
  return movedBy(some) === movedBy(images) ? some : images;
}

/** What travels when these images are mirrored in one run. */
function movedBy(images: readonly PlannedImage[]): number {
  return new Lines([images]).bytes;
}

/**
 * Divisions that are worth a look. An image shares most with itself of another month, or with the
 * others of its month, depending on what was rebuilt: so the releases are split into groups, from one
 * to as many as there may be, and in each group the images by name. Each part is names times releases.
 */
function* candidates(
  images: readonly PlannedImage[],
  most: number
): Generator<readonly Part[], void> {
  const releases = grouped(images, ({image}) => image.release);
  const lines = new Lines(releases);
  const blocks = new Map<string, Block>();
  for (const weight of weights) {
    for (let count = 1; count <= Math.min(most, releases.length); count++) {
      const own = spread(lines, count, weight).map(({members}) => {
        const key = members.join();
        const block = blocks.get(key) ?? new Block(members.flatMap(at => releases[at] ?? []));
        blocks.set(key, block);
        return block;
      });
      for (let parts = own.length; parts <= most; parts++) {
        const counts = shareOut(own, parts);
        yield own.flatMap((block, i) => block.split(counts[i] ?? 1, weight));
      }
    }
  }
}

/** How many parts each block gets: one, and each further one goes where the parts are the largest. */
function shareOut(blocks: readonly Block[], parts: number): readonly number[] {
  const counts = blocks.map(() => 1);
  for (let left = parts - blocks.length; left > 0; left--) {
    const sizes = blocks.map(({bytes}, i) => bytes / (counts[i] ?? 1));
    const at = sizes.indexOf(Math.max(...sizes));
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return counts;
}

/** Some releases with all their images. */
class Block {
  readonly bytes: number;
  readonly #names: readonly (readonly PlannedImage[])[];
  readonly #lines: Lines;
  readonly #known = new Map<string, readonly Part[]>();

  constructor(images: readonly PlannedImage[]) {
    this.#names = grouped(images, ({image}) => image.name);
    this.#lines = new Lines(this.#names);
    this.bytes = this.#lines.bytes;
  }

  /** Splits it by name; each name with all its releases. */
  split(count: number, weight: number): readonly Part[] {
    const key = `${count} ${weight}`;
    const parts =
      this.#known.get(key) ??
      spread(this.#lines, count, weight).map(({members, bytes}) => ({
        bytes,
        images: members.flatMap(at => this.#names[at] ?? [])
      }));
    this.#known.set(key, parts);
    return parts;
  }
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): readonly (readonly T[])[] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return [...groups.values()];
}
