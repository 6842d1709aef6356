import {isDigest} from '../oci/digest.ts';
import type {Desk} from './desk.ts';
import {DemoError} from './error.ts';
import type {Exchange} from './exchange.ts';
import {keptParameter, type LocationMode, locationOf} from './location.ts';
import {mount} from './mounts.ts';
import {parseChunkRange} from './range.ts';
import {Interruption} from './receive.ts';
import type {HeaderChanges} from './rules.ts';
import type {Session} from './session.ts';

/**
 * The upload of a blob in all its forms: POST, PATCH, PUT, GET and DELETE of a session, a single
 * POST with the whole blob, and mounts.
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-blobs
 */
export async function serveUpload(desk: Desk, exchange: Exchange): Promise<void> {
  if (exchange.method === 'POST') {
    await open(desk, exchange);
    return;
  }
  const session = find(desk, exchange);
  await session.exclusively(async () => {
    // Another request may have ended it while this one waited.
    find(desk, exchange);
    switch (exchange.method) {
      case 'PATCH':
        await patch(desk, exchange, session);
        return;
      case 'PUT':
        await put(desk, exchange, session);
        return;
      case 'GET':
        await status(desk, exchange, session);
        return;
      case 'DELETE':
        desk.store.dropSession(session.id);
        await exchange.answer(204);
        return;
      default:
        throw new DemoError(405, 'UNSUPPORTED', 'an upload knows POST, PATCH, PUT, GET and DELETE');
    }
  });
}

async function open(desk: Desk, exchange: Exchange): Promise<void> {
  const {store, character} = desk;
  const {repository = '', digest, query, kind} = exchange.route;
  refuseUncreated(desk, repository);
  if (kind === 'mount' && mount(desk, exchange)) {
    await answerCreated(exchange, repository, digest ?? '');
    return;
  }
  const algorithm = query.get('digest-algorithm') === 'sha512' ? 'sha512' : 'sha256';
  const session = store.openSession(repository, algorithm);
  if (kind === 'upload' && digest !== undefined && character.singlePost) {
    await append(desk, exchange, session);
    await commit(desk, exchange, session);
    return;
  }
  await tell(desk, exchange, session, 202, {
    ...(character.chunkMinimum !== undefined && {
      'OCI-Chunk-Min-Length': String(character.chunkMinimum)
    })
  });
}

/** Answers with where the upload goes on, and notes whether that has reached the client. */
async function tell(
  desk: Desk,
  exchange: Exchange,
  session: Session,
  status: number,
  more: HeaderChanges = {}
): Promise<void> {
  await exchange.answer(status, {...headersOf(desk, exchange, session), ...more});
  if (exchange.delivered && !unusable.has(session.mode)) session.known = true;
}

/** By these a client cannot come back, or must not. */
const unusable: ReadonlySet<LocationMode> = new Set(['missing', 'garbage', 'other-host']);

function refuseUncreated({store, character}: Desk, repository: string): void {
  const unknown = (what: string) =>
    new DemoError(404, 'NAME_UNKNOWN', `${what} does not exist and is not created by a push`);
  if (character.creates === 'repository' && !store.has(repository)) {
    throw unknown(`the repository ${repository}`);
  }
  if (character.creates === 'project') {
    const project = repository.split('/', 1)[0] ?? '';
    const exists = store.repositories().some(name => name.split('/', 1)[0] === project);
    if (!exists) throw unknown(`project ${project} not found: it`);
  }
}

/** The session a request is about. @throws DemoError when it is not, or no longer, open */
function find({store, character}: Desk, exchange: Exchange): Session {
  const {repository = '', session: id = '', query} = exchange.route;
  const lost = exchange.effect('lose-session');
  if (lost !== undefined) {
    store.dropSession(id);
    const code = lost.code ?? 'BLOB_UPLOAD_UNKNOWN';
    throw new DemoError(lost.status ?? 404, code, 'blob upload unknown to registry');
  }
  const session = store.session(repository, id);
  if (session === undefined) {
    throw new DemoError(404, 'BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry');
  }
  const kept = session.mode !== 'query' || query.get(keptParameter.name) === keptParameter.value;
  const current = query.get('_state') === session.state || character.staleLocations === 'taken';
  if (!current || !kept) {
    throw new DemoError(404, 'BLOB_UPLOAD_INVALID', 'blob upload invalid');
  }
  return session;
}

