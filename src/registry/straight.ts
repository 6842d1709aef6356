import type {Agents} from './agents.ts';
import {RegistryError} from './error.ts';
import type {WireMethod} from './head.ts';
import {type Line, NotPlain, type WireAnswer, type WireTarget} from './line.ts';
import type {Judge, Names} from './names.ts';
import type {Answer, Outgoing, Timings} from './transport.ts';
import {Wires} from './wire.ts';

/** How many kept connections in a row may turn out to be closed before it counts. */
const stale = 8;

/** The straight way of `wire.ts`, under the transport's limits and with its names and trust. */
export class StraightWay {
  readonly #agents: Agents;
  readonly #names: Names;
  readonly #timings: Timings;
  readonly #wires = new Wires();
  /** Methods of an origin whose answers are not of the plain kind. */
  readonly #winding = new Set<string>();

  constructor(agents: Agents, names: Names, timings: Timings) {
    this.#agents = agents;
    this.#names = names;
    this.#timings = timings;
  }

  /**
   * Sends a request the straight way, with a body only if that is at hand.
   * @returns undefined where it cannot be gone: through a proxy, or the answer is not plain
   * @throws what the connection throws; RegistryError of the kind stalled
   */
  async ask(outgoing: Outgoing): Promise<Answer | undefined> {
    const {method, url, judge, headers, body, signal} = outgoing;
    if (!isStraight(method) || (body !== undefined && !(body instanceof Uint8Array)))
      return undefined;
    const kind = `${method} ${url.origin}`;
    if (this.#winding.has(kind) || !this.#agents.isDirect(url)) return undefined;
    const target = this.#target(url, judge);
    for (let i = 0; ; i++) {
      signal.throwIfAborted();
      const {line, answer} = this.#wires.ask(method, target, headers, body);
      const used = line.used;
      try {
        const given = await this.#within(line, answer, outgoing);
        given.body.until(signal);
        return answerOf(given, url);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof NotPlain) {
          this.#winding.add(kind);
          return undefined;
        }
        const {code} = error as NodeJS.ErrnoException;
        // Whether a POST was carried out before the connection broke, nobody knows: it may leave an upload.
        const again = method === 'POST' ? 1 : stale;
        if (used && i < again && (code === 'ECONNRESET' || code === 'EPIPE')) continue;
        throw error;
      }
    }
  }

  /** Opens connections to an origin that will be asked for much. */
  warm(url: URL, count: number): void {
    if (this.#agents.isDirect(url)) this.#wires.warm(this.#target(url, undefined), count);
  }

  /** Closes what is kept open. */
  close(): void {
    this.#wires.close();
  }

  #target(url: URL, judge: Judge | undefined): WireTarget {
    return {
      url,
      lookup: this.#names.lookup(judge),
      trust: () => this.#agents.trust(),
      key: `${url.origin} ${judge === undefined ? '' : 'judged'}`
    };
  }

  async #within(
    line: Line,
    answer: Promise<WireAnswer>,
    {method, url, answerWithin, signal}: Outgoing
  ): Promise<WireAnswer> {
    let timer: NodeJS.Timeout | undefined;
    const limit = (milliseconds: number, what: string) => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        const text = `${url.host}: ${what} within ${Math.round(milliseconds / 100) / 10} s`;
        line.destroy(
          new RegistryError('stalled', text, {host: url.host, method, path: url.pathname})
        );
      }, milliseconds);
    };
    const give = () => {
      line.destroy(signal.reason as Error);
    };
    limit(this.#timings.connect, 'no connection came about');
    line.whenConnected(() => {
      if (timer !== undefined) limit(answerWithin, 'it did not answer');
    });
    signal.addEventListener('abort', give, {once: true});
    try {
      return await answer;
    } finally {
      clearTimeout(timer);
      timer = undefined;
      signal.removeEventListener('abort', give);
    }
  }
}

function isStraight(method: string): method is WireMethod {
  return method === 'GET' || method === 'HEAD' || method === 'POST' || method === 'PUT';
}

/** With the body both ways: as pieces for those who want many bytes, as a stream for all others. */
function answerOf({status, headers, body}: WireAnswer, url: URL): Answer {
  let stream: Answer['body'] | undefined;
  return {
    status,
    headers,
    url,
    bare: body.over,
    get body() {
      stream ??= body.readable();
      return stream;
    },
    pieces: () => body
  };
}
