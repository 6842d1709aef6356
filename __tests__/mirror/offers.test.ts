import {describe, expect, test} from '@jest/globals';

import type {RequestRecord} from '../../src/demo/record.ts';
import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import type {Effect, Rule} from '../../src/demo/rules.ts';
import {mediaTypes} from '../../src/oci/media-type.ts';
import {play, previous, release, type Row, type World} from '../support/fault-world.ts';
import {mirrorRun} from '../support/mirror-run.ts';
import {putImage, putRelease, smallRelease, smallTag} from '../support/small-release.ts';
import {until} from '../support/step.ts';

const lastMonth = 'v1.45.0_2026-04-14';

/** The month before stands at the target, so that some blobs are there and others are not. */
function standing({target}: World): void {
  for (const [name, image] of previous.images)
    putImage(target.store, `mirror/arcdata/${name}`, image, lastMonth);
}

/** The same, and arc-dns has a layer of this month already that no other image has. */
function standingWithLate(world: World): void {
  standing(world);
  world.target.store.putBlob('mirror/arcdata/arc-dns', release.late.bytes);
}

const byDigest = ({requests}: EmbeddedRegistry, status?: number): readonly RequestRecord[] =>
  requests.filter(
    one =>
      one.kind === 'manifest' &&
      one.method === 'PUT' &&
      one.path.includes('sha256:') &&
      (status === undefined || one.status === status)
  );
const looks = ({requests}: EmbeddedRegistry) =>
  requests.filter(({kind, method}) => kind === 'blob' && method === 'HEAD');
const repositories = (requests: readonly RequestRecord[]) =>
  requests.map(({repository = ''}) => repository.replace('mirror/arcdata/', '')).sort();

const row = (more: Partial<Row>): Row => ({
  id: 'offers',
  name: 'next month',
  prepare: standing,
  end: 'complete',
  ...more
});

