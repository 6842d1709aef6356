import {byCause, imagesFirst, splitRequest} from './causes.ts';
import {helpFor} from './help.ts';
import {plural, safeLine} from './lines.ts';
import type {RunRecord} from './record.ts';
import type {Redactor} from './redact.ts';
import {circumstances, failures, stopped} from './verdict.ts';

/** A step shows so many annotations of a kind; the runner keeps no more. */
export const mostAnnotations = 10;

/** An annotation: one line each. */
export interface Annotation {
  readonly title: string;
  readonly message: string;
}

/**
 * An annotation for each cause of failures. Where there are more than the runner keeps, the last one
 * counts the rest.
 */
export function annotations(record: RunRecord, redactor: Redactor): Annotation[] {
  const all = byCause(imagesFirst(failures(record)));
  const shown = all.length > mostAnnotations ? all.slice(0, mostAnnotations - 1) : all;
  // The run's own failure may be among them, and is no image.
  const rest = all
    .slice(shown.length)
    .flat()
    .filter(({image}) => image !== undefined).length;
  return [
    ...shown.map(([{release, image, error}, ...others]) => {
      const {answer, request} = splitRequest(error.message);
      const facts = [...(request === undefined ? [] : [request]), ...circumstances(error)];
      const parts = [
        facts.length === 0
          ? stopped(answer)
          : `${answer.replace(/\.$/, '')} (${facts.join(', ')}).`,
        ...(error.advice === undefined ? [] : [error.advice])
      ];
      const help = helpFor(error);
      const more = others.length === 0 ? '' : ` and ${plural(others.length, 'more image')}`;
      const title =
        image === undefined ? 'Mirror' : `${image} of ${release ?? 'no release'}${more}`;
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
