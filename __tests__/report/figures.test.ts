import {describe, expect, jest, test} from '@jest/globals';

import {formatBytes, formatCount, formatExactBytes} from '../../src/report/bytes.ts';
import {blocks, bytesBar, bytesChart, savedLine} from '../../src/report/chart.ts';
import {formatDuration} from '../../src/report/duration.ts';
import {closingLine, Pace, standingLine, startMeter} from '../../src/report/pace.ts';
import {planLine} from '../../src/report/plan-line.ts';

describe('bytes', () => {
  test.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.00 kB'],
    [9_994, '9.99 kB'],
    [9_996, '10.0 kB'],
    [99_960, '100 kB'],
    [999_499, '999 kB'],
    [999_500, '1.00 MB'],
    [1_020_304_050, '1.02 GB'],
    [999_999_999_999, '1.00 TB'],
    [Number.MAX_SAFE_INTEGER, '9.01 PB'],
    [-5, '0 B']
  ])('%d is %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  test('exact figures stand beside the rounded ones', () => {
    expect(formatExactBytes(1_020_304_050)).toBe('1.02 GB (1,020,304,050 B)');
    expect(formatExactBytes(0)).toBe('0 B');
    expect(formatCount(123)).toBe('123');
    expect(formatCount(1000)).toBe('1,000');
  });
});

