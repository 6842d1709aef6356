import type {Rows, Run} from './screen.ts';

/** Sizes in pixels. A column is as wide as a character of the usual fonts of this size. */
const font = 14;
const column = 8.43;
const line = 19;
const margin = 18;
const title = 34;

const colours: Readonly<Record<string, string>> = {
  red: '#ff7b72',
  green: '#7ee787',
  yellow: '#e3b341',
  cyan: '#79c0ff'
};

/**
 * What a terminal shows, as a picture that is sharp at any size. Each run of characters is stretched
 * to its columns, so that tables stand straight in whatever font there is.
 * @param name what stands in the window's title
 */
export function terminalSvg(rows: Rows, columns: number, name: string): string {
  const width = Math.ceil(columns * column + 2 * margin);
  const height = title + rows.length * line + margin;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escape(name)}">`,
    '<style>',
    `text { font: ${font}px ui-monospace, SFMono-Regular, "SF Mono", Menlo, Consolas, "Liberation Mono", "DejaVu Sans Mono", monospace; fill: #e6edf3; white-space: pre; }`,
    '.bar { fill: #e6edf3; } .bold { font-weight: 600; } .dim { fill: #8d96a0; } .title { fill: #8d96a0; font-size: 12px; }',
    ...Object.entries(colours).map(([look, colour]) => `.${look} { fill: ${colour}; }`),
    '</style>',
    `<rect width="${width}" height="${height}" rx="8" fill="#0d1117"/>`,
    `<path d="M0 ${title}V8a8 8 0 0 1 8-8h${width - 16}a8 8 0 0 1 8 8v${title - 8}z" fill="#21262d"/>`,
    // A rim, for pages that are as dark.
    `<rect x=".5" y=".5" width="${width - 1}" height="${height - 1}" rx="7.5" fill="none" stroke="#30363d"/>`,
    ...['#ff5f57', '#febc2e', '#28c840'].map(
      (colour, i) => `<circle cx="${20 + i * 20}" cy="${title / 2}" r="6" fill="${colour}"/>`
    ),
    `<text class="title" x="${width / 2}" y="${title / 2 + 4}" text-anchor="middle">${escape(name)}</text>`,
    ...rows.flatMap((row, i) => rowOf(row, title + (i + 1) * line)),
    '</svg>',
    ''
  ].join('\n');
}

function rowOf(row: readonly Run[], y: number): string[] {
  let at = 0;
  const parts = row.flatMap(({text, looks}) =>
    // Blocks are drawn: fonts leave gaps between them.
    text
      .split(/([█▏▎▍▌▋▊▉]+)/)
      .map(piece => {
        const start = at;
        at += piece.length;
        return /^[█▏▎▍▌▋▊▉]/.test(piece)
          ? barOf(piece, looks, start, y)
          : textOf(piece, looks, start, y);
      })
      .filter(part => part !== '')
  );
  return parts.length === 0 ? [] : [parts.join('')];
}

/** Block characters by their width, in eighths of a column. */
const blocks = ' ▏▎▍▌▋▊▉█';

function barOf(text: string, looks: readonly string[], start: number, y: number): string {
  const eighths = Array.from(text, block => blocks.indexOf(block)).reduce((a, b) => a + b, 0);
  const x = (margin + start * column).toFixed(1);
  const width = ((eighths / 8) * column).toFixed(1);
  return `<rect x="${x}" y="${y - font + 2}" width="${width}" height="${font - 1}"${dress(looks, 'bar')}/>`;
}

function textOf(text: string, looks: readonly string[], start: number, y: number): string {
  const shown = text.trim();
  if (shown === '') return '';
  const lead = text.length - text.trimStart().length;
  const x = (margin + (start + lead) * column).toFixed(1);
  const length = (shown.length * column).toFixed(1);
  return `<text x="${x}" y="${y}" textLength="${length}" lengthAdjust="spacingAndGlyphs"${dress(looks)}>${escape(shown)}</text>`;
}

function dress(looks: readonly string[], ...more: readonly string[]): string {
  const names = [...more, ...looks];
  return names.length === 0 ? '' : ` class="${names.join(' ')}"`;
}

function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
