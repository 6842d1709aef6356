import {describe, expect, test} from '@jest/globals';

import type {RuleMatch} from '../../src/demo/rules.ts';
import type {Digest} from '../../src/oci/digest.ts';
import {usualTimings} from '../../src/registry/transport.ts';
import {play, previous, release, type Row, type World} from '../support/fault-world.ts';
import {always, asked, most, nothingAtSink, rule, status} from '../support/rows.ts';
import {earlierTag, putImage, smallTag} from '../support/small-release.ts';
import {until} from '../support/step.ts';

const {engine, common, base} = release;
const controller = 'mirror/arcdata/arc-controller';

/** The month before stands at the target, so that manifests are offered. */
function standing({target}: World): void {
  for (const [name, image] of previous.images)
    putImage(target.store, `mirror/arcdata/${name}`, image, earlierTag);
}

function imageOf(name: string) {
  const image = release.images.get(name);
  if (image === undefined) throw new Error(`no ${name}`);
  return image;
}

/** Whatever it says elsewhere, asked for the blob it has none. */
const missing = (digest: Digest) =>
  rule({kind: 'blob', repository: controller, digest}, status(404), {times: always});

/** Requests like this are not answered until something is so: no clock says how long that takes. */
const held = (on: RuleMatch, what: string, holds: () => boolean) =>
  rule(on, {
    effect: 'custom',
    run: async () => {
      // Where it never comes about, the run goes on, and the oracle tells what came of it.
      await until(what, holds, 5000).catch(() => undefined);
      return false;
    }
  });

const looksAt = ({target}: World, digest: Digest) =>
  asked(target.requests, 'blob', 'HEAD', 'GET').filter(({path}) => path.endsWith(digest));

describe("a registry's word is looked at before a tag is set", () => {
  test('of a blob that is put back below an image that stands', async () => {
    const findings = await play({
      id: 'put back',
      name: 'it takes the blob, and loses it; it proves itself with other images meanwhile',
      prepare: ({target}) => {
        putImage(target.store, controller, imageOf('arc-controller'), smallTag);
        target.store.deleteBlob(controller, engine.digest);
      },
      target: [rule({kind: 'upload', method: 'PUT', repository: controller}, {effect: 'vanish'})],
      end: 'complete',
      also: ({target}) => {
        const sent = asked(target.requests, 'upload', 'PUT').filter(
          ({repository}) => repository === controller
        );
        return sent.length === 2 ? [] : [`it was sent ${sent.length} times`];
      }
    });
    expect(findings).toEqual([]);
  });

  test('of a root that is staged, and gets no tag by which it would be read back', async () => {
    const root = imageOf('arc-controller').digest;
    const findings = await play({
      id: 'staged root',
      name: 'it takes the manifest, and loses it each time',
      inputs: {publish: 'false'},
      target: [
        rule({kind: 'manifest', method: 'PUT', digest: root}, {effect: 'vanish'}, {times: always})
      ],
      end: {refused: [/does not have sha256:\w+, though it took it/, root]}
    });
    expect(findings).toEqual([]);
  });

  test('of an image that was staged, and has lost a layer since', async () => {
    const findings = await play({
      id: 'staged',
      name: 'it takes the manifest and says 404 of a layer',
      prepare: world => {
        standing(world);
        putImage(world.target.store, controller, imageOf('arc-controller'));
        // It is known when the registry is put to the proof with another image.
        world.source.rule(
          held(
            {kind: 'manifest', method: 'GET', repository: 'arcdata/arc-controller'},
            'arc-dns has been looked through',
            () => {
              const looks = asked(world.target.requests, 'blob', 'HEAD').filter(({repository}) =>
                repository?.endsWith('arc-dns')
              );
              return looks.length >= 4 && looks.every(({status: code}) => code > 0);
            }
          )
        );
      },
      target: [missing(engine.digest)],
      end: {refused: [engine.digest]},
      also: world => {
        const taken = asked(world.target.requests, 'manifest', 'PUT').find(
          ({repository, status: code}) => repository === controller && code === 201
        );
        const [looked] = looksAt(world, engine.digest);
        if (looked === undefined) return ['nobody looked'];
        return (taken?.at ?? Infinity) < looked.at ? [] : ['it was looked at before its word'];
      }
    });
    expect(findings).toEqual([]);
  });

  test('of a blob that it says is there when it is mounted from itself', async () => {
    const findings = await play({
      id: 'presumed',
      name: 'the catalogue is empty, and so is the blob',
      prepare: ({target}) => {
        target.store.putBlob(controller, engine.bytes);
      },
      target: [
        rule(
          {kind: 'catalog'},
          {effect: 'substitute', body: '{"repositories":[]}'},
          {times: always}
        ),
        missing(engine.digest)
      ],
      end: {refused: [engine.digest]}
    });
    expect(findings).toEqual([]);
  });

  test('where it looks at layers and never at configs', async () => {
    const {children} = imageOf('arc-dns');
    const config = children[0]?.blobs[0];
    if (config === undefined) throw new Error('no config');
    const findings = await play({
      id: 'layers only',
      name: 'a config is taken and not kept',
      targetOptions: {verifyReferences: false},
      prepare: world => {
        // What it says is heard when the small blobs have landed, and before the large one has.
        world.target.rule(
          held(
            {kind: 'manifest', method: 'PUT', repository: controller},
            'the children of arc-dns are put',
            () =>
              children.every(({digest}) =>
                world.target.store.manifest('mirror/arcdata/arc-dns', digest)
              )
          )
        );
        world.source.rule(
          held(
            {kind: 'blob', digest: engine.digest},
            'somebody has looked at the config',
            () => looksAt(world, config.digest).length > 0
          )
        );
      },
      target: [
        rule(
          {kind: 'manifest', method: 'PUT', repository: controller},
          {effect: 'missing', digests: [common.digest, base.digest, engine.digest]}
        ),
        rule({kind: 'upload', method: 'PUT', digest: config.digest}, {effect: 'vanish'})
      ],
      end: 'complete'
    });
    expect(findings).toEqual([]);
  });
});

