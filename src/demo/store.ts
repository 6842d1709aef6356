import type {Descriptor} from '../oci/descriptor.ts';
import {type Digest, digestOf, isDigest} from '../oci/digest.ts';
import {
  type Content,
  digestOfContent,
  HeldContent,
  VirtualContent,
  type VirtualBlob
} from './content.ts';
import {DemoError} from './error.ts';
import {type References, referencesOf} from './references.ts';
import {Session, type SessionSnapshot} from './session.ts';

/** How a store keeps. */
export interface StoreOptions {
  /** Uploads of more bytes than this keep their digest and size only; default: all is kept. */
  readonly discardOver?: number;
  /** Whether a blob is seen in all repositories, wherever it was put. */
  readonly blobsInOnePlace?: boolean;
}

/** A manifest as it was put. */
export interface StoredManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly body: Buffer;
}

/** Something below a manifest that is not as its descriptor says. */
export interface Hole {
  readonly digest: Digest;
  readonly kind: 'blob' | 'manifest';
  readonly problem: 'absent' | 'size';
}

/** One setting of a tag, with what was missing below it at that moment. */
export interface TagEvent {
  readonly repository: string;
  readonly tag: string;
  readonly digest: Digest;
  readonly previous: Digest | undefined;
  readonly holes: readonly Hole[];
}

interface Repository {
  readonly blobs: Set<Digest>;
  readonly manifests: Map<Digest, StoredManifest>;
  readonly tags: Map<string, Digest>;
}

/**
 * What a registry holds: blobs, manifests, tags and open upload sessions. A blob is seen in a
 * repository only when it was put or mounted there, as in most real ones. Nothing is checked on
 * seeding, so that half images can be made. Several servers may share a store.
 */
export class Store {
  readonly #repositories = new Map<string, Repository>();
  readonly #contents = new Map<Digest, Content>();
  readonly #sessions = new Map<string, Session>();
  readonly #tagEvents: TagEvent[] = [];
  readonly #discardOver: number;
  readonly #blobsInOnePlace: boolean;

  constructor({discardOver = Infinity, blobsInOnePlace = false}: StoreOptions = {}) {
    this.#discardOver = discardOver;
    this.#blobsInOnePlace = blobsInOnePlace;
  }

  /** Every setting of a tag so far, in order, seeding included. */
  get tagEvents(): readonly TagEvent[] {
    return this.#tagEvents;
  }

