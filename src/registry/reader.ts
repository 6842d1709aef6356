import {pipeline, type Writable} from 'node:stream';
import {createGunzip} from 'node:zlib';

import type {Descriptor} from '../oci/descriptor.ts';
import {algorithmOf, type Digest, Hasher} from '../oci/digest.ts';
import {onAbort} from '../on-abort.ts';
import {type OpenBlob, openBlob} from './blobs.ts';
import {encodingOf} from './encoding.ts';
import {RegistryError} from './error.ts';
import {isBreak} from './patience.ts';
import {type Pieces, piecesOf} from './pieces.ts';
import type {Registry} from './registry.ts';
import type {Answer} from './transport.ts';

/** Content that can be written anywhere, as often as it takes. */
export interface BlobContent {
  readonly descriptor: Descriptor;
  /**
   * Writes the bytes from `from` up to, not including, `to`. The last byte of the blob is written
   * only when all of them have the right digest: a sink that was promised the length never gets
   * wrong content whole.
   */
  pump(from: number, to: number, sink: Writable, signal: AbortSignal): Promise<void>;
}

/**
 * The hash is kept at places at least so many bytes apart, and at no more than so many places: to read a
 * part of a blob again costs about one such stretch before it.
 */
const stretch = {shortest: 1024 * 1024, most: 256};

/**
 * Less than this within the time that a body may be silent, in bytes, and it drips: at that rate no layer
 * comes to its end, and another connection is most likely a quicker one.
 */
const drip = 16 * 1024;

/** So much progress, in bytes, and a download has earned a new patience. */
const progress = 256 * 1024;

/**
 * A blob at a registry, read as a stream. What breaks (a reset, an early end, a stall, a signed
 * address that expired) goes on by Range where it stopped; everything is hashed in order, and what is
 * read again for another part is hashed again.
 */
export class BlobReader implements BlobContent {
  readonly descriptor: Descriptor;
  readonly #registry: Registry;
  readonly #repository: string;
  readonly #arrived: (bytes: number) => void;
  #hasher: Hasher;
  /** Bytes from the start that are in the hash. */
  #hashed = 0;
  #verified = false;
  /** How far apart the hash is kept, in bytes. */
  readonly #apart: number;
  /** The hash as it was at some places, in their order. */
  readonly #marks: {readonly at: number; readonly hasher: Hasher}[] = [];
  /** What had been read when some of it was to be read again, in the order of the places; it has to come again. */
  #witnesses: readonly {readonly at: number; readonly digest: Digest}[] = [];
  /** The whole blob, asked for ahead of the first `pump`. */
  #ahead: Promise<OpenBlob> | undefined;
  /**
   * Whether a blob that comes whole, and labelled as packed, is unpacked; undefined as long as none of it came
   * with such a label.
   */
  #unpacks: boolean | undefined;
  /** Where the last of it came from: the registry, or where that had redirected to. */
  #from: URL | undefined;
  /** The furthest byte that was ever written, for the progress. */
  #furthest = 0;

  /** @param arrived told of bytes when they are read for the first time */
  constructor(
    registry: Registry,
    repository: string,
    descriptor: Descriptor,
    arrived: (bytes: number) => void = () => undefined
  ) {
    this.descriptor = descriptor;
    this.#registry = registry;
    this.#repository = repository;
    this.#arrived = arrived;
    this.#apart = Math.max(stretch.shortest, descriptor.size / stretch.most);
    this.#hasher = new Hasher(algorithmOf(descriptor.digest));
  }

  /** Asks for the blob already, while the upload is being opened; the next `pump` takes it over. */
  prefetch(signal: AbortSignal): void {
    this.#ahead = this.#open(0, this.descriptor.size, signal);
    // Its failure is the pump's to tell.
    this.#ahead.catch(() => undefined);
  }

