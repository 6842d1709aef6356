import {randomBytes, randomUUID} from 'node:crypto';

import {algorithmOf, Hasher, type Digest} from '../oci/digest.ts';
import {type Content, DiscardedContent, HeldContent} from './content.ts';
import {DemoError} from './error.ts';
import type {LocationMode} from './location.ts';

/** What an onlooker may know of an upload session. */
export interface SessionSnapshot {
  readonly id: string;
  readonly repository: string;
  /** Bytes received so far. */
  readonly offset: number;
  /** Whether an address that is good now has reached the client: only then it could be cancelled. */
  readonly known: boolean;
}

/** An upload session: takes bytes in order and hashes them as they come. */
export class Session {
  readonly id = randomUUID();
  readonly repository: string;
  /** What the newest Location carries; only the newest is valid. */
  state = freshState();
  /** Bytes received so far. */
  offset = 0;
  /** How its newest Location was given. */
  mode: LocationMode = 'absolute';
  /** Whether an address that is good now has reached the client. */
  known = false;
  /** Where the first PATCH ended: what some registries report for ever. */
  firstEnd: number | undefined;
  readonly #algorithm: 'sha256' | 'sha512';
  #hasher: Hasher;
  readonly #discardOver: number;
  #chunks: Buffer[] | undefined = [];
  #queue: Promise<void> = Promise.resolve();

  constructor(repository: string, algorithm: 'sha256' | 'sha512', discardOver: number) {
    this.repository = repository;
    this.#algorithm = algorithm;
    this.#hasher = new Hasher(algorithm);
    this.#discardOver = discardOver;
  }

  /** Takes the next bytes. Beyond the store's limit they are hashed and counted, but not kept. */
  append(chunk: Buffer): void {
    this.#hasher.update(chunk);
    this.offset += chunk.length;
    if (this.offset > this.#discardOver) this.#chunks = undefined;
    this.#chunks?.push(chunk);
  }

  /** Loses the bytes so far and counts on as though it had them. */
  forget(): void {
    this.#hasher = new Hasher(this.#algorithm);
    this.#chunks = [];
  }

  /** Makes every Location given so far stale. */
  renew(): void {
    this.state = freshState();
  }

  /**
   * Runs `body` when no other request is at work on this session: a client that gave up a request
   * and comes back at once may be here before the end of the old one was noticed.
   */
  async exclusively(body: () => Promise<void>): Promise<void> {
    const turn = this.#queue.then(body);
    this.#queue = turn.catch(() => undefined);
    await turn;
  }

  /**
   * Ends the session: its bytes, if they have the digest that was promised.
   * @throws DemoError DIGEST_INVALID
   */
  finish(promised: Digest): Content {
    const held = this.#chunks && new HeldContent(this.#chunks);
    if (this.#digest(algorithmOf(promised), held) !== promised) {
      throw new DemoError(400, 'DIGEST_INVALID', 'provided digest did not match uploaded content', {
        detail: {Digest: promised, Reason: {}}
      });
    }
    return held ?? new DiscardedContent(this.offset);
  }

  #digest(algorithm: 'sha256' | 'sha512', held: Content | undefined): Digest | undefined {
    if (algorithm === this.#algorithm) return this.#hasher.digest();
    if (held === undefined) return undefined;
    const hasher = new Hasher(algorithm);
    for (const piece of held.pieces(0, held.size)) hasher.update(piece);
    return hasher.digest();
  }
}

// Base64 with its + / = on purpose: a client that decodes and rebuilds the query shows itself.
function freshState(): string {
  return `${randomBytes(24).toString('base64')}+/==`;
}
