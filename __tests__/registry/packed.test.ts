import {randomBytes} from 'node:crypto';
import {Writable} from 'node:stream';
import {brotliCompressSync, deflateSync, gzipSync} from 'node:zlib';

import {describe, expect, test} from '@jest/globals';

import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import type {Effect} from '../../src/demo/rules.ts';
import {silent} from '../../src/log.ts';
import type {Descriptor} from '../../src/oci/descriptor.ts';
import {digestOf} from '../../src/oci/digest.ts';
import {mediaTypes} from '../../src/oci/media-type.ts';
import type {RegistryName} from '../../src/oci/reference.ts';
import {listRepositories} from '../../src/registry/catalog.ts';
import {getManifest} from '../../src/registry/manifests.ts';
import {BlobReader} from '../../src/registry/reader.ts';
import {listReferrers} from '../../src/registry/referrers.ts';
import {Registry} from '../../src/registry/registry.ts';
import {listTags} from '../../src/registry/tags.ts';
import {Transport} from '../../src/registry/transport.ts';
import {account, always, rule, status} from '../support/rows.ts';
import {putImage, smallRelease, smallTag} from '../support/small-release.ts';
import {VirtualClock} from '../support/virtual-clock.ts';
import {Script} from './script.ts';

const repository = 'arcdata/arc-bootstrapper';
const found = smallRelease().images.get('arc-bootstrapper');
if (found === undefined) throw new Error('there is no image');
const image = found;
const {signal} = new AbortController();

/** A registry at this address, with time that passes by itself. */
function client(name: RegistryName, signedIn = false) {
  const transport = new Transport({clock: new VirtualClock()});
  const from = 'a test';
  const {username, password} = account;
  const registry = new Registry({
    name,
    plainHosts: new Set([name]),
    credentials: signedIn
      ? {kind: 'password', username, password, from}
      : {kind: 'anonymous', from},
    transport,
    log: silent,
    actions: 'pull'
  });
  return {
    registry,
    [Symbol.dispose]() {
      transport.close();
    }
  };
}

