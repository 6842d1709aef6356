import {describe, expect, test} from '@jest/globals';

import {type Profile, profiles} from '../../src/demo/profiles.ts';
import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import {digestOf} from '../../src/oci/digest.ts';
import {mediaTypes} from '../../src/oci/media-type.ts';
import {ask, codes, json, next, openUpload} from './ask.ts';

const bytes = Buffer.from('0123456789');
const digest = digestOf(bytes);
const repository = 'team/app';
const image = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: {mediaType: 'application/json', digest: digestOf('{}'), size: 2},
    layers: [{mediaType: 'application/octet-stream', digest, size: bytes.length}]
  })
);

describe('profiles', () => {
  test.each(Object.keys(profiles) as Profile[])(
    '%s takes an image by POST, PATCH and PUT and gives it back',
    async profile => {
      await using registry = await EmbeddedRegistry.start({profile});
      const {store, url} = registry;
      store.createRepository(repository);
      for (const blob of [Buffer.from('{}'), bytes]) {
        const place = await openUpload(url, repository);
        const patch = await ask(place, {method: 'PATCH', body: blob});
        expect(patch.status).toBe(profiles[profile].patchStatus);
        const put = `${next(patch, place)}&digest=${digestOf(blob)}`;
        expect((await ask(put, {method: 'PUT', body: ''})).status).toBe(201);
      }
      const put = await ask(`${url}/v2/${repository}/manifests/v1`, {
        method: 'PUT',
        headers: {'Content-Type': mediaTypes.ociManifest},
        body: image
      });
      expect(put.status).toBe(201);
      const read = await ask(`${url}/v2/${repository}/blobs/${digest}`);
      const followed = read.status === 307 ? await ask(read.headers.location ?? '') : read;
      expect(followed.body).toEqual(bytes);
    }
  );

  const start = async (profile: Profile) => {
    const registry = await EmbeddedRegistry.start({profile});
    registry.store.createRepository(repository);
    return registry;
  };
  const chunk = async (url: string, size: number, headers = {}) =>
    await ask(await openUpload(url, repository), {
      method: 'PATCH',
      headers,
      body: Buffer.alloc(size)
    });

  test('acr refuses a large PUT and a chunk without length', async () => {
    await using registry = await start('acr');
    const place = await openUpload(registry.url, repository);
    const body = Buffer.alloc(20 * 2 ** 20 + 1);
    expect((await ask(`${place}&digest=${digestOf(body)}`, {method: 'PUT', body})).status).toBe(
      413
    );
    const reply = await ask(await openUpload(registry.url, repository), {
      method: 'PATCH',
      headers: {'Content-Range': '0-9'},
      body: bytes,
      chunked: true
    });
    expect([reply.status, codes(reply)]).toEqual([400, ['CONTENT_LENGTH_INVALID']]);
  });

  test('ghcr refuses large chunks, but not large bodies', async () => {
    await using registry = await start('ghcr');
    const size = 4 * 2 ** 20 + 1;
    expect((await chunk(registry.url, size, {'Content-Range': `0-${size - 1}`})).status).toBe(416);
    expect((await chunk(registry.url, size)).status).toBe(202);
  });

  test('nginx refuses large bodies with a page', async () => {
    await using registry = await start('nginx');
    registry.clearRules();
    const reply = await chunk(registry.url, 2 ** 20 + 1);
    expect([reply.status, reply.headers['content-type']]).toEqual([
      413,
      'text/html; charset=utf-8'
    ]);
  });

  test('ecr knows no repository that was not created, and reports the first chunk for ever', async () => {
    await using registry = await start('ecr');
    const post = await ask(`${registry.url}/v2/other/blobs/uploads/`, {method: 'POST'});
    expect([post.status, codes(post)]).toEqual([404, ['NAME_UNKNOWN']]);
    const one = await chunk(registry.url, 4);
    const two = await ask(next(one, registry.url), {method: 'PATCH', body: 'more'});
    expect([two.status, two.headers.range]).toEqual([201, '0-3']);
  });

  test('artifactory hides what is absent, zot refuses docker types, quay open layers', async () => {
    await using artifactory = await start('artifactory');
    expect((await ask(`${artifactory.url}/v2/${repository}/manifests/v1`)).status).toBe(403);
    await using zot = await start('zot');
    const put = async (url: string, mediaType: string, layer: string) =>
      await ask(`${url}/v2/${repository}/manifests/v1`, {
        method: 'PUT',
        headers: {'Content-Type': mediaType},
        body: JSON.stringify({schemaVersion: 2, mediaType, layers: [{mediaType: layer}]})
      });
    expect((await put(zot.url, mediaTypes.dockerManifest, 'x')).status).toBe(415);
    await using quay = await start('quay');
    const tar = 'application/vnd.docker.image.rootfs.diff.tar';
    expect(codes(await put(quay.url, mediaTypes.dockerManifest, tar))).toEqual([
      'MANIFEST_INVALID'
    ]);
  });

  test('gitlab and quay give the first token for a new repository without push', async () => {
    await using registry = await EmbeddedRegistry.start({
      profile: 'gitlab',
      auth: {kind: 'bearer', username: 'u', password: 'p'}
    });
    const push = async () => {
      const scope = 'repository:fresh:pull,push';
      const headers = {Authorization: `Basic ${Buffer.from('u:p').toString('base64')}`};
      const reply = await ask(`${registry.url}/token?scope=${scope}`, {headers});
      const {token} = json(reply) as {token: string};
      const bearer = {Authorization: `Bearer ${token}`};
      const place = `${registry.url}/v2/fresh/blobs/uploads/`;
      return (await ask(place, {method: 'POST', headers: bearer})).status;
    };
    expect([await push(), await push()]).toEqual([401, 202]);
  });

  test('acr, ecr, ghcr and dockerhub send the reader of a blob elsewhere', async () => {
    for (const profile of ['acr', 'ecr', 'ghcr', 'dockerhub'] as const) {
      await using registry = await start(profile);
      registry.store.putBlob(repository, bytes);
      const url = `${registry.url}/v2/${repository}/blobs/${digest}`;
      expect((await ask(url, {method: 'HEAD'})).status).toBe(200);
      const {status, headers} = await ask(url);
      expect([status, new URL(headers.location ?? '').origin]).toEqual([
        307,
        registry.blobHost?.url
      ]);
      expect((await ask(headers.location ?? '')).body).toEqual(bytes);
    }
  });

  test.each([
    ['spec', 'nowhere', 202],
    ['harbor', 'nowhere', 401],
    ['dockerhub', 'nowhere', 401],
    ['quay', undefined, 400],
    ['artifactory', 'team/other', 202],
    ['ecr', 'team/other', 202],
    ['distribution', 'team/other', 201]
  ] as const)('%s answers a mount from %s with %d', async (profile, from, status) => {
    await using registry = await start(profile);
    // There, but named by no manifest.
    registry.store.putBlob('team/other', bytes);
    const query = `mount=${profile === 'spec' ? digestOf('x') : digest}`;
    const url = `${registry.url}/v2/${repository}/blobs/uploads/?${query}`;
    const reply = await ask(from === undefined ? url : `${url}&from=${from}`, {method: 'POST'});
    expect(reply.status).toBe(status);
  });

  test('artifactory and ecr mount what a manifest names', async () => {
    await using registry = await start('artifactory');
    registry.store.putBlob('team/other', bytes);
    registry.store.putManifest('team/other', image, 'v1');
    const url = `${registry.url}/v2/${repository}/blobs/uploads/?mount=${digest}&from=team/other`;
    expect((await ask(url, {method: 'POST'})).status).toBe(201);
  });

  test('a trait can be changed alone', async () => {
    await using registry = await EmbeddedRegistry.start({
      character: {mount: 'never', immutableTags: 'refused', chunkMinimum: 1024, accept: 'strict'}
    });
    registry.store.putManifest('a', {mediaType: mediaTypes.dockerManifest, body: '{}'}, 'v1');
    registry.store.putBlob('a', bytes);
    const mount = `${registry.url}/v2/b/blobs/uploads/?mount=${digest}&from=a`;
    expect((await ask(mount, {method: 'POST'})).headers['oci-chunk-min-length']).toBe('1024');
    const manifest = `${registry.url}/v2/a/manifests/v1`;
    expect((await ask(manifest)).status).toBe(404);
    const headers = {'Content-Type': mediaTypes.dockerManifest};
    const put = await ask(manifest, {method: 'PUT', headers, body: '{}'});
    expect(codes(put)).toEqual(['TAG_INVALID']);
  });

  test.each([
    ['distribution', 404],
    ['quay', 400],
    ['artifactory', 406],
    ['spec', 200]
  ] as const)('%s answers for referrers with %d', async (profile, status) => {
    await using registry = await start(profile);
    expect((await ask(`${registry.url}/v2/${repository}/referrers/${digest}`)).status).toBe(status);
  });

  test('some have no catalog, delete nothing, or refuse HEAD or large pages', async () => {
    await using ghcr = await start('ghcr');
    ghcr.store.putBlob(repository, bytes);
    ghcr.store.putManifest(repository, image, 'v1');
    expect((await ask(`${ghcr.url}/v2/_catalog`)).status).toBe(404);
    for (const path of [`blobs/${digest}`, 'manifests/v1']) {
      const reply = await ask(`${ghcr.url}/v2/${repository}/${path}`, {method: 'DELETE'});
      expect(reply.status).toBe(405);
    }
    const headers = {Accept: mediaTypes.ociManifest};
    await using nexus = await EmbeddedRegistry.start({profile: 'nexus', store: ghcr.store});
    const url = `${nexus.url}/v2/${repository}/manifests/v1`;
    expect((await ask(url, {method: 'HEAD', headers})).status).toBe(404);
    expect((await ask(url, {headers})).status).toBe(200);
    await using ecr = await EmbeddedRegistry.start({profile: 'ecr', store: ghcr.store});
    expect((await ask(`${ecr.url}/v2/${repository}/tags/list?n=1001`)).status).toBe(400);
    expect((await ask(await openUpload(ecr.url, repository))).status).toBe(404);
  });

  test('gitlab takes a subject tag for the subject, dockerhub hides what does not exist', async () => {
    await using gitlab = await start('gitlab');
    const root = gitlab.store.putManifest(repository, image, 'v1');
    const tag = root.digest.replace(':', '-');
    const url = `${gitlab.url}/v2/${repository}/manifests/${tag}`;
    const {headers} = await ask(url, {headers: {Accept: mediaTypes.ociManifest}});
    expect(headers['docker-content-digest']).toBe(root.digest);
    await using hub = await start('dockerhub');
    expect((await ask(`${hub.url}/v2/library/none/manifests/v1`)).status).toBe(401);
  });

  test('gar takes one piece, harbor wants a project', async () => {
    await using gar = await start('gar');
    const one = await chunk(gar.url, 4);
    expect(one.headers.location).toContain('/artifacts-uploads/');
    expect((await ask(next(one, gar.url), {method: 'PATCH', body: 'more'})).status).toBe(405);
    await using harbor = await start('harbor');
    const post = async (name: string) =>
      (await ask(`${harbor.url}/v2/${name}/blobs/uploads/`, {method: 'POST'})).status;
    expect([await post('team/new'), await post('nobody/new')]).toEqual([202, 404]);
  });

  test('ghcr forbids a push without credentials, acr gives no tokens by POST', async () => {
    const auth = {kind: 'bearer', username: 'u', password: 'p', anonymousPull: true} as const;
    await using ghcr = await EmbeddedRegistry.start({profile: 'ghcr', auth});
    const scope = `repository:${repository}:pull,push`;
    const {token} = json(await ask(`${ghcr.url}/token?scope=${scope}`)) as {token: string};
    const push = await ask(`${ghcr.url}/v2/${repository}/blobs/uploads/`, {
      method: 'POST',
      headers: {Authorization: `Bearer ${token}`}
    });
    expect(push.status).toBe(403);
    await using acr = await EmbeddedRegistry.start({profile: 'acr', auth});
    const form = 'grant_type=password&username=u&password=p';
    expect((await ask(`${acr.url}/token`, {method: 'POST', body: form})).status).toBe(400);
  });
});
