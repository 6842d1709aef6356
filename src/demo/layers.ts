import {digestOf, type Digest} from '../oci/digest.ts';
import {formatPlatform, type Platform} from '../oci/platform.ts';
import {Random} from './random.ts';
import {gzipOf, tarOf} from './tar.ts';

/** What makes layers differ; the same gives the same bytes. */
export interface LayerOptions {
  readonly seed?: number;
  readonly month?: number;
  readonly scale?: number;
}

/** A layer, packed. */
export interface Layer {
  readonly digest: Digest;
  readonly bytes: Buffer;
  /** The digest of the unpacked archive. */
  readonly diff: Digest;
}

const kilobyte = 1000;

/** Makes the layers of images; what images share is made once. */
export class LayerMaker {
  readonly #made = new Map<string, Layer>();
  readonly #seed: number;
  readonly #month: number;
  readonly #scale: number;
  readonly #hasRuntime: (name: string) => boolean;

  /** @param hasRuntime which images are built upon the second common base as well */
  constructor(
    {seed = 1, month = 0, scale = 1}: LayerOptions,
    hasRuntime: (name: string) => boolean
  ) {
    this.#hasRuntime = hasRuntime;
    this.#seed = seed;
    this.#month = month;
    this.#scale = scale;
  }

  /** From the base upwards. */
  layers(name: string, platform: Platform): readonly Layer[] {
    const arch = formatPlatform(platform);
    const sizes = new Random(Random.seedOf(this.#seed, name, arch));
    const plan: [string, number][] = [];
    for (const [i, size] of [150, 80, 35, 15].entries()) plan.push([`base-${i} ${arch}`, size]);
    if (this.#hasRuntime(name)) {
      for (const [i, size] of [140, 80, 36].entries()) plan.push([`runtime-${i} ${arch}`, size]);
    }
    if (name === 'arc-sqlmi') plan.push([`engine ${arch}`, 960]);
    const own = sizes.between(3, 8);
    for (let i = 0; i < own; i++) {
      plan.push([`${name} ${i} ${arch}`, sizes.between(50, 100) / own]);
    }
    // These two are what changes from month to month: together a fifth of a release.
    plan.push([`${name} application ${arch} ${this.#month}`, sizes.between(24, 36)]);
    plan.push([`${name} settings ${arch} ${this.#month}`, sizes.between(6, 14)]);
    return plan.map(([what, size]) => this.#layer(what, Math.ceil(size * kilobyte * this.#scale)));
  }

  #layer(what: string, size: number): Layer {
    const made = this.#made.get(what);
    if (made !== undefined) return made;
    const random = new Random(Random.seedOf(this.#seed, what, size));
    const place = `opt/arcdata/${what.replaceAll(/[ /]/g, '-')}`;
    const archive = tarOf(
      [
        {name: 'opt/', bytes: Buffer.alloc(0)},
        {name: 'opt/arcdata/', bytes: Buffer.alloc(0)},
        {name: `${place}/`, bytes: Buffer.alloc(0)},
        {name: `${place}/about.txt`, bytes: Buffer.from(`layer ${what}\n`)},
        {name: `${place}/data.bin`, bytes: random.bytes(size)}
      ],
      Date.UTC(2026, 0, 1) / 1000
    );
    const bytes = gzipOf(archive);
    const layer = {bytes, digest: digestOf(bytes), diff: digestOf(archive)};
    this.#made.set(what, layer);
    return layer;
  }
}
