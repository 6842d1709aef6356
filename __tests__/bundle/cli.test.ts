import {execFile} from 'node:child_process';
import {mkdir, readdir, symlink} from 'node:fs/promises';
import {join} from 'node:path';
import {promisify} from 'node:util';

import {afterAll, beforeAll, describe, expect, test} from '@jest/globals';

import {textFindings} from '../support/oracle-injection.ts';
import {Job} from '../support/step.ts';

const {NODE24 = ''} = process.env;
const here = `v${process.versions.node}`;
/** What `--version` begins with, and the program. */
const nodes: (readonly [string, string])[] = [[here, process.execPath]];
if (NODE24 !== '') nodes.push(['v24.', NODE24]);
else if (!here.startsWith('v24.')) {
  process.stderr.write(`cli.test.ts: NODE24 names no Node 24, so ${here} alone is tried\n`);
}

describe('the demo on a machine with nothing but Node', () => {
  let job: Job;

  beforeAll(async () => {
    job = await Job.begin();
  });

  afterAll(async () => {
    await job[Symbol.asyncDispose]();
  });

  test.each(nodes)('is done in seconds under %s', async (version, node) => {
    const {stdout: told} = await promisify(execFile)(node, ['--version']);
    expect(told.startsWith(version) ? version : told).toBe(version);
    const bin = join(job.workspace, version);
    await mkdir(bin);
    await symlink(node, join(bin, 'node'));
    const end = await job.cli(['demo'], {node, variables: {PATH: bin}}).end;
    expect({code: end.exitCode, stderr: end.stderr}).toEqual({code: 0, stderr: ''});
    expect(end.milliseconds).toBeLessThan(20_000);
    // Its story: all, then a fifth, then nothing.
    const plans = [...end.stdout.matchAll(/\(([\d,]+) B\) to copy|: (0 B) to copy/g)].map(
      ([, count]) => Number((count ?? '0').replaceAll(',', ''))
    );
    expect(plans).toHaveLength(3);
    const [all = 0, next = 0, again] = plans;
    expect(all).toBeGreaterThan(5_000_000);
    expect(next / all).toBeGreaterThan(0.1);
    expect(next / all).toBeLessThan(0.3);
    expect(again).toBe(0);
    expect(end.stdout).toContain('Mirrored 20 images of v1.45.0_2026-04-14');
    expect(end.stdout).toContain('Already complete: 20 images of v1.46.0_2026-05-12');
    // Not a terminal: no colours, no bar that paints over itself, no line that nobody can read.
    expect(end.stdout.split('\n').flatMap(textFindings)).toEqual([]);
    expect(Math.max(...end.stdout.split('\n').map(line => line.length))).toBeLessThan(250);
    // It leaves nothing behind.
    expect(await readdir(job.temp)).toEqual([]);
    expect(await readdir(job.home)).toEqual([]);
  });

  test('says what it needs where it has no place for its file', async () => {
    const TMPDIR = join(job.workspace, 'gone');
    const end = await job.cli(['demo'], {variables: {TMPDIR}}).end;
    expect(end.exitCode).toBe(2);
    expect(end.stderr).toMatch(/^No folder can be made in .*gone.*ENOENT.*TMPDIR\.\n/);
    expect(end.stderr).not.toContain('    at ');
  });
});
