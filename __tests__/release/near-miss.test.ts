import {describe, expect, test} from '@jest/globals';

import {editDistance, nearMisses} from '../../src/release/near-miss.ts';
import {everyTag, seeded, stableReleases} from './history.ts';

const random = seeded(11);
const pick = (below: number) => Math.floor(random() * below);

function parts(tag: string): {version: string; year: string; month: string; day: string} {
  const [version = '', date = ''] = tag.split('_');
  const [year = '', month = '', day = ''] = date.split('-');
  return {version, year, month, day};
}

// Every way in which documents and people have been seen to write a tag wrongly.
const misprints: Readonly<Record<string, (tag: string) => string>> = {
  'another year': tag => {
    const {version, year, month, day} = parts(tag);
    return `${version}_${Number(year) - 1}-${month}-${day}`;
  },
  'another date altogether': tag => `${parts(tag).version}_2019-${10 + pick(3)}-${10 + pick(18)}`,
  'the date of another release': tag =>
    `${parts(tag).version}_${stableReleases[pick(stableReleases.length)]?.split('_')[1] ?? ''}`,
  'the day after': tag => {
    const {version, year, month, day} = parts(tag);
    return `${version}_${year}-${month}-${String(Number(day) + 1).padStart(2, '0')}`;
  },
  'another month': tag => {
    const {version, year, month, day} = parts(tag);
    return `${version}_${year}-${String((Number(month) % 12) + 1).padStart(2, '0')}-${day}`;
  },
  'day and month changed over': tag => {
    const {version, year, month, day} = parts(tag);
    return `${version}_${year}-${day}-${month}`;
  },
  'no v': tag => tag.slice(1),
  'an extra digit in the day': tag => `${tag}8`,
  'a digit of the date missing': tag => tag.slice(0, -1),
  'a dash for the underscore': tag => tag.replace('_', '-'),
  'underscores for the dashes': tag => tag.replaceAll('-', '_'),
  'dots for the dashes': tag => tag.replaceAll('-', '.'),
  'no underscore': tag => tag.replace('_', ''),
  'no dashes': tag => tag.replaceAll('-', ''),
  'no date': tag => parts(tag).version,
  'a capital V': tag => tag.toUpperCase(),
  'no leading zeros in the date': tag => tag.replace(/-0/g, '-'),
  'a suffix': tag => `${tag}-amd64`,
  'two dots': tag => tag.replace('.', '..'),
  'no patch number': tag => tag.replace(/^(v\d+\.\d+)\.\d+/, '$1'),
  'neighbouring digits of the day changed over': tag =>
    tag.replace(/(\d)(\d)$/, '$2$1').replace(/(\d)\1$/, '$10')
};

describe.each(Object.entries(misprints))('%s', (_name, misprint) => {
  test.each(stableReleases)('of %s', tag => {
    const written = misprint(tag);
    // A misprint that comes out as another real tag, or as itself, is none.
    const real = everyTag.includes(written);
    const suggestions = nearMisses(written, real ? [tag] : everyTag);
    const expected = written === tag ? undefined : tag;
    expect(suggestions[0]).toBe(expected);
    expect(suggestions.length).toBeLessThanOrEqual(3);
  });
});

test('one sure suggestion stands alone', () => {
  expect(nearMisses('v1.27.0_2023-02-13', everyTag)).toEqual(['v1.27.0_2024-02-13']);
  expect(nearMisses('1.46.0_2026-05-12', everyTag)).toEqual(['v1.46.0_2026-05-12']);
  expect(nearMisses('v1.35.0_2024-11-128', everyTag)).toEqual(['v1.35.0_2024-11-12']);
});

test('the release of that date comes second, after the release of that version', () => {
  expect(nearMisses('v1.26.0_2024-02-13', everyTag)).toEqual([
    'v1.26.0_2023-12-12',
    'v1.27.0_2024-02-13'
  ]);
});

test('a slip in the version is found by the date', () => {
  expect(nearMisses('v1.277.0_2024-02-13', everyTag)[0]).toBe('v1.27.0_2024-02-13');
  expect(nearMisses('v1.64.0_2026-05-12', everyTag)[0]).toBe('v1.46.0_2026-05-12');
});

test('a preview is found too', () => {
  expect(nearMisses('public-preview-june-2021', everyTag)[0]).toBe('public-preview-jun-2021');
  expect(nearMisses('public_preview_jun_2021', everyTag)).toEqual(['public-preview-jun-2021']);
});

test.each(['nightly', 'v9.99.9_2099-01-01', '5', '', 'v', '9'.repeat(128)])(
  '%j is like nothing',
  text => {
    expect(nearMisses(text, everyTag)).toEqual([]);
  }
);

test('the distance counts letters put in, left out, replaced and changed over', () => {
  expect(editDistance('', 'abc')).toBe(3);
  expect(editDistance('abc', '')).toBe(3);
  expect(editDistance('abc', 'abc')).toBe(0);
  expect(editDistance('abc', 'acb')).toBe(1);
  expect(editDistance('kitten', 'sitting')).toBe(3);
  expect(editDistance('abcd', 'badc')).toBe(2);
});
