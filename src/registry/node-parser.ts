import {type IncomingMessage, request} from 'node:http';
import {Duplex} from 'node:stream';

/**
 * Reads one answer with Node's own parser, from bytes that are given to it: for what is not of the
 * plain kind. Its own request goes nowhere.
 */
export class NodeParser {
  readonly head: Promise<IncomingMessage>;
  readonly #wire: Duplex;

  /** @param on what becomes of the connection: it may flow again; nothing more is wanted of it */
  constructor(method: string, on: {readonly resume: () => void; readonly over: () => void}) {
    this.#wire = new Duplex({
      read: on.resume,
      write: (_piece, _encoding, done) => {
        done();
      },
      destroy: (error, done) => {
        on.over();
        done(error);
      }
    });
    this.head = new Promise((resolve, reject) => {
      request({method, createConnection: () => this.#wire})
        .on('response', message => {
          // The request would leave the connection open behind an answer that was read to its end.
          message.once('close', () => {
            this.#wire.destroy();
          });
          resolve(message);
        })
        .on('error', reject)
        .end();
    });
    // Who waits for it may have given up.
    this.head.catch(() => undefined);
  }

  /** Takes in bytes, which must stay as they are. @returns whether more may come at once */
  take(piece: Buffer): boolean {
    return this.#wire.push(piece);
  }

  /** The other side has closed the connection, which ends some answers as it should. */
  end(): void {
    this.#wire.push(null);
  }

  /** The connection broke. */
  fail(error: Error): void {
    this.#wire.destroy(error);
  }
}
