import {EmbeddedRegistry, type EmbeddedOptions} from '../../src/demo/registry.ts';
import type {Store} from '../../src/demo/store.ts';
import {digestOf} from '../../src/oci/digest.ts';
import type {InputName} from '../../src/inputs/table.ts';
import {type MirrorRun, mirrorRun} from '../support/mirror-run.ts';
import {imageOf, putImage, type SmallBlob} from '../support/small-release.ts';

/** Where the mirror goes. */
export const mirrored = 'mirror/arcdata';

/** Puts an image of a few hundred bytes into a store: a layer that all have, and one of its own. */
export function putTiny(store: Store, repository: string, name: string, tag: string): void {
  const layers = [blob('common'), blob(`${name} ${tag}`)];
  putImage(store, `${repository}/${name}`, imageOf(`${name} ${tag}`, 'oci', layers), tag);
}

function blob(text: string): SmallBlob {
  const bytes = Buffer.from(`layer ${text}\n`.repeat(5));
  return {bytes, digest: digestOf(bytes)};
}

/** The digest of an image's own layer. */
export function ownLayer(name: string, tag: string): string {
  return blob(`${name} ${tag}`).digest;
}

/** Puts releases into a store. */
export function putReleases(
  store: Store,
  repository: string,
  sets: Iterable<readonly [string, readonly string[]]>
): void {
  for (const [tag, names] of sets) for (const name of names) putTiny(store, repository, name, tag);
}

/** Two registries, and runs from one to the other. */
export class World implements AsyncDisposable {
  readonly source: EmbeddedRegistry;
  readonly target: EmbeddedRegistry;

  private constructor(source: EmbeddedRegistry, target: EmbeddedRegistry) {
    this.source = source;
    this.target = target;
  }

  static async begin(source: EmbeddedOptions = {}, target: EmbeddedOptions = {}): Promise<World> {
    return new World(await EmbeddedRegistry.start(source), await EmbeddedRegistry.start(target));
  }

  /** Mirrors, with the release's own images unless the inputs say otherwise. */
  async mirror(
    tag: string,
    inputs: Readonly<Partial<Record<InputName, string>>> = {}
  ): Promise<MirrorRun> {
    const {source, target} = this;
    return await mirrorRun({source, target, inputs: {'source-tag': tag, images: '', ...inputs}});
  }

  /** The images at the target under a tag, sorted. */
  imagesOf(tag: string): readonly string[] {
    const {store} = this.target;
    return store
      .repositories()
      .filter(name => store.tag(name, tag) !== undefined)
      .map(name => name.slice(mirrored.length + 1));
  }

  /** The images at the target under a tag that are not whole, or not the source's. */
  broken(tag: string): readonly string[] {
    const {store} = this.target;
    return this.imagesOf(tag).filter(name => {
      const digest = store.tag(`${mirrored}/${name}`, tag);
      return (
        digest === undefined ||
        digest !== this.source.store.tag(`arcdata/${name}`, tag) ||
        store.holes(`${mirrored}/${name}`, digest).length > 0
      );
    });
  }

  /** The tags that Arc would take for releases, in the order in which they came. */
  published(): readonly string[] {
    return this.target.store.tagEvents
      .filter(({repository}) => repository === `${mirrored}/arc-controller`)
      .map(({tag}) => tag);
  }

  /** The requests at the target that are no questions. */
  writes(): readonly string[] {
    return this.target.requests
      .filter(({method}) => method !== 'GET' && method !== 'HEAD')
      .map(({method, path}) => `${method} ${path}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source[Symbol.asyncDispose]();
    await this.target[Symbol.asyncDispose]();
  }
}
