import {clean} from '../oci/clean.ts';
import type {Descriptor} from '../oci/descriptor.ts';
import {algorithmOf, type Digest, digestOf} from '../oci/digest.ts';
import {blobsOf} from '../oci/manifest.ts';
import {hasBlob} from '../registry/blobs.ts';
import {RegistryError} from '../registry/error.ts';
import type {FetchedManifest} from '../registry/fetched-manifest.ts';
import {getManifest} from '../registry/manifests.ts';
import type {Registry} from '../registry/registry.ts';
import {deepest, mostManifests, type Node} from './graph.ts';
import {pair} from './plan.ts';
import {ReferrerLists} from './referrer-lists.ts';
import type {Slots} from './slots.ts';

/** What stands under a tag of the target, if all is as it should be. */
export interface ExpectedImage {
  /** The release's tag at the source. */
  readonly release: string;
  readonly name: string;
  readonly target: {readonly repository: string; readonly tag: string};
  /** The root's digest; undefined where nobody knows it, which is a difference too. */
  readonly digest: Digest | undefined;
  /** Signatures and attestations that belong to it. */
  readonly attached?: readonly Node[];
}

/** One thing at the target that is not as it should be. */
export interface Difference {
  /**
   * `no-digest` nothing is known to compare with; `no-tag` the tag is not there; `other-digest` it
   * stands for something else; `missing` something below it is not there in full; `unreadable` the
   * registry does not give it, or gives other bytes; `unknown` the registry does not say.
   */
  readonly kind: 'no-digest' | 'no-tag' | 'other-digest' | 'missing' | 'unreadable' | 'unknown';
  /** One sentence without its full stop. Clean. */
  readonly message: string;
  /** Of what is missing, or stands in the place of what is expected. */
  readonly digest?: Digest;
}

/** An image of the target that was looked at, down to its blobs. */
export interface VerifiedImage extends ExpectedImage {
  /** What the tag stands for; absent where it is not there or could not be read. */
  readonly found?: Digest;
  /** Manifests and blobs that were found in their place, and their bytes, each once. */
  readonly checked: {readonly manifests: number; readonly blobs: number; readonly bytes: number};
  /** Empty when the image is whole and the one that is expected. */
  readonly differences: readonly Difference[];
}

/** What a verification is made with. */
export interface VerifyOptions {
  readonly target: Registry;
  readonly slots: Slots;
  readonly signal: AbortSignal;
}

/**
 * Looks at images of the target: each tag, and everything below it. Manifests are read and hashed,
 * blobs are asked for, with their length, once for each repository. It only reads.
 */
export class Verifier {
  readonly #options: VerifyOptions;
  readonly #blobs = new Map<string, Promise<Difference | undefined>>();
  /** What the target lists as referring to its manifests. */
  readonly lists: ReferrerLists;

  constructor(options: VerifyOptions) {
    this.#options = options;
    this.lists = new ReferrerLists(options);
  }

  /**
   * Whether the target has the image under its tag, whole. A registry that cannot be asked about it
   * is a difference too; it does not throw for that.
   * @throws the signal's reason
   */
  async image(expected: ExpectedImage): Promise<VerifiedImage> {
    const {repository, tag} = expected.target;
    const {target, slots, signal} = this.#options;
    const place = `${target.name}/${repository}:${tag}`;
    const look = new Look(this, repository);
    const end = (found?: Digest): VerifiedImage => ({
      ...expected,
      ...(found !== undefined && {found}),
      checked: look.checked,
      differences: look.differences
    });
    const {digest} = expected;
    if (digest === undefined) {
      look.differ('no-digest', `there is no digest to compare ${place} with`);
      return end();
    }
    let found: Digest | undefined;
    try {
      const root = await slots.run(() => getManifest(target, repository, tag, signal));
      if (root === undefined) {
        look.differ('no-tag', `${place} does not exist`);
        return end();
      }
      found = digestOf(root.bytes, algorithmOf(digest));
      if (found !== digest) {
        look.differ('other-digest', `${place} stands for ${found} instead of ${digest}`, found);
        return end(found);
      }
      await look.manifest(root, 0);
      await Promise.all(
        (expected.attached ?? []).map(({descriptor}) => look.descend(descriptor, 0))
      );
    } catch (error) {
      look.fail(error, place);
    }
    return end(found);
  }

  /** What is wrong with a blob of a repository; undefined when it is there in full length. */
  blob(repository: string, descriptor: Descriptor): Promise<Difference | undefined> {
    const key = pair(repository, descriptor.digest);
    const known = this.#blobs.get(key);
    if (known !== undefined) return known;
    const asked = this.#ask(repository, descriptor);
    this.#blobs.set(key, asked);
    return asked;
  }

