import {once} from 'node:events';
import {type AddressInfo, connect, createServer, type Server, type Socket} from 'node:net';
import {networkInterfaces} from 'node:os';
import type {Writable} from 'node:stream';

import {describe, expect, it} from '@jest/globals';

import type {Judge} from '../../src/registry/names.ts';
import {type Answer, type Outgoing, Transport, usualTimings} from '../../src/registry/transport.ts';
import {makeCertificates} from '../support/certificates.ts';
import {plain, Script} from './script.ts';

/** A wire to a port of this machine that spoils one byte each way, so far into a connection. */
async function spoiling(to: string, at: {up?: number; down?: number}): Promise<Server> {
  const wire = createServer(near => {
    const far = connect(Number(to), '127.0.0.1');
    const pass = (from: Socket, into: Socket, spoilt = Infinity) => {
      let before = 0;
      from.on('error', () => undefined);
      from.on('close', () => into.destroy());
      from.on('data', (piece: Buffer) => {
        const index = spoilt - before;
        before += piece.length;
        if (index >= 0 && index < piece.length) piece[index] = (piece[index] ?? 0) ^ 1;
        into.write(piece);
      });
    };
    pass(near, far, at.up);
    pass(far, near, at.down);
  });
  wire.listen(0, '127.0.0.1');
  await once(wire, 'listening');
  return wire;
}

/** A judge that lets anyone go anywhere, or nowhere. */
function judgeOf(registry: string, lax: boolean): Judge {
  const judge = () => {
    if (!lax) throw new Error('no business there');
  };
  return Object.assign(judge, {registry});
}

const ipv6 = Object.values(networkInterfaces()).some(all =>
  all?.some(({address}) => address === '::1')
);

