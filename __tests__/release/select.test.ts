import {describe, expect, test} from '@jest/globals';

import {ReleaseError} from '../../src/release/error.ts';
import {parseTagRequest} from '../../src/release/request.ts';
import {type Selection, selectReleases} from '../../src/release/select.ts';
import {everyTag, seeded, stableReleases} from './history.ts';

// As registries answer: by letter.
const live = [...everyTag, 'v1.8.0_2022-06-07_5ba6b837', 'v9.9.9', 'latest-build'].sort();

function select(requests: string | string[], targetComplete?: string, tags = live): Selection {
  return selectReleases({
    requests: [requests].flat().map(parseTagRequest),
    live: tags,
    from: 'mcr.microsoft.com/arcdata/arc-controller',
    ...(targetComplete !== undefined && {targetComplete})
  });
}

describe('a hole behind the newest release of the target', () => {
  const notes = (request: string, ...held: string[]) =>
    selectReleases({requests: [parseTagRequest(request)], live, from: 'x', held}).notes;
  const [v43 = '', v44 = '', v45 = '', v46 = ''] = ['1.43', '1.44', '1.45', '1.46'].map(
    version => select(version).tags[0]
  );

  test('is told, with what brings all of it', () => {
    expect(notes('latest', v43)).toEqual([
      `The target has ${v43}, and ${v46} is not the next release: ${v44}, ${v45} would be left out, and Arc upgrades from one minor version to the next only. 1.43.. in source-tag brings them all.`
    ]);
    expect(notes('1.45..', 'v1.2.0_2021-12-15', v43)).toHaveLength(1);
  });

  test('is none where nothing is left out, or nobody knows what is there', () => {
    expect(notes('latest')).toEqual([]);
    expect(notes('latest', v45)).toEqual([]);
    expect(notes('latest', v46, v43)).toHaveLength(1);
    expect(notes('1.44..', v43)).toEqual([]);
    expect(notes('1.43', v45)).toEqual([]);
    expect(notes('latest', 'latest-build', 'mirror-1')).toEqual([]);
  });
});

describe('one release', () => {
  test('latest is the newest stable one by number', () => {
    expect(select('latest')).toEqual({tags: ['v1.46.0_2026-05-12'], notes: []});
    expect(select('latest', undefined, ['v1.9.0_2022-07-12', 'v1.10.0_2022-08-09']).tags).toEqual([
      'v1.10.0_2022-08-09'
    ]);
  });

  test('latest ignores builds and previews', () => {
    const tags = ['public-preview-jun-2021', 'v1.2.0_2021-12-15', 'v1.8.0_2022-06-07_5ba6b837'];
    expect(select('latest', undefined, tags).tags).toEqual(['v1.2.0_2021-12-15']);
  });

  test.each(['v1.8.0_2022-06-07_5ba6b837', 'public-preview-jun-2021', 'latest-build'])(
    'an exact tag may be anything that is there: %s',
    tag => {
      expect(select(tag).tags).toEqual([tag]);
    }
  );

  test('a version is its newest patch, unless the patch is told', () => {
    expect(select('1.46').tags).toEqual(['v1.46.0_2026-05-12']);
    expect(select('1.4').tags).toEqual(['v1.4.1_2022-03-08']);
    expect(select('v1.4.0').tags).toEqual(['v1.4.0_2022-02-25']);
  });

  test('a version under several dates is the newest of them', () => {
    const tags = ['v1.30.0_2024-06-11', 'v1.30.0_2024-05-14'];
    expect(select('1.30', undefined, tags).tags).toEqual(['v1.30.0_2024-06-11']);
    expect(select('1.30..', undefined, tags).tags).toEqual(['v1.30.0_2024-06-11']);
    expect(select('v1.30.0_2024-05-14', undefined, tags).tags).toEqual(['v1.30.0_2024-05-14']);
  });
});

describe('several releases', () => {
  test('a range takes both ends in, with every patch', () => {
    expect(select('1.40..1.43').tags).toEqual([
      'v1.40.0_2025-08-12',
      'v1.41.0_2025-09-09',
      'v1.42.0_2025-10-14',
      'v1.43.0_2026-01-13'
    ]);
    expect(select('1.3..1.4').tags).toEqual([
      'v1.3.0_2022-01-27',
      'v1.4.0_2022-02-25',
      'v1.4.1_2022-03-08'
    ]);
    expect(select('..1.1').tags).toEqual(['v1.0.0_2021-07-30', 'v1.1.0_2021-11-02']);
    expect(select('1.45..').tags).toEqual(['v1.45.0_2026-04-14', 'v1.46.0_2026-05-12']);
    expect(select('1.0..').tags).toEqual(stableReleases);
  });

  test('newest:n, and what it says when there are fewer', () => {
    expect(select('newest:3').tags).toEqual(stableReleases.slice(-3));
    const two = ['v1.9.0_2022-07-12', 'v1.10.0_2022-08-09'];
    expect(select('newest:5', undefined, two)).toEqual({
      tags: two,
      notes: ['newest:5 takes all 2 releases; there are no more.']
    });
  });

  test('many requests make one ordered list, each release once', () => {
    const requests = ['latest', '1.46', '1.44..1.45', 'v1.45.0_2026-04-14', 'newest:2', '1.9'];
    expect(select(requests).tags).toEqual([
      'v1.9.0_2022-07-12',
      'v1.44.0_2026-02-10',
      'v1.45.0_2026-04-14',
      'v1.46.0_2026-05-12'
    ]);
  });

  test('whatever order the source lists its tags in', () => {
    const random = seeded(3);
    for (let round = 0; round < 20; round++) {
      const shuffled = live.toSorted(() => random() - 0.5);
      expect(select('1.0..', undefined, shuffled).tags).toEqual(stableReleases);
      expect(select('catch-up', 'v1.9.0_2022-07-12', shuffled).tags[0]).toBe('v1.10.0_2022-08-09');
    }
  });
});

