import {readFile, rm} from 'node:fs/promises';
import {join} from 'node:path';

import {afterAll, beforeAll, describe, expect, test} from '@jest/globals';
import {Ajv2020} from 'ajv/dist/2020.js';

import {
  buildRelease,
  sampleNames,
  type SampleOptions,
  type SampleRelease
} from '../../src/demo/sample.ts';
import {
  downloads,
  type Logged,
  manifestPuts,
  mounts,
  requestsOf,
  uploads
} from '../support/access-log.ts';
import {type Certificates, makeCertificates} from '../support/certificates.ts';
import {
  type Distribution,
  distributionInstalled,
  startDistribution
} from '../support/distribution.ts';
import {Skopeo, skopeoInstalled} from '../support/skopeo.ts';
import {Job, type StepEnd} from '../support/step.ts';
import {seedStorage} from '../support/storage.ts';

const wanted = distributionInstalled() && skopeoInstalled() ? describe : describe.skip;

const account = {username: 'robot$mirror', password: `c"a$n%a'r y+päß`};
const first: SampleOptions = {tag: 'v1.45.0_2026-04-14', month: 1};
const second: SampleOptions = {tag: 'v1.46.0_2026-05-12', month: 2};
const repository = 'team/arcdata';

/** Bytes of all manifests of a release. */
function manifestBytes({images}: SampleRelease): number {
  return images
    .flatMap(({children, root}) => [...children, root])
    .reduce((total, {body}) => total + body.length, 0);
}

/** The blobs of a release, each once. */
function blobsOf({images}: SampleRelease): ReadonlyMap<string, Buffer> {
  return new Map(
    images.flatMap(({blobs}) => blobs.map(({digest, bytes}) => [digest as string, bytes] as const))
  );
}

function total(sizes: Iterable<{readonly length: number}>): number {
  return [...sizes].reduce((sum, {length}) => sum + length, 0);
}

const sorted = (texts: Iterable<string>) => [...texts].sort();

/** What the plan line says: bytes to copy, to mount and already there. */
function planOf({stdout}: StepEnd): readonly number[] {
  const line = stdout.split('\n').find(text => text.startsWith('Plan: ')) ?? '';
  return [...line.matchAll(/([\d,]+) (?:bytes|B)\b/g)].map(([, digits = '']) =>
    Number(digits.replaceAll(',', ''))
  );
}