describe('what is missing is asked by offering manifests', () => {
  test('one of each type proves the registry; of the others no blob is looked at one by one', async () => {
    const also = ({target}: World) => {
      // One OCI image and the smaller of the docker ones were looked through; then the word counts. The
      // index is offered while bytes travel: its own look at its children is what it is to prove.
      expect(repositories(byDigest(target, 400))).toEqual([
        'arc-bootstrapper',
        'arc-controller',
        'arc-dns',
        'arc-dns',
        'arc-dns'
      ]);
      const through = looks(target).filter(({repository}) => !repository?.endsWith('arc-dns'));
      expect(through).toHaveLength(3 + 4);
      // What arc-dns is said to have was seen in one of the others.
      expect(
        looks(target).filter(({path}) => path.endsWith(release.common.digest)).length
      ).toBeGreaterThan(0);
      return [];
    };
    expect(await play(row({also}))).toEqual([]);
  });

  test('what it only says it has is looked at once, whatever number of images needs it', async () => {
    const also = ({target}: World) => {
      const dns = looks(target).filter(({repository}) => repository?.endsWith('arc-dns'));
      expect(dns.map(({path}) => path.slice(path.lastIndexOf('/') + 1))).toEqual([
        release.late.digest
      ]);
      return [];
    };
    expect(await play(row({prepare: standingWithLate, also}))).toEqual([]);
  });

  test('what was seen in one repository is not looked at in another, which only says it has it', async () => {
    const also = ({target}: World) => {
      expect(looks(target).filter(({repository}) => repository?.endsWith('arc-dns'))).toEqual([]);
      return [];
    };
    expect(await play(row({also}))).toEqual([]);
  });

  test('a registry that has less than it says is found out before the tag, and mended', async () => {
    const {digest} = release.late;
    const hidden = {
      on: {kind: 'blob', method: 'HEAD', repository: 'mirror/arcdata/arc-dns', digest},
      do: {effect: 'answer', status: 404},
      times: 2
    } as const;
    const also = ({target}: World) => {
      const sent = target.requests.filter(
        ({kind, method, query}) =>
          kind === 'upload' && method === 'PUT' && query.includes(encodeURIComponent(digest))
      );
      expect(repositories(sent)).toEqual(['arc-dns']);
      return [];
    };
    expect(await play(row({target: [hidden], prepare: standingWithLate, also}))).toEqual([]);
  });

  test('a registry that takes manifests with holes is offered one of each type, and looked through', async () => {
    const also = ({target}: World) => {
      // Taken before anything was moved: one of each type. The rest came when their blobs were there.
      const before = target.requests.findIndex(({method}) => method === 'POST');
      const taken = target.requests
        .slice(0, before)
        .filter(({kind, method}) => kind === 'manifest' && method === 'PUT');
      const types = taken.map(({headers}) => headers['content-type']);
      expect(types).toHaveLength(new Set(types).size);
      expect(types.length).toBeGreaterThanOrEqual(2);
      expect(looks(target).length).toBeGreaterThanOrEqual(3 + 4 + 4 + 3);
      return [];
    };
    expect(await play(row({targetOptions: {verifyReferences: false}, also}))).toEqual([]);
  });

  test('the others are offered while the blobs of the first are still looked at', async () => {
    const offered = (target: EmbeddedRegistry) =>
      byDigest(target, 400).filter(({repository}) => repository?.endsWith('arc-dns'));
    let meanwhile = 0;
    const prepare = (world: World) => {
      standing(world);
      const {target} = world;
      target.rule({
        on: {kind: 'blob', method: 'HEAD', digest: release.common.digest},
        times: 'always',
        do: {
          effect: 'custom',
          // No answer before both children of the index have been offered.
          run: async () => {
            await until('two manifests are offered', () => offered(target).length >= 2);
            meanwhile ||= offered(target).length;
            return false;
          }
        }
      });
    };
    const also = ({target}: World) => {
      expect(meanwhile).toBe(2);
      expect(offered(target)).toHaveLength(3);
      return [];
    };
    expect(await play(row({prepare, also}))).toEqual([]);
  });

  test.each([
    ['the first', 1],
    ['some of those', 2]
  ])('a registry that names only %s that it misses is not believed', async (_what, count) => {
    const rules = ['arc-bootstrapper', 'arc-controller'].map(name => ({
      on: {kind: 'manifest', method: 'PUT', repository: `mirror/arcdata/${name}`} as const,
      do: {
        effect: 'missing',
        digests:
          release.images
            .get(name)
            ?.blobs.slice(0, count)
            .map(({digest}) => digest) ?? []
      } as const
    }));
    const also = ({target}: World) => {
      const dns = looks(target).filter(({repository}) => repository?.endsWith('arc-dns'));
      expect(new Set(dns.map(({path}) => path)).size).toBe(6);
      return [];
    };
    expect(await play(row({target: rules, also}))).toEqual([]);
  });

  test.each([
    [
      'says nothing of blobs',
      {effect: 'answer', status: 400, body: {errors: [{code: 'DENIED', message: 'no'}]}}
    ],
    ['fails', {effect: 'answer', status: 500}],
    ['breaks off', {effect: 'drop', how: 'reset'}]
  ] satisfies [string, Effect][])('a registry that %s is looked through', async (_name, effect) => {
    const offered: Rule = {on: {kind: 'manifest', method: 'PUT'}, do: effect, times: 2};
    expect(await play(row({target: [offered]}))).toEqual([]);
  });

  test('what was too much is offered again, and not looked through for it', async () => {
    const offered: Rule = {
      on: {kind: 'manifest', method: 'PUT'},
      do: {effect: 'answer', status: 429},
      times: 2
    };
    const also = ({target}: World) => {
      expect(looks(target).filter(({repository}) => repository?.endsWith('arc-dns'))).toEqual([]);
      return [];
    };
    expect(await play(row({target: [offered], also}))).toEqual([]);
  });

  test('nothing is offered before it is known that all releases are whole at the source', async () => {
    await using source = await EmbeddedRegistry.start();
    await using target = await EmbeddedRegistry.start();
    putRelease(source.store, 'arcdata', previous, lastMonth);
    putRelease(source.store, 'arcdata', release);
    // Which is heard when all else is known.
    source.store.deleteTag('arcdata/arc-dns', smallTag);
    source.rule({
      on: {kind: 'manifest', repository: 'arcdata/arc-dns', tag: smallTag},
      do: {
        effect: 'custom',
        run: async () => {
          await new Promise(resolve => setTimeout(resolve, 2000));
          return false;
        }
      }
    });
    putRelease(target.store, 'mirror/arcdata', smallRelease(0), 'v1.44.0_2026-03-10');
    const inputs = {'source-tag': `${lastMonth}\n${smallTag}`};
    const {record} = await mirrorRun({source, target, inputs});
    expect(record.failure?.message).toContain('arc-dns');
    const writes = target.requests.filter(({method}) => method !== 'GET' && method !== 'HEAD');
    expect(writes).toEqual([]);
  });

  test('a dry run offers nothing, and looks', async () => {
    const also = ({target}: World) => {
      expect(target.requests.filter(({method}) => !['GET', 'HEAD'].includes(method))).toEqual([]);
      expect(looks(target)).toHaveLength(3 + 4 + 6);
      return [];
    };
    // Nothing is published then: the oracle's question is the wrong one.
    const findings = await play(row({inputs: {'dry-run': 'true'}, also}));
    expect(findings.filter(one => !one.includes('tag'))).toEqual([]);
  });

  test('an image that is whole but untagged is found so, and only tagged', async () => {
    const prepare = ({target}: World) => {
      for (const [name, image] of release.images)
        putImage(target.store, `mirror/arcdata/${name}`, image);
    };
    const also = ({target, source}: World) => {
      expect(source.requests.filter(({kind}) => kind === 'blob')).toEqual([]);
      expect(target.requests.filter(({kind}) => kind === 'upload')).toEqual([]);
      return [];
    };
    expect(await play(row({prepare, also}))).toEqual([]);
  });
});

test('the release has the types that the counts above are of', () => {
  const types = [...release.images.values()].map(({mediaType}) => mediaType);
  expect(types).toEqual([mediaTypes.ociManifest, mediaTypes.dockerManifest, mediaTypes.dockerList]);
});
