import {execFile} from 'node:child_process';
import {createHash} from 'node:crypto';
import {once} from 'node:events';
import {mkdir, readdir, readFile, rename, symlink, writeFile} from 'node:fs/promises';
import {createServer} from 'node:http';
import type {AddressInfo} from 'node:net';
import {join} from 'node:path';
import {promisify} from 'node:util';

import {afterEach, beforeEach, expect, test} from '@jest/globals';

import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import {seedRelease} from '../../src/demo/sample.ts';
import {describeOnPosix, makePlace, type Place} from '../docker/fake.ts';
import {programOnPath} from '../support/program.ts';
import {Job, type StepEnd, until} from '../support/step.ts';
import {fail, FakeDaemon, type FakeDaemonOptions, hang} from './fake-daemon.ts';
import {names, repository, tag} from './run.ts';

const run = promisify(execFile);
const password = `can"ary$%' ä`;
/** All forms in which the password could have gone somewhere. */
const forms = [
  password,
  encodeURIComponent(password),
  JSON.stringify(password).slice(1, -1),
  Buffer.from(password).toString('base64').replace(/=+$/, ''),
  Buffer.from(`me:${password}`).toString('base64').replace(/=+$/, '')
];
/** Not as docker would write it. */
const before = '{ "auths": {"other.example": {"auth": "b3RoZXI6bw=="}},\n  "note": [1]}\n';

let place: Place;
let source: EmbeddedRegistry;
let target: EmbeddedRegistry;
let job: Job;

beforeEach(async () => {
  place = await makePlace();
  source = await EmbeddedRegistry.start();
  target = await EmbeddedRegistry.start({auth: {kind: 'basic', username: 'me', password}});
  seedRelease(source.store, 'arcdata', {tag, names, month: 1});
  job = await Job.begin();
  await mkdir(join(job.home, '.docker'));
  await writeFile(config(), before, {mode: 0o640});
});
afterEach(async () => {
  for (const one of [job, source, target, place]) await one[Symbol.asyncDispose]();
});

const config = () => join(job.home, '.docker', 'config.json');
const inputs = (more: Readonly<Record<string, string>> = {}) => ({
  'source-registry': source.name,
  'source-tag': tag,
  'target-registry': target.name,
  'target-repository': repository,
  'target-username': 'me',
  'target-password': password,
  'insecure-registries': `${source.name}\n${target.name}`,
  images: names.join('\n'),
  ...more
});
/** A PATH with nothing else on it. */
const onlyFake = () => ({PATH: place.env.PATH});
const errorsOf = ({commands}: StepEnd) =>
  commands
    .filter(({name}) => name === 'error')
    .map(({data}) => data)
    .join('\n');

/** Nothing of the password is in what the job wrote, in any file of it or in what docker was given. */
async function expectNoCanary(...ends: readonly StepEnd[]): Promise<void> {
  const texts = new Map<string, string>();
  ends.forEach((end, i) => {
    const shown = end.stdout
      .split('\n')
      // The one line that tells the runner what to mask.
      .filter(line => !line.startsWith('::add-mask::'))
      .join('\n');
    texts.set(`log ${i}`, shown + end.stderr);
    texts.set(`summary ${i}`, end.summary);
    texts.set(`outputs ${i}`, JSON.stringify([end.outputs, end.state]));
  });
  for (const [name, bytes] of await job.files()) texts.set(name, bytes.toString('utf8'));
  for (const name of await readdir(place.directory)) {
    if (!name.endsWith('.calls')) continue;
    const calls = await place.calls(name.slice(0, -'.calls'.length));
    texts.set(name, JSON.stringify(calls.map(({argv, env}) => [argv, env])));
  }
  const found = [...texts].flatMap(([name, text]) =>
    forms.filter(form => text.includes(form)).map(form => `${form} in ${name}`)
  );
  expect(found).toEqual([]);
}

/** An archive as Docker's are, with the fake in it. */
async function archive(): Promise<Buffer> {
  const folder = join(place.directory, 'packed');
  await mkdir(join(folder, 'docker'), {recursive: true});
  const program = await place.serve('docker', new FakeDaemon().answer);
  await rename(program, join(folder, 'docker', 'docker'));
  await run('tar', ['-czf', join(place.directory, 'docker.tgz'), '-C', folder, 'docker']);
  // What unpacking needs is on PATH, docker is not.
  for (const name of ['tar', 'gzip']) {
    await symlink(programOnPath(name) ?? '', join(place.directory, 'bin', name));
  }
  return await readFile(join(place.directory, 'docker.tgz'));
}

