import {algorithmOf, type Digest, isDigest} from '../oci/digest.ts';
import {hasBlob} from './blobs.ts';
import {discard} from './body.ts';
import {RegistryError} from './error.ts';
import {isBreak} from './patience.ts';
import type {Question} from './question.ts';
import type {BlobContent} from './reader.ts';
import type {Registry} from './registry.ts';
import {cancelUpload, openUpload, type Session, sessionOf} from './sessions.ts';
import type {Answer} from './transport.ts';

/** Chunks never become smaller than this, in bytes: below, round trips are all there is. */
const shortestChunk = 1024 * 1024;
/** How often a blob whose bytes are wrong is tried again: the source may have had a bad moment. */
const mostCorrupt = 2;
/** How often an upload begins anew because its token was refused in the middle of a body. */
const mostRefused = 2;
/** How often it begins anew because the registry has lost it. */
const mostLost = 4;
/** From the largest blob down to the shortest chunk. */
const mostHalvings = 16;

/** One blob on its way into one repository. */
export class Upload {
  readonly #registry: Registry;
  readonly #repository: string;
  readonly #content: BlobContent;
  readonly #signal: AbortSignal;
  #session: Session | undefined;
  /** The cancelling of sessions that were given up. */
  readonly #cancelling: Promise<void>[] = [];
  /** How often its bytes were broken off by what may pass. */
  #broken = 0;
  /** Bytes of the last request with a body. */
  #sent = 0;
  /** Which chunk this try sent last, the one that failed included. */
  #chunked: 'none' | 'first' | 'later' = 'none';
  /** What the content's own source failed with: the registry is not to blame. */
  #contentFailure: unknown;

  constructor(
    registry: Registry,
    repository: string,
    content: BlobContent,
    session: Session | undefined,
    signal: AbortSignal
  ) {
    this.#registry = registry;
    this.#repository = repository;
    this.#content = content;
    this.#session = session;
    this.#signal = signal;
  }

