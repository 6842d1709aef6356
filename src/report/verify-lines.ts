import type {ImageFailure} from '../mirror/result.ts';
import type {VerifiedImage} from '../mirror/verify.ts';

import {formatBytes} from './bytes.ts';
import {helpFor, helpOn} from './help.ts';
import {safeLine} from './lines.ts';
import type {Window} from './result-lines.ts';
import {type Verification, type VerifiedRelease, verifyVerdict} from './verification.ts';
import {circumstances} from './verdict.ts';

/**
 * What a verification compared, as lines for people: what is not as it should be first, then what is.
 * Digests are whole where there is room for them.
 */
export function comparedLines(found: Verification, window: Window): string[] {
  return found.releases.flatMap(release => releaseLines(release, window));
}

/** What a verification came to, as lines for people: why it ended early, and the verdict as the last line. */
export function judgedLines(found: Verification, window: Window): string[] {
  const {style, shape} = window;
  const {outcome, sentence} = verifyVerdict(found);
  const good = outcome === 'whole';
  const last = shape(say(`${good ? '✓' : '✗'} ${sentence}`, window));
  return [
    ...(found.failure === undefined ? [] : failureLines(found.failure, window)),
    '',
    ...(outcome === 'different' ? [`See ${helpOn('Difference')}`] : []),
    ...last.map(line => style.bold(good ? style.green(line) : style.red(line)))
  ];
}

function releaseLines(
  {tag, targetTag, images, missing}: VerifiedRelease,
  window: Window
): readonly string[] {
  const {style, shape} = window;
  const name = targetTag === tag ? tag : `${tag} as ${targetTag}`;
  const different = images.flatMap(image =>
    image.differences.map(({message}) => `  ✗ ${image.name}: ${message}`)
  );
  return [
    '',
    ...shape(say(name, window)).map(style.bold),
    ...different.flatMap(line => shape(say(line, window))).map(style.red),
    ...wholeLines(
      images.filter(({differences}) => differences.length === 0),
      window
    ),
    ...(missing.length === 0
      ? []
      : shape(say(`  not at the source: ${missing.join(', ')}`, window)).map(style.dim))
  ];
}

/** The images in which nothing is wrong, as a table. */
function wholeLines(images: readonly VerifiedImage[], window: Window): readonly string[] {
  if (images.length === 0) return [];
  const {columns, style, redactor} = window;
  const rows = images.map(({name, checked, digest = ''}) => [
    safeLine(name, redactor, 140),
    String(checked.manifests),
    String(checked.blobs),
    formatBytes(checked.bytes),
    digest
  ]);
  const table = [['image', 'manifests', 'blobs', 'size', 'digest'], ...rows];
  const widths = [0, 1, 2, 3].map(column =>
    Math.max(...table.map(row => row[column]?.length ?? 0))
  );
  const lines = table.map(row => {
    const cells = row
      .slice(0, 4)
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)));
    const line = [...cells, row[4] ?? ''].join('  ');
    // Two columns of indent, two of the mark, and the last one stays free.
    return line.length > columns - 5 ? `${line.slice(0, columns - 6)}…` : line;
  });
  const [head = '', ...body] = lines;
  return [style.dim(`    ${head}`), ...body.map(line => `  ${style.green('✓')} ${line}`)];
}

function failureLines(failure: ImageFailure, window: Window): readonly string[] {
  const {style, shape} = window;
  const facts = circumstances(failure);
  const help = helpFor(failure);
  return [
    '',
    ...shape(say(`✗ ${failure.message}`, window)).map(style.red),
    ...(facts.length === 0 ? [] : shape(say(`  ${facts.join(', ')}`, window))),
    ...(failure.advice === undefined
      ? []
      : shape(say(`  ${failure.advice}`, window)).map(style.bold)),
    ...(help === undefined ? [] : [`  See ${help}`])
  ];
}

/** A safe line that keeps its indentation. */
function say(text: string, {redactor}: Window): string {
  const indent = /^ */.exec(text)?.[0] ?? '';
  return indent + safeLine(text.slice(indent.length), redactor, 2000);
}
