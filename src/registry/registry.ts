import type {Log} from '../log.ts';
import {clean} from '../oci/clean.ts';
import type {RegistryName} from '../oci/reference.ts';
import {unlessAborted} from '../on-abort.ts';
import {hostOf} from './address.ts';
import {Authorizer, type Need} from './authorizer.ts';
import {discard, readError} from './body.ts';
import type {FoundCredentials} from './credentials.ts';
import {RegistryError} from './error.ts';
import {explainFor} from './explain.ts';
import type {Judge} from './names.ts';
import {Gate, isPassing, Patience, type PatienceOptions, usualPatience} from './patience.ts';
import {greeting, type Question, streams, versionHeader} from './question.ts';
import {type Learned, type Quirks, quirksOf} from './quirks.ts';
import {followed, judgeAddress, judgeLiteral, mostHops} from './redirect.ts';
import {refusalOf} from './refusal.ts';
import type {Answer, Outgoing, Transport} from './transport.ts';

/** What a registry is spoken to with. */
export interface RegistryOptions {
  readonly name: RegistryName;
  /** The hosts that may be spoken to over plain http. */
  readonly plainHosts: ReadonlySet<string>;
  readonly credentials: FoundCredentials;
  readonly transport: Transport;
  readonly log: Log;
  readonly patience?: PatienceOptions;
  /** When the whole run ends, by the transport's clock, in milliseconds. */
  readonly deadline?: number;
  /** What is done there: `pull` at a source; a target's tokens are good for both. */
  readonly actions: Need['actions'];
  /** Whether a private authority is believed beside the usual ones. */
  readonly privateCa?: boolean;
  /** What is known of it beforehand; by default its name tells. */
  readonly quirks?: Quirks;
  /** Told when the registry is overloaded, so that less is asked of it at once. */
  readonly onPressure?: () => void;
}

/** Nobody is told of a trouble that is over sooner, in milliseconds. */
const hiccup = 5000;
/**
 * Before a refusal is believed of credentials that were good a moment ago, in milliseconds: registries
 * were seen to lose touch with whoever knows their users.
 * https://github.com/goharbor/harbor/issues/15605
 */
const secondThought = 1500;
/** So often something breaks at one address before another one is tried. */
const patientAtAddress = 3;
/** What was under way together breaks together: that counts once. In milliseconds. */
const together = 10_000;

/**
 * One registry: its origin, its credentials, its connections and its moods. It asks questions;
 * the files beside this one, one a noun, know which.
 */
export class Registry {
  readonly name: RegistryName;
  readonly origin: URL;
  readonly quirks: Quirks;
  readonly learned: Learned = {checks: new Set(), lax: new Set()};
  readonly log: Log;
  readonly transport: Transport;
  /** Requests sent, retries and redirects included. */
  requests = 0;
  /** The last failure that is waited out; undefined when something of its kind has worked since. */
  trouble: RegistryError | undefined;
  /**
   * For how many milliseconds it had owed an answer when a question was given up; 0 once it has answered
   * another. Bodies that stream take their time, and do not count.
   */
  silence = 0;
  /** Questions that wait for their answers. */
  #open = 0;
  /** Since when nothing has been answered while something was asked. */
  #askedAt = 0;
  readonly #options: RegistryOptions;
  readonly #authorizer: Authorizer;
  readonly #gate: Gate;
  readonly #judge: Judge;
  readonly #warned = new Set<string>();
  /** Causes of waiting that were told. */
  readonly #told = new Set<string>();
  /** Since when there have only been failures, by method. */
  readonly #failing = new Map<string, {since: number; last: number}>();
  #located: Promise<void> | undefined;
  #met = false;
  /** How often it was found overloaded. */
  #eased = 0;
  /** When another address was tried. */
  #turnedAt = -Infinity;
  /** It has taken these credentials before. */
  #trusted = false;

