import type {Log} from '../log.ts';
import {hasBlob} from '../registry/blobs.ts';
import {RegistryError} from '../registry/error.ts';
import {BlobReader} from '../registry/reader.ts';
import type {Registry} from '../registry/registry.ts';
import {mountBlob, type Session} from '../registry/sessions.ts';
import {Upload} from '../registry/uploads.ts';
import {deferred} from './deferred.ts';
import {Mounts} from './mounts.ts';
import {pair, type Placement, type PlannedImage} from './plan.ts';
import type {Moved} from './result.ts';
import {type Lanes, largestFirst} from './schedule.ts';

/** What bringing blobs to the target needs. */
export interface TransferContext {
  readonly source: Registry;
  readonly target: Registry;
  readonly lanes: Lanes;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** What is at the target, by `pair`: added to as it arrives. */
  readonly landed: Set<string>;
  /** Told of bytes when they arrive for the first time. */
  readonly arrived: (bytes: number) => void;
}

/** What became of one image: its bytes, and why it failed if it did. */
export interface Brought {
  readonly planned: PlannedImage;
  readonly bytes: Moved;
  readonly error?: unknown;
  /** From its first piece to its last, in milliseconds. */
  readonly milliseconds: number;
}

type Outcome = {readonly way: keyof Moved} | {readonly error: unknown};

/**
 * Brings blobs to where they are needed, each unique one once, and hands over every image whose
 * blobs are all in place. It lives as long as the run: what one release brought is there for the next.
 */
export class Transfer {
  readonly #context: TransferContext;
  readonly #failures = new Set<string>();
  /** Whose bytes those of a blob in a repository are. */
  readonly #claimed = new Map<string, PlannedImage>();
  /** What this release, and none before it, was the first to bring to a repository, by `pair`. */
  readonly #begun = new Set<string>();
  readonly #outcomes = new Map<string, Promise<Outcome>>();
  /** Resolves when the manifests of the first image of a repository are committed, or cannot be. */
  readonly #commits = new Map<string, Promise<void>>();
  readonly #mounts: Mounts;

  constructor(context: TransferContext) {
    this.#context = context;
    const {target, lanes, signal} = context;
    this.#mounts = new Mounts({target, slots: lanes.control, signal});
  }

