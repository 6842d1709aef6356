import {describe, expect, it} from '@jest/globals';

import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import {seedRelease} from '../../src/demo/sample.ts';
import type {Store} from '../../src/demo/store.ts';
import type {Descriptor} from '../../src/oci/descriptor.ts';
import {type Digest, digestOf} from '../../src/oci/digest.ts';
import {mediaTypes} from '../../src/oci/media-type.ts';
import {referrersTag} from '../../src/registry/referrers.ts';
import {type MirrorRun, mirrorRun} from '../support/mirror-run.ts';
import {imageOf, indexOf, putImage, smallNames, smallTag} from '../support/small-release.ts';

const repository = 'arcdata/arc-controller';
const there = `mirror/${repository}`;

/** An artifact that refers to a manifest, as a signature does. */
function attach(store: Store, subject: Descriptor, text: string, tagged: boolean): Descriptor {
  const config = store.putBlob(repository, Buffer.from('{}'));
  const layer = store.putBlob(repository, Buffer.from(text));
  const body = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType: 'application/vnd.example.signature',
    config: {...config, mediaType: 'application/vnd.oci.empty.v1+json'},
    layers: [{...layer, mediaType: 'text/plain'}],
    subject
  });
  const descriptor = store.putManifest(repository, {mediaType: mediaTypes.ociManifest, body});
  if (tagged) list(store, subject, [descriptor]);
  return descriptor;
}

/** Lists what refers to a manifest, as clients do. */
function list(store: Store, subject: Descriptor, manifests: readonly Descriptor[]): void {
  const body = JSON.stringify({schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests});
  store.putManifest(
    repository,
    {mediaType: mediaTypes.ociIndex, body},
    referrersTag(subject.digest)
  );
}

function seeded(source: EmbeddedRegistry): Descriptor {
  seedRelease(source.store, 'arcdata', {tag: smallTag, names: smallNames});
  const stored = source.store.manifest(repository, smallTag);
  if (stored === undefined) throw new Error('not seeded');
  return {mediaType: stored.mediaType, digest: stored.digest, size: stored.body.length};
}

/** The image is one of two platforms. */
const index = indexOf(mediaTypes.ociIndex, [
  imageOf('amd64', 'oci', []),
  imageOf('arm64', 'oci', [])
]);

const descriptorOf = ({mediaType, digest, body}: typeof index): Descriptor => ({
  ...{mediaType, digest, size: body.length}
});

/** What a run said. */
const told = ({reporter}: MirrorRun) => reporter.lines.map(({text}) => text).join('\n');

/** The digests that a list kept by clients has. */
function listedIn(store: Store, {digest}: Descriptor): readonly Digest[] {
  const body = store.manifest(there, referrersTag(digest))?.body.toString() ?? '{"manifests":[]}';
  return (JSON.parse(body) as {manifests: {digest: Digest}[]}).manifests.map(one => one.digest);
}

describe.each([
  {from: 'spec', to: 'spec'},
  {from: 'distribution', to: 'spec'},
  {from: 'spec', to: 'distribution'},
  {from: 'distribution', to: 'distribution'}
] as const)('spec-subject referrers from $from to $to', ({from, to}) => {
  it('travel with their image, where they are asked for', async () => {
    await using source = await EmbeddedRegistry.start({profile: from});
    await using target = await EmbeddedRegistry.start({profile: to});
    const subject = seeded(source);
    const signature = attach(source.store, subject, 'signed', from === 'distribution');

    const without = await mirrorRun({source, target});
    expect(without.record.failure).toBeUndefined();
    expect(target.store.manifest(there, signature.digest)).toBeUndefined();

    const {record} = await mirrorRun({source, target, inputs: {referrers: 'true'}});
    expect(record.failure).toBeUndefined();
    expect(target.store.manifest(there, signature.digest)?.body).toEqual(
      source.store.manifest(repository, signature.digest)?.body
    );
    expect(target.store.holes(there, signature.digest)).toEqual([]);
    expect(listedIn(target.store, subject)).toEqual(
      to === 'distribution' ? [signature.digest] : []
    );

    const again = await mirrorRun({source, target, inputs: {referrers: 'true'}});
    expect(again.record.releases[0]?.images.every(({status}) => status === 'present')).toBe(true);
  });
});

