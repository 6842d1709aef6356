import {once} from 'node:events';
import type {Socket} from 'node:net';
import type {Writable} from 'node:stream';

import {describe, expect, it} from '@jest/globals';

import {RegistryError} from '../../src/registry/error.ts';
import {type Answer, Transport, usualTimings} from '../../src/registry/transport.ts';
import {makeCertificates} from '../support/certificates.ts';
import {until} from '../support/step.ts';
import {plain, Script} from './script.ts';

const signal = new AbortController().signal;

function ask(
  transport: Transport,
  url: URL,
  method = 'GET',
  more: AbortSignal = signal
): Promise<Answer> {
  return transport.send({
    ...{method, url, headers: {Accept: '*/*'}, answerWithin: 2000, hot: true},
    signal: more
  });
}

/** All bytes, taken `pause` milliseconds apart. */
function read(answer: Answer, pause = 0): Promise<string> {
  return new Promise((resolve, reject) => {
    const parts: string[] = [];
    const pieces = answer.pieces();
    pieces.start({
      data: (piece, release) => {
        if (pause > 0) pieces.pause();
        parts.push(piece.toString('latin1'));
        release();
        if (pause > 0) {
          setTimeout(() => {
            pieces.resume();
          }, pause);
        }
      },
      end: () => {
        resolve(parts.join(''));
      },
      fail: reject
    });
  });
}

