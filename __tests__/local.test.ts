import {execFile} from 'node:child_process';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {afterAll, beforeAll, describe, expect, test} from '@jest/globals';

import {EmbeddedRegistry} from '../src/demo/registry.ts';
import {seedRelease} from '../src/demo/sample.ts';
import {text} from './support/documents.ts';

let temporary = '';
beforeAll(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'local-test-'));
});
afterAll(async () => {
  await rm(temporary, {recursive: true, force: true});
});

const local = (file: string) =>
  new Promise<{exitCode: unknown; stdout: string; stderr: string}>(resolve => {
    const env = {PATH: process.env.PATH, HOME: temporary, TMPDIR: temporary};
    execFile(process.execPath, ['scripts/local.mjs', file], {env}, (error, stdout, stderr) => {
      resolve({exitCode: error === null ? 0 : error.code, stdout, stderr});
    });
  });

describe('npm run local', () => {
  test('is what package.json runs', async () => {
    expect(await text('package.json')).toContain('"local": "node scripts/local.mjs"');
  });

  test('runs the source as a step, and shows its outputs and its summary', async () => {
    await using source = await EmbeddedRegistry.start();
    await using target = await EmbeddedRegistry.start();
    seedRelease(source.store, 'arcdata', {tag: 'v1.46.0_2026-05-12'});
    const file = join(temporary, 'settings');
    await writeFile(
      file,
      [
        `INPUT_SOURCE-REGISTRY=${source.name}`,
        `INPUT_TARGET-REGISTRY=${target.name}`,
        'INPUT_TARGET-REPOSITORY=mirror/arcdata',
        `INPUT_INSECURE-REGISTRIES="${source.name}\n${target.name}"`,
        'INPUT_DRY-RUN=false',
        'INPUT_PUBLISH=true',
        ''
      ].join('\n')
    );
    const {exitCode, stdout, stderr} = await local(file);
    expect({exitCode, stderr}).toEqual({exitCode: 0, stderr: ''});
    const [, told = ''] = stdout.split('\nOutputs:\n');
    expect(told).toContain('  release=v1.46.0_2026-05-12\n');
    expect(told).toMatch(
      / {2}arc-sqlmi=\S+\/mirror\/arcdata\/arc-sqlmi:v1\.46\.0_2026-05-12@sha256:/
    );
    const [, summary = ''] = /^Summary: (.+)$/m.exec(told) ?? [];
    expect(await text(summary)).toContain('Mirrored 20 images');
    const [, lockFile = ''] = /^ {2}lock-file=(.+)$/m.exec(told) ?? [];
    expect(JSON.parse(await text(lockFile))).toMatchObject({schemaVersion: 1});
    expect(target.store.tag('mirror/arcdata/arc-sqlmi', 'v1.46.0_2026-05-12')).toBeDefined();
  }, 180_000);

  test('ends as the step does', async () => {
    const file = join(temporary, 'nothing');
    await writeFile(file, 'INPUT_DRY-RUN=true\n');
    const {exitCode, stdout} = await local(file);
    expect(exitCode).toBe(1);
    expect(stdout).toContain('No outputs were set.');
  }, 180_000);

  test('says what to do where there are no settings', async () => {
    const {exitCode, stderr} = await local(join(temporary, 'none'));
    expect(exitCode).toBe(2);
    expect(stderr).toContain('copy .env.example to it');
  });
});
