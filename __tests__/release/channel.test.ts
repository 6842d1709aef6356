import {describe, expect, test} from '@jest/globals';

import {
  choosesPreRelease,
  confusing,
  isPreReleaseRepository,
  refusePreRelease
} from '../../src/release/channel.ts';
import {ReleaseError} from '../../src/release/error.ts';
import {parseTagRequest} from '../../src/release/request.ts';
import {stableReleases} from './history.ts';

test('a repository of pre-releases ends in preview or test', () => {
  for (const repository of ['arcdata/preview', 'arcdata/test', 'a/b/preview', 'test'])
    expect(isPreReleaseRepository(repository)).toBe(true);
  for (const repository of ['arcdata', 'preview/arcdata', 'arcdata/latest', 'arcdata/my-preview'])
    expect(isPreReleaseRepository(repository)).toBe(false);
});

describe('pre-releases are asked for by exact tag', () => {
  const ask = (sourceRepository: string, ...requests: string[]) =>
    choosesPreRelease({sourceRepository, requests: requests.map(parseTagRequest)});

  test('an exact tag is taken, and stable repositories take everything', () => {
    expect(ask('arcdata/preview', 'v1.47.0_2026-06-09')).toBeUndefined();
    expect(ask('arcdata', 'latest', 'catch-up', '1.40..')).toBeUndefined();
  });

  test.each(['latest', '1.46', '1.40..', 'newest:1', 'catch-up'])('%s is refused', text => {
    expect(ask('arcdata/test', 'v1.47.0_2026-06-09', text)).toContain(`not by ${text};`);
    expect(ask('arcdata/test', text)).toContain(
      `not by ${text}; name the whole tag, or take the stable releases from arcdata`
    );
  });
});

describe('tags that would mislead the upgrade check', () => {
  test('stable releases do not', () => {
    expect(confusing(stableReleases)).toEqual([]);
    expect(confusing([])).toEqual([]);
  });

  test('every other tag that begins with v1 does', () => {
    expect(
      confusing([
        'latest',
        'v2',
        'v1.8.0_2022-06-07_5ba6b837',
        'v1',
        'v1.46.0_2026-05-12-amd64',
        'v1.30.0_2024-05-14',
        'v1.46.0_2026-05-12',
        'v1'
      ])
    ).toEqual([
      'v1',
      'v1.46.0_2026-05-12-amd64',
      'v1.8.0_2022-06-07_5ba6b837',
      'v1.30.0_2024-05-14'
    ]);
  });

  test("a newer release is one when the source has it, but a build's name never is", () => {
    const tags = ['v1.50.0_2027-03-09', 'v1.50.0_2027-03-09_abc'];
    expect(confusing(tags)).toEqual(['v1.50.0_2027-03-09_abc', 'v1.50.0_2027-03-09']);
    expect(confusing(tags, tags)).toEqual(['v1.50.0_2027-03-09_abc']);
  });
});

describe('a pre-release build beside stable releases', () => {
  const build = {sourceRepository: 'arcdata/preview', tag: 'v1.47.0_2026-06-09'};
  const stable = ['v1.9.0_2022-07-12', 'v1.46.0_2026-05-12', 'latest'];
  type Options = Parameters<typeof refusePreRelease>[0];
  const refuse = (options: Omit<Options, 'stands'> & Partial<Options>) => () => {
    refusePreRelease({stands: false, ...options});
  };

  test('is refused, by its repository or by its name', () => {
    expect(refuse({...build, targetTags: stable})).toThrow(ReleaseError);
    expect(refuse({...build, targetTags: stable})).toThrow(
      /holds stable releases \(2, newest v1\.46\.0_2026-05-12\)/
    );
    const named = {sourceRepository: 'arcdata', tag: 'v1.8.0_2022-06-07_5ba6b837'};
    expect(refuse({...named, targetTags: stable})).toThrow(ReleaseError);
  });

  test('may go to an empty path, to one of its own kind, and again to where it is', () => {
    expect(refuse({...build, targetTags: ['latest']})).not.toThrow();
    expect(refuse({...build, targetTags: [build.tag], stands: true})).not.toThrow();
    expect(refuse({...build, targetRepository: 'team/preview', targetTags: stable})).not.toThrow();
  });

  test('does not take the place of a stable release of its name', () => {
    expect(refuse({...build, targetTags: [build.tag]})).toThrow(/holds stable releases \(1,/);
    const beside = [...stable, build.tag];
    expect(refuse({...build, targetTags: beside, stands: true})).toThrow(/stable releases \(2,/);
  });

  test('is no worse than another tag that begins like a release, unless that is renamed', () => {
    const odd = {sourceRepository: 'arcdata', tag: 'v1.46.0_2026-05-12-amd64'};
    expect(refuse({...odd, targetTags: stable})).toThrow(
      /-amd64 is no tag of a stable release, and the target holds stable releases \(2,/
    );
    expect(refuse({...odd, targetTags: ['latest']})).not.toThrow();
    expect(refuse({...odd, targetTags: stable, targetTag: 'amd64'})).not.toThrow();
    expect(refuse({...odd, tag: 'public-preview-jun-2021', targetTags: stable})).not.toThrow();
  });

  test('is none of what a stable release is', () => {
    expect(
      refuse({sourceRepository: 'arcdata', tag: 'v1.46.0_2026-05-12', targetTags: stable})
    ).not.toThrow();
  });
});
