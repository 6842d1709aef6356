import {MirrorError} from '../mirror/error.ts';
import type {RegistryError} from '../registry/error.ts';
import {splitRequest} from '../report/causes.ts';
import {plural} from '../report/lines.ts';

/** A run's own time, and its end. */
export interface TimeLimit {
  /** Aborts when the run is cancelled or its time is over; its reason says which. */
  readonly signal: AbortSignal;
  /** Stops the clock: the run is over. */
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
  readonly trouble: RegistryError | undefined;
}

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
  const troubles = registries.flatMap(one => one?.trouble ?? []);
  if (kept === undefined && troubles.length === 0) return reason;
  const waited = troubles.map(({message}) => splitRequest(message).answer).join(', and ');
  return new EndedError(
    waited === '' ? reason.message : `${reason.message}; it was trying again, since ${waited}`,
    kept === undefined ? reason.advice : `${kept} ${reason.advice}`
  );
}

/**
 * The signal of a run: the given one, or the end of so many milliseconds.
 */
export function endOf(signal: AbortSignal, milliseconds: number): TimeLimit {
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