  /** Lets go of what was asked for ahead and not taken over. */
  release(): void {
    void this.#ahead?.then(
      ({answer}) => answer.body.destroy(),
      () => undefined
    );
    this.#ahead = undefined;
  }

  async pump(from: number, to: number, sink: Writable, signal: AbortSignal): Promise<void> {
    const {size} = this.descriptor;
    // From the start again: what was hashed may be what was wrong, and what comes now need not be the same.
    if (from === 0) this.#forget();
    const start = this.#rewind(from);
    let patience = this.#registry.patience();
    let earned = start;
    if (size === 0) this.#check();
    for (let at = start; at < to;) {
      const cursor = {at, from};
      try {
        const {answer, skip} = await this.#take(at, to, signal);
        this.#from = answer.url;
        await this.#pour(this.#decoded(answer), cursor, to, skip, sink, signal);
        at = cursor.at;
      } catch (error) {
        signal.throwIfAborted();
        at = cursor.at;
        if (!(error instanceof RegistryError) || !isBreak(error) || sink.destroyed) throw error;
        if (at - earned >= progress) {
          patience = this.#registry.patience();
          earned = at;
        }
        await this.#registry.recover(patience, error, signal);
      }
    }
  }

  #open(offset: number, end: number, signal: AbortSignal): Promise<OpenBlob> {
    // What breaks before the answer and what breaks after it share the one patience of `pump`.
    const part = {offset, end};
    return openBlob(
      this.#registry,
      this.#repository,
      this.descriptor,
      part,
      signal,
      'if-throttled'
    );
  }

  async #take(at: number, to: number, signal: AbortSignal): Promise<OpenBlob> {
    const {size} = this.descriptor;
    const ahead = this.#ahead;
    if (ahead !== undefined && at === 0 && to === size) {
      this.#ahead = undefined;
      return await ahead;
    }
    this.release();
    const opened = await this.#open(at, to, signal);
    const {status, headers} = opened.answer;
    if (this.#unpacks !== true || status !== 206 || !isGzip(headers)) return opened;
    // It is packed when it comes whole: such a part is one of the packed bytes, or is packed by itself.
    opened.answer.body.destroy();
    return {...(await this.#open(0, size, signal)), skip: at};
  }

  /**
   * The body as the blob's own bytes. Some proxies compress although nobody asked, and some registries label
   * what they do not pack; without a length, only the digest tells which of both it was.
   * @see https://github.com/moby/moby/issues/17595
   */
  #decoded(answer: Answer): Decoded {
    const {status, headers} = answer;
    if (!isGzip(headers)) return {body: answer.pieces(), form: 'raw'};
    if (status === 206) {
      // A range counts in what is sent: what would come out of it is no such part.
      this.#unpacks ??= false;
      return {body: answer.pieces(), form: 'raw'};
    }
    const length = headers['content-length'];
    // A body that has the blob's length is the blob.
    this.#unpacks =
      length === undefined ? (this.#unpacks ?? true) : Number(length) !== this.descriptor.size;
    if (!this.#unpacks) return {body: answer.pieces(), form: 'raw'};
    // Whoever takes no more of it closes the connection behind it, too.
    const body = piecesOf(pipeline(answer.body, createGunzip(), () => undefined));
    return {body, form: length === undefined ? 'guessed' : 'unpacked'};
  }

  /**
   * Moves bytes from one answer to the sink until the answer ends; the cursor says how far it came. What
   * lies before its `from` is hashed alone.
   */
  #pour(
    {body, form}: Decoded,
    cursor: {at: number; readonly from: number},
    to: number,
    skip: number,
    sink: Writable,
    signal: AbortSignal
  ): Promise<void> {
    const {idle} = this.#registry.transport.timings;
    return new Promise((resolve, reject) => {
      if (signal.aborted || sink.destroyed) {
        // It is too late to be told of it.
        body.destroy();
        signal.throwIfAborted();
        throw this.#failure('connection', 'the upload of it broke');
      }
      let came = 0;
      const timer = setTimeout(() => {
        // A sink that takes nothing is not this side's failure; who writes to it watches it.
        if (body.paused) goesOn();
        else
          settle(
            this.#failure(
              'stalled',
              `${came === 0 ? 'nothing' : `no more than ${came} bytes`} came for ${idle / 1000} s`
            )
          );
      }, idle);
      const goesOn = () => {
        came = 0;
        timer.refresh();
      };
      let over = false;
      const settle = (error?: Error) => {
        if (over) return;
        over = true;
        clearTimeout(timer);
        callOff();
        sink.off('drain', onDrain);
        sink.off('close', onClose);
        if (error === undefined) resolve();
        else {
          body.destroy();
          reject(error);
        }
      };
      const onDrain = () => {
        goesOn();
        body.resume();
      };
      const onClose = () => {
        settle(this.#failure('connection', 'the upload of it broke'));
      };
      // More comes than was asked for, and its end may never: the connection is not worth it.
      const enough = () => {
        settle();
        body.destroy();
      };
      const data = (whole: Buffer, release: () => void) => {
        came += whole.length;
        if (came >= drip) goesOn();
        const piece = whole.subarray(skip, skip + to - cursor.at);
        const surplus = piece.length > 0 && whole.length > skip + piece.length;
        skip = Math.max(0, skip - whole.length);
        if (over || piece.length === 0) {
          release();
          if (cursor.at === to && whole.length > 0) enough();
          return;
        }
        try {
          this.#hash(piece, cursor.at);
        } catch (error) {
          settle(error as Error);
          return;
        }
        const before = cursor.from - cursor.at;
        const wanted = before > 0 ? piece.subarray(before) : piece;
        cursor.at += piece.length;
        if (cursor.at > this.#furthest) {
          this.#arrived(cursor.at - this.#furthest);
          this.#furthest = cursor.at;
        }
        // Its memory is free again when the sink has handed it on.
        if (wanted.length === 0) release();
        else if (!sink.write(wanted, release)) body.pause();
        if (cursor.at < to) return;
        // All is there: the end is still wanted, for the connection, but nothing before it.
        if (surplus) enough();
        else body.resume();
      };
      const broken = (text: string, cause?: Error) => {
        settle(cursor.at === to ? undefined : this.#failure('connection', text, cause));
      };
      sink.on('drain', onDrain);
      sink.on('close', onClose);
      const callOff = onAbort(signal, () => {
        settle(signal.reason as Error);
      });
      body.start({
        data,
        end: () => {
          // What was packed and is whole does not end early.
          if (form !== 'raw' && cursor.at < to) settle(this.#misread(form, cursor.at));
          else broken(`it ended after ${cursor.at} of ${to} bytes`);
        },
        fail: error => {
          if (form !== 'raw' && cursor.at < to && isUnfit(error))
            settle(this.#misread(form, cursor.at, error));
          else broken(`it broke off after ${cursor.at} of ${to} bytes`, error);
        }
      });
    });
  }

  /** Takes a piece at `at` into the hash, unless it has been there before; checks when it is the last one. */
  #hash(piece: Buffer, at: number): void {
    if (this.#verified || at + piece.length <= this.#hashed) return;
    // A part that was never read would make a hole: only whole blobs are checked here.
    if (at > this.#hashed) return;
    this.#update(at === this.#hashed ? piece : piece.subarray(this.#hashed - at));
    if (this.#hashed === this.descriptor.size) this.#check();
    else if (this.#hashed - (this.#marks.at(-1)?.at ?? 0) >= this.#apart)
      this.#marks.push({at: this.#hashed, hasher: this.#hasher.copy()});
  }

  /** Takes what comes next into the hash, and sees that it is the same that came before. */
  #update(fresh: Buffer): void {
    const [witness] = this.#witnesses;
    const piece = witness === undefined ? fresh : fresh.subarray(0, witness.at - this.#hashed);
    this.#hasher.update(piece);
    this.#hashed += piece.length;
    if (witness === undefined || this.#hashed < witness.at) return;
    this.#witnesses = this.#witnesses.slice(1);
    if (this.#hasher.copy().digest() !== witness.digest) {
      this.#turn();
      throw this.#failure('corrupt', 'the registry sent other bytes than before');
    }
    if (piece.length < fresh.length) this.#update(fresh.subarray(piece.length));
  }

  /**
   * Goes back to where the hash is known, for a part that is read again: what comes now need not be what
   * came before, some of which is at the target already.
   * @returns where to read from
   */
  #rewind(from: number): number {
    if (from >= this.#hashed) return from;
    // Of what was whole and right, the digest itself is the witness.
    if (!this.#verified) {
      const witness = {at: this.#hashed, digest: this.#hasher.copy().digest()};
      this.#witnesses = [...this.#witnesses, witness].sort((one, other) => one.at - other.at);
    }
    while ((this.#marks.at(-1)?.at ?? 0) > from) this.#marks.pop();
    const mark = this.#marks.at(-1);
    this.#hasher = mark?.hasher.copy() ?? new Hasher(algorithmOf(this.descriptor.digest));
    this.#hashed = mark?.at ?? 0;
    this.#verified = false;
    return this.#hashed;
  }

  #check(): void {
    const {digest} = this.descriptor;
    const got = this.#hasher.digest();
    if (got !== digest) {
      this.#turn();
      throw this.#failure('corrupt', `the registry sent other bytes: ${got} instead of ${digest}`);
    }
    this.#verified = true;
  }

  #forget(): void {
    this.#hasher = new Hasher(algorithmOf(this.descriptor.digest));
    this.#hashed = 0;
    this.#verified = false;
    this.#marks.length = 0;
    this.#witnesses = [];
  }

  /** What came was not the blob: another try reads the label the other way. */
  #turn(): void {
    if (this.#unpacks !== undefined) this.#unpacks = !this.#unpacks;
    this.#forget();
  }

  #misread(form: Decoded['form'], at: number, cause?: Error): RegistryError {
    this.#turn();
    // Where nothing of it has gone out yet, the other way can be tried from here.
    return this.#failure(
      form === 'guessed' && at === 0 ? 'connection' : 'corrupt',
      'it came with Content-Encoding gzip, and cannot be unpacked to what it should be',
      cause
    );
  }

  #failure(
    fault: 'corrupt' | 'connection' | 'stalled',
    text: string,
    cause?: Error
  ): RegistryError {
    const {name: host} = this.#registry;
    const {digest} = this.descriptor;
    return new RegistryError(fault, `${host}/${this.#repository}@${digest}: ${text}`, {
      host,
      method: 'GET',
      repository: this.#repository,
      digest,
      through: this.#from && new URL(this.#from.origin),
      cause
    });
  }
}

/** What is read of an answer. */
interface Decoded {
  readonly body: Pieces;
  /** As it came; unpacked; or unpacked on the word of its label alone. */
  readonly form: 'raw' | 'unpacked' | 'guessed';
}

function isGzip(headers: Answer['headers']): boolean {
  return encodingOf(headers)?.kind === 'gzip';
}

/** Whether it is the unpacking that failed. A connection that breaks has another code, and goes on. */
function isUnfit(error: Error): boolean {
  return (error as NodeJS.ErrnoException).code?.startsWith('Z_') === true;
}
