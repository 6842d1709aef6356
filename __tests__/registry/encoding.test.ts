import {deflateRawSync, deflateSync, gzipSync} from 'node:zlib';

import {describe, expect, test} from '@jest/globals';

import {encodingOf, unpack} from '../../src/registry/encoding.ts';

describe('what Content-Encoding says', () => {
  test.each([undefined, '', ' ', 'identity', 'IDENTITY', 'identity, identity'])(
    'is nothing: %j',
    header => {
      expect(encodingOf({'content-encoding': header})).toBeUndefined();
    }
  );

  test.each([
    ['gzip', 'gzip'],
    ['GZIP', 'gzip'],
    ['x-gzip', 'gzip'],
    ['X-GZip', 'gzip'],
    [' identity , gzip', 'gzip'],
    ['Deflate', 'deflate'],
    ['br', 'foreign'],
    ['ZSTD', 'foreign'],
    ['x-compress', 'foreign'],
    ['gzip, gzip', 'foreign'],
    ['aws-chunked,gzip', 'foreign'],
    ['utf-8', 'odd'],
    ['aws-chunked', 'odd'],
    ['constructor', 'odd'],
    ['none, utf-8', 'odd']
  ])('%s is of the kind %s', (header, kind) => {
    expect(encodingOf({'content-encoding': header})).toEqual({kind, said: header.trim()});
  });

  test('is told cleaned, and not at length', () => {
    const header = `::error::\u202e${'x'.repeat(100)}`;
    const said = encodingOf({'content-encoding': header})?.said ?? '';
    expect(said).toMatch(/^: :error::\?x+…$/);
    expect(said).toHaveLength(40);
  });
});

describe('what is small', () => {
  const bytes = Buffer.from('one two three');

  test.each([
    ['gzip', gzipSync(bytes)],
    ['gzip', Buffer.concat([gzipSync('one '), gzipSync('two three')])],
    ['deflate', deflateSync(bytes)],
    ['deflate', deflateSync(bytes, {level: 9})],
    ['deflate', deflateRawSync(bytes)],
    ['deflate', deflateRawSync(bytes, {level: 0})]
  ] as const)('is unpacked up to its limit: %s', (kind, packed) => {
    expect(unpack(packed, kind, bytes.length)).toEqual(bytes);
    expect(unpack(packed, kind, bytes.length - 1)).toBeUndefined();
  });

  test.each(['gzip', 'deflate'] as const)('is not unpacked where it is no %s', kind => {
    for (const other of ['', 'x', '{}', '{"tags":[]}'])
      expect(unpack(Buffer.from(other), kind, 100)).toBeUndefined();
    expect(unpack(gzipSync(bytes).subarray(0, -1), kind, 100)).toBeUndefined();
    expect(unpack(gzipSync(bytes), kind, 0)).toBeUndefined();
  });
});
