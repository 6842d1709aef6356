import type {Digest} from '../oci/digest.ts';
import type {PlannedImage} from './plan.ts';

/** Blobs that the same lines need and the same lines have: for the count they are one. */
interface Net {
  size: number;
  readonly need: ReadonlySet<number>;
  readonly have: ReadonlySet<number>;
}

/** Lines of a plan, each of which stays whole: all images of a release, or all releases of an image. */
export class Lines {
  /** By line, the nets that it takes part in. */
  readonly nets: readonly (readonly Net[])[];
  /** What all of them together move. */
  readonly bytes: number;

  constructor(lines: readonly (readonly PlannedImage[])[]) {
    const blobs = new Map<Digest, {size: number; need: Set<number>; have: Set<number>}>();
    // Manifests are put for each image by itself.
    const own = lines.map(() => 0);
    lines.forEach((images, line) => {
      for (const {placements, image, standing} of images) {
        for (const {descriptor, way} of placements) {
          let blob = blobs.get(descriptor.digest);
          if (blob === undefined) {
            blob = {size: descriptor.size, need: new Set(), have: new Set()};
            blobs.set(descriptor.digest, blob);
          }
          blob[way === 'present' ? 'have' : 'need'].add(line);
        }
        for (const {descriptor} of [...image.manifests, ...image.attached])
          if (!standing.manifests.has(descriptor.digest))
            own[line] = (own[line] ?? 0) + descriptor.size;
      }
    });
    const none: ReadonlySet<number> = new Set();
    const nets = new Map<string, Net>();
    own.forEach((size, line) => nets.set(`${line}|`, {size, need: new Set([line]), have: none}));
    for (const {size, need, have} of blobs.values()) {
      if (need.size === 0) continue;
      // Both were filled in the order of the lines.
      const key = `${[...need].join()}|${[...have].join()}`;
      const net = nets.get(key);
      if (net === undefined) nets.set(key, {size, need, have});
      else net.size += size;
    }
    const byLine: Net[][] = lines.map(() => []);
    for (const net of nets.values())
      for (const line of new Set([...net.need, ...net.have])) byLine[line]?.push(net);
    this.nets = byLine;
    this.bytes = [...nets.values()]
      .filter(({have}) => have.size === 0)
      .reduce((sum, {size}) => sum + size, 0);
  }
}

/** Lines that are done by one machine. */
class Group {
  readonly members: number[] = [];
  bytes = 0;
  readonly #lines: Lines;
  /** Which nets its lines need, and which they have. */
  readonly #need = new Set<Net>();
  readonly #have = new Set<Net>();

  constructor(lines: Lines) {
    this.#lines = lines;
  }

  /** How many bytes more it moves together with this line; fewer where the line has what others need. */
  more(line: number): number {
    let bytes = 0;
    for (const net of this.#lines.nets[line] ?? []) {
      if (this.#have.has(net)) continue;
      const before = this.#need.has(net);
      const after = !net.have.has(line) && (before || net.need.has(line));
      bytes += (Number(after) - Number(before)) * net.size;
    }
    return bytes;
  }

  add(line: number): void {
    this.bytes += this.more(line);
    this.members.push(line);
    for (const net of this.#lines.nets[line] ?? []) {
      if (net.need.has(line)) this.#need.add(net);
      if (net.have.has(line)) this.#have.add(net);
    }
  }
}

/**
 * Puts lines into groups, the largest first, each where the group is the smallest with it; what it
 * adds there counts by `weight` once more, which draws together what shares layers.
 * @returns the groups that got any, their lines in order
 */
export function spread(lines: Lines, count: number, weight: number): readonly Group[] {
  const groups = Array.from({length: count}, () => new Group(lines));
  const alone = lines.nets.map((_, line) => new Group(lines).more(line));
  const order = [...alone.keys()].sort((a, b) => (alone[b] ?? 0) - (alone[a] ?? 0));
  for (const line of order) {
    const scores = groups.map(group => group.bytes + group.more(line) * (1 + weight));
    groups[scores.indexOf(Math.min(...scores))]?.add(line);
  }
  const filled = groups.filter(({members}) => members.length > 0);
  for (const {members} of filled) members.sort((a, b) => a - b);
  return filled;
}
