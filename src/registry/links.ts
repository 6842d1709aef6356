/** One link of a `Link` header. */
export interface Link {
  /** As it is written: absolute, or relative to the page that it came with. */
  readonly target: string;
  /** What it leads to, such as `next`; in lower case. */
  readonly relations: readonly string[];
}

/**
 * Reads a `Link` header: quoted or not, with blanks wherever they may be, several links and several
 * relations of one. Single quotes are taken, too, since some write them.
 * @returns undefined where it is not one
 * @see https://www.rfc-editor.org/rfc/rfc8288#section-3
 */
export function parseLinks(header: string): readonly Link[] | undefined {
  const links: Link[] = [];
  let at = 0;
  const next = (token: RegExp): RegExpExecArray | undefined => {
    token.lastIndex = at;
    const found = token.exec(header) ?? undefined;
    if (found !== undefined) at = token.lastIndex;
    return found;
  };
  while (at < header.length) {
    // A list may have empty places: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.1
    if (next(/[\s,]+/y) !== undefined && at === header.length) break;
    const target = next(/<([^<>]*)>\s*/y)?.[1];
    if (target === undefined) return undefined;
    let relations: readonly string[] | undefined;
    while (next(/;\s*/y) !== undefined) {
      const parameter = next(
        /([^\s=;,"'<>]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s;,"']*))\s*)?/y
      );
      const [, name = '', double, single, bare] = parameter ?? [];
      // The first one counts: https://www.rfc-editor.org/rfc/rfc8288#section-3.3
      if (name.toLowerCase() === 'rel')
        relations ??= (double ?? single ?? bare ?? '').toLowerCase().split(/\s+/);
    }
    links.push({target, relations: relations ?? []});
    if (at < header.length && next(/,/y) === undefined) return undefined;
  }
  return links;
}
