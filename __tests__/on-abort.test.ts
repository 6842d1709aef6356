import {getEventListeners, once} from 'node:events';
import {createServer} from 'node:net';
import type {AddressInfo} from 'node:net';

import {describe, expect, it} from '@jest/globals';

import {onAbort} from '../src/on-abort.ts';
import {systemClock} from '../src/registry/clock.ts';
import {Transport} from '../src/registry/transport.ts';

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

  it('is not called where it came while others were', () => {
    const controller = new AbortController();
    const called: string[] = [];
    onAbort(controller.signal, () => {
      called.push('first');
      onAbort(controller.signal, () => called.push('late'));
    });
    controller.abort();
    expect(called).toEqual(['first']);
  });

  it('may sleep or ask, with one listener still', async () => {
    await using server = createServer(socket => socket.resume());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const {port} = server.address() as AddressInfo;
    const transport = new Transport();
    const controller = new AbortController();
    const {signal} = controller;
    const url = new URL(`http://127.0.0.1:${port}/`);
    const waits = Array.from({length: 20}, () => [
      systemClock.sleep(60_000, signal),
      transport.send({...{method: 'GET', url, headers: {}, signal}, answerWithin: 60_000})
    ]).flat();
    const ended = Promise.allSettled(waits);
    await new Promise(resolve => setTimeout(resolve, 100));
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    controller.abort(new Error('enough'));
    expect(new Set((await ended).map(one => (one as {reason?: Error}).reason?.message))).toEqual(
      new Set(['enough'])
    );
    transport.close();
  });

  it('is one listener, however many there are', () => {
    const controller = new AbortController();
    for (let i = 0; i < 1000; i++) onAbort(controller.signal, () => undefined);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
  });
});
