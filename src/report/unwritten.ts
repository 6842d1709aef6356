import type {Log} from '../log.ts';
import {clean} from '../oci/clean.ts';
import {messageOf} from './lines.ts';
import type {RunRecord} from './record.ts';

/**
 * The record of a run whose report lacks what others go by: it has failed for that, unless it had failed
 * before, which must not be hidden; then it is a warning.
 * @param part such as `outputs`
 * @param advice what makes it work the next time
 */
export function failUnwritten(
  record: RunRecord,
  log: Log,
  {part, error, advice}: {readonly part: string; readonly error: unknown; readonly advice: string}
): RunRecord {
  const reason = messageOf(error);
  if (record.failure !== undefined) {
    log.warning(`The ${part} could not be written: ${reason}`);
    return record;
  }
  const message = `the ${part} could not be written: ${clean(reason, 300)}`;
  return {...record, failure: {message, advice, kind: 'ReportError'}};
}

/**
 * Writes parts of a report of which none is worth the run: what goes wrong with one is a warning.
 * @returns what it wrote, as `body` hands it back; undefined where it could not
 */
export function attempting(
  log: Log
): <T>(part: string, body: () => T | Promise<T>) => Promise<T | undefined> {
  return async (part, body) => {
    try {
      return await body();
    } catch (error) {
      log.warning(`${part} could not be written: ${messageOf(error)}`);
      return undefined;
    }
  };
}
