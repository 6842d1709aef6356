import {expect, test} from '@jest/globals';

import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import {digestOf} from '../../src/oci/digest.ts';
import {quirksOf} from '../../src/registry/quirks.ts';
import {mirrorRun} from '../support/mirror-run.ts';
import {earlierTag, imageOf, putImage, smallTag} from '../support/small-release.ts';

function layer(text: string) {
  const bytes = Buffer.from(`layer ${text}\n`.repeat(50));
  return {bytes, digest: digestOf(bytes)};
}

/** By image, its layers in the first release and in the second. */
type Layers = Readonly<Record<string, readonly [readonly string[], readonly string[]]>>;

const swapped: Layers = {
  'arc-controller': [['y'], ['z', 'controller']],
  'arc-sqlmi': [['z'], ['y', 'sqlmi']]
};
const movedUp: Layers = {
  'arc-bootstrapper': [['base 1'], ['base 2', 'certificates']],
  'arc-controller': [
    ['base 1', 'certificates'],
    ['base 2', 'certificates', 'controller 2']
  ]
};

// The home of a layer is an earlier image of its release; in the next release the same two may stand the
// other way around.
test.each<[string, Layers, 'committed' | 'never', boolean]>([
  ['mounts what is committed, as is known', swapped, 'committed', true],
  ['mounts what is committed, as is not known', swapped, 'committed', false],
  ['mounts nothing', swapped, 'never', false],
  ['mounts what is committed, as is known, and a base is new', movedUp, 'committed', true]
])(
  'images of two releases that take layers over from each other: the target %s',
  async (_, images, mount, known) => {
    await using source = await EmbeddedRegistry.start();
    await using target = await EmbeddedRegistry.start({character: {mount}});
    for (const [name, releases] of Object.entries(images)) {
      releases.forEach((layers, i) => {
        const tag = [earlierTag, smallTag][i];
        const image = imageOf(`${name} ${i}`, 'oci', layers.map(layer));
        putImage(source.store, `arcdata/${name}`, image, tag);
      });
    }
    const {record} = await mirrorRun({
      source,
      target,
      network: {quirks: name => ({...quirksOf(name), mountsCommittedOnly: known})},
      inputs: {
        'source-tag': `${earlierTag}\n${smallTag}`,
        images: Object.keys(images).join('\n')
      }
    });
    expect(record.failure).toBeUndefined();
    expect(record.releases.map(({published}) => published)).toEqual([true, true]);
    for (const name of Object.keys(images)) {
      for (const tag of [earlierTag, smallTag]) {
        const repository = `mirror/arcdata/${name}`;
        const digest = target.store.tag(repository, tag);
        expect(digest && target.store.holes(repository, digest)).toEqual([]);
      }
    }
  },
  20_000
);

// The first is what the in-memory registry of go-containerregistry does.
test.each([
  ['keeps all blobs in one place', 'registry', 1],
  ['keeps them apart', 'repository', 3]
] as const)('a target that mounts nothing and %s', async (_, blobsIn, times) => {
  await using source = await EmbeddedRegistry.start();
  await using target = await EmbeddedRegistry.start({character: {mount: 'never', blobsIn}});
  const names = ['arc-bootstrapper', 'arc-controller', 'arc-sqlmi'];
  const base = layer('base');
  const second = layer('second base');
  for (const name of names) {
    const image = imageOf(name, 'oci', [base, second, layer(name)]);
    putImage(source.store, `arcdata/${name}`, image, smallTag);
  }
  const {record} = await mirrorRun({
    ...{source, target},
    inputs: {'source-tag': smallTag, images: names.join('\n')}
  });
  expect(record.failure).toBeUndefined();
  for (const shared of [base, second]) {
    const read = source.requests.filter(
      ({method, path}) => method === 'GET' && path.endsWith(`/blobs/${shared.digest}`)
    );
    expect(read).toHaveLength(times);
  }
  const {images} = record.releases[0] ?? {images: []};
  const mounted = images.reduce((sum, {bytes}) => sum + bytes.mounted, 0);
  expect(mounted).toBe((3 - times) * (base.bytes.length + second.bytes.length));
  // What was opened in vain is cancelled.
  expect(target.store.sessions).toEqual([]);
});

test('what was opened in place of a mount is cancelled where the run ends during the look behind it', async () => {
  await using source = await EmbeddedRegistry.start();
  await using target = await EmbeddedRegistry.start({
    character: {mount: 'never', blobsIn: 'registry'}
  });
  const names = ['arc-controller', 'arc-sqlmi'];
  const base = layer('base');
  for (const name of names)
    putImage(source.store, `arcdata/${name}`, imageOf(name, 'oci', [base, layer(name)]), smallTag);
  const cancel = new AbortController();
  let opened = 0;
  target.rule({
    on: {kind: 'blob', repository: 'mirror/arcdata/arc-sqlmi', digest: base.digest},
    do: {
      effect: 'custom',
      run: () => {
        opened = target.store.sessions.length;
        cancel.abort(new Error('the run was cancelled'));
        return false;
      }
    }
  });
  const {record} = await mirrorRun({
    ...{source, target, signal: cancel.signal},
    inputs: {'source-tag': smallTag, images: names.join('\n')}
  });
  expect(record.failure?.message).toContain('cancelled');
  expect(opened).toBe(1);
  expect(target.store.sessions).toEqual([]);
});
