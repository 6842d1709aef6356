import type {ImageResult, ImageStatus, ReleaseResult} from '../../src/mirror/result.ts';
import {digestOf} from '../../src/oci/digest.ts';
import {mediaTypes} from '../../src/oci/media-type.ts';
import {parseRegistry, within} from '../../src/oci/reference.ts';
import type {RunRecord} from '../../src/report/record.ts';

const source = {registry: parseRegistry('mcr.microsoft.com'), repository: 'arcdata'};
const target = {registry: parseRegistry('myregistry.azurecr.io'), repository: 'mirror/arcdata'};

/** An image of a release as a run would tell of it. */
export function anImage(
  release: string,
  name: string,
  changes: Partial<ImageResult> = {}
): ImageResult {
  return {
    release,
    name,
    source: {...source, repository: within(source.repository, name), tag: release},
    target: {...target, repository: within(target.repository, name), tag: release},
    digest: digestOf(`${release} ${name}`),
    mediaType: mediaTypes.dockerManifest,
    platforms: [],
    status: 'copied',
    size: 125_700_123,
    bytes: {copied: 51_000_000, mounted: 74_700_000, present: 123},
    milliseconds: 12_345,
    ...changes
  };
}

/** The names of a release in its usual order: arc-controller is the last but none. */
export const names = [
  'arc-controller-db',
  'arc-monitor-collectd',
  'arc-sqlmi',
  'arc-bootstrapper',
  'arc-controller'
];

/** A release in which every image has the same status. */
export function aRelease(
  tag: string,
  status: ImageStatus = 'copied',
  changes: Partial<ReleaseResult> = {}
): ReleaseResult {
  const done = status === 'copied' || status === 'present';
  return {
    tag,
    targetTag: tag,
    images: names.map(name => anImage(tag, name, {status})),
    missing: [],
    published: done,
    changed: status === 'copied',
    ...changes
  };
}

/** A run that took 83 seconds on the second day after the release of 2026-05-12. */
export function aRecord(
  releases: readonly ReleaseResult[],
  changes: Partial<RunRecord> = {}
): RunRecord {
  return {
    startedAt: new Date('2026-05-14T06:00:00Z'),
    finishedAt: new Date('2026-05-14T06:01:23Z'),
    source,
    target,
    engine: 'registry',
    dryRun: false,
    publish: true,
    releases,
    lockFile: '/nowhere/arcdata.lock.json',
    peakMemory: 98_000_000,
    requests: {source: 412, target: 1530},
    ...changes
  };
}
