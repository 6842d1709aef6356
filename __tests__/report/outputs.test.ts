import {describe, expect, test} from '@jest/globals';

import {outputs, runReport} from '../../src/report/outputs.ts';
import {Redactor} from '../../src/report/redact.ts';
import {hasFailed, verdict} from '../../src/report/verdict.ts';
import {allHostile, lineFindings} from '../support/oracle-injection.ts';
import {aRecord, aRelease, anImage, names} from '../support/records.ts';

const tag = 'v1.46.0_2026-05-12';
const parts = {redactor: new Redactor()};
const fixed = [
  'images',
  'release',
  'releases',
  'changed',
  'bytes-copied',
  'bytes-mounted',
  'bytes-present',
  'lock-file',
  'hand-over'
];

describe('the outputs', () => {
  test('one for each image of a mirrored release, and the fixed ones', () => {
    const found = outputs(aRecord([aRelease(tag)]), {...parts, lockFile: '/tmp/lock.json'});
    expect([...found.keys()].sort()).toEqual([...names, ...fixed].sort());
    const {digest} = anImage(tag, 'arc-controller');
    expect(found.get('arc-controller')).toBe(
      `myregistry.azurecr.io/mirror/arcdata/arc-controller:${tag}@${digest ?? ''}`
    );
    expect(found.get('release')).toBe(tag);
    expect(found.get('releases')).toBe(`["${tag}"]`);
    expect(found.get('changed')).toBe('true');
    expect(found.get('bytes-copied')).toBe('255000000');
    expect(found.get('bytes-mounted')).toBe('373500000');
    expect(found.get('bytes-present')).toBe('615');
    expect(found.get('lock-file')).toBe('/tmp/lock.json');
  });

  test('rows of images tell source, target, digest, status and bytes', () => {
    const image = anImage(tag, 'arc-dns', {status: 'present'});
    const release = aRelease(tag, 'present', {images: [image]});
    const digest = image.digest ?? '';
    expect(JSON.parse(outputs(aRecord([release]), parts).get('images') ?? '')).toEqual([
      {
        release: tag,
        name: 'arc-dns',
        source: `mcr.microsoft.com/arcdata/arc-dns:${tag}@${digest}`,
        target: `myregistry.azurecr.io/mirror/arcdata/arc-dns:${tag}@${digest}`,
        digest,
        status: 'present',
        bytes: {copied: 51_000_000, mounted: 74_700_000, present: 123}
      }
    ]);
  });

  test('the matrix of a dry run is one line of JSON, and stands in the report too', () => {
    const entry = {
      ...{shard: 1, name: '1 of 1, 255 MB', bytes: 255_000_000},
      ...{'source-tag': `v1.45.0_2026-04-14\n${tag}`, images: 'arc-dns\narc-sqlmi'}
    };
    const matrix = {include: [entry]};
    const record = aRecord([aRelease(tag, 'planned')], {dryRun: true, matrix});
    const found = outputs(record, parts).get('matrix') ?? '';
    expect(found).not.toContain('\n');
    expect(JSON.parse(found)).toEqual(matrix);
    expect(runReport(record, parts).matrix).toEqual(matrix);
    const nothing = outputs(aRecord([], {dryRun: true, matrix: {include: []}}), parts);
    expect(nothing.get('matrix')).toBe('{"include":[]}');
  });

  test('of several releases the newest gives the references, and any of them may have changed', () => {
    const older = aRelease('v1.45.0_2026-04-14', 'copied');
    const found = outputs(aRecord([older, aRelease(tag, 'present')]), parts);
    expect(found.get('arc-controller')).toContain(`:${tag}@sha256:`);
    expect(found.get('changed')).toBe('true');
  });

  test('of several releases the newest that is whole gives the references', () => {
    const older = aRelease('v1.45.0_2026-04-14', 'present');
    const failed = aRelease(tag, 'failed');
    const found = outputs(aRecord([older, failed]), parts);
    expect(found.get('arc-controller')).toContain(':v1.45.0_2026-04-14@sha256:');
    expect(found.get('release')).toBe('v1.45.0_2026-04-14');
    expect(found.get('releases')).toBe('["v1.45.0_2026-04-14"]');
    expect(JSON.parse(found.get('images') ?? '')).toHaveLength(10);
  });

  test.each([
    ['failed', {}],
    ['planned', {dryRun: true}],
    ['staged', {publish: false}]
  ] as const)('nothing is invented for a %s release', (status, changes) => {
    const found = outputs(aRecord([aRelease(tag, status)], changes), parts);
    expect([...found.keys()]).toEqual(fixed);
    expect(found.get('changed')).toBe('false');
    expect(found.get('hand-over')).toBe('');
    expect(found.get('lock-file')).toBe('');
    expect(found.get('release')).toBe(status === 'failed' ? '' : tag);
  });

  test('a published release without some images has no references for those', () => {
    const images = [
      anImage(tag, 'arc-dns'),
      anImage(tag, 'arc-kafka', {status: 'failed', error: {message: 'gone'}})
    ];
    const found = outputs(aRecord([aRelease(tag, 'copied', {images})]), parts);
    expect(found.has('arc-dns')).toBe(true);
    expect(found.has('arc-kafka')).toBe(false);
  });

  test('a run that reached nothing still sets everything', () => {
    const found = outputs(aRecord([], {failure: {message: 'Wrong password'}}), parts);
    expect([...found.keys()]).toEqual(fixed);
    expect(found.get('images')).toBe('[]');
    expect(found.get('releases')).toBe('[]');
    expect(found.get('bytes-copied')).toBe('0');
  });

  test('a name cannot take the place of a fixed output, nor break out of the file', () => {
    const bad = ['images', 'matrix', 'a\nchanged=true', 'a<<EOF', 'a=b', allHostile, ''];
    const images = bad.map(name => anImage(tag, name));
    const found = outputs(aRecord([aRelease(tag, 'copied', {images})]), parts);
    expect([...found.keys()]).toEqual(fixed);
    for (const value of found.values()) expect(lineFindings(value)).toEqual([]);
  });

  test('secrets are taken out of messages, references stay as they are', () => {
    const redactor = new Redactor();
    redactor.add('arcdata');
    redactor.add('hunter22');
    const error = {message: 'the password hunter22 was refused', advice: 'Do not use hunter22'};
    const images = [anImage(tag, 'arc-dns', {status: 'failed', error})];
    const record = aRecord([aRelease(tag, 'failed', {images})], {failure: error});
    const report = runReport(record, {redactor});
    expect(JSON.stringify(report)).not.toContain('hunter22');
    expect(report.images[0]?.error?.advice).toBe('Do not use ***');
    expect(report.images[0]?.target).toContain('/mirror/arcdata/arc-dns:');
  });
});

