import {clean} from '../oci/clean.ts';
import {DockerError} from './error.ts';

/** The daemon's answers about itself and its images are larger than what commands print; in bytes. */
export const answerLimit = 1024 * 1024;

/** Reads what docker answered with `{{json .}}`. @throws DockerError */
export function parseAnswer(text: string, what: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null) return parsed as Record<string, unknown>;
  } catch {
    // Told below.
  }
  throw new DockerError('failed', `${what} did not answer in JSON`);
}

/** A text of such an answer, clean. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? clean(value, 200) : 'unknown';
}
