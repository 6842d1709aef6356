import {chmod, mkdir, readFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';

import {afterAll, beforeAll, describe, expect, test} from '@jest/globals';

import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import {seedRelease} from '../../src/demo/sample.ts';
import {Job, type StepEnd, until} from '../support/step.ts';

const tag = 'v1.46.0_2026-05-12';
const names = ['arc-bootstrapper', 'arc-controller', 'arc-dns'];
/** Everything that an encoding may stumble over. */
const passwords = {
  source: `s"o$u%r'c +é1`,
  target: `t"a$r%2F'g <&>\\pä§2`
};
const username = 'robot$mirror';

/** The forms in which a secret travels: plain, Basic, base64, URI, form, JSON, HTML. */
function formsOf(password: string): readonly string[] {
  const json = JSON.stringify(password).slice(1, -1);
  const html = password.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return [
    password,
    Buffer.from(`${username}:${password}`).toString('base64'),
    Buffer.from(password).toString('base64').replace(/=+$/, ''),
    encodeURIComponent(password),
    new URLSearchParams({x: password}).toString().slice(2),
    json,
    json.replaceAll('/', '\\/'),
    html,
    html.replaceAll('"', '&quot;')
  ];
}

const forms = Object.values(passwords).flatMap(formsOf);

/** The forms that a text holds, by number, so that a failing test does not print them. */
function formsIn(text: string): readonly number[] {
  return forms.flatMap((form, i) => (text.includes(form) ? [i] : []));
}

const withoutMasks = (log: string) =>
  log
    .split('\n')
    .filter(line => !line.startsWith('::add-mask::'))
    .join('\n');

describe('V14 log-secrets passwords stay where they belong', () => {
  let source: EmbeddedRegistry;
  let target: EmbeddedRegistry;
  let bearer: EmbeddedRegistry;
  let job: Job;

  beforeAll(async () => {
    const auth = (side: keyof typeof passwords, kind: 'basic' | 'bearer' = 'basic') =>
      ({kind, username, password: passwords[side]}) as const;
    source = await EmbeddedRegistry.start({auth: auth('source')});
    target = await EmbeddedRegistry.start({auth: auth('target')});
    bearer = await EmbeddedRegistry.start({auth: auth('target', 'bearer')});
    seedRelease(source.store, 'arcdata', {tag, names, scale: 0.1});
    job = await Job.begin();
  });

  afterAll(async () => {
    for (const one of [job, source, target, bearer]) await one[Symbol.asyncDispose]();
  });

  const inputs = (to: EmbeddedRegistry) => ({
    'source-registry': source.name,
    'source-username': username,
    'source-password': passwords.source,
    'target-registry': to.name,
    'target-repository': 'arcdata',
    'target-username': username,
    'target-password': passwords.target,
    'insecure-registries': `${source.name}\n${to.name}`,
    images: names.join('\n')
  });

  /** Looks everywhere that a step leaves something. */
  async function expectSilent(end: StepEnd): Promise<void> {
    expect(formsIn(withoutMasks(end.stdout))).toEqual([]);
    expect(formsIn(end.stderr)).toEqual([]);
    // Whatever comes first in the log, a mask stands before it.
    const masks = end.commands.filter(({name}) => name === 'add-mask').map(({data}) => data);
    for (const password of Object.values(passwords)) {
      expect(masks.filter(data => data === password)).not.toEqual([]);
      const basic = Buffer.from(`${username}:${password}`).toString('base64');
      expect(masks.filter(data => data === basic)).not.toEqual([]);
    }
    const lines = end.stdout.split('\n');
    const before = lines.slice(
      0,
      lines.findIndex(line => line.startsWith('::add-mask::'))
    );
    expect(before.filter(line => line !== '')).toEqual([]);
    // Outputs, state, summary, lock file, and what else lies below home, temp, tools and workspace.
    const files = await job.files();
    expect(files.size).toBeGreaterThan(3);
    const told = [...files].filter(([, bytes]) => formsIn(bytes.toString('utf8')).length > 0);
    expect(told.map(([path]) => path)).toEqual([]);
    expect([...files.keys()].filter(path => formsIn(path).length > 0)).toEqual([]);
  }

  const debugging = {RUNNER_DEBUG: '1', ACTIONS_STEP_DEBUG: 'true', ACTIONS_RUNNER_DEBUG: 'true'};

  test.each([
    ['at Basic', {}],
    ['at Basic, debugging', debugging]
  ])('when all goes well %s', async (_, variables) => {
    const end = await job.run(inputs(target), {variables});
    expect({code: end.exitCode, stderr: end.stderr}).toEqual({code: 0, stderr: ''});
    expect(end.outputs['arc-controller']).toContain(target.name);
    await expectSilent(end);
  });

  test('when all goes well with tokens, which are secrets too', async () => {
    const end = await job.run(inputs(bearer), {variables: debugging});
    expect(end.exitCode).toBe(0);
    await expectSilent(end);
    const tokens = bearer.requests
      .map(({headers}) => headers.authorization ?? '')
      .filter(header => header.startsWith('Bearer '))
      .map(header => header.slice('Bearer '.length));
    expect(tokens.length).toBeGreaterThan(0);
    const shown = withoutMasks(end.stdout) + end.stderr + end.summary;
    expect(tokens.filter(token => shown.includes(token))).toEqual([]);
  });

  test('as variables of the script', async () => {
    const given = inputs(target);
    const end = await job.run(
      {'insecure-registries': given['insecure-registries'], images: given.images},
      {
        variables: {
          SOURCE_DOCKER_REGISTRY: source.name,
          SOURCE_DOCKER_USERNAME: username,
          SOURCE_DOCKER_PASSWORD: passwords.source,
          TARGET_DOCKER_REGISTRY: target.name,
          TARGET_DOCKER_REPOSITORY: 'arcdata',
          TARGET_DOCKER_USERNAME: username,
          TARGET_DOCKER_PASSWORD: passwords.target
        }
      }
    );
    expect(end.exitCode).toBe(0);
    await expectSilent(end);
  });

  test('when the registry refuses them and repeats them', async () => {
    await using spiteful = await EmbeddedRegistry.start({
      auth: {kind: 'basic', username, password: 'another one'}
    });
    const said = formsOf(passwords.target).join(' | ');
    spiteful.rule({
      on: {authorized: true},
      times: 'always',
      do: {
        effect: 'answer',
        status: 401,
        challenge: true,
        headers: {Warning: `299 - "${encodeURIComponent(passwords.target)}"`},
        body: {errors: [{code: 'UNAUTHORIZED', message: `not you: ${said}`}]}
      }
    });
    const end = await job.run(inputs(spiteful), {variables: debugging});
    expect(end.exitCode).toBe(1);
    expect(end.summary).toContain(spiteful.name);
    await expectSilent(end);
  });

  test('when it breaks in the middle, with the password in every answer', async () => {
    await using spiteful = await EmbeddedRegistry.start({
      auth: {kind: 'basic', username, password: passwords.target}
    });
    spiteful.rule({
      on: {kind: 'upload'},
      times: 'always',
      do: {
        effect: 'answer',
        status: 400,
        body: {errors: [{code: 'DENIED', message: formsOf(passwords.target).join(' | ')}]}
      }
    });
    const end = await job.run(inputs(spiteful), {variables: debugging});
    expect(end.exitCode).toBe(1);
    // The registry's words are told, without what they hold.
    expect(end.stdout).toContain('DENIED');
    await expectSilent(end);
  });

  test('when the network breaks, and the run is cancelled over it', async () => {
    await using gone = await EmbeddedRegistry.start({
      auth: {kind: 'basic', username, password: passwords.target}
    });
    gone.rule({on: {kind: ['upload', 'mount']}, times: 'always', do: {effect: 'drop'}});
    const step = await job.start(inputs(gone), {variables: debugging});
    await until('it has been tried again', () => {
      const dropped = gone.requests.filter(({kind}) => kind === 'mount' || kind === 'upload');
      return dropped.length > 20;
    });
    step.kill('SIGINT');
    const end = await step.end;
    expect(end.exitCode).toBe(1);
    expect(end.stdout).toMatch(/broke|ECONNRESET|hang up/);
    await expectSilent(end);
  });

  test('when it falls over before it has begun', async () => {
    const nowhere = join(job.workspace, 'nowhere', 'state');
    const end = await job.run(inputs(target), {variables: {...debugging, GITHUB_STATE: nowhere}});
    expect(end.exitCode).toBe(1);
    expect(end.stdout).toContain('What the step has to undo later cannot be kept');
    expect(end.stderr).toBe('');
    expect(formsIn(end.stdout + end.stderr)).toEqual([]);
  });

  test('when the inputs are wrong', async () => {
    const end = await job.run(
      {...inputs(target), 'source-tag': passwords.source, engine: passwords.target},
      {variables: debugging}
    );
    expect(end.exitCode).toBe(1);
    await expectSilent(end);
  });

  test('no child process was told by its arguments or environment', async () => {
    // What docker was given is looked at by standing in for it.
    const bin = join(job.workspace, 'bin');
    const notes = join(job.workspace, 'notes');
    await mkdir(bin);
    await writeFile(
      join(bin, 'docker'),
      `#!/bin/sh\n{ echo "$@"; env; } >> '${notes}'\ncase "$1" in --version) echo 'Docker version 28.2.2, build 1';; esac\n`
    );
    await chmod(join(bin, 'docker'), 0o755);
    const end = await job.run(inputs(target), {
      variables: {PATH: `${bin}:${process.env.PATH ?? ''}`}
    });
    expect(end.exitCode).toBe(0);
    const noted = await readFile(notes, 'utf8');
    expect(noted).toContain('login --username');
    expect(noted).toContain('--password-stdin');
    expect(noted).not.toContain('INPUT_');
    expect(formsIn(noted)).toEqual([]);
  });
});
