import {randomBytes} from 'node:crypto';
import {mkdir, open, rename, rm} from 'node:fs/promises';
import {basename, dirname, join} from 'node:path';

import type {Log} from '../log.ts';
import {clean} from '../oci/clean.ts';
import {type Digest, isDigest} from '../oci/digest.ts';
import {formatReference, isRepository} from '../oci/reference.ts';
import type {
  ImageResult,
  ImageStatus,
  Moved,
  ReleaseResult,
  ThroughDocker
} from '../mirror/result.ts';

import {ReportError} from './error.ts';
import {keepsDigest} from './fate.ts';
import {Fields, longestText} from './fields.ts';
import {messageOf} from './lines.ts';
import type {RunRecord} from './record.ts';
import {failUnwritten} from './unwritten.ts';
import {place} from './verdict.ts';

/** One image in a lock file. References are `registry/repository:tag`, with `@digest` when known. */
export interface LockedImage {
  readonly name: string;
  readonly source: string;
  readonly target: string;
  readonly digest?: Digest;
  readonly mediaType?: string;
  readonly size: number;
  readonly status: ImageStatus;
  readonly bytes: Moved;
  readonly platforms: readonly string[];
  /** Absent where no docker daemon was between. */
  readonly throughDocker?: ThroughDocker;
}

/** One release in a lock file. */
export interface LockedRelease {
  readonly tag: string;
  readonly targetTag: string;
  /** Whether all of it was verified at the target under its tag. */
  readonly published: boolean;
  readonly missing: readonly string[];
  readonly images: readonly LockedImage[];
}

/** The record of a run that can be kept, attested and compared: docs/lock-file.schema.json. */
export interface LockFile {
  readonly schemaVersion: 1;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly source: string;
  readonly target: string;
  readonly engine: 'registry' | 'docker';
  readonly dryRun: boolean;
  readonly publish: boolean;
  readonly releases: readonly LockedRelease[];
}

/** A larger lock file is not read, in characters; sixty releases take about one million. */
const largestLockFile = 32 * 1024 * 1024;

/** The lock file of a record. It holds references, digests and numbers: no message, no secret. */
export function lockFile(record: RunRecord): LockFile {
  return {
    schemaVersion: 1,
    startedAt: record.startedAt.toISOString(),
    finishedAt: record.finishedAt.toISOString(),
    source: clean(place(record.source)),
    target: clean(place(record.target)),
    engine: record.engine,
    dryRun: record.dryRun,
    publish: record.publish,
    releases: record.releases.map(lockRelease)
  };
}

/**
 * Writes the lock file where the record wants it: whole or not at all, readable by everybody. A run
 * that reached no release leaves an earlier file as it is.
 * @returns the path, or undefined when there was nothing to write
 * @throws what the file system throws
 */
