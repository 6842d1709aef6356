import {gunzipSync} from 'node:zlib';

import {afterEach, beforeEach, describe, expect, test} from '@jest/globals';

import {BlobHost} from '../../src/demo/blob-host.ts';
import {hostileErrors, hostileText} from '../../src/demo/body.ts';
import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import type {Effect, RuleMatch} from '../../src/demo/rules.ts';
import {digestOf} from '../../src/oci/digest.ts';
import {mediaTypes} from '../../src/oci/media-type.ts';
import {ask, codes, json, next, openUpload, type Question} from './ask.ts';

const bytes = Buffer.alloc(100_000, '0123456789');
const digest = digestOf(bytes);
const manifest = Buffer.from(
  JSON.stringify({schemaVersion: 2, mediaType: mediaTypes.dockerManifest, layers: [{digest}]})
);

let registry: EmbeddedRegistry;
let blob: string;
let time: number;

beforeEach(async () => {
  time = 0;
  registry = await EmbeddedRegistry.start({profile: 'spec', now: () => time});
  registry.store.putBlob('a', bytes);
  blob = `${registry.url}/v2/a/blobs/${digest}`;
});

afterEach(async () => {
  await registry[Symbol.asyncDispose]();
});

function once(on: RuleMatch, effect: Effect) {
  registry.rule({on, do: effect});
}

async function patch(body: Uint8Array | string = bytes, question: Question = {}) {
  const place = await openUpload(registry.url, 'b');
  return {place, reply: await ask(place, {...question, method: 'PATCH', body})};
}

async function putBlob() {
  const place = await openUpload(registry.url, 'b');
  return await ask(`${place}&digest=${digest}`, {method: 'PUT', body: bytes});
}

async function putManifest(tag = 'v1', body: Uint8Array = manifest) {
  return await ask(`${registry.url}/v2/a/manifests/${tag}`, {
    method: 'PUT',
    headers: {'Content-Type': mediaTypes.dockerManifest},
    body
  });
}

describe('which requests a rule hits', () => {
  const down: Effect = {effect: 'answer', status: 503};
  const statuses = async (times: number) => {
    const all = [];
    for (let i = 0; i < times; i++) all.push((await ask(blob)).status);
    return all;
  };

  test('so many, after so many', async () => {
    registry.rule({on: {kind: 'blob'}, skip: 1, times: 2, do: down});
    expect(await statuses(5)).toEqual([200, 503, 503, 200, 200]);
    expect(registry.requests.map(({rule}) => rule)).toEqual([
      undefined,
      'answer',
      'answer',
      undefined,
      undefined
    ]);
  });

  test('those of one repository, digest, method, phase or kind', async () => {
    const others: RuleMatch[] = [
      {repository: 'b'},
      {repository: /^aa/},
      {digest: digestOf('x')},
      {tag: 'v1'},
      {method: ['HEAD', 'PUT']},
      {phase: 'put'},
      {kind: ['manifest', 'upload']},
      {authorized: true},
      {ranged: true},
      {contentRange: true}
    ];
    for (const on of others) registry.rule({on, times: 'always', do: down});
    expect(await statuses(1)).toEqual([200]);
    const on: RuleMatch = {
      repository: /^a$/,
      digest,
      method: 'GET',
      phase: ['get'],
      kind: 'blob',
      authorized: false,
      ranged: false
    };
    registry.rule({on, do: down});
    expect(await statuses(2)).toEqual([503, 200]);
  });

  test('those within a time', async () => {
    registry.rule({on: {}, times: 'always', window: {from: 1000, to: 10_000}, do: down});
    const seen = [];
    for (time of [0, 1000, 9999, 10_000]) seen.push(...(await statuses(1)));
    expect(seen).toEqual([200, 503, 503, 200]);
  });

  test('one answer a request, but every change to it', async () => {
    once({}, {effect: 'headers', set: {'X-One': '1'}});
    once({}, {effect: 'answer', status: 502, body: '0123456789'});
    once({}, {effect: 'answer', status: 503});
    once({}, {effect: 'cut-download', after: 4});
    const first = await ask(blob);
    expect([first.status, first.headers['x-one']]).toEqual([502, '1']);
    expect([first.body.toString(), first.error]).toEqual(['0123', 'ECONNRESET']);
    expect(await statuses(2)).toEqual([503, 200]);
    // What has nothing to change beside an answer waits for its turn.
    once({}, {effect: 'ignore-range'});
    once({}, {effect: 'drop'});
    expect(await statuses(1)).toEqual([0]);
    expect((await ask(blob, {headers: {Range: 'bytes=1-'}})).status).toBe(200);
    registry.rule({on: {}, times: 'always', do: down});
    registry.clearRules();
    expect(await statuses(1)).toEqual([200]);
  });
});

