const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

/**
 * Bytes as people read them: decimal units and three digits, such as `1.02 GB`; below 1000 the very
 * number.
 */
export function formatBytes(bytes: number): string {
  let value = Math.max(0, Math.round(bytes));
  if (value < 1000) return `${value} B`;
  let unit = 0;
  // What would be rounded to 1000 belongs to the next unit.
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${units[unit] ?? 'B'}`;
}

/** Whole bytes with a comma after every three digits: `1,020,304`. */
export function formatCount(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(?:\d{3})+$)/g, ',');
}

/** Both at once: `1.02 GB (1,020,304,050 B)`; below 1000 bytes one says it all. */
export function formatExactBytes(bytes: number): string {
  const short = formatBytes(bytes);
  return bytes < 1000 ? short : `${short} (${formatCount(bytes)} B)`;
}
