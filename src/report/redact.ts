import {clean} from '../oci/clean.ts';

/** What stands where a secret stood. */
export const mask = '***';

/** Shorter values are left to the runner's masks: they would be found in the middle of words. */
export const shortestRedacted = 4;

/**
 * Knows every secret of a run and takes them out of what is written, in all the forms in which they
 * travel: plain, base64 (also in the middle of something longer, as in `base64(user:password)`),
 * URI-encoded, JSON-escaped, HTML-escaped, and cleaned for show.
 */
export class Redactor {
  readonly #forms = new Set<string>();
  #longestFirst: readonly string[] | undefined;

  /** Adds a secret. An empty or very short one is not looked for. */
  add(secret: string): void {
    for (const line of [secret, ...secret.split(/[\r\n]+/)]) {
      if (line.trim().length < shortestRedacted) continue;
      for (const form of formsOf(line)) this.#forms.add(form);
    }
    this.#longestFirst = undefined;
  }

  /** The text without any secret. It never throws: the error could tell what it knows. */
  redact(text: string): string {
    // A secret that holds another one goes as a whole.
    this.#longestFirst ??= [...this.#forms].sort((a, b) => b.length - a.length);
    // One after the other: a token may be longer than any regular expression can be, and an expression
    // that cannot be built is told in full, with every secret in it.
    return this.#longestFirst.reduce((rest, form) => rest.replaceAll(form, mask), text);
  }
}

function formsOf(secret: string): string[] {
  // Lone surrogates have no encoding; they travel as the replacement character.
  const text = Buffer.from(secret).toString('utf8');
  const uri = encodeURIComponent(text);
  const strict = uri.replace(
    /[!'()*]/g,
    sign => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`
  );
  const json = JSON.stringify(text).slice(1, -1);
  const html = text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
  const quoted = html.replace(/"/g, '&quot;');
  const uris = [uri, strict, new URLSearchParams({x: text}).toString().slice(2), encodeURI(text)];
  return [
    secret,
    text,
    secret.trim(),
    clean(secret, Infinity),
    ...uris,
    ...uris.map(form => form.replace(/%[0-9A-F]{2}/g, code => code.toLowerCase())),
    json,
    json.replaceAll('/', '\\/'),
    html,
    quoted,
    quoted.replace(/'/g, '&#39;'),
    ...base64Forms(Buffer.from(secret))
  ].filter(form => form.length >= shortestRedacted);
}

/**
 * The secret's own characters in base64, for each of the three places it can have in a longer
 * text. What is mixed with its neighbours at both ends is left off.
 */
function base64Forms(bytes: Buffer): string[] {
  const exact = bytes.toString('base64');
  const inside = [0, 1, 2].map(shift => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
    const head = shift === 0 ? 0 : shift + 1;
    const tail = [0, 3, 2][(shift + bytes.length) % 3] ?? 0;
    return text.slice(head, text.length - tail);
  });
  const forms = [exact, exact.replace(/=+$/, ''), ...inside];
  return [...forms, ...forms.map(form => form.replaceAll('+', '-').replaceAll('/', '_'))];
}
