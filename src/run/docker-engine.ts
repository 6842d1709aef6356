import type {Settings} from '../inputs.ts';
import {checkSpace} from '../docker/daemon.ts';
import {mirrorImageByDocker, stagingTag} from '../docker/engine.ts';
import {DockerError} from '../docker/error.ts';
import type {Ended, Engine} from '../mirror/engine.ts';
import {failureOf, MirrorError, notKept, refuseHalf, untagged} from '../mirror/error.ts';
import type {Image, Node} from '../mirror/graph.ts';
import {imageResult} from '../mirror/image-result.ts';
import type {MirrorOptions} from '../mirror/mirror.ts';
import type {Plan, PlannedImage, PlannedRelease} from '../mirror/plan.ts';
import type {ImageResult, Moved, ReleaseResult, ThroughDocker} from '../mirror/result.ts';
import {Slots} from '../mirror/slots.ts';
import {pushTags, type Tagged} from '../mirror/tags.ts';
import type {RegistryName} from '../oci/reference.ts';
import {getManifest, resolveManifest} from '../registry/manifests.ts';
import {bytesOf, contentOf, judgePushed, tellPushed, verifyPushed} from './pushed.ts';
import type {ReadyDocker} from './sign-in.ts';
import {type Lost, removeStaging, type Staged} from './staging.ts';

/** What the docker engine needs beside what the registry engine takes. */
export interface DockerEngineOptions extends Omit<MirrorOptions, 'publish'> {
  readonly docker: ReadyDocker;
  readonly env: NodeJS.ProcessEnv;
  readonly settings: Pick<Settings, 'concurrency' | 'timeout'>;
}

/**
 * So many images at once: a daemon has three downloads and five uploads under way, of all images
 * together. https://docs.docker.com/reference/cli/dockerd/
 */
const mostAtOnce = 4;
/** Layers are packed about 2.5 to 1; packed and unpacked they lie on the disk together for a while. */
const unpacking = 3.5;
/** The part of a run's time that one image may take: a daemon that hangs must not take all of it. */
const imageShare = 3;

/** An image that has been through the daemon, and is at the target under the staging tag. */
interface Arrived {
  readonly planned: PlannedImage;
  readonly bytes: Moved;
  readonly milliseconds: number;
  readonly attempts: number;
  readonly pushed?: Node;
  readonly throughDocker?: ThroughDocker;
  readonly error?: unknown;
}

/**
 * Mirrors releases through a docker daemon. Docker pushes by tag only: so every image goes up under a
 * tag that nobody else has, and when all of a release are there and have been looked at, the registry
 * client gives them their own tags, in the order that a release is published in.
 */
export class DockerEngine implements Engine {
  readonly #options: DockerEngineOptions;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  /** Of one release: where it cannot be taken away, it may not be moved to the next one's either. */
  #tag = stagingTag();
  readonly #slots: Slots;
  /** By repository. */
  readonly #staged = new Map<string, Staged>();

  private constructor(options: DockerEngineOptions) {
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#stop.signal]);
    const most = Math.min(mostAtOnce, options.settings.concurrency);
    this.#slots = new Slots(most, most);
  }