export async function writeLockFile(record: RunRecord): Promise<string | undefined> {
  if (record.releases.length === 0) return undefined;
  const path = record.lockFile;
  const folder = dirname(path);
  await mkdir(folder, {recursive: true});
  const draft = join(folder, `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    const file = await open(draft, 'wx', 0o644);
    try {
      await file.writeFile(`${JSON.stringify(lockFile(record), undefined, 2)}\n`);
      await file.chmod(0o644);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, {force: true});
    throw error;
  }
  return path;
}

/** A record as it is told, and where its lock file lies; undefined where there is none. */
interface Kept {
  readonly record: RunRecord;
  readonly lockFile: string | undefined;
}

/**
 * Writes the lock file of a run. Where that fails, a run for which one was asked has failed; where nobody
 * asked, it is a warning.
 */
export async function keepLockFile(record: RunRecord, log: Log): Promise<Kept> {
  try {
    return {record, lockFile: await writeLockFile(record)};
  } catch (error) {
    if (record.lockFileAsked !== true) {
      log.warning(`The lock file could not be written: ${messageOf(error)}`);
      return {record, lockFile: undefined};
    }
    const advice = 'Give another path in lock-file, or make room there, and run again.';
    const failed = failUnwritten(record, log, {part: 'lock file', error, advice});
    return {record: failed, lockFile: undefined};
  }
}

function lockRelease({tag, targetTag, published, missing, images}: ReleaseResult): LockedRelease {
  return {
    tag: clean(tag),
    targetTag: clean(targetTag),
    published,
    missing: missing.map(name => clean(name)),
    images: images.map(lockImage)
  };
}

function lockImage(image: ImageResult): LockedImage {
  const {name, source, target, digest, mediaType, size, status, bytes, platforms} = image;
  const {throughDocker} = image;
  const pin = digest !== undefined && {digest};
  const sourcePin = digest !== undefined && {digest: source.digest ?? digest};
  return {
    name: clean(name),
    source: clean(formatReference({...source, ...sourcePin}), longestText),
    target: clean(formatReference({...target, ...pin}), longestText),
    ...pin,
    ...(mediaType !== undefined && {mediaType: clean(mediaType)}),
    size,
    status,
    bytes: {copied: bytes.copied, mounted: bytes.mounted, present: bytes.present},
    platforms: platforms.map(platform => clean(platform, 100)),
    ...(throughDocker !== undefined && {
      throughDocker: {fate: throughDocker.fate, platform: clean(throughDocker.platform, 100)}
    })
  };
}

/**
 * Reads a lock file, strictly: what is not in the schema is refused.
 * @throws ReportError that names the place and the rule
 */
export function readLockFile(text: string): LockFile {
  if (text.length > largestLockFile) throw new ReportError('the lock file is larger than 32 MiB');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ReportError('the lock file is not JSON');
  }
  const file = new Fields(value, 'the lock file');
  if (file.raw('schemaVersion') !== 1) {
    throw new ReportError(
      'the lock file does not have the schemaVersion 1, which is the one known'
    );
  }
  const read: LockFile = {
    schemaVersion: 1,
    startedAt: file.time('startedAt'),
    finishedAt: file.time('finishedAt'),
    source: file.text('source'),
    target: file.text('target'),
    engine: file.oneOf('engine', ['registry', 'docker']),
    dryRun: file.flag('dryRun'),
    publish: file.flag('publish'),
    releases: file.list('releases').map((release, i) => readRelease(release, `releases[${i}]`))
  };
  file.end();
  return read;
}

function readRelease(value: unknown, where: string): LockedRelease {
  const release = new Fields(value, where);
  const read: LockedRelease = {
    tag: release.text('tag'),
    targetTag: release.text('targetTag'),
    published: release.flag('published'),
    missing: release.texts('missing'),
    images: release.list('images').map((image, i) => readImage(image, `${where}.images[${i}]`))
  };
  release.end();
  return read;
}

function readImage(value: unknown, where: string): LockedImage {
  const image = new Fields(value, where);
  const digest = image.raw('digest');
  if (digest !== undefined && !isDigest(digest)) {
    throw new ReportError(`${where}.digest is not a digest`);
  }
  const bytes = new Fields(image.raw('bytes'), `${where}.bytes`);
  const throughDocker = readThroughDocker(image.raw('throughDocker'), `${where}.throughDocker`);
  const read: LockedImage = {
    name: readName(image, where),
    source: image.text('source'),
    target: image.text('target'),
    ...(digest !== undefined && {digest}),
    ...(image.raw('mediaType') !== undefined && {mediaType: image.text('mediaType')}),
    size: image.count('size'),
    status: image.oneOf('status', ['copied', 'present', 'planned', 'staged', 'failed']),
    bytes: {
      copied: bytes.count('copied'),
      mounted: bytes.count('mounted'),
      present: bytes.count('present')
    },
    platforms: image.texts('platforms'),
    ...(throughDocker && {throughDocker})
  };
  const kept = keepsDigest(throughDocker?.fate);
  for (const side of ['source', 'target'] as const) {
    const pinned = /@(.*)$/.exec(read[side])?.[1];
    const own = kept || side === 'target';
    if (own ? pinned !== read.digest : !isDigest(pinned) || pinned === read.digest) {
      throw new ReportError(`${where}.${side} does not end in the image's digest`);
    }
  }
  bytes.end();
  image.end();
  return read;
}

/** A name becomes a part of paths at the target: nothing else may stand there, such as the way to another one. */
function readName(image: Fields, where: string): string {
  const name = image.text('name');
  if (isRepository(name)) return name;
  throw new ReportError(`${where}.name is not the name of an image`);
}

function readThroughDocker(value: unknown, where: string): ThroughDocker | undefined {
  if (value === undefined) return undefined;
  const fields = new Fields(value, where);
  const read = {
    fate: fields.oneOf('fate', ['kept', 'one-platform', 'rewritten']),
    platform: fields.text('platform')
  };
  fields.end();
  return read;
}
