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
  test('of a release says what happened, then the bytes, the images and what to paste', () => {
    const text = make(aRecord([aRelease(tag)]));
    const order = [
      `### ✅ Mirrored 5 images of ${tag} to myregistry.azurecr.io/mirror/arcdata in 1 min 23 s\n`,
      `\n${'🟦'.repeat(8)}${'🟩'.repeat(12)}\n`,
      '🟦 **255 MB** copied &emsp; 🟩 **374 MB** mounted &emsp; ⬜ **615 B** already there',
      '<br>374 MB of 629 MB (59 %) did not have to travel.',
      `#### <b><code>${tag}</code></b>: 5 images, ✅ published`,
      '| Image | Result | Digest | Size | Copied | Mounted | Already there | Time |',
      '| <code>arc-controller-db</code> |',
      '| <b>5\u00a0images</b> |  |  | <b>629\u00a0MB</b> | <b>255\u00a0MB</b> | <b>374\u00a0MB</b> | <b>615\u00a0B</b> |  |',
      '#### Hand-over',
      'spec.docker',
      'az arcdata dc upgrade',
      '<details><summary>More to paste</summary>',
      'az arcdata dc config replace',
      '1 min 23 s; engine registry; 412 requests to the source, 1530 to the target; 98.0 MB of memory at most'
    ].map(part => ({part, at: text.indexOf(part)}));
    expect(order.filter(({at}) => at < 0)).toEqual([]);
    expect(order.map(({at}) => at)).toEqual(order.map(({at}) => at).sort((a, b) => a - b));
    const {digest = ''} = anImage(tag, 'arc-controller');
    expect(text.replaceAll('\u00a0', ' ')).toContain(
      `| <code>arc-controller</code> | ✅ copied | <code>${digest.slice(7, 19)}</code> | 126 MB | 51.0 MB | 74.7 MB | 123 B | 12 s |`
    );
    expect(summaryFindings(text)).toEqual([]);
  });

  test('leaves out columns in which there is nothing', () => {
    const there = {copied: 0, mounted: 0, present: 125_700_123};
    const images = [anImage(tag, 'arc-dns', {status: 'present', bytes: there, milliseconds: 0})];
    const text = make(aRecord([aRelease(tag, 'present', {images})]));
    expect(text).toContain('### ✅ Already complete: 1 image');
    expect(text).toContain('did not have to travel. Nothing was moved.');
    expect(text).toContain('\n| Image | Result | Digest | Size | Already there |\n');
    expect(text).not.toContain('<b>1');
  });

  const lost: ImageFailure = {
    message: `GET /v2/arcdata/arc-sqlmi/blobs/${digestOf('layer')}: mcr.microsoft.com answers 503`,
    advice: 'Run it again; what is there is kept.',
    host: 'mcr.microsoft.com',
    repository: 'arcdata/arc-sqlmi',
    digest: digestOf('layer'),
    status: 503,
    attempts: 8
  };

  test('puts the failed images first, each with all that is known, and the run last', () => {
    const images = [
      anImage(tag, 'arc-dns'),
      anImage(tag, 'arc-sqlmi', {status: 'failed', error: lost})
    ];
    const failure = {message: `${tag} is not published`, advice: 'The tags are as they were.'};
    const text = make(aRecord([aRelease(tag, 'failed', {images})], {failure}));
    expect(text).toContain(
      [
        `### ❌ Failed: ${tag} was not published: 1 of 2 images failed`,
        '',
        `- **<code>arc-sqlmi</code>**: mcr.microsoft.com answers 503 (<code>GET /v2/arcdata/arc-sqlmi/blobs/${digestOf('layer').slice(0, 19)}…</code>)`,
        `  <br>host <code>mcr.microsoft.com</code>, repository <code>arcdata/arc-sqlmi</code>, status 503, 8 attempts, digest <code>${digestOf('layer')}</code>`,
        '  <br>**What to do:** Run it again; what is there is kept.',
        `- **The run**: ${tag} is not published`,
        '  <br>**What to do:** The tags are as they were.'
      ].join('\n')
    );
    expect(text.indexOf('- **The run**')).toBeLessThan(text.indexOf('| Image |'));
    expect(text.indexOf('arc-sqlmi</code> |')).toBeLessThan(text.indexOf('arc-dns</code> |'));
    expect(text).not.toContain('Hand-over');
    expect(summaryFindings(text)).toEqual([]);
  });

  test('tells one cause once, with every image it hit', () => {
    const error = (name: string): ImageFailure => ({
      ...lost,
      message: lost.message.replace('arc-sqlmi', name).replace(digestOf('layer'), digestOf(name)),
      repository: `arcdata/${name}`,
      digest: digestOf(name)
    });
    const failing = ['arc-dns', 'arc-sqlmi', 'arc-controller'].map(name =>
      anImage(tag, name, {status: 'failed', error: error(name)})
    );
    const other = anImage(tag, 'arc-postgres-14', {
      status: 'failed',
      error: {...lost, status: 404, message: 'It is not there', advice: 'Look.'}
    });
    const text = make(aRecord([aRelease(tag, 'failed', {images: [...failing, other]})]));
    const entries = [...text.matchAll(/^- \*\*<code>([^<]+)<\/code>\*\*(.*?): /gm)];
    expect(entries.map(([, name, more]) => `${name ?? ''}${more ?? ''}`)).toEqual([
      'arc-dns and 2 more images',
      'arc-postgres-14'
    ]);
    for (const name of ['arc-sqlmi', 'arc-controller']) {
      expect(text).toContain(
        `\n  - <code>${name}</code>, host <code>mcr.microsoft.com</code>, repository <code>arcdata/${name}</code>, status 503, 8 attempts, digest <code>${digestOf(name)}</code>\n`
      );
    }
    expect(text.match(/Run it again/g)).toHaveLength(1);
    expect(summaryFindings(text)).toEqual([]);
  });

  test('warns where it is seen, not where it is folded', () => {
    const text = make(aRecord([aRelease('v1.35.0_2024-11-12')]));
    expect(text).toContain(
      '\n> [!WARNING]\n> Support of v1.35.0_2024-11-12 ended on 2025-11-11; mirror a newer release.\n'
    );
    expect(text.indexOf('[!WARNING]')).toBeLessThan(text.indexOf('| Image |'));
  });

  test('tells a failure of the whole run', () => {
    const failure = {message: 'The password was refused', host: 'myregistry.azurecr.io'};
    const text = make(aRecord([], {failure}));
    expect(text).toContain('- **The run**: The password was refused\n');
    expect(text).not.toContain('|');
    expect(text).not.toContain('🟦');
  });

  test('of seven releases has a line each, the newest on top, and their images folded', () => {
    const tags = Array.from({length: 7}, (_, i) => `v1.${i + 40}.0_2026-01-13`);
    const text = make(aRecord(tags.map(name => aRelease(name))));
    const rows = [...text.matchAll(/^\| <code>(v[^<]*)<\/code> \| ✅\u00a0published \| 5 \|/gm)];
    expect(rows.map(([, name]) => name)).toEqual([...tags].reverse());
    expect(text.replaceAll('\u00a0', ' ')).toContain(
      '| <b>7 releases</b> |  | <b>35</b> | <b>4.40 GB</b> | <b>1.78 GB</b> | <b>2.61 GB</b> | <b>4.30 kB</b> |'
    );
    const sections = [...text.matchAll(/<details( open)?><summary><b><code>(v[^<]*)/g)];
    expect(sections.map(([, open, name]) => [name, open])).toEqual(
      [...tags].reverse().map(name => [name, undefined])
    );
    expect(summaryFindings(text)).toEqual([]);
  });

  test('of several releases opens only the one that failed', () => {
    const releases = [aRelease('v1.45.0_2026-04-14'), aRelease(tag, 'failed')];
    const text = make(aRecord(releases));
    expect(text).toContain(`- **<code>arc-controller-db</code> of <code>${tag}</code>**`);
    expect(text.match(/<details open>/g)).toHaveLength(1);
    expect(text).toContain(`<details open><summary><b><code>${tag}</code></b>: 5 images, ❌ not`);
  });

  test.each([
    ['planned', {dryRun: true}, '### 📋 Dry run: 5 images', '5 images, 📋 planned'],
    ['staged', {publish: false}, '### 📦 Staged 5 images', '5 images, 📦 staged, not tagged'],
    ['present', {}, '### ✅ Repaired', '5 images, ✅ already published']
  ] as const)('of a %s release says so', (status, changes, line, heading) => {
    const text = make(aRecord([aRelease(tag, status)], changes));
    expect(text).toContain(line);
    expect(text).toContain(heading);
    expect(summaryFindings(text)).toEqual([]);
  });

  test('has nothing of nothing', () => {
    const text = make(aRecord([]));
    expect(text).toContain('### ✅ There was nothing to mirror\n');
    expect(text).not.toMatch(/\||Hand-over|🟦/);
    const reason = `Already up to date: the target has ${tag} whole.`;
    expect(make(aRecord([], {reason}))).toContain(
      `### ✅ Already up to date: the target has ${tag} whole\n`
    );
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
    const text = make(aRecord(releases, {failure: {message: 'no release is published'}}));
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(largestSummary);
    expect(largestSummary).toBeLessThan(1024 * 1024);
    expect(text).toContain('- … and 1450 more images');
    expect(text).toContain('- **The run**: no release is published');
    expect(text).toContain('v1.59.0_2026-01-13');
    expect(summaryFindings(text)).toEqual([]);

    const tight = make(aRecord(tags.map(name => aRelease(name))), new Redactor(), 30_000);
    expect(Buffer.byteLength(tight)).toBeLessThanOrEqual(30_000);
    const kept = [...tight.matchAll(/<details(?: open)?><summary><b><code>/g)].length;
    expect(kept).toBeGreaterThan(0);
    expect(tight).toContain(`_The images of ${60 - kept} older releases are left out here`);
    expect(tight).toContain('| <code>v1.0.0_2026-01-13</code> |');
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