describe('downloads', () => {
  test.each([
    ['reset', 'ECONNRESET'],
    ['end', 'ECONNRESET'],
    ['stall', 'PATIENCE']
  ] as const)('end by %s after some bytes and go on by Range', async (how, error) => {
    once({kind: 'blob'}, {effect: 'cut-download', after: 40_000, how});
    const broken = await ask(blob, {patience: 300});
    expect(broken).toMatchObject({status: 200, error});
    expect(broken.body).toEqual(bytes.subarray(0, 40_000));
    const rest = await ask(blob, {headers: {Range: 'bytes=40000-'}});
    expect([rest.status, rest.body.length]).toEqual([206, 60_000]);
    expect(registry.requests[0]).toMatchObject({bytesOut: 40_000, rule: 'cut-download'});
  });

  test('halt and go on', async () => {
    once({}, {effect: 'cut-download', after: 40_000, how: 'stall', ms: 30});
    expect((await ask(blob)).body).toEqual(bytes);
  });

  test('are another one by one bit, or another altogether', async () => {
    once({}, {effect: 'flip', at: 70_001});
    const flipped = await ask(blob);
    expect(flipped.body[70_001]).toBe((bytes[70_001] ?? 0) ^ 1);
    expect(flipped.body).toHaveLength(bytes.length);
    once({}, {effect: 'substitute', body: 'something else'});
    const other = await ask(blob);
    expect(other.body.toString()).toBe('something else');
    expect(other.headers['docker-content-digest']).toBe(digest);
  });

  test('ignore Range, or come packed', async () => {
    once({}, {effect: 'ignore-range'});
    const whole = await ask(blob, {headers: {Range: 'bytes=5-'}});
    expect([whole.status, whole.body.length]).toEqual([200, bytes.length]);
    once({}, {effect: 'gzip'});
    const packed = await ask(blob);
    expect(packed.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(packed.body)).toEqual(bytes);
  });

  test('never begin, or are dropped', async () => {
    once({}, {effect: 'stall'});
    expect(await ask(blob, {patience: 100})).toMatchObject({status: 0, error: 'PATIENCE'});
    once({}, {effect: 'drop'});
    expect(await ask(blob)).toMatchObject({status: 0, error: 'ECONNRESET'});
    once({}, {effect: 'drop', how: 'end'});
    expect(await ask(blob)).toMatchObject({status: 0, error: 'ECONNRESET'});
  });

  test('lead to another host by a URL that expires', async () => {
    await using host = await BlobHost.start({store: registry.store, now: () => time});
    registry.rule({
      on: {kind: 'blob'},
      times: 'always',
      do: {effect: 'sign', host, lifetime: 1000, uses: 2}
    });
    const signed = (await ask(blob)).headers.location ?? '';
    expect(signed.startsWith(host.url)).toBe(true);
    const leaked = await ask(signed, {headers: {Authorization: 'Basic eDp5'}});
    expect(leaked.status).toBe(400);
    expect((await ask(signed, {headers: {Range: 'bytes=99990-'}})).body.toString()).toBe(
      '0123456789'
    );
    expect((await ask(signed)).status).toBe(200);
    expect((await ask(signed)).status).toBe(403);
    const fresh = (await ask(blob)).headers.location ?? '';
    time = 1000;
    expect((await ask(fresh)).status).toBe(403);
    expect(host.requests.map(({authorization}) => authorization)).toContain('basic');
  });

  test('lead in a circle, to a relative place, to another scheme', async () => {
    const seen = [];
    for (const to of ['{self}', '../blobs/x', 'https://cdn.invalid/x']) {
      once({}, {effect: 'redirect', to});
      const {status, headers} = await ask(`${blob}?x=1`);
      seen.push([status, headers.location]);
    }
    expect(seen).toEqual([
      [307, `/v2/a/blobs/${digest}?x=1`],
      [307, '../blobs/x'],
      [307, 'https://cdn.invalid/x']
    ]);
  });
});