  async #ask(repository: string, descriptor: Descriptor): Promise<Difference | undefined> {
    const {target, slots, signal} = this.#options;
    const {digest} = descriptor;
    const has = await slots.run(() => hasBlob(target, repository, descriptor, signal));
    if (has === 'present') return undefined;
    const place = `${target.name}/${repository}`;
    return has === 'absent'
      ? {kind: 'missing', message: `${place} does not have the blob ${digest} in full`, digest}
      : {
          kind: 'unknown',
          message: `${place} does not say whether it has the blob ${digest}`,
          digest
        };
  }

  /** A manifest of the target by digest. */
  async child(repository: string, digest: Digest): Promise<FetchedManifest | undefined> {
    const {target, slots, signal} = this.#options;
    return await slots.run(() => getManifest(target, repository, digest, signal));
  }

  /** @throws the signal's reason, once it is aborted */
  throwIfEnded(): void {
    this.#options.signal.throwIfAborted();
  }

  /** How the place of something is written. */
  at(repository: string): string {
    return `${this.#options.target.name}/${repository}`;
  }
}

/** The look at one image. */
class Look {
  readonly differences: Difference[] = [];
  readonly checked = {manifests: 0, blobs: 0, bytes: 0};
  readonly #verifier: Verifier;
  readonly #repository: string;
  readonly #seen = new Set<Digest>();
  /** How many of them are manifests. */
  #manifests = 0;

  constructor(verifier: Verifier, repository: string) {
    this.#verifier = verifier;
    this.#repository = repository;
  }

  differ(kind: Difference['kind'], message: string, digest?: Digest): void {
    this.differences.push({kind, message: clean(message), ...(digest !== undefined && {digest})});
  }

  /** An error of the registry is a difference. @throws whatever else it is */
  fail(error: unknown, place: string, digest?: Digest): void {
    this.#verifier.throwIfEnded();
    if (!(error instanceof RegistryError)) throw error;
    this.differ('unreadable', `${place} cannot be read: ${error.message}`, digest);
  }

  /** Looks at what is below a manifest that has been read. */
  async manifest({descriptor, manifest}: FetchedManifest, depth: number): Promise<void> {
    this.#count('manifests', descriptor);
    const {lists} = this.#verifier;
    const subject = manifest.subject?.digest;
    if (!(await lists.has(this.#repository, descriptor.digest, subject))) {
      this.differ(
        'missing',
        `${this.#verifier.at(this.#repository)} does not list ${descriptor.digest} among what refers to ${subject ?? ''}, so nobody finds it there`,
        descriptor.digest
      );
    }
    if (manifest.kind === 'image') {
      await Promise.all(blobsOf(manifest).map(blob => this.#blob(blob)));
      return;
    }
    await Promise.all(manifest.manifests.map(child => this.descend(child, depth + 1)));
  }

  /** Reads a manifest by digest and looks at what is below it. */
  async descend({digest, size}: Descriptor, depth: number): Promise<void> {
    if (this.#seen.has(digest)) return;
    this.#seen.add(digest);
    const place = this.#verifier.at(this.#repository);
    if (depth > deepest || ++this.#manifests > mostManifests) {
      this.differ('unreadable', `${place} has more below the tag than any image has`, digest);
      return;
    }
    try {
      const found = await this.#verifier.child(this.#repository, digest);
      if (found === undefined)
        this.differ('missing', `${place} does not have the manifest ${digest}`, digest);
      else if (found.descriptor.size !== size)
        this.differ(
          'unreadable',
          `${place}@${digest} has another size than its index says`,
          digest
        );
      else await this.manifest(found, depth);
    } catch (error) {
      this.fail(error, `${place}@${digest}`, digest);
    }
  }

  async #blob(descriptor: Descriptor): Promise<void> {
    const {digest} = descriptor;
    if (this.#seen.has(digest)) return;
    this.#seen.add(digest);
    try {
      const difference = await this.#verifier.blob(this.#repository, descriptor);
      if (difference === undefined) this.#count('blobs', descriptor);
      else this.differ(difference.kind, difference.message, digest);
    } catch (error) {
      this.fail(error, `${this.#verifier.at(this.#repository)}@${digest}`, digest);
    }
  }

  #count(what: 'manifests' | 'blobs', {size}: Descriptor): void {
    this.checked[what]++;
    this.checked.bytes += size;
  }
}
