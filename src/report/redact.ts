import {clean, ellipsis} from '../oci/clean.ts';

/** What stands where a secret stood. */
export const mask = '***';

/** Shorter values are left to the runner's masks: they would be found in the middle of words. */
export const shortestRedacted = 4;

/**
 * Knows every secret of a run and takes them out of what is written, in all the forms in which they
 * travel: plain, base64 (also in the middle of something longer, as in `base64(user:password)`),
 * URI-encoded, JSON-escaped, HTML-escaped, and cleaned for show; also the first part of one, where the
 * text was cut short for show.
 */
export class Redactor {
  /**
   * The forms by their first letters. A run has hundreds of tokens of some kilobytes each: a regular
   * expression of all of them would take a second to make, anew for each token; and one that cannot be
   * built is told in full, with every secret in it.
   */
  readonly #forms = new Map<string, Set<string>>();

  /** Adds a secret. An empty or very short one is not looked for. */
  add(secret: string): void {
    for (const line of [secret, ...secret.split(/[\r\n]+/)]) {
      if (line.trim().length < shortestRedacted) continue;
      for (const form of formsOf(line)) {
        const start = form.slice(0, shortestRedacted);
        const known = this.#forms.get(start);
        if (known === undefined) this.#forms.set(start, new Set([form]));
        else known.add(form);
      }
    }
  }

  /** The text without any secret. It never throws: the error could tell what it knows. */
  redact(text: string): string {
    if (this.#forms.size === 0) return text;
    let safe = '';
    let done = 0;
    for (let at = 0; at + shortestRedacted <= text.length;) {
      const length = this.#lengthAt(text, at);
      if (length > 0) {
        safe += text.slice(done, at) + mask;
        done = at + length;
      }
      at += Math.max(1, length);
    }
    return safe + text.slice(done);
  }

  /** How long the secret is that begins there, 0 where none does. The longest: one that holds another goes as a whole. */
  #lengthAt(text: string, at: number): number {
    let longest = 0;
    for (const form of this.#forms.get(text.slice(at, at + shortestRedacted)) ?? []) {
      const length = text.startsWith(form, at) ? form.length : cutAt(text, at, form);
      longest = Math.max(longest, length);
    }
    return longest;
  }
}

/** So many of a secret's first characters, where they are half of it, are told by nobody but who knows it. */
const longestTold = 12;

/**
 * How much of a secret stands there before it is cut short, 0 where something else does: by an ellipsis of
 * ours, or, where it is most of it, in whatever way others cut what they repeat.
 */
function cutAt(text: string, at: number, form: string): number {
  let same = shortestRedacted;
  while (same < form.length && text[at + same] === form[same]) same++;
  if (text.startsWith(ellipsis, at + same)) return same;
  return same >= Math.max(longestTold, form.length / 2) ? same : 0;
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
