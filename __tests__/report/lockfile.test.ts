import {mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {afterEach, beforeEach, describe, expect, test} from '@jest/globals';
import {Ajv2020} from 'ajv/dist/2020.js';

import type {ImageResult} from '../../src/mirror/result.ts';
import {digestOf} from '../../src/oci/digest.ts';
import {mediaTypes} from '../../src/oci/media-type.ts';
import {lockFile, readLockFile, writeLockFile} from '../../src/report/lockfile.ts';
import {allHostile, lineFindings} from '../support/oracle-injection.ts';
import {aRecord, aRelease, anImage} from '../support/records.ts';

const tag = 'v1.46.0_2026-05-12';
const schema = JSON.parse(
  await readFile(new URL('../../docs/lock-file.schema.json', import.meta.url), 'utf8')
) as object;
const valid = new Ajv2020({strict: true, allErrors: true}).compile(schema);

let home = '';
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'lock-'));
});
afterEach(async () => {
  await rm(home, {recursive: true});
});

const unknownDigest = Object.fromEntries(
  Object.entries(
    anImage(tag, 'arc-dns', {status: 'failed', error: {message: 'not to be kept'}})
  ).filter(([key]) => key !== 'digest' && key !== 'mediaType')
) as unknown as ImageResult;

const records = {
  'one release': aRecord([aRelease(tag)]),
  'seven releases': aRecord(
    Array.from({length: 7}, (_, i) => aRelease(`v1.${i + 40}.0_2026-01-13`, 'present'))
  ),
  'a dry run': aRecord([aRelease(tag, 'planned')], {dryRun: true, engine: 'docker'}),
  'a failed image whose digest was never learnt': aRecord([
    aRelease(tag, 'failed', {images: [unknownDigest], missing: ['arc-kafka']})
  ]),
  'an index, longest reference': aRecord([
    aRelease(tag, 'copied', {
      images: [
        anImage(tag, 'arc-dns', {
          digest: digestOf('x', 'sha512'),
          mediaType: mediaTypes.ociIndex,
          platforms: ['linux/amd64', 'linux/arm64/v8'],
          target: {...anImage(tag, 'a').target, repository: 'a'.repeat(233), tag: 't'.repeat(128)}
        })
      ]
    })
  ]),
  'no image at all': aRecord([aRelease(tag, 'copied', {images: []})])
};

describe.each(Object.entries(records))('the lock file of %s', (_name, record) => {
  test('is what its schema says, and is read back as it was written', async () => {
    const path = join(home, 'deep', 'arcdata.lock.json');
    expect(await writeLockFile({...record, lockFile: path})).toBe(path);
    const text = await readFile(path, 'utf8');
    const written: unknown = JSON.parse(text);
    valid(written);
    expect(valid.errors ?? []).toEqual([]);
    expect(readLockFile(text)).toEqual(written);
    expect(text).not.toContain('not to be kept');
    expect((await stat(path)).mode & 0o777).toBe(0o644);
    expect(await readdir(join(home, 'deep'))).toEqual(['arcdata.lock.json']);
  });
});

describe('writing', () => {
  test('replaces an earlier file as a whole', async () => {
    const path = join(home, 'lock.json');
    await writeFile(path, 'x'.repeat(1_000_000));
    await writeLockFile(aRecord([aRelease(tag)], {lockFile: path}));
    expect(readLockFile(await readFile(path, 'utf8')).releases[0]?.tag).toBe(tag);
  });

  test('makes it readable for everybody, whatever the umask says', async () => {
    const path = join(home, 'lock.json');
    const given = process.umask(0o077);
    await writeLockFile(aRecord([aRelease(tag)], {lockFile: path}));
    process.umask(given);
    expect((await stat(path)).mode & 0o777).toBe(0o644);
  });

  test('a run that reached no release leaves the earlier file', async () => {
    const path = join(home, 'lock.json');
    await writeFile(path, 'last month');
    expect(await writeLockFile(aRecord([], {lockFile: path}))).toBeUndefined();
    expect(await readFile(path, 'utf8')).toBe('last month');
  });

  test('leaves nothing behind when it fails', async () => {
    // A folder is in the way of the rename.
    const path = join(home, 'taken');
    await mkdir(path);
    const record = aRecord([aRelease(tag)], {lockFile: path});
    await expect(writeLockFile(record)).rejects.toMatchObject({
      code: expect.stringMatching(/EISDIR|ENOTEMPTY|EEXIST/) as unknown
    });
    expect(await readdir(home)).toEqual(['taken']);
  });

  test('hostile names are kept on one line', () => {
    const image = anImage(tag, allHostile, {platforms: [allHostile]});
    const file = lockFile(aRecord([aRelease(allHostile, 'copied', {images: [image]})]));
    const texts: string[] = [];
    JSON.stringify(file, (_key, value: unknown) => {
      if (typeof value === 'string') texts.push(value);
      return value;
    });
    expect(texts.length).toBeGreaterThan(10);
    expect(texts.flatMap(lineFindings)).toEqual([]);
    expect(texts.join(' ')).not.toContain('##[');
  });
});

