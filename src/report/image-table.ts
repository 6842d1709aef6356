import {hexOf} from '../oci/digest.ts';
import type {ImageResult, ImageStatus, Moved, ReleaseResult} from '../mirror/result.ts';

import {formatBytes} from './bytes.ts';
import {formatDuration} from './duration.ts';
import {fateMark} from './fate.ts';
import {plural} from './lines.ts';
import {code, type Column, escapeMarkdown, table, unbroken} from './markdown.ts';
import type {Redactor} from './redact.ts';
import {totals} from './verdict.ts';

const statusSigns: Readonly<Record<ImageStatus, string>> = {
  copied: '✅',
  present: '✅',
  planned: '📋',
  staged: '📦',
  failed: '❌'
};

/** What became of a release as a whole, in Markdown: `✅ published`. */
export function releaseFate({published, changed, images}: ReleaseResult): string {
  if (published) return `✅ ${changed ? 'published' : 'already published'}`;
  if (images.some(({status}) => status === 'failed')) return '❌ not published';
  if (images.some(({status}) => status === 'planned')) return '📋 planned';
  if (images.some(({status}) => status === 'staged')) return '📦 staged, not tagged';
  return '❌ not published';
}

/** The images of a release as a table in Markdown, those that failed first. Empty when there are none. */
export function imageTable(images: readonly ImageResult[], redactor: Redactor): string {
  if (images.length === 0) return '';
  const order = [...images].sort(failedFirst);
  const columns: readonly Column<ImageResult>[] = [
    {
      head: 'Image',
      cell: ({name}) => code(redactor.redact(name), 140),
      total: images.length === 1 ? '' : total(plural(images.length, 'image'))
    },
    {head: 'Result', cell: result},
    {
      head: 'Digest',
      cell: ({digest}) => (digest === undefined ? '' : code(hexOf(digest).slice(0, 12)))
    },
    ...byteColumns(images),
    {
      head: 'Time',
      cell: ({milliseconds}) => (milliseconds === 0 ? '' : unbroken(formatDuration(milliseconds))),
      figures: true
    }
  ];
  return table(order, columns);
}

/** Several releases as a table in Markdown, in the order given. */
export function releaseTable(releases: readonly ReleaseResult[], redactor: Redactor): string {
  const sums = new Map(releases.map(({tag, images}) => [tag, sumOf(images)]));
  const all = releases.flatMap(({images}) => images);
  const columns: readonly Column<Sum & {readonly release: ReleaseResult}>[] = [
    {
      head: 'Release',
      cell: ({release}) => releaseName(release, redactor),
      total: total(plural(releases.length, 'release'))
    },
    {head: 'Result', cell: ({release}) => unbroken(releaseFate(release))},
    {
      head: 'Images',
      cell: ({release}) => String(release.images.length),
      total: total(String(all.length)),
      figures: true
    },
    ...byteColumns([...sums.values()])
  ];
  return table(
    releases.map(release => ({...sumOf(release.images), release})),
    columns
  );
}

/** A release by its tag, and by that at the target where it is another one. */
export function releaseName({tag, targetTag}: ReleaseResult, redactor: Redactor): string {
  const name = (text: string) => code(redactor.redact(text), 140);
  return targetTag === tag ? name(tag) : `${name(tag)} as ${name(targetTag)}`;
}

interface Sum {
  readonly size: number;
  readonly bytes: Moved;
}

function sumOf(images: readonly ImageResult[]): Sum {
  return {size: images.reduce((sum, {size}) => sum + size, 0), bytes: totals(images)};
}

function byteColumns(rows: readonly Sum[]): readonly Column<Sum>[] {
  const figures: readonly [string, (row: Sum) => number][] = [
    ['Size', ({size}) => size],
    ['Copied', ({bytes}) => bytes.copied],
    ['Mounted', ({bytes}) => bytes.mounted],
    ['Already there', ({bytes}) => bytes.present]
  ];
  return figures.map(([head, value]) => ({
    head,
    cell: row => some(value(row)),
    total: rows.length === 1 ? '' : total(some(rows.reduce((sum, row) => sum + value(row), 0))),
    figures: true
  }));
}

function some(bytes: number): string {
  return bytes === 0 ? '' : unbroken(formatBytes(bytes));
}

function total(text: string): string {
  return text === '' ? '' : `<b>${unbroken(text)}</b>`;
}

function result(image: ImageResult): string {
  const {status} = image;
  const mark = fateMark(image);
  return `${unbroken(`${statusSigns[status]} ${status}`)}${mark === '' ? '' : `<br>${escapeMarkdown(mark)}`}`;
}

function failedFirst(a: ImageResult, b: ImageResult): number {
  return Number(b.status === 'failed') - Number(a.status === 'failed');
}
