import {Refusal} from './error.ts';

/** The most bytes that one input may hold. */
export const mostBytes = 64 * 1024;

/** The items of a list that was given on one line, with commas between them, a line each. */
export function splitCommas(text: string): string {
  return text.replaceAll(',', '\n');
}

/** The most lines that a list may hold, empty ones and comments included. */
export const mostLines = 1000;

/**
 * The items of a list: one a line, or with commas between, which no name or tag can hold; blanks around
 * them taken off, empty lines and what follows a `#` (at the beginning or after a blank) left out. Windows
 * line ends and a byte-order mark do no harm.
 * @throws Refusal when there are more than `mostLines` lines
 */
export function readLines(text: string): readonly string[] {
  const lines = text.replace(/^\ufeff/, '').split(/\r\n|\r|\n/);
  if (lines.length > mostLines) {
    throw new Refusal(`has ${lines.length} lines; at most ${mostLines} are read`);
  }
  return lines
    .flatMap(line => line.replace(/(?:^|\s)#.*$/, '').split(','))
    .map(item => item.trim())
    .filter(item => item !== '');
}
