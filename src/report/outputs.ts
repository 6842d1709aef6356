import {clean} from '../oci/clean.ts';
import type {Digest} from '../oci/digest.ts';
import {formatReference, type Reference} from '../oci/reference.ts';
import type {ImageFailure, ImageResult, ImageStatus, Moved} from '../mirror/result.ts';

import {longestText} from './fields.ts';
import type {HandOver} from './handover.ts';
import type {Matrix, RunRecord} from './record.ts';
import type {Redactor} from './redact.ts';
import {type Outcome, place, published, totals, verdict} from './verdict.ts';

/** One image of one release, as the output `images` and `--json` tell it. */
export interface ImageRow {
  readonly release: string;
  readonly name: string;
  /** By tag, and by digest when that is known. */
  readonly source: string;
  readonly target: string;
  readonly digest?: string;
  readonly status: ImageStatus;
  readonly bytes: Moved;
  readonly error?: ImageFailure;
}

/** A run as one JSON document: what `--json` prints. */
export interface RunReport {
  readonly schemaVersion: 1;
  readonly outcome: Outcome;
  readonly message: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly source: string;
  readonly target: string;
  readonly engine: RunRecord['engine'];
  readonly dryRun: boolean;
  readonly publish: boolean;
  /** The newest release of `releases`; absent when there is none. */
  readonly release?: string;
  /** Releases that are whole at the target; in a dry or staged run those that are planned or staged. */
  readonly releases: readonly string[];
  readonly changed: boolean;
  readonly bytes: Moved;
  readonly images: readonly ImageRow[];
  /** Optional images that the source does not have. */
  readonly missing: readonly {readonly release: string; readonly name: string}[];
  /** Absent when no lock file was written. */
  readonly lockFile?: string;
  readonly handOver?: HandOver;
  /** Absent but after a dry run. */
  readonly matrix?: Matrix;
  readonly failure?: ImageFailure;
  readonly peakMemory: number;
  readonly requests: RunRecord['requests'];
}

/** What a report takes besides the record. */
export interface ReportParts {
  readonly redactor: Redactor;
  /** Where the lock file was written, if it was. */
  readonly lockFile?: string;
  readonly handOver?: HandOver;
}

/** The record as a document; nothing is in it that the record does not say. */
export function runReport(record: RunRecord, parts: ReportParts): RunReport {
  const {redactor, lockFile, handOver} = parts;
  const {outcome, sentence} = verdict(record);
  const releases = reached(record).map(({tag}) => clean(tag));
  const release = releases.at(-1);
  const all = record.releases.flatMap(({images}) => images);
  return {
    schemaVersion: 1,
    outcome,
    message: clean(redactor.redact(sentence), 2000),
    startedAt: record.startedAt.toISOString(),
    finishedAt: record.finishedAt.toISOString(),
    source: clean(place(record.source)),
    target: clean(place(record.target)),
    engine: record.engine,
    dryRun: record.dryRun,
    publish: record.publish,
    ...(release !== undefined && {release}),
    releases,
    changed: record.releases.some(({changed}) => changed),
    bytes: totals(all),
    images: all.map(image => rowOf(image, redactor)),
    missing: record.releases.flatMap(({tag, missing}) =>
      missing.map(name => ({release: clean(tag), name: clean(name)}))
    ),
    ...(lockFile !== undefined && {lockFile}),
    ...(handOver !== undefined && {handOver}),
    ...(record.matrix !== undefined && {matrix: record.matrix}),
    ...(record.failure && {failure: safeFailure(record.failure, redactor)}),
    peakMemory: record.peakMemory,
    requests: record.requests
  };
}

/**
 * The step's outputs by name. Besides the fixed ones there is one for each image of the newest
 * release that is whole at the target, under the image's name: `registry/repository:tag@digest`.
 * What was not reached is empty or absent.
 */
export function outputs(record: RunRecord, parts: ReportParts): Map<string, string> {
  const report = runReport(record, parts);
  const fixed = new Map<string, string>([
    ['images', JSON.stringify(report.images)],
    ['release', report.release ?? ''],
    ['releases', JSON.stringify(report.releases)],
    ['changed', String(report.changed)],
    ['bytes-copied', String(report.bytes.copied)],
    ['bytes-mounted', String(report.bytes.mounted)],
    ['bytes-present', String(report.bytes.present)],
    ['lock-file', report.lockFile ?? ''],
    ['hand-over', report.handOver === undefined ? '' : JSON.stringify(report.handOver)]
  ]);
  const images = (published(record).at(-1)?.images ?? [])
    .filter(isAtTarget)
    // A name with other characters could not be an image's, and would break the file it is written to.
    .filter(
      ({name}) => /^[a-z0-9][a-z0-9._/-]*$/.test(name) && !fixed.has(name) && name !== 'matrix'
    )
    .map(({name, target, digest}): [string, string] => [name, shown(target, digest)]);
  const matrix: [string, string][] =
    report.matrix === undefined ? [] : [['matrix', JSON.stringify(report.matrix)]];
  return new Map([...images, ...fixed, ...matrix]);
}

/** Whether the image was verified at the target under its tag, together with a published release. */
function isAtTarget({status, digest}: ImageResult): boolean {
  return (status === 'copied' || status === 'present') && digest !== undefined;
}

/** Published releases; where publishing was not wanted, those in which nothing failed. */
function reached(record: RunRecord): RunRecord['releases'] {
  if (record.publish && !record.dryRun) return published(record);
  return record.releases.filter(({images}) => images.every(({status}) => status !== 'failed'));
}

function rowOf(image: ImageResult, redactor: Redactor): ImageRow {
  const {release, name, source, target, digest, status, bytes, error} = image;
  const pin = digest !== undefined && {digest};
  return {
    release: clean(release),
    name: clean(name),
    source: shown(source, source.digest ?? digest),
    target: shown(target, digest),
    ...pin,
    status,
    bytes: {copied: bytes.copied, mounted: bytes.mounted, present: bytes.present},
    ...(error && {error: safeFailure(error, redactor)})
  };
}

function shown(reference: Reference, digest: Digest | undefined): string {
  return clean(formatReference({...reference, ...(digest !== undefined && {digest})}), longestText);
}

/** A failure whose texts are clean and without secrets. */
export function safeFailure(error: ImageFailure, redactor: Redactor): ImageFailure {
  const safe = (text: string) => clean(redactor.redact(text));
  const {message, advice, host, repository, digest, status, attempts} = error;
  return {
    message: safe(message),
    ...(advice !== undefined && {advice: safe(advice)}),
    ...(host !== undefined && {host: safe(host)}),
    ...(repository !== undefined && {repository: safe(repository)}),
    ...(digest !== undefined && {digest}),
    ...(status !== undefined && {status}),
    ...(attempts !== undefined && {attempts})
  };
}
