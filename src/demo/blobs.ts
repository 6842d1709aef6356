import type {Content} from './content.ts';
import {DemoError} from './error.ts';
import type {Exchange} from './exchange.ts';
import {parseRange} from './range.ts';
import type {Desk} from './desk.ts';
import type {HeaderChanges} from './rules.ts';

/** GET, HEAD and DELETE of a blob. */
export async function serveBlob(
  {store, character, blobHost}: Desk,
  exchange: Exchange
): Promise<void> {
  const {repository = '', digest = ''} = exchange.route;
  const content = store.blob(repository, digest);
  if (content === undefined) {
    throw new DemoError(404, 'BLOB_UNKNOWN', 'blob unknown to registry', {detail: digest});
  }
  if (exchange.method === 'DELETE') {
    if (!character.deletes) throw new DemoError(405, 'UNSUPPORTED', 'nothing is deleted here');
    store.deleteBlob(repository, digest);
    await exchange.answer(202);
    return;
  }
  if (exchange.method !== 'GET' && exchange.method !== 'HEAD') {
    throw new DemoError(405, 'UNSUPPORTED', 'a blob is read or deleted');
  }
  if (blobHost !== undefined && exchange.method === 'GET') {
    await exchange.answer(307, {Location: blobHost.sign(repository, digest)});
    return;
  }
  await sendContent(exchange, content, {
    'Content-Type': 'application/octet-stream',
    'Docker-Content-Digest': digest,
    ETag: `"${digest}"`
  });
}

/** Sends a blob, or the part of it that is asked for. */
export async function sendContent(
  exchange: Exchange,
  content: Content,
  headers: HeaderChanges
): Promise<void> {
  const {size} = content;
  const heeded = exchange.effect('ignore-range') === undefined;
  const range = heeded ? parseRange(exchange.header('Range'), size) : undefined;
  const all = {...headers, 'Accept-Ranges': 'bytes'};
  const type = undefined;
  if (range === 'unsatisfiable') {
    throw new DemoError(416, 'RANGE_INVALID', 'the range lies beyond the blob', {
      headers: {'Content-Range': `bytes */${size}`}
    });
  }
  if (range === undefined) {
    await exchange.answer(200, all, {type, size, pieces: content.pieces(0, size)});
    return;
  }
  const {start, end} = range;
  await exchange.answer(
    206,
    {...all, 'Content-Range': `bytes ${start}-${end}/${size}`},
    {type, size: end - start + 1, pieces: content.pieces(start, end + 1)}
  );
}
