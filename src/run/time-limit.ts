import {MirrorError} from '../mirror/error.ts';
import type {RegistryError} from '../registry/error.ts';
import {splitRequest} from '../report/causes.ts';
import {plural} from '../report/lines.ts';

/** What may end a run before it is done. */
export interface Ending {
  /** Aborts when the run is cancelled or its time is over; its reason says which. */
  readonly signal: AbortSignal;
  /** The run is over: nothing is waited or listened for any more. */
  end(): void;
}

/** The run was ended before it was done. */
export class EndedError extends Error {
  override readonly name = 'EndedError' as const;
  readonly advice: string;
  constructor(message: string, advice: string) {
    super(message);
    this.advice = advice;
  }
}

/** A registry, as far as it is known what keeps it. */
interface Waited {
  readonly name: string;
  readonly trouble: RegistryError | undefined;
  /** For how many milliseconds it had owed an answer when the run ended. */
  readonly silence: number;
}

/** Whoever is silent for longer, in milliseconds, is told to have been waited for. */
const longSilence = 10_000;

/**
 * Why a run was ended, with what it was waiting for, and what the target keeps of it, which the error
 * that ended the work tells.
 */
export function endedBy(
  reason: unknown,
  error: unknown,
  registries: readonly (Waited | undefined)[] = []
): unknown {
  if (!(reason instanceof EndedError)) return reason;
  const kept = error instanceof MirrorError ? error.kept : undefined;
  const waited = waitedFor(registries.filter(one => one !== undefined));
  if (kept === undefined && waited === '') return reason;
  return new EndedError(
    `${reason.message}${waited}`,
    kept === undefined ? reason.advice : `${kept} ${reason.advice}`
  );
}

function waitedFor(registries: readonly Waited[]): string {
  const troubles = registries.flatMap(one => one.trouble ?? []);
  if (troubles.length > 0) {
    const answers = troubles.map(({message}) => splitRequest(message).answer);
    return `; it was trying again, since ${answers.join(', and ')}`;
  }
  const silent = registries
    .filter(({silence}) => silence > longSilence)
    .map(
      ({name, silence}) => `${name}, which had not answered for ${Math.round(silence / 1000)} s`
    );
  return silent.length === 0 ? '' : `; it was waiting for ${silent.join(', and for ')}`;
}

/**
 * The signal of a run: the given one, or the end of so many milliseconds.
 */
export function endOf(signal: AbortSignal, milliseconds: number): Ending {
  const late = new AbortController();
  const timer = setTimeout(() => {
    late.abort(
      new EndedError(
        `the run did not end within its ${plural(Math.round(milliseconds / 60_000), 'minute')}`,
        'Run again: what has arrived is not sent again. The input timeout allows more.'
      )
    );
  }, milliseconds);
  return {
    signal: AbortSignal.any([signal, late.signal]),
    end: () => {
      clearTimeout(timer);
      // What was asked ahead and is not needed any more ends with the run.
      late.abort(new EndedError('the run is over', ''));
    }
  };
}
