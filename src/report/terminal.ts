import type {Log} from '../log.ts';
import {companions} from '../release/companions.ts';

import {barLine} from './bar.ts';
import {Board, type Screen} from './board.ts';
import {bytesChart, savedLine} from './chart.ts';
import {handOver} from './handover.ts';
import {helpFor} from './help.ts';
import {messageOf, safeLine, safeLines} from './lines.ts';
import {writeLockFile} from './lockfile.ts';
import {runReport} from './outputs.ts';
import {closingLine, type Standing, standingLine, startMeter} from './pace.ts';
import {planLine} from './plan-line.ts';
import type {RunRecord} from './record.ts';
import {Redactor} from './redact.ts';
import type {Reporter} from './reporter.ts';
import {resultTable} from './result-table.ts';
import {type Style, styleFor} from './style.ts';
import {circumstances, failures, hasFailed, totals, verdict} from './verdict.ts';

/** How a terminal is spoken to. */
export interface TerminalOptions {
  readonly stdout: Screen;
  readonly stderr: Screen;
  /** stdout carries one JSON document and nothing else; people read stderr. */
  readonly json: boolean;
  /** Whether what people read is a terminal: a bar that is redrawn, and colours. */
  readonly tty: boolean;
  /** Whether debug messages are shown. */
  readonly verbose: boolean;
  /** For NO_COLOR and TERM; the process's own when absent. */
  readonly env?: NodeJS.ProcessEnv;
  /** Decides on the end of support; the present when absent. */
  readonly now?: () => Date;
}

/** Lines every ten seconds where nobody can redraw; a bar ten times a second where somebody can. */
const lineEvery = 10_000;
const barEvery = 100;

/** The voice on a terminal. The exit code is the caller's. */
export function terminalReporter(options: TerminalOptions): Reporter {
  const {stdout, stderr, json, tty, verbose, env = process.env} = options;
  const now = options.now ?? (() => new Date());
  const redactor = new Redactor();
  const people = json ? stderr : stdout;
  const style = styleFor(tty, env);
  const columns = () => people.columns ?? 80;
  const board = new Board(people, tty);
  const print = (lines: readonly string[], screen = people) => {
    board.print(lines, screen);
  };
  const log = terminalLog(redactor, style, verbose, print, stderr);

  const attempt = async <T>(part: string, body: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await body();
    } catch (error) {
      log.warning(`${part} could not be written: ${messageOf(error)}`);
      return undefined;
    }
  };

  return {
    log,

    async group(title, body) {
      print([style.bold(`▸ ${safeLine(title, redactor)}`)]);
      return await body();
    },

    planned(figures) {
      log.info(planLine(figures));
    },

    progress(bytesToCopy) {
      const show = (standing: Standing) => {
        if (tty) board.pin(barLine(standing, columns(), style));
        else log.info(standingLine(standing));
      };
      return startMeter(bytesToCopy, tty ? barEvery : lineEvery, show, standing => {
        board.unpin();
        log.info(closingLine(standing));
      });
    },

    async finish(record) {
      const lockFile = await attempt('The lock file', () => writeLockFile(record));
      const next = await attempt('The hand-over', () => handOver(record, now(), companions));
      await attempt('The result', () => {
        print(resultLines(record, style, columns(), redactor));
        if (next) print(['', ...safeLines(next.text, redactor)]);
        if (lockFile !== undefined) print(['', ...safeLines(`Lock file: ${lockFile}`, redactor)]);
        print(['', verdictLine(record, style, redactor)]);
      });
      if (!json) return;
      await attempt('The JSON record', () => {
        const parts = {
          redactor,
          ...(lockFile !== undefined && {lockFile}),
          ...(next && {handOver: next.json})
        };
        stdout.write(`${JSON.stringify(runReport(record, parts))}\n`);
      });
    }
  };
}

function resultLines(
  record: RunRecord,
  style: Style,
  columns: number,
  redactor: Redactor
): string[] {
  const safe = (text: string) => safeLine(text, redactor, 2000);
  const moved = totals(record.releases.flatMap(({images}) => images));
  const chart = bytesChart(moved, Math.max(8, Math.min(32, columns - 40)));
  const failed = failures(record).flatMap(({release, image, error}) => {
    const name = image === undefined ? 'the run' : `${image} of ${release ?? 'no release'}`;
    const facts = circumstances(error);
    const help = helpFor(error);
    return [
      `${style.red('✗')} ${style.bold(safe(name))}: ${safe(error.message)}`,
      ...(facts.length === 0 ? [] : [`  ${safe(facts.join(', '))}`]),
      ...(error.advice === undefined ? [] : [`  ${safe(error.advice)}`]),
      ...(help === undefined ? [] : [`  See ${help}`])
    ];
  });
  return [
    ...record.releases.flatMap(release => ['', ...resultTable(release, columns, style, redactor)]),
    ...(chart.length === 0
      ? []
      : ['', ...chart.map(line => `  ${line}`), `  ${savedLine(moved, record.dryRun)}`]),
    ...(failed.length === 0 ? [] : ['', ...failed])
  ];
}

function verdictLine(record: RunRecord, style: Style, redactor: Redactor): string {
  const line = safeLine(verdict(record).sentence, redactor, 2000);
  return hasFailed(record) ? style.red(style.bold(line)) : style.green(style.bold(line));
}

function terminalLog(
  redactor: Redactor,
  style: Style,
  verbose: boolean,
  print: (lines: readonly string[], screen?: Screen) => void,
  stderr: Screen
): Log {
  const safe = (message: string) => safeLines(message, redactor);
  return {
    debug: message => {
      if (verbose) print(safe(message).map(style.dim), stderr);
    },
    info: message => {
      print(safe(message));
    },
    notice: message => {
      print(safe(`Note: ${message}`).map(style.cyan));
    },
    warning: message => {
      print(safe(`Warning: ${message}`).map(style.yellow), stderr);
    },
    secret: value => {
      redactor.add(value);
    }
  };
}
