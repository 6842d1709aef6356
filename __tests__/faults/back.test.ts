import {describe, expect, test} from '@jest/globals';

import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import type {Rule} from '../../src/demo/rules.ts';
import {EndedError} from '../../src/run/time-limit.ts';
import {quirksOf} from '../../src/registry/quirks.ts';
import {play, previous, release} from '../support/fault-world.ts';
import {mirrorRun} from '../support/mirror-run.ts';
import {tellOf} from '../support/oracle.ts';
import {always, error, most, rule, status} from '../support/rows.ts';
import {
  earlierTag,
  imageOf,
  putImage,
  putRelease,
  smallNames,
  smallRelease,
  smallTag
} from '../support/small-release.ts';

const tagOf = (name: string) => ({
  kind: 'manifest' as const,
  repository: `mirror/arcdata/${name}`,
  tag: smallTag
});
/** The last tag of all is refused for good: the others have to go back. */
const refused = rule({...tagOf('arc-controller'), method: 'PUT'}, status(403), {times: always});

describe('tags go back to what they stood for', () => {
  test.each<[string, Rule]>([
    ['503 to one of them', rule({...tagOf('arc-dns'), method: 'PUT'}, status(503), {skip: 1})],
    [
      '429 to one of them',
      rule({...tagOf('arc-dns'), method: 'PUT'}, status(429, {headers: {'Retry-After': '1'}}), {
        skip: 1
      })
    ],
    [
      'answers that take their time',
      rule({kind: 'manifest', method: 'GET'}, {effect: 'delay', ms: 2600}, {times: always})
    ]
  ])(
    'in spite of %s',
    async (name, fault) => {
      const row = {id: 'back', name, target: [refused, fault], end: {refused: ['arc-controller']}};
      expect(await play(row, 'previous')).toEqual([]);
    },
    60_000
  );

  test('and that one never moved is not told otherwise', async () => {
    const findings = await play(
      {
        id: 'told',
        name: 'the last tag is refused',
        target: [refused],
        end: {refused: ['arc-controller', 'all of it is there, but not all tags could be set']},
        also: (_world, run) => {
          const told = tellOf(run);
          return /could not be made to go back|images? failed/.test(told) ? [told] : [];
        }
      },
      'previous'
    );
    expect(findings).toEqual([]);
  });

  test('and where that fails, the images say so, each for itself, and so does changed', async () => {
    const findings = await play({
      id: 'left',
      name: 'the target had nothing, so that nothing can be put back',
      target: [refused],
      end: {refused: ['could not be made to go back']},
      also: (_world, run) => {
        const [only] = run.record.releases;
        const dns = only?.images.find(({name}) => name === 'arc-dns')?.error;
        const controller = only?.images.find(({name}) => name === 'arc-controller')?.error;
        return [
          ...(only?.changed === true ? [] : ['changed is not told']),
          ...(controller?.status === 403 ? [] : [`arc-controller: ${String(controller?.message)}`]),
          ...(dns?.message.startsWith('mirror/arcdata/arc-dns has its tag') === true
            ? []
            : [`arc-dns: ${String(dns?.message)}`])
        ];
      }
    });
    expect(findings).toEqual([]);
  });
});

test('tags go back when the run is cancelled while they are set', async () => {
  await using source = await EmbeddedRegistry.start();
  await using target = await EmbeddedRegistry.start();
  putRelease(source.store, 'arcdata', release);
  putRelease(target.store, 'mirror/arcdata', previous);
  const cancelled = new AbortController();
  target.rule(
    rule(
      {...tagOf('arc-controller'), method: 'PUT'},
      {
        effect: 'custom',
        run: async exchange => {
          cancelled.abort(new EndedError('the run was cancelled', 'Run again.'));
          await exchange.answer(403, {}, error('DENIED'));
          return true;
        }
      }
    )
  );
  const {record} = await mirrorRun({source, target, signal: cancelled.signal});
  expect(record.failure?.message).toContain('the run was cancelled');
  const {store} = target;
  // It had moved before, and stands again where it stood.
  expect(store.tagEvents.filter(({tag}) => tag === smallTag).length).toBeGreaterThan(3);
  for (const [name, {digest}] of previous.images)
    expect(store.tag(`mirror/arcdata/${name}`, smallTag)).toBe(digest);
});

test('a tag that was taken, and then reads as absent, is told as one that stays', async () => {
  const findings = await play({
    id: 'absent',
    name: 'the last tag is refused, and the first is not shown',
    target: [
      refused,
      // It is read back once.
      rule({...tagOf('arc-dns'), method: ['HEAD', 'GET']}, status(404), {skip: 1, times: always})
    ],
    end: {refused: [/took the tags of [^;]*arc-dns[^;]* and could not be made to go back/]}
  });
  expect(findings).toEqual([]);
});

test('the last tag is not set where another one that was taken reads as absent', async () => {
  const findings = await play({
    id: 'lost',
    name: 'a tag is taken and lost',
    target: [rule({...tagOf('arc-dns'), method: ['HEAD', 'GET']}, status(404), {times: always})],
    end: {
      refused: [
        /arc-dns\S* was put to \S+, but reads as absent/,
        /Arc looks at that of arc-controller only/
      ]
    },
    also: ({target}) =>
      target.requests.some(
        ({method, path}) =>
          method === 'PUT' && path.endsWith(`arc-controller/manifests/${smallTag}`)
      )
        ? ['the tag of arc-controller was set']
        : []
  });
  expect(findings).toEqual([]);
});

