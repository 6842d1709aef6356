import type {Log} from '../log.ts';
import type {Digest} from '../oci/digest.ts';
import {hasBlob, type Presence} from '../registry/blobs.ts';
import {resolveManifest} from '../registry/manifests.ts';
import type {Registry} from '../registry/registry.ts';
import {all} from './all.ts';
import type {Ended, Engine} from './engine.ts';
import {failureOf, refuseHalf, untagged} from './error.ts';
import {imageResult, statusOf} from './image-result.ts';
import {pair, type Placement, type PlannedRelease} from './plan.ts';
import {commitImage, lookAgain, type PublishContext} from './publish.ts';
import {proveChecks} from './proof.ts';
import type {ReleaseResult} from './result.ts';
import type {Lanes} from './schedule.ts';
import {Slots} from './slots.ts';
import {pushTags, type Tagged} from './tags.ts';
import {type Brought, Transfer} from './transfer.ts';

/** What all releases of a run share. */
export interface MirrorOptions {
  readonly source: Registry;
  readonly target: Registry;
  readonly lanes: Lanes;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly arrived: (bytes: number) => void;
  /** Whether tags are pushed; else everything is staged by digest. */
  readonly publish: boolean;
  /** The images whose tags come last, in this order. */
  readonly last: readonly string[];
}

/** Few enough to leave the connections to what travels; a round trip of 100 ms still makes 160 a second. */
const looksAtOnce = 16;

/**
 * For so long it is believed that what was seen at the target is there, in milliseconds: whoever tidies up
 * spares what is new, most of them for longer.
 */
const believed = 600_000;

const present = Promise.resolve('present' as const);

/** Mirrors releases one after the other; what one brought is there for the next. */
export class Mirror implements Engine {
  readonly #options: MirrorOptions;
  readonly #transfer: Transfer;
  readonly #landed = new Set<string>();
  /** When the plan had been made, by the target's clock. */
  readonly #begun: number;
  /** What tags were set to, by `repository:tag`: releases of one version share that of their chart. */
  readonly #tags = new Map<string, Digest>();
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;

  constructor(options: MirrorOptions) {
    this.#options = options;
    this.#begun = options.target.transport.clock.now();
    this.#signal = AbortSignal.any([options.signal, this.#stop.signal]);
    this.#transfer = new Transfer({...options, landed: this.#landed, signal: this.#signal});
  }

