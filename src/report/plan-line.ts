import {formatExactBytes} from './bytes.ts';
import {plural} from './lines.ts';
import type {PlanFigures} from './reporter.ts';

/** The plan in one line, with exact bytes. */
export function planLine(figures: PlanFigures): string {
  const {images, blobsToCopy, bytesToCopy, bytesToMount, bytesPresent} = figures;
  if (images === 0) return 'Plan: nothing to do';
  const copy = `${formatExactBytes(bytesToCopy)} to copy in ${plural(blobsToCopy, 'blob')}`;
  return `Plan: ${plural(images, 'image')} of ${releaseSpan(figures.releases)}: ${copy}, ${formatExactBytes(bytesToMount)} to mount, ${formatExactBytes(bytesPresent)} already there`;
}

/** `v1.46.0_2026-05-12`, or `7 releases (v1.40.0_… to v1.46.0_…)`; the list is oldest first. */
export function releaseSpan(tags: readonly string[]): string {
  const [first, last] = [tags[0], tags.at(-1)];
  if (first === undefined || last === undefined) return 'no release';
  return tags.length === 1 ? first : `${tags.length} releases (${first} to ${last})`;
}
