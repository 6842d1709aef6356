/**
 * Where a room says what it does. The rooms know only this; the step writes it as workflow
 * commands, the terminal as lines. Whatever a registry or a child process said has been through
 * `clean` (oci/clean.ts) before it is put into a message.
 */
export interface Log {
  /** Shown only when debugging was asked for. */
  debug(message: string): void;
  info(message: string): void;
  /** Something the user should know, though nothing is wrong. */
  notice(message: string): void;
  /** Something the user should look at; the run goes on. */
  warning(message: string): void;
  /** Masks a value from here on, in everything that is written. Call it before the first use. */
  secret(value: string): void;
}

/** A log for those who do not listen. */
export const silent: Log = {
  debug: () => undefined,
  info: () => undefined,
  notice: () => undefined,
  warning: () => undefined,
  secret: () => undefined
};
