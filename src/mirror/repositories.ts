import type {Descriptor} from '../oci/descriptor.ts';
import type {Image} from './graph.ts';

/**
 * Which of the target's repositories hold something, by its catalogue: one question in place of one for
 * each blob. Some registries leave out what has no tag, and staged images have none; so the catalogue is
 * put to the proof.
 */
export class Repositories {
  readonly #has: (repository: string, blob: Descriptor) => Promise<boolean>;
  readonly #hidden = new Set<string>();
  #listed: Promise<ReadonlySet<string> | undefined> | undefined;
  /** Whether the first repository that it leaves out holds something; undefined while it leaves out none. */
  #doubt: Promise<boolean | undefined> | undefined;

  /** @param has asks whether a blob is there */
  constructor(has: (repository: string, blob: Descriptor) => Promise<boolean>) {
    this.#has = has;
  }

  /** Takes the target's catalogue, which may still be on its way; it is undefined where it tells nothing. */
  list(listed: Promise<ReadonlySet<string> | undefined>): void {
    this.#listed = listed;
  }

  /**
   * Puts the catalogue to the proof with an image that has just become known. The first one is asked
   * for beside the catalogue; one answer tells for all.
   */
  doubt(image: Image): void {
    if (this.#listed === undefined) return;
    const {repository} = image.target;
    const first = this.#doubt === undefined;
    const before = this.#doubt ?? Promise.resolve(undefined);
    this.#doubt = before.then(async known => {
      if (known !== undefined) return known;
      if (!first && (await this.#listed)?.has(repository) !== false) return undefined;
      return await this.#isHidden(image);
    });
    this.#doubt.catch(() => undefined);
  }

  /** Whether a repository may hold something, as far as is known by now. */
  async exists(repository: string): Promise<boolean> {
    return (await this.#listed)?.has(repository) !== false || this.#hidden.has(repository);
  }

  /** The same for many, at once. */
  async known(): Promise<(repository: string) => boolean> {
    const listed = await this.#listed;
    return repository => listed?.has(repository) !== false || this.#hidden.has(repository);
  }

  /**
   * Finds repositories that hold something although the catalogue leaves them out. Several releases,
   * which may have been staged by several machines, are worth a question for each repository; of one
   * release, one tells for all of them.
   * @returns the images whose repositories were taken for absent
   */
  async uncover(images: readonly Image[]): Promise<readonly Image[]> {
    const listed = await this.#listed;
    if (listed === undefined) return [];
    const several = new Set(images.map(({release}) => release)).size > 1;
    if (!several && (await this.#doubt) !== true) return [];
    const unlisted = images.filter(({target: {repository}}) => !listed.has(repository));
    const byRepository = new Map(unlisted.map(image => [image.target.repository, image]));
    await Promise.all([...byRepository.values()].map(image => this.#isHidden(image)));
    return unlisted.filter(({target: {repository}}) => this.#hidden.has(repository));
  }

  /**
   * Whether a repository that is not in the catalogue has the image's smallest blob: small ones come
   * early. Undefined where it is in the catalogue.
   */
  async #isHidden({target: {repository}, blobs}: Image): Promise<boolean | undefined> {
    const [smallest] = [...blobs.values()].sort((one, other) => one.size - other.size);
    const asked = smallest === undefined ? false : this.#has(repository, smallest);
    const [listed, found] = await Promise.all([this.#listed, asked]);
    if (listed?.has(repository) !== false) return undefined;
    if (found) this.#hidden.add(repository);
    return found;
  }
}
