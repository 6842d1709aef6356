import {createSecureContext, type SecureContext} from 'node:tls';

import {describe, expect, test} from '@jest/globals';

import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import {mediaTypes} from '../../src/oci/media-type.ts';
import {digestOf} from '../../src/oci/digest.ts';
import {makeCertificates} from '../support/certificates.ts';
import {play, previous, release} from '../support/fault-world.ts';
import {type MirrorRun, mirrorRun} from '../support/mirror-run.ts';
import {holesBelow, judge, snapshotOf, tellOf} from '../support/oracle.ts';
import {freePort} from '../support/program.ts';
import {
  imageOf,
  putImage,
  putRelease,
  smallNames,
  smallRelease,
  smallTag
} from '../support/small-release.ts';
import {VirtualClock} from '../support/virtual-clock.ts';

describe('T21 two runs at one target', () => {
  test.each(['the same release', 'two releases under one tag'] as const)('%s', async what => {
    const clock = new VirtualClock();
    const now = clock.now;
    await using one = await EmbeddedRegistry.start({now});
    await using other = await EmbeddedRegistry.start({now});
    await using target = await EmbeddedRegistry.start({now, verifyReferences: false});
    putRelease(one.store, 'arcdata', release);
    putRelease(other.store, 'arcdata', what === 'the same release' ? release : previous);
    const runs = await Promise.all([one, other].map(source => mirrorRun({source, target, clock})));
    expect(target.store.tagEvents.filter(({holes}) => holes.length > 0)).toEqual([]);
    for (const name of smallNames) {
      const digest = target.store.tag(`mirror/arcdata/${name}`, smallTag);
      const either = [release, previous].map(({images}) => images.get(name)?.digest);
      expect(either).toContain(digest);
      const holes = digest && holesBelow(target.store, `mirror/arcdata/${name}`, digest);
      expect(holes).toEqual([]);
    }
    // Whoever finds at the end that a tag stands for the other's image has not reached what it was
    // asked for, and says so; nobody says yes to what is not there.
    const published = runs.filter(({record}) => record.releases[0]?.published === true);
    expect(what === 'the same release' ? published.length : 2).toBe(2);
    const before = snapshotOf(target.store);
    const run = await mirrorRun({source: one, target, clock});
    expect(judge({run, source: one, target, before, expected: 'complete'})).toEqual([]);
  });
});

test('T21 a run whose tags another run has moved does not move them back', async () => {
  const clock = new VirtualClock();
  const now = clock.now;
  await using one = await EmbeddedRegistry.start({now});
  await using other = await EmbeddedRegistry.start({now});
  await using target = await EmbeddedRegistry.start({now});
  putRelease(one.store, 'arcdata', release);
  putRelease(other.store, 'arcdata', previous);
  putRelease(target.store, 'mirror/arcdata', smallRelease(3));
  const controller = 'mirror/arcdata/arc-controller';
  // The other one comes when all tags are set, and before the first is read back.
  let meanwhile: Promise<MirrorRun> | undefined;
  target.rule({
    on: {kind: 'manifest', method: 'HEAD', tag: smallTag},
    times: 'always',
    do: {
      effect: 'custom',
      run: async () => {
        const set = target.store.tag(controller, smallTag);
        if (meanwhile !== undefined || set !== release.images.get('arc-controller')?.digest)
          return false;
        meanwhile = mirrorRun({source: other, target, clock});
        await meanwhile;
        return false;
      }
    }
  });
  const run = await mirrorRun({source: one, target, clock});
  const its = await meanwhile;
  expect(its?.record.releases[0]?.published).toBe(true);
  expect(run.record.releases[0]?.published).toBe(false);
  expect(tellOf(run)).toMatch(/was put to sha256:\S+, but reads sha256:/);
  for (const name of smallNames)
    expect(target.store.tag(`mirror/arcdata/${name}`, smallTag)).toBe(
      previous.images.get(name)?.digest
    );
});

