import {describe, expect, test} from '@jest/globals';

import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import {Store} from '../../src/demo/store.ts';
import {digestOf} from '../../src/oci/digest.ts';
import {manifestTypes, mediaTypes} from '../../src/oci/media-type.ts';
import {ask, codes, json, next, openUpload} from './ask.ts';

const bytes = Buffer.from('0123456789');
const digest = digestOf(bytes);
const repository = 'team/app';

// For 127.0.0.1 alone, signed by itself; opens nothing but these tests.
const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgqjgycqbPL85sL2qi
D+HwcntbWME6JpR6b0b9YiMvsA6hRANCAASjjHXsCWDPstMS1irMUS2SbYxGllZU
hNZczNQz3MUn15ID+ZImtwHPoUW753NBG4HhJ8tqv+mAn8JtQ429SB2m
-----END PRIVATE KEY-----`;
const cert = `-----BEGIN CERTIFICATE-----
MIIBZjCCAQ2gAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAkxMjcuMC4w
LjEwIBcNMjAwMTAxMDAwMDAwWhgPMjA5OTEyMzEwMDAwMDBaMBQxEjAQBgNVBAMM
CTEyNy4wLjAuMTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABKOMdewJYM+y0xLW
KsxRLZJtjEaWVlSE1lzM1DPcxSfXkgP5kia3Ac+hRbvnc0EbgeEny2q/6YCfwm1D
jb1IHaajTjBMMBoGA1UdEQQTMBGHBH8AAAGCCWxvY2FsaG9zdDAPBgNVHRMBAf8E
BTADAQH/MB0GA1UdDgQWBBTWPbkbR8zoXAcNWSRxzwSMivO5ujAKBggqhkjOPQQD
AgNHADBEAiAZSTO4z9nqqlwi6NjysV9p0k8v4jDy/1xN7zYw1/rYugIgLH2gj2Aj
xBByPoM1pVxTjUgGgUjq/G1pcWnH8TiBjE4=
-----END CERTIFICATE-----`;

function image(...layers: readonly Buffer[]) {
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: {mediaType: 'application/json', digest: digestOf('{}'), size: 2},
      layers: layers.map(layer => ({
        mediaType: 'application/octet-stream',
        digest: digestOf(layer),
        size: layer.length
      }))
    })
  );
}

async function withImage(registry: EmbeddedRegistry) {
  registry.store.putBlob(repository, Buffer.from('{}'));
  registry.store.putBlob(repository, bytes);
  return await ask(`${registry.url}/v2/${repository}/manifests/v1`, {
    method: 'PUT',
    headers: {'Content-Type': mediaTypes.ociManifest},
    body: image(bytes)
  });
}

describe('blobs', () => {
  test('are read whole and in parts', async () => {
    await using registry = await EmbeddedRegistry.start();
    registry.store.putBlob(repository, bytes);
    const url = `${registry.url}/v2/${repository}/blobs/${digest}`;

    const whole = await ask(url);
    expect(whole.status).toBe(200);
    expect(whole.body).toEqual(bytes);
    expect(whole.headers['docker-content-digest']).toBe(digest);

    const head = await ask(url, {method: 'HEAD'});
    expect([head.status, head.headers['content-length'], head.body.length]).toEqual([200, '10', 0]);

    const parts = [];
    for (const range of [
      'bytes=-',
      'bytes=5-2',
      'bytes=-0',
      'bytes=4-',
      'bytes=2-3',
      'bytes=-3',
      'bytes=10-',
      'bytes=0-0,2-3'
    ]) {
      const part = await ask(url, {headers: {Range: range}});
      const place = part.headers['content-range'];
      parts.push([part.status, place, part.status === 416 ? '' : part.body.toString()]);
    }
    expect(parts).toEqual([
      [200, undefined, '0123456789'],
      [200, undefined, '0123456789'],
      [416, 'bytes */10', ''],
      [206, 'bytes 4-9/10', '456789'],
      [206, 'bytes 2-3/10', '23'],
      [206, 'bytes 7-9/10', '789'],
      [416, 'bytes */10', ''],
      [200, undefined, '0123456789']
    ]);
  });

  test('are known only in the repository that has them, and can be deleted', async () => {
    await using registry = await EmbeddedRegistry.start();
    registry.store.putBlob(repository, bytes);
    const url = `${registry.url}/v2/${repository}/blobs/${digest}`;
    const other = await ask(`${registry.url}/v2/team/other/blobs/${digest}`);
    expect([other.status, codes(other)]).toEqual([404, ['BLOB_UNKNOWN']]);
    expect((await ask(url, {method: 'DELETE'})).status).toBe(202);
    expect((await ask(url)).status).toBe(404);
  });

  test('of any size need no memory', async () => {
    await using registry = await EmbeddedRegistry.start();
    const size = 5 * 2 ** 30;
    const known = digestOf('stands for the digest, which takes seconds to compute');
    registry.store.putBlob(repository, {size, seed: 7, digest: known});
    const url = `${registry.url}/v2/${repository}/blobs/${known}`;
    const head = await ask(url, {method: 'HEAD'});
    expect(head.headers['content-length']).toBe(String(size));
    // Across the border of two of its blocks, beyond what 32 bits can count.
    const border = 4 * 2 ** 30 + 2 ** 20;
    const read = async (from: number, to: number) =>
      (await ask(url, {headers: {Range: `bytes=${from}-${to}`}})).body;
    const whole = await read(border - 5, border + 12);
    expect(whole).toHaveLength(18);
    const halves = [await read(border - 5, border + 2), await read(border + 3, border + 12)];
    expect(Buffer.concat(halves)).toEqual(whole);
    expect(registry.store.putBlob('a', {size: 3_000_000, seed: 7}).digest).not.toBe(
      registry.store.putBlob('a', {size: 3_000_000, seed: 8}).digest
    );
  });
});

describe('uploads', () => {
  test('take one PUT, a PATCH and an empty PUT, and chunks with a last one in PUT', async () => {
    await using registry = await EmbeddedRegistry.start();
    const {url, store} = registry;

    const first = await openUpload(url, 'a');
    const put = await ask(`${first}&digest=${digest}`, {method: 'PUT', body: bytes});
    expect([put.status, put.headers['docker-content-digest']]).toEqual([201, digest]);

    const second = await openUpload(url, 'b');
    const patch = await ask(second, {method: 'PATCH', body: bytes, chunked: true});
    expect([patch.status, patch.headers.range]).toEqual([202, '0-9']);
    const empty = await ask(`${next(patch, url)}&digest=${digest}`, {method: 'PUT', body: ''});
    expect(empty.status).toBe(201);

    const third = await openUpload(url, 'c');
    const chunk = async (place: string, from: number, to: number) =>
      await ask(place, {
        method: 'PATCH',
        headers: {'Content-Range': `${from}-${to - 1}`},
        body: bytes.subarray(from, to)
      });
    const one = await chunk(third, 0, 4);
    const wrong = await chunk(next(one, url), 5, 7);
    expect([wrong.status, wrong.headers.range]).toEqual([416, '0-3']);
    const status = await ask(next(wrong, url));
    expect([status.status, status.headers.range]).toEqual([204, '0-3']);
    const two = await chunk(next(status, url), 4, 7);
    const last = await ask(`${next(two, url)}&digest=${digest}`, {
      method: 'PUT',
      headers: {'Content-Range': '7-9'},
      body: bytes.subarray(7)
    });
    expect(last.status).toBe(201);
    expect(['a', 'b', 'c'].map(name => store.bytes(name, digest))).toEqual([bytes, bytes, bytes]);
    expect(store.sessions).toEqual([]);
  });

  test('are refused with another digest, and take sha512', async () => {
    await using registry = await EmbeddedRegistry.start();
    const wrong = await openUpload(registry.url, 'a');
    const refused = await ask(`${wrong}&digest=${digestOf('x')}`, {method: 'PUT', body: bytes});
    expect([refused.status, codes(refused)]).toEqual([400, ['DIGEST_INVALID']]);
    expect((await ask(wrong)).status).toBe(404);
    const long = digestOf(bytes, 'sha512');
    const other = await openUpload(registry.url, 'a');
    const put = await ask(`${other}&digest=${long}`, {method: 'PUT', body: bytes});
    expect(put.status).toBe(201);
    expect(registry.store.bytes('a', long)).toEqual(bytes);
  });

  test('are refused where a request makes no sense', async () => {
    await using registry = await EmbeddedRegistry.start();
    const {url} = registry;
    const place = await openUpload(url, 'a');
    const patch = async (range: string) =>
      codes(await ask(place, {method: 'PATCH', headers: {'Content-Range': range}, body: bytes}));
    expect(await patch('bytes 0-9/10')).toEqual(['BLOB_UPLOAD_INVALID']);
    expect(await patch('0-99')).toEqual(['SIZE_INVALID']);
    expect((await ask(place, {method: 'OPTIONS'})).status).toBe(405);
    expect((await ask(`${url}/v2/a/blobs/${digest}`, {method: 'PUT'})).status).toBe(404);
    expect(codes(await ask(`${place}&digest=md5:1`, {method: 'PUT', body: ''}))).toEqual([
      'DIGEST_INVALID'
    ]);
    const mount = await ask(`${url}/v2/a/blobs/uploads/?mount=x&from=b`, {method: 'POST'});
    expect(codes(mount)).toEqual(['DIGEST_INVALID']);
    expect((await ask(`${url}/v2/a%ZZ/tags/list`)).status).toBe(400);
  });

  test('can be cancelled, and need their query whole', async () => {
    await using registry = await EmbeddedRegistry.start();
    const place = await openUpload(registry.url, 'a');
    expect((await ask(place.split('?')[0] ?? '')).status).toBe(404);
    expect((await ask(place, {method: 'DELETE'})).status).toBe(204);
    expect((await ask(place)).status).toBe(404);
  });

  test('take a whole blob in one POST where the registry does', async () => {
    for (const [profile, status] of [
      ['spec', 201],
      ['distribution', 202]
    ] as const) {
      await using registry = await EmbeddedRegistry.start({profile});
      const post = `${registry.url}/v2/a/blobs/uploads/?digest=${digest}`;
      const reply = await ask(post, {method: 'POST', body: bytes});
      expect(reply.status).toBe(status);
      expect(registry.store.bytes('a', digest)).toEqual(status === 201 ? bytes : undefined);
    }
  });

  test('go on where they broke, or are lost, as the profile has it', async () => {
    const body = Buffer.alloc(100_000, 'x');
    for (const [profile, status, offset] of [
      ['spec', 204, 50_000],
      ['distribution', 404, undefined]
    ] as const) {
      await using registry = await EmbeddedRegistry.start({profile});
      const place = await openUpload(registry.url, 'a');
      await ask(place, {method: 'PATCH', body, breakAfter: 50_000});
      const reply = await ask(place);
      expect(reply.status).toBe(status);
      expect(registry.store.sessions.map(session => session.offset)).toEqual(
        offset === undefined ? [] : [offset]
      );
    }
  });

  test('keep only digest and size beyond a limit', async () => {
    await using registry = await EmbeddedRegistry.start({store: new Store({discardOver: 5})});
    const place = await openUpload(registry.url, 'a');
    const put = await ask(`${place}&digest=${digest}`, {method: 'PUT', body: bytes});
    expect(put.status).toBe(201);
    expect(registry.store.blob('a', digest)?.size).toBe(10);
    expect((await ask(`${registry.url}/v2/a/blobs/${digest}`)).status).toBe(500);
  });

  test('mount from where the blob is', async () => {
    await using registry = await EmbeddedRegistry.start();
    registry.store.putBlob(repository, bytes);
    const post = async (query: string) =>
      (await ask(`${registry.url}/v2/b/blobs/uploads/?mount=${digest}${query}`, {method: 'POST'}))
        .status;
    expect(await post('&from=nowhere')).toBe(202);
    expect(await post('')).toBe(202);
    expect(registry.store.blob('b', digest)).toBeUndefined();
    expect(await post(`&from=${repository}`)).toBe(201);
    expect(registry.store.bytes('b', digest)).toEqual(bytes);
    await using search = await EmbeddedRegistry.start({profile: 'spec', store: registry.store});
    const found = await ask(`${search.url}/v2/c/blobs/uploads/?mount=${digest}`, {method: 'POST'});
    expect(found.status).toBe(201);
  });
});

describe('manifests', () => {
  test('are put by tag and by digest and read back byte for byte', async () => {
    await using registry = await EmbeddedRegistry.start();
    const put = await withImage(registry);
    const body = image(bytes);
    expect([put.status, put.headers['docker-content-digest']]).toEqual([201, digestOf(body)]);
    for (const reference of ['v1', digestOf(body)]) {
      const url = `${registry.url}/v2/${repository}/manifests/${reference}`;
      const got = await ask(url, {headers: {Accept: manifestTypes.join(', ')}});
      expect(got.body).toEqual(body);
      expect(got.headers['content-type']).toBe(mediaTypes.ociManifest);
      expect((await ask(url)).status).toBe(404);
    }
    expect(registry.store.tagEvents.map(({holes}) => holes)).toEqual([[]]);
  });

  test('are refused while something is missing, and all of it is named', async () => {
    await using registry = await EmbeddedRegistry.start();
    const put = async () =>
      await ask(`${registry.url}/v2/${repository}/manifests/v1`, {
        method: 'PUT',
        headers: {'Content-Type': mediaTypes.ociManifest},
        body: image(bytes)
      });
    expect(json(await put())).toEqual({
      errors: [digestOf('{}'), digest].map(detail => ({
        code: 'MANIFEST_BLOB_UNKNOWN',
        message: 'blob unknown to registry',
        detail
      }))
    });
    await using careless = await EmbeddedRegistry.start({verifyReferences: false});
    const taken = await ask(`${careless.url}/v2/${repository}/manifests/v1`, {
      method: 'PUT',
      headers: {'Content-Type': mediaTypes.ociManifest},
      body: image(bytes)
    });
    expect(taken.status).toBe(201);
    expect(careless.store.tagEvents[0]?.holes).toEqual([
      {digest: digestOf('{}'), kind: 'blob', problem: 'absent'},
      {digest, kind: 'blob', problem: 'absent'}
    ]);
  });

  test.each([
    ['another digest', digestOf('x'), mediaTypes.ociManifest, image(), 'DIGEST_INVALID'],
    ['another type', 'v1', mediaTypes.ociIndex, image(), 'MANIFEST_INVALID'],
    ['no JSON', 'v1', mediaTypes.ociManifest, Buffer.from('{'), 'MANIFEST_INVALID'],
    ['too much', 'v1', mediaTypes.ociManifest, Buffer.alloc(4 * 2 ** 20 + 1), 'SIZE_INVALID']
  ])('are refused with %s', async (_, reference, type, body, code) => {
    await using registry = await EmbeddedRegistry.start();
    const reply = await ask(`${registry.url}/v2/a/manifests/${reference}`, {
      method: 'PUT',
      headers: {'Content-Type': type},
      body
    });
    expect(reply.status).toBe(code === 'SIZE_INVALID' ? 413 : 400);
    expect(codes(reply)).toEqual([code]);
    expect(registry.store.repositories()).toEqual([]);
  });

  test('of docker type are converted for those who do not know it', async () => {
    await using registry = await EmbeddedRegistry.start();
    const body = JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.dockerManifest,
      layers: []
    });
    registry.store.putManifest('a', Buffer.from(body), 'v1');
    const old = await ask(`${registry.url}/v2/a/manifests/v1`);
    expect(json(old)).toMatchObject({schemaVersion: 1});
    expect(old.headers['docker-content-digest']).not.toBe(digestOf(body));
  });

  test('come as a child of a list to those who do not know lists', async () => {
    await using registry = await EmbeddedRegistry.start();
    const child = {schemaVersion: 2, mediaType: mediaTypes.dockerManifest, layers: []};
    const {digest: first, size} = registry.store.putManifest(
      'a',
      Buffer.from(JSON.stringify(child))
    );
    const list = {
      schemaVersion: 2,
      mediaType: mediaTypes.dockerList,
      manifests: [{mediaType: mediaTypes.dockerManifest, digest: first, size}]
    };
    registry.store.putManifest('a', Buffer.from(JSON.stringify(list)), 'v1');
    const reply = await ask(`${registry.url}/v2/a/manifests/v1`, {
      headers: {Accept: `${mediaTypes.dockerManifest};q=0.5, text/html`}
    });
    expect(reply.headers['docker-content-digest']).toBe(first);
    const all = await ask(`${registry.url}/v2/a/manifests/v1`, {headers: {Accept: '*/*'}});
    expect(json(all)).toEqual(list);
  });

  test('and tags are deleted', async () => {
    await using registry = await EmbeddedRegistry.start();
    const {digest: root} = registry.store.putManifest('a', image(), 'v1');
    registry.store.setTag('a', 'v2', root);
    const remove = async (reference: string) =>
      (await ask(`${registry.url}/v2/a/manifests/${reference}`, {method: 'DELETE'})).status;
    expect(await remove('v1')).toBe(202);
    expect(registry.store.tags('a')).toEqual(['v2']);
    expect(await remove(root)).toBe(202);
    expect([registry.store.tags('a'), await remove(root)]).toEqual([[], 404]);
    const post = await ask(`${registry.url}/v2/a/manifests/v1`, {method: 'POST'});
    expect(post.status).toBe(405);
  });

  test('by digest can set tags as well', async () => {
    await using registry = await EmbeddedRegistry.start({verifyReferences: false});
    const body = image();
    const put = await ask(`${registry.url}/v2/a/manifests/${digestOf(body)}?tag=v1&tag=v2`, {
      method: 'PUT',
      headers: {'Content-Type': mediaTypes.ociManifest},
      body
    });
    expect([put.status, put.headers['oci-tag']]).toEqual([201, 'v1, v2']);
    expect(registry.store.tags('a')).toEqual(['v1', 'v2']);
  });

  test('of an index need their children', async () => {
    await using registry = await EmbeddedRegistry.start();
    const child = registry.store.putManifest('a', image());
    const absent = digestOf('absent');
    const put = async (digests: readonly string[]) => {
      const manifests = digests.map(each => ({...child, digest: each}));
      return await ask(`${registry.url}/v2/a/manifests/v1`, {
        method: 'PUT',
        headers: {'Content-Type': mediaTypes.ociIndex},
        body: JSON.stringify({schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests})
      });
    };
    expect(json(await put([child.digest, absent]))).toMatchObject({errors: [{detail: absent}]});
    expect((await put([child.digest])).status).toBe(201);
    // The child is there, but what the child names is not.
    expect(registry.store.tagEvents[0]?.holes).toMatchObject([{digest: digestOf('{}')}]);
  });

  test('refer to a subject', async () => {
    await using registry = await EmbeddedRegistry.start({profile: 'spec'});
    const {store, url} = registry;
    const root = store.putManifest('a', image(), 'v1');
    const signature = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      artifactType: 'application/x.signature',
      subject: {mediaType: root.mediaType, digest: root.digest, size: root.size},
      layers: []
    };
    const put = await ask(`${url}/v2/a/manifests/sig`, {
      method: 'PUT',
      headers: {'Content-Type': mediaTypes.ociManifest},
      body: JSON.stringify(signature)
    });
    expect(put.headers['oci-subject']).toBe(root.digest);
    const list = await ask(`${url}/v2/a/referrers/${root.digest}`);
    expect(list.headers['content-type']).toBe(mediaTypes.ociIndex);
    expect(json(list)).toMatchObject({
      manifests: [
        {digest: put.headers['docker-content-digest'], artifactType: 'application/x.signature'}
      ]
    });
    const none = await ask(`${url}/v2/a/referrers/${root.digest}?artifactType=x`);
    expect(json(none)).toMatchObject({manifests: []});
  });
});

test('tags and repositories come in pages', async () => {
  await using registry = await EmbeddedRegistry.start({pageSize: 2});
  const tags = ['v1', 'v10', 'v2', 'v3', 'v4'];
  for (const tag of tags) registry.store.putManifest('a', image(), tag);
  registry.store.putManifest('b', image(), 'v1');
  registry.store.putBlob('only-blobs', bytes);

  const seen: unknown[] = [];
  let url: string | undefined = `${registry.url}/v2/a/tags/list`;
  while (url !== undefined) {
    const page = await ask(url);
    seen.push((json(page) as {tags: string[]}).tags);
    const link = /^<(.*)>; rel="next"$/.exec(String(page.headers.link ?? ''))?.[1];
    url = link && new URL(link, url).href;
  }
  expect(seen).toEqual([['v1', 'v10'], ['v2', 'v3'], ['v4']]);
  expect(json(await ask(`${registry.url}/v2/_catalog?n=1000`))).toEqual({repositories: ['a', 'b']});
  expect(codes(await ask(`${registry.url}/v2/only-blobs/tags/list`))).toEqual(['NAME_UNKNOWN']);
  expect((await ask(`${registry.url}/v2/a/tags/list?n=x`)).status).toBe(400);
});

describe('sign-in', () => {
  const auth = {username: 'robot$a', password: 'pässword'};
  const basic = `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}`;

  test('by Basic', async () => {
    await using registry = await EmbeddedRegistry.start({auth: {kind: 'basic', ...auth}});
    const ping = `${registry.url}/v2/`;
    const refused = await ask(ping);
    expect([refused.status, refused.headers['www-authenticate']]).toEqual([
      401,
      'Basic realm="embedded registry"'
    ]);
    expect((await ask(ping, {headers: {Authorization: basic}})).status).toBe(200);
    expect((await ask(ping, {headers: {Authorization: 'Basic eDp5'}})).status).toBe(401);
    expect(registry.requests.map(({authorization}) => authorization)).toEqual([
      'none',
      'basic',
      'basic'
    ]);
  });

  test('by tokens that open what they were given for, while they live', async () => {
    let time = 0;
    await using registry = await EmbeddedRegistry.start({
      auth: {kind: 'bearer', ...auth, anonymousPull: true, tokenLifetime: 60},
      now: () => time
    });
    registry.store.putBlob(repository, bytes);
    const token = async (scope: string, credentials?: string) => {
      const reply = await ask(`${registry.url}/token?service=x&scope=${scope}`, {
        ...(credentials !== undefined && {headers: {Authorization: credentials}})
      });
      const {token: text = ''} = json(reply) as {token?: string};
      return {status: reply.status, headers: {Authorization: `Bearer ${text}`}};
    };
    const blob = `${registry.url}/v2/${repository}/blobs/${digest}`;
    const uploads = `${registry.url}/v2/${repository}/blobs/uploads/`;

    const challenge = (await ask(uploads, {method: 'POST'})).headers['www-authenticate'];
    expect(challenge).toBe(
      `Bearer realm="${registry.url}/token",service="${registry.name}",scope="repository:${repository}:pull,push"`
    );
    const reader = await token(`repository:${repository}:pull,push`);
    expect((await ask(blob, reader)).status).toBe(200);
    const push = await ask(uploads, {method: 'POST', ...reader});
    expect(push.status).toBe(401);
    expect(push.headers['www-authenticate']).toContain('insufficient_scope');

    const writer = await token(`repository:${repository}:pull,push`, basic);
    expect((await ask(uploads, {method: 'POST', ...writer})).status).toBe(202);
    const mount = await ask(`${uploads}?mount=${digest}&from=b`, {method: 'POST', ...writer});
    expect(mount.headers['www-authenticate']).toContain(
      `scope="repository:${repository}:pull,push repository:b:pull"`
    );
    expect((await token('', 'Basic eDp5')).status).toBe(401);
    time = 60_000;
    expect((await ask(blob, writer)).status).toBe(401);
  });

  test('by an identity token', async () => {
    await using registry = await EmbeddedRegistry.start({
      auth: {kind: 'bearer', ...auth, identityToken: 'refresh'}
    });
    const post = async (refresh: string) =>
      await ask(`${registry.url}/token`, {
        method: 'POST',
        body: `grant_type=refresh_token&service=x&scope=registry:catalog:*&refresh_token=${refresh}`
      });
    expect((await post('other')).status).toBe(401);
    const {access_token: token} = json(await post('refresh')) as {access_token: string};
    const catalog = `${registry.url}/v2/_catalog`;
    expect((await ask(catalog)).status).toBe(401);
    expect((await ask(catalog, {headers: {Authorization: `Bearer ${token}`}})).status).toBe(200);
  });
});

test('speaks TLS, also while it fails', async () => {
  await using registry = await EmbeddedRegistry.start({tls: {key, cert}});
  expect(registry.url).toBe(`https://${registry.name}`);
  expect((await ask(`${registry.url}/v2/`, {ca: cert})).status).toBe(200);
  registry.rule({on: {}, do: {effect: 'drop'}});
  expect((await ask(`${registry.url}/v2/`, {ca: cert})).error).toBe('ECONNRESET');
  registry.store.putBlob(repository, bytes);
  registry.rule({on: {}, do: {effect: 'cut-download', after: 4}});
  const cut = await ask(`${registry.url}/v2/${repository}/blobs/${digest}`, {ca: cert});
  expect([cut.body.toString(), cut.error]).toEqual(['0123', 'ECONNRESET']);
  registry.rule({on: {}, do: {effect: 'location', mode: 'http'}});
  const uploads = `${registry.url}/v2/${repository}/blobs/uploads/`;
  const {headers} = await ask(uploads, {method: 'POST', ca: cert});
  expect(headers.location).toMatch(new RegExp(`^http://${registry.name}/`));
});

test('names that break the rules are refused, and unknown paths are not found', async () => {
  await using registry = await EmbeddedRegistry.start();
  expect(codes(await ask(`${registry.url}/v2/Team/tags/list`))).toEqual(['NAME_INVALID']);
  expect(codes(await ask(`${registry.url}/v2/a/manifests/-x`))).toEqual(['TAG_INVALID']);
  expect((await ask(`${registry.url}/v1/`)).status).toBe(404);
});
