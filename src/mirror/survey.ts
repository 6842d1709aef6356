import type {Descriptor} from '../oci/descriptor.ts';
import type {Digest} from '../oci/digest.ts';
import {hasBlob} from '../registry/blobs.ts';
import {resolveManifest} from '../registry/manifests.ts';
import type {Registry} from '../registry/registry.ts';
import type {Image, Node} from './graph.ts';
import {Offers} from './offer.ts';
import {type Findings, pair, type Standing} from './plan.ts';
import {below} from './proof.ts';
import type {Slots} from './slots.ts';

/**
 * What the leading image lets expect of the others: that they stand there under the release's tag, that
 * they do not, or nothing. A wrong guess costs a few questions, and nothing else.
 */
export type Guess = 'tagged' | 'untagged' | 'nothing';

/** What a survey is made with. */
export interface SurveyOptions {
  readonly target: Registry;
  readonly slots: Slots;
  readonly signal: AbortSignal;
  /** Whether manifests may be offered to find out what is missing; whoever only plans writes nothing. */
  readonly offers: boolean;
}

/**
 * What the target has, asked for from the moment at which an image is known: the answers come while
 * others are still being read at the source.
 */
export class Survey {
  readonly #options: SurveyOptions;
  readonly #offers: Offers | undefined;
  readonly #tags = new Map<string, Promise<Digest | undefined>>();
  readonly #blobs = new Map<string, Promise<boolean>>();
  readonly #standings = new Map<Image, Promise<Standing>>();
  readonly #guesses = new Map<Image, Guess>();
  /** Blobs of which only the registry's own word is known, by `pair`. */
  readonly #told = new Map<string, boolean>();
  #repositories: Promise<ReadonlySet<string> | undefined> = Promise.resolve(undefined);

  constructor(options: SurveyOptions) {
    this.#options = options;
    const {offers, target, slots, signal} = options;
    if (offers) this.#offers = new Offers(target, slots, signal);
  }

  /**
   * Tells of the target's repositories, as far as its catalogue does, before anything is asked: in one
   * that is not among them there is nothing to ask for.
   */
  open(repositories: Promise<ReadonlySet<string> | undefined>): void {
    this.#repositories = repositories;
  }

  /** Asks for a tag that will most likely be needed. */
  expect(repository: string, tag: string): void {
    // Whoever needs it is told what went wrong; nobody may.
    this.#tag(repository, tag).catch(() => undefined);
  }

  /** Asks about an image; by looking only. */
  add(image: Image, guess: Guess = 'nothing'): void {
    this.#guesses.set(image, guess);
    this.#stand(image).catch(() => undefined);
  }

  /**
   * All that is known of these images, when the answers are in. An image whose tag is not there yet is
   * asked about here, since that may write to the target: by then, all that was asked for is known to be
   * there at the source.
   * @throws RegistryError; the signal's reason
   */
  async findings(images: readonly Image[]): Promise<Findings> {
    const standings = new Map<Image, Standing>();
    // The smallest first: the registry is put to the proof with it.
    const smallestFirst = [...images].sort((one, other) => one.blobs.size - other.blobs.size);
    await Promise.all(
      smallestFirst.map(async image => {
        const {target, root} = image;
        const asked = this.#stand(image);
        const due =
          this.#guesses.get(image) === 'untagged' ||
          (await asked).tagged !== root.descriptor.digest;
        const asking = due && (await this.#exists(target.repository)) && this.#askAbout(image);
        const [standing] = await Promise.all([asked, asking]);
        standings.set(image, standing);
      })
    );
    const present = new Set<string>();
    for (const [key, asked] of this.#blobs) if (await asked) present.add(key);
    const told = new Set<string>();
    for (const [key, there] of this.#told) {
      if (!there || this.#blobs.has(key)) continue;
      present.add(key);
      told.add(key);
    }
    const repositories = await this.#repositories;
    return {standings, present, told, exists: name => repositories?.has(name) !== false};
  }

  async #exists(repository: string): Promise<boolean> {
    return (await this.#repositories)?.has(repository) !== false;
  }

  #stand(image: Image): Promise<Standing> {
    const known = this.#standings.get(image);
    if (known !== undefined) return known;
    const asked = this.#look(image);
    this.#standings.set(image, asked);
    return asked;
  }

  async #look(image: Image): Promise<Standing> {
    const {target, slots, signal} = this.#options;
    const {repository, tag} = image.target;
    const asked = this.#tag(repository, tag);
    if (this.#guesses.get(image) === 'tagged' && (await this.#exists(repository))) {
      for (const blob of image.blobs.values()) this.#has(repository, blob).catch(() => undefined);
    }
    const tagged = await asked;
    const manifests = new Set<Digest>();
    // Only under the right tag does it matter which manifests are there; otherwise all of them are put
    // anew, which costs less than asking.
    if (tagged !== image.root.descriptor.digest) return {tagged, manifests};
    await Promise.all([
      ...[...image.blobs.values()].map(blob => this.#has(repository, blob)),
      ...[...image.manifests, ...image.attached].map(async ({descriptor: {digest}}) => {
        const there =
          digest === tagged ||
          (await slots.run(() => resolveManifest(target, repository, digest, signal))) === digest;
        if (there) manifests.add(digest);
      })
    ]);
    return {tagged, manifests};
  }

  /** What is there of an image that is not tagged yet: by offering its manifests, else by looking. */
  async #askAbout(image: Image): Promise<void> {
    const {repository} = image.target;
    const left = new Map(image.blobs);
    await Promise.all(
      image.manifests.map(async node => {
        const blobs = [...new Set(below(node.manifest))].flatMap(
          digest => image.blobs.get(digest) ?? []
        );
        if (await this.#offer(repository, node, blobs))
          for (const {digest} of blobs) left.delete(digest);
      })
    );
    await Promise.all([...left.values()].map(blob => this.#has(repository, blob)));
  }

  /** @returns whether these blobs need no other question */
  async #offer(repository: string, node: Node, blobs: readonly Descriptor[]): Promise<boolean> {
    if (blobs.every(({digest}) => this.#blobs.has(pair(repository, digest)))) return false;
    const look = async () => {
      const all = await Promise.all(blobs.map(blob => this.#has(repository, blob)));
      return blobs.filter((_, i) => all[i] === false).map(({digest}) => digest);
    };
    const said = await this.#offers?.ask(repository, node, look);
    if (said === undefined) return false;
    for (const {digest} of blobs) this.#told.set(pair(repository, digest), !said.has(digest));
    return true;
  }

  #tag(repository: string, tag: string): Promise<Digest | undefined> {
    const key = `${repository}:${tag}`;
    const known = this.#tags.get(key);
    if (known !== undefined) return known;
    const {target, slots, signal} = this.#options;
    const asked = this.#exists(repository).then(exists =>
      exists ? slots.run(() => resolveManifest(target, repository, tag, signal)) : undefined
    );
    this.#tags.set(key, asked);
    return asked;
  }

  #has(repository: string, blob: Descriptor): Promise<boolean> {
    const key = pair(repository, blob.digest);
    const known = this.#blobs.get(key);
    if (known !== undefined) return known;
    const {target, slots, signal} = this.#options;
    const asked = slots
      .run(() => hasBlob(target, repository, blob, signal))
      .then(has => has === 'present');
    this.#blobs.set(key, asked);
    return asked;
  }
}
