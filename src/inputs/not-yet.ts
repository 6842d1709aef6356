import type {InputName} from './table.ts';

/** Values that are understood, but whose capability is still to come. A capability that arrives takes its line away. */
export const notYet: readonly {
  readonly input: InputName;
  readonly value: string;
  readonly message: string;
}[] = [];