describe('a signature', () => {
  it('of one platform, and one of a signature, travel with the image', async () => {
    await using source = await EmbeddedRegistry.start({profile: 'spec'});
    await using target = await EmbeddedRegistry.start({profile: 'spec'});
    seeded(source);
    putImage(source.store, repository, index, smallTag);
    const [, child = index] = index.children;
    const ofPlatform = attach(source.store, descriptorOf(child), 'signed', false);
    const ofSignature = attach(source.store, ofPlatform, 'signed again', false);
    const {record} = await mirrorRun({source, target, inputs: {referrers: 'true'}});
    expect(record.failure).toBeUndefined();
    for (const {digest} of [ofPlatform, ofSignature])
      expect(target.store.holes(there, digest)).toEqual([]);
  });

  it('that cannot be read at the source is not left out: the run fails', async () => {
    await using source = await EmbeddedRegistry.start({profile: 'spec'});
    await using target = await EmbeddedRegistry.start({profile: 'spec'});
    const {digest} = attach(source.store, seeded(source), 'signed', false);
    source.rule({
      on: {kind: 'manifest', method: 'GET', digest},
      times: 'always',
      do: {effect: 'flip', at: 9}
    });
    const {record} = await mirrorRun({source, target, inputs: {referrers: 'true'}});
    expect(record.failure?.message).toContain(digest);
    expect(target.store.tagEvents).toEqual([]);
  });
});

describe('a signature that the target', () => {
  const referrers = {inputs: {referrers: 'true'}};

  it('has, but not on its list, is listed by the next run', async () => {
    await using source = await EmbeddedRegistry.start({profile: 'spec'});
    await using target = await EmbeddedRegistry.start({profile: 'distribution'});
    const subject = seeded(source);
    expect((await mirrorRun({source, target})).record.failure).toBeUndefined();
    const signature = attach(source.store, subject, 'signed', false);
    const tag = referrersTag(subject.digest);
    target.rule({
      on: {kind: 'manifest', method: 'PUT', tag},
      times: 'always',
      do: {effect: 'answer', status: 403}
    });
    const broken = await mirrorRun({source, target, ...referrers});
    expect(broken.record.failure).toBeDefined();
    expect(target.store.manifest(there, signature.digest)).toBeDefined();
    target.clearRules();
    const again = await mirrorRun({source, target, ...referrers});
    expect(again.record.failure).toBeUndefined();
    expect(target.store.manifest(there, tag)?.body.toString()).toContain(signature.digest);
  });

  it('gets with another one is listed beside it', async () => {
    await using source = await EmbeddedRegistry.start({profile: 'spec'});
    await using target = await EmbeddedRegistry.start({profile: 'distribution'});
    const subject = seeded(source);
    const both = ['signed', 'signed again'].map(text => attach(source.store, subject, text, false));
    expect((await mirrorRun({source, target, ...referrers})).record.failure).toBeUndefined();
    const listed = listedIn(target.store, subject);
    expect([...listed].sort()).toEqual(both.map(({digest}) => digest).sort());
  });

  it('lists already is not listed twice', async () => {
    await using source = await EmbeddedRegistry.start({profile: 'spec'});
    await using target = await EmbeddedRegistry.start({profile: 'distribution'});
    const subject = seeded(source);
    const signature = attach(source.store, subject, 'signed', false);
    expect((await mirrorRun({source, target, ...referrers})).record.failure).toBeUndefined();
    // Without its tag, all of the image is put anew.
    target.store.deleteTag(there, smallTag);
    expect((await mirrorRun({source, target, ...referrers})).record.failure).toBeUndefined();
    expect(listedIn(target.store, subject)).toEqual([signature.digest]);
  });

  it('lists under a tag that stood for the image itself is not listed among its platforms', async () => {
    await using source = await EmbeddedRegistry.start({profile: 'spec'});
    await using target = await EmbeddedRegistry.start({profile: 'distribution'});
    seeded(source);
    putImage(source.store, repository, index, smallTag);
    const subject = descriptorOf(index);
    const signature = attach(source.store, subject, 'signed', false);
    putImage(target.store, there, index, referrersTag(subject.digest));
    const {record} = await mirrorRun({source, target, ...referrers});
    expect(record.failure).toBeUndefined();
    expect(listedIn(target.store, subject)).toEqual([signature.digest]);
  });

  it('keeps secret counts as there, and its list is asked for once', async () => {
    await using source = await EmbeddedRegistry.start({profile: 'spec'});
    await using target = await EmbeddedRegistry.start({profile: 'spec'});
    const subject = seeded(source);
    for (const text of ['signed', 'signed again']) attach(source.store, subject, text, false);
    expect((await mirrorRun({source, target, ...referrers})).record.failure).toBeUndefined();
    target.rule({on: {kind: 'referrers'}, times: 'always', do: {effect: 'answer', status: 403}});
    const before = target.requests.length;
    const {record} = await mirrorRun({source, target, ...referrers});
    expect(record.failure).toBeUndefined();
    expect(record.releases[0]?.images.every(({status}) => status === 'present')).toBe(true);
    const later = target.requests.slice(before);
    expect(later.filter(({kind}) => kind === 'referrers')).toHaveLength(1);
    expect(later.filter(({method}) => method === 'PUT')).toEqual([]);
  });

  it('took and lost fails its image', async () => {
    await using source = await EmbeddedRegistry.start({profile: 'spec'});
    await using target = await EmbeddedRegistry.start({profile: 'spec'});
    const signature = attach(source.store, seeded(source), 'signed', false);
    target.rule({
      on: {kind: 'manifest', method: 'PUT', digest: signature.digest},
      times: 'always',
      do: {effect: 'vanish'}
    });
    const {record} = await mirrorRun({source, target, ...referrers});
    const image = record.releases[0]?.images.find(({name}) => name === 'arc-controller');
    expect(image?.error?.message).toContain(`does not have ${signature.digest}, though it took it`);
  });
});

