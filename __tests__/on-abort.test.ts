import {getEventListeners} from 'node:events';

import {describe, expect, it} from '@jest/globals';

import {onAbort} from '../src/on-abort.ts';

describe('what waits for a signal', () => {
  it('is called once, in its order, unless it was called off', () => {
    const controller = new AbortController();
    const called: string[] = [];
    const callOff = ['a', 'b', 'c'].map(name =>
      onAbort(controller.signal, () => called.push(name))
    );
    callOff[1]?.();
    callOff[1]?.();
    controller.abort();
    controller.abort();
    expect(called).toEqual(['a', 'c']);
    callOff[0]?.();
  });

  it('is not called where the signal had aborted before', () => {
    const called: string[] = [];
    const callOff = onAbort(AbortSignal.abort(), () => called.push('late'));
    expect(called).toEqual([]);
    callOff();
  });

  it('waits as often as it is given, each time for itself', () => {
    const controller = new AbortController();
    let calls = 0;
    const one = () => calls++;
    const callOff = [1, 2, 3].map(() => onAbort(controller.signal, one));
    callOff[0]?.();
    controller.abort();
    expect(calls).toBe(2);
  });

  it('may call off what is still to be called, and wait for another signal', () => {
    const controller = new AbortController();
    const next = new AbortController();
    const called: string[] = [];
    let callOff: () => void = () => undefined;
    onAbort(controller.signal, () => {
      callOff();
      onAbort(next.signal, () => called.push('next'));
    });
    callOff = onAbort(controller.signal, () => called.push('called off'));
    controller.abort();
    next.abort();
    expect(called).toEqual(['next']);
  });

  it('is one listener, however many there are', () => {
    const controller = new AbortController();
    for (let i = 0; i < 1000; i++) onAbort(controller.signal, () => undefined);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
  });
});