async function site(bytes: Buffer) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.end(bytes);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    }
  };
}

describeOnPosix('V15 a login that is kept', () => {
  test('is there for later steps; post takes it away, byte for byte', async () => {
    await place.serve('docker', new FakeDaemon().answer);
    const main = await job.run(inputs({'keep-login': 'true', engine: 'docker'}), {
      variables: onlyFake()
    });
    expect({code: main.exitCode, why: errorsOf(main)}).toEqual({code: 0, why: ''});
    const kept = JSON.parse(await readFile(config(), 'utf8')) as {auths: Record<string, unknown>};
    expect(Object.keys(kept.auths)).toEqual(['other.example', target.name]);
    const post = await job.post(main.state, {variables: onlyFake()});
    expect({code: post.exitCode, stderr: post.stderr}).toEqual({code: 0, stderr: ''});
    expect(await readFile(config(), 'utf8')).toBe(before);
    expect(await job.dockerConfigs()).toEqual([]);
    await expectNoCanary(main, post);
  });

  test('of one job is not touched by another one that shares its home', async () => {
    await place.serve('docker', new FakeDaemon().answer);
    const second = await EmbeddedRegistry.start({auth: {kind: 'basic', username: 'me', password}});
    await using other = await Job.begin();
    const shared = {variables: {...onlyFake(), HOME: job.home}};
    const keep = {'keep-login': 'true', images: 'arc-controller'};
    const one = await job.run(inputs(keep), shared);
    const two = await other.run(
      inputs({
        ...keep,
        'target-registry': second.name,
        'insecure-registries': `${source.name}\n${second.name}`
      }),
      shared
    );
    expect([one.exitCode, two.exitCode]).toEqual([0, 0]);
    const hosts = async () =>
      Object.keys((JSON.parse(await readFile(config(), 'utf8')) as {auths: object}).auths);
    expect(await hosts()).toEqual(['other.example', target.name, second.name]);
    await job.post(one.state, shared);
    expect(await hosts()).toEqual(['other.example', second.name]);
    await other.post(two.state, shared);
    expect(JSON.parse(await readFile(config(), 'utf8'))).toEqual(JSON.parse(before));
    await expectNoCanary(one, two);
    await second[Symbol.asyncDispose]();
  });

  test.each(['SIGINT', 'SIGKILL'] as const)('is taken away after %s too', async signal => {
    const daemon = new FakeDaemon({
      before: async ({command}) => {
        if (command === 'pull') await hang();
      }
    });
    await place.serve('docker', daemon.answer);
    const running = await job.start(inputs({'keep-login': 'true', engine: 'docker'}), {
      variables: onlyFake()
    });
    await until('docker pulls', async () =>
      (await place.calls()).some(({argv}) => argv[0] === 'pull')
    );
    expect(await readFile(config(), 'utf8')).not.toBe(before);
    running.kill(signal);
    const main = await running.end;
    expect(main.exitCode).not.toBe(0);
    expect(main.milliseconds).toBeLessThan(30_000);
    const post = await job.post(main.state, {variables: onlyFake()});
    expect(post.exitCode).toBe(0);
    expect(await readFile(config(), 'utf8')).toBe(before);
    expect(await job.dockerConfigs()).toEqual([]);
    await expectNoCanary(main, post);
  });
});