describe('T29 end-12 a list of referrers', () => {
  it('that comes in pages is read to its end', async () => {
    await using source = await EmbeddedRegistry.start({profile: 'spec'});
    await using target = await EmbeddedRegistry.start({profile: 'spec'});
    const subject = seeded(source);
    const both = ['signed', 'signed again'].map(text => attach(source.store, subject, text, false));
    const path = `/v2/${repository}/referrers/${subject.digest}`;
    const on = {kind: 'referrers', digest: subject.digest} as const;
    both.forEach((one, i) => {
      const body = {schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [one]};
      source.rule({
        on,
        do: {
          effect: 'answer',
          status: 200,
          headers: {
            'Content-Type': mediaTypes.ociIndex,
            ...(i === 0 && {Link: `<${path}?last=1>; rel="next"`})
          },
          body: {json: body}
        }
      });
    });
    const {record} = await mirrorRun({source, target, inputs: {referrers: 'true'}});
    expect(record.failure).toBeUndefined();
    for (const {digest} of both) expect(target.store.manifest(there, digest)).toBeDefined();
  });

  /** The pages of a list, each with the path of the next one. */
  function page(source: EmbeddedRegistry, {digest}: Descriptor, i: number, text: string): void {
    const link = `</v2/${repository}/referrers/${digest}?page=${i}>; rel="next"`;
    source.rule({
      on: {kind: 'referrers', digest},
      do: {
        effect: 'answer',
        status: 200,
        headers: {'Content-Type': mediaTypes.ociIndex, Link: link},
        body: {json: {schemaVersion: 2, manifests: [], annotations: {text}}}
      }
    });
  }

  it('that breaks off is no list: a signature may be in the rest', async () => {
    await using source = await EmbeddedRegistry.start({profile: 'spec'});
    await using target = await EmbeddedRegistry.start({profile: 'spec'});
    const subject = seeded(source);
    page(source, subject, 1, '');
    source.rule({
      on: {kind: 'referrers', digest: subject.digest},
      do: {effect: 'answer', status: 404}
    });
    const {record} = await mirrorRun({source, target, inputs: {referrers: 'true'}});
    expect(record.failure?.message).toContain('its list of referrers breaks off');
    expect(target.store.tagEvents).toEqual([]);
  });

  it('that goes on and on is read up to its limit, all pages together', async () => {
    await using source = await EmbeddedRegistry.start({profile: 'spec'});
    await using target = await EmbeddedRegistry.start({profile: 'spec'});
    const subject = seeded(source);
    for (let i = 1; i <= 6; i++) page(source, subject, i, 'x'.repeat(1_500_000));
    const run = await mirrorRun({source, target, inputs: {referrers: 'true'}});
    expect(run.record.failure).toBeUndefined();
    expect(told(run)).toMatch(/does not tell what refers to its images: .* is larger than/);
    const asked = source.requests.filter(
      ({kind, path}) => kind === 'referrers' && path.endsWith(subject.digest)
    );
    expect(asked).toHaveLength(3);
  });

  it('that is none fails nothing, and is told', async () => {
    await using source = await EmbeddedRegistry.start({profile: 'spec'});
    await using target = await EmbeddedRegistry.start({profile: 'spec'});
    seeded(source);
    source.rule({
      on: {kind: 'referrers'},
      times: 'always',
      do: {
        effect: 'answer',
        status: 200,
        headers: {'Content-Type': mediaTypes.ociIndex},
        body: 'no list'
      }
    });
    const run = await mirrorRun({source, target, inputs: {referrers: 'true'}});
    expect(run.record.failure).toBeUndefined();
    expect(told(run)).toContain('does not tell what refers to its images');
  });

  it.each([400, 403, 404, 405, 406, 200])(
    'that is answered with %d and a page holds nothing up',
    async status => {
      await using source = await EmbeddedRegistry.start({profile: 'spec'});
      await using target = await EmbeddedRegistry.start();
      seeded(source);
      source.rule({
        on: {kind: 'referrers'},
        times: 'always',
        do: {effect: 'answer', status, body: {html: '<html>sign in</html>'}}
      });
      const {record} = await mirrorRun({source, target, inputs: {referrers: 'true'}});
      expect(record.failure).toBeUndefined();
      expect(record.releases[0]?.published).toBe(true);
    }
  );

  it('is not believed about what does not refer to the image itself', async () => {
    await using source = await EmbeddedRegistry.start({profile: 'distribution'});
    await using target = await EmbeddedRegistry.start();
    const subject = seeded(source);
    const other = {...subject, digest: digestOf('another image')};
    const stranger = attach(source.store, other, 'about another image', false);
    const index = {schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [stranger]};
    const body = JSON.stringify(index);
    source.store.putManifest(
      repository,
      {mediaType: mediaTypes.ociIndex, body},
      referrersTag(subject.digest)
    );
    const {record} = await mirrorRun({source, target, inputs: {referrers: 'true'}});
    expect(record.failure).toBeUndefined();
    expect(target.store.manifest(there, stranger.digest)).toBeUndefined();
  });
});

