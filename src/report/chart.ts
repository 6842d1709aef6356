import type {Moved} from '../mirror/result.ts';

import {formatBytes} from './bytes.ts';
import {styleFor} from './style.ts';

const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const;

/** A bar of block characters: `fraction` (0 to 1) of `width` columns, exact to an eighth. */
export function blocks(fraction: number, width: number): string {
  const parts = Math.round(Math.min(1, Math.max(0, fraction)) * width * 8);
  // Whatever is there is seen.
  const shown = parts === 0 && fraction > 0 ? 1 : parts;
  return '█'.repeat(Math.floor(shown / 8)) + (eighths[shown % 8] ?? '');
}

/** The bars of a chart are as long as this at most, and not worth drawing below the other. */
const [longest, shortest] = [32, 4] as const;

/**
 * How the bytes came to the target, as three bars of block characters, each line at most `columns` wide (30 is the least that is kept to). Empty when
 * there were none.
 */
export function bytesChart(
  {copied, mounted, present}: Moved,
  columns = 80,
  {cyan, green, dim} = styleFor(false, {})
): string[] {
  const total = copied + mounted + present;
  if (total === 0) return [];
  const rows: [string, number, (bar: string) => string][] = [
    ['copied', copied, cyan],
    ['mounted', mounted, green],
    ['already there', present, dim]
  ];
  const room = columns - 'already there   1.00 GB  100 %'.length - 2;
  const width = room < shortest ? 0 : Math.min(room, longest);
  return rows.map(([name, bytes, paint]) => {
    const share = `${Math.round((bytes / total) * 100)} %`.padStart(5);
    const bar = blocks(bytes / total, width);
    const drawn = width === 0 ? '' : `  ${paint(bar)}${' '.repeat(width - bar.length)}`;
    return `${name.padEnd(13)}${drawn}  ${formatBytes(bytes).padStart(8)}  ${share}`;
  });
}

/** So many squares stand for all bytes. */
const squares = 20;

/**
 * How the bytes came to the target, as one bar of coloured squares and what each colour means, in
 * Markdown: two lines. Empty when there were none.
 */
export function bytesBar({copied, mounted, present}: Moved, planned: boolean): string[] {
  const verb = planned ? 'to be ' : '';
  const parts = [
    {sign: '🟦', bytes: copied, name: `${verb}copied`},
    {sign: '🟩', bytes: mounted, name: `${verb}mounted`},
    {sign: '⬜', bytes: present, name: 'already there'}
  ];
  if (copied + mounted + present === 0) return [];
  const counts = shares(parts.map(({bytes}) => bytes));
  return [
    parts.map(({sign}, i) => sign.repeat(counts[i] ?? 0)).join(''),
    parts.map(({sign, bytes, name}) => `${sign} **${formatBytes(bytes)}** ${name}`).join(' &emsp; ')
  ];
}

/** Squares for each part, `squares` in all; what is at least half a per cent has one. */
function shares(parts: readonly number[]): number[] {
  const total = parts.reduce((sum, part) => sum + part, 0);
  const counts = parts.map(part =>
    Math.max(part / total < 0.005 ? 0 : 1, Math.round((part / total) * squares))
  );
  // What rounding has put in excess, or left out, is taken from or given to the largest part.
  const largest = parts.indexOf(Math.max(...parts));
  const rest = squares - counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count, i) => (i === largest ? count + rest : count));
}

/** What was spared: `1.49 GB of 2.51 GB (59 %) did not have to travel`. */
export function savedLine({copied, mounted, present}: Moved, planned: boolean): string {
  const total = copied + mounted + present;
  if (total === 0) return '';
  const saved = mounted + present;
  const share = Math.floor((saved / total) * 100);
  return `${formatBytes(saved)} of ${formatBytes(total)} (${share} %) ${planned ? 'need not' : 'did not have to'} travel`;
}