async function patch(desk: Desk, exchange: Exchange, session: Session): Promise<void> {
  const {character} = desk;
  if (character.chunks === 'one' && session.offset > 0) {
    throw new DemoError(405, 'UNSUPPORTED', 'an upload is one piece here');
  }
  checkPlace(desk, exchange, session);
  const start = session.offset;
  if (character.chunks === 'last') session.forget();
  const take = exchange.effect('take');
  await append(desk, exchange, session, take?.bytes);
  session.firstEnd ??= session.offset;
  session.renew();
  if (character.staleLocations === 'refused') session.known = false;
  if (take !== undefined) {
    await tell(desk, exchange, session, take.status ?? 202);
    return;
  }
  const ends = {
    total: [0, session.offset],
    first: [0, session.firstEnd],
    chunk: [start, session.offset]
  } as const;
  const [from, to] = ends[character.patchRange];
  await tell(desk, exchange, session, character.patchStatus, {
    Range: `${from}-${Math.max(0, to - 1)}`
  });
}

async function put(desk: Desk, exchange: Exchange, session: Session): Promise<void> {
  checkPlace(desk, exchange, session);
  await append(desk, exchange, session);
  await commit(desk, exchange, session);
}

async function status(desk: Desk, exchange: Exchange, session: Session): Promise<void> {
  if (!desk.character.uploadStatus) {
    throw new DemoError(404, 'BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry');
  }
  await tell(desk, exchange, session, 204, {'Content-Length': null});
}

/**
 * Takes the body of a request, or the first `most` bytes of it. What came before an interruption
 * stays where the registry's uploads can be resumed; elsewhere the session is lost.
 */
async function append(
  {store, character}: Desk,
  exchange: Exchange,
  session: Session,
  most = Infinity
): Promise<void> {
  let left = most;
  try {
    await exchange.receive(chunk => {
      if (left > 0) session.append(chunk.length > left ? chunk.subarray(0, left) : chunk);
      left -= chunk.length;
    });
  } catch (error) {
    if (error instanceof Interruption && !character.resumable) store.dropSession(session.id);
    throw error;
  }
}

/** @throws DemoError 416 when a chunk does not continue what is there */
function checkPlace(desk: Desk, exchange: Exchange, session: Session): void {
  const header = exchange.header('Content-Range');
  if (header === undefined) return;
  const range = parseChunkRange(header);
  if (range === undefined) {
    throw new DemoError(400, 'BLOB_UPLOAD_INVALID', `Content-Range ${header} is not first-last`);
  }
  const length = exchange.header('Content-Length');
  if (length !== undefined && Number(length) !== range.end - range.start + 1) {
    throw new DemoError(400, 'SIZE_INVALID', 'Content-Range and Content-Length do not agree');
  }
  if (range.start !== session.offset) {
    throw new DemoError(416, 'BLOB_UPLOAD_INVALID', 'the chunk is out of order', {
      headers: strings(headersOf(desk, exchange, session))
    });
  }
}

async function commit({store}: Desk, exchange: Exchange, session: Session): Promise<void> {
  const {repository = '', digest} = exchange.route;
  // Whether it succeeds or not, a commit is the end of a session.
  store.dropSession(session.id);
  if (!isDigest(digest)) throw new DemoError(400, 'DIGEST_INVALID', 'invalid digest');
  const content = session.finish(digest);
  if (exchange.effect('vanish') === undefined) store.addBlob(repository, digest, content);
  await answerCreated(exchange, repository, digest);
}

async function answerCreated(
  exchange: Exchange,
  repository: string,
  digest: string
): Promise<void> {
  await exchange.answer(201, {
    Location: `${exchange.origin}/v2/${repository}/blobs/${digest}`,
    'Docker-Content-Digest': digest
  });
}

function headersOf({character}: Desk, exchange: Exchange, session: Session): HeaderChanges {
  const ruled = exchange.effect('location');
  session.mode = ruled?.mode ?? character.location;
  const location = locationOf(session.mode, {
    origin: exchange.origin,
    repository: session.repository,
    session: session.id,
    state: session.state,
    requested: exchange.route.path,
    host: ruled?.host
  });
  return {
    Location: location ?? null,
    Range: `0-${Math.max(0, session.offset - 1)}`,
    'Docker-Upload-UUID': session.id
  };
}

function strings(headers: HeaderChanges): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      typeof value === 'string' ? [[name, value]] : []
    )
  );
}
