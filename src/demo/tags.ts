import type {Desk} from './desk.ts';
import {DemoError} from './error.ts';
import type {Exchange} from './exchange.ts';
import {answerPage} from './pages.ts';

/** GET tags/list. A repository that holds only blobs is unknown, as an interrupted copy leaves it. */
export async function serveTags(
  {store, character, pageSize}: Desk,
  exchange: Exchange
): Promise<void> {
  const {repository = ''} = exchange.route;
  if (store.manifests(repository).length === 0) {
    throw new DemoError(404, 'NAME_UNKNOWN', 'repository name not known to registry', {
      detail: {name: repository}
    });
  }
  const paging = {usual: pageSize, most: character.largestPage};
  await answerPage(exchange, store.tags(repository), paging, tags => ({name: repository, tags}));
}
