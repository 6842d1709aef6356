import type {Log} from '../log.ts';
import {companions} from '../release/companions.ts';

import {barLine} from './bar.ts';
import {Board, type Screen} from './board.ts';
import {handOver} from './handover.ts';
import {safeLine, safeLines} from './lines.ts';
import {keepLockFile} from './lockfile.ts';
import {runReport} from './outputs.ts';
import {closingLine, type Standing, standingLine, startMeter} from './pace.ts';
import {planLine} from './plan-line.ts';
import {Redactor} from './redact.ts';
import type {Reporter} from './reporter.ts';
import {failedLines, resultLines, verdictLines, type Window} from './result-lines.ts';
import {type Style, styleFor} from './style.ts';
import {attempting} from './unwritten.ts';
import {hasFailed} from './verdict.ts';
import {type Verification, verifyVerdict} from './verification.ts';
import {comparedLines, judgedLines} from './verify-lines.ts';
import {wrap} from './wrap.ts';

/** How a terminal is spoken to. */
export interface TerminalOptions {
  readonly stdout: Screen;
  readonly stderr: Screen;
  /** stdout carries one JSON document and nothing else; people read stderr. */
  readonly json: boolean;
  /** Whether what people read is a terminal: a bar that is redrawn, and colours, unless it is a dumb one. */
  readonly tty: boolean;
  /** Whether debug messages are shown. */
  readonly verbose: boolean;
  /** Whether what is there to keep and to paste (lock file, hand-over) is told; told when absent. */
  readonly keep?: boolean;
  /** For NO_COLOR and TERM; the process's own when absent. */
  readonly env?: NodeJS.ProcessEnv;
  /** Decides on the end of support; the present when absent. */
  readonly now?: () => Date;
}

/** Lines every ten seconds where nobody can redraw; a bar ten times a second where somebody can. */
const lineEvery = 10_000;
const barEvery = 100;

/** A reporter that can tell a verification too. */
export interface TerminalReporter extends Reporter {
  /** Tells what a verification found out; as JSON it is the caller's. */
  verified(found: Verification): void;
}

/** The voice on a terminal. The exit code is the caller's. */
export function terminalReporter(options: TerminalOptions): TerminalReporter {
  const {stdout, stderr, json, tty, verbose, keep = true, env = process.env} = options;
  const now = options.now ?? (() => new Date());
  const redactor = new Redactor();
  const people = json ? stderr : stdout;
  // Where nobody looks through a window, standard output may be a file, and failures must be seen.
  const aside = tty ? people : stderr;
  const style = styleFor(tty, env);
  // A terminal that does not know its width says 0.
  const columns = () => Math.max(0, people.columns ?? 0) || 80;
  // A dumb terminal takes what moves its cursor for text.
  const redraws = tty && env.TERM !== 'dumb';
  const board = new Board(people, redraws);
  const print = (lines: readonly string[], screen = people) => {
    if (lines.length > 0) board.print(lines, screen);
  };
  let depth = 0;
  /** As wide as the window, if there is one; what stands in a group is indented. */
  const shape = (line: string) => {
    const indented = '  '.repeat(depth) + line;
    return tty ? wrap(indented, columns() - 1) : [indented];
  };
  const log = terminalLog({
    lines: message => safeLines(message, redactor).flatMap(shape),
    secret: value => {
      redactor.add(value);
    },
    ...{style, verbose, print, stderr}
  });

  const view = (): Window => ({columns: columns(), style, redactor, shape});

  const attempt = attempting(log);

  return {
    log,

    verified(found) {
      // Where nobody looks through a window, digests are whole.
      const window = {...view(), ...(!tty && {columns: Infinity})};
      print(comparedLines(found, window));
      const good = verifyVerdict(found).outcome === 'whole';
      print(judgedLines(found, window), good ? people : aside);
    },

    async group(title, body) {
      print(shape(`▸ ${safeLine(title, redactor)}`).map(style.bold));
      depth++;
      try {
        return await body();
      } finally {
        depth--;
      }
    },

    planned(figures) {
      log.info(planLine(figures));
    },

    progress(bytesToCopy) {
      const show = (standing: Standing) => {
        if (redraws) board.pin(barLine(standing, columns(), style));
        else log.info(standingLine(standing));
      };
      return startMeter(bytesToCopy, redraws ? barEvery : lineEvery, show, standing => {
        board.unpin();
        log.info(closingLine(standing));
      });
    },

    async finish(given) {
      const {record, lockFile} = await keepLockFile(given, log);
      const next = await attempt('The hand-over', () => handOver(record, now(), companions));
      await attempt('The result', () => {
        const window = view();
        print(resultLines(record, window));
        print(failedLines(record, window), aside);
        if (next && keep) {
          // What is to be pasted is indented, and stays as it is.
          const lines = safeLines(next.text, redactor);
          print(['', ...lines.flatMap(line => (line.startsWith(' ') ? [line] : shape(line)))]);
        }
        if (lockFile !== undefined && keep) {
          print(['', ...safeLines(`Lock file: ${lockFile}`, redactor)]);
        }
        print(['', ...verdictLines(record, window)], hasFailed(record) ? aside : people);
      });
      if (json) {
        await attempt('The JSON record', () => {
          const parts = {
            redactor,
            ...(lockFile !== undefined && {lockFile}),
            ...(next && {handOver: next.json})
          };
          stdout.write(`${JSON.stringify(runReport(record, parts))}\n`);
        });
      }
      return record;
    }
  };
}

/** What the log of a terminal is made of. */
interface Parts {
  /** A message as safe lines, as they are to stand there. */
  readonly lines: (message: string) => string[];
  readonly secret: (value: string) => void;
  readonly style: Style;
  readonly verbose: boolean;
  readonly print: (lines: readonly string[], screen?: Screen) => void;
  readonly stderr: Screen;
}

function terminalLog({lines, secret, style, verbose, print, stderr}: Parts): Log {
  return {
    debug: message => {
      if (verbose) print(lines(message).map(style.dim), stderr);
    },
    info: message => {
      print(lines(message));
    },
    notice: message => {
      print(lines(`Note: ${message}`).map(style.cyan));
    },
    warning: message => {
      print(lines(`Warning: ${message}`).map(style.yellow), stderr);
    },
    secret
  };
}