describe('what only saves questions holds nothing up', () => {
  test('an image that cannot be looked at, with which the registry is put to the proof', async () => {
    const findings = await play({
      id: 'proof',
      name: 'the others go on, and the run ends',
      prepare: standing,
      target: [
        rule({kind: 'blob', method: ['HEAD', 'GET'], digest: common.digest}, status(503), {
          times: always
        })
      ],
      end: {refused: ['status 503', common.digest]}
    });
    expect(findings).toEqual([]);
  });

  test.each([
    ['fails', status(504)],
    ['is refused', status(403)]
  ] as const)('a catalogue of the target that %s', async (_name, effect) => {
    const findings = await play({
      id: 'catalogue',
      name: 'the rest goes on at once',
      target: [rule({kind: 'catalog'}, effect, {times: always})],
      end: 'complete',
      longest: 2000,
      also: ({target}) => most(1, 'catalogues', asked(target.requests, 'catalog', 'GET').length)
    });
    expect(findings).toEqual([]);
  });
});

test('a catalogue of the target that is never sent to its end is waited for ten seconds', async () => {
  const findings = await play({
    id: 'catalogue',
    name: 'the rest goes on then',
    // What stops would be waited for a minute, and so it is where it matters.
    network: {timings: usualTimings},
    target: [rule({kind: 'catalog'}, {effect: 'stall'}, {times: always})],
    end: 'complete',
    longest: 30_000
  });
  expect(findings).toEqual([]);
});

describe('V6 the next page of a list', () => {
  test('is of the same host, also where its path could be read as another one', async () => {
    const findings = await play({
      id: 'V6',
      name: 'a double slash',
      prepare: ({source, sink}) => {
        source.rule(
          rule(
            {kind: 'tags'},
            {
              effect: 'headers',
              set: {Link: `<http://127.0.0.1//${sink.name}/v2/arcdata/tags/list>; rel="next"`}
            },
            {times: always}
          )
        );
      },
      // There is no such page: what is newest may be on it.
      end: {refused: ['the list of tags breaks off (404)']},
      also: nothingAtSink
    });
    expect(findings).toEqual([]);
  });

  test('is found at once in a header that was made to be slow to read', async () => {
    const began = performance.now();
    const findings = await play({
      id: 'V6',
      name: 'many parameters',
      source: [rule({kind: 'tags'}, {effect: 'headers', set: {Link: `<x>${';  a'.repeat(900)};`}})],
      end: 'complete'
    });
    expect(findings).toEqual([]);
    expect(performance.now() - began).toBeLessThan(20_000);
  });
});

describe('a catalogue that leaves out what is tagged', () => {
  const empty = rule(
    {kind: 'catalog'},
    {effect: 'substitute', body: '{"repositories":[]}'},
    {times: always}
  );

  const lastRefused: Row = {
    id: 'hidden',
    name: 'the last tag is refused for good',
    target: [
      empty,
      rule({kind: 'manifest', method: 'PUT', repository: controller, tag: smallTag}, status(403), {
        times: always
      })
    ],
    end: {refused: ['arc-controller']}
  };

  test('does not keep the tags of before from being put back', async () => {
    const findings = await play({
      ...lastRefused,
      prepare: ({target}) => {
        // Half of a release, as others leave it: where the controller stands, no catalogue is asked for.
        for (const [name, image] of previous.images)
          if (name !== 'arc-controller')
            putImage(target.store, `mirror/arcdata/${name}`, image, smallTag);
      }
    });
    expect(findings).toEqual([]);
  });

  test('nor where it is found out at once, by what another run has staged there', async () => {
    const findings = await play({
      ...lastRefused,
      prepare: ({target}) => {
        for (const [name, image] of previous.images) {
          if (name === 'arc-controller') continue;
          putImage(target.store, `mirror/arcdata/${name}`, image, smallTag);
          putImage(target.store, `mirror/arcdata/${name}`, imageOf(name));
        }
      },
      also: ({target}) => {
        const {store} = target;
        const tag = store.tag('mirror/arcdata/arc-dns', smallTag);
        const told = asked(target.requests, 'upload', 'POST').map(({repository}) => repository);
        return [
          ...(tag === previous.images.get('arc-dns')?.digest ? [] : ['its tag did not go back']),
          ...told.filter(name => name !== controller).map(name => `an upload to ${name}`)
        ];
      }
    });
    expect(findings).toEqual([]);
  });
});
