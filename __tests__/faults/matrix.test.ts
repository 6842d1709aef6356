import {readdir, readFile} from 'node:fs/promises';
import {join} from 'node:path';

import {expect, test} from '@jest/globals';

const one = '(?:[STEV]\\d+|T-L|(?:end|spec|at|in|log)-[a-z0-9-]+)';
/** A quoted text that begins with numbers of the matrix: the id of a row, the title of a test. */
const titles = new RegExp(`['"\`](${one}(?: ${one})*)(?=[ '"\`])`, 'g');

/** Which tests bear which number, as `number file`. */
async function inTests(): Promise<ReadonlySet<string>> {
  const files = (await readdir('__tests__', {recursive: true}))
    .map(path => path.replaceAll('\\', '/'))
    .filter(path => path.endsWith('.test.ts'));
  const found = await Promise.all(
    files.map(async path => {
      const text = await readFile(join('__tests__', path), 'utf8');
      const numbers = [...text.matchAll(titles)].flatMap(([, ids = '']) => ids.split(' '));
      return numbers.map(number => `${number} ${path.replace('.test.ts', '')}`);
    })
  );
  return new Set(found.flat());
}

/** The same as docs/fault-matrix.md says it. */
async function inDocument(): Promise<ReadonlySet<string>> {
  const text = await readFile('docs/fault-matrix.md', 'utf8');
  const rows = [...text.matchAll(/^\| ([\w-]+) +\|[^|]+\|([^|]+)\|$/gm)];
  return new Set(
    rows.flatMap(([, number = '', tests = '']) =>
      [...tests.matchAll(/`([^`]+)`/g)].map(([, path = '']) => `${number} ${path}`)
    )
  );
}

test('docs/fault-matrix.md names the tests of each row, all of them and no others', async () => {
  const [tests, told] = [await inTests(), await inDocument()];
  expect([...tests].filter(line => !told.has(line))).toEqual([]);
  expect([...told].filter(line => !tests.has(line))).toEqual([]);
});

test.each([
  ['S', 17],
  ['T', 30],
  ['V', 18],
  ['E', 2]
])('no number of %s is left out', async (letter, last) => {
  const numbers = new Set([...(await inTests())].map(line => line.split(' ')[0]));
  const wanted = Array.from({length: last}, (_, i) => `${letter}${i + 1}`);
  expect(wanted.filter(number => !numbers.has(number))).toEqual([]);
});
