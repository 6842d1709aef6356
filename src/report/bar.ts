import {formatBytes} from './bytes.ts';
import {blocks} from './chart.ts';
import {formatDuration} from './duration.ts';
import {percent, type Standing} from './pace.ts';
import type {Style} from './style.ts';

/** The bar itself has at most so many columns. */
const widest = 40;

/**
 * A progress bar in one line of fewer than `columns` columns: the bar, then as many of per cent,
 * bytes, rate and time left as there is room for.
 */
export function barLine(standing: Standing, columns: number, style: Style): string {
  const {fraction, done, total, rate, left} = standing;
  const facts = [
    `${percent(fraction)} %`.padStart(5),
    `${formatBytes(done)} of ${formatBytes(total)}`,
    `${formatBytes(rate)}/s`,
    left === undefined ? 'waiting' : `${formatDuration(left)} left`
  ];
  // The last column stays free: some terminals break the line behind it.
  const room = columns - 1;
  while (facts.length > 1 && facts.join('  ').length + 12 > room) facts.pop();
  const text = facts.join('  ');
  const width = Math.min(widest, room - text.length - 2);
  if (width < 4) return text.slice(0, Math.max(0, room));
  const filled = blocks(fraction, width);
  return `${style.cyan(filled)}${style.dim('·'.repeat(width - filled.length))}  ${text}`;
}