  /**
   * Uploads the blob, whatever it takes: whole if the registry lets it, in chunks if not, going on
   * where it broke if that is possible, from the start if not. Sessions that it gave up are cancelled
   * when it ends, however it ends.
   * @throws RegistryError
   */
  async run(): Promise<void> {
    try {
      await this.#upload();
    } finally {
      await Promise.all(this.#cancelling);
    }
  }

  async #upload(): Promise<void> {
    const registry = this.#registry;
    const {descriptor} = this.#content;
    const patience = registry.patience();
    let failures = 0;
    const left = {corrupt: mostCorrupt, refused: mostRefused, lost: mostLost, large: mostHalvings};
    for (;;) {
      try {
        // This loop is the patience.
        this.#session ??= await openUpload(
          registry,
          this.#repository,
          descriptor.digest,
          this.#signal,
          'if-throttled'
        );
        this.#signal.throwIfAborted();
        await this.#send(this.#session);
        this.#session = undefined;
        return;
      } catch (error) {
        this.#abandon();
        this.#signal.throwIfAborted();
        if (!(error instanceof RegistryError)) throw error;
        error.attempts = Math.max(error.attempts, ++failures);
        if (await this.#arrived(error)) return;
        const verdict = this.#judge(error);
        if (verdict === 'passing') {
          // Fewer bytes at a time may get through what broke; where no upload was opened, none were sent.
          if (error.method !== 'POST') this.#broken++;
          await registry.recover(patience, error, this.#signal);
        } else if (verdict === 'final' || left[verdict]-- === 0) throw error;
        registry.log.debug(`${error.message}; the upload starts again`);
      }
    }
  }

  /**
   * A commit whose answer was lost: the blob may be there. A second try of it, or a look at its
   * upload, then finds that the upload is gone. Or it is refused since the blob is there already, by
   * another upload: what must not be written twice.
   * @see https://github.com/sonatype/nexus-public/issues/967
   */
  async #arrived(error: RegistryError): Promise<boolean> {
    const lost =
      ['connection', 'stalled', 'server', 'absent'].includes(error.fault) ||
      (error.fault === 'refused' && error.method === 'PUT');
    if (!lost || error === this.#contentFailure || error.says('NAME_UNKNOWN')) return false;
    const {descriptor} = this.#content;
    try {
      const has = await hasBlob(
        this.#registry,
        this.#repository,
        descriptor,
        this.#signal,
        'if-throttled'
      );
      return has === 'present';
    } catch (failure) {
      this.#signal.throwIfAborted();
      if (failure instanceof RegistryError) return false;
      throw failure;
    }
  }

  /** Whether and why the upload begins anew. */
  #judge(error: RegistryError): 'passing' | 'large' | 'corrupt' | 'refused' | 'lost' | 'final' {
    const {learned} = this.#registry;
    // The content has had its own patience; only wrong bytes may be right another time.
    if (error === this.#contentFailure) return error.fault === 'corrupt' ? 'corrupt' : 'final';
    // Right bytes in several chunks, and another digest: it keeps the last one only.
    if (error.says('DIGEST_INVALID') && this.#chunked !== 'none') learned.wholeOnly ??= 'spoilt';
    if (error.fault === 'corrupt' || error.says('DIGEST_INVALID')) return 'corrupt';
    // Firewalls were seen to let only the older methods through.
    const unknown = error.method === 'PATCH' && (error.status === 405 || error.status === 501);
    if (unknown && this.#chunked !== 'later') {
      learned.noPatch = true;
      return 'lost';
    }
    // The first chunk cannot be out of order: it is too large, as some say it.
    if (error.status === 413 || (error.status === 416 && this.#chunked === 'first')) {
      // What was refused is remembered for the host; chunks are half of it, down to the floor.
      if (this.#sent <= shortestChunk || learned.noPatch === true) return 'final';
      if (learned.wholeOnly === 'refused') return 'final';
      // Whole it does not go up at all; so the bytes may have been spoilt otherwise.
      learned.wholeOnly = undefined;
      learned.tooLarge = Math.min(learned.tooLarge ?? Infinity, this.#sent);
      return 'large';
    }
    if (isBreak(error)) return 'passing';
    if (error.fault === 'unauthorized') return 'refused';
    if (error.says('NAME_UNKNOWN', 'NAME_INVALID')) return 'final';
    const lost =
      error.status === 404 ||
      error.status === 416 ||
      error.says('BLOB_UPLOAD_UNKNOWN', 'BLOB_UPLOAD_INVALID', 'SIZE_INVALID', 'RANGE_INVALID');
    return lost ? 'lost' : 'final';
  }

  async #send(session: Session): Promise<void> {
    const {learned, quirks} = this.#registry;
    const {size, digest} = this.#content.descriptor;
    // Broken twice in one piece: from now on, a break costs a chunk and not the blob.
    const inChunks = learned.tooLarge !== undefined || this.#broken >= 2;
    this.#chunked = 'none';
    const chunk = inChunks ? this.#chunk() : size;
    if (learned.noPatch === true || (chunk >= size && size <= quirks.singlePut)) {
      await this.#commit(session, digest, {from: 0, to: size});
    } else {
      await this.#commit(await this.#patchAll(session, chunk), digest);
    }
  }

  /** The last request of an upload, with or without bytes. */
  async #commit(
    session: Session,
    digest: Digest,
    part?: {from: number; to: number}
  ): Promise<void> {
    const url = new URL(session.url);
    // Appended, not set: the registry's own parameters stay in their order and spelling.
    url.search = `${url.search === '' ? '?' : `${url.search}&`}digest=${encodeURIComponent(digest)}`;
    const answer = await this.#ask('PUT', url, [200, 201, 202, 204], part, {commit: true});
    const echoed = answer.headers['docker-content-digest'];
    const other =
      isDigest(echoed) && algorithmOf(echoed) === algorithmOf(digest) && echoed !== digest;
    if (other || answer.status === 202) await this.#prove(digest);
  }

  /** For answers that promise nothing. */
  async #prove(digest: Digest): Promise<void> {
    const has = await hasBlob(
      this.#registry,
      this.#repository,
      this.#content.descriptor,
      this.#signal
    );
    if (has !== 'absent') return;
    throw new RegistryError(
      'server',
      `${this.#registry.name} took the upload of ${digest}, but does not have it`,
      {
        host: this.#registry.name,
        repository: this.#repository,
        digest
      }
    );
  }

  async #patch(
    session: Session,
    part: {from: number; to: number},
    ranged: boolean
  ): Promise<Session> {
    const headers = ranged ? {'Content-Range': `${part.from}-${part.to - 1}`} : {};
    if (ranged) this.#chunked = part.from === 0 ? 'first' : 'later';
    // A proxy that takes a whole blob in before it hands it on answers no sooner than a commit.
    const answer = await this.#ask('PATCH', session.url, [200, 201, 202, 204], part, {
      headers,
      commit: !ranged
    });
    this.#session = sessionOf(answer, session);
    return this.#session;
  }

  /**
   * Chunk by chunk, or all in one. What breaks is gone on with, in chunks, from where the registry
   * says that it stands.
   */
  async #patchAll(session: Session, most: number): Promise<Session> {
    const {size} = this.#content.descriptor;
    let current = session;
    let chunk = most;
    let failures = 0;
    for (let at = 0; at < size;) {
      const to = Math.min(at + Math.max(chunk, current.shortestChunk), size);
      try {
        // In one piece without Content-Range: with one, some registries take the request for a
        // chunk and cap it.
        current = await this.#patch(current, {from: at, to}, at > 0 || to < size);
        // An answer's Range is not believed here: some registries repeat that of the first chunk.
        at = to;
        failures = 0;
      } catch (error) {
        this.#signal.throwIfAborted();
        if (!(error instanceof RegistryError) || error === this.#contentFailure) throw error;
        if (error.status === 405 && at > 0) {
          this.#registry.learned.wholeOnly = 'refused';
          throw error.as('server', error.message);
        }
        const resumable =
          error.status === 416 || ['connection', 'stalled', 'server'].includes(error.fault);
        chunk = Math.min(chunk, this.#chunk());
        if (!resumable || chunk >= size || ++failures > 3) throw error;
        const stand = await this.#status(current);
        // Nothing has come of it: then a new upload is as good, and asks for less trust.
        if (stand === undefined || stand.at < at || stand.at > to || stand.at === 0) throw error;
        current = this.#session = stand.session;
        at = stand.at;
      }
    }
    return current;
  }

  /**
   * How far the registry says that an upload has come; undefined where it does not know.
   * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-a-blob-in-chunks
   */
  async #status(session: Session): Promise<{at: number; session: Session} | undefined> {
    try {
      const answer = await this.#ask('GET', session.url, [200, 202, 204]);
      const range = /^(?:bytes=)?0-(\d+)$/.exec(answer.headers.range ?? '')?.[1];
      // `0-0` is what registries say of an upload with nothing in it, too.
      const at = range === undefined || range === '0' ? 0 : Number(range) + 1;
      return {at, session: sessionOf(answer, session)};
    } catch (error) {
      if (error instanceof RegistryError) return undefined;
      throw error;
    }
  }

  /** The largest chunk now, in bytes; infinite where blobs only go up whole. */
  #chunk(): number {
    const {learned, quirks} = this.#registry;
    if (learned.wholeOnly !== undefined) return Infinity;
    // Whatever breaks every large request, and does not say so, lets a small one through.
    const shrunk = quirks.chunk / 2 ** Math.max(0, this.#broken - 2);
    return Math.max(
      shortestChunk,
      Math.floor(Math.min(shrunk, (learned.tooLarge ?? Infinity) / 2))
    );
  }

  async #ask(
    method: 'PUT' | 'PATCH' | 'GET',
    url: URL,
    expect: readonly number[],
    part?: {from: number; to: number},
    more: Pick<Question, 'headers' | 'commit'> = {}
  ): Promise<Answer> {
    const {descriptor} = this.#content;
    if (part !== undefined) this.#sent = part.to - part.from;
    const body = part && {
      length: part.to - part.from,
      pump: async (sink: Parameters<BlobContent['pump']>[2], signal: AbortSignal) => {
        try {
          await this.#content.pump(part.from, part.to, sink, signal);
        } catch (error) {
          this.#contentFailure = error;
          throw error;
        }
      }
    };
    return await this.#registry.ask(
      {
        method,
        path: url,
        needs: [{repository: this.#repository, actions: 'pull,push'}],
        expect,
        ...more,
        headers: {...(body && {'Content-Type': 'application/octet-stream'}), ...more.headers},
        ...(body && {body, fresh: this.#broken > 0}),
        tries: 'if-throttled',
        hot: true,
        digest: descriptor.digest,
        signal: this.#signal
      },
      discard
    );
  }

  /** The next try does not wait for it: a registry in trouble may take its time. */
  #abandon(): void {
    const session = this.#session;
    this.#session = undefined;
    if (session !== undefined)
      this.#cancelling.push(cancelUpload(this.#registry, this.#repository, session));
  }
}
