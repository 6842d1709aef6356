// Writes the tables of inputs and outputs in README.md, between their marks, from action.yml.
//
//   node scripts/readme-tables.mjs           writes them
//   node scripts/readme-tables.mjs --check   fails when they are not up to date
import {readFile, writeFile} from 'node:fs/promises';
import process from 'node:process';
import {fileURLToPath} from 'node:url';

import {parse} from 'yaml';

/**
 * A README with its tables as action.yml has them.
 * @param {string} readme
 * @param {string} manifest the text of action.yml
 * @returns {string}
 */
export function withTables(readme, manifest) {
  const {inputs, outputs} = parse(manifest);
  const inputRows = Object.entries(inputs).map(([name, {description, default: value}]) => [
    `\`${name}\``,
    value === undefined ? '' : `\`${value}\``,
    prose(description)
  ]);
  const outputRows = Object.entries(outputs).map(([name, {description}]) => [
    `\`${name}\``,
    prose(description)
  ]);
  return [
    ['inputs', table(['Name', 'Default', 'Description'], inputRows)],
    ['outputs', table(['Name', 'Description'], outputRows)]
  ].reduce((text, [mark, rows]) => between(text, mark, rows), readme);
}

function between(readme, mark, rows) {
  const [open, close] = [`<!-- ${mark} -->`, `<!-- /${mark} -->`];
  const start = readme.indexOf(open);
  const end = readme.indexOf(close);
  if (start < 0 || end < start) throw new Error(`README.md lacks the marks ${open} and ${close}`);
  // Kept from prettier, which would pad every row to the longest description.
  const block = `\n\n<!-- prettier-ignore-start -->\n\n${rows}\n\n<!-- prettier-ignore-end -->\n\n`;
  return readme.slice(0, start + open.length) + block + readme.slice(end);
}

function table(head, rows) {
  return [head, head.map(() => '---'), ...rows]
    .map(cells => `| ${cells.join(' | ')} |`.replaceAll('|  |', '| |'))
    .join('\n');
}

function prose(text) {
  return text.trim().replace(/\s+/g, ' ').replaceAll('|', '\\|').replaceAll('<', '&lt;');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [readme, manifest] = await Promise.all(
    ['README.md', 'action.yml'].map(name => readFile(name, 'utf8'))
  );
  const wanted = withTables(readme, manifest);
  if (!process.argv.includes('--check')) await writeFile('README.md', wanted);
  else if (wanted !== readme) {
    process.stderr.write('README.md is behind action.yml: run node scripts/readme-tables.mjs\n');
    process.exitCode = 1;
  }
}