  constructor(options: RegistryOptions) {
    const {name, plainHosts, transport, log, credentials} = options;
    this.#options = options;
    this.name = name;
    this.log = log;
    this.transport = transport;
    this.quirks = options.quirks ?? quirksOf(name);
    this.origin = new URL(
      `${plainHosts.has(name) ? 'http' : 'https'}://${this.quirks.api ?? name}`
    );
    this.#gate = new Gate(transport.clock);
    this.#judge = judgeAddress(name, () => transport.names.everFound(hostOf(this.origin)));
    this.#authorizer = new Authorizer({
      origin: this.origin,
      transport,
      credentials,
      log,
      judge: this.#judge,
      plainHosts
    });
  }

  /** What the tokens of this run are good for. */
  get actions(): Need['actions'] {
    return this.#options.actions;
  }

  get credentials(): FoundCredentials {
    return this.#authorizer.credentials;
  }

  /** A patience of its own, for whoever tries again by another way than asking the same again. */
  patience(options: Partial<PatienceOptions> = {}): Patience {
    const {patience = usualPatience, deadline = Infinity} = this.#options;
    return new Patience({...patience, ...options}, this.transport.clock, deadline);
  }

  /**
   * Asks, signs in where that is asked for, follows redirects, waits and asks again while the failure may
   * pass.
   * @param read takes in the answer; what breaks while it reads counts as a failure of the question
   * @throws RegistryError, with the number of tries; the signal's reason when it aborts
   */
  async ask<T>(question: Question, read: (answer: Answer) => Promise<T> | T): Promise<T> {
    const {own} = question;
    const patient = this.patience(own === undefined ? {} : {own});
    for (let refused = 0; ;) {
      await unlessAborted((this.#located ??= this.#locate()), question.signal);
      await this.#gate.pass(question.signal);
      const eased = this.#eased;
      try {
        const answer = await this.#signedIn(question);
        this.#heed(answer);
        if (question.expect.includes(answer.status)) {
          this.#failing.delete(question.method);
          if ((this.trouble?.method ?? question.method) === question.method)
            this.trouble = undefined;
          if (
            answer.headers[versionHeader] !== undefined &&
            answer.url.origin === this.origin.origin
          )
            this.learned.speaks = true;
          return await read(answer);
        }
        const {credentials, name, origin, quirks, transport} = this;
        throw await refusalOf(answer, question, {
          ...{credentials, name, origin, quirks, transport},
          used: this.#authorizer.used
        });
      } catch (error) {
        question.signal.throwIfAborted();
        if (!(error instanceof RegistryError)) throw error;
        // The body's own source failed, and has told where: nothing is to be said of this registry.
        if (streams(question) && error.repository !== undefined) throw error;
        const failure = this.#placed(error, question);
        // What was under way when less began to be asked tells nothing of how little is little enough.
        if (
          (failure.fault === 'throttled' || failure.fault === 'server') &&
          eased === this.#eased
        ) {
          this.#eased++;
          this.#options.onPressure?.();
        }
        const {tries = 'patient'} = question;
        if (tries === 'once' || (tries === 'if-throttled' && failure.fault !== 'throttled'))
          throw failure;
        // Of what one may only read, a refusal may say that it is not there.
        const doubtful = failure.fault === 'unauthorized' && question.method === 'PUT';
        if (doubtful && this.#trusted && refused++ === 0) {
          this.log.debug(`${failure.message}; once more, since the credentials were good before`);
          await this.transport.clock.sleep(secondThought, question.signal);
          continue;
        }
        await this.recover(patient, failure, question.signal);
      }
    }
  }

  /**
   * Waits before another try, as long as the failure calls for; when the registry asked for a
   * pause, everything that is bound there waits.
   * @throws the failure, when another try has no point
   */
  async recover(patient: Patience, failure: RegistryError, signal: AbortSignal): Promise<void> {
    const wait = patient.next(failure, this.#met, this.#isDown(failure));
    this.log.debug(`${failure.message}; again in ${Math.round(wait)} ms`);
    this.trouble = failure;
    this.#tellTrouble(failure, wait);
    if (patient.tries >= patientAtAddress) this.#turn(failure);
    if (failure.retryAfter === undefined) await this.transport.clock.sleep(wait, signal);
    else this.#gate.close(wait);
  }

  /** Of several machines behind one name, another one may be well. */
  #turn({fault, through}: RegistryError): void {
    if ((fault !== 'connection' && fault !== 'stalled') || through === undefined) return;
    const now = this.transport.clock.now();
    if (now - this.#turnedAt < together) return;
    this.#turnedAt = now;
    this.transport.turn(through);
  }

  /** Tells once for each cause that somebody is waited for, where that takes longer than a hiccup. */
  #tellTrouble({fault, status, host, method = '', message}: RegistryError, wait: number): void {
    const now = this.transport.clock.now();
    const since = this.#failing.get(method)?.since ?? now;
    const cause = `${host} ${fault} ${status ?? ''}`;
    if (now + wait - since < hiccup || this.#told.has(cause) || this.#told.size >= 20) return;
    this.#told.add(cause);
    this.log.notice(`${message.replace(/^[A-Z]+ \/\S*: /, '')}; trying again`);
  }

  /**
   * Whether nothing of this kind has worked here for so long that whoever comes now need not find
   * that out by a patience of its own: hundreds of blobs would take hours.
   */
  #isDown(failure: RegistryError): boolean {
    const {method = '', retryAfter} = failure;
    // A plain no is an answer.
    if (!isPassing(failure)) return false;
    const now = this.transport.clock.now();
    const {longest} = this.#options.patience ?? usualPatience;
    const known = this.#failing.get(method);
    // Between two failures that nobody tried to get over, it may well have been up. A commit that is
    // never answered fails no sooner than its own time allows.
    const recent =
      known !== undefined && now - known.last <= 4 * longest + this.transport.timings.commit;
    // As long as it says when to come back, it is not down.
    const since = recent && retryAfter === undefined ? known.since : now;
    this.#failing.set(method, {since, last: now});
    return now - since > 2 * (this.#options.patience ?? usualPatience).own;
  }

  /** Learns the registry's own addresses, by which the ones that it names are judged. */
  async #locate(): Promise<void> {
    try {
      await this.transport.names.addresses(hostOf(this.origin));
    } catch {
      // Behind a proxy, names need not resolve here: then only public addresses are believed. Else
      // whoever connects to it has to find them first.
    }
  }

  /**
   * Opens so many connections ahead: a new one costs two round trips and begins slowly, which need
   * not wait until the first bytes are wanted.
   */
  warm(count: {readonly questions: number; readonly bodies: number}): void {
    this.transport.warm(this.origin, count, this.actions);
  }

  /** Shows a message once in a run. */
  warnOnce(message: string): void {
    if (this.#warned.has(message) || this.#warned.size >= 20) return;
    this.#warned.add(message);
    this.log.warning(message);
  }

  /** One question with at most one change of credentials. */
  async #signedIn(question: Question): Promise<Answer> {
    const {needs, signal} = question;
    for (let refused = 0; ; refused++) {
      const authorization = await this.#authorizer.header(needs, signal);
      const answer = await this.#redirected(question, authorization);
      if (authorization !== undefined && answer.status < 400)
        this.#trusted = this.credentials.kind !== 'anonymous';
      if (answer.status !== 401 || answer.url.origin !== this.origin.origin) return answer;
      const again = this.#authorizer.challenged(
        answer.headers['www-authenticate'],
        needs,
        authorization
      );
      // Of a body that streams, nobody knows how much was taken in when the token was refused: its owner
      // begins anew, and the next request finds the new token.
      if (!again || refused >= 1 || streams(question)) return answer;
      await readError(answer, this.transport.timings.idle);
    }
  }

  /** One question through its redirects. Authorization goes to the origin and nowhere else. */
  async #redirected(question: Question, authorization: string | undefined): Promise<Answer> {
    const {timings} = this.transport;
    const {method, signal, body, commit, hot} = question;
    let url = question.path instanceof URL ? question.path : new URL(question.path, this.origin);
    for (let hop = 0; ; hop++) {
      const home = url.origin === this.origin.origin;
      const judge = home ? undefined : this.#judge;
      if (judge !== undefined) judgeLiteral(url, judge);
      this.requests++;
      const answer = await this.#awaited(question, {
        method,
        url,
        headers: {
          'User-Agent': 'arcdata-mirror',
          'Accept-Encoding': 'identity',
          ...question.headers,
          ...(home && authorization !== undefined && {Authorization: authorization})
        },
        ...(body !== undefined && {body}),
        answerWithin: commit === true ? timings.commit : timings.answer,
        side: this.actions,
        ...(judge !== undefined && {judge}),
        ...(question.fresh !== undefined && {fresh: question.fresh}),
        ...(hot !== undefined && {hot}),
        signal
      });
      this.#met = true;
      const next = followed(answer, question);
      if (next === undefined) return answer;
      void discard(answer);
      if (hop >= mostHops) {
        throw new RegistryError(
          'unsafe',
          `${this.name} redirects more than ${mostHops} times in a row`,
          {host: this.name}
        );
      }
      url = next;
    }
  }

  async #awaited(question: Question, outgoing: Outgoing): Promise<Answer> {
    const {clock} = this.transport;
    const counts = !streams(question);
    if (counts && this.#open++ === 0) this.#askedAt = clock.now();
    try {
      const answer = await this.transport.send(outgoing);
      this.#askedAt = clock.now();
      this.silence = 0;
      return answer;
    } catch (error) {
      if (counts && question.signal.aborted) this.silence = clock.now() - this.#askedAt;
      throw error;
    } finally {
      if (counts) this.#open--;
    }
  }

  /** Warnings of the registry are shown, once each, and never acted on. */
  #heed({headers, url}: Answer): void {
    const {warning} = headers;
    if (warning === undefined || url.origin !== this.origin.origin) return;
    const text = /^299 (?:-|\S+) "((?:[^"\\]|\\.){1,4096})"/.exec(warning)?.[1];
    if (text !== undefined) this.warnOnce(`${this.name} warns: ${clean(text)}`);
  }

  /** The error with the question's place in it. */
  #placed(error: RegistryError, question: Question): RegistryError {
    const {name, origin} = this;
    const known = {name, origin, met: this.#met, privateCa: this.#options.privateCa === true};
    const explained = explainFor(error, known);
    return explained.as(explained.fault, explained.message, {
      method: question.method,
      repository: question.path === greeting ? undefined : question.needs[0]?.repository,
      digest: question.digest
    });
  }
}