describe('catch-up', () => {
  test('brings six releases from v1.40 to v1.46, oldest first', () => {
    expect(select('catch-up', 'v1.40.0_2025-08-12').tags).toEqual([
      'v1.41.0_2025-09-09',
      'v1.42.0_2025-10-14',
      'v1.43.0_2026-01-13',
      'v1.44.0_2026-02-10',
      'v1.45.0_2026-04-14',
      'v1.46.0_2026-05-12'
    ]);
  });

  test('takes the newest for an empty target', () => {
    expect(select('catch-up').tags).toEqual(['v1.46.0_2026-05-12']);
    expect(select('catch-up', 'daily').tags).toEqual(['v1.46.0_2026-05-12']);
  });

  test('says why there is nothing to do', () => {
    const selection = select('catch-up', 'v1.46.0_2026-05-12');
    expect(selection.tags).toEqual([]);
    expect(selection.reason).toMatch(
      /^Already up to date: the target has the tags of v1\.46\.0_2026-05-12/
    );
  });

  test('has no such reason when another request brings something', () => {
    const selection = select(['catch-up', '1.45'], 'v1.46.0_2026-05-12');
    expect(selection).toEqual({tags: ['v1.45.0_2026-04-14'], notes: []});
  });
});

describe('what no tag answers', () => {
  test('is told at most five times, and once where it is the same', () => {
    const asked = ['a1', 'b1', 'c1', 'd1', 'e1', 'f1', 'g1'];
    expect(() => select([...asked, 'latest'], undefined, ['latest'])).toThrow(
      /^a1 does not exist.* e1 does not exist.* So it is with 3 more\. The tags of \S+ were looked at\.$/
    );
    expect(() => select(['1.47', 'v1.47'])).toThrow(/^No release v1\.47 (?!.*No release)/);
  });

  test('is told all at once', () => {
    expect(() => select(['1.47', 'latest', 'v1.4.9', 'odd'])).toThrow(
      /^No release v1\.47 exists yet\. .* No release v1\.4\.9 exists; .*\? odd does not exist\. .* The tags of mcr\.microsoft\.com\/arcdata\/arc-controller were looked at\.$/
    );
  });

  test.each([
    ['v1.27.0_2023-02-13', 'v1.27.0_2023-02-13 does not exist; did you mean v1.27.0_2024-02-13?'],
    [
      'completely-different',
      /does not exist\. The newest release is v1\.46\.0_2026-05-12\. The tags/
    ],
    ['1.47', 'No release v1.47 exists yet. The newest is v1.46.0_2026-05-12.'],
    ['v1.46.7', 'No release v1.46.7 exists; did you mean v1.46.0_2026-05-12?'],
    ['v1.4.9', 'No release v1.4.9 exists; did you mean v1.4.0_2022-02-25 or v1.4.1_2022-03-08?'],
    ['0.9', 'No release v0.9 exists. The nearest is v1.0.0_2021-07-30.'],
    [
      '1.60..1.70',
      'No release lies within "1.60..1.70". The oldest is v1.0.0_2021-07-30, the newest v1.46.0_2026-05-12.'
    ]
  ])('%s', (request, message) => {
    expect(() => select(request)).toThrow(ReleaseError);
    expect(() => select(request)).toThrow(message);
  });

  test('a version in a gap is named with its neighbours', () => {
    expect(() => select('1.10', undefined, ['v1.9.0_2022-07-12', 'v1.11.0_2022-09-13'])).toThrow(
      'The nearest are v1.9.0_2022-07-12 and v1.11.0_2022-09-13.'
    );
  });

  test.each(['latest', '1.46', '1.40..', 'newest:3', 'catch-up'])(
    '%s at a source without stable releases',
    request => {
      expect(() => select(request, undefined, [])).toThrow(
        /: mcr\.microsoft\.com\/arcdata\/arc-controller has no tags\./
      );
      expect(() => select(request, undefined, ['latest'])).toThrow(/none of the 1 tags/);
    }
  );

  test('an exact tag at a source without stable releases', () => {
    expect(() => select('nightly', undefined, [])).toThrow(/no stable release either/);
  });

  test('tags of the source are cleaned before they are shown', () => {
    expect(() => select('nightly', undefined, ['nightly\u001b'])).toThrow(
      /did you mean nightly\?\? The/
    );
  });
});
