import type {ReleaseResult} from '../mirror/result.ts';

import {formatBytes} from './bytes.ts';
import {bytesBar, savedLine} from './chart.ts';
import {formatDuration} from './duration.ts';
import {failureList} from './failure-list.ts';
import type {HandOverTexts} from './handover.ts';
import {imageTable, releaseFate, releaseName, releaseTable} from './image-table.ts';
import {plural} from './lines.ts';
import {code, details, escapeMarkdown} from './markdown.ts';
import type {RunRecord} from './record.ts';
import type {Redactor} from './redact.ts';
import {type Outcome, failures, totals, verdict} from './verdict.ts';

/**
 * What GitHub takes as the summary of one step, in bytes; a longer one is not shown at all. A little
 * is kept free.
 * @see https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands#adding-a-job-summary
 */
export const largestSummary = 1024 * 1024 - 16 * 1024;

/** So many releases, the newest, have a line in the table of releases. */
const mostReleases = 200;

const signs: Readonly<Record<Outcome, string>> = {
  failed: '❌',
  mirrored: '✅',
  repaired: '✅',
  complete: '✅',
  planned: '📋',
  staged: '📦',
  nothing: '✅'
};

/**
 * The job summary in Markdown: what happened, failures first, the bytes, the images, the hand-over.
 * Foreign text is escaped, secrets are out. Never longer than `limit` bytes: what does not fit is
 * left out, oldest release first, and a note says so.
 */
export function summary(
  record: RunRecord,
  redactor: Redactor,
  handOver: HandOverTexts | undefined,
  limit = largestSummary
): string {
  const {outcome, headline, notes} = verdict(record);
  const say = (text: string) => escapeMarkdown(redactor.redact(text), 2000);
  const failed = failures(record);
  const newestFirst = [...record.releases].reverse();
  const several = newestFirst.length > 1;
  const head = [
    `### ${signs[outcome]} ${say(headline)}`,
    ...(failed.length === 0 ? [] : [failureList(failed, several, redactor)]),
    ...bytesAndNotes(record, notes.map(say)),
    ...(handOver?.json.warnings ?? []).map(text => `> [!WARNING]\n> ${say(text)}`),
    ...(several ? [releaseTable(newestFirst.slice(0, mostReleases), redactor)] : [])
  ];
  const tail = [
    ...(handOver === undefined ? [] : [redactor.redact(handOver.markdown)]),
    `<sub>${footer(record)}</sub>`
  ];
  const sections = newestFirst.map(release => releaseSection(release, several, redactor));

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
          `_The images of ${plural(cut, 'older release')} are left out here, since a summary may not be longer; the lock file and the output \`images\` have them all._`
        ];
  return `${[...head, ...kept, ...note, ...tail].join('\n\n')}\n`;
}

/** The job summary of a step whose inputs are wrong: all mistakes, as they were told. */
export function mistakesSummary(message: string, help: string): string {
  const [headline = '', ...mistakes] = message.split('\n');
  const list = mistakes.map(line => `- ${escapeMarkdown(line.replace(/^- /, ''), 2000)}`);
  return [
    `### ${signs.failed} ${escapeMarkdown(headline, 2000)}`,
    `${list.join('\n')}\n  <br>[More about this failure](${help})\n`
  ].join('\n\n');
}

function size(parts: readonly string[]): number {
  return parts.reduce((sum, part) => sum + Buffer.byteLength(part) + 2, 0);
}

/** How the bytes came to the target, and what else there is to say, in one paragraph. */
function bytesAndNotes({releases, dryRun}: RunRecord, notes: readonly string[]): string[] {
  const moved = totals(releases.flatMap(({images}) => images));
  const bar = bytesBar(moved, dryRun);
  const sentences = [...(bar.length === 0 ? [] : [`${savedLine(moved, dryRun)}.`]), ...notes];
  if (sentences.length === 0) return [];
  return [[...bar, sentences.join(' ')].join('\n<br>')];
}

function releaseSection(release: ReleaseResult, several: boolean, redactor: Redactor): string {
  const {images, missing} = release;
  const fate = releaseFate(release);
  const lost = missing.map(name => code(redactor.redact(name), 140)).join(', ');
  const parts = [
    imageTable(images, redactor),
    ...(lost === '' ? [] : [`Not at the source under this tag: ${lost}.`])
  ].filter(part => part !== '');
  const body = parts.length === 0 ? 'No image was reached.' : parts.join('\n\n');
  const heading = `<b>${releaseName(release, redactor)}</b>: ${plural(images.length, 'image')}, ${fate}`;
  if (!several) return `#### ${heading}\n\n${body}`;
  return details(
    heading,
    body,
    images.some(({status}) => status === 'failed')
  );
}

function footer({startedAt, finishedAt, engine, requests, peakMemory}: RunRecord): string {
  const time = formatDuration(finishedAt.getTime() - startedAt.getTime());
  return `${time}; engine ${engine}; ${plural(requests.source, 'request')} to the source, ${requests.target} to the target; ${formatBytes(peakMemory)} of memory at most`;
}
