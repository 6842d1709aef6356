import * as core from '@actions/core';

import type {Log} from '../log.ts';
import {companions} from '../release/companions.ts';

import {annotations} from './annotations.ts';
import {Groups} from './groups.ts';
import {handOver} from './handover.ts';
import {safeLine, safeLines} from './lines.ts';
import {keepLockFile} from './lockfile.ts';
import {outputs} from './outputs.ts';
import {closingLine, standingLine, startMeter} from './pace.ts';
import {planLine} from './plan-line.ts';
import type {RunRecord} from './record.ts';
import {Redactor} from './redact.ts';
import type {Reporter} from './reporter.ts';
import {summary} from './summary.ts';
import {attempting, failUnwritten} from './unwritten.ts';
import {verdict} from './verdict.ts';

/** A progress line in the log every so many milliseconds. */
const progressEvery = 10_000;

/**
 * The voice of a workflow step. Every line is disarmed and without secrets; `finish` sets the
 * outputs, annotations, summary and lock file, each on its own: one that fails never keeps the others
 * back. Without its outputs, or a lock file that was asked for, the run has failed; else it is a
 * warning. The exit code is the caller's.
 * @param env where GITHUB_STEP_SUMMARY may be missing, as on an old server or at home
 */
export function actionsReporter(
  env: NodeJS.ProcessEnv,
  now: () => Date = () => new Date()
): Reporter {
  const redactor = new Redactor();
  const groups = new Groups();
  const log = stepLog(redactor, () => {
    groups.open();
  });

  const attempt = attempting(log);

  return {
    log,

    async group(title, body) {
      return await groups.run(safeLine(title, redactor), body);
    },

    planned(figures) {
      // A group is folded, and this line is for everybody.
      groups.after(() => {
        log.info(planLine(figures));
      });
    },

    progress(bytesToCopy) {
      return startMeter(
        bytesToCopy,
        progressEvery,
        standing => {
          log.info(standingLine(standing));
        },
        standing => {
          log.info(closingLine(standing));
        }
      );
    },

    async finish(given) {
      const kept = await keepLockFile(given, log);
      const next = await attempt('The hand-over', () => handOver(kept.record, now(), companions));
      const record = setOutputs(kept.record, log, {
        redactor,
        ...(kept.lockFile !== undefined && {lockFile: kept.lockFile}),
        ...(next && {handOver: next.json})
      });
      await attempt('The annotations', () => {
        annotate(record, redactor, log);
        for (const warning of next?.json.warnings ?? []) log.warning(warning);
      });
      await attempt('The job summary', async () => {
        if ((env.GITHUB_STEP_SUMMARY ?? '') === '') return;
        await core.summary.addRaw(summary(record, redactor, next)).write();
      });
      return record;
    }
  };
}

/**
 * Sets the outputs. Later steps go by them, and one that is not set reads as empty: where that fails, the
 * run has failed.
 */
function setOutputs(record: RunRecord, log: Log, parts: Parameters<typeof outputs>[1]): RunRecord {
  try {
    for (const [name, value] of outputs(record, parts)) core.setOutput(name, value);
    return record;
  } catch (error) {
    const advice =
      'Make room where the runner keeps its files, and run again: what is mirrored stays.';
    return failUnwritten(record, log, {part: 'outputs', error, advice});
  }
}

function annotate(record: RunRecord, redactor: Redactor, log: Log): void {
  log.info(verdict(record).sentence);
  for (const {title, message} of annotations(record, redactor)) core.error(message, {title});
}

/** @param before - called before anything is written that may be seen */
function stepLog(redactor: Redactor, before: () => void): Log {
  const safe = (message: string) => safeLines(message, redactor).join('\n');
  return {
    debug: message => {
      core.debug(safe(message));
    },
    info: message => {
      before();
      core.info(safe(message));
    },
    notice: message => {
      before();
      core.notice(safe(message));
    },
    warning: message => {
      before();
      core.warning(safe(message));
    },
    secret: value => {
      if (value === '') return;
      redactor.add(value);
      core.setSecret(value);
    }
  };
}
