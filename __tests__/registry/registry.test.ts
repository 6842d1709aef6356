import {randomBytes} from 'node:crypto';
import {once} from 'node:events';
import {createServer as createHttpServer} from 'node:http';
import {type AddressInfo, createServer, type Socket} from 'node:net';
import {PassThrough, Writable} from 'node:stream';
import {gzipSync} from 'node:zlib';

import {describe, expect, test} from '@jest/globals';

import type {Exchange} from '../../src/demo/exchange.ts';
import {type EmbeddedOptions, EmbeddedRegistry} from '../../src/demo/registry.ts';
import type {Rule, RuleMatch} from '../../src/demo/rules.ts';
import {type Log, silent} from '../../src/log.ts';
import {deferred} from '../../src/mirror/deferred.ts';
import {digestOf} from '../../src/oci/digest.ts';
import {type RegistryName} from '../../src/oci/reference.ts';
import {hasBlob, openBlob} from '../../src/registry/blobs.ts';
import {listRepositories} from '../../src/registry/catalog.ts';
import {explain, explainFor} from '../../src/registry/explain.ts';
import {RegistryError} from '../../src/registry/error.ts';
import {getManifest, putManifest} from '../../src/registry/manifests.ts';
import {Names} from '../../src/registry/names.ts';
import {BlobReader} from '../../src/registry/reader.ts';
import {Gate} from '../../src/registry/patience.ts';
import {ping} from '../../src/registry/ping.ts';
import {Registry} from '../../src/registry/registry.ts';
import {cancelUpload, openUpload} from '../../src/registry/sessions.ts';
import {listTags} from '../../src/registry/tags.ts';
import {Transport} from '../../src/registry/transport.ts';
import {EndedError} from '../../src/run/time-limit.ts';
import {mirrorRun} from '../support/mirror-run.ts';
import {freePort} from '../support/program.ts';
import {putImage, putRelease, smallRelease, smallTag} from '../support/small-release.ts';
import {account, always, rule, status} from '../support/rows.ts';
import {until} from '../support/step.ts';
import {VirtualClock} from '../support/virtual-clock.ts';
import {Script} from './script.ts';

const repository = 'arcdata/arc-bootstrapper';
const image = smallRelease().images.get('arc-bootstrapper');
const {signal} = new AbortController();

/** A registry by its name; with the password of the account, or another one, or none. */
function client(
  name: RegistryName,
  transport: Transport,
  password?: string,
  log: Log = silent
): Registry {
  const from = 'a test';
  return new Registry({
    name,
    plainHosts: new Set([name]),
    credentials:
      password === undefined
        ? {kind: 'anonymous', from}
        : {kind: 'password', username: account.username, password, from},
    transport,
    log,
    actions: 'pull'
  });
}