describe('reading', () => {
  const file = lockFile(aRecord([aRelease(tag)]));
  const change = (edit: (copy: Edited) => void) => {
    const copy = structuredClone(file) as unknown as Edited;
    edit(copy);
    return JSON.stringify(copy);
  };

  test.each<[string, (copy: Edited) => void, string]>([
    ['schemaVersion', copy => (copy.schemaVersion = 2), 'schemaVersion 1'],
    ['a time', copy => (copy.startedAt = '2026-05-14'), 'the lock file.startedAt is not a time'],
    ['a time 2', copy => (copy.startedAt = '2026-99-14T00:00:00Z'), 'startedAt is not a time'],
    ['engine', copy => (copy.engine = 'oras'), 'engine is not one of registry, docker'],
    ['flag', copy => (copy.dryRun = 'false'), 'dryRun is not true or false'],
    ['releases', copy => Object.assign(copy, {releases: {}}), 'releases is not a list'],
    ['release', copy => Object.assign(copy, {releases: [7]}), 'releases[0] is not an object'],
    ['extra', copy => (copy.extra = 1), 'the lock file.extra is not known'],
    ['proto', copy => delete copy.source, 'source is not a text'],
    ['empty', copy => (copy.source = ''), 'source is not a text'],
    ['command', copy => (copy.source = 'a\n::error::b'), 'source is not a text of one clean line'],
    [
      'missing',
      copy => (copy.releases[0].missing = ['a', 5]),
      'releases[0].missing.1 is not a text'
    ],
    ['name', copy => delete image(copy).name, 'releases[0].images[0].name is not a text'],
    ...['../x', 'a/../b', 'a?b=', 'a#b', 'a%2fb', 'a:pull b', 'A', '/a', 'a//b'].map(
      (name): [string, (copy: Edited) => void, string] => [
        `the name ${name}`,
        copy => (image(copy).name = name),
        'releases[0].images[0].name is not the name of an image'
      ]
    ),
    ['digest', copy => (image(copy).digest = 'sha256:1'), 'images[0].digest is not a digest'],
    ['no digest', copy => delete image(copy).digest, 'source does not end in the image'],
    [
      'other digest',
      copy => (image(copy).target = `a/b:c@${digestOf('other')}`),
      'target does not end in the image'
    ],
    ['size', copy => (image(copy).size = -1), 'size is not a number of bytes'],
    ['size 2', copy => (image(copy).size = 1.5), 'size is not a number of bytes'],
    ['bytes', copy => (image(copy).bytes = null), 'images[0].bytes is not an object'],
    ['status', copy => (image(copy).status = 'fine'), 'status is not one of copied'],
    ['image extra', copy => (image(copy).note = ''), 'images[0].note is not known']
  ])('refuses what is not in the schema: %s', (_name, edit, rule) => {
    const text = change(edit);
    expect(() => readLockFile(text)).toThrow(rule);
  });

  test.each(['', 'null', '[]', '"x"', '{', '7'])('refuses %j', text => {
    expect(() => readLockFile(text)).toThrow('the lock file is not');
  });

  test('refuses a file that is too large to be one', () => {
    expect(() => readLockFile(' '.repeat(32 * 1024 * 1024 + 1))).toThrow('larger than 32 MiB');
  });
});

type Edited = Record<string, unknown> & {
  releases: [{missing: unknown; images: [Record<string, unknown>]}];
};

function image(copy: Edited): Record<string, unknown> {
  return copy.releases[0].images[0];
}