describe('a list of referrers that clients keep', () => {
  /** Sets the list of a subject, as some client wrote it. */
  function list(store: Store, where: string, {digest}: Descriptor, manifests: readonly object[]) {
    const index = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests,
      annotations: {own: 'x'}
    };
    const body = JSON.stringify(index);
    store.putManifest(where, {mediaType: mediaTypes.ociIndex, body}, referrersTag(digest));
  }

  it('says the type by which others look, and keeps what they wrote', async () => {
    await using source = await EmbeddedRegistry.start({profile: 'distribution'});
    await using target = await EmbeddedRegistry.start({profile: 'distribution'});
    const subject = seeded(source);
    const signature = attach(source.store, subject, 'signed', true);
    const other = {
      ...target.store.putManifest(there, {
        mediaType: mediaTypes.ociManifest,
        body:
          source.store.manifest(repository, signature.digest)?.body.toString().replace('{', '{ ') ??
          ''
      }),
      artifactType: 'application/vnd.example.other',
      annotations: {who: 'another'}
    };
    list(target.store, there, subject, [other]);
    const {record} = await mirrorRun({source, target, inputs: {referrers: 'true'}});
    expect(record.failure).toBeUndefined();
    const kept = target.store.manifest(there, referrersTag(subject.digest))?.body.toString() ?? '';
    expect(JSON.parse(kept)).toEqual({
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [other, {...signature, artifactType: 'application/vnd.example.signature'}],
      annotations: {own: 'x'}
    });
  });

  it('may name what was deleted since: that is left out, and said', async () => {
    await using source = await EmbeddedRegistry.start({profile: 'distribution'});
    await using target = await EmbeddedRegistry.start({profile: 'distribution'});
    const subject = seeded(source);
    const digest = digestOf('gone');
    list(source.store, repository, subject, [
      {mediaType: mediaTypes.ociManifest, digest, size: 500, artifactType: 'x/y'}
    ]);
    const run = await mirrorRun({source, target, inputs: {referrers: 'true'}});
    expect(run.record.failure).toBeUndefined();
    expect(told(run)).toContain(
      `lists ${digest} for ${subject.digest} and does not have it; it is left out`
    );
  });
});

