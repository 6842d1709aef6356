import {clean} from '../oci/clean.ts';
import type {Need} from './authorizer.ts';
import {discard, readDocument} from './body.ts';
import {type Place, RegistryError} from './error.ts';
import {parseLinks} from './links.ts';
import type {Question} from './question.ts';
import type {Registry} from './registry.ts';

/** The most bytes of a page. */
const largestPage = 8 * 1024 * 1024;
/** The most bytes of all pages: a hundred thousand tags. */
const largestList = 16 * 1024 * 1024;
/** The most characters of a Link header: whoever cuts one off takes a part of a list for the whole. */
const longestLink = 8192;
/** The most pages; with a thousand entries each, more than any registry was seen to have. */
const mostPages = 1000;

interface List {
  readonly path: string;
  readonly needs: readonly Need[];
  /** The property that holds the entries. */
  readonly key: 'tags' | 'repositories';
  /** Whether an entry lies behind all that is wanted, so that the pages after it are not. */
  readonly until?: (entry: string) => boolean;
  readonly tries?: Question['tries'];
  readonly signal: AbortSignal;
}

/**
 * All entries of a list that comes in pages, or undefined where there is no such list. A `Link` is
 * followed only within the registry, never twice to the same page, and only so many times.
 * @throws RegistryError
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags
 */
export async function collect(registry: Registry, list: List): Promise<string[] | undefined> {
  const {needs, key, until, tries, signal} = list;
  let size = 0;
  const entries: string[] = [];
  const seen = new Set<string>();
  let next: URL | undefined = new URL(list.path, registry.origin);
  while (next !== undefined) {
    const url: URL = next;
    seen.add(url.href);
    const page = await registry.ask(
      {
        method: 'GET',
        path: url,
        needs,
        expect: [200, 404],
        headers: {Accept: 'application/json'},
        tries,
        signal
      },
      async answer => {
        if (answer.status === 404) {
          await discard(answer);
          if (seen.size === 1) return undefined;
          // A part of the list is no list: what is newest may be in the rest.
          throw new RegistryError(
            'server',
            `${registry.name}: the list of ${key} breaks off (404)`,
            {
              host: registry.name,
              method: 'GET',
              status: answer.status,
              advice:
                'The next page that it names is not there: look at the registry, and at what stands between.'
            }
          );
        }
        const place = {host: registry.name, method: 'GET'};
        const {idle} = registry.transport.timings;
        const body = await readDocument(answer, largestPage, idle, place);
        size += body.length;
        return {entries: parse(body, key, place), link: answer.headers.link};
      }
    );
    if (page === undefined) return undefined;
    for (const entry of page.entries) entries.push(entry);
    if (until !== undefined && page.entries.some(until)) return entries;
    next = nextPage(page.link, url, registry, {seen, what: key});
    if (next !== undefined && size > largestList)
      throw unsafe(registry, `the list of ${key} goes on beyond ${largestList} bytes`);
  }
  return entries;
}

function parse(body: Buffer, key: string, place: Place): string[] {
  try {
    const value = (JSON.parse(body.toString('utf8')) as Record<string, unknown>)[key];
    // Without a tag, some registries say null.
    if (value === null || value === undefined) return [];
    if (Array.isArray(value)) return value.filter(entry => typeof entry === 'string');
  } catch {
    // Said below.
  }
  throw new RegistryError('corrupt', `${place.host}: the list of ${key} is not one`, place);
}

/**
 * The page after this one, as its `Link` header names it; undefined behind the last one.
 * @param seen the pages so far, this one included
 * @throws RegistryError when it leads to another host, or round and round
 * @see https://www.rfc-editor.org/rfc/rfc8288#section-3
 */
export function nextPage(
  header: string | string[] | undefined,
  from: URL,
  registry: Registry,
  {seen, what}: {readonly seen: ReadonlySet<string>; readonly what: string}
): URL | undefined {
  const next = follow(header, from, registry);
  if (next === undefined) return undefined;
  if (seen.has(next.href) || seen.size >= mostPages)
    throw unsafe(registry, `the list of ${what} has no end`);
  return next;
}

function follow(
  header: string | string[] | undefined,
  from: URL,
  registry: Registry
): URL | undefined {
  const text = Array.isArray(header) ? header.join(', ') : (header ?? '');
  if (text.length > longestLink)
    throw unsafe(registry, `its Link header has more than ${longestLink} characters`);
  const links = parseLinks(text);
  // A part of a list must not pass for the whole.
  if (links === undefined && /next/i.test(text))
    throw unsafe(registry, `its Link header cannot be understood: ${clean(text, 100)}`);
  const target = links?.find(({relations}) => relations.includes('next'))?.target;
  if (target === undefined || !URL.canParse(target, from.href)) return undefined;
  const url = new URL(target, from);
  // Behind a proxy the registry may not know its own scheme and port: the path is what counts.
  if (url.hostname !== from.hostname)
    throw unsafe(registry, 'the list goes on at another host, which is not followed');
  // Set, not parsed anew: `//elsewhere/` is a path here, and no host.
  const here = new URL(registry.origin);
  here.pathname = url.pathname;
  here.search = url.search;
  return here;
}

function unsafe(registry: Registry, text: string): RegistryError {
  return new RegistryError('unsafe', `${registry.name}: ${text}`, {
    host: registry.name,
    advice: 'See what the registry, or what stands in front of it, answers there.'
  });
}
