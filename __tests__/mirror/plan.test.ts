import {expect, test} from '@jest/globals';

import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import {digestOf} from '../../src/oci/digest.ts';
import {mirrorRun} from '../support/mirror-run.ts';
import {imageOf, putImage, putRelease, smallRelease, smallTag} from '../support/small-release.ts';

const dns = 'mirror/arcdata/arc-dns';

test('an image that lacks nothing but an empty layer is not whole, though no byte is to copy', async () => {
  await using source = await EmbeddedRegistry.start();
  await using target = await EmbeddedRegistry.start();
  const nothing = {bytes: Buffer.alloc(0), digest: digestOf(Buffer.alloc(0))};
  const image = imageOf('with nothing', 'docker', [nothing]);
  for (const [{store}, repository] of [
    [source, 'arcdata'],
    [target, 'mirror/arcdata']
  ] as const) {
    putRelease(store, repository, smallRelease());
    putImage(store, `${repository}/arc-dns`, image, smallTag);
  }
  const plan = async () => {
    const {record} = await mirrorRun({source, target, inputs: {'dry-run': 'true'}});
    const [only] = record.releases;
    return {
      published: only?.published,
      images: only?.images.map(({name, status, bytes}) => [name, status, bytes.copied])
    };
  };
  const others = [
    ['arc-bootstrapper', 'present', 0],
    ['arc-controller', 'present', 0]
  ];
  expect(await plan()).toEqual({published: true, images: [...others, ['arc-dns', 'present', 0]]});
  target.store.deleteBlob(dns, nothing.digest);
  expect(await plan()).toEqual({published: false, images: [...others, ['arc-dns', 'planned', 0]]});
});