// The tests tell one story, each beginning where the one before it ended.
wanted('the built action between two real registries', () => {
  let source: Distribution;
  let target: Distribution;
  let certificates: Certificates;
  let here: Skopeo;
  let there: Skopeo;
  let job: Job;
  let inputs: Record<string, string>;
  /** How many requests each has seen before the step at hand. */
  const seen = {source: 0, target: 0};
  const releases = {first: buildRelease(first), second: buildRelease(second)};

  /** Runs the step, and tells what each registry was asked meanwhile. */
  async function step(more: Readonly<Record<string, string>> = {}): Promise<{
    readonly end: StepEnd;
    readonly source: readonly Logged[];
    readonly target: readonly Logged[];
  }> {
    seen.source = (await requestsOf(source)).length;
    seen.target = (await requestsOf(target)).length;
    const end = await job.run(
      {...inputs, ...more},
      {variables: {SSL_CERT_FILE: certificates.caFile}}
    );
    return {
      end,
      source: (await requestsOf(source)).slice(seen.source),
      target: (await requestsOf(target)).slice(seen.target)
    };
  }

  beforeAll(async () => {
    certificates = await makeCertificates();
    const started = await Promise.all([
      startDistribution(),
      startDistribution({htpasswd: account, tls: certificates})
    ]);
    [source, target] = started as [Distribution, Distribution];
    here = await Skopeo.at({host: source.host});
    there = await Skopeo.at({host: target.host, ca: certificates.ca, account});
    job = await Job.begin();
    inputs = {
      'source-registry': source.host,
      'target-registry': target.host,
      'target-repository': repository,
      'target-username': account.username,
      'target-password': account.password,
      'insecure-registries': source.host,
      'ca-file': certificates.caFile
    };
    await seedStorage(source.storage, 'arcdata', first);
    // Decoys: an older release that sorts behind by its letters, what looks like a newer one, what
    // looks like nothing, and a dead repository.
    const names = ['arc-controller', 'arc-sqlmi'];
    await seedStorage(source.storage, 'arcdata', {tag: 'v1.9.0_2022-07-12', names, seed: 9});
    await seedStorage(source.storage, 'arcdata', {tag: 'v1.44.0_2026-03-10', names, month: 0});
    for (const tag of [
      'v1.46.0_2026-05-12_5ba6b837',
      'v1.99.0_2026-02-30',
      'v1.47.0_2026-6-9',
      'v01.50.0_2026-08-11',
      'V1.60.0_2027-01-12',
      'public-preview-jun-2021',
      'latest',
      'zzz'
    ]) {
      await seedStorage(source.storage, 'arcdata', {tag, names: ['arc-controller'], seed: 9});
    }
    await seedStorage(source.storage, 'arcdata', {
      tag: 'v1.9.0_2022-07-12',
      names: ['arc-kafka'],
      seed: 9
    });
  }, 60_000);

  afterAll(async () => {
    for (const one of [job, here, there, source, target, certificates])
      await (one as AsyncDisposable | undefined)?.[Symbol.asyncDispose]();
  });

  /** Asks skopeo at both ends for every image of a release, children included. */
  async function expectSame(release: SampleRelease): Promise<void> {
    for (const {name, root, children} of release.images) {
      const [from, to] = await Promise.all([
        here.manifest(`arcdata/${name}`, release.tag),
        there.manifest(`${repository}/${name}`, release.tag)
      ]);
      expect({name, ...to}).toEqual({name, ...from});
      expect(to.digest).toBe(root.digest);
      expect(to.children).toEqual(children.map(({digest}) => digest));
      for (const child of to.children) {
        const found = await there.manifest(`${repository}/${name}`, child);
        expect({name, child: found.digest}).toEqual({name, child});
      }
    }
  }

  let mirrored: Awaited<ReturnType<typeof step>>;

  test('the first run mirrors the newest release', async () => {
    mirrored = await step();
    const {end} = mirrored;
    expect(end.stderr).toBe('');
    expect({code: end.exitCode, log: end.exitCode === 0 ? '' : end.stdout}).toEqual({
      code: 0,
      log: ''
    });
    expect(end.outputs).toMatchObject({release: first.tag, changed: 'true'});
  });

  test('every digest at the target is the source’s, as skopeo sees it', async () => {
    const kinds = new Set<string>();
    for (const {root} of releases.first.images) kinds.add(root.mediaType);
    // All four kinds are among them.
    expect(sorted(kinds)).toEqual([
      'application/vnd.docker.distribution.manifest.list.v2+json',
      'application/vnd.docker.distribution.manifest.v2+json',
      'application/vnd.oci.image.index.v1+json',
      'application/vnd.oci.image.manifest.v1+json'
    ]);
    expect(releases.first.images).toHaveLength(20);
    await expectSame(releases.first);
  });

  test('nothing but the release is at the target', async () => {
    const tags = await Promise.all(sampleNames.map(name => there.tags(`${repository}/${name}`)));
    expect(tags).toEqual(sampleNames.map(() => [first.tag]));
    const pushed = manifestPuts(mirrored.target).map(put => put.repository);
    expect(sorted(new Set(pushed))).toEqual(
      sorted(sampleNames.map(name => `${repository}/${name}`))
    );
  });

  test('tags come after all digests, those of arc-bootstrapper and arc-controller last', () => {
    const puts = manifestPuts(mirrored.target);
    const tagged = puts.filter(({reference}) => !reference.startsWith('sha256:'));
    const firstTag = puts.findIndex(({reference}) => !reference.startsWith('sha256:'));
    expect(puts.slice(0, firstTag)).toHaveLength(24);
    expect(puts.slice(firstTag)).toEqual(tagged);
    expect(tagged).toHaveLength(20);
    expect(tagged.slice(-2)).toEqual([
      {repository: `${repository}/arc-bootstrapper`, reference: first.tag},
      {repository: `${repository}/arc-controller`, reference: first.tag}
    ]);
    // No blob after the first tag either.
    const log = mirrored.target;
    const tagAt = log.findIndex(
      ({method, path}) => method === 'PUT' && path.endsWith(`/manifests/${first.tag}`)
    );
    expect(tagAt).toBeGreaterThan(0);
    expect(uploads(log.slice(tagAt)).concat(mounts(log.slice(tagAt)))).toEqual([]);
  });

  test('each unique byte was read once and written once', () => {
    const blobs = blobsOf(releases.first);
    const read = downloads(mirrored.source);
    expect(sorted(read.map(({digest}) => digest))).toEqual(sorted(blobs.keys()));
    expect(read.reduce((sum, {bytes}) => sum + bytes, 0)).toBe(releases.first.uniqueBytes);
    expect(sorted(uploads(mirrored.target))).toEqual(sorted(blobs.keys()));
    // What several repositories need is mounted, not sent again.
    const needed = releases.first.images.reduce((sum, {blobs: own}) => sum + own.length, 0);
    expect(mounts(mirrored.target)).toHaveLength(needed - blobs.size);
  });

  test('plan and outputs tell the bytes that travelled', () => {
    const {end} = mirrored;
    const copied = releases.first.uniqueBytes + manifestBytes(releases.first);
    const mounted = releases.first.summedBytes - releases.first.uniqueBytes;
    expect(planOf(end)).toEqual([copied, mounted, 0]);
    expect(end.outputs).toMatchObject({
      'bytes-copied': String(copied),
      'bytes-mounted': String(mounted),
      'bytes-present': '0'
    });
  });

  test('there is an output for every image, and all the others', () => {
    const {outputs} = mirrored.end;
    for (const {name, root} of releases.first.images) {
      expect(outputs[name]).toBe(
        `${target.host}/${repository}/${name}:${first.tag}@${root.digest}`
      );
    }
    const rows = JSON.parse(outputs.images ?? '') as Record<string, unknown>[];
    expect(sorted(rows.map(({name}) => String(name)))).toEqual(sorted(sampleNames));
    const digests = new Map(releases.first.images.map(({name, root}) => [name, root.digest]));
    for (const row of rows) {
      expect(row).toMatchObject({
        release: first.tag,
        status: 'copied',
        digest: digests.get(String(row.name)),
        source: `${source.host}/arcdata/${String(row.name)}:${first.tag}@${String(row.digest)}`,
        target: outputs[String(row.name)]
      });
      expect(row).not.toHaveProperty('error');
    }
    expect(JSON.parse(outputs.releases ?? '')).toEqual([first.tag]);
    expect(JSON.parse(outputs['hand-over'] ?? '')).toMatchObject({
      docker: {registry: target.host, repository, imageTag: first.tag}
    });
    expect(outputs['hand-over']).toContain(`${target.host}/${repository}/arc-bootstrapper`);
  });

  test('the lock file is as its schema says, and names every digest', async () => {
    const path = mirrored.end.outputs['lock-file'] ?? '';
    expect(path).toBe(join(job.temp, 'arcdata-mirror.lock.json'));
    const lock = JSON.parse(await readFile(path, 'utf8')) as {
      releases: {tag: string; published: boolean; images: {name: string; digest: string}[]}[];
    };
    const schema = JSON.parse(
      await readFile(new URL('../../docs/lock-file.schema.json', import.meta.url), 'utf8')
    ) as object;
    const validate = new Ajv2020({strict: true}).compile(schema);
    expect({valid: validate(lock), errors: validate.errors}).toEqual({valid: true, errors: null});
    expect(validate({...lock, source: 1})).toBe(false);
    expect(lock.releases).toMatchObject([{tag: first.tag, published: true}]);
    const locked = lock.releases[0]?.images.map(({name, digest}) => `${name}@${digest}`) ?? [];
    expect(sorted(locked)).toEqual(
      sorted(releases.first.images.map(({name, root}) => `${name}@${root.digest}`))
    );
  });

  test('the summary has the table and the hand-over', () => {
    const {summary} = mirrored.end;
    expect(summary).toContain('Mirrored 20 images of');
    expect(summary).toMatch(/\| *Image *\| *Result *\| *Digest *\|/);
    for (const {name, root} of releases.first.images) {
      const row = summary
        .split('\n')
        .find(line => line.startsWith('|') && line.includes(`>${name}<`));
      expect(row ?? `no row of ${name}`).toContain(root.digest.slice(7, 19));
    }
    expect(summary).toContain('Hand-over');
  });

  test('docker signed in, in private, and nothing of it is left', async () => {
    const {end} = mirrored;
    expect(end.stdout).toContain(`docker is signed in at ${target.host}`);
    const directory = end.state['docker-config'] ?? '';
    expect(directory.startsWith(join(job.temp, 'arcdata-mirror-docker-'))).toBe(true);
    expect(await job.dockerConfigs()).toEqual([]);
    const paths = [...(await job.files()).keys()];
    expect(paths.filter(path => path.includes('.docker') || path.endsWith('config.json'))).toEqual(
      []
    );
    const after = await job.post(end.state);
    expect({code: after.exitCode, stderr: after.stderr}).toEqual({code: 0, stderr: ''});
  });

  test('a second run finds everything there and changes nothing', async () => {
    const again = await step();
    expect(again.end.exitCode).toBe(0);
    expect(again.end.stdout).toContain('Already complete');
    expect(again.end.summary).toContain('Already complete');
    const all = releases.first.summedBytes + manifestBytes(releases.first);
    expect(again.end.outputs).toMatchObject({
      changed: 'false',
      'bytes-copied': '0',
      'bytes-mounted': '0',
      'bytes-present': String(all),
      'arc-sqlmi': mirrored.end.outputs['arc-sqlmi']
    });
    expect(again.target.length).toBeGreaterThan(20);
    expect(again.target.filter(({method}) => method !== 'GET' && method !== 'HEAD')).toEqual([]);
    // Not a blob is read, at either end.
    expect(downloads(again.source).concat(downloads(again.target))).toEqual([]);
  });

  const blobPath = (digest: string) =>
    join(
      ...[target.storage, 'docker/registry/v2/blobs/sha256', digest.slice(7, 9)],
      ...[digest.slice(7), 'data']
    );
  const linkPath = (name: string, digest: string) =>
    join(
      ...[target.storage, 'docker/registry/v2/repositories', repository, name],
      ...['_layers/sha256', digest.slice(7), 'link']
    );
  /** The digest of a blob that so many images have, and the images. */
  function sharedBy(test: (count: number) => boolean): {digest: string; names: readonly string[]} {
    const users = new Map<string, string[]>();
    for (const {name, blobs} of releases.first.images) {
      for (const {digest} of blobs) users.set(digest, [...(users.get(digest) ?? []), name]);
    }
    const [digest = '', names = []] = [...users].find(([, all]) => test(all.length)) ?? [];
    expect(digest).not.toBe('');
    return {digest, names};
  }

  test('a blob that was lost is mended, and nothing else', async () => {
    const {digest, names} = sharedBy(count => count === 1);
    await rm(blobPath(digest));
    await rm(linkPath(names[0] ?? '', digest));
    const {end, source: asked, target: told} = await step();
    expect(end.exitCode).toBe(0);
    const size = blobsOf(releases.first).get(digest)?.length ?? 0;
    expect(end.outputs).toMatchObject({changed: 'false', 'bytes-copied': String(size)});
    expect(end.stdout).toContain('Repaired');
    expect(downloads(asked)).toEqual([{digest, bytes: size}]);
    expect(uploads(told)).toEqual([digest]);
    expect([...mounts(told), ...manifestPuts(told)]).toEqual([]);
    await expectSame(releases.first);
  });

  test('a shared blob that one repository lost is taken over from another', async () => {
    const {digest, names} = sharedBy(count => count > 2);
    await rm(linkPath(names.at(-1) ?? '', digest));
    const {end, source: asked, target: told} = await step();
    expect(end.exitCode).toBe(0);
    const size = blobsOf(releases.first).get(digest)?.length ?? 0;
    expect(end.outputs).toMatchObject({
      changed: 'false',
      'bytes-copied': '0',
      'bytes-mounted': String(size)
    });
    expect(downloads(asked)).toEqual([]);
    expect([uploads(told), mounts(told), manifestPuts(told)]).toEqual([[], [digest], []]);
  });

  test('a shared blob whose bytes are gone travels once, for all', async () => {
    const {digest, names} = sharedBy(count => count > 2);
    await rm(blobPath(digest));
    const {end, source: asked, target: told} = await step();
    expect(end.exitCode).toBe(0);
    const size = blobsOf(releases.first).get(digest)?.length ?? 0;
    expect(end.outputs).toMatchObject({
      changed: 'false',
      'bytes-copied': String(size),
      'bytes-mounted': String(size * (names.length - 1))
    });
    expect(downloads(asked)).toEqual([{digest, bytes: size}]);
    expect(uploads(told)).toEqual([digest]);
    expect(mounts(told)).toEqual(names.slice(1).map(() => digest));
    expect(manifestPuts(told)).toEqual([]);
  });

  test('next month only what is new moves', async () => {
    await seedStorage(source.storage, 'arcdata', second);
    const {end, source: asked, target: told} = await step();
    expect(end.exitCode).toBe(0);
    expect(end.outputs).toMatchObject({release: second.tag, changed: 'true'});

    const old = blobsOf(releases.first);
    const fresh = new Map([...blobsOf(releases.second)].filter(([digest]) => !old.has(digest)));
    // It is a month like any other: four fifths of the bytes are known.
    expect(total(fresh.values()) / releases.second.uniqueBytes).toBeGreaterThan(0.15);
    expect(total(fresh.values()) / releases.second.uniqueBytes).toBeLessThan(0.25);
    const read = downloads(asked);
    expect(sorted(read.map(({digest}) => digest))).toEqual(sorted(fresh.keys()));
    expect(read.reduce((sum, {bytes}) => sum + bytes, 0)).toBe(total(fresh.values()));
    expect(sorted(uploads(told))).toEqual(sorted(fresh.keys()));
    const copied = total(fresh.values()) + manifestBytes(releases.second);
    expect(planOf(end)[0]).toBe(copied);
    expect(end.outputs['bytes-copied']).toBe(String(copied));
    await expectSame(releases.second);
    // The tag of the month before stays: upgrades need it.
    expect(await there.tags(`${repository}/arc-controller`)).toEqual([first.tag, second.tag]);
    await expectSame(releases.first);
  });

  test('wrong credentials end the run at the sign-in, and name the registry', async () => {
    const {end, source: asked, target: told} = await step({'target-password': 'wrong-password'});
    expect(end.exitCode).toBe(1);
    const errors = end.commands.filter(({name}) => name === 'error').map(({data}) => data);
    expect(errors.join('\n')).toContain(target.host);
    expect(errors.join('\n')).toMatch(/401|credentials|password/);
    // Nothing but the handshake: at neither end anything was asked for.
    expect(told.map(({path}) => path.split('?', 1)[0]).filter(path => path !== '/v2/')).toEqual([]);
    expect(asked.map(({path}) => path).filter(path => path !== '/v2/')).toEqual([]);
    expect(end.outputs).toMatchObject({changed: 'false', release: ''});
    expect(end.stdout).not.toContain('::group::Plan');
    expect(await job.dockerConfigs()).toEqual([]);
  });
});
