/** What a registry asks for before it answers. */
export interface Challenge {
  /** `basic`, `bearer`, …, in lower case. */
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const token = /[!#$%&'*+.^_`|~\w-]+/y;
const quoted = /"((?:[^"\\]|\\.)*)"/y;
const gap = /[\s,]*/y;
const equals = /\s*=\s*/y;
const base64 = /[\w.~+/-]+=*(?=\s*(?:,|$))/y;

/**
 * The challenges in a `WWW-Authenticate` header: several may stand in one, in any case of letters,
 * with commas inside quotes. What cannot be read ends the list; it never throws.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1
 */
export function parseChallenges(header: string): readonly Challenge[] {
  const text = header.slice(0, 8192);
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found !== null) at = pattern.lastIndex;
    return found ?? undefined;
  };
  const challenges: {scheme: string; parameters: Map<string, string>}[] = [];
  for (take(gap); at < text.length; take(gap)) {
    const start = at;
    const word = take(token)?.[0];
    if (word === undefined) return challenges;
    const current = challenges.at(-1);
    if (current !== undefined && take(equals) !== undefined) {
      const value = take(quoted)?.[1]?.replace(/\\(.)/g, '$1') ?? take(token)?.[0];
      if (value !== undefined) {
        const name = word.toLowerCase();
        // The first one counts: a second `realm` is an attempt at confusion.
        if (!current.parameters.has(name)) current.parameters.set(name, value);
        continue;
      }
      // `Negotiate abc==`: the equals sign belonged to a token68, which is of no use here.
      at = start;
      if (take(base64) === undefined) return challenges;
      continue;
    }
    challenges.push({scheme: word.toLowerCase(), parameters: new Map()});
  }
  return challenges;
}