  /**
   * Says what will become of the digests, and sees that the daemon's disk has room for what is there
   * at once.
   * @throws DockerError `space`
   */
  static async open(plan: Plan, options: DockerEngineOptions): Promise<DockerEngine> {
    const {log, env, docker} = options;
    const {daemon} = docker;
    const engine = new DockerEngine(options);
    const due = plan.images.filter(({complete}) => !complete);
    const sizes = due.map(({image}) => sizeAtDaemon(image)).sort((one, other) => other - one);
    const atOnce = sizes.slice(0, engine.#slots.most).reduce((sum, size) => sum + size, 0);
    await checkSpace(atOnce * unpacking, daemon, env);
    if (due.length > 0) {
      log.info(
        daemon.store === 'containerd'
          ? "the daemon's image store keeps digests; of an index one platform travels, which has another digest"
          : "the daemon's image store packs layers anew: most digests will be others than the source's, and of an index one platform travels"
      );
    }
    const again = due.filter(({standing}) => standing.tagged !== undefined).length;
    if (again > 0) {
      log.info(
        `${again === 1 ? 'One image stands' : `${again} images stand`} at the target with another digest than the source's, as docker may have left it; ${again === 1 ? 'it is' : 'they are'} sent again`
      );
    }
    return engine;
  }

  /**
   * Brings a release to the target, all of it or nothing that anybody would see. What failed is in
   * the result; it does not throw for that.
   */
  async release(release: PlannedRelease): Promise<Ended> {
    this.#tag = stagingTag();
    const ended = await this.#mirror(release);
    const staged = [...this.#staged.values()];
    this.#staged.clear();
    const lost = await removeStaging(this.#options, staged, this.#tag);
    return lost === undefined ? ended : withLost(ended, lost);
  }

  async #mirror(release: PlannedRelease): Promise<Ended> {
    const arrived = await this.#bring(release.images.filter(({complete}) => !complete));
    if (arrived.some(({error}) => error !== undefined)) {
      const result = this.#result(release, arrived, {published: false, changed: false});
      return {result, failure: refuseHalf(release.tag, result.images)};
    }
    const {changed, error, left} = await this.#publish(arrived);
    if (error === undefined)
      return {result: this.#result(release, arrived, {published: true, changed})};
    const refused = arrived.map(one => {
      const {name, target} = one.planned.image;
      return {...one, error: untagged(target.repository, error, left.includes(name))};
    });
    const result = this.#result(release, refused, {published: false, changed});
    return {result, failure: refuseHalf(release.tag, result.images, left)};
  }

  /** Largest first; what failed is tried once more when the rest is done. */
  async #bring(due: readonly PlannedImage[]): Promise<readonly Arrived[]> {
    const sorted = [...due].sort((one, other) => other.image.size - one.image.size);
    const first = await this.#pass(sorted, 1);
    const failed = first.filter(({error}) => error !== undefined && !isFinal(error));
    if (failed.length === 0 || this.#signal.aborted) return first;
    this.#options.log.info(
      `${failed.length} of ${due.length} images failed; they are tried once more`
    );
    const second = await this.#pass(
      failed.map(({planned}) => planned),
      2
    );
    const again = new Map(second.map(one => [one.planned, one]));
    return first.map(one => again.get(one.planned) ?? one);
  }

  #pass(due: readonly PlannedImage[], attempts: number): Promise<readonly Arrived[]> {
    return Promise.all(due.map(planned => this.#slots.run(() => this.#attempt(planned, attempts))));
  }

  async #attempt(planned: PlannedImage, attempts: number): Promise<Arrived> {
    const started = performance.now();
    const since = () => performance.now() - started;
    try {
      const came = await this.#through(planned);
      this.#options.arrived(planned.bytes.copied);
      return {planned, ...came, milliseconds: since(), attempts};
    } catch (error) {
      if (isHopeless(error)) this.#stop.abort(error);
      const bytes = {copied: 0, mounted: 0, present: 0};
      return {planned, bytes, milliseconds: since(), attempts, error};
    }
  }

  /** Through the daemon to the staging tag, and a look at what is there then. */
  async #through({
    image
  }: PlannedImage): Promise<Pick<Arrived, 'pushed' | 'bytes' | 'throughDocker'>> {
    const {source, target, docker, env, log, settings} = this.#options;
    const {repository} = image.target;
    const root = image.root.descriptor;
    const staged = this.#staged.get(repository) ?? {repository, pushed: false};
    this.#staged.set(repository, staged);
    const mirrored = await mirrorImageByDocker({
      docker: docker.path,
      configDirectory: docker.configDirectory,
      env,
      log,
      signal: this.#signal,
      source: {registry: source.name, repository: image.source.repository, digest: root.digest},
      target: {registry: target.name, repository, tag: this.#tag},
      ...platformOf(image),
      timeout: settings.timeout / imageShare
    });
    staged.pushed = true;
    const fetched = await getManifest(target, repository, mirrored.digest, this.#signal);
    if (fetched === undefined) {
      throw notKept(target, repository, mirrored.digest, 'was sent it by docker');
    }
    const throughDocker = judgePushed(image, mirrored, contentOf(fetched));
    await verifyPushed(image, fetched, this.#options, this.#signal);
    log.info(`${image.name}: ${tellPushed(throughDocker)}`);
    return {
      pushed: {...fetched, children: []},
      bytes: bytesOf(image, fetched, mirrored),
      throughDocker
    };
  }

  /** Gives the images of a release, which have all arrived, their own tags. */
  async #publish(arrived: readonly Arrived[]): Promise<Tagged> {
    const {target, last, lanes} = this.#options;
    const context = {target, slots: lanes.control, signal: this.#signal};
    try {
      const images = await Promise.all(
        arrived.map(async ({planned, pushed}): Promise<PlannedImage> => {
          if (pushed === undefined) throw new TypeError('an image was not pushed');
          const {image} = planned;
          const {repository, tag} = image.target;
          const tagged = await lanes.control.run(() =>
            resolveManifest(target, repository, tag, this.#signal)
          );
          return {
            ...planned,
            image: {...image, root: pushed},
            standing: {...planned.standing, tagged}
          };
        })
      );
      return await pushTags(images, last, context);
    } catch (error) {
      return {changed: false, error, left: []};
    }
  }

  #result(
    {tag, targetTag, missing, images}: PlannedRelease,
    arrived: readonly Arrived[],
    end: {readonly published: boolean; readonly changed: boolean}
  ): ReleaseResult {
    const known = new Map(arrived.map(one => [one.planned, one]));
    const results = images.map(planned => {
      const one = known.get(planned);
      return one === undefined ? this.#present(planned) : this.#imageResult(one, end.published);
    });
    return {tag, targetTag, missing, images: results, ...end};
  }

  get #names(): {source: RegistryName; target: RegistryName} {
    const {source, target} = this.#options;
    return {source: source.name, target: target.name};
  }

  #present(planned: PlannedImage): ImageResult {
    return imageResult(planned, this.#names, {
      status: 'present',
      bytes: planned.bytes,
      milliseconds: 0
    });
  }

  #imageResult(
    {planned, pushed, bytes, milliseconds, throughDocker, attempts, error}: Arrived,
    published: boolean
  ): ImageResult {
    const moved = published ? 'copied' : 'staged';
    const {image} = planned;
    return imageResult(planned, this.#names, {
      status: error === undefined ? moved : 'failed',
      root: pushed?.descriptor,
      bytes,
      milliseconds,
      ...(throughDocker !== undefined && {throughDocker}),
      ...(error !== undefined && {
        error: {
          host: this.#options.target.name,
          repository: image.target.repository,
          digest: image.root.descriptor.digest,
          attempts,
          ...failureOf(error)
        }
      })
    });
  }
}

