import {describe, expect, test} from '@jest/globals';
import {fromHtml} from 'hast-util-from-html';
import {toHtml} from 'hast-util-to-html';

import {githubHtml, markdownHtml} from '../../scripts/pictures/github.ts';
import type {ImageFailure} from '../../src/mirror/result.ts';
import {digestOf} from '../../src/oci/digest.ts';
import {handOver} from '../../src/report/handover.ts';
import {Redactor} from '../../src/report/redact.ts';
import type {RunRecord} from '../../src/report/record.ts';
import {summary} from '../../src/report/summary.ts';
import {allHostile, hostile} from '../support/oracle-injection.ts';
import {aRecord, aRelease, anImage} from '../support/records.ts';

const tag = 'v1.46.0_2026-05-12';
const older = 'v1.35.0_2024-11-12';
const make = (record: RunRecord) =>
  summary(
    record,
    new Redactor(),
    handOver(record, new Date('2026-05-14T06:00:00Z'), () => undefined)
  );

function failing(name: string, changes: Partial<ImageFailure> = {}) {
  const error = {
    message: 'GET /v2/: h answers 404',
    advice: 'Look.',
    host: 'h',
    digest: digestOf(name),
    ...changes
  };
  return anImage(tag, name, {status: 'failed', error});
}

const records: readonly (readonly [string, RunRecord])[] = [
  ['one release', aRecord([aRelease(tag)])],
  ['several, with a hole', aRecord([aRelease(older), aRelease(tag)])],
  ['a dry run', aRecord([aRelease(tag, 'planned')], {dryRun: true})],
  ['staged', aRecord([aRelease(tag, 'staged', {missing: ['arc-kafka']})], {publish: false})],
  ['nothing', aRecord([])],
  ['failures', aRecord([aRelease(tag, 'failed', {images: ['a', 'b', 'c'].map(n => failing(n))})])]
];

/** The elements in a piece of HTML, each with its attributes. */
function elementsOf(html: string): Set<string> {
  return new Set([...html.matchAll(/<([a-z][^>]*)>/g)].map(([, element = '']) => element));
}

/** What our own text and tables are made of; nothing else may be there, whatever was mirrored. */
const expected =
  /^(?:h[34]|p|br|b|strong|em|code|pre|code class="language-\w+"|sub|ul|li|blockquote|details|details open|summary|table|thead|tbody|tr|t[hd] align="(?:left|right)"|div class="alert warning"|p class="title")$/;

describe("in GitHub's hands", () => {
  test.each(records)('the summary of %s comes through as it was meant', (_, record) => {
    const html = markdownHtml(make(record));
    // The sanitizer finds nothing to take away, not so much as an attribute.
    const whole = toHtml(fromHtml(html, {fragment: true}));
    expect(githubHtml(make(record), {alerts: false})).toBe(whole);
    expect([...elementsOf(githubHtml(make(record)))].filter(one => !expected.test(one))).toEqual(
      []
    );
  });

  test('tables, lists and blocks to paste are what they look like', () => {
    const html = githubHtml(make(aRecord([aRelease(older), aRelease(tag)])));
    expect(html.match(/<table>/g)).toHaveLength(3);
    expect(html.match(/<details>/g)).toHaveLength(3);
    expect(html).toContain('<div class="alert warning"><p class="title">Warning</p><p>This run');
    expect(html).toContain('<pre><code class="language-yaml">spec:\n');
    expect(html).not.toMatch(/\*\*|\| /);
    const images = ['a', 'b', 'c'].map(name => failing(name));
    const failed = githubHtml(make(aRecord([aRelease(tag, 'failed', {images})])));
    expect(failed).toMatch(
      /<li>\s*<p><strong><code>a<\/code><\/strong> and 2 more images: h answers/
    );
    expect(failed).toMatch(
      /<summary>The other 2 images<\/summary>\s*<ul>\s*<li><code>b<\/code>, host/
    );
  });

  test.each([...hostile, allHostile])('%j is text, and nothing else', text => {
    const images = [
      failing(text, {message: text, advice: text, host: text, repository: text}),
      failing(`other ${text}`, {message: text, advice: text, host: text, repository: text}),
      anImage(tag, text)
    ];
    const bad = aRelease(text, 'failed', {images, targetTag: text, missing: [text], tag: text});
    const record = aRecord([bad, aRelease(tag)], {
      failure: {message: `${text}.`},
      unreached: [text]
    });
    for (const one of [
      record,
      aRecord([bad], {failure: {message: text}}),
      aRecord([], {reason: text})
    ]) {
      const html = githubHtml(make(one));
      expect([...elementsOf(html)].filter(element => !expected.test(element))).toEqual([]);
    }
  });

  test('what is not allowed is seen to be taken away', () => {
    const html = githubHtml(
      'a <b style="color: red" onclick="x">b</b> <svg>c</svg> [d](javascript:e)'
    );
    expect(html).toBe('<p>a <b>b</b> c <a>d</a></p>');
  });
});