  /**
   * Brings all blobs of these images in place; what failed is tried once more when the rest is done.
   * @param commit called once for each image when its blobs are in place; it may throw
   * @param stop aborts everything when an error leaves no hope for the rest
   */
  async bring(
    images: readonly PlannedImage[],
    commit: (image: PlannedImage) => Promise<void>,
    stop: (error: unknown) => void
  ): Promise<readonly Brought[]> {
    // What an earlier release committed tells nothing of this one.
    this.#commits.clear();
    this.#begun.clear();
    const first = await this.#pass(images, commit, stop);
    const failed = first.filter(({error}) => error !== undefined);
    if (failed.length === 0 || this.#context.signal.aborted) return first;
    this.#context.log.info(
      `${failed.length} of ${images.length} images failed; they are tried once more`
    );
    this.#forgetFailures();
    const second = await this.#pass(
      failed.map(({planned}) => planned),
      commit,
      stop
    );
    const again = new Map(second.map(brought => [brought.planned, brought]));
    return first.map(brought => {
      const later = again.get(brought.planned);
      return later === undefined
        ? brought
        : {...later, error: bothTimes(brought.error, later.error)};
    });
  }

  /** Puts a blob in its place again, one that the target turned out not to have. */
  async repair(placement: Placement): Promise<void> {
    // What the registry says without being given the bytes has just turned out to be wrong.
    const given = {...placement, presumed: false};
    await this.#context.lanes.large.run(() => this.#copy(given, undefined));
  }

  #forgetFailures(): void {
    for (const key of this.#failures) this.#outcomes.delete(key);
    this.#failures.clear();
    this.#commits.clear();
  }

  async #pass(
    images: readonly PlannedImage[],
    commit: (image: PlannedImage) => Promise<void>,
    stop: (error: unknown) => void
  ): Promise<readonly Brought[]> {
    const {lanes} = this.#context;
    const copies: {placement: Placement; settle: (outcome: Outcome) => void}[] = [];
    const started = performance.now();
    const pieces = images.map(planned => ({
      planned,
      outcomes: planned.placements.map(placement => this.#outcome(placement, copies))
    }));
    const handing = pieces.map(async ({planned, outcomes}): Promise<Brought> => {
      const committed = deferred<undefined>();
      const {repository} = planned.image.target;
      if (!this.#commits.has(repository)) this.#commits.set(repository, committed.promise);
      const bytes = {copied: 0, mounted: 0, present: 0};
      try {
        const all = await Promise.all(outcomes);
        // What has arrived has arrived, also where the image fails.
        all.forEach((outcome, i) => {
          const size = planned.placements[i]?.descriptor.size ?? 0;
          if ('way' in outcome) bytes[this.#claim(planned, i) ? outcome.way : 'present'] += size;
        });
        const failure = all.find(outcome => 'error' in outcome);
        if (failure !== undefined && 'error' in failure) throw failure.error;
        await commit(planned);
        for (const {descriptor} of [...planned.image.manifests, ...planned.image.attached]) {
          bytes[planned.standing.manifests.has(descriptor.digest) ? 'present' : 'copied'] +=
            descriptor.size;
        }
        return {planned, bytes, milliseconds: performance.now() - started};
      } catch (error) {
        if (isHopeless(error)) stop(error);
        return {planned, bytes, error, milliseconds: performance.now() - started};
      } finally {
        committed.resolve(undefined);
      }
    });
    await largestFirst(
      copies,
      ({placement}) => placement.descriptor.size,
      lanes,
      async ({placement, settle}) => {
        settle(await this.#attempt(placement, () => this.#copy(placement, undefined)));
      }
    );
    return await Promise.all(handing);
  }

  /** Bytes of a blob that two images of one repository share are counted for the first one. */
  #claim(planned: PlannedImage, i: number): boolean {
    const placement = planned.placements[i];
    if (placement === undefined) return false;
    const key = pair(placement.targetRepository, placement.descriptor.digest);
    const owner = this.#claimed.get(key) ?? planned;
    this.#claimed.set(key, owner);
    return owner === planned;
  }

  /** What becomes of a placement, decided once; copies are queued for the lanes. */
  #outcome(
    placement: Placement,
    copies: {placement: Placement; settle: (outcome: Outcome) => void}[]
  ): Promise<Outcome> {
    const key = pair(placement.targetRepository, placement.descriptor.digest);
    const known = this.#outcomes.get(key);
    if (known !== undefined) return known;
    this.#begun.add(key);
    const outcome = this.#begin(placement, copies);
    this.#outcomes.set(key, outcome);
    void outcome.then(result => {
      if ('error' in result) this.#failures.add(key);
      else this.#context.landed.add(key);
    });
    return outcome;
  }

  #begin(
    placement: Placement,
    copies: {placement: Placement; settle: (outcome: Outcome) => void}[]
  ): Promise<Outcome> {
    if (placement.way === 'present') {
      this.#context.landed.add(pair(placement.targetRepository, placement.descriptor.digest));
      return Promise.resolve({way: 'present'});
    }
    if (placement.way === 'copy') {
      const {promise, resolve} = deferred<Outcome>();
      copies.push({placement, settle: resolve});
      return promise;
    }
    return this.#attempt(placement, () => this.#mount(placement));
  }

  async #attempt(placement: Placement, work: () => Promise<keyof Moved>): Promise<Outcome> {
    try {
      this.#context.signal.throwIfAborted();
      return {way: await work()};
    } catch (error) {
      this.#context.log.debug(
        `${placement.targetRepository}@${placement.descriptor.digest} failed: ${String(error)}`
      );
      return {error};
    }
  }

  async #copy(placement: Placement, opened: Session | undefined): Promise<'copied' | 'present'> {
    const {source, target, signal, arrived} = this.#context;
    const {sourceRepository, targetRepository, descriptor} = placement;
    const reader = new BlobReader(source, sourceRepository, descriptor, arrived);
    reader.prefetch(signal);
    try {
      let session = opened;
      if (placement.presumed === true && session === undefined) {
        // A mount from itself asks whether the blob is there and opens the upload if not, at once.
        const {digest} = descriptor;
        const answer = await mountBlob(target, targetRepository, digest, targetRepository, signal);
        if (answer === 'mounted') {
          target.learned.hidesRepositories = true;
          // Its word alone: that the bytes are there, nobody has seen.
          if ((await hasBlob(target, targetRepository, descriptor, signal)) !== 'absent')
            return 'present';
        } else session = answer;
      }
      await new Upload(target, targetRepository, reader, session, signal).run();
    } finally {
      reader.release();
    }
    return 'copied';
  }

  /** Takes a blob over from its home, once it is there; where that cannot be, it travels once more. */
  async #mount(placement: Placement): Promise<keyof Moved> {
    const {from = '', descriptor} = placement;
    const key = pair(from, descriptor.digest);
    const home = await this.#outcomes.get(key);
    if (home !== undefined && 'error' in home) throw home.error;
    // Only what came with this release waits for a commit: its home is an earlier image of it, so that
    // no two images can wait for each other. What an earlier release brought is committed.
    const committed = async () => {
      if (placement.fresh === true && this.#begun.has(key)) await this.#commits.get(from);
    };
    const answer = await this.#mounts.take(placement, committed);
    if (answer === 'mounted') return 'mounted';
    return await this.#context.lanes.large.run(() => this.#copy(placement, answer));
  }
}

/** The second of two failures with the tries of both; the same one may be that of several images. */
function bothTimes(first: unknown, second: unknown): unknown {
  return first instanceof RegistryError && second instanceof RegistryError && first !== second
    ? second.tried(first.attempts + second.attempts)
    : second;
}

/** Errors after which nothing else at that registry will go well either. */
function isHopeless(error: unknown): boolean {
  if (!(error instanceof RegistryError)) return false;
  return (
    ['unauthorized', 'address', 'certificate', 'proxy'].includes(error.fault) ||
    error.status === 507
  );
}
