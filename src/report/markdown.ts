import {clean} from '../oci/clean.ts';

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;'
};

/**
 * Foreign text in Markdown: shown as it is, so that it can neither begin a link, a mention, a table
 * cell, a formula or markup, nor end the code span it stands in. One line.
 * @see https://github.github.com/gfm/#entity-and-numeric-character-references
 */
export function escapeMarkdown(text: string, limit?: number): string {
  return clean(text, limit)
    .replace(/[&<>"'`|*~[\]\\!#$@{}()]/g, sign => entities[sign] ?? `&#${sign.charCodeAt(0)};`)
    .replace(/(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])/g, '&#95;')
    .replace(/:(?=\/\/)/g, '&#58;')
    .replace(/(?<=www)\./gi, '&#46;');
}

/** Foreign text as code: escaped, and left alone by whatever looks for links and mentions. */
export function code(text: string, limit?: number): string {
  return `<code>${escapeMarkdown(text, limit)}</code>`;
}

/** Lines in a fence that none of them can close. */
export function fence(lines: readonly string[], language = 'text'): string {
  const safe = lines.map(line => {
    const indent = /^ */.exec(line)?.[0] ?? '';
    return indent + clean(line.slice(indent.length), 1000);
  });
  const longest = Math.max(
    2,
    ...safe.flatMap(line => [...line.matchAll(/`+/g)].map(([run]) => run.length))
  );
  const bar = '`'.repeat(longest + 1);
  return `${bar}${language}\n${safe.join('\n')}\n${bar}`;
}

/** A table; cells are Markdown already. Columns after the first `left` are aligned to the right. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  left: ReadonlySet<number>
): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, column) => (left.has(column) ? ':---' : '---:'));
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}

/** A section that can be opened. The heading is Markdown without line breaks. */
export function details(heading: string, body: string, open: boolean): string {
  // GitHub reads Markdown inside only behind an empty line.
  return `<details${open ? ' open' : ''}><summary>${heading}</summary>\n\n${body}\n\n</details>`;
}
