import {describe, expect, test} from '@jest/globals';

import {
  compareReleaseTags,
  compareTags,
  formatVersion,
  isStable,
  parsePreReleaseTag,
  parsePublicPreview,
  parseReleaseTag,
  parseVersion,
  tagKind
} from '../../src/release/tag.ts';
import {everyTag, seeded, stableReleases} from './history.ts';

describe('a stable tag', () => {
  test('is taken apart', () => {
    expect(parseReleaseTag('v1.46.0_2026-05-12')).toEqual({
      text: 'v1.46.0_2026-05-12',
      major: 1,
      minor: 46,
      patch: 0,
      date: {year: 2026, month: 5, day: 12}
    });
  });

  test.each(stableReleases)('%s is one', tag => {
    expect(isStable(tag)).toBe(true);
    expect(tagKind(tag)).toBe('stable');
  });

  test.each([
    '',
    'latest',
    '1.46.0_2026-05-12',
    'V1.46.0_2026-05-12',
    'v01.46.0_2026-05-12',
    'v1.046.0_2026-05-12',
    'v1.46.00_2026-05-12',
    'v1.46_2026-05-12',
    'v1.46.0-2026-05-12',
    'v1.46.0_2026_05_12',
    'v1.46.0_2026-5-12',
    'v1.35.0_2024-11-128',
    'v1.46.0_2026-02-29',
    'v1.46.0_2026-04-31',
    'v1.46.0_2026-00-12',
    'v1.46.0_2026-13-12',
    'v1.46.0_2026-05-00',
    'v1.46.0_0026-05-12',
    ' v1.46.0_2026-05-12',
    'v1.46.0_2026-05-12\n',
    'v1.46.0_2026-05-12_5ba6b837',
    'v1.1234567.0_2026-05-12',
    'public-preview-jun-2021'
  ])('%j is none', text => {
    expect(parseReleaseTag(text)).toBeUndefined();
    expect(isStable(text)).toBe(false);
  });

  test('may stand on the 29th of February of a leap year', () => {
    expect(isStable('v1.27.0_2024-02-29')).toBe(true);
    expect(isStable('v1.27.0_2100-02-29')).toBe(false);
  });
});

test('the forms before and beside are told apart', () => {
  expect(tagKind('v1.8.0_2022-06-07_5ba6b837')).toBe('pre-release');
  expect(parsePreReleaseTag('v1.8.0_2022-06-07_5ba6b837')).toMatchObject({
    release: {major: 1, minor: 8, patch: 0},
    suffix: '5ba6b837'
  });
  expect(parsePreReleaseTag('v1.8.0_2022-06-07')).toBeUndefined();
  expect(tagKind('public-preview-jun-2021')).toBe('public-preview');
  expect(parsePublicPreview('public-preview-jun-2021')).toEqual({year: 2021, month: 6});
  expect(parsePublicPreview('public-preview-xyz-2021')).toBeUndefined();
  expect(tagKind('latest')).toBe('other');
});

test('versions are read and written', () => {
  expect(parseVersion('1.46')).toEqual({major: 1, minor: 46});
  expect(parseVersion('v1.46.0')).toEqual({major: 1, minor: 46, patch: 0});
  for (const text of ['', '1', 'v1', '1.46.', '1.46.0.0', '01.4', 'V1.4', '1.4567890'])
    expect(parseVersion(text)).toBeUndefined();
  expect(formatVersion({major: 1, minor: 46})).toBe('v1.46');
  expect(formatVersion({major: 1, minor: 46, patch: 1})).toBe('v1.46.1');
});

describe('order', () => {
  test('is by number, not by letter', () => {
    const lexicographic = [...everyTag].sort();
    expect(lexicographic).not.toEqual(everyTag);
    expect(lexicographic.toSorted(compareTags)).toEqual(everyTag);
  });

  test('puts the date behind the version', () => {
    const tags = ['v1.30.0_2024-06-11', 'v1.30.0_2024-05-14', 'v1.4.1_2025-01-01'];
    expect(tags.sort(compareTags)).toEqual([
      'v1.4.1_2025-01-01',
      'v1.30.0_2024-05-14',
      'v1.30.0_2024-06-11'
    ]);
  });

  test('puts what tells no age first and a build before its release', () => {
    const tags = ['v1.8.0_2022-06-14', 'v1.8.0_2022-06-14_abc', 'latest', 'daily'];
    expect(tags.sort(compareTags)).toEqual([
      'daily',
      'latest',
      'v1.8.0_2022-06-14_abc',
      'v1.8.0_2022-06-14'
    ]);
  });

  test('agrees with the numbers, for tags at random', () => {
    const random = seeded(7);
    const digits = (below: number) => Math.floor(random() * below);
    const two = (value: number) => String(value).padStart(2, '0');
    const tags = Array.from({length: 300}, () => {
      const day = `${2020 + digits(9)}-${two(1 + digits(12))}-${two(1 + digits(28))}`;
      return `v${digits(3)}.${digits(120)}.${digits(12)}_${day}`;
    });
    const key = (tag: string) =>
      (tag.match(/\d+/g) ?? []).map(number => number.padStart(6, '0')).join('');
    const expected = tags.toSorted((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
    expect(tags.toSorted(compareTags)).toEqual(expected);
    const releases = tags.map(parseReleaseTag).filter(release => release !== undefined);
    expect(releases).toHaveLength(300);
    expect(releases.sort(compareReleaseTags).map(({text}) => text)).toEqual(expected);
  });
});
