import type {ImageResult, ImageStatus, ReleaseResult} from '../mirror/result.ts';

import {formatBytes} from './bytes.ts';
import {fateMark} from './fate.ts';
import {plural, safeLine} from './lines.ts';
import type {Window} from './result-lines.ts';
import type {Style} from './style.ts';

/**
 * The images of a release as lines of a terminal: name, size, how the bytes came, status. Columns in
 * which there is nothing are left out, and what was already there where there is no room for it.
 */
export function resultTable(
  release: ReleaseResult,
  {columns, style, redactor, shape}: Window
): string[] {
  const {tag, targetTag, images, missing} = release;
  const safe = (text: string) => safeLine(text, redactor, 140);
  const renamed = targetTag === tag ? '' : ` as ${safe(targetTag)}`;
  const figures = figuresOf(images, columns);
  // Indent and status take twelve columns, each figure ten.
  const widest = Math.max(16, columns - 14 - 10 * figures.length);
  const names = images.map(({name}) => fit(safe(name), widest));
  const count = plural(images.length, 'image');
  const width = Math.max(count.length, ...names.map(name => name.length));
  const line = (name: string, cells: readonly string[], status: string) =>
    ['', name.padEnd(width), ...cells.map(cell => cell.padStart(8)), status].join('  ').trimEnd();
  const sums = figures.map(({of}) => amount(images.reduce((sum, image) => sum + of(image), 0)));
  return [
    style.bold(`${safe(tag)}${renamed}`),
    ...(images.length === 0
      ? []
      : [
          style.dim(
            line(
              'image',
              figures.map(({head}) => head),
              'status'
            )
          )
        ]),
    ...images.map((image, i) => {
      const mark = safe(fateMark(image));
      const status = `${statusOf(image.status, style)}${mark === '' ? '' : `, ${mark}`}`;
      return line(
        names[i] ?? '',
        figures.map(({of}) => amount(of(image))),
        status
      );
    }),
    ...(images.length > 1 ? [style.dim(line(count, sums, ''))] : []),
    ...(missing.length === 0
      ? []
      : shape(`  not at the source: ${missing.map(safe).join(', ')}`).map(style.dim))
  ];
}

interface Figure {
  readonly head: string;
  readonly of: (image: ImageResult) => number;
}

function figuresOf(images: readonly ImageResult[], columns: number): readonly Figure[] {
  const all: readonly Figure[] = [
    {head: 'size', of: ({size}) => size},
    {head: 'copied', of: ({bytes}) => bytes.copied},
    {head: 'mounted', of: ({bytes}) => bytes.mounted},
    {head: 'there', of: ({bytes}) => bytes.present}
  ];
  const used = all.filter(({head, of}) => head === 'size' || images.some(image => of(image) > 0));
  // With names as long as the longest of a release.
  return used.slice(0, Math.max(1, Math.floor((columns - 14 - 33) / 10)));
}

function amount(bytes: number): string {
  return (bytes === 0 ? '-' : formatBytes(bytes)).padStart(8);
}

function statusOf(status: ImageStatus, style: Style): string {
  if (status === 'failed') return style.red('✗ failed');
  if (status === 'planned' || status === 'staged') return style.yellow(`• ${status}`);
  return style.green(`✓ ${status}`);
}

function fit(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 1)}…` : text;
}