describe('the chart', () => {
  it('comes under its own version, where it is asked for', async () => {
    await using source = await EmbeddedRegistry.start();
    await using target = await EmbeddedRegistry.start();
    seeded(source);
    const chart = 'arcdata/arcdataservices-extension';
    const config = source.store.putBlob(chart, Buffer.from('{"name":"arcdataservices-extension"}'));
    const layer = source.store.putBlob(chart, Buffer.from('a chart'));
    const version = smallTag.slice(1).split('_')[0] ?? '';
    const {digest} = source.store.putManifest(
      chart,
      {
        mediaType: mediaTypes.ociManifest,
        body: JSON.stringify({
          schemaVersion: 2,
          mediaType: mediaTypes.ociManifest,
          config: {...config, mediaType: 'application/vnd.cncf.helm.config.v1+json'},
          layers: [{...layer, mediaType: 'application/vnd.cncf.helm.chart.content.v1.tar+gzip'}]
        })
      },
      version
    );
    const {record} = await mirrorRun({source, target, inputs: {chart: 'true'}});
    expect(record.failure).toBeUndefined();
    expect(target.store.tag(`mirror/${chart}`, version)).toBe(digest);
  });
});

describe('an index that names what refers to a sibling', () => {
  const amd = imageOf('amd64', 'oci', []);
  const subject = descriptorOf(amd);
  const [one, other] = ['one', 'other'].map(text =>
    imageOf(text, 'oci', [], {artifactType: 'application/vnd.example.attestation', subject})
  );
  const whole = indexOf(
    mediaTypes.ociIndex,
    [amd, one, other].flatMap(node => node ?? [])
  );

  it.each([
    ['keeps a list, and looks at nothing', 'spec', {verifyReferences: false}, 'true'],
    ['keeps a list', 'spec', {}, 'true'],
    ['keeps none', 'distribution', {}, 'true'],
    ['keeps none, and none are asked for', 'distribution', {}, 'false']
  ] as const)('is put child by child where the target %s', async (_, to, character, referrers) => {
    await using source = await EmbeddedRegistry.start({profile: 'spec'});
    await using target = await EmbeddedRegistry.start({profile: to, character});
    seedRelease(source.store, 'arcdata', {tag: smallTag, names: smallNames});
    putImage(source.store, repository, whole, smallTag);
    const {record} = await mirrorRun({source, target, inputs: {referrers}});
    expect(record.failure).toBeUndefined();
    const puts = target.requests.filter(
      ({kind, method, path}) => kind === 'manifest' && method === 'PUT' && path.includes(there)
    );
    // With one, the registry is put to the proof before anything is there.
    const refused = puts.filter(({status}) => status !== 201);
    expect(refused.length).toBeLessThanOrEqual(1);
    const [controller] = record.releases.flatMap(({images}) =>
      images.filter(({name}) => name === 'arc-controller')
    );
    expect(controller?.bytes.copied).toBe(controller?.size);
    // Where the target keeps no list, clients do.
    const clients = to === 'distribution' ? [one?.digest, other?.digest].sort() : [];
    expect([...listedIn(target.store, subject)].sort()).toEqual(clients);
    const again = await mirrorRun({source, target, inputs: {referrers}});
    expect(again.record.releases.flatMap(({images}) => images.map(({status}) => status))).toEqual(
      smallNames.map(() => 'present')
    );
  });
});

it('leaves out of a list what is of a type that nobody carries, and says so', async () => {
  await using source = await EmbeddedRegistry.start({profile: 'distribution'});
  await using target = await EmbeddedRegistry.start({profile: 'distribution'});
  const subject = seeded(source);
  const signature = attach(source.store, subject, 'a signature', false);
  const old = {
    mediaType: 'application/vnd.oci.artifact.manifest.v1+json',
    digest: digestOf(Buffer.from('of long ago')),
    size: 11
  };
  list(source.store, subject, [old, signature]);
  const run = await mirrorRun({source, target, inputs: {referrers: 'true'}});
  expect(run.record.failure).toBeUndefined();
  expect(listedIn(target.store, subject)).toEqual([signature.digest]);
  expect(told(run)).toContain('of a type that is not carried (application/vnd.oci.artifact');
});
