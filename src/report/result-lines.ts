import {byCause, imagesFirst, splitRequest} from './causes.ts';
import {bytesChart, savedLine} from './chart.ts';
import {helpFor} from './help.ts';
import {plural, safeLine} from './lines.ts';
import type {RunRecord} from './record.ts';
import type {Redactor} from './redact.ts';
import {resultTable} from './result-table.ts';
import type {Style} from './style.ts';
import {circumstances, type Failed, failures, hasFailed, totals, verdict} from './verdict.ts';

/** Where lines are to be shown. */
export interface Window {
  readonly columns: number;
  readonly style: Style;
  readonly redactor: Redactor;
  /** A line as those that there is room for. */
  readonly shape: (line: string) => readonly string[];
}

/** The result of a run as lines for a terminal: the images, and how the bytes came. */
export function resultLines(record: RunRecord, window: Window): string[] {
  const {columns, style, shape} = window;
  const {releases, dryRun} = record;
  const moved = totals(releases.flatMap(({images}) => images));
  const chart = bytesChart(moved, columns - 3, style).map(line => `  ${line}`);
  return [
    ...releases.flatMap(release => ['', ...resultTable(release, window)]),
    ...(chart.length === 0 ? [] : ['', ...chart, ...shape(`  ${savedLine(moved, dryRun)}`)])
  ];
}

/** What failed in a run, as lines for a terminal. */
export function failedLines(record: RunRecord, window: Window): string[] {
  const failed = byCause(imagesFirst(failures(record)));
  const several = record.releases.length > 1;
  return [
    ...(failed.length === 0 ? [] : ['']),
    ...failed.flatMap(group => failureLines(group, several, window))
  ];
}

/** The one sentence that says what a run came to. */
export function verdictLines(record: RunRecord, {style, redactor, shape}: Window): string[] {
  const failed = hasFailed(record);
  const line = `${failed ? '✗' : '✓'} ${safeLine(verdict(record).sentence, redactor, 2000)}`;
  return shape(line).map(text => style.bold(failed ? style.red(text) : style.green(text)));
}

function failureLines(
  [first, ...others]: readonly [Failed, ...Failed[]],
  several: boolean,
  {style, redactor, shape}: Window
): string[] {
  const {error} = first;
  const name = ({release, image}: Failed) =>
    image === undefined ? 'the run' : several ? `${image} of ${release ?? 'no release'}` : image;
  const more = others.length === 0 ? '' : ` and ${plural(others.length, 'more image')}`;
  const help = helpFor(error);
  const {answer, request} = splitRequest(error.message);
  const facts = circumstances(error);
  const say = (text: string) => shape(`  ${safeLine(text, redactor, 2000)}`);
  const head = shape(safeLine(`✗ ${name(first)}${more}: ${answer}`, redactor, 2000));
  return [
    ...head.map((line, i) => style.red(i === 0 ? line : `  ${line}`)),
    ...(request === undefined ? [] : say(request)),
    ...(facts.length === 0 ? [] : say(facts.join(', '))),
    ...(others.length === 0 ? [] : say(`also ${others.map(name).join(', ')}`)),
    ...(error.advice === undefined ? [] : say(error.advice).map(style.bold)),
    // An address stays in one piece, however long.
    ...(help === undefined ? [] : [`  See ${help}`])
  ];
}
