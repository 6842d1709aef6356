import {describe, expect, test} from '@jest/globals';

import {digestOf} from '../../src/oci/digest.ts';
import type {ImageFailure} from '../../src/mirror/result.ts';
import {handOver} from '../../src/report/handover.ts';
import {code, escapeMarkdown, fence} from '../../src/report/markdown.ts';
import type {RunRecord} from '../../src/report/record.ts';
import {Redactor} from '../../src/report/redact.ts';
import {largestSummary, summary} from '../../src/report/summary.ts';
import {allHostile, hostile, summaryFindings} from '../support/oracle-injection.ts';
import {aRecord, aRelease, anImage} from '../support/records.ts';

const tag = 'v1.46.0_2026-05-12';
const today = new Date('2026-05-14T06:00:00Z');
const make = (record: RunRecord, redactor = new Redactor(), limit?: number) =>
  summary(
    record,
    redactor,
    handOver(record, today, () => ({cli: '1.5.31'})),
    limit
  );

describe('the summary', () => {
  test('of a release says what happened, then the images, the bytes and what to paste', () => {
    const text = make(aRecord([aRelease(tag)]));
    const order = [
      `✅ **Mirrored 5 images of ${tag} to myregistry.azurecr.io/mirror/arcdata in 1 min 23 s`,
      `### <b><code>${tag}</code></b>: 5 images, published`,
      '| Image | Digest | Size | Copied | Mounted | Already there | Time | Result |',
      '| <code>arc-controller-db</code> |',
      '**Bytes:** 374 MB of 629 MB (59 %) did not have to travel.',
      `mounted        ${'█'.repeat(19)}${' '.repeat(17)}374 MB  59 %`,
      'spec.docker',
      'az arcdata dc config replace',
      '1 min 23 s; engine registry; 412 requests to the source, 1530 to the target; 98.0 MB of memory at most'
    ].map(part => ({part, at: text.indexOf(part)}));
    expect(order.filter(({at}) => at < 0)).toEqual([]);
    expect(order.map(({at}) => at)).toEqual(order.map(({at}) => at).sort((a, b) => a - b));
    const {digest = ''} = anImage(tag, 'arc-controller');
    expect(text).toContain(
      `| <code>arc-controller</code> | <code>${digest.slice(7, 19)}</code> | 126 MB | 51.0 MB | 74.7 MB | 123 B | 12 s | ✅ copied |`
    );
    expect(summaryFindings(text)).toEqual([]);
  });

  test('puts the failed images first, each with all that is known', () => {
    const error: ImageFailure = {
      message: 'A layer could not be read',
      advice: 'Run it again; what is there is kept.',
      host: 'mcr.microsoft.com',
      repository: 'arcdata/arc-sqlmi',
      digest: digestOf('layer'),
      status: 503,
      attempts: 8
    };
    const images = [anImage(tag, 'arc-dns'), anImage(tag, 'arc-sqlmi', {status: 'failed', error})];
    const text = make(aRecord([aRelease(tag, 'failed', {images})], {failure: error}));
    expect(text).toContain(`❌ **Failed: ${tag} was not published: 1 of 2 images failed.**`);
    expect(text).toContain(
      [
        `- **<code>arc-sqlmi</code>** of <code>${tag}</code>: A layer could not be read`,
        `  <br>host <code>mcr.microsoft.com</code>, repository <code>arcdata/arc-sqlmi</code>, digest <code>${digestOf('layer')}</code>, status 503, 8 attempts`,
        '  <br>**What to do:** Run it again; what is there is kept.'
      ].join('\n')
    );
    expect(text.indexOf('What failed')).toBeLessThan(text.indexOf('| Image |'));
    expect(text.indexOf('arc-sqlmi</code> |')).toBeLessThan(text.indexOf('arc-dns</code> |'));
    expect(text).not.toContain('Hand-over');
    expect(summaryFindings(text)).toEqual([]);
  });

  test('tells a failure of the whole run', () => {
    const failure = {message: 'The password was refused', host: 'myregistry.azurecr.io'};
    const text = make(aRecord([], {failure}));
    expect(text).toContain('- **The run**: The password was refused\n');
    expect(text).not.toContain('|');
    expect(text).not.toContain('**Bytes:**');
  });

  test('of seven releases has a section each, the newest open and on top', () => {
    const tags = Array.from({length: 7}, (_, i) => `v1.${i + 40}.0_2026-01-13`);
    const text = make(aRecord(tags.map(name => aRelease(name))));
    const sections = [...text.matchAll(/<details( open)?><summary><b><code>(v[^<]*)/g)];
    expect(sections.map(([, open, name]) => [name, open])).toEqual(
      tags.map((name, i) => [name, i === 6 ? ' open' : undefined]).reverse()
    );
    expect(summaryFindings(text)).toEqual([]);
  });

  test.each([
    ['planned', {dryRun: true}, '📋 **Dry run: 5 images', '5 images, planned'],
    ['staged', {publish: false}, '📦 **Staged 5 images', '5 images, staged, not tagged'],
    ['present', {}, '✅ **Repaired', '5 images, already published']
  ] as const)('of a %s release says so', (status, changes, line, heading) => {
    const text = make(aRecord([aRelease(tag, status)], changes));
    expect(text).toContain(line);
    expect(text).toContain(heading);
    expect(summaryFindings(text)).toEqual([]);
  });

  test('has nothing of nothing', () => {
    const text = make(aRecord([]));
    expect(text).toContain('✅ **There was nothing to mirror.**');
    expect(text).not.toMatch(/\||Hand-over|Bytes/);
    const empty = make(aRecord([aRelease(tag, 'copied', {images: [], missing: ['arc-kafka']})]));
    expect(empty).toContain('Not at the source under this tag: <code>arc-kafka</code>.');
    expect(empty).not.toContain('| Image |');
  });

  test.each([...hostile, allHostile])('lets nothing through: %j', text => {
    const error: ImageFailure = {message: text, advice: text, host: text, repository: text};
    const images = [
      anImage(text, text, {status: 'failed', error}),
      anImage(tag, text, {mediaType: text, platforms: [text]})
    ];
    const bad = aRelease(text, 'failed', {images, targetTag: text, missing: [text], tag: text});
    const record = aRecord([bad, aRelease(tag)], {failure: {message: `${text}.`}});
    expect(summaryFindings(make(record))).toEqual([]);
  });

  test('shows no secret', () => {
    const redactor = new Redactor();
    redactor.add('p|ss<w>rd');
    const error = {message: 'p|ss<w>rd was refused', advice: 'Not p|ss<w>rd'};
    const images = [anImage(tag, 'p|ss<w>rd', {status: 'failed', error})];
    const text = make(aRecord([aRelease(tag, 'failed', {images})]), redactor);
    expect(text).not.toMatch(/p(?:\||&#124;)ss/);
    expect(text).toContain('&#42;&#42;&#42; was refused');
  });

  test('stays below the limit of a step, and says what was left out', () => {
    const many = (name: string) =>
      Array.from({length: 25}, (_, i) =>
        anImage(name, `${'arc-<'.repeat(40)}${i}`, {
          status: 'failed',
          error: {message: '<'.repeat(500), advice: '|'.repeat(500)}
        })
      );
    const tags = Array.from({length: 60}, (_, i) => `v1.${i}.0_2026-01-13`);
    const releases = tags.map(name => aRelease(name, 'failed', {images: many(name)}));
    const text = make(aRecord(releases));
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(largestSummary);
    expect(largestSummary).toBeLessThan(1024 * 1024);
    expect(text).toContain('- … and 1450 more');
    expect(text).toContain('v1.59.0_2026-01-13');
    expect(summaryFindings(text)).toEqual([]);

    const tight = make(aRecord(tags.map(name => aRelease(name))), new Redactor(), 20_000);
    expect(Buffer.byteLength(tight)).toBeLessThanOrEqual(20_000);
    const kept = [...tight.matchAll(/<details(?: open)?><summary><b><code>/g)].length;
    expect(kept).toBeGreaterThan(3);
    expect(tight).toContain(`_${60 - kept} older releases left out here`);
  });

  test('of 60 ordinary releases with 25 images each is whole', () => {
    const tags = Array.from({length: 60}, (_, i) => `v1.${i}.0_2026-01-13`);
    const releases = tags.map(name =>
      aRelease(name, 'copied', {
        images: Array.from({length: 25}, (_, i) => anImage(name, `arc-monitor-opensearch-${i}`))
      })
    );
    const text = make(aRecord(releases));
    expect(text.match(/<details/g)).toHaveLength(61);
    expect(text).not.toContain('left out');
  });
});

describe('Markdown', () => {
  test('ordinary names stay readable', () => {
    expect(escapeMarkdown('myregistry.azurecr.io:5000/a_b/arc-dns:v1.46.0_2026-05-12')).toBe(
      'myregistry.azurecr.io:5000/a_b/arc-dns:v1.46.0_2026-05-12'
    );
  });

  test('what has a meaning is shown as it is', () => {
    expect(code('a|b `c` <d> &amp; *e* _f_ [g](h) @i #1 $j$ https://k www.l')).toBe(
      '<code>a&#124;b &#96;c&#96; &lt;d&gt; &amp;amp; &#42;e&#42; &#95;f&#95; &#91;g&#93;&#40;h&#41; &#64;i &#35;1 &#36;j&#36; https&#58;//k www&#46;l</code>'
    );
  });

  test('a fence is longer than any in it', () => {
    expect(fence(['a', '````', '  b'], 'yaml')).toBe('`````yaml\na\n````\n  b\n`````');
  });
});
