import type {Settings} from '../inputs.ts';
import {listRepositories} from '../registry/catalog.ts';
import type {Registries} from './registries.ts';

/** The names beneath the source's repository, listed once in a run. */
export class Siblings {
  readonly #list: () => Promise<readonly string[] | undefined>;
  #known: Promise<readonly string[] | undefined> | undefined;

  constructor({source}: Registries, settings: Settings, signal: AbortSignal) {
    const prefix = `${settings.source.repository}/`;
    this.#list = async () => {
      const found = await listRepositories(source, prefix, signal);
      return found?.map(name => name.slice(prefix.length));
    };
  }

  /** Asks for them, before anybody needs them. */
  expect(): void {
    // Whoever needs them is told what went wrong.
    this.list().catch(() => undefined);
  }

  /**
   * The names, such as `arc-dns`; undefined where the source does not tell.
   * @throws RegistryError; the signal's reason
   */
  list(): Promise<readonly string[] | undefined> {
    this.#known ??= this.#list();
    return this.#known;
  }
}
