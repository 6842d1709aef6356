import type {Outcome} from './bench.ts';
import type {Sample} from './figures.ts';
import type {Phase} from './phase.ts';
import {us} from './series.ts';
import {line, type Profile} from './session.ts';

/** Something that has to hold, with what was measured. */
export interface Bound {
  readonly what: string;
  /** At most this. */
  readonly limit: number;
  /** Undefined when what it needs was not measured. */
  readonly value: number | undefined;
  readonly unit: string;
}

/** The phases in which bytes have to travel that are known beforehand. */
const travelling: readonly Phase[] = ['cold', 'next', 'rebuilt'];

/** Every bound, in the order in which the document has them. */
export function boundsOf(outcomes: readonly Outcome[]): readonly Bound[] {
  const at = (profile: Profile, scale: number, phase: Phase) =>
    outcomes.find(
      ({series}) => series.profile === profile && series.scale === scale && series.phase === phase
    )?.samples ?? [];
  const cold = at('link', 100, 'cold');
  const [unchanged, next, rebuilt] = (['unchanged', 'next', 'rebuilt'] as const).map(phase =>
    at('link', 100, phase)
  );
  const loopback = at('loopback', 1000, 'cold');
  const all = outcomes.flatMap(({samples}) => samples.filter(({tool}) => tool === us));
  const moved = all.filter(({first}) => travelling.includes(first.phase));
  const share = (of: (one: Sample) => number) =>
    most(moved.map(one => of(one) / one.first.changed.uniqueBytes));
  const coldOnes = all.filter(({first}) => first.phase === 'cold');
  return [
    {
      what: 'link, cold: of the time that the bytes need on the line',
      limit: 1.2,
      value: over(own(cold)?.wall, bandwidthFloor(cold)),
      unit: '×'
    },
    {
      what: 'link, cold: of crane with four processes',
      limit: 0.36,
      value: ratio(cold, ['crane -P4']),
      unit: '×'
    },
    {
      what: 'link, cold: of the best peer with sixteen processes',
      limit: 0.48,
      value: ratio(cold, ['crane -P16', 'oras -P16', 'skopeo -P16']),
      unit: '×'
    },
    {
      what: 'link, unchanged, checked down to every blob: of crane with sixteen processes',
      limit: 0.9,
      value: ratio(unchanged, ['crane -P16']),
      unit: '×'
    },
    {
      what: 'link, next month: of the best peer',
      limit: 0.75,
      value: best(next),
      unit: '×'
    },
    {
      what: 'link, next month upon a rebuilt base: of the best peer',
      limit: 0.45,
      value: best(rebuilt),
      unit: '×'
    },
    {
      what: 'loopback, 1 GB, cold: of the splice-only floor',
      limit: 1.25,
      value: over(own(loopback)?.wall, loopback.find(({tool}) => tool.startsWith('floor'))?.wall),
      unit: '×'
    },
    {
      what: 'loopback, 1 GB, cold: of skopeo sync',
      limit: 0.75,
      value: ratio(loopback, ['skopeo sync']),
      unit: '×'
    },
    {
      what: 'bytes pulled, of the unique or changed bytes',
      limit: 1.01,
      value: share(({pulled}) => pulled),
      unit: '×'
    },
    {
      what: 'bytes pushed, of the unique or changed bytes',
      limit: 1.01,
      value: share(({pushed}) => pushed),
      unit: '×'
    },
    {
      what: 'requests to the target for each unique blob, cold',
      limit: 2.9,
      value: most(coldOnes.map(one => one.requests.target / one.first.changed.uniqueBlobs)),
      unit: ''
    },
    {
      what: 'processor seconds for each gigabyte',
      limit: 2.2,
      value: over(own(loopback)?.cpu, own(loopback)?.first.changed.uniqueBytes, 1e9),
      unit: ' s'
    },
    {
      what: 'memory at its highest, at any scale',
      limit: 110,
      value: over(most(all.map(({peak}) => peak)), 1e6),
      unit: ' MB'
    },
    {
      what: 'digests that differ, or manifests and blobs that are missing, at the target',
      limit: 0,
      value: most(all.flatMap(({runs}) => runs.map(({found}) => missingOf(found)))),
      unit: ''
    }
  ];
}

/** Whether a bound holds; undefined when it was not measured. */
export function holds({value, limit}: Bound): boolean | undefined {
  return value === undefined ? undefined : value <= limit;
}

/** The seconds that the unique bytes of a series need on the line alone. */
export function bandwidthFloor(samples: readonly Sample[]): number | undefined {
  const bytes = samples[0]?.first.changed.uniqueBytes;
  return bytes === undefined ? undefined : bytes / line.rate;
}

function missingOf(found: Sample['first']['found']): number {
  const {tagged, tags, children, childrenWanted, pairs, pairsWanted} = found;
  return tags - tagged + (childrenWanted - children) + (pairsWanted - pairs);
}

function own(samples: readonly Sample[] | undefined): Sample | undefined {
  return samples?.find(({tool}) => tool === us);
}

/** Our time over that of the fastest of these peers, or of all. */
function ratio(
  samples: readonly Sample[] | undefined,
  peers?: readonly string[]
): number | undefined {
  const walls = samples
    ?.filter(({tool}) => peers?.includes(tool) ?? (tool !== us && !tool.startsWith('floor')))
    .map(({wall}) => wall);
  return over(own(samples)?.wall, walls === undefined ? undefined : least(walls));
}

/** Our time over that of the fastest peer; only where the strongest ones ran, sixteen at once. */
function best(samples: readonly Sample[] | undefined): number | undefined {
  return samples?.some(({tool}) => tool.endsWith('-P16')) === true ? ratio(samples) : undefined;
}

function over(one: number | undefined, other: number | undefined, factor = 1): number | undefined {
  return one === undefined || other === undefined ? undefined : (one / other) * factor;
}

function most(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : Math.max(...values);
}

function least(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : Math.min(...values);
}
