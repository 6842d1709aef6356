import {createServer, type Socket} from 'node:net';
import {setTimeout as wait} from 'node:timers/promises';

import {describe, expect, test} from '@jest/globals';

import type {RuleMatch} from '../../src/demo/rules.ts';
import {parseLinks} from '../../src/registry/links.ts';
import {Names} from '../../src/registry/names.ts';
import {play, release, type Row, type World} from '../support/fault-world.ts';
import {
  account,
  always,
  asked,
  most,
  rule,
  signedIn,
  sourceLogin,
  status
} from '../support/rows.ts';
import {shortTimings} from '../support/mirror-run.ts';
import {putRelease, smallNames, smallTag} from '../support/small-release.ts';

const {engine, base} = release;
const repositories = smallNames.map(name => `mirror/arcdata/${name}`);
const patch: RuleMatch = {kind: 'upload', method: 'PATCH'};
const putTag: RuleMatch = {kind: 'manifest', method: 'PUT', tag: smallTag};

/** What rewrites the length that HEAD of a blob tells. */
const lengthOfHead = (length: string) =>
  rule(
    {kind: 'blob', method: 'HEAD'},
    {effect: 'headers', set: {'Content-Length': length}},
    {times: always}
  );

/** Something that happens at the target when this is asked for, and does not stand in its way. */
const meanwhile = (on: RuleMatch, happens: () => void, skip = 0) =>
  rule(
    on,
    {
      effect: 'custom',
      run: () => {
        happens();
        return false;
      }
    },
    {skip}
  );

/** Takes blobs out of all repositories of the target, as whoever tidies up does. */
function lose({target}: World, ...digests: readonly string[]): void {
  for (const repository of repositories)
    for (const digest of digests) target.store.deleteBlob(repository, digest);
}

const rows: readonly Row[] = [
  ...['0', '1'].map((length): Row => ({
    id: 'T11',
    name: `HEAD tells ${length} for the length of every blob, all of which are there`,
    prepare: ({target}) => {
      putRelease(target.store, 'mirror/arcdata', release);
    },
    target: [lengthOfHead(length)],
    end: 'complete',
    also: ({target}) => most(0, 'uploads', asked(target.requests, 'upload', 'POST').length)
  })),
  {
    id: 'T11',
    name: 'HEAD tells 0 for the length of every blob, at a registry that looks at nothing',
    targetOptions: {verifyReferences: false},
    target: [lengthOfHead('0')],
    end: 'complete'
  },
  {
    id: 'T2',
    name: 'one chunk is taken short where requests have a largest size',
    targetOptions: {profile: 'nginx'},
    target: [
      rule({...patch, contentRange: true}, {effect: 'take', bytes: 500_000, status: 202}, {skip: 3})
    ],
    end: 'complete'
  },
  ...[405, 501].map((code): Row => ({
    id: 'T1',
    name: `PATCH does not get through (${code}), and one PUT does`,
    target: [rule(patch, status(code), {times: always})],
    end: 'complete',
    // Those that are under way together find out together.
    also: ({target}) => most(8, 'PATCHes', asked(target.requests, 'upload', 'PATCH').length)
  })),
  {
    id: 'T1',
    name: 'neither PATCH nor PUT gets through',
    target: [rule({kind: 'upload', method: ['PATCH', 'PUT']}, status(405), {times: always})],
    end: {refused: [/let no PUT through/, 'status 405']},
    longest: 60_000
  },
  ...(['basic', 'bearer'] as const).map((kind): Row => ({
    id: 'T5',
    name: `a tag is refused once with 401, though the password is right (${kind})`,
    ...signedIn,
    targetOptions: {auth: {...account, kind}},
    target: [
      rule(putTag, status(401, {challenge: true}), {skip: 1, times: kind === 'basic' ? 1 : 2})
    ],
    end: 'complete'
  })),
  {
    id: 'T5',
    name: 'tags are refused with 401 for good',
    ...signedIn,
    target: [rule(putTag, status(401, {challenge: true}), {times: always})],
    end: {refused: ['status 401']},
    also: ({target}) => {
      const puts = target.requests.filter(
        ({kind, status: code}) => kind === 'manifest' && code === 401
      );
      return most(4 * smallNames.length, 'refusals', puts.length);
    }
  },
  {
    id: 'S4',
    name: 'a layer drips, byte by byte, and comes at once when it is asked for again',
    network: {timings: shortTimings},
    source: [
      rule(
        {kind: 'blob', method: 'GET', digest: engine.digest},
        {
          effect: 'custom',
          run: async ({response}) => {
            response.writeHead(200, {'Content-Length': engine.bytes.length});
            for (let at = 0; at < 100 && !response.destroyed; at++) {
              response.write(engine.bytes.subarray(at, at + 1));
              await wait(50);
            }
            response.destroy();
            return true;
          }
        }
      )
    ],
    end: 'complete',
    also: (_, {reporter: {lines}}) => {
      const told = /no more than \d+ bytes came for/;
      return lines.some(({text}) => told.test(text)) ? [] : ['nobody noticed that it dripped'];
    }
  },
  {
    id: 'S16',
    name: 'a password that was never good is not tried again',
    sourceOptions: {auth: {...account, password: 'another'}},
    inputs: sourceLogin,
    end: {refused: [/user name or password/]},
    also: ({source}) => most(2, 'tokens', asked(source.requests, 'token', 'GET').length)
  }
];

