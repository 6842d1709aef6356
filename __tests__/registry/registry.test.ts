import {PassThrough} from 'node:stream';

import {describe, expect, test} from '@jest/globals';

import {type EmbeddedOptions, EmbeddedRegistry} from '../../src/demo/registry.ts';
import {silent} from '../../src/log.ts';
import {digestOf} from '../../src/oci/digest.ts';
import {hasBlob} from '../../src/registry/blobs.ts';
import {getManifest} from '../../src/registry/manifests.ts';
import {BlobReader} from '../../src/registry/reader.ts';
import {Registry} from '../../src/registry/registry.ts';
import {listTags} from '../../src/registry/tags.ts';
import {Transport} from '../../src/registry/transport.ts';
import {putImage, smallRelease, smallTag} from '../support/small-release.ts';
import {account, always, rule, status} from '../support/rows.ts';
import {VirtualClock} from '../support/virtual-clock.ts';

const repository = 'arcdata/arc-bootstrapper';
const image = smallRelease().images.get('arc-bootstrapper');
const {signal} = new AbortController();

/** An embedded registry with one image, and the client's view of it. */
async function open(options: EmbeddedOptions = {}) {
  const clock = new VirtualClock();
  const server = await EmbeddedRegistry.start({now: clock.now, ...options});
  if (image !== undefined) putImage(server.store, repository, image, smallTag);
  const transport = new Transport({clock});
  const registry = new Registry({
    name: server.name,
    plainHttp: true,
    credentials:
      options.auth === undefined
        ? {kind: 'anonymous', from: 'a test'}
        : {
            kind: 'password',
            username: account.username,
            password: account.password,
            from: 'a test'
          },
    transport,
    log: silent,
    actions: 'pull'
  });
  return {
    clock,
    server,
    registry,
    async [Symbol.asyncDispose]() {
      transport.close();
      await server[Symbol.asyncDispose]();
    }
  };
}

describe('a registry', () => {
  test('that refused something long ago is waited for all the same', async () => {
    await using world = await open();
    const {clock, server, registry} = world;
    server.rule(rule({kind: 'tags'}, status(403)));
    await expect(listTags(registry, repository, signal)).rejects.toThrow('403');
    await clock.sleep(7 * 60_000, signal);
    server.rule(rule({kind: 'manifest', method: 'GET'}, status(503)));
    expect(await getManifest(registry, repository, smallTag, signal)).toBeDefined();
  });

  test('keeps a token for those who wait, when the one who asked for it gives up', async () => {
    await using world = await open({auth: account});
    const {server, registry} = world;
    const [blob] = image?.blobs ?? [];
    if (blob === undefined) throw new Error('no blob');
    server.rule(rule({kind: 'token'}, {effect: 'delay', ms: 300}, {times: always}));
    const asked = {digest: blob.digest, size: blob.bytes.length};
    const first = hasBlob(registry, repository, asked, AbortSignal.timeout(100));
    const second = hasBlob(registry, repository, asked, signal);
    await expect(first).rejects.toThrow();
    expect(await second).toBe('present');
  });

  test('that sends more than was asked for is read no further', async () => {
    await using world = await open();
    const {server, registry} = world;
    const bytes = Buffer.alloc(300_000, 'x');
    server.store.putBlob(repository, bytes);
    server.rule(rule({kind: 'blob', method: 'GET'}, {effect: 'ignore-range'}, {times: always}));
    server.rule(
      rule({kind: 'blob', method: 'GET'}, {effect: 'cut-download', after: 5000, how: 'stall'})
    );
    const descriptor = {
      mediaType: 'application/octet-stream',
      digest: digestOf(bytes),
      size: bytes.length
    };
    const reader = new BlobReader(registry, repository, descriptor, () => undefined);
    const sink = new PassThrough();
    sink.resume();
    let came = 0;
    sink.on('data', (piece: Buffer) => (came += piece.length));
    const began = performance.now();
    await reader.pump(0, 1000, sink, signal);
    expect(performance.now() - began).toBeLessThan(5000);
    expect(came).toBe(1000);
  });

  test('that lists without end is not listened to without end', async () => {
    await using world = await open();
    const {server, registry} = world;
    const name = 'x'.repeat(120);
    const tags = Array.from({length: 30_000}, (_, i) => `${name}${i}`);
    const body = JSON.stringify({name: repository, tags});
    server.rule(rule({kind: 'tags'}, {effect: 'substitute', body}, {times: always}));
    server.rule(rule({kind: 'tags'}, {effect: 'link', mode: 'endless'}, {times: always}));
    await expect(listTags(registry, repository, signal)).rejects.toThrow('has no end');
    expect(server.requests.filter(({kind}) => kind === 'tags').length).toBeLessThan(8);
  });
});
