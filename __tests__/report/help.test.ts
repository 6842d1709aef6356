import {describe, expect, test} from '@jest/globals';

import type {ImageFailure} from '../../src/mirror/result.ts';
import {annotations} from '../../src/report/annotations.ts';
import {helpFor, helpOn} from '../../src/report/help.ts';
import {Redactor} from '../../src/report/redact.ts';
import {summary} from '../../src/report/summary.ts';
import {terminalReporter} from '../../src/report/terminal.ts';
import {styleFor} from '../../src/report/style.ts';
import type {Verification} from '../../src/report/verification.ts';
import {judgedLines} from '../../src/report/verify-lines.ts';
import {summaryFindings} from '../support/oracle-injection.ts';
import {aRecord, aRelease, anImage} from '../support/records.ts';

const tag = 'v1.46.0_2026-05-12';
const error: ImageFailure = {
  message: 'myregistry.azurecr.io has no room left',
  advice: 'Make some.',
  host: 'myregistry.azurecr.io',
  status: 507,
  kind: 'RegistryError/refused'
};
const link = helpOn('RegistryError/refused', 507);
const images = [anImage(tag, 'arc-sqlmi', {status: 'failed', error})];
const record = aRecord([aRelease(tag, 'failed', {images})], {failure: error});

describe('a failure links to what is said of it', () => {
  test('by its status, where that says more', () => {
    expect(link).toMatch(/#no-room$/);
    expect(helpOn('RegistryError/refused', 418)).toMatch(/#refused$/);
    expect(helpOn('RegistryError/refused', 200)).toMatch(/#no-registry$/);
    expect(helpOn('RegistryError/denied', 403)).toMatch(/#not-allowed$/);
  });

  test.each([
    ['certificate', 'r.example does not speak TLS as it should: wrong version number', 'no-tls'],
    ['refused', 'r answers 400: Client sent an HTTP request to an HTTPS server.', 'no-tls'],
    [
      'unsafe',
      'r asks for a token from https://e.example: that host has another owner',
      'token-server'
    ],
    ['unsafe', 'r wants the upload to go on at e.example, another host', 'upload-elsewhere'],
    ['server', 'r answers 500: UNKNOWN: no space left on device', 'no-room'],
    ['server', 'r answers 500', 'server-error']
  ])('by its words, where they say more: %s, %s', (fault, message, entry) => {
    expect(helpFor({message, kind: `RegistryError/${fault}`})).toMatch(new RegExp(`#${entry}$`));
  });

  test('in the summary', () => {
    const text = summary(record, new Redactor(), undefined);
    expect(text).toContain(`What to do:** Make some.\n  <br>[More about this failure](${link})`);
    expect(summaryFindings(text)).toEqual([]);
  });

  test('in the annotation, whole, however long the message is', () => {
    const long = {...error, message: 'word '.repeat(1000)};
    const one = anImage(tag, 'arc-sqlmi', {status: 'failed', error: long});
    const [annotation] = annotations(
      aRecord([aRelease(tag, 'failed', {images: [one]})]),
      new Redactor()
    );
    expect(annotation?.message.endsWith(` See ${link}`)).toBe(true);
  });

  test('on a terminal', async () => {
    const written: string[] = [];
    const screen = {write: (text: string) => written.push(text)};
    const reporter = terminalReporter({
      ...{stdout: screen, stderr: screen, json: false, tty: false, verbose: false},
      env: {}
    });
    await reporter.finish(record);
    expect(written.join('')).toContain(`  Make some.\n  See ${link}\n`);
  });

  test('of a verification', () => {
    const found: Verification = {
      startedAt: record.startedAt,
      finishedAt: record.finishedAt,
      target: record.target,
      comparedWith: {kind: 'source', place: 'mcr.microsoft.com/arcdata'},
      releases: [],
      requests: {source: 1, target: 1}
    };
    const window = {
      ...{columns: 120, style: styleFor(false, {}), redactor: new Redactor()},
      shape: (line: string) => [line]
    };
    expect(judgedLines({...found, failure: error}, window)).toContain(`  See ${link}`);
    expect(judgedLines(found, window).join('\n')).not.toContain('See ');
  });

  test('not where nothing is known of it', () => {
    const unknown = {message: 'It was not reached.'};
    const quiet = aRecord([], {failure: unknown});
    expect(summary(quiet, new Redactor(), undefined)).not.toContain('More about');
    expect(annotations(quiet, new Redactor())[0]?.message).toBe('It was not reached.');
  });
});
