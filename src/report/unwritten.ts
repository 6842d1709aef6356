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