/** An embedded registry with one image. */
async function serve(signedIn = false) {
  const server = await EmbeddedRegistry.start(signedIn ? {auth: account} : {});
  putImage(server.store, repository, image, smallTag);
  const {registry, ...rest} = client(server.name, signedIn);
  return {
    server,
    registry,
    async [Symbol.asyncDispose]() {
      rest[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    }
  };
}

/** Reads parts of a blob one after the other, as an upload in chunks does. */
async function read(reader: BlobReader, ...ends: readonly number[]): Promise<Buffer> {
  const written: Buffer[] = [];
  let from = 0;
  for (const to of ends) {
    const sink = new Writable({
      write: (piece: Buffer, _, taken) => {
        written.push(Buffer.from(piece));
        taken();
      }
    });
    await reader.pump(from, to, sink, signal);
    from = to;
  }
  return Buffer.concat(written);
}

const set = (encoding: string, more: Record<string, string | null> = {}): Effect => ({
  effect: 'headers',
  set: {'Content-Encoding': encoding, ...more}
});
/** In chunks: only its end tells how long it is. */
const unsized = {'Content-Length': null};

const text = Buffer.from(JSON.stringify({architecture: 'amd64', os: 'linux'}));
const words = Buffer.alloc(2_000_000, randomBytes(1000));
/** What may be under a digest, by what comes out when it is unpacked. */
const contents = {
  'no gzip': text,
  'gzip of more': gzipSync(words),
  'gzip of a little less': gzipSync(randomBytes(300_000), {level: 0}),
  'gzip of nothing': gzipSync(''),
  'gzip, and something behind it': Buffer.concat([gzipSync(text), randomBytes(5000)]),
  'gzip that breaks off': gzipSync(randomBytes(300_000)).subarray(0, 200_000),
  'gzip that is spoilt': (() => {
    const bytes = gzipSync(randomBytes(300_000));
    return Buffer.concat([bytes.subarray(0, 100_000), bytes.subarray(100_007)]);
  })(),
  'one byte': Buffer.from('x')
};

describe('a blob that is labelled with what it is itself', () => {
  const all = Object.entries(contents);

  test.each(
    ['gzip', 'X-GZIP'].flatMap(label => all.map(([name, bytes]) => [label, name, bytes] as const))
  )('and has its length is read at once: %s over %s', async (label, _, bytes) => {
    await using world = await serve();
    const {server, registry} = world;
    server.rule(rule({kind: 'blob'}, set(label), {times: always}));
    const blob = {...server.store.putBlob(repository, bytes), mediaType: 'x/y'};
    const reader = new BlobReader(registry, repository, blob);
    expect((await read(reader, bytes.length)).equals(bytes)).toBe(true);
    expect(server.requests.filter(({kind}) => kind === 'blob')).toHaveLength(1);
  });

  /** As a blob's upload does: wrong bytes are tried again twice. */
  const stubborn = async (reader: BlobReader, ...ends: readonly number[]): Promise<Buffer> => {
    for (let left = 2; ; left--) {
      try {
        return await read(reader, ...ends);
      } catch (error) {
        expect(error).toMatchObject({name: 'RegistryError', fault: 'corrupt'});
        if (left === 0) throw error;
      }
    }
  };

  test.each(all)('and has no length is read by another try: %s', async (_, bytes) => {
    await using world = await serve();
    const {server, registry} = world;
    server.rule(rule({kind: 'blob'}, set('gzip', unsized), {times: always}));
    const blob = {...server.store.putBlob(repository, bytes), mediaType: 'x/y'};
    const reader = new BlobReader(registry, repository, blob);
    expect((await stubborn(reader, bytes.length)).equals(bytes)).toBe(true);
    // Once more, and from the middle where it breaks off for want of more.
    expect(server.requests.filter(({kind}) => kind === 'blob').length).toBeLessThanOrEqual(4);
  });

  test('and comes by HTTP/1.0 is read by the next try', async () => {
    const bytes = contents['gzip of more'];
    await using server = new Script(socket => {
      socket.end(
        Buffer.concat([Buffer.from('HTTP/1.0 200 OK\r\nContent-Encoding: x-gzip\r\n\r\n'), bytes])
      );
    });
    const {host} = await server.listen();
    using world = client(host as RegistryName);
    const blob = {mediaType: 'x/y', digest: digestOf(bytes), size: bytes.length};
    const reader = new BlobReader(world.registry, repository, blob);
    await expect(read(reader, bytes.length)).rejects.toThrow('sent other bytes');
    expect((await read(reader, bytes.length)).equals(bytes)).toBe(true);
    expect(server.requests).toHaveLength(2);
  });

  test('goes out whole, once it is told that nothing of it can be unpacked', async () => {
    await using world = await serve();
    const {server, registry} = world;
    server.rule(rule({kind: 'blob'}, set('gzip', unsized), {times: always}));
    const blob = {...server.store.putBlob(repository, text), mediaType: 'x/y'};
    expect(await read(new BlobReader(registry, repository, blob), text.length)).toEqual(text);
    expect(server.requests.filter(({kind}) => kind === 'blob')).toHaveLength(2);
  });

  test.each(all.filter(([, {length}]) => length > 10))(
    'is read in parts, of which none is unpacked: %s',
    async (_, bytes) => {
      await using world = await serve();
      const {server, registry} = world;
      server.rule(rule({kind: 'blob'}, set('gzip'), {times: always}));
      const blob = {...server.store.putBlob(repository, bytes), mediaType: 'x/y'};
      const reader = new BlobReader(registry, repository, blob);
      const parts = [Math.floor(bytes.length / 3), Math.floor(bytes.length / 2), bytes.length];
      expect((await read(reader, ...parts)).equals(bytes)).toBe(true);
      const answers = server.requests.filter(({kind}) => kind === 'blob');
      expect(answers.map(one => one.status)).toEqual([206, 206, 206]);
    }
  );

  test.each([{}, unsized])('goes on where it broke off (%j)', async more => {
    await using world = await serve();
    const {server, registry} = world;
    const bytes = gzipSync(randomBytes(2_000_000));
    server.rule(rule({kind: 'blob'}, set('gzip', more), {times: always}));
    server.rule(rule({kind: 'blob'}, {effect: 'cut-download', after: 1_000_000, how: 'end'}));
    const blob = {...server.store.putBlob(repository, bytes), mediaType: 'x/y'};
    const reader = new BlobReader(registry, repository, blob);
    expect((await stubborn(reader, bytes.length)).equals(bytes)).toBe(true);
  });
});

describe('a blob that comes packed', () => {
  const gzip = (more = {}) => rule({kind: 'blob', ...more}, {effect: 'gzip'}, {times: always});

  function at(server: EmbeddedRegistry, registry: Registry, bytes: Buffer): BlobReader {
    const blob: Descriptor = {...server.store.putBlob(repository, bytes), mediaType: 'x/y'};
    return new BlobReader(registry, repository, blob);
  }

  test.each(['gzip', 'GZIP', 'x-gzip'])('is unpacked: %s', async label => {
    await using world = await serve();
    const {server, registry} = world;
    server.rule(gzip());
    server.rule(rule({kind: 'blob'}, set(label), {times: always}));
    const reader = at(server, registry, words);
    expect((await read(reader, words.length)).equals(words)).toBe(true);
    expect(server.requests.filter(({kind}) => kind === 'blob')).toHaveLength(1);
  });

  test('and breaks off is asked for whole where its parts are packed, too', async () => {
    await using world = await serve();
    const {server, registry} = world;
    const bytes = randomBytes(2_000_000);
    server.rule(gzip());
    server.rule(rule({kind: 'blob'}, {effect: 'cut-download', after: 1_000_000, how: 'end'}));
    const reader = at(server, registry, bytes);
    expect((await read(reader, bytes.length)).equals(bytes)).toBe(true);
    const answers = server.requests.filter(({kind}) => kind === 'blob');
    expect(answers.map(one => one.status)).toEqual([200, 206, 200]);
  });

  test('and breaks off goes on with a part that is not', async () => {
    await using world = await serve();
    const {server, registry} = world;
    const bytes = randomBytes(2_000_000);
    server.rule(gzip({ranged: false}));
    server.rule(rule({kind: 'blob'}, {effect: 'cut-download', after: 1_000_000, how: 'end'}));
    const reader = at(server, registry, bytes);
    expect((await read(reader, bytes.length)).equals(bytes)).toBe(true);
    const answers = server.requests.filter(({kind}) => kind === 'blob');
    expect(answers.map(one => one.status)).toEqual([200, 206]);
  });

  test('part by part is read whole the next time', async () => {
    await using world = await serve();
    const {server, registry} = world;
    server.rule(gzip());
    const bytes = randomBytes(500_000);
    const reader = at(server, registry, bytes);
    const parts = [200_000, 400_000, bytes.length];
    await expect(read(reader, ...parts)).rejects.toThrow('sent other bytes');
    expect((await read(reader, ...parts)).equals(bytes)).toBe(true);
  });

  test.each([
    ['without a length', unsized],
    ['with the length of the blob', {}]
  ])('and is another one is never taken: %s', async (_, more) => {
    await using world = await serve();
    const {server, registry} = world;
    server.rule(rule({kind: 'blob'}, set('gzip', more), {times: always}));
    server.rule(rule({kind: 'blob'}, {effect: 'flip', at: 3}, {times: always}));
    const reader = at(server, registry, contents['gzip of more']);
    for (let i = 0; i < 4; i++)
      await expect(read(reader, contents['gzip of more'].length)).rejects.toMatchObject({
        fault: 'corrupt'
      });
    expect(server.requests.filter(({kind}) => kind === 'blob').length).toBeLessThan(10);
  });

  test('in a way that nobody asked for is told as that', async () => {
    await using world = await serve();
    const {server, registry} = world;
    const body = brotliCompressSync(words);
    server.rule(rule({kind: 'blob'}, {effect: 'substitute', body}));
    server.rule(rule({kind: 'blob'}, set('br')));
    const reader = at(server, registry, words);
    await expect(read(reader, words.length)).rejects.toThrow(
      'it came with Content-Encoding br, which nobody asked for'
    );
    expect((await read(reader, words.length)).equals(words)).toBe(true);
  });
});

describe('lists and errors that come packed', () => {
  const packings = [
    ['gzip', gzipSync],
    ['x-gzip', gzipSync],
    ['Deflate', deflateSync]
  ] as const;

  test.each(packings)('are read: %s', async (label, pack) => {
    await using world = await serve();
    const {server, registry} = world;
    const subject = digestOf(text);
    const referrer = {mediaType: mediaTypes.ociManifest, digest: digestOf(words), size: 7};
    const index = {schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [referrer]};
    const bodies = {
      tags: {name: repository, tags: ['a', 'b']},
      catalog: {repositories: [repository]},
      referrers: index
    };
    for (const [kind, document] of Object.entries(bodies)) {
      const body = pack(JSON.stringify(document));
      const type = kind === 'referrers' ? mediaTypes.ociIndex : 'application/json';
      const headers = {'Content-Encoding': label, 'Content-Type': type};
      server.rule(rule({kind: kind as 'tags'}, status(200, {body, headers})));
    }
    expect(await listTags(registry, repository, signal)).toEqual(['a', 'b']);
    expect(await listRepositories(registry, '', signal)).toEqual([repository]);
    expect(await listReferrers(registry, repository, subject, signal)).toMatchObject([referrer]);
  });

  test('are read page by page', async () => {
    await using world = await serve();
    const {server, registry} = world;
    for (let i = 0; i < 5; i++) putImage(server.store, repository, image, `v${i}`);
    server.rule(rule({kind: 'tags'}, {effect: 'gzip'}, {times: always}));
    expect(await listTags(registry, repository, signal)).toEqual(
      [...Array.from({length: 5}, (_, i) => `v${i}`), smallTag].sort()
    );
  });

  test.each([
    [
      'bomb',
      gzipSync(Buffer.alloc(9_000_000, ' ')),
      'gzip',
      'cannot be unpacked within 8388608 bytes'
    ],
    ['list that is plain', text, 'gzip', 'came with Content-Encoding gzip, and cannot be unpacked'],
    [
      'list in Brotli',
      brotliCompressSync(text),
      'br',
      'Content-Encoding br, which nobody asked for'
    ]
  ] as const)('end in an error that says so: a %s', async (_, body, label, message) => {
    await using world = await serve();
    const {server, registry} = world;
    server.rule(rule({kind: 'tags'}, {effect: 'substitute', body}, {times: always}));
    server.rule(rule({kind: 'tags'}, set(label), {times: always}));
    await expect(listTags(registry, repository, signal)).rejects.toMatchObject({
      name: 'RegistryError',
      fault: 'corrupt',
      message: expect.stringContaining(message),
      repository
    });
  });

  test('a token is read', async () => {
    await using world = await serve(true);
    const {server, registry} = world;
    server.rule(rule({kind: 'token'}, {effect: 'gzip'}, {times: always}));
    expect(await listTags(registry, repository, signal)).toEqual([smallTag]);
  });

  test('a token of a megabyte, packed to a kilobyte, is none', async () => {
    await using world = await serve(true);
    const {server, registry} = world;
    const body = {repeat: ' ', size: 1_000_000, gzip: true};
    server.rule(rule({kind: 'token'}, status(200, {body}), {times: always}));
    await expect(listTags(registry, repository, signal)).rejects.toThrow(
      'cannot be unpacked within 131072 bytes'
    );
  });

  const errors = JSON.stringify({errors: [{code: 'ODD', message: 'so it is'}]});

  test.each(packings)('an error is told: %s', async (label, pack) => {
    await using world = await serve();
    const {server, registry} = world;
    const headers = {'Content-Encoding': label};
    server.rule(rule({kind: 'tags'}, status(400, {body: pack(errors), headers})));
    await expect(listTags(registry, repository, signal)).rejects.toMatchObject({
      status: 400,
      entries: [{code: 'ODD', message: 'so it is'}],
      message: expect.stringContaining('answers 400: ODD so it is')
    });
  });

  test('an HTML page is found out, so that what blocks is looked for', async () => {
    await using world = await serve();
    const {server, registry} = world;
    const headers = {'Content-Encoding': 'gzip', 'Content-Type': 'application/octet-stream'};
    const body = gzipSync('<html><p>blocked');
    server.rule(rule({kind: 'tags'}, status(403, {body, headers})));
    await expect(listTags(registry, repository, signal)).rejects.toThrow(
      /answers 403 with an HTML page$/
    );
  });

  test.each([
    ['gzip', randomBytes(300)],
    ['gzip', gzipSync(errors).subarray(0, 40)],
    ['gzip', gzipSync(Buffer.alloc(200_000, 'x'))],
    ['deflate', randomBytes(300).fill(0xff, 0, 1)],
    ['br', brotliCompressSync(errors)],
    ['zstd', randomBytes(300)],
    ['nonsense', randomBytes(300).fill(0xff, 0, 1)]
  ])('an error that cannot be read is told by its status alone: %s', async (label, body) => {
    await using world = await serve();
    const {server, registry} = world;
    const headers = {'Content-Encoding': label};
    server.rule(rule({kind: 'tags'}, status(400, {body, headers})));
    await expect(listTags(registry, repository, signal)).rejects.toThrow(/ answers 400$/);
  });
});

describe('a manifest that is labelled', () => {
  const {digest} = image;
  const strict = {'Docker-Content-Digest': null};
  const labels = ['utf-8', 'identity', 'Identity', 'GZIP', 'gzip', 'x-gzip', 'br', 'gzip, gzip'];

  test.each(labels)('over its own bytes is known by its digest: %s', async label => {
    await using world = await serve();
    const {server, registry} = world;
    server.rule(rule({kind: 'manifest', tag: smallTag}, set(label)));
    server.rule(rule({kind: 'manifest', digest}, set(label, strict)));
    for (const reference of [smallTag, digest]) {
      const got = await getManifest(registry, repository, reference, signal);
      expect(got?.descriptor.digest).toBe(digest);
    }
    expect(server.requests).toHaveLength(2);
  });

  test.each(['gzip', 'GZIP', 'X-gzip'])('and packed is unpacked: %s', async label => {
    await using world = await serve();
    const {server, registry} = world;
    server.rule(rule({kind: 'manifest'}, {effect: 'gzip'}, {times: always}));
    server.rule(rule({kind: 'manifest', tag: smallTag}, set(label, strict)));
    server.rule(rule({kind: 'manifest', digest}, set(label)));
    for (const reference of [smallTag, digest]) {
      const got = await getManifest(registry, repository, reference, signal);
      expect(got?.descriptor.digest).toBe(digest);
    }
  });

  test.each(['utf-8', 'br', 'deflate', 'gzip, gzip'])(
    'and of which no digest is known is not taken: %s',
    async label => {
      await using world = await serve();
      const {server, registry} = world;
      server.rule(rule({kind: 'manifest'}, set(label, strict), {times: always}));
      await expect(getManifest(registry, repository, smallTag, signal)).rejects.toThrow(
        `it came with Content-Encoding ${label}, which nobody asked for`
      );
    }
  );

  test.each([
    ['utf-8', 'which nobody asked for'],
    ['deflate', 'which nobody asked for'],
    ['x-gzip', 'it came compressed, and cannot be unpacked'],
    ['IDENTITY', 'sent other bytes']
  ])('and is another one is not taken: %s', async (label, message) => {
    await using world = await serve();
    const {server, registry} = world;
    server.rule(rule({kind: 'manifest'}, set(label), {times: always}));
    server.rule(rule({kind: 'manifest'}, {effect: 'flip', at: 20}, {times: always}));
    for (const reference of [smallTag, digest])
      await expect(getManifest(registry, repository, reference, signal)).rejects.toThrow(message);
  });
});