describe.each([
  ['our own client', true],
  ["Node's client", false]
])('connections of %s', (_way, hot) => {
  const send = (transport: Transport, url: URL, more: Partial<Outgoing> = {}): Promise<Answer> =>
    transport.send({
      ...{method: 'GET', url, headers: {}, answerWithin: 2000, hot},
      ...{signal: new AbortController().signal, ...more}
    });

  /** The whole body; the connection is free again. */
  const read = async (asked: Promise<Answer>): Promise<string> => {
    const text = Buffer.concat((await (await asked).body.toArray()) as Buffer[]).toString();
    await new Promise(resolve => setImmediate(resolve));
    return text;
  };

  it.each(['up', 'down'] as const)(
    'are broken where a byte is spoilt on its way %s, and not of another owner',
    async way => {
      await using certificates = await makeCertificates();
      await using server = new Script((socket, request) => {
        if (request.startsWith('GET')) socket.write(plain('', `X-Long: ${'x'.repeat(9000)}\r\n`));
      }, certificates);
      const {port} = await server.listen('https');
      const wire = await spoiling(port, way === 'up' ? {up: 100_000} : {down: 5000});
      const url = new URL(`https://127.0.0.1:${(wire.address() as AddressInfo).port}/v2/x`);
      const transport = new Transport({ca: certificates.ca});
      const pump = (sink: Writable) => {
        sink.write(Buffer.alloc(600_000));
        return Promise.resolve();
      };
      const asked = send(
        transport,
        url,
        way === 'up' ? {method: 'PATCH', body: {length: 1e6, pump}} : {}
      );
      await expect(asked).rejects.toMatchObject({fault: 'connection'});
      transport.close();
      wire.close();
    }
  );

  it.each(['takes connections and says nothing', 'refuses connections'])(
    'have their name looked up anew where its address %s',
    async how => {
      await using certificates = await makeCertificates(['DNS:moved.test']);
      let asked = 0;
      const transport = new Transport({
        ca: certificates.ca,
        timings: {...usualTimings, connect: 200},
        resolve: () => {
          asked++;
          return Promise.resolve([{address: '127.0.0.1', family: 4}]);
        }
      });
      let fault = 'stalled';
      const mute = new Script(() => undefined);
      const {port} = await mute.listen();
      const url = new URL(`https://moved.test:${port}/v2/x`);
      if (how.startsWith('refuses')) {
        await mute[Symbol.asyncDispose]();
        fault = 'address';
      }
      await expect(send(transport, url)).rejects.toMatchObject({fault});
      if (fault === 'stalled') await mute[Symbol.asyncDispose]();
      await using server = new Script(socket => socket.write(plain('here')), certificates);
      await server.listen('https', '127.0.0.1', Number(port));
      expect(await read(send(transport, url))).toBe('here');
      expect(asked).toBe(2);
      transport.close();
    }
  );

  it('are not shared by registries that send us to one host, nor with the host itself', async () => {
    await using server = new Script(socket => socket.write(plain('here')));
    const {port} = await server.listen();
    const url = new URL(`http://store.test:${port}/v2/x`);
    const transport = new Transport({
      resolve: () => Promise.resolve([{address: '127.0.0.1', family: 4}])
    });
    const one = judgeOf('one.test', true);
    for (const more of [{}, {}, {judge: one}, {judge: one}])
      expect(await read(send(transport, url, more))).toBe('here');
    expect(server.connections).toBe(2);
    const two = judgeOf('two.test', false);
    await expect(send(transport, url, {judge: two})).rejects.toThrow('no business');
    expect(server.connections).toBe(2);
    transport.close();
  });

  /** Twelve connections that are kept, and then forgotten by what lies between, without a word. */
  async function forgetful(onUse: (socket: Socket) => void) {
    const known = new WeakSet<Socket>();
    const server = new Script((socket, _, n) => {
      if (n <= 12) known.add(socket);
      else if (known.has(socket)) {
        onUse(socket);
        return;
      }
      setTimeout(() => socket.write(plain('here')), n <= 12 ? 50 : 0);
    });
    const url = await server.listen();
    const transport = new Transport();
    await Promise.all(Array.from({length: 12}, () => read(send(transport, url))));
    expect(server.connections).toBe(12);
    const close = async () => {
      transport.close();
      await server[Symbol.asyncDispose]();
    };
    return {server, url, transport, [Symbol.asyncDispose]: close};
  }

  it.each(['GET', 'POST'])('cost one more when all of them were forgotten: %s', async method => {
    let forgotten = 0;
    await using world = await forgetful(socket => {
      forgotten++;
      socket.resetAndDestroy();
    });
    const {server, url, transport} = world;
    expect(await read(send(transport, url, {method}))).toBe('here');
    expect({forgotten, connections: server.connections}).toEqual({forgotten: 1, connections: 13});
  });

  it('are all given up where one of them is silent', async () => {
    let unheard = 0;
    await using world = await forgetful(() => unheard++);
    const {server, url, transport} = world;
    await expect(send(transport, url, {answerWithin: 50})).rejects.toMatchObject({
      fault: 'stalled'
    });
    expect(await read(send(transport, url))).toBe('here');
    expect({unheard, connections: server.connections}).toEqual({unheard: 1, connections: 13});
  });

  it('are closed where the answer says so', async () => {
    await using server = new Script((socket, _, n) =>
      socket.write(plain(`answer ${n}`, 'Connection: close\r\n'))
    );
    const url = await server.listen();
    const transport = new Transport();
    for (const n of [1, 2, 3]) expect(await read(send(transport, url))).toBe(`answer ${n}`);
    expect(server.connections).toBe(3);
    transport.close();
  });

  const local = ipv6 ? ['127.0.0.1', '::1'] : ['127.0.0.1'];
  it.each(local)('are fresh where that is wanted, to %s', async host => {
    await using server = new Script(socket => socket.write(plain('here')));
    const url = await server.listen('http', host);
    const transport = new Transport();
    for (const fresh of [false, false, true])
      expect(await read(send(transport, url, {fresh}))).toBe('here');
    expect(server.connections).toBe(2);
    transport.close();
  });

  it('bring headers of which the first one counts, and others of which all do', async () => {
    const twice = ['Location: /', 'Content-Type: a/', 'Retry-After: ', 'Warning: '].flatMap(
      header => [`${header}1\r\n`, `${header}2\r\n`]
    );
    await using server = new Script(socket => socket.write(plain('here', twice.join(''))));
    const transport = new Transport();
    const answer = await send(transport, await server.listen());
    expect(answer.headers).toMatchObject({
      ...{location: '/1', 'content-type': 'a/1', 'retry-after': '1', warning: '1, 2'}
    });
    transport.close();
  });
});
