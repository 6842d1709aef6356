import {describe, expect, test} from '@jest/globals';

import {Random} from '../../src/demo/random.ts';
import type {Image, Node} from '../../src/mirror/graph.ts';
import {assign, type Findings, pair, type Plan} from '../../src/mirror/plan.ts';
import {divide, type Shard} from '../../src/mirror/shards.ts';
import type {Descriptor} from '../../src/oci/descriptor.ts';
import {type Digest, digestOf} from '../../src/oci/digest.ts';
import {mediaTypes} from '../../src/oci/media-type.ts';

/** A layer by its words: the same words are the same layer. */
type Layer = readonly [words: string, size: number];

const manifestSize = 1000;

function imageOf(release: string, name: string, layers: readonly Layer[]): Image {
  const place = {repository: name, tag: release};
  const descriptor = (mediaType: string, words: string, size: number): Descriptor => ({
    mediaType,
    digest: digestOf(words),
    size
  });
  const config = descriptor('application/vnd.oci.image.config.v1+json', `${name} ${release}`, 300);
  const blobs = layers.map(([words, size]) =>
    descriptor('application/vnd.oci.image.layer.v1.tar+gzip', words, size)
  );
  const root: Node = {
    descriptor: descriptor(mediaTypes.ociManifest, `manifest ${name} ${release}`, manifestSize),
    bytes: Buffer.alloc(0),
    manifest: {kind: 'image', mediaType: mediaTypes.ociManifest, config, layers: blobs},
    children: []
  };
  return {
    ...{release, name, source: place, target: place},
    ...{root, manifests: [root], attached: [], platforms: []},
    blobs: new Map([config, ...blobs].map(blob => [blob.digest, blob])),
    size: 0
  };
}

const emptyTarget: Findings = {
  standings: new Map(),
  present: new Set(),
  told: new Set<string>(),
  exists: () => true
};

/** What the target has: so much of it that these images are complete there. */
function having(images: readonly Image[]): Findings {
  return {
    standings: new Map(
      images.map(image => {
        const {digest} = image.root.descriptor;
        return [image, {tagged: digest, manifests: new Set([digest])}];
      })
    ),
    present: new Set(
      images.flatMap(({target, blobs}) =>
        [...blobs.keys()].map(one => pair(target.repository, one))
      )
    ),
    told: new Set<string>(),
    exists: () => true
  };
}

const sum = (shards: readonly Shard[]) => shards.reduce((total, {bytes}) => total + bytes, 0);

/** The planned images that a run of the shard's inputs takes. */
function imagesOf(plan: Plan, {releases, names}: Shard): readonly Image[] {
  return plan.images
    .map(({image}) => image)
    .filter(({release, name}) => releases.includes(release) && names.includes(name));
}

/** All that has to be so of every division; nothing is returned when it is. */
function faultsOf(
  plan: Plan,
  findings: Findings,
  shards: readonly Shard[],
  most: number
): string[] {
  const faults: string[] = [];
  const fault = (when: boolean, text: string) => {
    if (when) faults.push(text);
  };
  fault(shards.length > most, `${shards.length} shards, and ${most} were asked for`);
  fault(sum(shards) * 10 > plan.bytes.copied * 11, `${sum(shards)} of ${plan.bytes.copied}`);
  fault(shards.length > 0 !== plan.bytes.copied > 0, 'shards are there for nothing, or missing');
  fault(
    shards.some(({bytes}, i) => bytes > (shards[i - 1]?.bytes ?? Infinity)),
    'a larger one comes later'
  );
  const times = new Map<Image, number>();
  for (const shard of shards) {
    const own = imagesOf(plan, shard);
    for (const image of own) times.set(image, (times.get(image) ?? 0) + 1);
    const alone = assign(own, findings).bytes.copied;
    fault(alone !== shard.bytes, `alone it moves ${alone} bytes, and ${shard.bytes} are told`);
    fault(shard.bytes === 0, 'it moves nothing');
    // Named is what it has, in the plan's order.
    const taken = (part: 'release' | 'name') => [...new Set(own.map(image => image[part]))].join();
    fault(taken('release') !== shard.releases.join(), `it says ${shard.releases.join()}`);
    fault(taken('name') !== shard.names.join(), `it says ${shard.names.join()}`);
  }
  for (const {image, bytes} of plan.images) {
    const found = times.get(image) ?? 0;
    const wanted = bytes.copied > 0 ? found === 1 : found <= 1;
    fault(!wanted, `${image.name} of ${image.release} is in ${found} shards`);
  }
  return faults;
}

