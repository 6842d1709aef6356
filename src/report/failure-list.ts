import type {ImageFailure} from '../mirror/result.ts';

import {byCause, imagesFirst, splitRequest} from './causes.ts';
import {helpFor} from './help.ts';
import {plural} from './lines.ts';
import {code, escapeMarkdown} from './markdown.ts';
import type {Redactor} from './redact.ts';
import type {Failed} from './verdict.ts';

/** So many images are told one by one, and the run's own failure in any case. */
const mostFailures = 50;

/**
 * What failed, as a list in Markdown: the images first, the run's own failure last. Images that
 * failed for the same reason share an entry, which has the first one in full and the others folded.
 * @param several whether the run had several releases, so that each image needs its release's name
 */
export function failureList(
  failed: readonly Failed[],
  several: boolean,
  redactor: Redactor
): string {
  const all = imagesFirst(failed);
  const own = all.filter(({image}) => image === undefined);
  const images = all.slice(0, all.length - own.length);
  const told = [...images.slice(0, mostFailures), ...own];
  const rest = all.length - told.length;
  const writer = new FailureWriter(several, redactor);
  return [
    ...byCause(told).map(group => writer.entry(group)),
    ...(rest > 0 ? [`- … and ${plural(rest, 'more image')}`] : [])
  ].join('\n');
}

class FailureWriter {
  readonly #several: boolean;
  readonly #redactor: Redactor;

  constructor(several: boolean, redactor: Redactor) {
    this.#several = several;
    this.#redactor = redactor;
  }

  entry([first, ...others]: readonly [Failed, ...Failed[]]): string {
    const {error} = first;
    const facts = this.#facts(error);
    const help = helpFor(error);
    const more = others.length === 0 ? '' : ` and ${plural(others.length, 'more image')}`;
    return [
      `- **${this.#name(first)}**${more}: ${this.#message(error.message)}`,
      ...(facts.length === 0 ? [] : [`  <br>${facts.join(', ')}`]),
      ...(error.advice === undefined ? [] : [`  <br>**What to do:** ${this.#say(error.advice)}`]),
      ...(help === undefined ? [] : [`  <br>[More about this failure](${help})`]),
      ...(others.length === 0 ? [] : ['', ...this.#folded(others)])
    ].join('\n');
  }

  #folded(others: readonly Failed[]): string[] {
    const lines = others.map(
      failed => `  - ${[this.#name(failed), ...this.#facts(failed.error)].join(', ')}`
    );
    const what = others.length === 1 ? 'The other image' : `The other ${others.length} images`;
    return [`  <details><summary>${what}</summary>`, '', ...lines, '', '  </details>', ''];
  }

  #name({release, image}: Failed): string {
    if (image === undefined) return 'The run';
    const of = this.#several && release !== undefined ? ` of ${this.#code(release, 140)}` : '';
    return `${this.#code(image, 120)}${of}`;
  }

  /** What was answered comes first, and the request that was made behind it. */
  #message(text: string): string {
    const {answer, request} = splitRequest(shortened(text));
    return request === undefined
      ? this.#say(answer)
      : `${this.#say(answer)} (${this.#code(request)})`;
  }

  #facts({host, repository, digest, status, attempts}: ImageFailure): string[] {
    return [
      ...(host === undefined ? [] : [`host ${this.#code(host)}`]),
      ...(repository === undefined ? [] : [`repository ${this.#code(repository)}`]),
      ...(status === undefined ? [] : [`status ${status}`]),
      ...(attempts === undefined ? [] : [plural(attempts, 'attempt')]),
      // The longest comes last, so that a line breaks nowhere but before it.
      ...(digest === undefined ? [] : [`digest ${this.#code(digest)}`])
    ];
  }

  #code(text: string, limit = 300): string {
    return code(this.#redactor.redact(text), limit);
  }

  #say(text: string): string {
    return escapeMarkdown(this.#redactor.redact(text));
  }
}

/** A digest in a message is cut to what people compare; the whole one stands among the facts. */
function shortened(message: string): string {
  return message.replace(/(sha256:[0-9a-f]{12})[0-9a-f]{52}/g, '$1…');
}
