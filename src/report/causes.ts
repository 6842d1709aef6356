import type {Failed} from './verdict.ts';

/**
 * Failures by their cause: twenty images that the same answer has stopped are one group. The groups
 * come in the order of their first failures, and so do those within a group.
 */
export function byCause(failed: readonly Failed[]): (readonly [Failed, ...Failed[]])[] {
  const groups = new Map<string, [Failed, ...Failed[]]>();
  for (const one of failed) {
    const cause = causeOf(one);
    const group = groups.get(cause);
    if (group === undefined) groups.set(cause, [one]);
    else group.push(one);
  }
  return [...groups.values()];
}

/** The images first, the run's own failure last: it mostly says what follows from theirs. */
export function imagesFirst(failed: readonly Failed[]): Failed[] {
  return [
    ...failed.filter(({image}) => image !== undefined),
    ...failed.filter(({image}) => image === undefined)
  ];
}

/** What failures with the same cause have in common: all but which image, and which part of it. */
function causeOf({image, error}: Failed): string {
  const {message, advice, host, status} = error;
  const general = message
    .split(' ')
    .filter(word => !/\/|sha256:/.test(word) && word.replace(/[:,.]$/, '') !== image);
  return JSON.stringify([image === undefined, general, advice, host, status]);
}

/**
 * A message in two parts: what came of it, and the request that it may begin with, as in
 * `GET /v2/: example.com answers 401`.
 */
export function splitRequest(message: string): {
  readonly answer: string;
  readonly request?: string;
} {
  const [, request, answer] = /^([A-Z]{3,7} \/\S*): (.+)$/s.exec(message) ?? [];
  if (request === undefined || answer === undefined) return {answer: message};
  return {answer, request};
}
