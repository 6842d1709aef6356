import type {Desk} from './desk.ts';
import {DemoError} from './error.ts';
import type {Exchange} from './exchange.ts';
import {answerPage} from './pages.ts';

/** GET _catalog: the names of all repositories that hold a manifest. */
export async function serveCatalog(
  {store, character, pageSize}: Desk,
  exchange: Exchange
): Promise<void> {
  if (!character.catalog) throw new DemoError(404, 'UNSUPPORTED', 'there is no catalog here');
  const names = store.repositories().filter(name => store.manifests(name).length > 0);
  const paging = {usual: pageSize, most: character.largestPage};
  await answerPage(exchange, names, paging, repositories => ({repositories}));
}
