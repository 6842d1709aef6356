// C0, DEL and C1 controls, line and paragraph separators, soft hyphen, zero-width and bidirectional
// marks, byte-order mark, interlinear annotation and tag characters: what a terminal, a log or a
// reader could take for something else than text.
const unseen =
  // eslint-disable-next-line no-control-regex -- control characters are what this is about
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

/** What stands where text was cut short. */
export const ellipsis = '…';

/** The longest piece of foreign text that is ever shown, in characters. */
export const longestShown = 500;

/**
 * Makes text from outside (a registry, a child process, an input) fit to be shown: one line, no
 * control or invisible characters, nothing the runner would take for a workflow command, at most
 * `limit` characters. The first half of a secret that the cut leaves is found by `Redactor`.
 * @see https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
 */
export function clean(text: string, limit = longestShown): string {
  const line = disarm(text.replace(/\r\n?|\n|\t/g, ' ').replace(unseen, '?')).trim();
  return line.length > limit ? `${line.slice(0, limit - 1)}${ellipsis}` : line;
}

/**
 * A value of foreign JSON, to be shown where another one was wanted. What holds others is only named: it
 * may have a `toString` of its own, or be nested too deeply to be written out.
 */
export function cleanValue(value: unknown, limit?: number): string {
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' && value !== null ? 'an object' : clean(String(value), limit);
}

/**
 * Breaks both forms of workflow command: `::name::` where a line begins (the runner trims before it
 * looks), and `##[name]` anywhere.
 */
export function disarm(text: string): string {
  return text.replace(/^(\s*):(?=:)/gm, '$1: ').replaceAll('##[', '## [');
}
