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

/** Our own text that stays on one line, however narrow its cell: `6.64 MB` does not fall apart. */
export function unbroken(text: string): string {
  return text.replaceAll(' ', '\u00a0');
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

/** A column of a table. Cells are Markdown already. */
export interface Column<Row> {
  readonly head: string;
  readonly cell: (row: Row) => string;
  /** What stands below all rows; nothing when absent. */
  readonly total?: string;
  /** Whether it holds figures, which are aligned to the right. */
  readonly figures?: boolean;
}

/**
 * A table, with a last row for the totals where a column has one. Columns in which no row has
 * anything are left out: the fewer there are, the more room is left in a narrow window.
 */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  const cells = columns
    .map(column => ({...column, cells: rows.map(column.cell)}))
    .filter(({cells: own}) => own.some(cell => cell !== ''));
  const line = (texts: readonly string[]) => `| ${texts.join(' | ')} |`;
  const totals = cells.map(({total = ''}) => total);
  return [
    line(cells.map(({head}) => head)),
    line(cells.map(({figures = false}) => (figures ? '---:' : ':---'))),
    ...rows.map((_, row) => line(cells.map(({cells: own}) => own[row] ?? ''))),
    ...(totals.some(total => total !== '') ? [line(totals)] : [])
  ].join('\n');
}

/** A section that can be opened. The heading is Markdown without line breaks. */
export function details(heading: string, body: string, open: boolean): string {
  // GitHub reads Markdown inside only behind an empty line.
  return `<details${open ? ' open' : ''}><summary>${heading}</summary>\n\n${body}\n\n</details>`;
}
