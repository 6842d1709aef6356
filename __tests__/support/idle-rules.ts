import type {RequestRecord} from '../../src/demo/record.ts';
import type {Effect, Rule} from '../../src/demo/rules.ts';

/** Whoever takes rules and keeps a record of its requests. */
interface Server {
  rule: (rule: Rule) => void;
  readonly requests: readonly RequestRecord[];
}

interface Watched {
  readonly side: string;
  readonly server: Server;
  readonly rule: Rule;
  readonly mark: string;
}

/**
 * Watches the rules that servers are given from now on. A rule that is never hit, or only where it
 * could do nothing, makes a fault test one of the fault-free case, and nobody notices.
 */
export class RuleWatch {
  readonly #watched: Watched[] = [];

  /** Watches one server, which findings call `side`. */
  add(side: string, server: Server): void {
    const give = server.rule.bind(server);
    server.rule = rule => {
      // The request log tells rules apart by their names alone.
      const mark = `${rule.name ?? rule.do.effect}#${this.#watched.length}`;
      this.#watched.push({side, server, rule, mark});
      give({...rule, name: mark});
    };
  }

  /** The rules whose effect never happened, in words. */
  idle(): string[] {
    return this.#watched
      .filter(({server: {requests}, rule, mark}) => {
        const hits = requests.filter(one => one.rule?.split(',').includes(mark) === true);
        return !hits.some(one => happened(rule.do, one, requests));
      })
      .map(({side, rule}) => `a rule of the ${side} had no effect: ${wordsOf(rule)}`);
  }
}

/** Whether an effect came about in a request that its rule has hit. */
function happened(effect: Effect, one: RequestRecord, all: readonly RequestRecord[]): boolean {
  switch (effect.effect) {
    case 'cut-upload':
    case 'stall-upload':
      return one.bytesIn >= Math.floor(effect.after);
    case 'max-body':
      return one.status === (effect.status ?? 413);
    case 'refuse-chunked':
      return one.status === (effect.status ?? 411);
    case 'take':
      return one.bytesIn > effect.bytes;
    case 'cut-download':
      return one.method !== 'HEAD' && one.status > 0 && one.bytesOut >= effect.after;
    case 'flip':
      return one.bytesOut > effect.at;
    case 'substitute':
      return one.status < 300 && one.bytesOut > 0;
    case 'ignore-range':
      return one.headers.range !== undefined && one.status === 200;
    case 'close-after': {
      const upToIt = all.slice(0, all.indexOf(one) + 1);
      const before = upToIt.filter(({connection}) => connection === one.connection);
      return before.length >= effect.requests;
    }
    case 'vanish':
      return one.status === 201;
    case 'lose-session':
      return one.status === (effect.status ?? 404);
    case 'missing':
    case 'immutable':
      return one.status >= 400;
    case 'token':
      return one.kind === 'token';
    case 'location':
      return one.kind === 'upload' || one.kind === 'mount';
    default:
      return true;
  }
}

function wordsOf({on, do: {effect}}: Rule): string {
  const text = JSON.stringify(on, (_name, value: unknown) =>
    value instanceof RegExp ? String(value) : value
  );
  return `${effect} on ${text}`;
}