/** An embedded registry with one image, and the client's view of it. */
async function open(options: EmbeddedOptions = {}) {
  const clock = new VirtualClock();
  const server = await EmbeddedRegistry.start({now: clock.now, ...options});
  if (image !== undefined) putImage(server.store, repository, image, smallTag);
  const transport = new Transport({clock});
  const registry = new Registry({
    name: server.name,
    plainHosts: new Set([server.name]),
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

test('whoever has no credentials where some are wanted is told to give some', async () => {
  await using server = await EmbeddedRegistry.start({auth: account});
  const transport = new Transport();
  const asked = ping(client(server.name, transport), [{repository, actions: 'pull'}], signal);
  await expect(asked).rejects.toMatchObject({
    message: expect.stringMatching(/^the token server of \S+ wants a user name \(401\)$/),
    advice: expect.stringMatching(
      /^Give its user name and password, or sign in with docker first: /
    )
  });
  transport.close();
});

test('a blob that is read a second time is looked at a second time', async () => {
  await using world = await open();
  const {server, registry} = world;
  const size = 300_000;
  const blob = server.store.putBlob(repository, Buffer.alloc(size, 7));
  server.rule({on: {kind: 'blob'}, skip: 1, times: 'always', do: {effect: 'flip', at: 1000}});
  const reader = new BlobReader(registry, repository, {...blob, mediaType: 'x/y'});
  const read = () => reader.pump(0, size, new PassThrough().resume(), signal);
  await read();
  await expect(read()).rejects.toThrow(/sent other bytes/);
});

test.each([
  ['as it was', false, 'all is read'],
  ['not as it was', true, 'sent other bytes than before']
])('a part of a blob that is read again, and comes %s', async (_, flipped, end) => {
  await using world = await open();
  const {server, registry} = world;
  const bytes = Buffer.from(Array.from({length: 6_000_000}, (__, i) => (i * 31) % 251));
  const {size, digest} = server.store.putBlob(repository, bytes);
  // The first time, a byte is wrong between where the hash is kept and where the target will stand.
  if (flipped) server.rule(rule({kind: 'blob'}, {effect: 'flip', at: 2_500_000}));
  const reader = new BlobReader(registry, repository, {size, digest, mediaType: 'x/y'});
  const read = (from: number, to: number) =>
    reader.pump(from, to, new PassThrough().resume(), signal);
  await read(0, 4_000_000);
  const again = async () => {
    await read(3_200_000, 3_500_000);
    await read(3_300_000, 5_000_000);
    await read(5_000_000, size);
    await read(size - 1, size);
    return 'all is read';
  };
  expect(await again().catch((error: unknown) => (error as Error).message)).toContain(end);
});

test('commits that are never answered are given up before long, and then at once', async () => {
  let now = 0;
  const sleep = (milliseconds: number) => {
    now += milliseconds;
    return Promise.resolve();
  };
  await using world = await open();
  const transport = new Transport({clock: {now: () => now, date: () => now, sleep}});
  const registry = client(world.server.name, transport);
  // It has answered before.
  await getManifest(registry, repository, 'nothing', signal);
  const send = transport.send.bind(transport);
  transport.send = question => {
    if (question.method !== 'PUT') return send(question);
    now += question.answerWithin;
    return Promise.reject(new RegistryError('stalled', 'no answer', {host: registry.name}));
  };
  const bytes = Buffer.from('{}');
  const descriptor = {mediaType: 'x/y', digest: digestOf(bytes), size: bytes.length};
  const minutes: number[] = [];
  for (let i = 0; i < 3; i++) {
    const began = now;
    await expect(
      putManifest(registry, repository, 'x', {bytes, descriptor}, signal)
    ).rejects.toBeInstanceOf(RegistryError);
    minutes.push(Math.round((now - began) / 60_000));
  }
  transport.close();
  expect(minutes[0]).toBeLessThan(20);
  expect(minutes.slice(1)).toEqual([5, 5]);
});

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
    const given = deferred<undefined>();
    const hold = async () => {
      await given.promise;
      return false;
    };
    server.rule(rule({kind: 'token'}, {effect: 'custom', run: hold}, {times: always}));
    const asked = {digest: blob.digest, size: blob.bytes.length};
    const abort = new AbortController();
    const first = hasBlob(registry, repository, asked, abort.signal);
    const second = hasBlob(registry, repository, asked, signal);
    await until('a token is asked for, and both know that they need one', () => {
      const {requests} = server;
      const refused = requests.filter(({kind, status: code}) => kind === 'blob' && code === 401);
      return refused.length === 2 && requests.some(({kind}) => kind === 'token');
    });
    abort.abort(new Error('given up'));
    await expect(first).rejects.toThrow('given up');
    given.resolve(undefined);
    expect(await second).toBe('present');
  });

  test('whose token server refuses is asked once for all who wait', async () => {
    await using server = await EmbeddedRegistry.start({auth: account});
    const transport = new Transport();
    const registry = client(server.name, transport, 'another password');
    const challenged = () =>
      server.requests.filter(({kind, status: code}) => kind === 'manifest' && code === 401);
    const hold = async () => {
      await until('all know that they need a token', () => challenged().length === 20);
      return false;
    };
    server.rule(rule({kind: 'token'}, {effect: 'custom', run: hold}, {times: always}));
    const all = await Promise.allSettled(
      Array.from({length: 20}, () => getManifest(registry, repository, smallTag, signal))
    );
    expect(all.map(({status: end}) => end)).toEqual(all.map(() => 'rejected'));
    expect(server.requests.filter(({kind}) => kind === 'token')).toHaveLength(1);
    transport.close();
  });

  test('gets no token that ends on the way', async () => {
    await using world = await open({auth: {...account, kind: 'bearer', tokenLifetime: 100}});
    const {server, registry, clock} = world;
    const tokens = () => server.requests.filter(({kind}) => kind === 'token').length;
    await getManifest(registry, repository, smallTag, signal);
    clock.skipped += 80_000;
    await getManifest(registry, repository, smallTag, signal);
    expect(tokens()).toBe(1);
    clock.skipped += 15_000;
    await getManifest(registry, repository, smallTag, signal);
    expect(tokens()).toBe(2);
    expect(server.requests.filter(({status: code}) => code === 401)).toHaveLength(1);
  });

  test('that asks for Basic at its catalogue alone is given the password there', async () => {
    await using world = await open({auth: {...account, kind: 'bearer'}});
    const {server, registry} = world;
    const kinds: string[] = [];
    const basicOnly = async (exchange: Exchange) => {
      const [kind = 'none'] = exchange.request.headers.authorization?.split(' ') ?? [];
      kinds.push(kind);
      const body = JSON.stringify({repositories: [repository]});
      const refusal = {status: 401, headers: {'WWW-Authenticate': 'Basic realm="all"'}};
      const answer = kind === 'Basic' ? {status: 200, body} : refusal;
      await exchange.answerAsRuled({effect: 'answer', ...answer}, undefined);
      return true;
    };
    server.rule(rule({kind: 'catalog'}, {effect: 'custom', run: basicOnly}, {times: always}));
    await getManifest(registry, repository, smallTag, signal);
    expect(await listRepositories(registry, '', signal)).toEqual([repository]);
    expect(kinds).toEqual(['Bearer', 'Basic']);
    // What wants a token still gets one.
    expect(await getManifest(registry, repository, smallTag, signal)).toBeDefined();
  });

  test('that asks for Basic where it refuses a token gets another token from who has no password', async () => {
    await using world = await open({auth: {...account, kind: 'bearer', anonymousPull: true}});
    const {server} = world;
    const transport = new Transport();
    const registry = client(server.name, transport);
    await getManifest(registry, repository, smallTag, signal);
    const headers = {'WWW-Authenticate': 'Basic realm="all"'};
    server.rule(rule({kind: 'manifest'}, status(401, {headers})));
    expect(await getManifest(registry, repository, smallTag, signal)).toBeDefined();
    expect(server.requests.filter(({kind}) => kind === 'token')).toHaveLength(2);
    transport.close();
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

  test('that refuses ranges is read from the start again, past what is known', async () => {
    await using world = await open();
    const {server, registry} = world;
    const bytes = randomBytes(300_000);
    server.store.putBlob(repository, bytes);
    server.rule(rule({kind: 'blob'}, {effect: 'cut-download', after: 100_000, how: 'end'}));
    const refuse = async (exchange: Exchange) => {
      if (exchange.header('Range') === undefined) return false;
      await exchange.answer(416);
      return true;
    };
    server.rule(rule({kind: 'blob'}, {effect: 'custom', run: refuse}, {times: always}));
    const descriptor = {
      mediaType: 'application/octet-stream',
      digest: digestOf(bytes),
      size: bytes.length
    };
    const written: Buffer[] = [];
    const sink = new Writable({
      write: (piece: Buffer, _, taken) => {
        // Its memory is used again from here on.
        written.push(Buffer.from(piece));
        taken();
      }
    });
    const reader = new BlobReader(registry, repository, descriptor, () => undefined);
    await reader.pump(0, bytes.length, sink, signal);
    expect(Buffer.concat(written).equals(bytes)).toBe(true);
    const reads = server.requests.filter(({kind}) => kind === 'blob');
    expect(reads.map(({status}) => status)).toEqual([200, 416, 200]);
    // In full: some take no range without its end.
    expect(reads[1]?.headers.range).toMatch(/^bytes=\d+-299999$/);
  });

  test('that sends other bytes for a part that is read again is found out', async () => {
    await using world = await open();
    const {server, registry} = world;
    const size = 5_000_000;
    const bytes = randomBytes(size);
    const blob = {...server.store.putBlob(repository, bytes), mediaType: 'x/y'};
    const reader = new BlobReader(registry, repository, blob);
    const read = async (from: number) => {
      const written: Buffer[] = [];
      const sink = new Writable({
        write: (piece: Buffer, _, taken) => {
          written.push(Buffer.from(piece));
          taken();
        }
      });
      await reader.pump(from, size, sink, signal);
      return Buffer.concat(written);
    };
    await read(0);
    // The same again, of which the registry is asked no more than a stretch too much.
    for (const from of [1, 2_500_000, 3_000_000, size - 1])
      expect((await read(from)).equals(bytes.subarray(from))).toBe(true);
    const starts = server.requests.flatMap(({kind, headers}) =>
      kind === 'blob' ? Number(/bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0) : []
    );
    expect(starts.slice(0, 2)).toEqual([0, 0]);
    for (const [i, from] of [2_500_000, 3_000_000, size - 1].entries()) {
      expect(starts[i + 2]).toBeLessThanOrEqual(from);
      expect(from - (starts[i + 2] ?? 0)).toBeLessThan(1024 * 1024 + 128 * 1024);
    }
    server.rule(rule({kind: 'blob'}, {effect: 'flip', at: 1_000_000}));
    await expect(read(3_000_000)).rejects.toThrow('sent other bytes');
    expect((await read(0)).equals(bytes)).toBe(true);
  });

  test('that sends more in a packed blob than was asked for does not keep the connection', async () => {
    const packed = gzipSync(Buffer.alloc(50_000_000, '0123456789'));
    await using server = new Script(socket => {
      socket.write(
        'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n'
      );
      // A chunk that never ends.
      socket.write(`${(packed.length + 5).toString(16)}\r\n`);
      socket.write(packed);
    });
    const {host} = await server.listen();
    const transport = new Transport();
    const bytes = Buffer.from('0123456789');
    const descriptor = {mediaType: '', digest: digestOf(bytes), size: bytes.length};
    const reader = new BlobReader(client(host as RegistryName, transport), repository, descriptor);
    await reader.pump(0, bytes.length, new PassThrough().resume(), signal);
    for (let i = 0; i < 400 && server.open > 0; i++) await new Promise(go => setTimeout(go, 10));
    expect(server.open).toBe(0);
    transport.close();
  });

  test('that lists without end is not listened to without end', async () => {
    await using world = await open();
    const {server, registry} = world;
    const name = 'x'.repeat(120);
    const tags = Array.from({length: 30_000}, (_, i) => `${name}${i}`);
    const body = JSON.stringify({name: repository, tags});
    server.rule(rule({kind: 'tags'}, {effect: 'substitute', body}, {times: always}));
    server.rule(rule({kind: 'tags'}, {effect: 'link', mode: 'endless'}, {times: always}));
    await expect(listTags(registry, repository, signal)).rejects.toThrow('goes on beyond');
    expect(server.requests.filter(({kind}) => kind === 'tags').length).toBeLessThan(8);
  });

  test('whose next page has an address without end is not taken for whole', async () => {
    await using world = await open();
    const {server, registry} = world;
    const Link = `</v2/${repository}/tags/list?last=${'x'.repeat(9000)}>; rel="next"`;
    server.rule(rule({kind: 'tags'}, {effect: 'headers', set: {Link}}));
    await expect(listTags(registry, repository, signal)).rejects.toThrow('Link header');
  });

  test('that redirects and never ends its answer does not keep the connection', async () => {
    const seen = {requests: 0, closed: 0};
    await using server = createServer((socket: Socket) => {
      socket.on('error', () => undefined).once('close', () => seen.closed++);
      socket.on('data', () => {
        const first = ++seen.requests === 1;
        const head = first ? '307 Over there\r\nLocation: /v2/there' : '200 OK';
        socket.write(`HTTP/1.1 ${head}\r\nContent-Length: 10\r\n\r\n${first ? 'x' : '0123456789'}`);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const {port} = server.address() as AddressInfo;
    const transport = new Transport();
    const registry = client(`127.0.0.1:${port}` as RegistryName, transport);
    const bytes = Buffer.from('0123456789');
    const descriptor = {mediaType: '', digest: digestOf(bytes), size: bytes.length};
    const range = {offset: 0, end: descriptor.size};
    const {answer} = await openBlob(registry, repository, descriptor, range, signal);
    expect(answer.status).toBe(200);
    // Of its own accord, before the transport is closed.
    for (let i = 0; i < 400 && seen.closed === 0; i++) await new Promise(go => setTimeout(go, 10));
    expect(seen.closed).toBe(1);
    transport.close();
  });
});

test('a blob of which not even the first byte is there is none', async () => {
  await using server = new Script((socket, request) => {
    const answer = request.startsWith('HEAD')
      ? '405 Not Allowed\r\nContent-Length: 0\r\n\r\n'
      : '416 Not Satisfiable\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
    socket.write(`HTTP/1.1 ${answer}`);
  });
  const {host} = await server.listen();
  const transport = new Transport();
  const bytes = Buffer.from('0123456789');
  const blob = {digest: digestOf(bytes), size: bytes.length};
  const registry = client(host as RegistryName, transport);
  expect(await hasBlob(registry, repository, blob, signal)).toBe('absent');
  transport.close();
});

test('a blob of which a packed length is told may be there', async () => {
  await using world = await open();
  const {server, registry} = world;
  const [blob] = image?.blobs ?? [];
  if (blob === undefined) throw new Error('no blob');
  const set = {'Content-Encoding': 'gzip', 'Content-Length': '7'};
  server.rule(rule({kind: 'blob', method: 'HEAD'}, {effect: 'headers', set}));
  const asked = {digest: blob.digest, size: blob.bytes.length};
  expect(await hasBlob(registry, repository, asked, signal)).toBe('present');
});

test('a registry that always warns of something else is shown no more than twenty times', async () => {
  await using world = await open();
  const {server, clock} = world;
  const warnings: string[] = [];
  const log: Log = {...silent, warning: text => void warnings.push(text)};
  const transport = new Transport({clock});
  const registry = client(server.name, transport, undefined, log);
  for (let i = 0; i < 30; i++) {
    server.rule(rule({kind: 'tags'}, {effect: 'headers', set: {Warning: `299 - "no. ${i}"`}}));
    await listTags(registry, repository, signal);
  }
  expect(warnings).toHaveLength(20);
  transport.close();
});

test('the cancelling of an upload is waited for no longer than a moment', async () => {
  await using world = await open();
  const {server, registry} = world;
  server.rule(rule({kind: 'upload', method: 'DELETE'}, {effect: 'stall'}, {times: always}));
  const session = await openUpload(registry, repository, digestOf('a blob'), signal);
  const began = performance.now();
  await cancelUpload(registry, repository, session);
  expect(performance.now() - began).toBeLessThan(10_000);
});

test.each([
  ['503', status(503)],
  ['429 and Retry-After', status(429, {headers: {'Retry-After': '120'}})]
] as const)('what lies beyond the end of the run is not waited for: %s', async (code, effect) => {
  await using source = await EmbeddedRegistry.start();
  await using target = await EmbeddedRegistry.start();
  putRelease(source.store, 'arcdata', smallRelease());
  source.rule(rule({kind: 'manifest'}, effect, {times: always}));
  const {record, slept} = await mirrorRun({source, target, inputs: {timeout: '1'}});
  expect(record.failure?.message).toContain(code.slice(0, 3));
  expect(slept).toBeLessThan(60_000);
});

describe('a registry that is asked too much', () => {
  test('is left alone for as long as it said, also where it says less later', async () => {
    let now = 0;
    const sleep = (milliseconds: number) => {
      now += milliseconds;
      return Promise.resolve();
    };
    const gate = new Gate({now: () => now, date: () => now, sleep});
    gate.close(60_000);
    gate.close(1000);
    await gate.pass(signal);
    expect(now).toBeGreaterThanOrEqual(60_000);
  });

  async function pressed(ask: (registry: Registry) => Promise<void>, rules: readonly Rule[]) {
    await using world = await open();
    const {server, clock} = world;
    const transport = new Transport({clock});
    let count = 0;
    const registry = new Registry({
      name: server.name,
      plainHosts: new Set([server.name]),
      credentials: {kind: 'anonymous', from: 'a test'},
      transport,
      log: silent,
      actions: 'pull',
      onPressure: () => count++
    });
    for (const one of rules) server.rule(one);
    await ask(registry);
    transport.close();
    return count;
  }

  test('gets less at once, each time that it says so', async () => {
    const tags: RuleMatch = {kind: 'tags'};
    const rules = [rule(tags, status(429)), rule(tags, status(503)), rule(tags, {effect: 'drop'})];
    const ask = async (registry: Registry) => {
      expect(await listTags(registry, repository, signal)).toEqual([smallTag]);
    };
    expect(await pressed(ask, rules)).toBe(2);
  });

  test('gets less once for all that was under way when it said so', async () => {
    let come = 0;
    // All are there before the first one hears of it.
    const run = async (exchange: Exchange) => {
      come++;
      await until('all eight have come', () => come >= 8);
      await exchange.answer(429);
      return true;
    };
    const ask = async (registry: Registry) => {
      const lists = Array.from({length: 8}, () => listTags(registry, repository, signal));
      expect(await Promise.all(lists)).toEqual(lists.map(() => [smallTag]));
    };
    const all = rule({kind: 'tags'}, {effect: 'custom', run}, {times: 8});
    expect(await pressed(ask, [all])).toBe(1);
  });
});

describe('the advice at the greeting', () => {
  test.each([
    ['a wrong password', 'wrong', /^The user name or password for \S+ is wrong \(from a test\)\.$/],
    ['no password at all', undefined, /Give its user name and password.*no credentials were used/]
  ])('for %s says what to check, and of no repository', async (_name, password, advice) => {
    await using world = await open({auth: {...account, kind: 'basic'}});
    const {server, registry} = world;
    const asking = client(server.name, registry.transport, password);
    const greeted = ping(asking, [{repository, actions: 'pull'}], signal);
    await expect(greeted).rejects.toMatchObject({
      status: 401,
      advice: expect.stringMatching(advice),
      repository: undefined
    });
  });

  test('for plain http at a port that speaks TLS says so', async () => {
    await using world = await open();
    const {server, registry} = world;
    server.rule(rule({kind: 'ping'}, status(400)));
    await expect(ping(registry, [], signal)).rejects.toMatchObject({
      advice: expect.stringContaining('insecure-registries')
    });
  });
});

test('what TLS libraries say is cut down to its reason', () => {
  const text =
    'write EPROTO 804C47FC5C7F0000:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:../ssl3_record.c:350:';
  const error = Object.assign(new Error(text), {code: 'EPROTO'});
  const outgoing = {
    ...{method: 'GET', url: new URL('https://r.example/v2/'), headers: {}, answerWithin: 1, signal}
  };
  const told = explain(error, outgoing, new Names(), false);
  expect((told as Error).message).toMatch(/as it should: wrong version number$/);
});

describe('the advice about a certificate', () => {
  const url = new URL('https://r.example/v2/');
  const told = (error: object) =>
    explain(Object.assign(new Error('x'), error), {url, method: 'GET'}, new Names(), false);
  const known = {name: 'r.example', origin: url, met: false};

  test.each([
    [
      {code: 'ERR_TLS_CERT_ALTNAME_INVALID', host: 'r.example', cert: {subjectaltname: 'DNS:a.b'}},
      /^The certificate is for a\.b, not for r\.example: use that name/
    ],
    [
      {
        ...{code: 'ERR_TLS_CERT_ALTNAME_INVALID', host: 'r.example'},
        cert: {subjectaltname: 'DNS:a.b, IP Address:10.0.0.1'}
      },
      /^The certificate is for a\.b, 10\.0\.0\.1, not for r\.example: use one of those names/
    ],
    [{code: 'CERT_HAS_EXPIRED'}, /^Renew the certificate/],
    [{code: 'CERT_NOT_YET_VALID'}, /clock of this machine/],
    [{code: 'SELF_SIGNED_CERT_IN_CHAIN'}, /^Give the registry's CA as ca-file/]
  ])('goes by what is wrong with it: %j', (error, advice) => {
    expect(told(error)).toMatchObject({
      fault: 'certificate',
      advice: expect.stringMatching(advice)
    });
  });

  test('of an authority that a given ca-file does not have says so', () => {
    const error = told({code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'});
    expect(explainFor(error, {...known, privateCa: false})).toBe(error);
    expect(explainFor(error, {...known, privateCa: true}).advice).toMatch(
      /^None of the certificates in ca-file signed it/
    );
  });
});

test('a port that ends plain http before it has answered may speak https', async () => {
  const server = createServer(socket => socket.destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const name = `127.0.0.1:${(server.address() as AddressInfo).port}` as RegistryName;
  const transport = new Transport({clock: new VirtualClock()});
  await expect(ping(client(name, transport), [], signal)).rejects.toMatchObject({
    fault: 'connection',
    advice: 'It may speak https: then take it out of insecure-registries.'
  });
  transport.close();
  server.close();
});

test('a host that cannot be reached is told with the registry that leads there', async () => {
  const nobody = `127.0.0.1:${await freePort()}`;
  const server = createHttpServer((_, response) => {
    response.writeHead(307, {Location: `http://${nobody}/elsewhere`}).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const name = `127.0.0.1:${(server.address() as AddressInfo).port}` as RegistryName;
  const transport = new Transport({clock: new VirtualClock()});
  await expect(ping(client(name, transport), [], signal)).rejects.toThrow(
    `${nobody} cannot be reached: the connection was refused (ECONNREFUSED); ${name} leads there`
  );
  transport.close();
  server.close();
});

test('a registry that takes no uploads is told as that, and not by its tags', async () => {
  await using world = await open();
  const {server, registry} = world;
  server.rule(rule({kind: 'upload', method: 'POST'}, status(405)));
  const opened = registry.ask(
    {
      ...{method: 'POST', path: `/v2/${repository}/blobs/uploads/`, expect: [202], signal},
      needs: [{repository, actions: 'pull,push'}]
    },
    () => undefined
  );
  await expect(opened).rejects.toMatchObject({
    status: 405,
    advice:
      'This registry takes no uploads: it is read-only, or a pull-through cache. Mirror to another one.'
  });
});

test('a registry that is waited for is told, once for each cause, and not for a hiccup', async () => {
  await using world = await open();
  const {server, registry} = world;
  const notices: string[] = [];
  const log: Log = {...silent, notice: text => void notices.push(text)};
  const asking = client(server.name, registry.transport, undefined, log);
  server.rule(rule({kind: 'tags'}, status(500), {times: 2}));
  await listTags(asking, repository, signal);
  expect(notices).toEqual([]);
  expect(asking.trouble).toBeUndefined();
  server.rule(rule({kind: 'tags'}, status(500), {times: always}));
  await expect(listTags(asking, repository, signal)).rejects.toThrow('500');
  expect(notices).toEqual([`${server.name} answers 500; trying again`]);
  expect(asking.trouble?.status).toBe(500);
});

test('two wrong passwords are told in one failure, each with where it is from', async () => {
  const clock = new VirtualClock();
  const options = {now: clock.now, auth: {...account, kind: 'basic'}} as const;
  await using source = await EmbeddedRegistry.start(options);
  await using target = await EmbeddedRegistry.start(options);
  const {record} = await mirrorRun({
    ...{source, target, clock},
    inputs: {
      ...{'source-username': 'robot', 'source-password': 'wrong one'},
      ...{'target-username': 'robot', 'target-password': 'wrong two'}
    }
  });
  const {message = '', advice} = record.failure ?? {};
  expect(message).toMatch(/^GET \/v2\/: \S+ answers 401.*; and \S+ answers 401/);
  expect(message).toContain(`${source.name} answers`);
  expect(message).toContain(`${target.name} answers`);
  expect(advice).toBe(
    `The user name or password for ${source.name} is wrong (from source-username and source-password). ` +
      `The user name or password for ${target.name} is wrong (from target-username and target-password).`
  );
});

test.each([
  ['decryption failed or bad record mac', true, 'connection'],
  ['ssl/tls alert bad record mac', true, 'connection'],
  ['wrong version number', true, 'connection'],
  ['wrong version number', false, 'certificate'],
  ['tlsv1 alert unknown ca', true, 'certificate']
])('TLS that fails by %s, established: %s, is a fault of the %s', (text, established, fault) => {
  const error = Object.assign(
    new Error(`0A:error:0A000119:SSL routines:read:${text}:../record.c:1:`),
    {code: `ERR_SSL_${text.toUpperCase().replace(/\W/g, '_')}`}
  );
  const request = {method: 'GET', url: new URL('https://r.example/v2/')};
  const told = explain(error, request, new Names(), established);
  expect(told).toMatchObject({fault, message: expect.stringContaining(`: ${text}`)});
});

test.each(['tlsv13 alert certificate required', 'ssl/tls alert bad certificate'])(
  'TLS that fails by %s is told as one for clients with a certificate',
  text => {
    const error = Object.assign(
      new Error(`0A:error:0A000119:SSL routines:read:${text}:../record.c:1:`),
      {code: `ERR_SSL_${text.toUpperCase().replace(/\W/g, '_')}`}
    );
    const request = {method: 'GET', url: new URL('https://r.example/v2/')};
    const told = explain(error, request, new Names(), true);
    expect(told).toMatchObject({fault: 'certificate'});
    expect(told.message).toContain('wants a client certificate');
  }
);

test('a registry whose disk is full is told as that, and not waited for', async () => {
  await using world = await open();
  const {server, registry} = world;
  const detail = {DriverName: 'filesystem', Enclosed: {Op: 'write', Path: '/data', Err: 28}};
  const body = {errors: [{code: 'UNKNOWN', message: 'unknown error', detail}]};
  server.rule(rule({kind: 'upload', method: 'POST'}, status(500, {body}), {times: always}));
  await expect(
    openUpload(registry, repository, digestOf(Buffer.from('x')), signal)
  ).rejects.toMatchObject({
    fault: 'refused',
    message: expect.stringContaining('unknown error: no space left on device'),
    advice: expect.stringContaining("Make room on the registry's disk")
  });
});

test('an upload is cancelled by the address that it has now', async () => {
  await using world = await open();
  const {server, registry} = world;
  const session = await openUpload(registry, repository, digestOf(Buffer.from('x')), signal);
  // As distribution 3 has it: the address from before the last bytes finds nothing.
  server.rule(rule({kind: 'upload', method: 'DELETE'}, status(416)));
  await cancelUpload(registry, repository, session);
  const asked = server.requests.filter(({kind}) => kind === 'upload').slice(1);
  expect(asked.map(({method, status: code}) => `${method} ${code}`)).toEqual([
    'DELETE 416',
    'GET 204',
    'DELETE 204'
  ]);
});

test('a run that is cancelled does not wait until a name is found', async () => {
  const transport = new Transport({resolve: () => new Promise(() => undefined)});
  const asked = listTags(
    client('slow.test' as RegistryName, transport),
    repository,
    AbortSignal.timeout(50)
  );
  await expect(asked).rejects.toThrow('timeout');
  transport.close();
});

test.each(['w%rong', 'a%zz'])('the proxy password %s is told at once', async password => {
  process.env.http_proxy = `http://user:${password}@127.0.0.1:1`;
  const transport = new Transport();
  try {
    const registry = client('registry.example' as RegistryName, transport);
    const failure = await ping(registry, [], signal).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      ...{fault: 'refused', attempts: 1},
      advice: expect.stringContaining('Percent-encode')
    });
    expect((failure as Error).message).not.toContain(password);
  } finally {
    delete process.env.http_proxy;
    transport.close();
  }
});

test.each([
  ['socks5://127.0.0.1:1', 'speaks socks5; only http'],
  ['http://user:p@canary/word@127.0.0.1:1', 'has a / in it']
])('the proxy %s is told as one that cannot be used', async (proxy, message) => {
  process.env.http_proxy = proxy;
  const transport = new Transport();
  try {
    const registry = client('registry.example' as RegistryName, transport);
    const failure = await ping(registry, [], signal).catch((error: unknown) => error);
    expect(failure).toMatchObject({fault: 'refused', attempts: 1});
    expect((failure as Error).message).toContain(message);
    expect((failure as Error).message).not.toContain('canary');
  } finally {
    delete process.env.http_proxy;
    transport.close();
  }
});

test('what is no tag is left out of a list', async () => {
  await using world = await open();
  const {server, registry} = world;
  const tags = ['v1.46.0_2026-05-12', 'v1\nMirrored', '-x', 'a'.repeat(129), '', 'ok'];
  server.rule(rule({kind: 'tags'}, status(200, {body: JSON.stringify({name: repository, tags})})));
  expect(await listTags(registry, repository, signal)).toEqual(['v1.46.0_2026-05-12', 'ok']);
});

test('a name that leads elsewhere later is still known for where it led', async () => {
  const answers = [['93.184.216.34'], ['10.0.0.5']];
  const names = new Names(host =>
    Promise.resolve(
      (answers.shift() ?? []).map(address => ({address, family: host === '' ? 6 : 4}))
    )
  );
  await names.addresses('r.example');
  names.forget('r.example');
  await names.addresses('r.example');
  expect(names.found('r.example')).toEqual(['10.0.0.5']);
  expect(names.everFound('r.example')).toEqual(['93.184.216.34', '10.0.0.5']);
});

test('a run that failed asks nothing more', async () => {
  const clock = new VirtualClock();
  await using source = await EmbeddedRegistry.start({now: clock.now});
  await using target = await EmbeddedRegistry.start({now: clock.now});
  source.rule(rule({kind: 'tags'}, status(503), {times: always}));
  source.rule(rule({kind: 'manifest'}, status(503), {times: always}));
  source.rule(rule({kind: 'catalog'}, status(503), {times: always}));
  target.rule(rule({}, status(401, {headers: {'WWW-Authenticate': 'Negotiate'}}), {times: always}));
  const {record} = await mirrorRun({source, target, clock});
  expect(record.failure).toBeDefined();
  const asked = source.requests.length;
  await new Promise(resolve => setTimeout(resolve, 1000));
  // What was on its way still arrives; waits are virtual, so that whoever went on would be far by now.
  expect(source.requests.length - asked).toBeLessThan(5);
});

test('a run that is ended while a registry owes it an answer says so', async () => {
  await using source = await EmbeddedRegistry.start();
  await using target = await EmbeddedRegistry.start();
  putRelease(source.store, 'arcdata', smallRelease());
  target.rule(rule({}, {effect: 'stall'}, {skip: 2, times: always}));
  const controller = new AbortController();
  const clock = new VirtualClock();
  const running = mirrorRun({source, target, clock, signal: controller.signal});
  await until('the target is asked something that it does not answer', () => {
    return target.requests.length > 2;
  });
  // The source answers meanwhile whatever it is still asked.
  await new Promise(resolve => setTimeout(resolve, 500));
  clock.skipped += 50_000;
  controller.abort(new EndedError('the run was cancelled', 'Run again.'));
  const {record} = await running;
  // A second or two of a busy machine's own come on top.
  expect(record.failure?.message.replace(/5[0-5] s$/, '50 s')).toBe(
    `the run was cancelled; it was waiting for ${target.name}, which had not answered for 50 s`
  );
});