describe('answers', () => {
  test('of any status, header and body', async () => {
    once({}, {effect: 'answer', status: 429, headers: {'Retry-After': '880.092µs', Date: null}});
    const limited = await ask(blob);
    expect([limited.status, limited.headers['retry-after']]).toEqual([429, '880.092µs']);
    once({}, {effect: 'answer', status: 403, body: {html: 'The request is blocked.'}});
    expect((await ask(blob)).headers['content-type']).toBe('text/html; charset=utf-8');
    once({}, {effect: 'answer', status: 400, body: hostileErrors});
    expect(codes(await ask(blob))).toEqual([hostileText]);
    once({}, {effect: 'headers', set: {'Docker-Content-Digest': null, 'content-type': 'text/x'}});
    const changed = await ask(blob);
    expect(changed.headers['docker-content-digest']).toBeUndefined();
    expect(changed.headers['content-type']).toBe('text/x');
  });

  test('as large as can be, from no memory', async () => {
    const before = process.memoryUsage().rss;
    const size = 300 * 2 ** 20;
    once({}, {effect: 'answer', status: 200, body: {repeat: ' ', size, head: '{', tail: '}'}});
    const bomb = await fetch(`${registry.url}/v2/a/manifests/v1`);
    let got = 0;
    for await (const chunk of bomb.body ?? []) got += (chunk as Uint8Array).length;
    expect(got).toBe(size);
    expect(process.memoryUsage().rss - before).toBeLessThan(150 * 2 ** 20);
    once({}, {effect: 'answer', status: 200, body: {repeat: ' ', size: 2 ** 22, gzip: true}});
    const packed = await ask(blob);
    expect(packed.body.length).toBeLessThan(10_000);
    expect(gunzipSync(packed.body)).toHaveLength(2 ** 22);
  });

  test('with a Link that leads astray', async () => {
    registry.store.putManifest('a', manifest, 'v1');
    const tags = `${registry.url}/v2/a/tags/list?n=1`;
    const link = async (effect: Effect) => {
      once({kind: 'tags'}, effect);
      return (await ask(tags)).headers.link;
    };
    expect(await link({effect: 'link', mode: 'self'})).toBe('</v2/a/tags/list?n=1>; rel="next"');
    expect(await link({effect: 'link', mode: 'endless'})).toContain('&page=2>');
    expect(await link({effect: 'link', mode: 'literal', to: 'http://sink/'})).toContain(
      '<http://sink/>'
    );
  });

  test('that are late or lost', async () => {
    once({}, {effect: 'delay', ms: 30});
    expect((await ask(blob)).status).toBe(200);
    once({kind: 'upload', phase: 'put'}, {effect: 'lose-answer'});
    expect(await putBlob()).toMatchObject({status: 0, error: 'ECONNRESET'});
    expect(registry.store.bytes('b', digest)).toEqual(bytes);
    once({kind: 'manifest', phase: 'put'}, {effect: 'lose-answer', how: 'end'});
    expect(await putManifest()).toMatchObject({status: 0});
    expect(registry.store.tag('a', 'v1')).toBe(digestOf(manifest));
  });

  test('by hand, as a last resort', async () => {
    once(
      {},
      {
        effect: 'custom',
        run: async exchange => {
          await exchange.answer(418, {}, 'tea');
          return true;
        }
      }
    );
    expect((await ask(blob)).status).toBe(418);
    once({}, {effect: 'custom', run: () => registry.store.deleteBlob('b', digest)});
    expect((await ask(blob)).status).toBe(200);
  });
});

