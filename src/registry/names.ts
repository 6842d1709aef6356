import {type LookupAddress, promises as dns} from 'node:dns';
import {isIP, type LookupFunction} from 'node:net';

/** Resolves a name to all its addresses; tests bring their own. */
export type Resolve = (host: string) => Promise<readonly LookupAddress[]>;

/** Judges an address before it is connected to, for the registry that sends us there. */
export interface Judge {
  readonly registry: string;
  /** @throws when it must not be connected to */
  (address: string): void;
}

const systemResolve: Resolve = host => dns.lookup(host, {all: true, order: 'verbatim'});

/**
 * The names that a run has resolved. An answer is kept for the run, since behind some names (a
 * geo-replicated registry) stand machines that do not know yet what another one has just taken in.
 */
export class Names {
  readonly #resolve: Resolve;
  readonly #known = new Map<string, Promise<readonly LookupAddress[]>>();
  readonly #found = new Map<string, readonly string[]>();
  /** All that a host was ever found at: what it is judged by is not forgotten. */
  readonly #ever = new Map<string, ReadonlySet<string>>();
  /** Addresses at which all broke, the last one last. */
  readonly #left = new Map<string, readonly string[]>();

  constructor(resolve: Resolve = systemResolve) {
    this.#resolve = resolve;
  }

  /** All addresses of a host. @throws what the resolver throws, such as an error with code ENOTFOUND */
  addresses(host: string): Promise<readonly LookupAddress[]> {
    const family = isIP(host);
    if (family !== 0) return Promise.resolve([{address: host, family}]);
    const known = this.#known.get(host);
    if (known !== undefined) return known;
    const asked = this.#resolve(host).then(
      found => {
        // Whatever order they come in this time.
        const left = this.#left.get(host) ?? [];
        const all = [...found].sort(
          (one, other) => left.lastIndexOf(one.address) - left.lastIndexOf(other.address)
        );
        const addresses = all.map(({address}) => address);
        this.#found.set(host, addresses);
        this.#ever.set(host, new Set([...(this.#ever.get(host) ?? []), ...addresses]));
        return all;
      },
      (error: unknown) => {
        this.#known.delete(host);
        throw error;
      }
    );
    this.#known.set(host, asked);
    return asked;
  }

  /** The addresses of a host that were found last; none where nobody has asked, or all in vain. */
  found(host: string): readonly string[] {
    return isIP(host) === 0 ? (this.#found.get(host) ?? []) : [host];
  }

  /** All the addresses that a host was found at in this run. */
  everFound(host: string): readonly string[] {
    return isIP(host) === 0 ? [...(this.#ever.get(host) ?? [])] : [host];
  }

  /** Forgets a host whose address could not be reached. */
  forget(host: string): void {
    this.#known.delete(host);
  }

  /**
   * Lets the next connection go to another address, as far as there is one: what stands behind this one
   * breaks time and again. The resolver is asked anew, and what was tried comes last.
   */
  turn(host: string): void {
    const [used] = this.found(host);
    this.forget(host);
    if (used === undefined) return;
    const others = (this.#left.get(host) ?? []).filter(address => address !== used);
    this.#left.set(host, [...others, used]);
  }

  /**
   * The `lookup` of a connection. With a judge, every address is judged where it is about to be
   * used, so that no name can stand for another address than the one that was looked at.
   */
  lookup(judge?: Judge): LookupFunction {
    return (host, options, callback) => {
      void this.addresses(host).then(
        all => {
          try {
            if (judge !== undefined) for (const {address} of all) judge(address);
          } catch (error) {
            callback(error as NodeJS.ErrnoException, [], 0);
            return;
          }
          const wanted = all.filter(({family}) => !options.family || family === options.family);
          const first = wanted[0];
          if (first === undefined) {
            const error: NodeJS.ErrnoException = new Error(`${host} has no address of that kind`);
            error.code = 'ENOTFOUND';
            callback(error, [], 0);
          } else if (options.all === true) {
            callback(null, [...wanted]);
          } else {
            callback(null, first.address, first.family);
          }
        },
        (error: unknown) => {
          callback(error as NodeJS.ErrnoException, [], 0);
        }
      );
    };
  }
}