/** What became of a release when another tag went along with its staging tag, and stays away. */
function withLost({result}: Ended, {repository, error}: Lost): Ended {
  const images = result.images.map(image =>
    image.target.repository === repository
      ? {...image, status: 'failed' as const, error: failureOf(error)}
      : image
  );
  return {result: {...result, images, published: false, changed: true}, failure: error};
}

/** Arc runs on this platform: where an index has it, that is the one to travel. */
const wanted = 'linux/amd64';

function platformOf(image: Image): {platform?: string} {
  const isIndex = image.root.manifest.kind === 'index';
  return isIndex && image.platforms.includes(wanted) ? {platform: wanted} : {};
}

/** Bytes of the largest image below the root, packed: one platform is what a daemon gets. */
function sizeAtDaemon({manifests}: Image): number {
  const sizes = manifests.map(({manifest}) =>
    manifest.kind === 'index'
      ? 0
      : [manifest.config, ...manifest.layers].reduce((sum, {size}) => sum + size, 0)
  );
  return Math.max(0, ...sizes);
}

/** Failures after which no other image will fare better: the rest is not tried. */
function isHopeless(error: unknown): boolean {
  return error instanceof DockerError && ['missing', 'daemon', 'space'].includes(error.fault);
}

/** Failures for which another try has no point. */
function isFinal(error: unknown): boolean {
  return (
    isHopeless(error) ||
    error instanceof MirrorError ||
    (error instanceof DockerError && error.fault === 'timeout')
  );
}
