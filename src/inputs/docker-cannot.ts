import type {InputName} from './table.ts';

/** Why a chart is refused, be it asked for by its own input or by name. */
export const noCharts =
  'cannot be had with engine: docker, which carries images and no charts; leave one of the two out';

/** What docker would lose of what was asked for: with `engine: docker` these values are refused. */
export const dockerCannot: readonly {
  readonly input: InputName;
  readonly value: string;
  readonly message: string;
}[] = [
  {
    input: 'publish',
    value: 'false',
    message: 'cannot be had with engine: docker, which pushes by tag only; leave one of the two out'
  },
  {
    input: 'referrers',
    value: 'true',
    message:
      'cannot be had with engine: docker: signatures and attestations belong to digests, which docker changes; leave one of the two out'
  },
  {
    input: 'chart',
    value: 'true',
    message: noCharts
  }
];
