import {execFile} from 'node:child_process';
import {mkdir, readFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {promisify} from 'node:util';

import {afterAll, beforeAll, describe, expect, test} from '@jest/globals';
import {Ajv2020} from 'ajv/dist/2020.js';

import {buildRelease, type SampleOptions} from '../../src/demo/sample.ts';
import {type LockedImage, readLockFile} from '../../src/report/lockfile.ts';
import {manifestPuts, requestsOf} from '../support/access-log.ts';
import {
  type Distribution,
  distributionInstalled,
  startDistribution
} from '../support/distribution.ts';
import {type Dockerd, dockerdInstalled, startDockerd} from '../support/dockerd.ts';
import {Job, type StepEnd} from '../support/step.ts';
import {seedStorage} from '../support/storage.ts';

const run = promisify(execFile);
// Whether one starts here is only known once that was tried.
const tried = dockerdInstalled() && distributionInstalled() ? await startDockerd() : undefined;
const wanted = tried === undefined ? describe.skip : describe;
/** Of all kinds that there are; a daemon takes its time for each. */
const names = [
  'arc-bootstrapper',
  'arc-controller',
  'arc-controller-db',
  'arc-dns',
  'arc-monitor-fluentbit',
  'arc-monitor-telegraf',
  'arc-sqlmi'
];
const month: SampleOptions = {tag: 'v1.46.0_2026-05-12', month: 1, names};
const release = buildRelease(month);
const account = {username: 'me', password: `c"a$n%a'r y+engine`};
const accept = [
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json'
].join(', ');

interface Manifest {
  readonly digest: string;
  readonly config?: {readonly digest: string};
  readonly layers?: readonly {readonly digest: string; readonly size: number}[];
  readonly manifests?: readonly {
    readonly digest: string;
    readonly platform: {readonly architecture: string};
  }[];
}

/** A registry as a stranger sees it. */
class Reader {
  readonly #base: string;
  readonly #headers: Record<string, string>;

  constructor({url}: Distribution, repository: string, signedIn = false) {
    const {username, password} = account;
    const basic = Buffer.from(`${username}:${password}`).toString('base64');
    this.#base = `${url}/v2/${repository}`;
    this.#headers = signedIn ? {Authorization: `Basic ${basic}`} : {};
  }

  async #get(path: string, headers: Record<string, string> = {}): Promise<Response> {
    const answer = await fetch(`${this.#base}${path}`, {headers: {...this.#headers, ...headers}});
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status}`);
    return answer;
  }

  async manifest(name: string, reference: string): Promise<Manifest> {
    const answer = await this.#get(`/${name}/manifests/${reference}`, {Accept: accept});
    const digest = answer.headers.get('docker-content-digest') ?? '';
    return {digest, ...((await answer.json()) as object)};
  }

  /** The unpacked layers' digests. */
  async content(name: string, {config}: Manifest): Promise<readonly string[]> {
    const answer = await this.#get(`/${name}/blobs/${config?.digest ?? ''}`);
    return ((await answer.json()) as {rootfs: {diff_ids: string[]}}).rootfs.diff_ids;
  }

  async tags(name: string): Promise<readonly string[]> {
    return ((await (await this.#get(`/${name}/tags/list`)).json()) as {tags: string[]}).tags;
  }
}

// The tests tell one story, each beginning where the one before it ended.
wanted('the same release by both engines', () => {
  let daemon: Dockerd;
  let source: Distribution;
  let plain: Distribution;
  let locked: Distribution;
  let job: Job;
  let byRegistry: StepEnd;
  let byDocker: StepEnd;
  /** The lock file of the docker engine. */
  let images = new Map<string, LockedImage>();

  beforeAll(async () => {
    const started = await Promise.all([
      startDistribution(),
      startDistribution(),
      startDistribution({htpasswd: account})
    ]);
    if (tried !== undefined) daemon = tried;
    [source, plain, locked] = started as [Distribution, Distribution, Distribution];
    job = await Job.begin();
    await seedStorage(source.storage, 'arcdata', month);
  }, 60_000);

  afterAll(async () => {
    for (const one of [job, daemon, source, plain, locked])
      await (one as AsyncDisposable | undefined)?.[Symbol.asyncDispose]();
  }, 60_000);

  const mirror = (target: Distribution, more: Readonly<Record<string, string>> = {}) =>
    job.run(
      {
        'source-registry': source.host,
        'target-registry': target.host,
        'target-repository': 'mirror/arcdata',
        'insecure-registries': `${source.host}\n${target.host}`,
        images: names.join('\n'),
        ...more
      },
      {variables: {DOCKER_HOST: daemon.host}}
    );
  const docker = {
    engine: 'docker',
    'target-username': account.username,
    'target-password': account.password
  };

  test('both say that they did it', async () => {
    byRegistry = await mirror(plain);
    expect({code: byRegistry.exitCode, stderr: byRegistry.stderr}).toEqual({code: 0, stderr: ''});
    byDocker = await mirror(locked, docker);
    expect({
      code: byDocker.exitCode,
      stderr: byDocker.stderr,
      log: byDocker.exitCode === 0 ? '' : byDocker.stdout
    }).toEqual({code: 0, stderr: '', log: ''});
    for (const {outputs} of [byRegistry, byDocker]) {
      expect(outputs).toMatchObject({release: month.tag, changed: 'true'});
    }
  }, 90_000);

  test('the lock file names both digests, and is as its schema says', async () => {
    const text = await readFile(byDocker.outputs['lock-file'] ?? '', 'utf8');
    const schema = JSON.parse(
      await readFile(new URL('../../docs/lock-file.schema.json', import.meta.url), 'utf8')
    ) as object;
    const validate = new Ajv2020({strict: true}).compile(schema);
    expect({valid: validate(JSON.parse(text)), errors: validate.errors}).toEqual({
      valid: true,
      errors: null
    });
    const [locked] = readLockFile(text).releases;
    expect(locked).toMatchObject({tag: month.tag, published: true});
    images = new Map(locked?.images.map(image => [image.name, image]));
    for (const {name, root} of release.images) {
      expect(images.get(name)).toMatchObject({
        status: 'copied',
        source: `${source.host}/arcdata/${name}:${month.tag}@${root.digest}`,
        target: byDocker.outputs[name]
      });
    }
  });

  test('image by image the content is the same, and what became of the digest is told', async () => {
    const one = new Reader(plain, 'mirror/arcdata');
    const other = new Reader(locked, 'mirror/arcdata', true);
    const from = new Reader(source, 'arcdata');
    const found = {kept: 0, 'one-platform': 0, rewritten: 0, cut: 0};
    for (const {name, root} of release.images) {
      const [kept, sent] = await Promise.all([
        one.manifest(name, month.tag),
        other.manifest(name, month.tag)
      ]);
      expect({name, digest: kept.digest}).toEqual({name, digest: root.digest});
      // What docker sends of an index is the manifest for this platform.
      const child = kept.manifests?.find(({platform}) => platform.architecture === 'amd64');
      const meant = child === undefined ? kept : await from.manifest(name, child.digest);
      expect({name, config: sent.config?.digest}).toEqual({name, config: meant.config?.digest});
      expect(sent.layers).toHaveLength(meant.layers?.length ?? -1);
      expect(await other.content(name, sent)).toEqual(await from.content(name, meant));
      expect(images.get(name)?.digest).toBe(sent.digest);
      const fate =
        sent.digest === root.digest
          ? 'kept'
          : sent.digest === child?.digest
            ? 'one-platform'
            : 'rewritten';
      expect({name, ...images.get(name)?.throughDocker}).toEqual({
        name,
        fate,
        platform: 'linux/amd64'
      });
      found[fate]++;
      found.cut += child === undefined ? 0 : 1;
      const {copied = 0, mounted = 0, present = 0} = images.get(name)?.bytes ?? {};
      const layers = sent.layers ?? [];
      expect(copied + mounted + present).toBeGreaterThan(
        layers.reduce((sum, {size}) => sum + size, 0)
      );
    }
    expect(found.cut).toBe(2);
    const sentence = `Through the docker daemon: ${found.kept} digest${found.kept === 1 ? '' : 's'} kept, ${found.rewritten} rewritten; of 2 images for several platforms only linux/amd64 travelled.`;
    expect(byDocker.stdout).toContain(sentence);
    expect(byDocker.summary).toContain(`${found.rewritten} rewritten; of 2 images`);
    expect(byDocker.summary).toContain(`This run mirrored a part of ${month.tag}, as images says`);
    expect(byDocker.summary.replaceAll('\u00a0', ' ')).toContain(
      '✅ copied<br>digest rewritten, linux/amd64 only'
    );
  }, 60_000);

  test('layers that several images share were not sent with each', () => {
    const {outputs} = byDocker;
    const shared = Number(outputs['bytes-mounted']) + Number(outputs['bytes-present']);
    expect(shared).toBeGreaterThan(0);
    expect(Number(outputs['bytes-copied'])).toBeGreaterThan(release.uniqueBytes / 4);
  });

  test('the tags came when all images were there, those of arc-bootstrapper and arc-controller last', async () => {
    const puts = manifestPuts(await requestsOf(locked));
    const at = puts.findIndex(({reference}) => reference === month.tag);
    expect(at).toBe(names.length);
    const staged = new Set(puts.slice(0, at).map(({reference}) => reference));
    expect([...staged]).toEqual([expect.stringMatching(/^mirror-[0-9a-f]{24}$/)]);
    const tagged = puts.slice(at);
    expect(new Set(tagged.map(({reference}) => reference))).toEqual(new Set([month.tag]));
    expect(tagged.map(({repository}) => repository).slice(-2)).toEqual([
      'mirror/arcdata/arc-bootstrapper',
      'mirror/arcdata/arc-controller'
    ]);
  });

  test('the staging tags that this registry does not give up are told of', async () => {
    const reader = new Reader(locked, 'mirror/arcdata', true);
    const tags = await reader.tags('arc-controller');
    expect(tags).toHaveLength(2);
    const [staging = ''] = tags.filter(tag => tag !== month.tag);
    const notices = byDocker.commands.filter(({name}) => name === 'notice');
    expect(notices.map(({data}) => data).join()).toContain(
      `${names.length} images keep the tag ${staging} at ${locked.host}`
    );
  });

  test('nothing of it stays at the daemon or on disk', async () => {
    const all = ['-H', daemon.host, 'images', '--all', '--quiet'];
    expect((await run('docker', all)).stdout).toBe('');
    expect(await job.dockerConfigs()).toEqual([]);
  });

  test('what stands there with the source’s digests is not sent again', async () => {
    const again = await mirror(plain, {engine: 'docker'});
    expect(again.exitCode).toBe(0);
    expect(again.stdout).toContain('Already complete');
    expect(again.outputs).toMatchObject({changed: 'false', 'bytes-copied': '0'});
  }, 60_000);

  test('what docker rewrote is sent again, and said', async () => {
    const only = {images: 'arc-dns\narc-controller'};
    const again = await mirror(locked, {...docker, ...only});
    expect(again.exitCode).toBe(0);
    expect(again.stdout).toContain(
      "2 images stand at the target with another digest than the source's"
    );
    // The daemon packs as it did the last time: no tag has to move, and no layer to travel.
    expect(again.outputs).toMatchObject({
      changed: 'false',
      'arc-dns': byDocker.outputs['arc-dns'],
      'arc-controller': byDocker.outputs['arc-controller']
    });
    expect(again.stdout).toContain('Sent again 2 images');
    expect(Number(again.outputs['bytes-copied'])).toBeLessThan(20_000);
  }, 60_000);

  test('wrong credentials end it before anything else, as do none', async () => {
    const seen = manifestPuts(await requestsOf(locked)).length;
    for (const [inputs, message] of [
      [{...docker, 'target-password': 'wrong'}, /401|credentials|password/],
      [{engine: 'docker'}, /401|credentials/]
    ] as const) {
      const end = await mirror(locked, inputs);
      expect(end.exitCode).toBe(1);
      const errors = end.commands.filter(({name}) => name === 'error').map(({data}) => data);
      expect(errors.join()).toMatch(message);
      expect(errors.join()).toContain(locked.host);
    }
    expect(manifestPuts(await requestsOf(locked))).toHaveLength(seen);
  }, 60_000);

  test('the job’s own docker config signs docker in too, and stays as it is', async () => {
    const auth = Buffer.from(`${account.username}:${account.password}`).toString('base64');
    const config = JSON.stringify({auths: {[locked.host]: {auth}}, note: 'mine'});
    await mkdir(join(job.home, '.docker'), {recursive: true});
    const file = join(job.home, '.docker', 'config.json');
    await writeFile(file, config);
    const end = await mirror(locked, {engine: 'docker', images: 'arc-controller'});
    expect({code: end.exitCode, log: end.exitCode === 0 ? '' : end.stdout}).toEqual({
      code: 0,
      log: ''
    });
    expect(end.stdout).toContain(`docker is signed in at ${locked.host}`);
    expect(await readFile(file, 'utf8')).toBe(config);
  }, 60_000);

  test('a daemon that is not there ends it at the sign-in, with what to do', async () => {
    const end = await job.run({
      'source-registry': source.host,
      'target-registry': plain.host,
      'target-repository': 'mirror/arcdata',
      'insecure-registries': `${source.host}\n${plain.host}`,
      engine: 'docker'
    });
    expect(end.exitCode).toBe(1);
    expect(end.stdout).not.toContain('::group::Plan');
    const [error] = end.commands.filter(({name}) => name === 'error');
    expect(error?.data).toContain('Start the docker daemon, or point DOCKER_HOST at one.');
  }, 60_000);
});
