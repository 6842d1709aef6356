/** The command line cannot be understood. The message says which part and what is known; it never holds a value. */
export class UsageError extends Error {
  override readonly name = 'UsageError' as const;
  /** What the process ends with. */
  readonly exitCode = 2;
}

/** The user ended a question with Ctrl-C. Nothing was sent anywhere by then. */
export class CancelledError extends Error {
  override readonly name = 'CancelledError' as const;
  /** What the process ends with: what a shell says of a process that an interrupt ended. */
  readonly exitCode = 130;
}
