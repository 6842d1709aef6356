import {hexOf} from '../oci/digest.ts';
import type {ImageResult, ImageStatus, ReleaseResult} from '../mirror/result.ts';

import {formatBytes} from './bytes.ts';
import {bytesChart, savedLine} from './chart.ts';
import {formatDuration} from './duration.ts';
import {fateMark} from './fate.ts';
import type {HandOverTexts} from './handover.ts';
import {helpFor} from './help.ts';
import {plural} from './lines.ts';
import {code, details, escapeMarkdown, fence, table} from './markdown.ts';
import type {RunRecord} from './record.ts';
import type {Redactor} from './redact.ts';
import {type Failed, type Outcome, failures, totals, verdict} from './verdict.ts';

/**
 * What GitHub takes as the summary of one step, in bytes; a longer one is not shown at all. A little
 * is kept free.
 * @see https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands#adding-a-job-summary
 */
export const largestSummary = 1024 * 1024 - 16 * 1024;

/** So many failures are told one by one. */
const mostFailures = 50;

const signs: Readonly<Record<Outcome, string>> = {
  failed: '❌',
  mirrored: '✅',
  repaired: '✅',
  complete: '✅',
  planned: '📋',
  staged: '📦',
  nothing: '✅'
};

const statusSigns: Readonly<Record<ImageStatus, string>> = {
  copied: '✅ copied',
  present: '✅ present',
  planned: '📋 planned',
  staged: '📦 staged',
  failed: '❌ failed'
};

/**
 * The job summary in Markdown: what happened, failures first, the images, the bytes, the hand-over.
 * Foreign text is escaped, secrets are out. Never longer than `limit` bytes: what does not fit is
 * left out, oldest release first, and a note says so.
 */
export function summary(
  record: RunRecord,
  redactor: Redactor,
  handOver: HandOverTexts | undefined,
  limit = largestSummary
): string {
  const {outcome, sentence} = verdict(record);
  const say = (text: string) => escapeMarkdown(redactor.redact(text), 2000);
  const failed = failures(record);
  const head = [
    '## Azure Arc-enabled data services: mirror',
    `${signs[outcome]} **${say(sentence)}**`,
    ...(failed.length === 0 ? [] : [failureList(failed, redactor)])
  ];
  const tail = [
    ...chartOf(record),
    ...(handOver === undefined
      ? []
      : [details('<b>Hand-over</b>: what to paste', redactor.redact(handOver.markdown), true)]),
    `<sub>${footer(record)}</sub>`
  ];
  const sections = [...record.releases]
    .reverse()
    .map((release, i) => releaseSection(release, redactor, i === 0, record.releases.length > 1));

  const kept: string[] = [];
  // Each part is followed by an empty line; the note takes the last 300 bytes.
  let room = limit - 300 - size([...head, ...tail]);
  for (const section of sections) {
    room -= size([section]);
    if (room < 0) break;
    kept.push(section);
  }
  const cut = sections.length - kept.length;
  const note =
    cut === 0
      ? []
      : [
          `_${plural(cut, 'older release')} left out here, since a summary may not be longer; the lock file and the output \`images\` have them all._`
        ];
  return `${[...head, ...kept, ...note, ...tail].join('\n\n')}\n`;
}

function size(parts: readonly string[]): number {
  return parts.reduce((sum, part) => sum + Buffer.byteLength(part) + 2, 0);
}

