import type {InputName} from './table.ts';

/** One thing that is wrong with what was given. */
export interface InputProblem {
  readonly input: InputName;
  /** The value (cleaned, cut, never a password), the rule and an example. */
  readonly message: string;
  /** It is wrong beside another input, not by itself. */
  readonly together?: boolean;
  /** It is required, and was not given. */
  readonly missing?: boolean;
}

/**
 * What was given cannot be used. It carries every problem there is, found before anything was sent
 * anywhere; the message lists all of them, a line each. All text in it is clean.
 */
export class InputError extends Error {
  override readonly name = 'InputError' as const;
  readonly problems: readonly InputProblem[];

  constructor(problems: readonly InputProblem[]) {
    const count = problems.length === 1 ? 'one mistake' : `${problems.length} mistakes`;
    const lines = problems.map(({message}) => `- ${message}`);
    super([`The inputs hold ${count}; nothing was sent anywhere.`, ...lines].join('\n'));
    this.problems = problems;
  }
}

/** A value that breaks a rule of its input. Inside this room only: it becomes a problem. */
export class Refusal extends Error {
  override readonly name = 'Refusal' as const;
  /** Whether the message shows nothing of the value that could be secret. */
  readonly discreet: boolean;

  constructor(message: string, {discreet = false}: {readonly discreet?: boolean} = {}) {
    super(message);
    this.discreet = discreet;
  }
}
