import {once} from 'node:events';
import {type AddressInfo, createServer, type Socket} from 'node:net';
import type {Writable} from 'node:stream';

import {afterEach, beforeEach, describe, expect, it} from '@jest/globals';

import {discard} from '../../src/registry/body.ts';
import {type BodyStream, Transport, usualTimings} from '../../src/registry/transport.ts';

/** A registry that says what a test wants, and hears all. */
class Hearer implements AsyncDisposable {
  connections = 0;
  heard = 0;
  readonly #server;
  readonly #sockets = new Set<Socket>();

  /** @param hear told of the bytes of a connection so far, and of how many those are */
  constructor(hear: (socket: Socket, text: string) => void) {
    this.#server = createServer(socket => {
      this.connections++;
      this.#sockets.add(socket);
      let text = '';
      socket.on('error', () => undefined);
      socket.on('data', (piece: Buffer) => {
        this.heard += piece.length;
        text += piece.toString('latin1');
        if (text.length > 200_000) text = text.slice(0, 200_000);
        hear(socket, text);
      });
    });
  }

  async listen(): Promise<URL> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return new URL(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/up?state=a`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

const created = 'HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n';

describe.each([
  ['by our own client', true],
  ["by Node's client", false]
])('a body that streams, %s,', (_way, hot) => {
  let transport: Transport;
  beforeEach(() => {
    transport = new Transport({timings: {...usualTimings, connect: 1000, idle: 300}});
  });
  afterEach(() => {
    transport.close();
  });

  const send = (
    url: URL,
    body: BodyStream,
    more: {signal?: AbortSignal; fresh?: boolean; answerWithin?: number} = {}
  ) =>
    transport.send({
      ...{method: 'PUT', url, headers: {}, body, hot, answerWithin: 2000},
      ...{signal: new AbortController().signal, ...more}
    });

  /** So many bytes in pieces, no faster than they are taken; it tells how it ended. */
  const flow = (length: number, pieceSize = 64 * 1024) => {
    const ended = {how: 'running'};
    const pump = async (sink: Writable, signal: AbortSignal) => {
      for (let left = length; left > 0; left -= pieceSize) {
        const more = sink.write(Buffer.alloc(Math.min(left, pieceSize), 'x'));
        // Who is stopped stops, as the reader of a blob does.
        if (!more) await once(sink, 'drain', {signal}).catch(() => undefined);
        if (signal.aborted) {
          ended.how = 'stopped';
          throw signal.reason as Error;
        }
      }
      ended.how = 'whole';
    };
    return {length, pump, ended};
  };

  it('arrives whole, with its length, and the next one on the same connection', async () => {
    const size = 300_000;
    await using server = new Hearer((socket, text) => {
      const whole = text.indexOf('\r\n\r\n') + 4 + size;
      if (server.heard % whole === 0) socket.write(created);
      expect(text).toMatch(
        /^PUT \/up\?state=a HTTP\/1\.1\r\n(?:.*\r\n)*Content-Length: 300000\r\n/
      );
    });
    const url = await server.listen();
    const sent = async (more = {}) => (await discard(await send(url, flow(size), more))).status;
    for (let i = 0; i < 3; i++) expect(await sent()).toBe(201);
    expect(server.connections).toBe(1);
    expect(await sent({fresh: true})).toBe(201);
    expect(server.connections).toBe(2);
  });

  it('is broken off where the answer comes first, which is read all the same', async () => {
    const refusal = '{"errors":[{"code":"DENIED"}]}';
    await using server = new Hearer(socket => {
      socket.pause();
      socket.write(`HTTP/1.1 413 No\r\nContent-Length: ${refusal.length}\r\n\r\n${refusal}`, () =>
        // Where the reset is as quick as the answer, nobody can say which one is seen.
        setTimeout(() => socket.resetAndDestroy(), 20)
      );
    });
    const url = await server.listen();
    for (let i = 0; i < 20; i++) {
      const body = flow(50_000_000);
      const answer = await send(url, body);
      expect(answer.status).toBe(413);
      const text = await answer.body.toArray();
      expect(Buffer.concat(text as Buffer[]).toString()).toBe(refusal);
      await new Promise(resolve => setTimeout(resolve, 5));
      expect(body.ended.how).toBe('stopped');
    }
    expect(server.connections).toBe(20);
  });

  it('ends where the answer comes first, also where the connection stays', async () => {
    await using server = new Hearer((socket, text) => {
      if (text.startsWith('PUT'))
        socket.pause().write('HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n');
    });
    const url = await server.listen();
    for (let i = 0; i < 3; i++) {
      const body = flow(50_000_000);
      const answer = await send(url, body);
      expect(answer.status).toBe(403);
      await new Promise(resolve => setTimeout(resolve, 20));
      expect(body.ended.how).toBe('stopped');
    }
    // What was not sent to its end is no place for the next request.
    expect(server.connections).toBe(3);
  });

  it('has a refusal in chunks read', async () => {
    await using server = new Hearer((socket, text) => {
      if (text.endsWith('x'.repeat(1000)))
        socket.write(
          'HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"er\r\n9\r\nrors":[]}\r\n0\r\n\r\n'
        );
    });
    const url = await server.listen();
    for (let i = 0; i < 2; i++) {
      const answer = await send(url, flow(1000));
      expect(answer.status).toBe(400);
      const text = Buffer.concat((await answer.body.toArray()) as Buffer[]).toString();
      expect(text).toBe('{"errors":[]}');
    }
  });

  it('tells when the other side takes no more of it', async () => {
    await using server = new Hearer(socket => socket.pause());
    const url = await server.listen();
    await expect(send(url, flow(80_000_000))).rejects.toMatchObject({
      fault: 'stalled',
      message: expect.stringContaining('it took no more bytes within 0.3 s')
    });
  });

  it('may wait for its own source for as long as that takes', async () => {
    await using server = new Hearer((socket, text) => {
      if (text.endsWith('a slow body')) socket.write(created);
    });
    const url = await server.listen();
    const pump = async (sink: Writable) => {
      sink.write('a slow ');
      await new Promise(resolve => setTimeout(resolve, 800));
      sink.write('body');
    };
    expect((await send(url, {length: 11, pump})).status).toBe(201);
  });

  it('waits for an answer once it is whole, and no longer than that may take', async () => {
    await using server = new Hearer(() => undefined);
    const url = await server.listen();
    await expect(send(url, flow(1000), {answerWithin: 100})).rejects.toMatchObject({
      fault: 'stalled',
      message: expect.stringContaining('it did not answer within 0.1 s')
    });
  });

  it('fails with what its own source fails with', async () => {
    await using server = new Hearer(() => undefined);
    const url = await server.listen();
    const pump = (sink: Writable) => {
      sink.write('a part');
      return Promise.reject(new Error('the source is gone'));
    };
    await expect(send(url, {length: 100, pump})).rejects.toThrow('the source is gone');
  });

  it('is given up when the run ends', async () => {
    await using server = new Hearer(socket => socket.pause());
    const url = await server.listen();
    const cancel = new AbortController();
    const body = flow(80_000_000);
    const sending = send(url, body, {signal: cancel.signal});
    setTimeout(() => {
      cancel.abort(new Error('cancelled'));
    }, 50);
    await expect(sending).rejects.toThrow('cancelled');
    await new Promise(resolve => setTimeout(resolve, 20));
    expect(body.ended.how).toBe('stopped');
  });

  it('takes another connection where the kept one was closed meanwhile', async () => {
    await using server = new Hearer((socket, text) => {
      if (!text.endsWith('x'.repeat(1000))) return;
      socket.write(created);
      setTimeout(() => socket.end(), 20);
    });
    const url = await server.listen();
    for (let i = 1; i <= 3; i++) {
      expect((await send(url, flow(1000))).status).toBe(201);
      expect(server.connections).toBe(i);
      await new Promise(resolve => setTimeout(resolve, 80));
    }
  });

  it('takes another connection where one was closed whose last answer was read late', async () => {
    await using server = new Hearer((socket, text) => {
      if (!text.endsWith('x'.repeat(1000))) return;
      socket.write('HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok');
      setTimeout(() => socket.end(), 60);
    });
    const url = await server.listen();
    for (let i = 1; i <= 3; i++) {
      const answer = await send(url, flow(1000));
      await new Promise(resolve => setTimeout(resolve, 20));
      const text = Buffer.concat((await answer.body.toArray()) as Buffer[]).toString();
      expect(text).toBe('ok');
      expect(server.connections).toBe(i);
      await new Promise(resolve => setTimeout(resolve, 120));
    }
  });

  it('is held back until an answer that has come was read, although a reset is behind that', async () => {
    let write: () => void = () => undefined;
    await using server = new Hearer(socket => {
      socket.write('HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n', () => {
        socket.resetAndDestroy();
        // Before the event loop reads the next time.
        setImmediate(() => {
          write();
        });
      });
    });
    const url = await server.listen();
    const pump = (sink: Writable, signal: AbortSignal) =>
      new Promise<void>((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reject(signal.reason as Error);
        });
        sink.write('the first piece');
        write = () => {
          sink.write('the second');
        };
      });
    for (let i = 0; i < 5; i++) expect((await send(url, {length: 100, pump})).status).toBe(413);
  });

  it('is not stuck as long as some of it goes', async () => {
    transport.close();
    transport = new Transport({timings: {...usualTimings, idle: 1000}});
    // More than the kernel takes for both of them.
    const size = 30_000_000;
    await using server = new Hearer((socket, text) => {
      // The one write does not end within the time in which something has to move.
      socket.pause();
      if (server.heard >= size + text.indexOf('\r\n\r\n') + 4) socket.write(created);
      else setTimeout(() => socket.resume(), 5);
    });
    const url = await server.listen();
    expect((await send(url, flow(size, size))).status).toBe(201);
  });

  it('is not sent again by itself where a kept connection turns out to be closed', async () => {
    let answers = 0;
    await using server = new Hearer((socket, text) => {
      if (!text.endsWith('x'.repeat(1000))) return;
      if (++answers === 1) socket.write(created);
      else socket.resetAndDestroy();
    });
    const url = await server.listen();
    expect((await send(url, flow(1000))).status).toBe(201);
    await expect(send(url, flow(1000))).rejects.toMatchObject({fault: 'connection'});
    expect(answers).toBe(2);
  });
});
