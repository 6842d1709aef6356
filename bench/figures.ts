import type {Run} from './session.ts';

/** The middle one; of an even number the mean of the two in the middle. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length / 2;
  const [low = NaN, high = NaN] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return (low + high) / 2;
}

/** All runs of one tool in one situation. */
export interface Sample {
  readonly tool: string;
  readonly runs: readonly Run[];
  /** Medians: seconds, processor seconds, bytes. */
  readonly wall: number;
  readonly slowest: number;
  readonly fastest: number;
  readonly cpu: number;
  readonly registries: number;
  readonly peak: number;
  readonly peakTree: number;
  readonly pulled: number;
  readonly pushed: number;
  readonly requests: {readonly source: number; readonly target: number};
  readonly first: Run;
}

/** Sums up what one tool did in one situation; undefined when no run of it counts. */
export function sample(tool: string, runs: readonly Run[]): Sample | undefined {
  const good = runs.filter(run => run.tool === tool && run.failure === undefined);
  const [first] = good;
  if (first === undefined) return undefined;
  const middle = (of: (run: Run) => number) => median(good.map(of));
  return {
    tool,
    runs: good,
    first,
    wall: middle(({wall}) => wall),
    slowest: Math.max(...good.map(({wall}) => wall)),
    fastest: Math.min(...good.map(({wall}) => wall)),
    cpu: middle(({cpu}) => cpu),
    registries: middle(({registries}) => registries),
    // What a machine has to have is what the worst run took.
    peak: Math.max(...good.map(({peak}) => peak)),
    peakTree: Math.max(...good.map(({peakTree}) => peakTree)),
    pulled: middle(({pulled}) => pulled),
    pushed: middle(({pushed}) => pushed),
    requests: {
      source: middle(({requests}) => requests.source),
      target: middle(({requests}) => requests.target)
    }
  };
}
