import {describe, expect, test} from '@jest/globals';

import {ReleaseError} from '../../src/release/error.ts';
import {couldBeSeveral, parseTagRequest} from '../../src/release/request.ts';
import {everyTag} from './history.ts';

test.each([
  ['latest', {kind: 'latest'}],
  ['catch-up', {kind: 'catch-up'}],
  ['1.46', {kind: 'version', major: 1, minor: 46}],
  ['v1.46', {kind: 'version', major: 1, minor: 46}],
  ['1.46.0', {kind: 'version', major: 1, minor: 46, patch: 0}],
  ['v1.46.0', {kind: 'version', major: 1, minor: 46, patch: 0}],
  ['1.40..1.43', {kind: 'range', from: {major: 1, minor: 40}, to: {major: 1, minor: 43}}],
  ['v1.4.0 .. v1.4.1', {kind: 'range', from: {major: 1, minor: 4, patch: 0}, to: {minor: 4}}],
  ['1.40..1.40', {kind: 'range', from: {minor: 40}, to: {minor: 40}}],
  ['1.4.1..1.4', {kind: 'range', from: {minor: 4, patch: 1}, to: {minor: 4}}],
  ['newest:3', {kind: 'newest', count: 3}],
  ['newest:1', {kind: 'newest', count: 1}],
  ['newest:100', {kind: 'newest', count: 100}],
  ['v1.46.0_2026-05-12', {kind: 'exact', tag: 'v1.46.0_2026-05-12'}],
  ['v1.8.0_2022-06-07_5ba6b837', {kind: 'exact', tag: 'v1.8.0_2022-06-07_5ba6b837'}],
  ['v1', {kind: 'exact', tag: 'v1'}],
  ['nightly', {kind: 'exact', tag: 'nightly'}]
])('%s is understood', (text, expected) => {
  expect(parseTagRequest(text)).toMatchObject({text, ...expected});
});

test('a range may be open at one end', () => {
  expect(parseTagRequest('1.40..')).toEqual({
    kind: 'range',
    text: '1.40..',
    from: {major: 1, minor: 40}
  });
  expect(parseTagRequest('..v1.43')).toEqual({
    kind: 'range',
    text: '..v1.43',
    to: {major: 1, minor: 43}
  });
});

test('blanks around it do not count', () => {
  expect(parseTagRequest('  1.46\t')).toEqual({kind: 'version', text: '1.46', major: 1, minor: 46});
});

test.each(everyTag)('%s is taken as it stands', tag => {
  expect(parseTagRequest(tag)).toEqual({kind: 'exact', text: tag, tag});
});

describe('what is not understood is refused, with the rule', () => {
  test.each([
    ['', /names no release\. Write latest, a tag such as/],
    ['..', /a range stands between two versions/],
    ['1.40...1.43', /a range stands between/],
    ['1.40..1.43..1.45', /a range stands between/],
    ['v1.40.0_2025-08-12..', /a range stands between/],
    ['1.43..1.40', /v1\.43 is newer than v1\.40/],
    ['1.40.2..1.40.1', /v1\.40\.2 is newer than v1\.40\.1/],
    ['newest', /a number from 1 to 100/],
    ['newest:', /a number from 1 to 100/],
    ['newest:0', /a number from 1 to 100/],
    ['newest:101', /a number from 1 to 100/],
    ['newest:03', /a number from 1 to 100/],
    ['newest:-1', /a number from 1 to 100/],
    ['newest:1.5', /a number from 1 to 100/],
    ['newest:٣', /a number from 1 to 100/],
    ['Newest:3', /a number from 1 to 100/],
    ['Latest', /did you mean latest\?/],
    ['catchup', /did you mean catch-up\?/],
    ['Catch_Up', /did you mean catch-up\?/],
    ['-a', /write latest, a tag such as/],
    ['.a', /write latest/],
    ['a b', /write latest/],
    ['a/b', /write latest/],
    ['a:b', /write latest/],
    ['lätest', /write latest/],
    ['a'.repeat(129), /write latest/],
    [`sha256:${'a'.repeat(64)}`, /a digest names no release/],
    ['latest@sha256:00', /a digest names no release/]
  ])('%j', (text, message) => {
    expect(() => parseTagRequest(text)).toThrow(ReleaseError);
    expect(() => parseTagRequest(text)).toThrow(message);
  });

  test('and the text is cleaned before it is shown', () => {
    expect(() => parseTagRequest('a\u001b[31m\u202eb')).toThrow(/"a\?\[31m\?b"/);
    expect(() => parseTagRequest('x '.repeat(100_000))).toThrow(/^.{0,500}$/);
  });
});

test('which requests may end in several releases', () => {
  const several = (text: string) => couldBeSeveral(parseTagRequest(text));
  expect(['1.40..1.43', '1.40..', 'newest:2', 'catch-up'].map(several)).toEqual(
    Array<boolean>(4).fill(true)
  );
  expect(['latest', '1.46', 'v1.46.0_2026-05-12', 'newest:1'].map(several)).toEqual(
    Array<boolean>(4).fill(false)
  );
});
