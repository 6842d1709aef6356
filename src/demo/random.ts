/**
 * Pseudo-random numbers from a seed (mulberry32): the same seed gives the same sequence on every
 * machine. For samples and faults only, never for anything that has to be secret.
 */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A seed made of words, so that each thing of a sample has a sequence of its own (FNV-1a). */
  static seedOf(...words: readonly (string | number)[]): number {
    let hash = 0x811c9dc5;
    for (const character of words.join('\0')) {
      hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
    }
    return hash >>> 0;
  }

  /** An integer from 0 up to 2^32 - 1. */
  uint32(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** A number from 0 up to, but not including, 1. */
  fraction(): number {
    return this.uint32() / 0x1_0000_0000;
  }

  /** An integer from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.fraction() * (high - low + 1));
  }

  /** `length` bytes that do not compress. */
  bytes(length: number): Buffer {
    const buffer = Buffer.allocUnsafe(length);
    let at = 0;
    for (; at + 4 <= length; at += 4) buffer.writeUInt32LE(this.uint32(), at);
    for (; at < length; at++) buffer[at] = this.uint32() & 0xff;
    return buffer;
  }
}
