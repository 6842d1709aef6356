import {clean} from '../oci/clean.ts';

import type {Redactor} from './redact.ts';

/** No line of a log is longer, in characters. */
const longestLine = 8000;

/**
 * A message as lines that are safe to write: secrets are gone, nothing in them is a workflow
 * command, a control or an invisible character. Indentation by blanks stays.
 */
export function safeLines(message: string, redactor: Redactor): string[] {
  return redactor
    .redact(message)
    .split(/\r\n?|\n/)
    .map(line => {
      const indent = /^ */.exec(line)?.[0] ?? '';
      return indent + clean(line.slice(indent.length), longestLine);
    });
}

/** A text as one safe line of at most `limit` characters. */
export function safeLine(text: string, redactor: Redactor, limit?: number): string {
  return clean(redactor.redact(text), limit);
}

/** What an error of any make says. */
export function messageOf(error: unknown): string {
  const {message} = (error ?? {}) as {message?: unknown};
  return typeof message === 'string' && message !== '' ? message : String(error);
}

/** `1 image`, `20 images`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