describe('durations', () => {
  test.each([
    [0, '0.0 s'],
    [412, '0.4 s'],
    [9_949, '9.9 s'],
    [9_950, '10 s'],
    [59_499, '59 s'],
    [59_500, '1 min 00 s'],
    [185_000, '3 min 05 s'],
    [3_569_400, '59 min 29 s'],
    [3_570_000, '1 h 00 min'],
    [3_720_000, '1 h 02 min'],
    [-1, '0.0 s']
  ])('%d ms is %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

describe('the plan line', () => {
  const figures = {
    images: 20,
    blobsToCopy: 162,
    bytesToCopy: 1_020_304_050,
    bytesToMount: 1_490_000_000,
    bytesPresent: 0
  };

  test('tells exact bytes of one release', () => {
    expect(planLine({...figures, releases: ['v1.46.0_2026-05-12']})).toBe(
      'Plan: 20 images of v1.46.0_2026-05-12: 1.02 GB (1,020,304,050 B) to copy in 162 blobs, 1.49 GB (1,490,000,000 B) to mount, 0 B already there'
    );
  });

  test('spans several releases, and counts one thing as one', () => {
    const releases = ['v1.45.0_2026-04-14', 'v1.46.0_2026-05-12'];
    expect(planLine({...figures, releases, images: 1, blobsToCopy: 1})).toMatch(
      /^Plan: 1 image of 2 releases \(v1\.45\.0_2026-04-14 to v1\.46\.0_2026-05-12\): .* in 1 blob,/
    );
    expect(planLine({...figures, releases: [], images: 0})).toBe('Plan: nothing to do');
  });
});

describe('the pace', () => {
  test('takes the rate over a sliding window', () => {
    const pace = new Pace(1000, 0);
    pace.moved(100, 5_000);
    expect(pace.standing(10_000)).toMatchObject({done: 100, rate: 10, left: 90_000});
    pace.moved(400, 15_000);
    expect(pace.standing(20_000)).toMatchObject({done: 500, rate: 25});
    // From here on the first ten seconds no longer count.
    expect(pace.standing(30_000)).toMatchObject({rate: 20, left: 25_000});
    // Nothing for longer than the window: nobody knows how long it takes.
    const idle = pace.standing(60_000);
    expect(idle.rate).toBe(0);
    expect(idle.left).toBeUndefined();
    expect(standingLine(idle)).toBe('Copied 500 B of 1.00 kB (50 %), 0 B/s, time left not known');
  });

  test('never goes backwards, and its end moves with what was not planned', () => {
    const pace = new Pace(1000, 0);
    pace.moved(999, 500);
    pace.moved(-500, 600);
    pace.moved(Number.NaN, 700);
    expect(pace.standing(1000)).toMatchObject({done: 999});
    expect(standingLine(pace.standing(1000))).toContain('(99 %)');
    pace.moved(5000, 1500);
    const end = pace.standing(2000);
    expect(end).toMatchObject({done: 5999, fraction: 1, left: 0});
    // What follows the last byte is not the transfer's time.
    expect(standingLine(end)).toBe('Copied 6.00 kB of 6.00 kB (100 %), finishing');
    expect(closingLine(pace.standing(9000))).toBe('Copied 6.00 kB in 1.5 s, 4.00 kB/s on average');
  });

  test('a meter speaks every so often and once at its end', () => {
    jest.useFakeTimers();
    const said: string[] = [];
    const meter = startMeter(
      4000,
      10_000,
      standing => said.push(standingLine(standing)),
      standing => said.push(closingLine(standing))
    );
    meter.moved(1000);
    jest.advanceTimersByTime(10_000);
    meter.moved(1000);
    jest.advanceTimersByTime(10_000);
    meter[Symbol.dispose]();
    meter[Symbol.dispose]();
    jest.advanceTimersByTime(60_000);
    jest.useRealTimers();
    expect(said).toEqual([
      'Copied 1.00 kB of 4.00 kB (25 %), 100 B/s, 30 s left',
      'Copied 2.00 kB of 4.00 kB (50 %), 100 B/s, 20 s left',
      'Copied 2.00 kB of 4.00 kB in 20 s, 100 B/s on average'
    ]);
  });

  test('a meter for nothing is silent', () => {
    const speak = jest.fn();
    const meter = startMeter(0, 1, speak, speak);
    meter.moved(1);
    meter[Symbol.dispose]();
    expect(speak).not.toHaveBeenCalled();
  });
});

describe('the chart', () => {
  test.each([
    [
      [1, 0, 0],
      [20, 0, 0]
    ],
    [
      [1, 1, 1],
      [6, 7, 7]
    ],
    // Whatever can be told from nothing has a square, and there are twenty in all.
    [
      [1, 1, 98],
      [1, 1, 18]
    ],
    [
      [3, 3, 994],
      [0, 0, 20]
    ],
    [
      [994, 6, 0],
      [19, 1, 0]
    ],
    [
      [0.6, 0.5, 98.9],
      [1, 1, 18]
    ]
  ])('%j are %j squares', ([copied = 0, mounted = 0, present = 0], squares) => {
    const [bar = ''] = bytesBar({copied, mounted, present}, false);
    const count = (sign: string) => bar.split(sign).length - 1;
    expect([count('🟦'), count('🟩'), count('⬜')]).toEqual(squares);
  });

  test('bars are exact to an eighth, and what is there is seen', () => {
    expect(blocks(0, 10)).toBe('');
    expect(blocks(1e-9, 10)).toBe('▏');
    expect(blocks(0.5, 10)).toBe('█████');
    expect(blocks(0.56, 10)).toBe('█████▋');
    expect(blocks(7, 2)).toBe('██');
  });

  test('shows how the bytes came', () => {
    const moved = {copied: 1_000_000, mounted: 3_000_000, present: 0};
    expect(bytesChart(moved, 40)).toEqual([
      'copied         ██         1.00 MB   25 %',
      'mounted        ██████     3.00 MB   75 %',
      'already there                 0 B    0 %'
    ]);
    expect(bytesChart(moved, 30)[1]).toBe('mounted         3.00 MB   75 %');
    expect(bytesChart(moved, 200)[1]).toHaveLength(64);
    expect(savedLine(moved, false)).toBe('3.00 MB of 4.00 MB (75 %) did not have to travel');
    expect(savedLine(moved, true)).toBe('3.00 MB of 4.00 MB (75 %) need not travel');
    expect(bytesChart({copied: 0, mounted: 0, present: 0})).toEqual([]);
    expect(bytesBar(moved, false)).toEqual([
      `${'🟦'.repeat(5)}${'🟩'.repeat(15)}`,
      '🟦 **1.00 MB** copied &emsp; 🟩 **3.00 MB** mounted &emsp; ⬜ **0 B** already there'
    ]);
    expect(bytesBar(moved, true)[1]).toMatch(/\*\* to be copied .*\*\* to be mounted /);
    expect(bytesBar({copied: 0, mounted: 0, present: 0}, true)).toEqual([]);
    expect(savedLine({copied: 0, mounted: 0, present: 0}, false)).toBe('');
  });
});
