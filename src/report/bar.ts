import {formatBytes} from './bytes.ts';
import {blocks} from './chart.ts';
import {percent, type Standing, timeLeft} from './pace.ts';
import type {Style} from './style.ts';

/** The bar itself has at most so many columns. */
const widest = 40;

/**
 * A progress bar in one line of fewer than `columns` columns: the bar, then as many of per cent,
 * bytes, rate and time left as there is room for; the rate goes first, then the bytes.
 */
export function barLine(standing: Standing, columns: number, style: Style): string {
  const {fraction, done, total, rate, left} = standing;
  const share = `${percent(fraction)} %`.padStart(5);
  const bytes = `${formatBytes(done)} of ${formatBytes(total)}`;
  const time = timeLeft(left) ?? 'waiting';
  // The last column stays free, since some terminals break the line behind it; so do two more for
  // the ^C that a terminal shows there.
  const room = columns - 3;
  const facts = [
    [share, bytes, `${formatBytes(rate)}/s`, time],
    [share, bytes, time],
    [share, time]
  ];
  const text = facts.map(some => some.join('  ')).find(line => line.length + 12 <= room) ?? share;
  const width = Math.min(widest, room - text.length - 2);
  if (width < 4) return text.slice(0, Math.max(0, room));
  const filled = blocks(fraction, width);
  return `${style.cyan(filled)}${style.dim('·'.repeat(width - filled.length))}  ${text}`;
}
