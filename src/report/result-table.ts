import type {ImageStatus, ReleaseResult} from '../mirror/result.ts';

import {formatBytes} from './bytes.ts';
import {fateMark} from './fate.ts';
import {plural, safeLine} from './lines.ts';
import type {Redactor} from './redact.ts';
import type {Style} from './style.ts';

/** The images of a release as lines of a terminal: name, size, what was copied and mounted, status. */
export function resultTable(
  {tag, targetTag, images, missing}: ReleaseResult,
  columns: number,
  style: Style,
  redactor: Redactor
): string[] {
  const safe = (text: string) => safeLine(text, redactor, 140);
  const renamed = targetTag === tag ? '' : ` as ${safe(targetTag)}`;
  // What stands behind the name takes forty-four columns.
  const widest = Math.max(16, columns - 46);
  const names = images.map(({name}) => fit(safe(name), widest));
  const width = Math.max(5, ...names.map(name => name.length));
  const head = `  ${'image'.padEnd(width)}  ${'size'.padStart(8)}  ${'copied'.padStart(8)}  ${'mounted'.padStart(8)}  status`;
  return [
    style.bold(`${safe(tag)}${renamed}`),
    ...(images.length === 0 ? [] : [style.dim(head)]),
    ...images.map((image, i) => {
      const name = (names[i] ?? '').padEnd(width);
      const {size, bytes, status} = image;
      const sizes = [size, bytes.copied, bytes.mounted].map(amount).join('  ');
      const mark = safe(fateMark(image));
      return `  ${name}  ${sizes}  ${statusOf(status, style)}${mark === '' ? '' : `, ${mark}`}`;
    }),
    ...(missing.length === 0
      ? []
      : [style.dim(`  not at the source: ${missing.map(safe).join(', ')}`)]),
    ...(images.length > 1 ? [style.dim(`  ${plural(images.length, 'image')}`)] : [])
  ];
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
