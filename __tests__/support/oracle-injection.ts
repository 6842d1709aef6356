import type {Log} from '../../src/log.ts';

import {parseCommand} from './runner.ts';

/** What a hostile registry, child process or input may say; each piece tries another way out. */
export const hostile = [
  'x\n::add-mask::a',
  'x\r\n  ::set-output name=digest::evil',
  '::stop-commands::token',
  '\u0085::set-output name=digest::evil',
  '\u2028::save-state name=a::evil',
  '\ufeff::add-path::/evil',
  'x ##[set-output name=digest]evil',
  '##[error]evil',
  '\u001b[2J\u001b]0;title\u0007',
  '\u009b31m',
  '\u202egpj.exe\u200b\u{e0041}',
  'release<<EOF\nv9.9.9\nEOF\nchanged=true',
  '|cell|`code`|<img src=x onerror=alert(1)>|</code></details>|[link](https://evil.example)|@everyone|$x$|',
  '```\n# heading\n```',
  '<!-- comment ',
  '%0A::error::evil%0D'
] as const;

/** All of it in one text. */
export const allHostile = hostile.join(' ');

/** Says the text at every level of a log. */
export function everyLevel(log: Log, text: string): void {
  log.debug(text);
  log.info(text);
  log.notice(text);
  log.warning(text);
}

/** The commands that a step of ours gives on purpose. */
const ours = new Set(['add-mask', 'debug', 'endgroup', 'error', 'group', 'notice', 'warning']);

/**
 * What in a step's whole output (stdout and stderr) should not be there: a foreign workflow command,
 * the older command form at all, an escape sequence, a lone CR, an invisible or control character.
 * An empty list is a pass. `masks` are the values that were really masked.
 */
export function logFindings(log: string, masks: readonly string[] = []): string[] {
  const findings: string[] = [];
  for (const line of log.split('\n')) {
    const shown = JSON.stringify(line.slice(0, 200));
    const command = parseCommand(line);
    if (command && (command.version === 1 || !ours.has(command.name))) {
      findings.push(`a foreign command: ${shown}`);
    }
    if (command?.name === 'add-mask' && !masks.includes(command.data)) {
      findings.push(`a foreign mask: ${shown}`);
    }
    if (/^\s*::(?!error|warning|notice|debug|group|endgroup|add-mask)/.test(line)) {
      findings.push(`the beginning of a command: ${shown}`);
    }
    if (line.includes('##[')) findings.push(`##[ in ${shown}`);
    findings.push(...textFindings(line));
    // A mask may be any text; it is not shown.
    if (command && command.name !== 'add-mask') {
      findings.push(...command.data.split('\n').flatMap(textFindings));
      findings.push(...Object.values(command.properties).flatMap(lineFindings));
      if (/^\s*::|##\[/m.test(command.data)) findings.push(`a command inside ${shown}`);
    }
  }
  return findings;
}

/** What is wrong in a text that should be one line: line breaks, and all of `textFindings`. */
export function lineFindings(text: string): string[] {
  return [...(text.includes('\n') ? ['a line break'] : []), ...textFindings(text)];
}

/** Characters that no text of ours has, line breaks apart. */
export function textFindings(text: string): string[] {
  const bad =
    // eslint-disable-next-line no-control-regex -- control characters are what is looked for
    /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/u.exec(
      text
    );
  return bad
    ? [`U+${(bad[0].codePointAt(0) ?? 0).toString(16)} in ${JSON.stringify(text.slice(0, 200))}`]
    : [];
}

/**
 * What in a Markdown summary should not be there: HTML other than our own tags, a code span or a
 * fence that foreign text opened, a link other than our own to the troubleshooting page, and all of
 * `textFindings`.
 */
export function summaryFindings(markdown: string): string[] {
  const findings = markdown.split('\n').flatMap(textFindings);
  // Inside a fence everything is text.
  const outside = markdown.replace(/^(`{3,})\w*\n[^]*?^\1$/gm, '');
  for (const [tag, name] of outside.matchAll(/<[/!?]?([a-z]*)[^>]*>?/gi)) {
    if (!/^<\/?(?:b|br|code|sub|summary|details(?: open)?)>$/.test(tag)) {
      findings.push(`the tag ${tag} (${name ?? ''})`);
    }
  }
  for (const name of ['details', 'summary', 'code', 'b', 'sub']) {
    const opened = outside.match(new RegExp(`<${name}(?: open)?>`, 'g'))?.length ?? 0;
    const closed = outside.match(new RegExp(`</${name}>`, 'g'))?.length ?? 0;
    if (opened !== closed) findings.push(`${opened} <${name}>, ${closed} </${name}>`);
  }
  // The whole of it is written in the code; foreign text cannot come in a line of its own.
  const ours =
    /^ {2}<br>\[More about this failure\]\(https:\/\/github\.com\/arcdata-mirror\/arcdata-mirror\/blob\/v1\/docs\/troubleshooting\.md(?:#[a-z-]+)?\)$/gm;
  if (/\]\(|https?:\/\/|www\./.test(outside.replace(ours, ''))) findings.push('a link');
  if (outside.includes('```')) findings.push('an open fence');
  for (const [table] of outside.matchAll(/(?:^\|.*\n?)+/gm)) {
    const rows = table.trimEnd().split('\n');
    const columns = new Set(rows.map(line => line.split('|').length));
    if (columns.size > 1) {
      findings.push(`table rows of different width: ${[...columns].join(', ')}`);
    }
  }
  if (/##\[|^\s*::/m.test(markdown)) findings.push('a workflow command');
  return findings;
}
