import type {Sample} from './figures.ts';
import {us} from './series.ts';

const columns = [
  'tool',
  'wall s',
  'range',
  '× ours',
  'CPU s',
  'registries CPU s',
  'pulled',
  'pushed',
  'requests source / target',
  'per blob',
  'peak MB',
  'digests'
] as const;

/** The samples of one situation as a Markdown table, the fastest first. */
export function table(samples: readonly Sample[]): string {
  const base = samples.find(({tool}) => tool === us);
  const rows = [...samples]
    .sort((one, other) => one.wall - other.wall)
    .map(sample => row(sample, base));
  return [[...columns], columns.map((_, i) => (i === 0 ? '---' : '---:')), ...rows]
    .map(cells => `| ${cells.join(' | ')} |`)
    .join('\n');
}

function row(one: Sample, base: Sample | undefined): readonly string[] {
  const {changed, found} = one.first;
  const isFloor = one.tool.startsWith('floor');
  const {uniqueBytes, uniqueBlobs} = changed;
  // Where nothing had to travel there is nothing to divide by.
  const share = (bytes: number) =>
    one.first.phase === 'unchanged' || uniqueBytes === 0 || one.first.phase === 'killed'
      ? `${megabytes(bytes)} MB`
      : (bytes / uniqueBytes).toFixed(3);
  const digests = isFloor
    ? 'none'
    : `${found.tagged}/${found.tags}, ${found.children}/${found.childrenWanted}`;
  const processes = one.peakTree > 1.2 * one.peak ? ` (all ${megabytes(one.peakTree)})` : '';
  return [
    one.tool === us ? `**${us}**` : one.tool,
    one.wall.toFixed(2),
    one.runs.length > 1 ? `${one.fastest.toFixed(2)}–${one.slowest.toFixed(2)}` : 'once',
    base === undefined ? '' : (one.wall / base.wall).toFixed(2),
    one.cpu.toFixed(2),
    one.registries.toFixed(1),
    share(one.pulled),
    share(one.pushed),
    `${one.requests.source} / ${one.requests.target}`,
    uniqueBlobs === 0 ? '' : (one.requests.target / uniqueBlobs).toFixed(2),
    `${megabytes(one.peak)}${processes}`,
    digests
  ];
}

function megabytes(bytes: number): string {
  const value = bytes / 1_000_000;
  return value < 10 ? value.toFixed(1) : value.toFixed(0);
}