function failureList(failed: readonly Failed[], redactor: Redactor): string {
  const items = failed.slice(0, mostFailures).map(({release, image, error}) => {
    const value = (text: string, limit = 300) => code(redactor.redact(text), limit);
    const say = (text: string) => escapeMarkdown(redactor.redact(text));
    const name = image === undefined ? 'The run' : value(image, 120);
    const help = helpFor(error);
    const of = release === undefined ? '' : ` of ${value(release, 140)}`;
    const facts = [
      ...(error.host === undefined ? [] : [`host ${value(error.host)}`]),
      ...(error.repository === undefined ? [] : [`repository ${value(error.repository)}`]),
      ...(error.digest === undefined ? [] : [`digest ${value(error.digest)}`]),
      ...(error.status === undefined ? [] : [`status ${error.status}`]),
      ...(error.attempts === undefined ? [] : [plural(error.attempts, 'attempt')])
    ];
    return [
      `- **${name}**${of}: ${say(error.message)}`,
      ...(facts.length === 0 ? [] : [`  <br>${facts.join(', ')}`]),
      ...(error.advice === undefined ? [] : [`  <br>**What to do:** ${say(error.advice)}`]),
      ...(help === undefined ? [] : [`  <br>[More about this failure](${help})`])
    ].join('\n');
  });
  const rest = failed.length - items.length;
  const more = rest > 0 ? [`- … and ${rest} more`] : [];
  return ['### What failed', '', ...items, ...more].join('\n');
}

function releaseSection(
  release: ReleaseResult,
  redactor: Redactor,
  newest: boolean,
  several: boolean
): string {
  const {tag, targetTag, images, missing} = release;
  const name = (text: string) => code(redactor.redact(text), 140);
  const renamed = targetTag === tag ? '' : ` as ${name(targetTag)}`;
  const heading = `<b>${name(tag)}</b>${renamed}: ${plural(images.length, 'image')}, ${fateOf(release)}`;
  const order = [...images].sort(failedFirst);
  const rows = order.map(image => rowOf(image, name));
  const head = ['Image', 'Digest', 'Size', 'Copied', 'Mounted', 'Already there', 'Time', 'Result'];
  const lost =
    missing.length === 0
      ? []
      : [`Not at the source under this tag: ${missing.map(name).join(', ')}.`];
  const body = [...(rows.length === 0 ? [] : [table(head, rows, new Set([0, 1, 7]))]), ...lost];
  if (body.length === 0) body.push('No image was reached.');
  return several
    ? details(heading, body.join('\n\n'), newest)
    : `### ${heading}\n\n${body.join('\n\n')}`;
}

function fateOf({published, changed, images}: ReleaseResult): string {
  if (published) return changed ? 'published' : 'already published';
  if (images.some(({status}) => status === 'failed')) return 'not published';
  if (images.some(({status}) => status === 'planned')) return 'planned';
  return images.some(({status}) => status === 'staged') ? 'staged, not tagged' : 'not published';
}

function failedFirst(a: ImageResult, b: ImageResult): number {
  return Number(b.status === 'failed') - Number(a.status === 'failed');
}

function rowOf(image: ImageResult, name: (text: string) => string): string[] {
  const {digest, size, bytes, milliseconds, status} = image;
  const some = (value: number) => (value === 0 ? '' : formatBytes(value));
  const mark = fateMark(image);
  return [
    name(image.name),
    digest === undefined ? '' : code(hexOf(digest).slice(0, 12)),
    some(size),
    some(bytes.copied),
    some(bytes.mounted),
    some(bytes.present),
    milliseconds === 0 ? '' : formatDuration(milliseconds),
    statusSigns[status] + (mark === '' ? '' : `<br>${escapeMarkdown(mark)}`)
  ];
}

function chartOf(record: RunRecord): string[] {
  const moved = totals(record.releases.flatMap(({images}) => images));
  const bars = bytesChart(moved);
  if (bars.length === 0) return [];
  return [`**Bytes:** ${savedLine(moved, record.dryRun)}.`, fence(bars)];
}

function footer({startedAt, finishedAt, engine, requests, peakMemory}: RunRecord): string {
  const time = formatDuration(finishedAt.getTime() - startedAt.getTime());
  return `${time}; engine ${engine}; ${plural(requests.source, 'request')} to the source, ${requests.target} to the target; ${formatBytes(peakMemory)} of memory at most`;
}