  /** The upload sessions that are open now. */
  get sessions(): readonly SessionSnapshot[] {
    return [...this.#sessions.values()].map(({id, repository, offset, known}) => ({
      ...{id, repository, offset, known}
    }));
  }

  /** Puts a blob, of bytes or virtual, into a repository. */
  putBlob(repository: string, blob: Uint8Array | VirtualBlob): Descriptor {
    const virtual = blob instanceof Uint8Array ? undefined : blob;
    const content = blob instanceof Uint8Array ? held(blob) : new VirtualContent(blob);
    const digest = digestOfContent(content, virtual);
    this.addBlob(repository, digest, content);
    return {mediaType: 'application/octet-stream', digest, size: content.size};
  }

  /** Puts content whose digest is known to be right into a repository. */
  addBlob(repository: string, digest: Digest, content: Content): void {
    if (!this.#contents.has(digest)) this.#contents.set(digest, content);
    this.#open(repository).blobs.add(digest);
  }

  /** Makes a blob that `from` has visible in `repository`; false when `from` does not have it. */
  mountBlob(repository: string, digest: Digest, from: string): boolean {
    if (this.#repositories.get(from)?.blobs.has(digest) !== true) return false;
    this.#open(repository).blobs.add(digest);
    return true;
  }

  /** A repository that has the blob, if any. */
  holderOf(digest: Digest): string | undefined {
    return [...this.#repositories].find(([, {blobs}]) => blobs.has(digest))?.[0];
  }

  /** The blob, when it is seen in this repository. */
  blob(repository: string, digest: string): Content | undefined {
    const has = this.#blobsInOnePlace
      ? this.holderOf(digest as Digest) !== undefined
      : this.#repositories.get(repository)?.blobs.has(digest as Digest) === true;
    return has ? this.#contents.get(digest as Digest) : undefined;
  }

  /** The bytes of a blob, all at once: for looking at small ones. */
  bytes(repository: string, digest: string): Buffer | undefined {
    const content = this.blob(repository, digest);
    return content && Buffer.concat([...content.pieces(0, content.size)]);
  }

  /** Takes a blob out of one repository; false when it was not there. */
  deleteBlob(repository: string, digest: string): boolean {
    return this.#repositories.get(repository)?.blobs.delete(digest as Digest) ?? false;
  }

  /**
   * Puts a manifest, unchecked. Bytes alone tell their type by their `mediaType` field.
   * @throws DemoError when no media type is to be found
   */
  putManifest(
    repository: string,
    manifest: Uint8Array | {readonly mediaType: string; readonly body: Uint8Array | string},
    tag?: string,
    algorithm: 'sha256' | 'sha512' = 'sha256'
  ): Descriptor {
    const body = Buffer.from(manifest instanceof Uint8Array ? manifest : manifest.body);
    const mediaType =
      manifest instanceof Uint8Array ? referencesOf(body)?.mediaType : manifest.mediaType;
    if (mediaType === undefined) {
      throw new DemoError(400, 'MANIFEST_INVALID', 'the manifest does not say its media type');
    }
    const digest = digestOf(body, algorithm);
    this.#open(repository).manifests.set(digest, {digest, mediaType, body});
    if (tag !== undefined) this.setTag(repository, tag, digest);
    return {mediaType, digest, size: body.length};
  }

  /** The manifest that a tag or digest names. */
  manifest(repository: string, reference: string): StoredManifest | undefined {
    const room = this.#repositories.get(repository);
    const digest = isDigest(reference) ? reference : room?.tags.get(reference);
    return digest === undefined ? undefined : room?.manifests.get(digest);
  }

  /** All manifests of a repository. */
  manifests(repository: string): readonly StoredManifest[] {
    return [...(this.#repositories.get(repository)?.manifests.values() ?? [])];
  }

  /** Takes a manifest out, and the tags that point at it; false when it was not there. */
  deleteManifest(repository: string, digest: string): boolean {
    const room = this.#repositories.get(repository);
    if (room?.manifests.delete(digest as Digest) !== true) return false;
    for (const [tag, target] of room.tags) if (target === digest) room.tags.delete(tag);
    return true;
  }

  /** Points a tag at a digest, and notes what is missing below it just now. */
  setTag(repository: string, tag: string, digest: Digest): void {
    const {tags} = this.#open(repository);
    const previous = tags.get(tag);
    tags.set(tag, digest);
    const holes = this.holes(repository, digest);
    this.#tagEvents.push({repository, tag, digest, previous, holes});
  }

  /** The digest that a tag points at. */
  tag(repository: string, tag: string): Digest | undefined {
    return this.#repositories.get(repository)?.tags.get(tag);
  }

  /** Takes a tag away; false when it was not there. */
  deleteTag(repository: string, tag: string): boolean {
    return this.#repositories.get(repository)?.tags.delete(tag) ?? false;
  }

  /** The tags of a repository in lexical order. */
  tags(repository: string): readonly string[] {
    return [...(this.#repositories.get(repository)?.tags.keys() ?? [])].sort();
  }

  /** All repositories in lexical order. */
  repositories(): readonly string[] {
    return [...this.#repositories.keys()].sort();
  }

  /** Whether anything was ever put into the repository. */
  has(repository: string): boolean {
    return this.#repositories.has(repository);
  }

  /** Creates an empty repository, for registries that want that first. */
  createRepository(repository: string): void {
    this.#open(repository);
  }

  /**
   * Everything reachable from a manifest that is absent or has another size than its descriptor
   * says, the manifest itself included: empty when the image is complete.
   */
  holes(repository: string, root: Digest): readonly Hole[] {
    const found = new Map<Digest, Hole>();
    const seen = new Set<Digest>();
    const note = (digest: Digest, kind: Hole['kind'], problem: Hole['problem']) =>
      found.set(digest, {digest, kind, problem});
    const visit = (digest: Digest, size: number | undefined) => {
      if (seen.has(digest)) return;
      seen.add(digest);
      const manifest = this.manifest(repository, digest);
      if (manifest === undefined) return note(digest, 'manifest', 'absent');
      if (size !== undefined && size !== manifest.body.length) note(digest, 'manifest', 'size');
      const references = referencesOf(manifest.body);
      for (const child of references?.manifests ?? []) visit(child.digest, child.size);
      for (const blob of references?.blobs ?? []) {
        const content = this.blob(repository, blob.digest);
        if (content === undefined) note(blob.digest, 'blob', 'absent');
        else if (content.size !== (blob.size ?? content.size)) note(blob.digest, 'blob', 'size');
      }
      return;
    };
    visit(root, undefined);
    return [...found.values()];
  }

  /** What a manifest names directly and the repository does not have. */
  missing(repository: string, {blobs, manifests}: References): readonly Digest[] {
    const absent = [
      ...blobs.filter(({digest}) => this.blob(repository, digest) === undefined),
      ...manifests.filter(({digest}) => this.manifest(repository, digest) === undefined)
    ];
    return [...new Set(absent.map(({digest}) => digest))];
  }

  /** Opens an upload session. */
  openSession(repository: string, algorithm: 'sha256' | 'sha512' = 'sha256'): Session {
    const session = new Session(repository, algorithm, this.#discardOver);
    this.#sessions.set(session.id, session);
    return session;
  }

  /** An open session of this repository. */
  session(repository: string, id: string): Session | undefined {
    const session = this.#sessions.get(id);
    return session?.repository === repository ? session : undefined;
  }

  /** Drops a session, whatever it holds. */
  dropSession(id: string): boolean {
    return this.#sessions.delete(id);
  }

  #open(name: string): Repository {
    let room = this.#repositories.get(name);
    if (room === undefined) {
      room = {blobs: new Set(), manifests: new Map(), tags: new Map()};
      this.#repositories.set(name, room);
    }
    return room;
  }
}

function held(bytes: Uint8Array): Content {
  return new HeldContent([Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)]);
}
