import {readFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';

import {afterEach, beforeEach, describe, expect, test} from '@jest/globals';

import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import {digestOf} from '../../src/oci/digest.ts';
import {mediaTypes} from '../../src/oci/media-type.ts';
import {referrersTag} from '../../src/registry/referrers.ts';
import {imageSet} from '../../src/release/catalog.ts';
import type {LockedImage, LockFile} from '../../src/report/lockfile.ts';
import type {VerifyReport} from '../../src/report/verification.ts';
import {imageOf, indexOf, putImage} from '../support/small-release.ts';
import {type End, Job} from '../support/step.ts';
import {mirrored, ownLayer, putReleases, World} from './world.ts';

const tag = 'v1.46.0_2026-05-12';
const names = imageSet(tag).map(({name}) => name);
/** Of two platforms, as some of the real ones are. */
const index = indexOf(mediaTypes.ociIndex, [
  imageOf('arc-dns amd64', 'oci', []),
  imageOf('arc-dns arm64', 'oci', [])
]);

let world: World;
let job: Job;
/** The lock file of the run that mirrored. */
let lock: string;

beforeEach(async () => {
  world = await World.begin();
  job = await Job.begin();
  putReleases(world.source.store, 'arcdata', [[tag, names.filter(name => name !== 'arc-dns')]]);
  putImage(world.source.store, 'arcdata/arc-dns', index, tag);
  lock = join(job.workspace, 'release.lock.json');
  const {record} = await world.mirror(tag);
  if (record.failure !== undefined) throw new Error(record.failure.message);
});

afterEach(async () => {
  await job[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

type Ends = Pick<World, 'source' | 'target'>;

/** Mirrors as the program does, which writes the lock file. */
async function writeLock(tags = tag): Promise<LockFile> {
  const end = await job.cli([...places(), `--source-tag=${tags}`, `--lock-file=${lock}`]).end;
  expect(end.exitCode).toBe(0);
  return JSON.parse(await readFile(lock, 'utf8')) as LockFile;
}

/** Writes the lock file again, with another arc-sqlmi. */
async function rewrite(file: LockFile, change: (image: LockedImage) => object): Promise<void> {
  const releases = file.releases.map(release => ({
    ...release,
    images: release.images.map(image => (image.name === 'arc-sqlmi' ? change(image) : image))
  }));
  await writeFile(lock, JSON.stringify({...file, releases}));
}

function places({source, target}: Ends = world): string[] {
  return [
    ...['--yes', `--source-registry=${source.name}`, `--target-registry=${target.name}`],
    ...[`--target-repository=${mirrored}`, plain({source, target})]
  ];
}

const plain = ({source, target}: Ends = world) =>
  `--insecure-registries=${source.name},${target.name}`;

interface Verified extends End {
  readonly report: VerifyReport;
}

/** Runs `verify --json`, which may not write anything, neither there nor here. */
async function verify(
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {}
): Promise<Verified> {
  const written = world.writes().length;
  const files = [...(await job.files()).keys()];
  const end = await job.cli(['verify', '--json', ...args], {variables}).end;
  expect(world.writes().slice(written)).toEqual([]);
  expect([...(await job.files()).keys()]).toEqual(files);
  expect({stderr: end.stderr, lines: end.stdout.trimEnd().split('\n').length}).toMatchObject({
    lines: 1
  });
  return {...end, report: JSON.parse(end.stdout) as VerifyReport};
}

const bySource = () => verify([...places(), `--source-tag=${tag}`]);
const byLock = () => verify(['--against', lock, plain()]);

describe('a target that is whole', () => {
  test('is equal to the source', async () => {
    const {exitCode, report} = await bySource();
    expect({exitCode, message: report.message}).toEqual({
      exitCode: 0,
      message: expect.stringMatching(
        /^Verified: 20 images of v1\.46\.0_2026-05-12 at .*\/mirror\/arcdata, whole and as in .*\/arcdata/
      ) as unknown
    });
    expect(report).toMatchObject({
      schemaVersion: 1,
      outcome: 'whole',
      target: `${world.target.name}/${mirrored}`,
      comparedWith: {kind: 'source', place: `${world.source.name}/arcdata`},
      releases: [{tag, targetTag: tag, whole: true}]
    });
    expect(report.images.map(({name}) => name)).toEqual(names);
    const rows = report.images.map(({name, target, expected, found, checked, differences}) => {
      const digest = world.source.store.tag(`arcdata/${name}`, tag);
      expect([expected, found, differences]).toEqual([digest, digest, []]);
      expect(target).toBe(`${world.target.name}/${mirrored}/${name}:${tag}@${digest ?? ''}`);
      return [name, checked.manifests, checked.blobs];
    });
    expect(rows).toEqual(names.map(name => (name === 'arc-dns' ? [name, 3, 2] : [name, 1, 3])));
  });

  test('is whole without a layer that lies at a foreign URL and may not be spread', async () => {
    const bytes = Buffer.from('a layer of somebody else');
    const far = {bytes, digest: digestOf(bytes), urls: ['https://far.example/layer']};
    putImage(world.source.store, 'arcdata/arc-dns', imageOf('far', 'oci', [far]), tag);
    await world.mirror(tag);
    expect(world.target.store.blob(`${mirrored}/arc-dns`, far.digest)).toBeUndefined();
    const {exitCode, report} = await bySource();
    expect({exitCode, outcome: report.outcome}).toEqual({exitCode: 0, outcome: 'whole'});
    // Its config.
    expect(report.images.find(({name}) => name === 'arc-dns')?.checked.blobs).toBe(1);
  });

  test('has an ordinary layer also where that may be had elsewhere', async () => {
    const bytes = Buffer.from('a layer of our own');
    const near = {
      bytes,
      digest: digestOf(bytes),
      urls: ['https://far.example/x'],
      here: true
    } as const;
    putImage(world.source.store, 'arcdata/arc-dns', imageOf('near', 'oci', [near]), tag);
    const {record} = await world.mirror(tag);
    expect(record.failure).toBeUndefined();
    expect(world.target.store.blob(`${mirrored}/arc-dns`, near.digest)).toBeDefined();
  });

  test('is equal to its lock file, without any source', async () => {
    const {releases} = await writeLock();
    expect(releases).toMatchObject([{published: true}]);
    const asked = world.source.requests.length;
    world.source.rule({on: {}, times: 'always', do: {effect: 'drop'}});
    const insecure = `--insecure-registries=${world.target.name}`;
    const {exitCode, report} = await verify(['--against', lock, insecure]);
    expect({exitCode, outcome: report.outcome}).toEqual({exitCode: 0, outcome: 'whole'});
    expect(report.comparedWith).toEqual({kind: 'lock-file', place: lock});
    expect(report.images.map(({name, whole}) => [name, whole])).toEqual(
      names.map(name => [name, true])
    );
    expect(report.requests.source).toBe(0);
    expect(world.source.requests).toHaveLength(asked);
    // Every blob of every repository was asked for.
    const blobs = world.target.requests.filter(
      ({kind, method}) => kind === 'blob' && method === 'HEAD'
    );
    const checked = report.images.reduce((sum, image) => sum + image.checked.blobs, 0);
    expect(blobs.length).toBeGreaterThanOrEqual(checked);
  });

  test('says so to people too', async () => {
    await writeLock();
    const end = await job.cli(['verify', '--against', lock, plain()]).end;
    expect(end).toMatchObject({exitCode: 0, stderr: ''});
    const row = end.stdout.split('\n').find(line => line.startsWith('  ✓ arc-dns '));
    expect(row).toMatch(new RegExp(` 3 +2 +\\S+ k?B  ${index.digest}$`));
    expect(end.stdout.trimEnd().split('\n').at(-1)).toMatch(/^✓ Verified: 20 images of /);
  });

  test('may be a copy of the one that the lock file names', async () => {
    await writeLock();
    await using copy = await EmbeddedRegistry.start({store: world.target.store});
    const insecure = `--insecure-registries=${copy.name}`;
    const there = [`--target-registry=${copy.name}`, `--target-repository=${mirrored}`, insecure];
    const {exitCode, report, stderr} = await verify(['--against', lock, ...there]);
    expect(exitCode).toBe(0);
    expect(report.target).toBe(`${copy.name}/${mirrored}`);
    expect(stderr).toContain(`The lock file was written for ${world.target.name}/${mirrored}`);
    expect(copy.requests.length).toBeGreaterThan(names.length);
  });

  test('may hold several releases', async () => {
    const older = 'v1.45.0_2026-04-14';
    putReleases(world.source.store, 'arcdata', [[older, names]]);
    await writeLock('1.45,1.46');
    const {exitCode, report} = await byLock();
    expect({exitCode, releases: report.releases}).toEqual({
      exitCode: 0,
      releases: [older, tag].map(one => ({tag: one, targetTag: one, whole: true}))
    });
  });

  test('is looked at with the right to read alone', async () => {
    const auth = {kind: 'bearer', username: 'auditor', password: 'read only 7'} as const;
    await using guarded = await EmbeddedRegistry.start({store: world.target.store, auth});
    const args = places({source: world.source, target: guarded});
    const {exitCode, report, stdout, stderr} = await verify([...args, `--source-tag=${tag}`], {
      TARGET_DOCKER_USERNAME: auth.username,
      TARGET_DOCKER_PASSWORD: auth.password
    });
    expect({exitCode, outcome: report.outcome}).toEqual({exitCode: 0, outcome: 'whole'});
    const scopes = guarded.requests
      .filter(({kind}) => kind === 'token')
      .map(({query}) => decodeURIComponent(query));
    expect(scopes).not.toHaveLength(0);
    expect(scopes.filter(scope => scope.includes('push'))).toEqual([]);
    expect(stdout + stderr).not.toContain(auth.password);
  });
});

describe('what is not as it should be is named', () => {
  const place = (name: string) => `${mirrored}/${name}`;
  const child = index.children[1]?.digest ?? '';
  const changed = imageOf('something else', 'oci', []);
  const cases: Readonly<Record<string, readonly [string, () => void, object]>> = {
    'a tag that is gone': [
      'arc-sqlmi',
      () => void world.target.store.deleteTag(place('arc-sqlmi'), tag),
      {kind: 'no-tag'}
    ],
    'a tag that stands for something else': [
      'arc-sqlmi',
      () => {
        putImage(world.target.store, place('arc-sqlmi'), changed, tag);
      },
      {kind: 'other-digest', digest: changed.digest}
    ],
    'a layer that is gone': [
      'arc-sqlmi',
      () => void world.target.store.deleteBlob(place('arc-sqlmi'), ownLayer('arc-sqlmi', tag)),
      {kind: 'missing', digest: ownLayer('arc-sqlmi', tag)}
    ],
    'one platform of an index that is gone': [
      'arc-dns',
      () => void world.target.store.deleteManifest(place('arc-dns'), child),
      {kind: 'missing', digest: child}
    ],
    'a layer that is only half there': [
      'arc-sqlmi',
      () => {
        const on = {kind: 'blob', digest: ownLayer('arc-sqlmi', tag)} as const;
        world.target.rule({
          on: {...on, method: 'HEAD'},
          times: 'always',
          do: {effect: 'headers', set: {'Content-Length': '7'}}
        });
        world.target.rule({
          on: {...on, method: 'GET', ranged: true},
          times: 'always',
          do: {effect: 'headers', set: {'Content-Range': 'bytes 0-0/7'}}
        });
      },
      {kind: 'missing', digest: ownLayer('arc-sqlmi', tag)}
    ],
    'a manifest of other bytes': [
      'arc-dns',
      () => {
        world.target.rule({
          on: {kind: 'manifest', digest: child, method: 'GET'},
          times: 'always',
          do: {effect: 'flip', at: 9}
        });
      },
      {kind: 'unreadable', digest: child}
    ],
    'a repository that may not be read': [
      'arc-sqlmi',
      () => {
        world.target.rule({
          on: {repository: place('arc-sqlmi')},
          times: 'always',
          do: {effect: 'answer', status: 403, body: {json: {errors: [{code: 'DENIED'}]}}}
        });
      },
      {kind: 'unreadable'}
    ]
  };

  test.each(Object.entries(cases))('%s', async (_what, [name, harm, difference]) => {
    await writeLock();
    harm();
    for (const {exitCode, report} of [await bySource(), await byLock()]) {
      expect({exitCode, outcome: report.outcome}).toEqual({exitCode: 1, outcome: 'different'});
      expect(report.message).toContain(`Different: 1 of 20 images of ${tag}`);
      const bad = report.images.filter(({whole}) => !whole);
      expect(bad).toMatchObject([{name, differences: [difference]}]);
      expect(bad[0]?.differences[0]?.message).toContain(name);
      expect(report.releases).toEqual([{tag, targetTag: tag, whole: false}]);
    }
  });

  test('a signature that is only at the source', async () => {
    const {store} = world.source;
    const {mediaType, digest, body} = index;
    const subject = {mediaType, digest, size: body.length};
    const signature = imageOf('a signature', 'oci', [], {subject});
    const listed = indexOf(mediaTypes.ociIndex, [signature]);
    putImage(store, 'arcdata/arc-dns', listed, referrersTag(digest));
    const args = [...places(), `--source-tag=${tag}`];
    expect((await verify(args)).exitCode).toBe(0);
    const {exitCode, report} = await verify([...args, '--referrers']);
    expect(exitCode).toBe(1);
    expect(report.images.filter(({whole}) => !whole)).toMatchObject([
      {name: 'arc-dns', differences: [{kind: 'missing', digest: signature.digest}]}
    ]);
  });

  test('a signature that the target has and does not list', async () => {
    const {mediaType, digest, body} = index;
    const subject = {mediaType, digest, size: body.length};
    const signature = imageOf('a signature', 'oci', [], {subject});
    const listed = indexOf(mediaTypes.ociIndex, [signature]);
    putImage(world.source.store, 'arcdata/arc-dns', listed, referrersTag(digest));
    putImage(world.target.store, place('arc-dns'), signature);
    const args = [...places(), `--source-tag=${tag}`, '--referrers'];
    const {exitCode, report} = await verify(args);
    expect(exitCode).toBe(1);
    expect(report.images.filter(({whole}) => !whole)).toMatchObject([
      {name: 'arc-dns', differences: [{kind: 'missing', digest: signature.digest}]}
    ]);
    putImage(world.target.store, place('arc-dns'), listed, referrersTag(digest));
    expect((await verify(args)).exitCode).toBe(0);
  });

  test('a child of another size than its index says', async () => {
    const file = await writeLock();
    const [child = index] = index.children;
    const lying = indexOf(mediaTypes.ociIndex, [
      {...child, body: Buffer.concat([child.body, Buffer.from(' ')])}
    ]);
    await rewrite(file, ({source, target, ...image}) => ({
      ...image,
      source: source.replace(/@.*/, `@${lying.digest}`),
      target: target.replace(/@.*/, `@${lying.digest}`),
      digest: lying.digest
    }));
    putImage(world.target.store, place('arc-sqlmi'), {...lying, children: [child]}, tag);
    const {exitCode, report} = await byLock();
    expect(exitCode).toBe(1);
    expect(report.images.filter(({whole}) => !whole)).toMatchObject([
      {name: 'arc-sqlmi', differences: [{kind: 'unreadable', digest: child.digest}]}
    ]);
  });

  test('an image that was moved at the source is different there, and not in the lock file', async () => {
    await writeLock();
    putImage(world.source.store, 'arcdata/arc-sqlmi', changed, tag);
    expect((await bySource()).exitCode).toBe(1);
    expect((await byLock()).exitCode).toBe(0);
  });

  test('a digest that docker has changed is equal to the lock file, not to the source', async () => {
    const file = await writeLock();
    await rewrite(file, image => ({
      ...image,
      target: image.target.replace(/@.*/, `@${changed.digest}`),
      digest: changed.digest,
      throughDocker: {fate: 'rewritten', platform: 'linux/amd64'}
    }));
    putImage(world.target.store, place('arc-sqlmi'), changed, tag);
    expect((await byLock()).report.images.filter(({whole}) => !whole)).toEqual([]);
    expect((await bySource()).report.images.filter(({whole}) => !whole)).toMatchObject([
      {name: 'arc-sqlmi', differences: [{kind: 'other-digest'}]}
    ]);
  });

  test('an image of which the lock file has no digest', async () => {
    const file = await writeLock();
    await rewrite(file, ({source, target, ...image}) => ({
      ...image,
      digest: undefined,
      source: source.replace(/@.*/, ''),
      target: target.replace(/@.*/, '')
    }));
    const {exitCode, report} = await byLock();
    expect(exitCode).toBe(1);
    expect(report.images.filter(({whole}) => !whole)).toMatchObject([
      {name: 'arc-sqlmi', differences: [{kind: 'no-digest'}]}
    ]);
  });
});

test('a lock file leads nowhere but to its images', async () => {
  const file = await writeLock();
  await rewrite(file, image => ({...image, name: '../../../api/logout?from='}));
  const end = await job.cli(['verify', '--against', lock, plain()]).end;
  expect(world.target.requests.filter(({path}) => !path.startsWith('/v2/'))).toEqual([]);
  expect(end.exitCode).toBe(2);
  expect(end.stderr).toMatch(/images\[\d+\]\.name is not the name of an image/);
});

describe('nothing to verify is not success', () => {
  test('where the lock file has none', async () => {
    const file = await writeLock();
    await writeFile(lock, JSON.stringify({...file, releases: []}));
    const {exitCode, report} = await byLock();
    expect({exitCode, outcome: report.outcome}).toEqual({exitCode: 1, outcome: 'nothing'});
  });

  test('where the source is not whole', async () => {
    world.source.store.deleteTag('arcdata/arc-sqlmi', tag);
    const {exitCode, report} = await bySource();
    expect({exitCode, outcome: report.outcome}).toEqual({exitCode: 1, outcome: 'failed'});
    expect(report.failure?.message).toContain('arc-sqlmi is missing');
  });

  test('where the release is nowhere, and the target is slow to tell what it has', async () => {
    await using empty = await EmbeddedRegistry.start();
    empty.rule({
      name: 'slow catalogue',
      on: {kind: 'catalog'},
      times: 'always',
      do: {effect: 'delay', ms: 5000}
    });
    const args = places({source: world.source, target: empty});
    const {exitCode, report, stderr} = await verify([...args, '--source-tag=v1.99.0_2030-01-01']);
    expect({exitCode, outcome: report.outcome}).toEqual({exitCode: 1, outcome: 'failed'});
    expect(report.failure?.message).toContain('v1.99.0_2030-01-01 does not exist');
    expect(stderr).not.toMatch(/\n\s+at /);
    // It is for those who bring something.
    expect(empty.requests.map(({kind}) => kind)).not.toContain('catalog');
  });

  test('where the target lets nobody in', async () => {
    await writeLock();
    const auth = {kind: 'basic', username: 'me', password: 'sesame open 7'} as const;
    await using guarded = await EmbeddedRegistry.start({store: world.target.store, auth});
    const ends = {source: world.source, target: guarded};
    const there = [`--target-registry=${guarded.name}`, `--target-repository=${mirrored}`];
    const wrong = {TARGET_DOCKER_USERNAME: 'me', TARGET_DOCKER_PASSWORD: 'sesame open 8'};
    for (const args of [
      [...places(ends), `--source-tag=${tag}`],
      ['--against', lock, ...there, plain(ends)]
    ]) {
      const {exitCode, report, stdout, stderr} = await verify(args, wrong);
      expect({exitCode, outcome: report.outcome}).toEqual({exitCode: 1, outcome: 'failed'});
      expect(report.failure?.host).toBe(guarded.name);
      expect(stdout + stderr).not.toContain('sesame');
    }
  });
});

describe('wrong usage ends with 2, before anything is asked', () => {
  async function refused(
    args: readonly string[],
    variables: Readonly<Record<string, string>> = {}
  ): Promise<string> {
    const asked = world.target.requests.length + world.source.requests.length;
    const end = await job.cli(args, {variables}).end;
    expect({code: end.exitCode, stdout: end.stdout}).toEqual({code: 2, stdout: ''});
    expect(world.target.requests.length + world.source.requests.length).toBe(asked);
    return end.stderr;
  }

  test('a lock file that is not there, or not one', async () => {
    expect(await refused(['verify', '--against', lock])).toContain('there is no such file');
    await writeFile(lock, '{"schemaVersion":1}');
    expect(await refused(['verify', '--against', lock])).toContain(
      'release.lock.json cannot be used'
    );
    await writeFile(lock, 'no');
    expect(await refused(['verify', '--against', lock])).toContain('the lock file is not JSON');
  });

  test.each([
    [['--against', 'x'], '--against belongs to the command verify'],
    [['verify', '--against'], '--against needs a value'],
    [['verify', '--against', 'x', '--against', 'y'], '--against is given twice'],
    [
      ['verify', '--against=x', '--source-tag=1.46', '--images=-arc-dns'],
      'leave out --source-tag, --images'
    ],
    [['verify', '--lock-file=x'], 'to compare with one, use --against']
  ])('%j', async (args, message) => {
    expect(await refused(args)).toContain(message);
  });

  test('all mistakes are told at once: flags, a lock file, values, and those of variables', async () => {
    const variables = {SOURCE_DOCKER_REGISTRY: 'not a host'};
    const flags = await refused(
      ['--concurency=5', '--timeout=soon', '--target-username=me'],
      variables
    );
    expect(flags.trim().split('\n')).toEqual([
      expect.stringContaining('--concurency is not known; did you mean --concurrency?'),
      expect.stringContaining('SOURCE_DOCKER_REGISTRY'),
      expect.stringContaining('--timeout')
    ]);
    const file = await refused(['verify', '--against=none.json', '--timeout=soon']);
    expect(file.trim().split('\n')).toEqual([
      expect.stringContaining('there is no such file'),
      expect.stringContaining('--timeout')
    ]);
  });

  test('a lock file does not decide where a password goes', async () => {
    await writeLock();
    const message = await refused(['verify', '--against', lock, plain()], {
      TARGET_DOCKER_USERNAME: 'me',
      TARGET_DOCKER_PASSWORD: 'sesame open 7'
    });
    expect(message).toContain('target-registry');
    expect(message).toContain('a file does not decide where a password goes');
    expect(message).not.toContain('sesame');
  });
});

test('every command with a result writes one JSON document', async () => {
  const run = await job.cli([...places(), `--source-tag=${tag}`, '--json']).end;
  expect(JSON.parse(run.stdout)).toMatchObject({outcome: 'complete', release: tag});
  const demo = await job.cli(['demo', '--json']).end;
  expect(demo.exitCode).toBe(0);
  const outcomes = (JSON.parse(demo.stdout) as {runs: {outcome: string}[]}).runs;
  expect(outcomes.map(({outcome}) => outcome)).toEqual(['mirrored', 'mirrored', 'complete']);
});
