/**
 * A signal that aborts after so many milliseconds, or with the given one where that comes first. It
 * keeps no process alive.
 *
 * `AbortSignal.timeout` is not used for it: joined by `AbortSignal.any` it is held by nobody, and Node
 * 20 collects it, so that the time never ends.
 */
export function deadline(milliseconds: number, signal?: AbortSignal): AbortSignal {
  const late = new AbortController();
  setTimeout(() => {
    late.abort(
      new DOMException(`the time was over after ${milliseconds / 1000} s`, 'TimeoutError')
    );
  }, milliseconds).unref();
  return signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]);
}
