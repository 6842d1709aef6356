import {expect, test} from '@jest/globals';

import type {Exchange} from '../../src/demo/exchange.ts';
import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import {seedRelease} from '../../src/demo/sample.ts';
import {mediaTypes} from '../../src/oci/media-type.ts';
import {mirrorRun} from '../support/mirror-run.ts';
import {always, rule} from '../support/rows.ts';
import {imageOf, indexOf, putImage, smallNames, smallTag} from '../support/small-release.ts';

const repository = 'arcdata/arc-controller';

test('an index below an index comes after what it names, and before what names it', async () => {
  await using source = await EmbeddedRegistry.start();
  await using target = await EmbeddedRegistry.start();
  const image = imageOf('amd64', 'oci', []);
  const inner = indexOf(mediaTypes.ociIndex, [image]);
  const outer = indexOf(mediaTypes.ociIndex, [inner]);
  seedRelease(source.store, 'arcdata', {tag: smallTag, names: smallNames});
  putImage(source.store, repository, outer, smallTag);
  const put = {kind: 'manifest', method: 'PUT', repository: `mirror/${repository}`} as const;
  // What does not wait for it is there first.
  const run = async ({request}: Exchange) => {
    if (request.url?.endsWith(image.digest) === true)
      await new Promise(resolve => setTimeout(resolve, 100));
    return false;
  };
  target.rule(rule(put, {effect: 'custom', run}, {times: always}));
  const {record} = await mirrorRun({source, target});
  expect(record.failure).toBeUndefined();
  const taken = target.requests
    .filter(({kind, method, status}) => kind === 'manifest' && method === 'PUT' && status === 201)
    .map(({path}) => path.slice(path.lastIndexOf('/') + 1));
  const [first, second, third] = [image, inner, outer].map(({digest}) => taken.indexOf(digest));
  expect(first).toBeGreaterThanOrEqual(0);
  expect(second).toBeGreaterThan(first ?? 0);
  expect(third).toBeGreaterThan(second ?? 0);
  // Refused are no more than those with which the registry is put to the proof, one of a type.
  const refused = target.requests.filter(
    ({kind, method, status, path}) =>
      kind === 'manifest' && method === 'PUT' && status !== 201 && path.endsWith(inner.digest)
  );
  expect(refused).toEqual([]);
});