describeOnPosix('V18 a machine without docker', () => {
  const version = {'docker-version': '29.6.2', engine: 'docker'};

  test('gets a client from the tool cache, once for all jobs, when its checksum is right', async () => {
    const bytes = await archive();
    await using downloads = await site(bytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const given = inputs({
      ...version,
      'docker-sha256': sha256,
      'docker-download-url': `http://${downloads.host}/copy`,
      'insecure-registries': `${source.name}\n${target.name}\n${downloads.host}`
    });
    const one = await job.run(given, {variables: onlyFake()});
    expect({code: one.exitCode, why: errorsOf(one)}).toEqual({code: 0, why: ''});
    expect(one.stdout).toContain(`docker is signed in at ${target.name}`);
    expect(downloads.asked).toHaveLength(1);
    expect(downloads.asked[0]).toMatch(/^\/copy\/.*\/docker-29\.6\.2\.tgz$/);
    const two = await job.run({...given, images: 'arc-controller'}, {variables: onlyFake()});
    expect(two.exitCode).toBe(0);
    expect(downloads.asked).toHaveLength(1);
    expect(await readFile(config(), 'utf8')).toBe(before);
    await expectNoCanary(one, two);
  });

  test('gets none with another checksum, and says both', async () => {
    await using downloads = await site(await archive());
    const wrong = 'a'.repeat(64);
    const end = await job.run(
      inputs({
        ...version,
        'docker-sha256': wrong,
        'docker-download-url': `http://${downloads.host}`,
        'insecure-registries': `${source.name}\n${target.name}\n${downloads.host}`
      }),
      {variables: onlyFake()}
    );
    expect(end.exitCode).toBe(1);
    expect(errorsOf(end)).toMatch(
      new RegExp(
        `no docker client on PATH, and .* SHA-256 checksum [0-9a-f]{64}, wanted is ${wrong}`
      )
    );
    // Nothing of it was run.
    expect(await place.calls()).toEqual([]);
    expect(target.store.tagEvents).toEqual([]);
    await expectNoCanary(end);
  });

  test('is not held up by a download that does not come when the run is over', async () => {
    const asked: string[] = [];
    const server = createServer(({url = ''}, response) => {
      asked.push(url);
      response.writeHead(200).write('a beginning');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const running = await job.start(
      inputs({
        ...version,
        'docker-sha256': 'a'.repeat(64),
        'docker-download-url': `http://${host}`,
        'insecure-registries': `${source.name}\n${target.name}\n${host}`
      }),
      {variables: onlyFake()}
    );
    await until('docker is downloaded', () => Promise.resolve(asked.length > 0));
    const signals: NodeJS.Signals[] = ['SIGINT'];
    running.kill('SIGINT');
    const late = setTimeout(() => {
      signals.push('SIGKILL');
      running.kill('SIGKILL');
    }, 7_000);
    const end = await running.end;
    clearTimeout(late);
    server.closeAllConnections();
    server.close();
    expect(errorsOf(end)).toContain('the run was cancelled');
    expect(signals).toEqual(['SIGINT']);
    expect(end.exitCode).toBe(1);
  }, 60_000);

  test('loads none down only to sign in, where the registry client does the work', async () => {
    await using downloads = await site(Buffer.from('never'));
    const end = await job.run(
      inputs({
        'docker-version': '29.6.2',
        'docker-sha256': 'a'.repeat(64),
        'docker-download-url': `http://${downloads.host}`,
        'insecure-registries': `${source.name}\n${target.name}\n${downloads.host}`
      }),
      {variables: {PATH: join(place.directory, 'nowhere')}}
    );
    expect(end.exitCode).toBe(0);
    expect(end.stdout).toContain(
      `docker could not sign in at ${target.name}: there is no docker client on PATH; the registry client's own handshake decides`
    );
    expect(downloads.asked).toEqual([]);
  });
});

describeOnPosix('V14 log-secrets the password', () => {
  test.each<[string, FakeDaemonOptions['before'], Readonly<Record<string, string>>]>([
    ['in a run that goes well, with all that is said', undefined, {RUNNER_DEBUG: '1'}],
    [
      'when docker is refused and says it aloud',
      ({command, stdin}) => {
        const basic = Buffer.from(`me:${stdin}`).toString('base64');
        if (command === 'login')
          fail(`::add-mask::x\n::set-output name=digest::evil\nunauthorized: ${stdin} ${basic}`);
      },
      {}
    ],
    [
      'when docker prints commands',
      ({command, env}) => {
        if (command === 'push') {
          const commands =
            '::set-output name=digest::evil\n##[set-output name=digest]evil\r\u001b[2J';
          fail(commands + JSON.stringify(env));
        }
      },
      {}
    ]
  ])('goes nowhere %s', async (_, says, variables) => {
    await place.serve('docker', new FakeDaemon(says === undefined ? {} : {before: says}).answer);
    const end = await job.run(inputs({engine: 'docker'}), {
      variables: {...onlyFake(), ...variables}
    });
    expect(end.exitCode).toBe(says === undefined ? 0 : 1);
    expect(end.stdout).not.toContain('##[');
    expect(end.commands.filter(({name}) => name.startsWith('set-'))).toEqual([]);
    expect(Object.keys(end.outputs)).not.toContain('digest');
    expect(await readFile(config(), 'utf8')).toBe(before);
    expect(await job.dockerConfigs()).toEqual([]);
    await expectNoCanary(end);
  });
});