describe('the verdict', () => {
  const two = ['v1.45.0_2026-04-14', tag];

  test.each([
    [
      'mirrored',
      aRecord([aRelease(tag)]),
      `Mirrored 5 images of ${tag} to myregistry.azurecr.io/mirror/arcdata in 1 min 23 s: 255 MB copied, 374 MB mounted, 615 B already there.`
    ],
    [
      'complete',
      aRecord([
        aRelease(tag, 'present', {
          images: [
            anImage(tag, 'arc-dns', {status: 'present', bytes: {copied: 0, mounted: 0, present: 5}})
          ]
        })
      ]),
      `Already complete: 1 image of ${tag} at myregistry.azurecr.io/mirror/arcdata, verified in 1 min 23 s. Nothing was moved.`
    ],
    [
      'repaired',
      aRecord([aRelease(tag, 'copied', {changed: false})]),
      `Repaired 5 images of ${tag} at myregistry.azurecr.io/mirror/arcdata in 1 min 23 s: 255 MB copied, 374 MB mounted, 615 B already there. No tag had to change.`
    ],
    [
      'repaired',
      aRecord([
        aRelease(tag, 'present', {
          changed: false,
          images: [
            anImage(tag, 'arc-dns', {bytes: {copied: 5, mounted: 0, present: 3}}),
            anImage(tag, 'arc-sqlmi', {
              status: 'present',
              bytes: {copied: 0, mounted: 0, present: 5}
            })
          ]
        })
      ]),
      `Repaired 1 of 2 images of ${tag} at myregistry.azurecr.io/mirror/arcdata in 1 min 23 s: 5 B copied, 0 B mounted, 8 B already there. No tag had to change.`
    ],
    [
      'mirrored',
      aRecord([aRelease('v1.45.0_2026-04-14', 'present', {changed: false}), aRelease(tag)]),
      `Mirrored 5 images of ${tag} to myregistry.azurecr.io/mirror/arcdata in 1 min 23 s: 510 MB copied, 747 MB mounted, 1.23 kB already there. No tag had to change for v1.45.0_2026-04-14.`
    ],
    [
      'planned',
      aRecord([aRelease(tag, 'planned')], {dryRun: true}),
      `Dry run: 5 images of ${tag} for myregistry.azurecr.io/mirror/arcdata: 255 MB to be copied, 374 MB to be mounted, 615 B already there. Nothing was moved.`
    ],
    [
      'staged',
      aRecord([aRelease(tag, 'staged')], {publish: false}),
      `Staged 5 images of ${tag} at myregistry.azurecr.io/mirror/arcdata in 1 min 23 s: 255 MB copied, 374 MB mounted, 615 B already there. No tag was pushed.`
    ],
    ['nothing', aRecord([]), 'There was nothing to mirror.'],
    ['nothing', aRecord([], {reason: 'Is it v1.46?'}), 'Is it v1.46?'],
    [
      'nothing',
      aRecord([], {reason: `Already up to date: the target has ${tag} whole.`}),
      `Already up to date: the target has ${tag} whole.`
    ],
    [
      'failed',
      aRecord([], {failure: {message: 'myregistry.azurecr.io refused the password.'}}),
      'Failed: myregistry.azurecr.io refused the password.'
    ],
    [
      'failed',
      aRecord([
        aRelease('v1.45.0_2026-04-14'),
        aRelease(tag, 'failed', {
          images: [anImage(tag, 'arc-dns'), anImage(tag, 'arc-sqlmi', {status: 'failed'})]
        })
      ]),
      `Failed: v1.45.0_2026-04-14 is whole at myregistry.azurecr.io/mirror/arcdata; ${tag} was not published: 1 of 2 images failed.`
    ],
    [
      'failed',
      aRecord(
        two.map(name => aRelease(name)),
        {failure: {message: 'The run was cancelled'}}
      ),
      `Failed: The run was cancelled; 2 releases (v1.45.0_2026-04-14 to ${tag}) are whole at myregistry.azurecr.io/mirror/arcdata.`
    ],
    [
      'failed',
      aRecord([aRelease(tag, 'copied', {published: false})]),
      `Failed: ${tag} was not published.`
    ],
    [
      'failed',
      aRecord([aRelease('v1.44.0_2026-03-10'), aRelease('v1.45.0_2026-04-14', 'failed')], {
        unreached: [tag]
      }),
      `Failed: v1.44.0_2026-03-10 is whole at myregistry.azurecr.io/mirror/arcdata; v1.45.0_2026-04-14 was not published: 5 of 5 images failed; ${tag} was not begun.`
    ],
    [
      'failed',
      aRecord([], {
        failure: {message: 'GET /v2/: myregistry.azurecr.io answers 401'},
        unreached: two
      }),
      'Failed: myregistry.azurecr.io answers 401.'
    ]
  ])('%s', (outcome, record, sentence) => {
    expect(verdict(record)).toMatchObject({outcome, sentence});
    expect(hasFailed(record)).toBe(outcome === 'failed');
  });
});
