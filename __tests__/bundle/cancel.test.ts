import {readFile, stat} from 'node:fs/promises';
import {join} from 'node:path';

import {afterEach, beforeEach, describe, expect, test} from '@jest/globals';

import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import {seedRelease} from '../../src/demo/sample.ts';
import {Job, type Running, type StepEnd, until} from '../support/step.ts';

const tag = 'v1.46.0_2026-05-12';
const account = {username: 'me', password: 'sesame open 7'};

describe('V15 T20 a run that is ended from outside', () => {
  let source: EmbeddedRegistry;
  let target: EmbeddedRegistry;
  let job: Job;

  beforeEach(async () => {
    source = await EmbeddedRegistry.start();
    target = await EmbeddedRegistry.start({auth: {kind: 'basic', ...account}});
    seedRelease(source.store, 'arcdata', {tag});
    job = await Job.begin();
  });

  afterEach(async () => {
    for (const one of [job, target, source]) await one[Symbol.asyncDispose]();
  });

  /** A run whose blobs all halt in the middle, with uploads open at the target. */
  async function halfway(): Promise<Running<StepEnd>> {
    source.rule({
      on: {kind: 'blob', method: 'GET'},
      times: 'always',
      do: {effect: 'cut-download', after: 1000, how: 'stall'}
    });
    const step = await job.start({
      'source-registry': source.name,
      'target-registry': target.name,
      'target-repository': 'arcdata',
      'target-username': account.username,
      'target-password': account.password,
      'insecure-registries': `${source.name}\n${target.name}`
    });
    await until('uploads are under way', () =>
      target.requests.some(({kind, method}) => kind === 'upload' && method !== 'POST')
    );
    expect(target.store.sessions.length).toBeGreaterThan(0);
    return step;
  }

  /** The private docker config of the run, with the login in it. */
  async function theConfig(): Promise<string> {
    const [name = '', ...more] = await job.dockerConfigs();
    expect(name).toMatch(/^arcdata-mirror-docker-[0-9a-f]{32}$/);
    expect(more).toEqual([]);
    const path = join(job.temp, name);
    expect((await stat(path)).mode & 0o777).toBe(0o700);
    const config = await readFile(join(path, 'config.json'), 'utf8');
    const basic = Buffer.from(`${account.username}:${account.password}`).toString('base64');
    expect(config).toContain(basic);
    return path;
  }

  test.each(['SIGINT', 'SIGTERM'] as const)(
    '%s: uploads are cancelled, the login is gone, the outputs are there',
    async signal => {
      const step = await halfway();
      await theConfig();
      const open = target.store.sessions.map(({id}) => id);
      expect(open).not.toEqual([]);
      const asked = performance.now();
      step.kill(signal);
      const end = await step.end;
      // The runner gives 7.5 s between SIGINT and SIGTERM.
      expect(performance.now() - asked).toBeLessThan(7000);
      expect(end.exitCode).toBe(1);

      const cancelled = target.requests
        .filter(({kind, method}) => kind === 'upload' && method === 'DELETE')
        .map(({path}) => path);
      expect(open.filter(id => !cancelled.some(path => path.includes(id)))).toEqual([]);
      expect(target.store.sessions).toEqual([]);
      expect(target.store.tagEvents).toEqual([]);
      expect(await job.dockerConfigs()).toEqual([]);

      expect(end.outputs).toMatchObject({release: '', changed: 'false'});
      const rows = JSON.parse(end.outputs.images ?? '[]') as {status: string}[];
      expect(rows.map(({status}) => status)).toEqual(rows.map(() => 'failed'));
      expect(rows).toHaveLength(20);
      const errors = end.commands.filter(({name}) => name === 'error').map(({data}) => data);
      expect(errors.join('\n')).toContain('the run was cancelled');
      expect(end.summary).toContain('cancelled');
      expect(end.stderr).toBe('');
    }
  );

  test('SIGINT, and SIGTERM while it cleans up, as a runner sends them: it cleans up to its end', async () => {
    const step = await halfway();
    const open = target.store.sessions.map(({id}) => id);
    target.rule({on: {method: 'DELETE'}, times: 'always', do: {effect: 'delay', ms: 1200}});
    const asked = performance.now();
    step.kill('SIGINT');
    await until('uploads are being cancelled', () =>
      target.requests.some(({method, status}) => method === 'DELETE' && status === 0)
    );
    step.kill('SIGTERM');
    const end = await step.end;
    // Ten seconds after the first one it would be killed.
    expect(performance.now() - asked).toBeLessThan(9000);
    expect(end.exitCode).toBe(1);
    expect(target.store.sessions).toEqual([]);
    expect(open.length).toBeGreaterThan(0);
    expect(target.store.tagEvents).toEqual([]);
    expect(await job.dockerConfigs()).toEqual([]);
    expect(end.outputs).toMatchObject({release: '', changed: 'false'});
    expect(end.summary).toContain('cancelled');
    expect(end.stderr).toBe('');
  });

  test('a second SIGINT ends it at once, and post removes the login', async () => {
    const step = await halfway();
    const path = await theConfig();
    // The registry no longer answers, so that the first one has something to wait for.
    target.rule({on: {method: 'DELETE'}, times: 'always', do: {effect: 'stall'}});
    step.kill('SIGINT');
    await until('uploads are being cancelled', () =>
      target.requests.some(({method}) => method === 'DELETE')
    );
    const asked = performance.now();
    step.kill('SIGINT');
    const end = await step.end;
    // What it had to wait for would take seven seconds.
    expect(performance.now() - asked).toBeLessThan(4000);
    expect(end.exitCode).toBe(130);
    const after = await job.post(end.state);
    expect(after.exitCode).toBe(0);
    await expect(stat(path)).rejects.toMatchObject({code: 'ENOENT'});
  });

  /** The same on a terminal, where there is no post part. */
  async function halfwayByHand() {
    source.rule({
      on: {kind: 'blob', method: 'GET'},
      times: 'always',
      do: {effect: 'cut-download', after: 1000, how: 'stall'}
    });
    const run = job.cli(
      [
        ...['--yes', '--target-repository=arcdata'],
        ...[`--source-registry=${source.name}`, `--target-registry=${target.name}`],
        `--insecure-registries=${source.name},${target.name}`
      ],
      {
        variables: {
          TARGET_DOCKER_USERNAME: account.username,
          TARGET_DOCKER_PASSWORD: account.password
        }
      }
    );
    await until('uploads are under way', () =>
      target.requests.some(({kind, method}) => kind === 'upload' && method !== 'POST')
    );
    await theConfig();
    return run;
  }

  test.each<[string, string, (run: Awaited<ReturnType<typeof halfwayByHand>>) => void]>([
    [
      'is left by Ctrl-\\\\',
      'the run was cancelled',
      run => {
        run.kill('SIGQUIT');
      }
    ],
    [
      'is a pipe that nobody reads any more',
      'the run was cancelled, since nobody reads its standard output any more',
      run => {
        run.stopReading();
      }
    ]
  ])('a terminal that %s: uploads are cancelled, the login is gone', async (_, why, leave) => {
    const run = await halfwayByHand();
    leave(run);
    const {exitCode, stderr} = await run.end;
    expect({exitCode, stderr}).toEqual({
      exitCode: 130,
      stderr: expect.not.stringMatching(/^\s+at /m)
    });
    expect(stderr).toContain(why);
    expect(target.store.sessions).toEqual([]);
    expect(target.store.tagEvents).toEqual([]);
    expect(await job.dockerConfigs()).toEqual([]);
  });

  test('Ctrl-C twice on a terminal: the login is gone all the same', async () => {
    const run = await halfwayByHand();
    target.rule({on: {method: 'DELETE'}, times: 'always', do: {effect: 'stall'}});
    run.kill('SIGINT');
    await until('uploads are being cancelled', () =>
      target.requests.some(({method}) => method === 'DELETE')
    );
    run.kill('SIGINT');
    expect((await run.end).exitCode).toBe(130);
    expect(await job.dockerConfigs()).toEqual([]);
  });

  test('Ctrl-C on a terminal while a name is looked up: whoever resolves names cannot hold it up', async () => {
    // As getaddrinfo, which asks one server after the other, half a minute or so, and cannot be called off.
    const slow = `import dns from 'node:dns'; dns.promises.lookup = () => new Promise(() => { process.stdout.write('looking up'); setTimeout(() => {}, 30_000); });`;
    const run = job.cli(
      ['--yes', '--target-repository=arcdata', '--target-registry=registry.example'],
      {variables: {NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(slow)}`}}
    );
    await until('a name is looked up', () => run.stdout().includes('looking up'));
    const asked = performance.now();
    run.kill('SIGINT');
    const {exitCode, stderr} = await run.end;
    expect(performance.now() - asked).toBeLessThan(7000);
    expect(exitCode).toBe(130);
    expect(stderr).toContain('the run was cancelled');
  });

  test('registries that do not answer cannot hold up a cancelled run', async () => {
    const step = await halfway();
    target.rule({on: {}, times: 'always', do: {effect: 'stall'}});
    source.rule({on: {}, times: 'always', do: {effect: 'stall'}});
    const asked = performance.now();
    step.kill('SIGINT');
    const end = await step.end;
    expect(performance.now() - asked).toBeLessThan(7000);
    expect(end.exitCode).toBe(1);
    expect(end.outputs).toMatchObject({changed: 'false'});
    expect(await job.dockerConfigs()).toEqual([]);
  });

  test('killed: post removes the login that the run could not', async () => {
    const step = await halfway();
    const path = await theConfig();
    step.kill('SIGKILL');
    const end = await step.end;
    expect(end.exitCode).toBeNull();
    expect(end.state['docker-config']).toBe(path);
    expect(await job.dockerConfigs()).toHaveLength(1);
    expect(target.store.tagEvents).toEqual([]);

    const after = await job.post(end.state);
    expect({code: after.exitCode, stderr: after.stderr}).toEqual({code: 0, stderr: ''});
    expect(after.stdout).toContain('removed the private docker config');
    await expect(stat(path)).rejects.toMatchObject({code: 'ENOENT'});
    expect(await job.dockerConfigs()).toEqual([]);
    // Post is post: it did nothing else, and it may come again.
    expect(after.outputs).toEqual({});
    expect((await job.post(end.state)).exitCode).toBe(0);
  });

  test('post touches no directory but one of its own making', async () => {
    for (const path of [job.home, job.workspace, '/', join(job.temp, '..', 'home')]) {
      const after = await job.post({main: 'begun', 'docker-config': path});
      expect(after.exitCode).toBe(0);
      expect(after.stdout).not.toContain('removed');
    }
    expect((await stat(job.home)).isDirectory()).toBe(true);
    expect((await stat(job.workspace)).isDirectory()).toBe(true);
  });
});
