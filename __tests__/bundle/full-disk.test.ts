import {chmod, mkdir, open, readdir, rmdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';

import {afterEach, beforeEach, describe, expect, test} from '@jest/globals';

import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import {describeOnPosix, keepsLogins} from '../docker/fake.ts';
import {holesBelow} from '../support/oracle.ts';
import {putRelease, smallNames, smallRelease, smallTag} from '../support/small-release.ts';
import {Job} from '../support/step.ts';

const account = {username: 'me', password: 'sesame open 7'};

const linux = process.platform === 'linux';

(linux ? describe : describe.skip)('T27 a result that cannot be written', () => {
  test('is told, and fails a run that has mirrored everything', async () => {
    await using source = await EmbeddedRegistry.start();
    await using target = await EmbeddedRegistry.start();
    await using job = await Job.begin();
    putRelease(source.store, 'arcdata', smallRelease());
    await using full = await open('/dev/full', 'w');
    const {exitCode, stderr} = await job.cli(
      [
        ...['--json', '--yes', '--target-repository', 'arcdata'],
        ...['--source-registry', source.name, '--source-tag', smallTag],
        ...['--target-registry', target.name, '--images', smallNames.join(',')],
        ...['--insecure-registries', `${source.name},${target.name}`]
      ],
      {stdout: full.fd}
    ).end;
    expect(stderr).toMatch(/cannot be written to standard output \(ENOSPC.*run again\.$/m);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(exitCode).toBe(1);
    expect(target.store.tagEvents).toHaveLength(smallNames.length);
  });
});

(linux ? describe : describe.skip)('T27 help that cannot be written', () => {
  test.each(['--help', '--version'])('%s: is told', async flag => {
    await using job = await Job.begin();
    await using full = await open('/dev/full', 'w');
    const {exitCode, stderr} = await job.cli([flag], {stdout: full.fd}).end;
    expect(stderr).toMatch(/^What is said here cannot be written to standard output .*\n$/);
    expect(exitCode).toBe(1);
  });
});

describeOnPosix('T27 a disk that takes nothing more', () => {
  let source: EmbeddedRegistry;
  let target: EmbeddedRegistry;
  let job: Job;
  let bin: string;

  beforeEach(async () => {
    source = await EmbeddedRegistry.start();
    target = await EmbeddedRegistry.start({auth: {kind: 'basic', ...account}});
    putRelease(source.store, 'arcdata', smallRelease());
    job = await Job.begin();
    bin = join(job.workspace, 'bin');
    await mkdir(bin);
    const program = async (name: string, text: string) => {
      await writeFile(join(bin, name), text);
      await chmod(join(bin, name), 0o755);
    };
    await program(
      'docker',
      `#!${process.execPath}\nconst fs = require('node:fs'), args = process.argv.slice(2), env = process.env;\nconst stdin = fs.readFileSync(0, 'utf8');\n${keepsLogins}`
    );
    // No file may get a single byte, as on a full disk; pipes and sockets may.
    await program('node', `#!/bin/sh\nulimit -f 0\nexec '${process.execPath}' "$@"\n`);
  });

  afterEach(async () => {
    for (const one of [job, source, target]) await one[Symbol.asyncDispose]();
  });

  const inputs = () => ({
    'source-registry': source.name,
    'source-tag': smallTag,
    'target-registry': target.name,
    'target-repository': 'arcdata',
    'target-username': account.username,
    'target-password': account.password,
    images: smallNames.join('\n'),
    'insecure-registries': `${source.name}\n${target.name}`
  });

  /** The program for a terminal, where nothing can be written. */
  const full = (engine: 'registry' | 'docker') =>
    job.cli(
      [
        '--json',
        '--yes',
        ...['--engine', engine],
        ...['--source-registry', source.name, '--source-tag', smallTag],
        ...['--target-registry', target.name, '--target-repository', 'arcdata'],
        ...['--images', smallNames.join(',')],
        ...['--insecure-registries', `${source.name},${target.name}`]
      ],
      {
        node: join(bin, 'node'),
        variables: {
          PATH: `${bin}:${process.env.PATH ?? ''}`,
          TARGET_DOCKER_USERNAME: account.username,
          TARGET_DOCKER_PASSWORD: account.password
        }
      }
    ).end;

  /** A step whose RUNNER_TEMP turns into a file once the run has begun. */
  const withoutTemp = async (engine: 'registry' | 'docker') => {
    const temp = join(job.workspace, 'temp');
    await mkdir(temp);
    source.rule({
      on: {kind: 'ping'},
      do: {
        effect: 'custom',
        run: async () => {
          await rmdir(temp);
          await writeFile(temp, '');
          return false;
        }
      }
    });
    return await job.run(
      {...inputs(), engine},
      {variables: {RUNNER_TEMP: temp, PATH: `${bin}:${process.env.PATH ?? ''}`}}
    );
  };

  const whole = () =>
    smallNames.flatMap(name => {
      const place = `arcdata/${name}`;
      const digest = target.store.tag(place, smallTag);
      return digest === undefined
        ? [`${name} has no tag`]
        : holesBelow(target.store, place, digest);
    });
  const writes = () =>
    target.requests.filter(({method}) => ['PUT', 'POST', 'PATCH'].includes(method));

  test('is not needed by the registry engine, and what cannot be written is told', async () => {
    const end = await full('registry');
    expect({code: end.exitCode, log: end.exitCode === 0 ? '' : end.stderr}).toEqual({
      code: 0,
      log: ''
    });
    expect(whole()).toEqual([]);
    const report = JSON.parse(end.stdout) as Record<string, unknown>;
    expect(report).toMatchObject({outcome: 'mirrored', changed: true});
    // It does not name a file that is not there.
    expect(report).not.toHaveProperty('lockFile');
    expect(JSON.stringify(report)).not.toContain('arcdata-mirror.lock.json');
    expect(end.stderr).toMatch(/Warning: The lock file could not be written: E(?:FBIG|NOSPC)/);
    const left = await readdir(job.workspace);
    expect(left).toEqual(['bin']);
    expect(await readdir(job.temp)).toEqual([]);
  });

  test('is told by the docker engine before anything moves', async () => {
    const end = await full('docker');
    expect(end.exitCode).toBe(1);
    expect(end.stderr + end.stdout).toMatch(/a private docker config cannot be made in .*: E\w+/);
    expect(end.stderr + end.stdout).toContain('has space left');
    expect(end.stderr + end.stdout).not.toMatch(/\n\s+at .*:\d+:\d+/);
    expect(writes()).toEqual([]);
    expect(await readdir(job.temp)).toEqual([]);
  });

  test('a step without a temporary folder mirrors all the same, and gives no path of a lock file', async () => {
    const end = await withoutTemp('registry');
    expect({code: end.exitCode, stderr: end.stderr}).toEqual({code: 0, stderr: ''});
    expect(whole()).toEqual([]);
    expect(end.outputs).toMatchObject({changed: 'true', release: smallTag});
    expect(end.outputs['lock-file'] ?? '').toBe('');
    const warnings = end.commands.filter(({name}) => name === 'warning').map(({data}) => data);
    expect(warnings.join('\n')).toMatch(/The lock file could not be written: E(?:NOTDIR|EXIST)/);
  });

  test('a step without a temporary folder says why the docker engine cannot be used', async () => {
    const end = await withoutTemp('docker');
    expect(end.exitCode).toBe(1);
    const errors = end.commands.filter(({name}) => name === 'error').map(({data}) => data);
    expect(errors.join('\n')).toMatch(/a private docker config cannot be made in .*ENOTDIR/);
    expect(end.outputs).toMatchObject({changed: 'false', release: ''});
    expect(end.stdout + end.stderr).not.toMatch(/\n\s+at .*:\d+:\d+/);
    expect(writes()).toEqual([]);
  });
});
