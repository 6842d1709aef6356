import {DemoError} from './error.ts';
import type {Exchange} from './exchange.ts';

/**
 * Answers with one page of a sorted list: those behind `last`, at most `n`, and a Link to the next
 * page when there is one.
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags
 */
export async function answerPage(
  exchange: Exchange,
  items: readonly string[],
  {usual, most}: {readonly usual: number; readonly most: number | undefined},
  document: (page: readonly string[]) => unknown
): Promise<void> {
  const {query, path} = exchange.route;
  const asked = query.get('n');
  const n = asked === null ? usual : Number(asked);
  if (!Number.isInteger(n) || n < 0 || (most !== undefined && n > most)) {
    throw new DemoError(400, 'PAGINATION_NUMBER_INVALID', 'invalid number of results requested', {
      detail: {n: asked}
    });
  }
  const last = query.get('last');
  const rest = last === null ? items : items.filter(item => item > last);
  const page = rest.slice(0, n);
  const end = page.at(-1);
  const next = new URLSearchParams({n: String(n), last: end ?? ''});
  const more = end !== undefined && rest.length > page.length;
  await exchange.answer(200, more ? {Link: `<${path}?${next.toString()}>; rel="next"`} : {}, {
    json: document(page)
  });
}
