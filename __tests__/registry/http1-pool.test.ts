import {once} from 'node:events';
import {type AddressInfo, connect, createServer} from 'node:net';

import {describe, expect, it} from '@jest/globals';

import {type Answer, type Outgoing, Transport, usualTimings} from '../../src/registry/transport.ts';
import {makeCertificates} from '../support/certificates.ts';
import {until} from '../support/step.ts';
import {plain, Script} from './script.ts';

/** A way to a server on which connections stand still until they are let through. */
class Gate implements AsyncDisposable {
  readonly #server = createServer(near => {
    near.on('error', () => undefined);
    this.#held.push(() => {
      const far = connect(this.#to, '127.0.0.1');
      far.on('error', () => undefined);
      near.pipe(far).pipe(near);
    });
    if (this.#open-- > 0) this.#held.pop()?.();
  });
  readonly #to: number;
  readonly #held: (() => void)[] = [];
  #open: number;

  /** @param open so many are let through at once */
  constructor(to: URL, open: number) {
    this.#to = Number(to.port);
    this.#open = open;
  }

  async listen(): Promise<URL> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return new URL(`https://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v2/x`);
  }

  async held(count: number): Promise<void> {
    await until(`${count} are held`, () => this.#held.length >= count);
  }

  letThrough(): void {
    for (const go of this.#held.splice(0)) go();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.letThrough();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

function ask(transport: Transport, url: URL, more: Partial<Outgoing> = {}): Promise<Answer> {
  return transport.send({
    ...{method: 'GET', url, headers: {}, answerWithin: 2000, hot: true},
    ...{signal: new AbortController().signal, ...more}
  });
}

async function read(asked: Promise<Answer>): Promise<string> {
  return Buffer.concat((await (await asked).body.toArray()) as Buffer[]).toString();
}

describe('kept connections', () => {
  it('asks over whichever connection is there first: the one opened for it, or one given back', async () => {
    await using certificates = await makeCertificates();
    const answers: (() => void)[] = [];
    await using server = new Script((socket, _, n) => {
      answers.push(() => socket.write(plain(`answer ${n}`)));
    }, certificates);
    await using gate = new Gate(await server.listen('https'), 1);
    const transport = new Transport({ca: certificates.ca});
    const url = await gate.listen();
    const asked = (n: number) => until(`request ${n} arrives`, () => server.requests.length === n);
    const one = ask(transport, url);
    await asked(1);
    const other = ask(transport, url);
    await gate.held(1);
    answers[0]?.();
    expect(await read(one)).toBe('answer 1');
    await asked(2);
    answers[1]?.();
    expect(await read(other)).toBe('answer 2');
    // What was opened in vain is there for the next two.
    gate.letThrough();
    await until('the other stands as well', () => server.connections === 2);
    const more = [ask(transport, url), ask(transport, url)];
    await asked(4);
    for (const answer of answers.slice(2)) answer();
    await Promise.all(more.map(read));
    expect(server.connections).toBe(2);
    transport.close();
  });

  it('gives up a request that waits for a connection, and not the connection', async () => {
    await using certificates = await makeCertificates();
    await using server = new Script((socket, _, n) => socket.write(plain(`${n}`)), certificates);
    await using gate = new Gate(await server.listen('https'), 0);
    const transport = new Transport({ca: certificates.ca});
    const url = await gate.listen();
    const cancel = new AbortController();
    const {signal} = cancel;
    const given = [ask(transport, url, {signal}), ask(transport, url, {signal, fresh: true})];
    const kept = ask(transport, url);
    await gate.held(3);
    cancel.abort(new Error('enough'));
    for (const one of given) await expect(one).rejects.toThrow('enough');
    gate.letThrough();
    expect(await read(kept)).toBe('1');
    await until('the other stands as well', () => server.connections >= 2);
    // The fresh one was for that request alone, and is closed.
    await Promise.all([1, 2].map(() => read(ask(transport, url))));
    expect(server.requests).toHaveLength(3);
    expect(server.open).toBe(2);
    transport.close();
  });

  it('fails requests with the connections that they wait for, and none with one that nobody waits for', async () => {
    await using certificates = await makeCertificates();
    await using server = new Script((socket, _, n) => socket.write(plain(`${n}`)), certificates);
    await using gate = new Gate(await server.listen('https'), 1);
    const transport = new Transport({
      ca: certificates.ca,
      timings: {...usualTimings, connect: 300}
    });
    const url = await gate.listen();
    const asked = await Promise.allSettled(
      Array.from({length: 3}, () => read(ask(transport, url)))
    );
    // The first connection serves one after the other.
    expect(asked.map(({status}) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
    await gate.held(2);
    await new Promise(resolve => setTimeout(resolve, 400));
    expect(await read(ask(transport, url))).toBe('4');
    transport.close();

    const mute = new Transport({timings: {...usualTimings, connect: 100}});
    const faults = await Promise.allSettled([ask(mute, url), ask(mute, url)]);
    for (const fault of faults) {
      expect(fault).toMatchObject({
        status: 'rejected',
        reason: {fault: 'stalled', message: expect.stringContaining('no connection came about')}
      });
    }
    mute.close();
  });
});