describe('every division', () => {
  /** Some releases with some images; layers of all kinds; a target that has some of it. */
  function worldOf(seed: number): {readonly images: readonly Image[]; readonly findings: Findings} {
    const random = new Random(Random.seedOf('shards', seed));
    const [releases, names] = [random.between(1, 8), random.between(1, 12)];
    const chance = random.fraction();
    // How often a base is rebuilt, and an image's own layers: never, now and then, always.
    const [base, own] = [random.between(1, releases), random.between(1, releases)];
    const weight = random.between(1, 8);
    const images = Array.from({length: releases}, (_, month) =>
      Array.from({length: names}, (_, n): Image[] => {
        if (random.fraction() < 0.1) return [];
        const layers: Layer[] = [
          [`base ${Math.floor(month / base)}`, 40_000 * weight],
          [`runtime ${n % 3} ${Math.floor(month / base)}`, 30_000],
          [`own ${n} ${Math.floor(month / own)}`, 1000 * (1 + ((n * 37 + seed) % 200))],
          [`new ${n} ${month}`, 1000 * (1 + ((n + month * 13) % 60))]
        ];
        return [imageOf(`r${month}`, `n${n}`, layers)];
      })
    ).flat(2);
    const complete = images.filter(() => random.fraction() < chance * 0.5);
    const {standings, present} = having(complete);
    const more = images.flatMap(({target, blobs}) =>
      [...blobs.keys()]
        .filter(() => random.fraction() < chance * 0.3)
        .map((digest: Digest) => pair(target.repository, digest))
    );
    return {
      images,
      findings: {
        ...{standings, present: new Set([...present, ...more]), told: new Set<string>()},
        exists: () => true
      }
    };
  }

  test('has every image once, moves a tenth more at most, and foretells what each shard moves', () => {
    const counts = new Map<number, number>();
    for (let seed = 0; seed < 150; seed++) {
      const {images, findings} = worldOf(seed);
      const plan = assign(images, findings);
      const most = 1 + (seed % 6);
      const shards = divide(plan.images, most);
      expect([seed, faultsOf(plan, findings, shards, most)]).toEqual([seed, []]);
      const again = seed % 10 === 0 ? divide(plan.images, most) : shards;
      expect(again).toEqual(shards);
      counts.set(shards.length, (counts.get(shards.length) ?? 0) + 1);
    }
    // The worlds are such that the properties above have something to say.
    expect([...counts.keys()].filter(count => count > 1).length).toBeGreaterThanOrEqual(4);
  });

  test('is even where nothing is shared', () => {
    for (let seed = 0; seed < 60; seed++) {
      const random = new Random(Random.seedOf('even', seed));
      const names = 1 + (seed % 24);
      const sizes = Array.from({length: names}, () => Math.round(random.between(1, 400)) * 1000);
      const images = [0, 1, 2].flatMap(month =>
        sizes.map((size, n) => imageOf(`r${month}`, `n${n}`, [[`${n} ${month}`, size]]))
      );
      const plan = assign(images, emptyTarget);
      const most = 2 + (seed % 7);
      const shards = divide(plan.images, most);
      expect(faultsOf(plan, emptyTarget, shards, most)).toEqual([]);
      const whole = plan.bytes.copied;
      // An image of all months stays in one piece; a hundredth is not worth another machine.
      const piece = 3 * (Math.max(...sizes) + 300 + manifestSize);
      expect(shards[0]?.bytes).toBeLessThanOrEqual(whole / most + piece + whole / 100);
    }
  });
});