describe('connections of our own', () => {
  it('reads past a few answers of the kind 1xx, and refuses a flood of them', async () => {
    const interim = 'HTTP/1.1 100 Continue\r\n\r\n';
    await using server = new Script((socket, _, n) =>
      socket.write(n === 1 ? interim.repeat(3) + plain('after') : interim.repeat(100_000))
    );
    const url = await server.listen();
    const transport = new Transport();
    expect(await read(await ask(transport, url))).toBe('after');
    await expect(ask(transport, url)).rejects.toBeInstanceOf(RegistryError);
    transport.close();
  });

  it('hears of an end that comes between the taking of a connection and its use', async () => {
    await using server = new Script((socket, _, n) => n === 1 && socket.write(plain('here')));
    const url = await server.listen();
    const transport = new Transport();
    expect(await read(await ask(transport, url))).toBe('here');
    const controller = new AbortController();
    queueMicrotask(() => {
      controller.abort(new Error('cancelled'));
    });
    await expect(ask(transport, url, 'GET', controller.signal)).rejects.toThrow('cancelled');
    expect(server.requests).toHaveLength(1);
    transport.close();
  });

  it('reads a header of many spaces at once', async () => {
    await using server = new Script(socket =>
      socket.write(plain('spaces', `X-Odd: a${' '.repeat(60_000)}b\r\n`))
    );
    const transport = new Transport();
    const url = await server.listen();
    const began = performance.now();
    expect(await read(await ask(transport, url))).toBe('spaces');
    expect(performance.now() - began).toBeLessThan(2000);
    transport.close();
  });

  it('takes the head of an answer that has a body where none may be, and not its connection', async () => {
    await using server = new Script(socket =>
      socket.write('HTTP/1.1 404 Not Found\r\nContent-Length: 13\r\n\r\n{"errors":[]}')
    );
    const transport = new Transport();
    const url = await server.listen();
    for (let i = 0; i < 2; i++) expect((await ask(transport, url, 'HEAD')).status).toBe(404);
    expect(server.connections).toBe(2);
    transport.close();
  });

  it('gives up a body in its middle when the run ends', async () => {
    await using server = new Script(socket =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\na part')
    );
    const transport = new Transport();
    const cancel = new AbortController();
    const answer = await ask(transport, await server.listen(), 'GET', cancel.signal);
    const reading = read(answer);
    const began = performance.now();
    setTimeout(() => {
      cancel.abort(new Error('cancelled'));
    }, 50);
    await expect(reading).rejects.toThrow('cancelled');
    expect(performance.now() - began).toBeLessThan(2000);
    transport.close();
  });

  it('closes a connection whose body nobody has read to its end', async () => {
    let closed = 0;
    await using server = new Script(socket => {
      socket.once('close', () => closed++);
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\na part');
    });
    const transport = new Transport();
    await ask(transport, await server.listen());
    transport.close();
    for (let i = 0; i < 100 && closed === 0; i++)
      await new Promise(resolve => setTimeout(resolve, 10));
    expect(closed).toBe(1);
  });

  it('asks one question after the other over one connection', async () => {
    await using server = new Script((socket, _, n) => socket.write(plain(`answer ${n}`)));
    const url = await server.listen();
    const transport = new Transport();
    for (const n of [1, 2, 3]) expect(await read(await ask(transport, url))).toBe(`answer ${n}`);
    expect(server.connections).toBe(1);
    expect(server.requests[0]).toMatch(
      /^GET \/v2\/x\?a=b HTTP\/1\.1\r\nHost: 127\.0\.0\.1:\d+\r\n/
    );
    transport.close();
  });

  it('reads a head and a body that come byte by byte', async () => {
    await using server = new Script(socket => {
      const bytes = Array.from(plain('slowly', 'X-One: a\r\nX-One: b\r\n'));
      const next = () => {
        const byte = bytes.shift();
        if (byte === undefined) return;
        socket.write(byte);
        setTimeout(next, 1);
      };
      next();
    });
    const transport = new Transport();
    const answer = await ask(transport, await server.listen());
    expect(answer.headers['x-one']).toBe('a, b');
    expect(await read(answer)).toBe('slowly');
    transport.close();
  });

  it('reads no more than a taker takes who halts', async () => {
    // Much more than lies between two sockets.
    const size = 64 * 1024 * 1024;
    const sockets: Socket[] = [];
    await using server = new Script(socket => {
      sockets.push(socket);
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
      socket.write(Buffer.alloc(size));
    });
    const transport = new Transport();
    const pieces = (await ask(transport, await server.listen())).pieces();
    let [count, bytes] = [0, 0];
    const ended = new Promise<void>((resolve, reject) => {
      pieces.start({
        data: (piece, release) => {
          bytes += piece.length;
          release();
          if (++count === 1) pieces.pause();
        },
        end: resolve,
        fail: reject
      });
    });
    await until('the first piece has come', () => count > 0);
    await new Promise(resolve => setTimeout(resolve, 300));
    expect(count).toBe(1);
    // The server is not rid of the rest.
    expect(sockets[0]?.writableLength).toBeGreaterThan(0);
    pieces.resume();
    await ended;
    expect(bytes).toBe(size);
    transport.close();
  });

  it('loses nothing to a slow taker', async () => {
    const body = Array.from({length: 200_000}, (_, i) => `${i},`).join('');
    await using server = new Script(socket => socket.write(plain(body)));
    const transport = new Transport();
    const url = await server.listen();
    expect(await read(await ask(transport, url), 2)).toBe(body);
    expect(await read(await ask(transport, url))).toBe(body);
    expect(server.connections).toBe(1);
    transport.close();
  });

  it('takes a HEAD for an answer without a body, whatever length it tells', async () => {
    await using server = new Script(socket =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n')
    );
    const transport = new Transport();
    const url = await server.listen();
    for (let i = 0; i < 2; i++) {
      const answer = await ask(transport, url, 'HEAD');
      expect(answer.headers['content-length']).toBe('12345');
      answer.body.resume();
      await once(answer.body, 'end');
    }
    expect(server.connections).toBe(1);
    transport.close();
  });

  it('passes over an interim answer', async () => {
    await using server = new Script(socket =>
      socket.write(`HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${plain('the answer')}`)
    );
    const transport = new Transport();
    expect(await read(await ask(transport, await server.listen()))).toBe('the answer');
    transport.close();
  });

  it.each([
    [
      'comes in chunks',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ntext\r\n0\r\n\r\n'
    ],
    ['has no length', 'HTTP/1.0 200 OK\r\n\r\ntext']
  ])('has an answer that %s read by Node, and asks the long way from then on', async (_, text) => {
    await using server = new Script(socket => {
      socket.write(text);
      if (text.startsWith('HTTP/1.0')) socket.end();
    });
    const transport = new Transport();
    const url = await server.listen();
    expect(await read(await ask(transport, url))).toBe('text');
    expect(await read(await ask(transport, url))).toBe('text');
    expect(server.requests).toHaveLength(2);
    transport.close();
  });

  it('reads a large answer in chunks at the pace of its taker, and no faster', async () => {
    const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
    const chunks = 400;
    let sent = 0;
    await using server = new Script(socket => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      const more = () => {
        while (sent < chunks)
          if (!socket.write(++sent < chunks ? chunk : `${chunk}0\r\n\r\n`)) return;
      };
      socket.on('drain', more);
      more();
    });
    const transport = new Transport();
    const answer = await ask(transport, await server.listen());
    await new Promise(resolve => setTimeout(resolve, 100));
    // What the kernel takes for both of them, and little more.
    expect(sent).toBeLessThan(chunks);
    expect((await read(answer)).length).toBe(chunks * 65_536);
    transport.close();
  });

  it.each(['GET', 'POST', 'PUT'])('closes what carried an answer in chunks to %s', async method => {
    await using server = new Script(socket =>
      socket.write('HTTP/1.1 400 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n')
    );
    const transport = new Transport();
    const url = await server.listen();
    for (let i = 0; i < 3; i++) {
      expect(await read(await ask(transport, url, method))).toBe('no');
      await new Promise(resolve => setTimeout(resolve, 30));
      expect(server.open).toBe(0);
    }
    transport.close();
  });

  it('keeps what carried an answer without a body, whatever body that speaks of', async () => {
    await using server = new Script(socket =>
      socket.write('HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n')
    );
    const transport = new Transport();
    const url = await server.listen();
    for (let i = 0; i < 3; i++) expect((await ask(transport, url, 'HEAD')).status).toBe(404);
    expect(server.connections).toBe(1);
    transport.close();
  });

  it('fails with an answer in chunks that breaks off', async () => {
    await using server = new Script(socket => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nte');
      setTimeout(() => socket.destroy(), 20);
    });
    const transport = new Transport();
    const answer = await ask(transport, await server.listen());
    await expect(read(answer)).rejects.toThrow();
    transport.close();
  });

  it('gives up an answer in chunks when the run ends', async () => {
    await using server = new Script(socket =>
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ntext\r\n')
    );
    const transport = new Transport();
    const cancel = new AbortController();
    const answer = await ask(transport, await server.listen(), 'GET', cancel.signal);
    setTimeout(() => {
      cancel.abort(new Error('cancelled'));
    }, 20);
    await expect(read(answer)).rejects.toThrow('cancelled');
    transport.close();
  });

  it.each([
    ['two lengths', 'Content-Length: 4\r\nContent-Length: 5'],
    ['a length beside chunks', 'Content-Length: 4\r\nTransfer-Encoding: chunked']
  ])('does not believe %s, but leaves it to Node, which does not either', async (_, lines) => {
    await using server = new Script(socket =>
      socket.write(`HTTP/1.1 200 OK\r\n${lines}\r\n\r\n0\r\n\r\n`)
    );
    const transport = new Transport();
    await expect(ask(transport, await server.listen())).rejects.toThrow(/Parse Error/);
    transport.close();
  });

  it('closes a connection that says more than it announced', async () => {
    await using server = new Script((socket, _, n) =>
      socket.write(`${plain(`answer ${n}`)}HTTP/1.1 200`)
    );
    const transport = new Transport();
    const url = await server.listen();
    const said = [];
    for (let n = 1; n <= 2; n++) {
      said.push(
        await ask(transport, url)
          .then(read)
          .catch(() => 'broken')
      );
    }
    // Nothing but its own answer, or none.
    expect(said[0]).toMatch(/^(?:answer 1|broken)$/);
    expect(said[1]).toMatch(/^(?:answer 2|broken)$/);
    expect(server.connections).toBe(2);
    transport.close();
  });

  it('takes a fresh connection where the kept one has been closed', async () => {
    await using server = new Script((socket, _, n) => socket.write(plain(`answer ${n}`)));
    const transport = new Transport();
    const url = await server.listen();
    expect(await read(await ask(transport, url))).toBe('answer 1');
    server.dropAll();
    expect(await read(await ask(transport, url))).toBe('answer 2');
    transport.close();
  });

  it.each([100, 30_000])(
    'keeps an answer of %d bytes that is here when the connection closes, until it is taken',
    async size => {
      await using certificates = await makeCertificates();
      const body = 'x'.repeat(size);
      await using server = new Script(
        socket => socket.end(plain(body, 'Connection: close\r\n')),
        certificates
      );
      const transport = new Transport({ca: certificates.ca});
      const answer = await ask(transport, await server.listen('https'));
      // As a download that was asked for ahead waits until its upload is open.
      await new Promise(resolve => setTimeout(resolve, 100));
      expect(await read(answer)).toBe(body);
      transport.close();
    }
  );

  it('gives what came of a body that breaks off, and then the failure', async () => {
    await using server = new Script(socket => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
    });
    const transport = new Transport();
    const pieces = (await ask(transport, await server.listen())).pieces();
    let came = '';
    const ended = new Promise<Error | undefined>(resolve => {
      pieces.start({
        data: (piece, release) => {
          came += piece.toString('latin1');
          release();
          if (came === 'half') server.dropAll();
        },
        end: () => {
          resolve(undefined);
        },
        fail: resolve
      });
    });
    expect(await ended).toMatchObject({code: 'ECONNRESET'});
    expect(came).toBe('half');
    transport.close();
  });

  it('gives up on a server that does not answer', async () => {
    await using server = new Script(() => undefined);
    const transport = new Transport({timings: {...usualTimings, connect: 1000}});
    const url = await server.listen();
    const asked = transport.send({
      method: 'GET',
      url,
      headers: {},
      answerWithin: 100,
      hot: true,
      signal
    });
    await expect(asked).rejects.toMatchObject({fault: 'stalled'});
    transport.close();
  });

  it('ends at once when it is aborted', async () => {
    await using server = new Script(() => undefined);
    const transport = new Transport();
    const stop = new AbortController();
    const asked = ask(transport, await server.listen(), 'GET', stop.signal);
    setTimeout(() => {
      stop.abort(new Error('enough'));
    }, 50);
    await expect(asked).rejects.toThrow('enough');
    transport.close();
  });

  it('refuses a head without end', async () => {
    await using server = new Script(socket => {
      socket.write(`HTTP/1.1 200 OK\r\nX: ${'a'.repeat(100_000)}`);
    });
    const transport = new Transport();
    await expect(ask(transport, await server.listen())).rejects.toThrow(RegistryError);
    transport.close();
  });

  it('never sends a header that would end its line', async () => {
    await using server = new Script(socket => socket.write(plain('no')));
    const transport = new Transport();
    const url = await server.listen();
    const headers = {Authorization: 'Bearer a\r\nX-Evil: 1'};
    await expect(
      transport.send({method: 'GET', url, headers, answerWithin: 1000, hot: true, signal})
    ).rejects.toThrow();
    expect(server.requests).toEqual([]);
    transport.close();
  });

  it('uses connections that were opened ahead, and fails as ever where none came about', async () => {
    await using server = new Script((socket, _, n) => socket.write(plain(`answer ${n}`)));
    const transport = new Transport();
    const url = await server.listen();
    transport.warm(url, {questions: 3, bodies: 2});
    await new Promise(resolve => setTimeout(resolve, 50));
    expect(server.connections).toBe(5);
    expect(await read(await ask(transport, url))).toBe('answer 1');
    const body = Buffer.from('body');
    const stream = {
      length: body.length,
      pump: (sink: Writable) => {
        sink.write(body);
        return Promise.resolve();
      }
    };
    const put = {method: 'PUT', url, headers: {}, body: stream, answerWithin: 1000, signal};
    expect(await read(await transport.send({...put, hot: true}))).toBe('answer 2');
    expect(server.connections).toBe(5);
    transport.close();

    const closed = new URL('http://127.0.0.1:1/v2/');
    const cold = new Transport();
    cold.warm(closed, {questions: 2, bodies: 2});
    await new Promise(resolve => setTimeout(resolve, 20));
    await expect(ask(cold, closed)).rejects.toMatchObject({fault: 'address'});
    cold.close();
  });

  it('sends a POST with the length of its body, or with none', async () => {
    await using server = new Script(socket => socket.write(plain('')));
    const url = await server.listen();
    const transport = new Transport();
    const send = (method: string, body?: Buffer) =>
      transport.send({
        ...{method, url, headers: {}, answerWithin: 1000, hot: true, signal},
        ...(body && {body})
      });
    expect((await send('POST')).bare).toBe(true);
    expect(server.requests[0]).toMatch(/^POST \S+ HTTP\/1\.1\r\n(?:.*\r\n)*Content-Length: 0\r\n/);
    await send('PUT', Buffer.from('a body of 18 bytes'));
    expect(server.requests[1]).toMatch(/^PUT (?:.*\r\n)*Content-Length: 18\r\n/);
    expect(server.connections).toBe(1);
    transport.close();
  });

  it('does not ask for a second time what was done, whatever the body of the answer is like', async () => {
    await using server = new Script(socket =>
      socket.write(
        'HTTP/1.1 202 Accepted\r\nLocation: /up\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'
      )
    );
    const url = await server.listen();
    const transport = new Transport();
    for (let i = 0; i < 2; i++) {
      const answer = await ask(transport, url, 'POST');
      const {status, headers} = answer;
      expect({status, location: headers.location}).toEqual({status: 202, location: '/up'});
      expect(await read(answer)).toBe('ok');
    }
    expect(server.requests).toHaveLength(2);
    transport.close();
  });

  it('reads a refusal that is not plain, and leaves no later request to Node for that', async () => {
    await using server = new Script((socket, request) =>
      socket.write(
        request.startsWith('GET')
          ? plain('text')
          : 'HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n'
      )
    );
    const url = await server.listen();
    const transport = new Transport();
    const answer = await ask(transport, url, 'POST');
    expect(answer.status).toBe(400);
    expect(await read(answer)).toBe('no');
    expect(await read(await ask(transport, url))).toBe('text');
    expect(await read(await ask(transport, url, 'POST'))).toBe('no');
    expect(server.requests.map(request => request.split(' ', 1)[0])).toEqual([
      'POST',
      'GET',
      'POST'
    ]);
    transport.close();
  });

  it('believes the given CA over TLS, and no other', async () => {
    await using certificates = await makeCertificates();
    await using server = new Script(socket => socket.write(plain('safe')), certificates);
    const url = await server.listen('https');
    const trusting = new Transport({ca: certificates.ca});
    trusting.warm(url, {questions: 1, bodies: 1});
    expect(await read(await ask(trusting, url))).toBe('safe');
    expect(await read(await ask(trusting, url))).toBe('safe');
    trusting.close();
    const wary = new Transport();
    await expect(ask(wary, url)).rejects.toMatchObject({fault: 'certificate'});
    wary.close();
  });
});
