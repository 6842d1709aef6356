import {describe, expect, test} from '@jest/globals';

import {companions, knownReleases} from '../../src/release/companions.ts';
import {supportOf} from '../../src/release/support.ts';
import {stableReleases} from './history.ts';

describe('companions', () => {
  test('every stable release has plain version numbers', () => {
    expect(knownReleases).toEqual(stableReleases);
    for (const tag of stableReleases) {
      expect(companions(tag)?.cli).toMatch(/^\d+\.\d+(?:\.\d+)?$/);
      expect(companions(tag)?.chart).toMatch(/^\d+\.\d+\.\d+$/);
    }
  });

  test.each(stableReleases.slice(stableReleases.indexOf('v1.11.0_2022-09-13')))(
    "the chart of %s has the release's number",
    tag => {
      expect(companions(tag)?.chart).toBe(tag.slice(1).split('_')[0]);
    }
  );

  test('rows with remarks around the numbers', () => {
    expect(companions('v1.0.0_2021-07-30')).toEqual({cli: '1.0', chart: '1.0.16701001'});
    expect(companions('v1.1.0_2021-11-02')).toEqual({cli: '1.1.1', chart: '1.1.17561007'});
    expect(companions('v1.46.0_2026-05-12')).toEqual({cli: '1.5.31', chart: '1.46.0'});
  });

  test('of a newer release the chart follows and the CLI is not known', () => {
    expect(companions('v1.50.0_2027-03-09')).toEqual({chart: '1.50.0'});
  });

  test.each([
    'v2.0.0_2028-01-11',
    'v1.47.1_2026-06-09',
    'v1.10.0_2022-08-10',
    'v1.8.0_2022-06-07_5ba6b837',
    'public-preview-jun-2021',
    'toString',
    '__proto__'
  ])('of %s nothing is known', tag => {
    expect(companions(tag)).toBeUndefined();
  });
});

describe('support', () => {
  const on = (day: string, tag = 'v1.46.0_2026-05-12') =>
    supportOf(tag, new Date(`${day}T23:59:59Z`));

  test('ends one year after the date in the tag', () => {
    expect(on('2026-05-12')).toEqual({lastDay: '2027-05-11', daysLeft: 364, state: 'supported'});
    expect(on('2027-05-11')).toEqual({lastDay: '2027-05-11', daysLeft: 0, state: 'near-end'});
    expect(on('2027-05-12')).toEqual({lastDay: '2027-05-11', daysLeft: -1, state: 'ended'});
  });

  test('is near its end for the last sixty days', () => {
    expect(on('2027-03-11')).toMatchObject({daysLeft: 61, state: 'supported'});
    expect(on('2027-03-12')).toMatchObject({daysLeft: 60, state: 'near-end'});
  });

  test('knows leap years', () => {
    expect(on('2024-03-01', 'v1.27.0_2024-02-29')?.lastDay).toBe('2025-02-28');
    expect(on('2024-03-01', 'v1.28.0_2024-03-01')?.lastDay).toBe('2025-02-28');
    expect(on('2023-03-01', 'v1.16.0_2023-03-01')?.lastDay).toBe('2024-02-29');
    expect(on('2023-03-01', 'v1.16.0_2023-01-01')?.lastDay).toBe('2023-12-31');
  });

  test('is told for stable releases only', () => {
    expect(on('2026-05-12', 'public-preview-jun-2021')).toBeUndefined();
    expect(on('2026-05-12', 'v1.8.0_2022-06-07_5ba6b837')).toBeUndefined();
  });
});
