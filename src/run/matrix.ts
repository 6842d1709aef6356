import type {Plan} from '../mirror/plan.ts';
import {divide, type Shard} from '../mirror/shards.ts';
import {chartArtifact, type ImageSelection} from '../release/resolve.ts';
import {formatBytes} from '../report/bytes.ts';
import type {Matrix} from '../report/record.ts';

/** What the entries of a matrix depend on beside the plan. */
interface Asked {
  /** The images that the run was asked for; the chart, where it was asked for, goes by itself. */
  readonly images: ImageSelection;
  /** The most shards. */
  readonly shards: number;
}

/**
 * A plan as a job matrix: each entry has the inputs with which one job does its part of it. With
 * nothing to copy there are no entries; then the jobs are to be skipped.
 */
export function matrixOf(plan: Plan, asked: Asked): Matrix {
  const shards = divide(plan.images, asked.shards);
  const planned = new Map<string, Set<string>>();
  for (const {image} of plan.images)
    planned.set(image.release, (planned.get(image.release) ?? new Set()).add(image.name));
  return {
    include: shards.map((shard, i) => ({
      shard: i + 1,
      name: `${i + 1} of ${shards.length}, ${formatBytes(shard.bytes)}`,
      'source-tag': shard.releases.join('\n'),
      images: inputOf(shard, planned, asked.images).join('\n'),
      bytes: shard.bytes
    }))
  };
}

/**
 * The lines of `images` with which a run takes the shard's images. By name, each has to be there in
 * every release; where one is not, since it came later or was dropped, the shard is the releases' own
 * sets without the images of the other shards.
 */
function inputOf(
  {releases, names}: Shard,
  planned: ReadonlyMap<string, ReadonlySet<string>>,
  images: ImageSelection
): readonly string[] {
  const everywhere = (name: string) => releases.every(tag => planned.get(tag)?.has(name));
  if (images.kind === 'exactly' || names.every(everywhere)) return names;
  // Unless it is an arc- one, what was added is no part of a release's own set: only its own shard names it.
  const added = [...images.add, chartArtifact];
  const others = releases
    .flatMap(tag => [...(planned.get(tag) ?? [])])
    .filter(name => !names.includes(name) && (!added.includes(name) || name.startsWith('arc-')));
  return [
    ...added.filter(name => names.includes(name)).map(name => `+${name}`),
    ...[...new Set([...images.remove, ...others])].map(name => `-${name}`)
  ];
}