  /**
   * Brings a release to the target: all blobs and manifests of all images, then, only if none is
   * missing, the tags. What failed is in the result; it does not throw for that.
   */
  async release(release: PlannedRelease): Promise<Ended> {
    const {target, lanes, publish} = this.#options;
    for (const {image, standing} of release.images) {
      for (const digest of standing.manifests)
        this.#landed.add(pair(image.target.repository, digest));
    }
    const context = {
      target,
      slots: lanes.control,
      signal: this.#signal,
      publish,
      landed: this.#landed,
      proven: this.#prove(release),
      looks: this.#lookAt(release),
      arrived: this.#options.arrived,
      repair: (placement: Placement) => this.#transfer.repair(placement)
    };
    const brought = await this.#transfer.bring(
      release.images,
      planned => commitImage(planned, context),
      error => {
        this.#stop.abort(error);
      }
    );
    if (brought.some(({error}) => error !== undefined)) {
      const result = this.#result(release, brought, false);
      return {result, failure: refuseHalf(release.tag, result.images)};
    }
    if (!publish) {
      // What had its tags before is published, though this run was not to push any.
      return {
        result: this.#result(
          release,
          brought,
          release.images.every(({complete}) => complete)
        )
      };
    }
    const {known, ...tagged} = await this.#tag(brought, context);
    const result = this.#result(release, known, tagged.error === undefined, tagged);
    return {
      result,
      ...(!result.published && {failure: refuseHalf(release.tag, result.images, tagged.left)})
    };
  }

  /** Moves the tags of images that have all arrived, by what is known of the tags now. */
  async #tag(
    brought: readonly Brought[],
    context: PublishContext
  ): Promise<Tagged & {readonly known: readonly Brought[]}> {
    let known = brought;
    try {
      known = this.#afterOthers(await this.#recall(brought));
      const planned = known.map(one => one.planned);
      const {clock} = context.target.transport;
      if (clock.now() - this.#begun > believed) {
        this.#options.log.info('everything is looked at once more, since the run took long');
        await all(planned.map(one => lookAgain(one, context)));
      }
      const tagged = await pushTags(planned, this.#options.last, context);
      if (tagged.error === undefined) {
        for (const {image} of planned) {
          const {repository, tag} = image.target;
          this.#tags.set(`${repository}:${tag}`, image.root.descriptor.digest);
        }
      }
      return {...tagged, known};
    } catch (error) {
      return {changed: false, error, left: [], known};
    }
  }

  /** While the first bytes travel. Without a proof, everything is looked at from here. */
  async #prove({images}: PlannedRelease): Promise<void> {
    try {
      await proveChecks(this.#options.target, images, this.#landed, this.#signal);
    } catch (error) {
      this.#options.log.debug(`nothing is known of the target's own checks: ${String(error)}`);
    }
  }

  /**
   * Looks at the blobs that the registry only said it has, each in one of its repositories, while others
   * travel. That a repository has a blob, its word has been proven good for; that the bytes are there
   * in full, nobody has seen.
   */
  #lookAt({images}: PlannedRelease): ReadonlyMap<Digest, Promise<Presence>> {
    const {target} = this.#options;
    const most = Math.min(looksAtOnce, this.#options.lanes.control.most);
    const slots = new Slots(most, most);
    const looks = new Map<Digest, Promise<Presence>>();
    const placements = images.flatMap(one => one.placements);
    for (const {way, told, descriptor} of placements) {
      // Seen while the plan was made, maybe in another repository.
      if (way === 'present' && told !== true) looks.set(descriptor.digest, present);
    }
    for (const {told, targetRepository, descriptor} of placements) {
      if (told !== true || looks.has(descriptor.digest)) continue;
      const look = slots.run(() => hasBlob(target, targetRepository, descriptor, this.#signal));
      // What went wrong is told to the image that waits for it; there may be none left.
      look.catch(() => undefined);
      looks.set(descriptor.digest, look);
    }
    return looks;
  }

  /**
   * Once the registry's catalogue has turned out to leave out what holds something: what the tags stand
   * for that were taken for absent, so that they can be put back, and nothing counts as new that is not.
   */
  async #recall(brought: readonly Brought[]): Promise<readonly Brought[]> {
    const {target, lanes} = this.#options;
    if (target.learned.hidesRepositories !== true) return brought;
    return await Promise.all(
      brought.map(async one => {
        const {image, standing} = one.planned;
        if (standing.presumed !== true) return one;
        const {repository, tag} = image.target;
        const tagged = await lanes.control.run(() =>
          resolveManifest(target, repository, tag, this.#signal)
        );
        return {...one, planned: {...one.planned, standing: {...standing, tagged}}};
      })
    );
  }

  /**
   * What a tag stands for since an earlier release of this run has set it. The plan is older: by its word,
   * a release that fails would take back what that one has published.
   */
  #afterOthers(brought: readonly Brought[]): readonly Brought[] {
    return brought.map(one => {
      const {image, standing} = one.planned;
      const tagged = this.#tags.get(`${image.target.repository}:${image.target.tag}`);
      if (tagged === undefined) return one;
      return {...one, planned: {...one.planned, standing: {...standing, tagged}}};
    });
  }

  #result(
    {tag, targetTag, missing}: PlannedRelease,
    brought: readonly Brought[],
    published: boolean,
    {changed, error: refused, left}: Tagged = {changed: false, left: []}
  ): ReleaseResult {
    const {source, target} = this.#options;
    const images = brought.map(({planned, bytes, error, milliseconds}) => {
      const {name, target: place} = planned.image;
      const failure =
        error ??
        (planned.complete ? undefined : untagged(place.repository, refused, left.includes(name)));
      return imageResult(
        planned,
        {source: source.name, target: target.name},
        {
          status: failure === undefined ? statusOf(bytes, planned, published) : 'failed',
          bytes,
          milliseconds,
          ...(failure !== undefined && {error: failureOf(failure)})
        }
      );
    });
    return {tag, targetTag, missing, images, published, changed};
  }
}