test('one that went back, and then reads as absent, is not told', async () => {
  const findings = await play(
    {
      id: 'absent',
      name: 'the last tag is refused, and the first is not shown once it has moved',
      target: [
        refused,
        rule({...tagOf('arc-dns'), method: ['HEAD', 'GET']}, status(404), {skip: 2, times: always})
      ],
      end: {refused: ['arc-controller']},
      also: (_world, run) => {
        const told = tellOf(run);
        return told.includes('could not be made to go back') ? [told] : [];
      }
    },
    'previous'
  );
  expect(findings).toEqual([]);
});

test('a list of tags that breaks off is no list: the newest may be in the rest', async () => {
  const part = JSON.stringify({name: 'x', tags: [earlierTag]});
  const next = '</v2/arcdata/arc-controller/tags/list?n=1000&last=a>; rel="next"';
  const findings = await play({
    id: 'page',
    name: '404 to the second page, once',
    end: 'complete',
    inputs: {'source-tag': 'latest'},
    prepare: ({source}) => {
      putRelease(source.store, 'arcdata', previous, earlierTag);
    },
    source: [
      rule({kind: 'tags'}, {effect: 'substitute', body: part}),
      rule({kind: 'tags'}, {effect: 'headers', set: {Link: next}}),
      rule({kind: 'tags'}, status(404, {body: error('NAME_UNKNOWN')}), {skip: 1})
    ],
    also: (_world, run) => run.record.releases.map(({tag}) => tag).filter(tag => tag !== smallTag)
  });
  expect(findings).toEqual([]);
});

test.each([true, false])(
  'a second release waits for its own commits where only committed layers are mounted (known: %s)',
  async known => {
    const digest = encodeURIComponent(release.base.digest);
    const findings = await play({
      id: 'committed',
      name: 'two releases at once',
      end: 'complete',
      targetOptions: {character: {mount: 'committed'}},
      network: {quirks: name => ({...quirksOf(name), mountsCommittedOnly: known})},
      inputs: {'source-tag': `${earlierTag}\n${smallTag}`},
      prepare: ({source}) => {
        putRelease(source.store, 'arcdata', previous, earlierTag);
      },
      target: [
        rule(
          {kind: 'manifest', method: 'PUT', repository: 'mirror/arcdata/arc-bootstrapper'},
          {effect: 'delay', ms: 500},
          {times: always}
        )
      ],
      also: ({target}) =>
        most(
          1,
          'uploads of the base',
          target.requests.filter(
            ({kind, method, query}) =>
              kind === 'upload' && method === 'PUT' && query.includes(digest)
          ).length
        )
    });
    expect(findings).toEqual([]);
  }
);

test('where only committed layers are mounted, nobody waits for an image that cannot be committed', async () => {
  const findings = await play({
    id: 'not committed',
    name: 'the manifest of the first image is refused',
    targetOptions: {character: {mount: 'committed'}},
    target: [
      rule(
        {kind: 'manifest', method: 'PUT', repository: 'mirror/arcdata/arc-bootstrapper'},
        status(403),
        {times: always}
      )
    ],
    end: {refused: ['arc-bootstrapper', 'status 403']}
  });
  expect(findings).toEqual([]);
});

test('a registry that wants chunks larger than any blob gets it whole', async () => {
  const findings = await play({
    id: 'chunk',
    name: 'OCI-Chunk-Min-Length beyond reason',
    target: [
      rule(
        {kind: ['upload', 'mount'], method: 'POST'},
        {effect: 'headers', set: {'OCI-Chunk-Min-Length': '2000000000'}},
        {times: always}
      )
    ],
    end: 'complete'
  });
  expect(findings).toEqual([]);
});

test('a release that fails takes no tag back that an earlier one of the run has set', async () => {
  const anew = 'v1.46.0_2026-05-19';
  const chart = 'arcdataservices-extension';
  await using source = await EmbeddedRegistry.start();
  await using target = await EmbeddedRegistry.start();
  const {common} = smallRelease(1);
  // Two releases of one version have one chart.
  putRelease(source.store, 'arcdata', smallRelease(1), smallTag);
  putRelease(source.store, 'arcdata', smallRelease(2), anew);
  putImage(source.store, `arcdata/${chart}`, imageOf('chart', 'oci', [common]), '1.46.0');
  putImage(target.store, `mirror/arcdata/${chart}`, imageOf('old', 'oci', [common]), '1.46.0');
  target.rule(
    rule({...tagOf('arc-controller'), tag: anew, method: 'PUT'}, status(403), {times: always})
  );
  const inputs = {
    'source-tag': `${smallTag}\n${anew}`,
    chart: 'true',
    images: smallNames.join('\n')
  };
  const {record} = await mirrorRun({source, target, inputs});
  expect(record.releases.map(({tag, published}) => [tag, published])).toEqual([
    [smallTag, true],
    [anew, false]
  ]);
  expect(target.store.tag(`mirror/arcdata/${chart}`, '1.46.0')).toBe(
    source.store.tag(`arcdata/${chart}`, '1.46.0')
  );
});
