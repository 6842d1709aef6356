import type {Descriptor} from '../oci/descriptor.ts';
import type {Digest} from '../oci/digest.ts';
import {hasBlob} from '../registry/blobs.ts';
import {resolveManifest} from '../registry/manifests.ts';
import type {Registry} from '../registry/registry.ts';
import {deferred} from './deferred.ts';
import type {Image, Node} from './graph.ts';
import {Offers} from './offer.ts';
import {once} from './once.ts';
import {type Findings, pair, type Standing} from './plan.ts';
import {below} from './proof.ts';
import {ReferrerLists} from './referrer-lists.ts';
import {Repositories} from './repositories.ts';
import type {Slots} from './slots.ts';

/**
 * What the leading image lets expect of the others: that they stand there under the release's tag, or that
 * they do not. A wrong guess costs a few questions, and nothing else.
 */
export type Guess = 'tagged' | 'untagged';

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
  readonly #repositories = new Repositories((repository, blob) => this.#has(repository, blob));
  readonly #settled = deferred<undefined>();
  readonly #tags = new Map<string, Promise<Digest | undefined>>();
  readonly #blobs = new Map<string, Promise<boolean>>();
  readonly #lists: ReferrerLists;
  readonly #standings = new Map<Image, Promise<Standing>>();
  readonly #askings = new Map<Image, Promise<void>>();
  readonly #guesses = new Map<Image, Guess>();
  /** Blobs of which only the registry's own word is known, by `pair`. */
  readonly #told = new Map<string, boolean>();
  /** The types of manifest of which an image is looked through already. */
  readonly #begun = new Set<string>();

  constructor(options: SurveyOptions) {
    this.#options = options;
    this.#lists = new ReferrerLists(options);
    const {offers, target, slots, signal} = options;
    if (offers) this.#offers = new Offers(target, slots, signal);
  }

  /**
   * Tells of the target's repositories, as far as its catalogue does, before anything is asked: in one
   * that is not among them there is most likely nothing, and a single question has to do.
   */
  open(repositories: Promise<ReadonlySet<string> | undefined>): void {
    this.#repositories.list(repositories);
  }

  /** Asks for a tag that will most likely be needed. */
  expect(repository: string, tag: string): void {
    // Whoever needs it is told what went wrong; nobody may.
    this.#tag(repository, tag).catch(() => undefined);
  }

  /** Asks about an image; by looking only, until `findings`. */
  add(image: Image, guess: Guess): void {
    this.#guesses.set(image, guess);
    this.#stand(image).catch(() => undefined);
    this.#repositories.doubt(image);
    if (guess !== 'untagged') return;
    this.#begin(image).catch(() => undefined);
    this.#ask(image).catch(() => undefined);
  }

  /**
   * The first image of a type is looked through while others are still being read: the registry will be
   * put to the proof with it.
   */
  async #begin(image: Image): Promise<void> {
    const {target, manifests, blobs} = image;
    if (this.#offers === undefined) return;
    const wanted = manifests.flatMap(({manifest, descriptor: {mediaType}}) => {
      if (manifest.kind !== 'image' || this.#begun.has(mediaType)) return [];
      this.#begun.add(mediaType);
      return below(manifest).flatMap(digest => blobs.get(digest) ?? []);
    });
    if (wanted.length === 0 || !(await this.#repositories.exists(target.repository))) return;
    await Promise.all(wanted.map(blob => this.#has(target.repository, blob)));
  }

  /**
   * All that is known of these images, when the answers are in. They have all been read by now: so manifests
   * may be offered from here on, which writes to the target those of which all is there.
   * @throws RegistryError; the signal's reason
   */
  async findings(images: readonly Image[]): Promise<Findings> {
    this.#settled.resolve(undefined);
    for (const image of await this.#repositories.uncover(images)) {
      // What was taken for absent without a question is asked for now.
      this.#standings.delete(image);
      this.#askings.delete(image);
      this.#tags.delete(`${image.target.repository}:${image.target.tag}`);
    }
    const standings = new Map<Image, Standing>();
    await Promise.all(
      images.map(async image => {
        const asked = this.#stand(image);
        const due =
          this.#guesses.get(image) === 'untagged' ||
          (await asked).tagged !== image.root.descriptor.digest;
        const [standing] = await Promise.all([asked, due && this.#ask(image)]);
        standings.set(image, standing);
      })
    );
    const {present, told} = await this.#known();
    await Promise.all(
      [...standings].map(async ([image, standing]) => {
        const {repository} = image.target;
        const whole = [...image.blobs.keys()].every(digest =>
          present.has(pair(repository, digest))
        );
        if (!whole || standing.tagged === image.root.descriptor.digest) return;
        standings.set(image, {...standing, manifests: await this.#staged(image)});
      })
    );
    return {standings, present, told, exists: await this.#repositories.known()};
  }

  async #known(): Promise<Pick<Findings, 'present' | 'told'>> {
    const present = new Set<string>();
    for (const [key, asked] of this.#blobs) if (await asked) present.add(key);
    const told = new Set<string>();
    for (const [key, there] of this.#told) {
      if (!there || this.#blobs.has(key)) continue;
      present.add(key);
      told.add(key);
    }
    return {present, told};
  }

  /**
   * The manifests that are there although the tag is not: those of an image that was staged. What refers
   * to the image is put anew: whether the target lists it, its digest does not tell.
   */
  async #staged({target: {repository}, manifests}: Image): Promise<ReadonlySet<Digest>> {
    const {target, slots, signal} = this.#options;
    const there = await Promise.all(
      manifests.map(async ({descriptor: {digest}}) => {
        const found = await slots.run(() => resolveManifest(target, repository, digest, signal));
        return found === digest ? [digest] : [];
      })
    );
    return new Set(there.flat());
  }

  #stand(image: Image): Promise<Standing> {
    return once(this.#standings, image, () => this.#look(image));
  }

  async #look(image: Image): Promise<Standing> {
    const {target, slots, signal} = this.#options;
    const {repository, tag} = image.target;
    const asked = this.#tag(repository, tag);
    if (this.#guesses.get(image) === 'tagged' && (await this.#repositories.exists(repository))) {
      for (const blob of image.blobs.values()) this.#has(repository, blob).catch(() => undefined);
    }
    const tagged = await asked;
    const manifests = new Set<Digest>();
    // Under another tag, or none, all manifests are most likely to be put anew, which costs less than
    // asking; unless the blobs tell that the image was staged.
    if (tagged !== image.root.descriptor.digest) {
      const presumed = !(await this.#repositories.exists(repository));
      return {tagged, manifests, presumed};
    }
    await Promise.all([
      ...[...image.blobs.values()].map(blob => this.#has(repository, blob)),
      ...[...image.manifests, ...image.attached].map(async ({descriptor: {digest}, manifest}) => {
        const there =
          digest === tagged ||
          (await slots.run(() => resolveManifest(target, repository, digest, signal))) === digest;
        if (there && (await this.#lists.has(repository, digest, manifest.subject?.digest)))
          manifests.add(digest);
      })
    ]);
    return {tagged, manifests};
  }

  /** What is there of an image that is not tagged yet: by offering its manifests, else by looking. */
  #ask(image: Image): Promise<void> {
    return once(this.#askings, image, () => this.#askAbout(image));
  }

  async #askAbout(image: Image): Promise<void> {
    const {repository} = image.target;
    await this.#settled.promise;
    if (!(await this.#repositories.exists(repository))) return;
    const left = new Map(image.blobs);
    // Where all of it was looked at in vain, the registry's word is not needed any more.
    const offered = this.#guesses.get(image) === 'tagged' ? [] : image.manifests;
    await Promise.all(
      offered.map(async node => {
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
    const look = () => new Map(blobs.map(blob => [blob.digest, this.#has(repository, blob)]));
    const said = await this.#offers?.ask(repository, node, look);
    if (said === undefined) return false;
    for (const {digest} of blobs) this.#told.set(pair(repository, digest), !said.has(digest));
    return true;
  }

  #tag(repository: string, tag: string): Promise<Digest | undefined> {
    const {target, slots, signal} = this.#options;
    return once(this.#tags, `${repository}:${tag}`, async () =>
      (await this.#repositories.exists(repository))
        ? await slots.run(() => resolveManifest(target, repository, tag, signal))
        : undefined
    );
  }

  #has(repository: string, blob: Descriptor): Promise<boolean> {
    const {target, slots, signal} = this.#options;
    return once(this.#blobs, pair(repository, blob.digest), async () => {
      const has = await slots.run(() => hasBlob(target, repository, blob, signal));
      return has === 'present';
    });
  }
}
