import {Random} from '../src/demo/random.ts';

/** The months of the workload: a release, the next one, and that one upon a rebuilt base. */
export type Month = 'first' | 'next' | 'rebuilt';

/** Their tags at the source. */
export const tags: Readonly<Record<Month, string>> = {
  first: 'v1.44.0_2026-03-10',
  next: 'v1.45.0_2026-04-14',
  rebuilt: 'v1.46.0_2026-05-12'
};

/** One layer to be made: the same words are the same layer. */
export interface LayerPlan {
  readonly words: string;
  /** Bytes. */
  readonly size: number;
}

/** One platform of one image. */
export interface PlatformPlan {
  readonly name: string;
  readonly platform: {readonly os: 'linux'; readonly architecture: 'amd64' | 'arm64'};
  /** From the base upwards. */
  readonly layers: readonly LayerPlan[];
}

/** Every core image, and five of the optional ones: a release that a mirror accepts as whole. */
export const names: readonly string[] = [
  'arc-bootstrapper',
  'arc-ci-launcher',
  'arc-controller',
  'arc-controller-db',
  'arc-dns',
  'arc-ha-orchestrator',
  'arc-ha-supervisor',
  'arc-monitor-collectd',
  'arc-monitor-fluentbit',
  'arc-monitor-influxdb',
  'arc-monitor-telegraf',
  'arc-postgres-14',
  'arc-sb-plugin',
  'arc-security-support',
  'arc-service-proxy',
  'arc-sqlmi'
];

/** Made for two platforms: the first as a docker manifest list, the second as an OCI index. */
export const multiPlatform: readonly string[] = ['arc-monitor-fluentbit', 'arc-monitor-telegraf'];

// Megabytes of a release of a gigabyte. Together with `own` these make 1025 MB of unique bytes in 144
// layers, and 2540 MB over all images: the proportions of a real release.
const baseA = [40, 20, 8, 2];
const baseB = [34, 20, 10];
const baseArm = [9.5, 5, 2, 0.5];
const engine = 240;
/** Megabytes of the images' own layers that stay, and of those that change every month. */
const staying = 430;
const changing = 204;
/** Own layers of each platform, in the order of `platforms`, the engine not counted: 132. */
const own = [5, 9, 7, 6, 8, 10, 5, 7, 6, 8, 12, 8, 7, 6, 9, 7, 7, 5];
/** Of these, the uppermost two change every month; three in every image with an index in here: 43. */
const threeChange = new Set([1, 3, 5, 8, 11, 13, 16]);

const megabyte = 1_000_000;

/** All platforms of a month's images, at `scale` megabytes of unique bytes. */
export function shapeOf(month: Month, scale: number): readonly PlatformPlan[] {
  const platforms = names.flatMap(name =>
    (multiPlatform.includes(name) ? (['amd64', 'arm64'] as const) : (['amd64'] as const)).map(
      architecture => ({name, architecture})
    )
  );
  const scaled = (size: number) => Math.round((size * megabyte * scale) / 1000);
  const weights = platforms.map(({name, architecture}, i) => weigh(`${name} ${architecture}`, i));
  const total = (changes: boolean) =>
    weights.flat().reduce((sum, one) => sum + (one.changes === changes ? one.weight : 0), 0);
  const [stays, moves] = [staying / total(false), changing / total(true)];
  const os = month === 'rebuilt' ? 'rebuilt' : 'first';
  return platforms.map(({name, architecture}, i) => {
    const arm = architecture === 'arm64';
    const layers: LayerPlan[] = (arm ? baseArm : baseA).map((size, n) => ({
      words: `base-a ${architecture} ${n} ${os}`,
      size: scaled(size)
    }));
    // Every other image is built upon the second base as well.
    if (!arm && names.indexOf(name) % 2 === 0) {
      baseB.forEach((size, n) => layers.push({words: `base-b ${n}`, size: scaled(size)}));
    }
    if (name === 'arc-sqlmi') layers.push({words: 'engine', size: scaled(engine)});
    (weights[i] ?? []).forEach(({weight, changes}, n) => {
      const words = `${name} ${architecture} ${n} ${changes ? month : 'first'}`;
      layers.push({words, size: scaled(weight * (changes ? moves : stays))});
    });
    return {name, platform: {os: 'linux', architecture}, layers};
  });
}

/** The own layers of a platform: from 1 to 400 in size, most of them small. */
function weigh(what: string, i: number): readonly {weight: number; changes: boolean}[] {
  const random = new Random(Random.seedOf('bench', what));
  const count = own[i] ?? 0;
  const changed = threeChange.has(i) ? 3 : 2;
  return Array.from({length: count}, (_, n) => ({
    weight: Math.exp(random.fraction() * Math.log(400)),
    changes: n >= count - changed
  }));
}
