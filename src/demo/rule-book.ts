import type {Route} from './route.ts';
import type {EffectName, OneOrMore, Rule, RuleMatch} from './rules.ts';

/** What of a request decides whether a rule applies. */
export interface Facts {
  readonly method: string;
  readonly route: Route;
  readonly authorized: boolean;
  readonly ranged: boolean;
  readonly contentRange: boolean;
}

interface LiveRule {
  readonly rule: Rule;
  readonly since: number;
  skip: number;
  left: number;
}

/** Effects that stand in place of the registry's own answer: one a request. */
const standalone: ReadonlySet<EffectName> = new Set([
  'answer',
  'stall',
  'drop',
  'redirect',
  'sign'
]);

/** Effects that change an answer, also one that a rule gives. */
const finishing: ReadonlySet<EffectName> = new Set([
  'cut-download',
  'flip',
  'substitute',
  'headers',
  'link',
  'gzip',
  'lose-answer',
  'delay',
  'close-idle',
  'close-after'
]);

/** The rules of one server. They count themselves down as requests come. */
export class RuleBook {
  #live: LiveRule[] = [];

  /** Adds a rule; `now` is the registry's clock in milliseconds. */
  add(rule: Rule, now: number): void {
    const left = rule.times === 'always' ? Infinity : (rule.times ?? 1);
    this.#live.push({rule, since: now, skip: rule.skip ?? 0, left});
  }

  /** Forgets all rules. */
  clear(): void {
    this.#live = [];
  }

  /**
   * The rules that hit this request, in the order in which they were added. Of those that stand in
   * place of an answer only the first hits; a rule that could have no effect beside it does not hit
   * either, and keeps its count for the next request.
   */
  hits(facts: Facts, now: number): readonly Rule[] {
    const candidates = this.#live.filter(
      live => live.left > 0 && within(live, now) && matches(live.rule.on, facts)
    );
    const effectOf = ({rule}: LiveRule) => rule.do.effect;
    const instead = candidates.filter(live => standalone.has(effectOf(live))).find(spend);
    const beside = candidates.filter(live => {
      const effect = effectOf(live);
      if (standalone.has(effect)) return live === instead;
      const idle = instead && !(effectOf(instead) === 'answer' && finishing.has(effect));
      return idle === true && effect !== 'custom' ? false : spend(live);
    });
    return beside.map(({rule}) => rule);
  }
}

/** Counts a match of a rule; true when it hits. */
function spend(live: LiveRule): boolean {
  if (live.skip > 0) {
    live.skip--;
    return false;
  }
  live.left--;
  return true;
}

function within({rule, since}: LiveRule, now: number): boolean {
  if (rule.window === undefined) return true;
  const age = now - since;
  return age >= (rule.window.from ?? 0) && age < rule.window.to;
}

function matches(on: RuleMatch, facts: Facts): boolean {
  const {method, route} = facts;
  return (
    among(on.method, method) &&
    among(on.kind, route.kind) &&
    among(on.phase, method.toLowerCase()) &&
    named(on.repository, route.repository) &&
    (on.digest === undefined || on.digest === route.digest) &&
    (on.tag === undefined || on.tag === route.tag) &&
    (on.authorized === undefined || on.authorized === facts.authorized) &&
    (on.ranged === undefined || on.ranged === facts.ranged) &&
    (on.contentRange === undefined || on.contentRange === facts.contentRange)
  );
}

function among(wanted: OneOrMore<string> | undefined, value: string): boolean {
  if (wanted === undefined) return true;
  return typeof wanted === 'string' ? wanted === value : wanted.includes(value);
}

function named(wanted: string | RegExp | undefined, value: string | undefined): boolean {
  if (wanted === undefined) return true;
  if (value === undefined) return false;
  return typeof wanted === 'string' ? wanted === value : wanted.test(value);
}
