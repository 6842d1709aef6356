import {existsSync} from 'node:fs';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {parseEnv} from 'node:util';

import {afterAll, beforeAll, describe, expect, it} from '@jest/globals';

import {isInputName, inputTable} from '../src/inputs/table.ts';
import {readInputs} from '../src/inputs.ts';
import {silent} from '../src/log.ts';
import {anchorsIn, proseOf, readDocuments, text} from './support/documents.ts';

const documents = await readDocuments();
const readme = await text('README.md');

let temporary = '';
beforeAll(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'documents-'));
});
afterAll(async () => {
  await rm(temporary, {recursive: true, force: true});
});

describe('links', () => {
  it.each(documents)('of $path lead somewhere', async ({path, content}) => {
    const targets = [...proseOf(content).matchAll(/\]\(([^)\s]+)\)/g)].map(
      ([, target = '']) => target
    );
    const dead: string[] = [];
    for (const target of targets.filter(found => !/^https?:/.test(found))) {
      const [file = '', fragment] = target.split('#');
      const other = file === '' ? path : join(dirname(path), file);
      const there = existsSync(other);
      const anchors = there && fragment !== undefined ? anchorsIn(await text(other)) : [];
      if (!there || (fragment !== undefined && !anchors.includes(fragment))) dead.push(target);
    }
    expect(dead).toEqual([]);
  });

  it.each(documents)('of $path that are files of the source lead to them', ({path, content}) => {
    const named = [...content.matchAll(/`((?:[\w.-]+\/)+[\w.-]+\.(?:ts|mjs|json|yml))`/g)]
      .map(([, file = '']) => file)
      .filter(file => !file.startsWith('dist/'));
    const lost = named.filter(file => ![file, join('src', file)].some(at => existsSync(at)));
    expect({path, lost}).toEqual({path, lost: []});
  });
});

describe('README', () => {
  it('shows every variable of the script', () => {
    const shown = [...readme.matchAll(/^export ((?:SOURCE|TARGET)_DOCKER_\w+)=/gm)];
    const variables = inputTable.flatMap(({variable}) => variable ?? []);
    expect(shown.map(([, name]) => name)).toEqual(variables);
  });
});

describe('moving from the script', () => {
  it('goes variable by variable', async () => {
    const content = await text('docs/moving-from-the-script.md');
    const told = [...content.matchAll(/^### `(\w+)` → `([\w-]+)`$/gm)];
    const rows = inputTable.filter(({variable}) => variable !== undefined);
    expect(told.map(([, variable, name]) => [variable, name])).toEqual(
      rows.map(({variable, name}) => [variable, name])
    );
  });
});

describe('.env.example', () => {
  it('is taken by the action as it stands', async () => {
    const env = parseEnv(await text('.env.example'));
    const names = Object.keys(env).filter(key => key.startsWith('INPUT_'));
    expect(names.length).toBeGreaterThan(3);
    expect(names.filter(key => !isInputName(key.slice('INPUT_'.length).toLowerCase()))).toEqual([]);
    const settings = readInputs({...env, RUNNER_TEMP: temporary}, silent);
    expect(settings).toMatchObject({dryRun: true, target: {registry: 'myregistry.azurecr.io'}});
    expect(settings.images).toEqual({
      kind: 'release-set',
      add: [],
      remove: ['arc-ci-launcher', 'arc-sb-plugin']
    });
  });
});