describe('what stands between', () => {
  test.each(rows.map(row => [row.id, row.name, row] as const))('%s %s', async (_i, _n, row) => {
    expect(await play(row)).toEqual([]);
  });
});

describe('a registry that tidies up while a run is under way', () => {
  const present = ({target}: World) => {
    for (const repository of repositories) target.store.putBlob(repository, base.bytes);
  };

  test('takes a layer of what is not tagged yet', async () => {
    let world: World | undefined;
    const findings = await play({
      id: 'T15',
      name: 'tidied up',
      targetOptions: {verifyReferences: false},
      prepare: one => {
        world = one;
        present(one);
        one.target.rule(
          meanwhile({kind: 'upload', method: 'PUT', digest: engine.digest}, () => {
            // What was seen within ten minutes is believed.
            one.clock.skipped += 11 * 60_000;
            lose(one, base.digest);
          })
        );
      },
      end: 'complete',
      longest: 30 * 60_000
    });
    expect(findings).toEqual([]);
    expect(world?.target.store.tag('mirror/arcdata/arc-controller', smallTag)).toBeDefined();
  });

  test('takes children and what lies below them, of what stood there without a tag', async () => {
    const findings = await play({
      id: 'T17',
      name: 'tidied up',
      prepare: world => {
        const {store} = world.target;
        putRelease(store, 'mirror/arcdata', release);
        for (const repository of repositories) store.deleteTag(repository, smallTag);
        world.target.rule(
          meanwhile({kind: 'manifest', method: 'PUT'}, () => {
            for (const repository of repositories)
              for (const {digest} of store.manifests(repository))
                store.deleteManifest(repository, digest);
            lose(world, ...[base, release.common, release.late, engine].map(({digest}) => digest));
          })
        );
      },
      end: 'complete'
    });
    expect(findings).toEqual([]);
  });
});

test('a manifest that is refused for want of itself is not put without end', async () => {
  const root = release.images.get('arc-controller')?.digest ?? '';
  const findings = await play({
    id: 'T14',
    name: 'it names itself',
    target: [
      rule(
        {kind: 'manifest', method: 'PUT', repository: 'mirror/arcdata/arc-controller'},
        {effect: 'missing', digests: [root]},
        {times: always}
      )
    ],
    end: {refused: ['MANIFEST_BLOB_UNKNOWN']},
    also: ({target}) => most(30, 'PUTs', asked(target.requests, 'manifest', 'PUT').length)
  });
  expect(findings).toEqual([]);
});