describe('T25 registries that cannot be reached', () => {
  test.each([
    ['a name that DNS does not know', 'ENOTFOUND', /unknown to DNS/],
    ['a DNS that does not answer', 'EAI_AGAIN', /DNS did not answer/],
    ['a port on which nobody listens', '', /connection was refused/]
  ] as const)('%s is tried again for a while, and told', async (_what, code, said) => {
    const clock = new VirtualClock();
    await using source = await EmbeddedRegistry.start({now: clock.now});
    await using target = await EmbeddedRegistry.start({now: clock.now});
    putRelease(source.store, 'arcdata', release);
    const name = `nowhere.test:${await freePort()}`;
    const run = await mirrorRun({
      ...{source, target, clock},
      names: {target: name},
      network: {
        resolve: () =>
          code === ''
            ? Promise.resolve([{address: '127.0.0.1', family: 4}])
            : Promise.reject(Object.assign(new Error(code), {code}))
      }
    });
    const refused = [said, name, /\d attempts/, 'firewall, proxy'];
    const before = snapshotOf(target.store);
    expect(judge({run, source, target, before, expected: {refused}, longest: 120_000})).toEqual([]);
    // Names may be wrong: nobody waits for minutes to be told so.
    expect(run.waited).toBeGreaterThan(2000);
  });

  /** A name that is found when it is looked up for the fourth time. */
  const lateName = () => {
    let asked = 0;
    const resolve = () =>
      ++asked < 4
        ? Promise.reject(Object.assign(new Error('no'), {code: 'EAI_AGAIN'}))
        : Promise.resolve([{address: '127.0.0.1', family: 4}]);
    return {network: {resolve}, asked: () => asked};
  };

  test('a name that DNS does not know at first', async () => {
    const clock = new VirtualClock();
    await using source = await EmbeddedRegistry.start({now: clock.now});
    await using target = await EmbeddedRegistry.start({now: clock.now});
    putRelease(source.store, 'arcdata', release);
    const port = target.name.split(':')[1] ?? '';
    const late = lateName();
    const run = await mirrorRun({
      ...{source, target, clock},
      names: {target: `late.test:${port}`},
      network: late.network
    });
    const before = {tags: new Map(), events: 0};
    expect(judge({run, source, target, before, expected: 'complete'})).toEqual([]);
    expect(late.asked()).toBe(4);
  });

  test('a private registry that DNS does not know at first may send us to its own network', async () => {
    const clock = new VirtualClock();
    await using source = await EmbeddedRegistry.start({
      ...{now: clock.now, character: {redirectBlobs: true}}
    });
    await using target = await EmbeddedRegistry.start({now: clock.now});
    putRelease(source.store, 'arcdata', release);
    const port = source.name.split(':')[1] ?? '';
    const late = lateName();
    const run = await mirrorRun({
      ...{source, target, clock},
      names: {source: `late.test:${port}`},
      network: late.network
    });
    const before = {tags: new Map(), events: 0};
    expect(judge({run, source, target, before, expected: 'complete'})).toEqual([]);
    expect(source.blobHost?.requests.length).toBeGreaterThan(0);
  });

  test.each([
    ['for another host', ['DNS:another.example'], 1, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['that has expired', undefined, -1, 'CERT_HAS_EXPIRED']
  ] as const)('a certificate %s', async (_what, names, days, code) => {
    await using certificates = await makeCertificates(names, days);
    const findings = await play({
      id: 'T25',
      name: code,
      targetOptions: {tls: certificates},
      inputs: {'ca-file': certificates.caFile},
      end: {refused: [/TLS certificate that is not believed/, code, '1 attempt']},
      // Not tried again, nor in plain.
      longest: 3000,
      also: ({target}) => target.requests.map(({method}) => `${method} was asked`)
    });
    expect(findings).toEqual([]);
  });

  test('at-http2 a server that has a certificate for each name is told the name, and HTTP/1.1 is spoken', async () => {
    await using certificates = await makeCertificates(['DNS:sni.test']);
    await using others = await makeCertificates(['DNS:another.example']);
    const told = {names: new Set<string>(), protocols: new Set<string>()};
    const tls = {
      ...{key: others.key, cert: others.cert},
      SNICallback: (name: string, done: (error: null, context: SecureContext) => void) => {
        told.names.add(name);
        done(null, createSecureContext(certificates));
      },
      ALPNCallback: ({protocols}: {protocols: readonly string[]}) => {
        for (const protocol of protocols) told.protocols.add(protocol);
        return 'http/1.1';
      }
    };
    const findings = await play({
      id: 'T25',
      name: 'SNI',
      targetOptions: {tls},
      names: ({target}) => ({target: `sni.test:${target.name.split(':')[1] ?? ''}`}),
      network: {resolve: () => Promise.resolve([{address: '127.0.0.1', family: 4}])},
      inputs: {'ca-file': certificates.caFile},
      end: 'complete'
    });
    expect(findings).toEqual([]);
    expect([...told.names]).toEqual(['sni.test']);
    expect([...told.protocols].filter(protocol => protocol !== 'http/1.1')).toEqual([]);
  });
});

describe('T28 clocks that are wrong', () => {
  const auth = {kind: 'bearer', username: 'robot', password: 'pass word'} as const;

  test.each([
    ['in a year', '2027-05-12T00:00:00Z'],
    ['a year ago', '2025-05-12T00:00:00Z'],
    ['never', 'no date']
  ])('tokens that were issued %s', async (_when, issued) => {
    const findings = await play({
      id: 'T28',
      name: issued,
      targetOptions: {auth},
      inputs: {'target-username': auth.username, 'target-password': auth.password},
      secrets: [auth.password],
      target: [
        {on: {kind: 'token'}, times: 'always', do: {effect: 'token', fields: {issued_at: issued}}}
      ],
      end: 'complete',
      also: ({target}) =>
        target.requests.filter(({kind}) => kind === 'token').length < 40 ? [] : ['too many tokens']
    });
    expect(findings).toEqual([]);
  });
});

test.each([
  ['a year ahead', '2027'],
  ['a year behind', '2025']
])('T28 a registry whose clock is %s asks for twenty seconds by a date', async (_what, year) => {
  const findings = await play({
    id: 'T28',
    name: year,
    target: [
      {
        on: {kind: ['upload', 'mount'], method: 'POST'},
        do: {
          effect: 'answer',
          status: 429,
          headers: {
            Date: `Mon, 03 May ${year} 10:00:00 GMT`,
            'Retry-After': `Mon, 03 May ${year} 10:00:20 GMT`
          }
        }
      }
    ],
    end: 'complete',
    longest: 60_000,
    also: (_, {waited}) => (waited >= 20_000 ? [] : [`it waited ${waited} ms only`])
  });
  expect(findings).toEqual([]);
});

describe('end-4c blobs of another algorithm', () => {
  test('sha512', async () => {
    const findings = await play({
      id: 'end-4c',
      name: 'sha512',
      targetOptions: {profile: 'spec'},
      prepare: ({source}) => {
        const bytes = Buffer.alloc(50_000, 'sha512 ');
        const image = imageOf('sha512', 'oci', [
          release.late,
          {bytes, digest: digestOf(bytes, 'sha512')}
        ]);
        putImage(source.store, 'arcdata/arc-dns', image);
        source.store.addBlob('arcdata/arc-dns', digestOf(bytes, 'sha512'), {
          size: bytes.length,
          pieces: (from, to) => [bytes.subarray(from, to)]
        });
        source.store.putManifest(
          'arcdata/arc-dns',
          {mediaType: mediaTypes.ociManifest, body: image.body},
          smallTag
        );
      },
      end: 'complete',
      also: ({target}) => {
        const opened = target.requests.filter(({query}) => query.includes('mount=sha512'));
        return opened.length > 0 &&
          opened.every(({query}) => query.includes('digest-algorithm=sha512'))
          ? []
          : ['the upload was not opened for its algorithm'];
      }
    });
    expect(findings).toEqual([]);
  });
});
