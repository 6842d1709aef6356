import type {Given} from '../inputs/given.ts';

/** The command line cannot be understood. The message says which part and what is known; it never holds a secret. */
export class UsageError extends Error {
  override readonly name = 'UsageError' as const;
  /** What the process ends with. */
  readonly exitCode = 2;
}

/** What was understood of a command line with mistakes. */
interface Understood {
  /** What the flags say; absent beside a command that takes none. */
  readonly given?: Given;
  /** The path of the lock file that `verify` was to compare with. */
  readonly against?: string;
}

/** The command line itself cannot be understood; what of it was, is here. */
export class ArgumentsError extends UsageError {
  readonly understood: Understood;

  constructor(mistakes: readonly string[], understood: Understood) {
    super(mistakes.join('\n'));
    this.understood = understood;
  }
}

/** The user ended a question, or the wait for a password, with Ctrl-C. Nothing was sent anywhere by then. */
export class CancelledError extends Error {
  override readonly name = 'CancelledError' as const;
  /** What the process ends with: what a shell says of a process that an interrupt ended. */
  readonly exitCode = 130;

  constructor() {
    super('Cancelled; nothing was sent anywhere.');
  }
}
