import {existsSync} from 'node:fs';
import {readdir, readFile} from 'node:fs/promises';

import {validate} from '@actions/languageservice';
import {describe, expect, it} from '@jest/globals';
import {TextDocument} from 'vscode-languageserver-textdocument';
import {parse} from 'yaml';

import {withTables} from '../scripts/readme-tables.mjs';
import {inputTable} from '../src/inputs/table.ts';
import {imageSet} from '../src/release/catalog.ts';

interface Manifest {
  readonly name: string;
  readonly description: string;
  readonly inputs: Record<string, {description: string; default?: string; required?: boolean}>;
  readonly outputs: Record<string, {description: string}>;
  readonly runs: Record<string, string>;
}

const text = await readFile('action.yml', 'utf8');
const manifest = parse(text) as Manifest;
const readme = await readFile('README.md', 'utf8');
const workflows = '.github/workflows/';
const files = await readdir(workflows);
const documents = ['README.md', ...(existsSync('docs') ? await markdownOf('docs') : [])];

async function markdownOf(folder: string): Promise<string[]> {
  const names = await readdir(folder, {recursive: true});
  return names.filter(name => name.endsWith('.md')).map(name => `${folder}/${name}`);
}

/** GitHub's own checks; of the actions called, only this one is known here. */
async function problems(path: string, content: string): Promise<string[]> {
  const found = await validate(TextDocument.create(`file:///${path}`, 'yaml', 1, content), {
    actionsMetadataProvider: {
      fetchActionMetadata: ({owner, name}) =>
        Promise.resolve(
          `${owner}/${name}`.endsWith('/arcdata-mirror') ? manifest : {name, description: ''}
        )
    }
  });
  return found.map(
    ({message, range}) => `${path}:${range.start.line + 1} ${JSON.stringify(message)}`
  );
}

describe('action.yml', () => {
  it('is a valid manifest', async () => {
    await expect(problems('action.yml', text)).resolves.toEqual([]);
  });

  it('runs on Node 24, and once more at the end of the job', () => {
    expect(manifest.runs).toEqual({using: 'node24', main: 'dist/index.js', post: 'dist/index.js'});
  });

  it('has the inputs of the code, in their order', () => {
    expect(Object.keys(manifest.inputs)).toEqual(inputTable.map(({name}) => name));
  });

  it.each(inputTable)('says of $name what the code says', row => {
    const input = manifest.inputs[row.name];
    expect(input?.description.replace(/\s+/g, ' ')).toMatch(meaningFirst(row.meaning));
    expect(input?.required).toBeUndefined();
  });

  it.each(inputTable.filter(({variable}) => variable !== undefined))(
    'leaves the default of $name to the code, since it would beat $variable',
    ({name, default: value, variable = ''}) => {
      const input = manifest.inputs[name];
      expect(input?.default).toBeUndefined();
      expect(input?.description).toContain(variable);
      expect(input?.description).toContain(value === undefined ? '' : `Default ${value}.`);
    }
  );

  it.each(inputTable.filter(({form}) => ['boolean', 'minutes', 'number'].includes(form)))(
    'gives $name the default of the code',
    ({name, default: value}) => {
      expect(manifest.inputs[name]?.default).toBe(value);
    }
  );

  it('has an output for each image of the newest release, and those of the run', () => {
    const images = imageSet('v1.46.0_2026-05-12').map(({name}) => name);
    expect(Object.keys(manifest.outputs)).toEqual([
      ...images,
      ...['images', 'release', 'releases', 'changed'],
      ...['bytes-copied', 'bytes-mounted', 'bytes-present'],
      ...['lock-file', 'hand-over', 'matrix']
    ]);
  });
});

describe('README', () => {
  it.each(Object.keys({...manifest.inputs, ...manifest.outputs}))('has a row for %s', name => {
    expect(readme).toContain(`| \`${name}\` |`);
  });

  it('has the tables of action.yml (node scripts/readme-tables.mjs writes them)', () => {
    expect(readme).toBe(withTables(readme, text));
  });
});

describe('tables', () => {
  const marks =
    'a\n<!-- inputs -->\nold\n<!-- /inputs -->\nb\n<!-- outputs --><!-- /outputs -->\nc\n';
  const small = [
    'inputs:',
    '  one: {description: "a | b <c>\\n  d", default: "x"}',
    '  two: {description: e}',
    'outputs:',
    '  three: {description: f}'
  ].join('\n');

  it('stand between their marks and hold one row for each', () => {
    const written = withTables(marks, small);
    expect(written).toContain('| `one` | `x` | a \\| b &lt;c> d |\n| `two` | | e |\n');
    expect(written).toContain('| Name | Description |\n| --- | --- |\n| `three` | f |\n');
    expect(written).not.toContain('old');
    expect(written.startsWith('a\n') && written.endsWith('\nc\n')).toBe(true);
    expect(withTables(written, small)).toBe(written);
  });

  it('need their marks', () => {
    expect(() => withTables('nothing', small)).toThrow('<!-- inputs -->');
  });
});

describe('examples', () => {
  it.each(documents)('in %s call the action rightly', async path => {
    const content = await readFile(path, 'utf8');
    const bodies = [...content.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, body = '']) => body);
    const found = bodies.map((body, i) => {
      // A step by itself stands in the smallest workflow there is.
      const job = 'on: push\njobs:\n  job:\n    runs-on: ubuntu-latest\n    steps:\n';
      const isStep = body.startsWith('- ');
      const workflow = isStep ? job + body.replace(/^(?=.)/gm, '      ') : body;
      const name = `${workflows}${path.replaceAll('/', '-')}-${i}.yml`;
      return problems(name, workflow);
    });
    expect((await Promise.all(found)).flat()).toEqual([]);
  });
});

describe('workflows', () => {
  it.each(files)('%s is valid', async name => {
    const content = await readFile(workflows + name, 'utf8');
    await expect(problems(workflows + name, content)).resolves.toEqual([]);
  });
});

function meaningFirst(meaning: string): RegExp {
  return new RegExp(`^${meaning.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`);
}
