import type {Settings} from '../inputs.ts';
import type {Log} from '../log.ts';
import {MirrorError} from '../mirror/error.ts';
import {type Image, type ImageRequest, readImage} from '../mirror/graph.ts';
import {once} from '../mirror/once.ts';
import type {Slots} from '../mirror/slots.ts';
import {within} from '../oci/reference.ts';
import {RegistryError} from '../registry/error.ts';
import type {FetchedManifest} from '../registry/fetched-manifest.ts';
import {getManifest} from '../registry/manifests.ts';
import {imageSet} from '../release/catalog.ts';
import {ReleaseError} from '../release/error.ts';
import {chartArtifact, type ImageSelection} from '../release/resolve.ts';
import type {Registries} from './registries.ts';

interface Surroundings {
  readonly log: Log;
  readonly slots: Slots;
  readonly signal: AbortSignal;
}

/** The roots of images: each tag of the source is read once in a run, and by digest from then on. */
export class Roots {
  readonly #registries: Registries;
  readonly #repository: string;
  readonly #referrers: boolean;
  readonly #around: Surroundings;
  readonly #known = new Map<string, Promise<FetchedManifest | undefined>>();
  #refusal: RegistryError | undefined;

  constructor(registries: Registries, settings: Settings, around: Surroundings) {
    this.#registries = registries;
    this.#repository = settings.source.repository;
    this.#referrers = settings.referrers;
    this.#around = around;
  }

  /** Asks for the images of releases that are named to the letter, before anybody needs them. */
  expect(settings: Settings): void {
    const selection = wantedImages(settings);
    for (const request of settings.tags) {
      if (request.kind !== 'exact') continue;
      const {tag} = request;
      const names =
        selection.kind === 'exactly' ? selection.names : imageSet(tag).map(({name}) => name);
      for (const name of names) {
        if (name === chartArtifact) continue;
        // Whoever needs it is told what went wrong.
        this.#fetch(within(this.#repository, name), tag).catch(() => undefined);
      }
    }
  }

  /** What is missing may only have been hidden: then the first refusal belongs to the reason. */
  explain(error: unknown): unknown {
    const refusal = this.#refusal;
    if (!(error instanceof ReleaseError) || refusal === undefined) return error;
    return new MirrorError(
      `${error.message} The source refused to tell: ${refusal.message}`,
      refusal.advice,
      {cause: error}
    );
  }

  /**
   * Whether the source has an image under a tag. One that it refuses to tell of counts as absent.
   * @throws RegistryError, the signal's reason
   */
  async has(name: string, tag: string): Promise<boolean> {
    try {
      return (await this.#fetch(within(this.#repository, name), tag)) !== undefined;
    } catch (error) {
      // Some registries say "no access" of what does not exist; which of both it is, nobody can tell.
      const hidden =
        error instanceof RegistryError && ['denied', 'unauthorized'].includes(error.fault);
      if (!hidden) throw error;
      this.#around.log.debug(`${name}:${tag} counts as absent: ${error.message}`);
      this.#refusal ??= error;
      return false;
    }
  }

  /**
   * An image, down to its layers.
   * @throws MirrorError when the source does not have it; what `readImage` throws
   */
  async read(request: ImageRequest): Promise<Image> {
    const {repository, tag} = request.source;
    const root = await this.#fetch(repository, tag);
    const {source} = this.#registries;
    if (root === undefined)
      throw new MirrorError(`${source.name}/${repository}:${tag} does not exist`);
    const {slots, signal} = this.#around;
    return readImage(source, request, root, {
      slots,
      signal,
      referrers: this.#referrers
    });
  }

  #fetch(repository: string, tag: string): Promise<FetchedManifest | undefined> {
    const {slots, signal} = this.#around;
    return once(this.#known, `${repository}:${tag}`, () =>
      slots.run(() => getManifest(this.#registries.source, repository, tag, signal))
    );
  }
}

/** The images that the settings ask for; the chart goes with them, under its own version. */
export function wantedImages({images, chart}: Settings): ImageSelection {
  if (!chart) return images;
  if (images.kind === 'exactly') return {...images, names: [...images.names, chartArtifact]};
  return {...images, add: [...images.add, chartArtifact]};
}
