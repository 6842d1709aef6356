import type {Writable} from 'node:stream';

/**
 * Holds what is written back until what has come in by then has been read: a server that refuses a
 * body in the middle of it may reset the connection right behind its answer, and a write to it would
 * throw that answer away.
 * @returns a function that ends it
 */
export function readBeforeWriting(stream: Pick<Writable, 'write' | 'cork' | 'uncork'>): () => void {
  const plain = stream.write;
  const write = plain.bind(stream) as (...given: unknown[]) => boolean;
  let held = false;
  stream.write = (...given: unknown[]) => {
    if (!held) {
      held = true;
      stream.cork();
      // Behind the poll phase, in which the event loop reads.
      setImmediate(() => {
        held = false;
        stream.uncork();
      });
    }
    return write(...given);
  };
  return () => {
    stream.write = plain;
  };
}
