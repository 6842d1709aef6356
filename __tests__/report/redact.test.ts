import {describe, expect, test} from '@jest/globals';

import {clean} from '../../src/oci/clean.ts';
import {escapeMarkdown} from '../../src/report/markdown.ts';
import {mask, Redactor} from '../../src/report/redact.ts';

const secrets = [
  'correct horse/battery+staple',
  `q"u$o%t'e&<s>\\!`,
  'pässwörd✓🔑',
  '-starts::with dashes',
  'regex.*(chars)+[a-z]{2}^$|?',
  'tok\u200ben-with-zero-width',
  'surro\ud800gate'
];

describe.each(secrets)('the secret %j', secret => {
  const redactor = new Redactor();
  redactor.add(secret);
  const forms: [string, string][] = [
    ['plain', secret],
    ['base64', Buffer.from(secret).toString('base64')],
    ['base64url', Buffer.from(secret).toString('base64url')],
    ['JSON', JSON.stringify(Buffer.from(secret).toString())],
    ['URI', encodeURIComponent(Buffer.from(secret).toString())],
    ['form', new URLSearchParams({a: secret}).toString()],
    ['header', encodeURI(Buffer.from(secret).toString())],
    [
      'lower-case URI',
      encodeURIComponent(Buffer.from(secret).toString()).replace(/%../g, c => c.toLowerCase())
    ],
    ['cleaned', clean(secret)]
  ];

  test.each(forms)('is taken out of a text in its %s form', (_, form) => {
    const text = redactor.redact(`before ${form} after`);
    expect(text).toContain(mask);
    expect(text).not.toContain(form);
    expect(text).toMatch(/^before .* after$/s);
  });

  test.each(
    ['', 'u', 'us', 'use'].flatMap(head =>
      ['', 't', 'ta', 'tai'].map(tail => [head, tail] as const)
    )
  )('is taken out of base64(%s secret %s)', (head, tail) => {
    const text = Buffer.from(head + secret + tail).toString('base64');
    const left = redactor.redact(text);
    expect(left).toContain(mask);
    // What stays is of the neighbours, and at each end of a sixth of a byte and more of the secret.
    const [before = '', after = ''] = left.split(mask);
    expect(before.length).toBeLessThanOrEqual(Math.ceil((head.length * 8) / 6));
    expect(after.length).toBeLessThanOrEqual(4 + Math.ceil((tail.length * 8) / 6));
  });

  test.each(['u', 'us', 'use', 'user'])('is taken out of base64(%s:password)', user => {
    const text = Buffer.from(`${user}:${secret}`).toString('base64');
    const left = redactor.redact(`Basic ${text}`);
    expect(left).toContain(mask);
    // At most the user, the colon and a fraction of a byte at both ends stay.
    expect(left.length).toBeLessThanOrEqual('Basic '.length + 8 + mask.length + 4);
  });
});

describe('the redactor', () => {
  test('takes the longer of two overlapping secrets first', () => {
    const redactor = new Redactor();
    redactor.add('abcd');
    redactor.add('abcd-efgh');
    expect(redactor.redact('abcd-efgh abcd')).toBe(`${mask} ${mask}`);
  });

  test('takes each line of a secret of many lines', () => {
    const redactor = new Redactor();
    redactor.add('-----BEGIN KEY-----\nMIIEvQIBADANBg\n-----END KEY-----');
    expect(redactor.redact('found MIIEvQIBADANBg here')).toBe(`found ${mask} here`);
  });

  test.each(['', '   ', 'abc', 'a\nb'])('leaves %j alone', secret => {
    const redactor = new Redactor();
    redactor.add(secret);
    expect(redactor.redact('abc a\nb    done')).toBe('abc a\nb    done');
  });

  test('learns new secrets after its first use', () => {
    const redactor = new Redactor();
    redactor.add('first-secret');
    expect(redactor.redact('first-secret second-secret')).toBe(`${mask} second-secret`);
    redactor.add('second-secret');
    expect(redactor.redact('first-secret second-secret')).toBe(`${mask} ${mask}`);
  });

  test('knows the first part of a secret where a text was cut short', () => {
    const redactor = new Redactor();
    const secret = 'S3cr3t-abcdefghijklmnop';
    redactor.add(secret);
    const forms = [secret, Buffer.from(`me:${secret}`).toString('base64')];
    for (const form of forms) {
      for (let limit = 12; limit < form.length + 12; limit++) {
        const shown = redactor.redact(clean(`it said: ${form} and more`, limit));
        const left = [...shown.matchAll(/[\w+/-]{5,}/g)].map(([word]) => word);
        // Of `me:` in base64, four signs are not the secret's.
        expect([limit, left.filter(word => form.slice(5).includes(word))]).toEqual([limit, []]);
      }
    }
    expect(redactor.redact('S3cr3 is no secret… S3cr3 neither…')).toBe(
      'S3cr3 is no secret… S3cr3 neither…'
    );
  });

  // As one regular expression they could not be built, and the error told all of them.
  test('knows secrets of any length and number', () => {
    const redactor = new Redactor();
    redactor.add('pass-word');
    const tokens = [
      'Ab0+/'.repeat(40_000),
      ...Array.from({length: 200}, (_, i) => `${i}.`.repeat(500))
    ];
    for (const token of tokens) redactor.add(token);
    expect(redactor.redact(`pass-word ${tokens.join(' ')}`)).toBe(
      [mask, ...tokens.map(() => mask)].join(' ')
    );
  });

  test('knows the tokens of a long run, which all begin alike', () => {
    const redactor = new Redactor();
    const tokens = Array.from(
      {length: 100},
      (_, i) => `eyJhbGciOiJSUzI1NiJ9.${i}.${'x'.repeat(1500)}`
    );
    for (const token of tokens) {
      redactor.add(token);
      expect(redactor.redact(`a line that eyJhbGci has nothing to do with it`)).not.toContain(mask);
    }
    expect(redactor.redact(tokens.join(' and '))).toBe(tokens.map(() => mask).join(' and '));
  });

  test('knows most of a secret however others cut it', () => {
    const redactor = new Redactor();
    const secret = 'S3cr3t-word-of-many-letters';
    redactor.add(secret);
    const sent = Buffer.from(`somebody:${secret}`).toString('base64');
    redactor.add(sent);
    for (const told of [secret.slice(0, 20), sent.slice(0, 40)]) {
      for (const end of ['...', '', '"', ' and more'])
        expect(redactor.redact(`bad header ${told}${end}`)).toBe(`bad header ${mask}${end}`);
    }
    // A few letters in common are no secret.
    expect(redactor.redact('S3cr3t-word is a word')).toBe('S3cr3t-word is a word');
  });

  test('works before Markdown is escaped', () => {
    const redactor = new Redactor();
    redactor.add('a|b<c>d');
    expect(escapeMarkdown(redactor.redact('it is a|b<c>d'))).toBe('it is &#42;&#42;&#42;');
  });
});
