import {readFileSync} from 'node:fs';

import {expect, test} from '@jest/globals';

import {companions} from '../../src/release/companions.ts';
import {handOver} from '../../src/report/handover.ts';
import {runReport} from '../../src/report/outputs.ts';
import {Redactor} from '../../src/report/redact.ts';
import {type Verification, verifyReport} from '../../src/report/verification.ts';
import {aRecord, aRelease, anImage} from '../support/records.ts';

const page = readFileSync(new URL('../../docs/json.md', import.meta.url), 'utf8');
const named = new Set([...page.matchAll(/`([a-zA-Z]+)\??`/g)].map(([, name]) => name));

/** The names of all fields, but for what is a table of its own. */
function fields(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(fields);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, held]) => [
    name,
    ...(['extension', 'environment', 'matrix'].includes(name) ? [] : fields(held))
  ]);
}

const tag = 'v1.46.0_2026-05-12';
const error = {
  message: 'no',
  advice: 'Do.',
  host: 'r.example',
  repository: 'a/b',
  status: 500,
  attempts: 2,
  kind: 'RegistryError/server'
};

test('names every field of a run', () => {
  const failed = anImage(tag, 'arc-dns', {status: 'failed', error});
  const record = aRecord([aRelease(tag, 'copied'), aRelease(tag, 'failed', {images: [failed]})], {
    failure: error
  });
  const hand = handOver(record, new Date('2026-06-01'), companions);
  const report = runReport(record, {
    redactor: new Redactor(),
    lockFile: '/x',
    ...(hand && {handOver: hand.json})
  });
  expect(report.handOver).toBeDefined();
  expect(fields(report).filter(name => !named.has(name))).toEqual([]);
});

test('names every field of a verification', () => {
  const found: Verification = {
    startedAt: new Date(),
    finishedAt: new Date(),
    target: {registry: 'r.example' as Verification['target']['registry'], repository: 'arcdata'},
    comparedWith: {kind: 'lock-file', place: '/x'},
    releases: [
      {
        ...{tag, targetTag: tag, missing: ['arc-old']},
        images: [
          {
            ...{release: tag, name: 'arc-dns', target: {repository: 'arcdata/arc-dns', tag}},
            digest: undefined,
            checked: {manifests: 1, blobs: 2, bytes: 3},
            differences: [{kind: 'no-tag', message: 'none'}]
          }
        ]
      }
    ],
    failure: error,
    requests: {source: 0, target: 3}
  };
  const report = verifyReport(found, new Redactor());
  expect(fields(report).filter(name => !named.has(name))).toEqual([]);
});