describe('what is shared decides how it is cut', () => {
  const months = [0, 1, 2, 3, 4, 5];
  const tags = months.map(month => `r${month}`);
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  /** Images upon one base, which with their own layers is as old as `base` and `own` say. */
  const monthly = (base: (month: number) => number, own: (month: number) => number) =>
    assign(
      months.flatMap(month =>
        names.map(name =>
          imageOf(`r${month}`, name, [
            [`base ${base(month)}`, 40_000],
            [`own ${name} ${own(month)}`, 100_000],
            [`new ${name} ${month}`, 20_000]
          ])
        )
      ),
      emptyTarget
    );

  test('layers that stay: an image goes with itself, through all months', () => {
    const plan = monthly(
      () => 0,
      () => 0
    );
    const shards = divide(plan.images, 4);
    expect(shards.map(({releases}) => releases)).toEqual([tags, tags, tags, tags]);
    expect(shards.map(one => one.names.length)).toEqual([2, 2, 2, 2]);
    // The base four times instead of once, and nothing else.
    expect(sum(shards)).toBe(plan.bytes.copied + 3 * 40_000);
  });

  test('everything rebuilt: a month goes with itself, with all images', () => {
    const month = (at: number) => at;
    const plan = monthly(month, month);
    const shards = divide(plan.images, 3);
    expect(shards.map(one => [one.releases.length, one.names])).toEqual([
      [2, names],
      [2, names],
      [2, names]
    ]);
    expect(sum(shards)).toBe(plan.bytes.copied);
  });

  test('rebuilt in the middle: two spans, each of which is cut by names', () => {
    const half = (at: number) => Math.floor(at / 3);
    const plan = monthly(half, half);
    const shards = divide(plan.images, 4);
    expect(shards.map(({releases}) => releases.join()).sort()).toEqual([
      'r0,r1,r2',
      'r0,r1,r2',
      'r3,r4,r5',
      'r3,r4,r5'
    ]);
    expect(sum(shards)).toBe(plan.bytes.copied + 2 * 40_000);
  });

  test('too much shared both ways: one machine is best', () => {
    const plan = assign(
      months.flatMap(month =>
        names.map(name =>
          imageOf(`r${month}`, name, [
            [`base ${month}`, 400_000],
            [`own ${name}`, 400_000]
          ])
        )
      ),
      emptyTarget
    );
    expect(divide(plan.images, 4)).toEqual([{releases: tags, names, bytes: plan.bytes.copied}]);
  });

  test('what half of the images share keeps them together', () => {
    const plan = assign(
      names.map((name, n) =>
        imageOf('r0', name, [
          [`half ${n % 2}`, 300_000],
          [`own ${name}`, 100_000]
        ])
      ),
      emptyTarget
    );
    const shards = divide(plan.images, 2);
    expect(shards.map(one => one.names.join()).sort()).toEqual(['a,c,e,g', 'b,d,f,h']);
    expect(sum(shards)).toBe(plan.bytes.copied);
  });
});

describe('what needs no machine', () => {
  const names = ['a', 'b', 'c', 'd'];
  const month = (tag: string) =>
    names.map(name => imageOf(tag, name, [[`${name} ${tag}`, 10_000]]));

  test('nothing at all, and nothing to copy', () => {
    expect(divide([], 4)).toEqual([]);
    const images = month('r0');
    expect(divide(assign(images, having(images)).images, 4)).toEqual([]);
  });

  test('releases that are complete are in no shard', () => {
    const [old, fresh] = [month('r0'), month('r1')];
    const shards = divide(assign([...old, ...fresh], having(old)).images, 2);
    expect(shards.map(({releases}) => releases)).toEqual([['r1'], ['r1']]);
  });

  test('unless a later one takes layers over from there', () => {
    const old = [imageOf('r0', 'a', [['base', 90_000]])];
    const fresh = [
      imageOf('r1', 'b', [
        ['base', 90_000],
        ['b', 10_000]
      ])
    ];
    const plan = assign([...old, ...fresh], having(old));
    expect(divide(plan.images, 2)).toEqual([
      {releases: ['r0', 'r1'], names: ['a', 'b'], bytes: plan.bytes.copied}
    ]);
    expect(plan.bytes.copied).toBeLessThan(90_000);
  });
});
