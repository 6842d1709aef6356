/**
 * A release that cannot be chosen or put together. The message says what was asked for, what is in
 * the way and what to do next; all foreign text in it is clean.
 */
export class ReleaseError extends Error {
  override readonly name = 'ReleaseError' as const;
}
