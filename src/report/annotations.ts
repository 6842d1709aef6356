import {helpFor} from './help.ts';
import {plural, safeLine} from './lines.ts';
import type {RunRecord} from './record.ts';
import type {Redactor} from './redact.ts';
import {circumstances, failures} from './verdict.ts';

/** A step shows so many annotations of a kind; the runner keeps no more. */
export const mostAnnotations = 10;

/** An annotation: one line each. */
export interface Annotation {
  readonly title: string;
  readonly message: string;
}

/**
 * An annotation for each failure. Where there are more than the runner keeps, the last one counts
 * the rest.
 */
export function annotations(record: RunRecord, redactor: Redactor): Annotation[] {
  const all = failures(record);
  const shown = all.length > mostAnnotations ? all.slice(0, mostAnnotations - 1) : all;
  const rest = all.length - shown.length;
  return [
    ...shown.map(({release, image, error}) => {
      const facts = circumstances(error);
      const parts = [
        error.message,
        ...(facts.length === 0 ? [] : [`(${facts.join(', ')})`]),
        ...(error.advice === undefined ? [] : [error.advice])
      ];
      const help = helpFor(error);
      const title = image === undefined ? 'Mirror' : `${image} of ${release ?? 'no release'}`;
      return {
        title: safeLine(title, redactor, 200),
        message:
          safeLine(parts.join(' '), redactor, 2000) + (help === undefined ? '' : ` See ${help}`)
      };
    }),
    ...(rest === 0
      ? []
      : [
          {
            title: 'More failures',
            message: `${plural(rest, 'more image')} failed; the job summary and the output images name them.`
          }
        ])
  ];
}