describe('uploads', () => {
  test('are cut, and what came is kept', async () => {
    for (const how of ['reset', 'end'] as const) {
      once({phase: 'patch'}, {effect: 'cut-upload', after: 30_000, how});
      const {place, reply} = await patch();
      expect(reply.status).toBe(0);
      expect((await ask(place)).headers.range).toBe('0-29999');
      const rest = await ask(place, {
        method: 'PATCH',
        headers: {'Content-Range': '30000-99999'},
        body: bytes.subarray(30_000)
      });
      expect([rest.status, rest.headers.range]).toEqual([202, '0-99999']);
    }
  });

  test('are no longer read', async () => {
    once({phase: 'patch'}, {effect: 'stall-upload', after: 10});
    const {place, reply} = await patch(bytes, {patience: 100});
    expect(reply.error).toBe('PATIENCE');
    expect((await ask(place)).headers.range).toBe('0-9');
  });

  test.each(['keep', 'close', 'reset'] as const)(
    'are answered while they still come, then %s',
    async then => {
      once({phase: 'patch'}, {effect: 'answer', status: 401, after: 1000, challenge: true, then});
      const {place, reply} = await patch(Buffer.alloc(3_000_000));
      expect(reply.status).toBe(401);
      expect((await ask(place)).headers.range).toBe('0-0');
    }
  );

  test('are too large, or of no known length', async () => {
    registry.rule({on: {}, times: 'always', do: {effect: 'max-body', bytes: 99_999}});
    expect((await patch()).reply.status).toBe(413);
    expect((await patch(bytes, {chunked: true})).reply.status).toBe(413);
    expect((await patch(bytes.subarray(1))).reply.status).toBe(202);
    registry.rule({on: {}, times: 'always', do: {effect: 'refuse-chunked'}});
    expect((await patch('x', {chunked: true})).reply.status).toBe(411);
    expect((await patch('x')).reply.status).toBe(202);
  });

  test('are taken in part', async () => {
    once({phase: 'patch'}, {effect: 'take', bytes: 400, status: 416});
    const {reply} = await patch();
    expect([reply.status, reply.headers.range]).toEqual([416, '0-399']);
    const status = await ask(next(reply, registry.url));
    expect([status.status, status.headers.range]).toEqual([204, '0-399']);
  });

  test('are lost', async () => {
    once({phase: 'put'}, {effect: 'lose-session'});
    const put = await putBlob();
    expect([put.status, codes(put)]).toEqual([404, ['BLOB_UPLOAD_UNKNOWN']]);
    expect(registry.store.sessions).toEqual([]);
  });

  test.each([
    ['relative', /^\/v2\/b\/blobs\/uploads\/[^/]+\?_state=/],
    ['absolute', /^http:\/\/127\.0\.0\.1:\d+\/v2\//],
    ['query', /\?X-Keep=a%20b%26c%3D%2F%2B%25&_state=/],
    ['no-slash', /^[^/]+\?_state=/],
    ['elsewhere', /^http:\/\/127\.0\.0\.1:\d+\/artifacts-uploads\//]
  ] as const)('have a %s Location', async (mode, shape) => {
    registry.rule({on: {kind: 'upload'}, times: 'always', do: {effect: 'location', mode}});
    const place = `${registry.url}/v2/b/blobs/uploads/`;
    const post = await ask(place, {method: 'POST'});
    expect(post.headers.location).toMatch(shape);
    const sent = await ask(next(post, place), {method: 'PATCH', body: bytes});
    const put = await ask(`${next(sent, next(post, place))}&digest=${digest}`, {
      method: 'PUT',
      body: ''
    });
    expect(put.status).toBe(201);
  });

  test.each([
    ['other-host', 'http://sink.invalid:1/v2/b/blobs/uploads/'],
    ['garbage', 'http://[not a url'],
    ['missing', '']
  ] as const)('have a bad Location: %s', async (mode, begin) => {
    once({}, {effect: 'location', mode, host: 'sink.invalid:1'});
    const {headers} = await ask(`${registry.url}/v2/b/blobs/uploads/`, {method: 'POST'});
    expect((headers.location ?? '').startsWith(begin)).toBe(true);
    expect(headers.location === undefined).toBe(mode === 'missing');
  });

  test('must come back with their query unchanged', async () => {
    once({}, {effect: 'location', mode: 'query'});
    const place = new URL(await openUpload(registry.url, 'b'));
    place.searchParams.delete('X-Keep');
    expect((await ask(place.href)).status).toBe(404);
  });

  test('vanish, as do mounts and manifests', async () => {
    registry.rule({on: {}, times: 'always', do: {effect: 'vanish'}});
    expect((await putBlob()).status).toBe(201);
    const mount = `${registry.url}/v2/b/blobs/uploads/?mount=${digest}&from=a`;
    expect((await ask(mount, {method: 'POST'})).status).toBe(201);
    expect((await putManifest()).status).toBe(201);
    expect(registry.store.blob('b', digest)).toBeUndefined();
    expect(registry.store.tag('a', 'v1')).toBeUndefined();
  });
});

describe('manifests', () => {
  test('are refused for blobs that are there, or were', async () => {
    once({kind: 'manifest'}, {effect: 'missing'});
    expect(json(await putManifest())).toMatchObject({errors: [{detail: {digest}}]});
    expect((await putManifest()).status).toBe(201);
    once({kind: 'manifest'}, {effect: 'missing', drop: true});
    expect((await putManifest()).status).toBe(400);
    expect(registry.store.blob('a', digest)).toBeUndefined();
    expect((await putManifest()).status).toBe(400);
  });

  test('stay when their tag cannot be moved', async () => {
    registry.rule({on: {}, times: 'always', do: {effect: 'immutable', same: 'accepted'}});
    expect((await putManifest()).status).toBe(201);
    expect((await putManifest()).status).toBe(201);
    const other = await putManifest('v1', Buffer.concat([manifest, Buffer.from('\n')]));
    expect(codes(other)).toEqual(['TAG_INVALID']);
    registry.clearRules();
    once({}, {effect: 'immutable'});
    expect((await putManifest()).status).toBe(400);
  });
});

test('tokens come odd, or are refused of a sudden', async () => {
  const auth = {kind: 'bearer', username: 'u', password: 'p', anonymousPull: true} as const;
  await using guarded = await EmbeddedRegistry.start({auth, store: registry.store});
  const scope = 'repository:a:pull';
  const token = async () =>
    json(await ask(`${guarded.url}/token?scope=${scope}`)) as Record<string, unknown>;
  guarded.rule({
    on: {kind: 'token'},
    do: {effect: 'token', fields: {token: 'a\r\n{token}', access_token: null, expires_in: 0}}
  });
  const odd = await token();
  expect(odd).toMatchObject({expires_in: 0, token: expect.stringMatching(/^a\r\n.{20,}/)});
  expect('access_token' in odd).toBe(false);

  const {access_token: good} = await token();
  const headers = {Authorization: `Bearer ${String(good)}`};
  const url = `${guarded.url}/v2/a/blobs/${digest}`;
  expect((await ask(url, {headers})).status).toBe(200);
  guarded.rule({on: {kind: 'blob'}, do: {effect: 'revoke-tokens'}});
  expect((await ask(url, {headers})).status).toBe(401);
});

describe('connections', () => {
  test('are closed when idle, after some requests, or all at once', async () => {
    const count = async (requests: number, wait: number) => {
      const before = registry.connections;
      for (let i = 0; i < requests; i++) {
        await (await fetch(blob)).arrayBuffer();
        await new Promise(resolve => setTimeout(resolve, wait));
      }
      return registry.connections - before;
    };
    expect(await count(3, 0)).toBe(1);
    registry.rule({on: {}, times: 'always', do: {effect: 'close-idle', ms: 1}});
    expect(await count(3, 30)).toBeGreaterThanOrEqual(2);
    registry.clearRules();
    registry.dropConnections();
    registry.rule({
      on: {},
      times: 'always',
      do: {effect: 'close-after', requests: 2, announced: true}
    });
    expect(await count(4, 5)).toBe(2);
  });
});