describe('of two machines behind one name', () => {
  test('the other one is next, in whatever order they are told', async () => {
    const two = ['10.0.0.1', '10.0.0.2'].map(address => ({address, family: 4}));
    for (const orders of [[two], [two, [...two].reverse()]]) {
      let asked = 0;
      const names = new Names(() => Promise.resolve(orders[asked++ % orders.length] ?? []));
      const used: unknown[] = [];
      for (let i = 0; i < 6; i++) {
        used.push((await names.addresses('registry.test'))[0]?.address.slice(-1));
        names.turn('registry.test');
      }
      expect(used.join('')).toBe('121212');
    }
  });

  /** A machine beside the target, on the same port, that takes connections and breaks them. */
  async function broken({target}: World, how: 'resets' | 'says nothing') {
    const sockets = new Set<Socket>();
    const server = createServer(socket => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      if (how === 'resets') socket.once('data', () => socket.resetAndDestroy());
    });
    await new Promise<void>(resolve => {
      server.listen(Number(target.name.split(':')[1]), '127.0.0.2', resolve);
    });
    return () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    };
  }

  test.each(['resets', 'says nothing'] as const)('one %s', async how => {
    let close: () => void = () => undefined;
    const timings = {connect: 2000, answer: 200, commit: 2000, idle: 2000};
    const findings = await play({
      id: 'T25',
      name: 'half of it is dead',
      names: ({target}) => ({target: `registry.test:${target.name.split(':')[1] ?? ''}`}),
      prepare: async world => {
        close = await broken(world, how);
      },
      network: {
        timings,
        resolve: host =>
          Promise.resolve(
            host === 'registry.test'
              ? ['127.0.0.2', '127.0.0.1'].map(address => ({address, family: 4}))
              : [{address: '127.0.0.1', family: 4}]
          )
      },
      end: 'complete'
    });
    close();
    await wait(0);
    expect(findings).toEqual([]);
  });
});

describe('a Link header', () => {
  test.each([
    '</v2/a>; rel=next',
    `</v2/a>; rel='next'`,
    '</v2/a>; rel="prev next"',
    '</v2/a>; title="a, b; c"; rel="next"',
    '</v2/a>;rel="next";type="x"',
    '</v2/a>; REL="Next"',
    '</v2/a> ; rel = "next"',
    '</v2/b>; rel="prev", </v2/a>; rel="next"',
    '</v2/a>; rel="next"; rel="prev"',
    '</v2/a>; crossorigin; rel=next',
    '</v2/a>; title="say \\"next\\", please"; rel=next',
    ', </v2/a>; rel="next" ,',
    '</v2/a>; rel="next";'
  ])('%s names the next page', header => {
    const links = parseLinks(header) ?? [];
    expect(links.find(({relations}) => relations.includes('next'))?.target).toBe('/v2/a');
  });

  test.each(['', '</v2/a>', '</v2/next>; rel="prev"', '</v2/a>; title="rel=next"', ', ,'])(
    '%j names none',
    header => {
      const links = parseLinks(header);
      expect(links?.flatMap(({relations}) => relations)).not.toContain('next');
      expect(links).toBeDefined();
    }
  );

  test.each(['</v2/a; rel="next"', '/v2/a; rel=next', '</v2/a>; rel="next', 'next'])(
    '%s is none, and a list does not end there',
    async header => {
      expect(parseLinks(header)).toBeUndefined();
      const findings = await play({
        id: 'end-8',
        name: 'a header that is none',
        inputs: {'source-tag': 'latest'},
        source: [rule({kind: 'tags'}, {effect: 'headers', set: {Link: header}}, {times: always})],
        end: {refused: [/its Link header cannot be understood/]}
      });
      expect(findings).toEqual([]);
    }
  );

  test('is read in no time, whatever it holds', () => {
    const began = performance.now();
    for (const text of ['<a>;', '<a>; b="', '; rel=', '<a>; rel=next,', '<a>; rel="next '])
      parseLinks(text.repeat(8000 / text.length));
    expect(performance.now() - began).toBeLessThan(500);
  });
});
