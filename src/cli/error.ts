import type {Given} from '../inputs/given.ts';

/** The command line cannot be understood. The message says which part and what is known; it never holds a secret. */
export class UsageError extends Error {
  override readonly name = 'UsageError' as const;
  /** What the process ends with. */
  readonly exitCode = 2;
}

/** The command line itself cannot be understood; what of it was, is here. */
export class ArgumentsError extends UsageError {
  /** What the flags say that were understood; undefined beside a command that takes none. */
  readonly given: Given | undefined;

  constructor(mistakes: readonly string[], given: Given | undefined) {
    super(mistakes.join('\n'));
    this.given = given;
  }
}

/** The user ended a question with Ctrl-C. Nothing was sent anywhere by then. */
export class CancelledError extends Error {
  override readonly name = 'CancelledError' as const;
  /** What the process ends with: what a shell says of a process that an interrupt ended. */
  readonly exitCode = 130;
}
