import {once} from 'node:events';
import {type AddressInfo, connect, createServer, type Server, type Socket} from 'node:net';

import type {Writable} from 'node:stream';

import {afterEach, describe, expect, it, jest} from '@jest/globals';

import {EmbeddedRegistry} from '../../src/demo/registry.ts';
import {Ceiling} from '../../src/registry/ceiling.ts';
import {type Outgoing, Transport, usualTimings} from '../../src/registry/transport.ts';
import {play, release, type World} from '../support/fault-world.ts';
import {mirrorRun} from '../support/mirror-run.ts';
import {putRelease} from '../support/small-release.ts';
import {until} from '../support/step.ts';
import {VirtualClock} from '../support/virtual-clock.ts';
import {plain, Script} from './script.ts';

/** A connection, as far as it is counted. */
class Line {
  used = false;
}

/** So many that stand; some of them have carried an answer. */
function standing(ceiling: Ceiling<Line>, count: number, used = count): Line[] {
  return Array.from({length: count}, (_, at) => {
    const line = new Line();
    ceiling.opened();
    ceiling.stands(line);
    line.used = at < used;
    return line;
  });
}

/** So many more that stand for a moment and break. */
function beyond(ceiling: Ceiling<Line>, count: number): void {
  for (const line of standing(ceiling, count, 0)) ceiling.closed(line, true);
}

describe('how many connections an origin takes', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('is not known as long as nothing breaks', () => {
    const ceiling = new Ceiling<Line>();
    standing(ceiling, 500);
    expect([ceiling.reached, ceiling.known, ceiling.surplus]).toEqual([false, false, 0]);
  });

  it('is what stands when several new ones break, and some are left to others', () => {
    const ceiling = new Ceiling<Line>();
    standing(ceiling, 32);
    beyond(ceiling, 3);
    expect(ceiling.known).toBe(false);
    beyond(ceiling, 1);
    expect([ceiling.reached, ceiling.known, ceiling.surplus]).toEqual([true, true, 4]);
  });

  it.each([
    [1, 1],
    [2, 1],
    [3, 2],
    [8, 4],
    [9, 5]
  ])('leaves of %i as many as can be done without: %i', (stand, most) => {
    const ceiling = new Ceiling<Line>();
    standing(ceiling, stand);
    beyond(ceiling, 4);
    expect(stand - ceiling.surplus).toBe(most);
  });

  it('is not learned from accidents', () => {
    const ceiling = new Ceiling<Line>();
    const [first] = standing(ceiling, 10);
    // An answer came in between.
    beyond(ceiling, 3);
    ceiling.answered();
    beyond(ceiling, 3);
    // One that was used was kept for too long; others were given up by us.
    for (let i = 0; i < 5; i++) {
      if (first !== undefined) ceiling.closed(first, true);
      for (const line of standing(ceiling, 3, 0)) ceiling.closed(line, false);
    }
    expect(ceiling.known).toBe(false);
    // All of them break: the registry is down.
    const down = new Ceiling<Line>();
    beyond(down, 20);
    expect(down.known).toBe(false);
  });

  it('is not learned from those that are closed since nobody used them', () => {
    const ceiling = new Ceiling<Line>();
    standing(ceiling, 10);
    const idle = standing(ceiling, 20, 0);
    const later = performance.now() + 5000;
    jest.spyOn(performance, 'now').mockReturnValue(later);
    for (const line of idle) ceiling.closed(line, true);
    expect(ceiling.known).toBe(false);
  });

  it('is tried again in time', () => {
    const ceiling = new Ceiling<Line>();
    standing(ceiling, 8);
    beyond(ceiling, 4);
    expect(ceiling.surplus).toBe(4);
    for (let i = 0; i < 5 * 64; i++) ceiling.answered();
    expect([ceiling.surplus, ceiling.reached]).toEqual([0, false]);
    // It was the limit, and others want their share of it.
    beyond(ceiling, 1);
    expect([ceiling.surplus, ceiling.reached]).toEqual([4, true]);
    const later = performance.now() + 11_000;
    jest.spyOn(performance, 'now').mockReturnValue(later);
    expect([ceiling.reached, ceiling.surplus]).toEqual([true, 3]);
  });

  it('is known no more when nothing stands', () => {
    const ceiling = new Ceiling<Line>();
    const lines = standing(ceiling, 2);
    beyond(ceiling, 4);
    expect(ceiling.known).toBe(true);
    for (const line of lines) ceiling.closed(line, true);
    expect([ceiling.known, ceiling.reached]).toEqual([false, false]);
  });
});

/** What stands in front of a registry, and lets so many connections of a client through. */
class Doorkeeper implements AsyncDisposable {
  peak = 0;
  refused = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(to: string, most: number) {
    let through = 0;
    this.#server = createServer(near => {
      near.on('error', () => undefined);
      if (through >= most) {
        this.refused++;
        near.resetAndDestroy();
        return;
      }
      this.peak = Math.max(this.peak, ++through);
      const far = connect(Number(to.split(':')[1]), '127.0.0.1');
      far.on('error', () => undefined);
      near.pipe(far).pipe(near);
      for (const socket of [near, far]) this.#sockets.add(socket);
      near.once('close', () => {
        through--;
        far.destroy();
      });
      far.once('close', () => near.destroy());
    });
  }

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

describe('a run', () => {
  it.each([
    ['target', 24],
    ['target', 5],
    ['target', 2],
    ['source', 5],
    ['source', 2]
  ] as const)('comes to its end where the %s takes %i connections at once', async (side, most) => {
    let door: Doorkeeper | undefined;
    let name = '';
    const findings = await play({
      id: 'T25',
      name: 'few connections',
      prepare: async (world: World) => {
        door = new Doorkeeper(world[side].name, most);
        name = await door.listen();
      },
      names: () => ({[side]: name}),
      end: 'complete'
    });
    await door?.[Symbol.asyncDispose]();
    expect(findings).toEqual([]);
    expect(door?.peak).toBeLessThanOrEqual(most);
    // Those that were opened ahead, and few after that.
    expect(door?.refused).toBeLessThan(110);
  });

  it('comes to its end where both sides are at one registry that takes four', async () => {
    const clock = new VirtualClock();
    await using registry = await EmbeddedRegistry.start({now: clock.now});
    putRelease(registry.store, 'arcdata', release);
    await using door = new Doorkeeper(registry.name, 4);
    const name = await door.listen();
    const names = {source: name, target: name};
    const {record, took} = await mirrorRun({source: registry, target: registry, clock, names});
    expect(record.failure).toBeUndefined();
    expect(took).toBeLessThan(10_000);
  });
});

describe('requests', () => {
  const ask = async (transport: Transport, url: URL, more: Partial<Outgoing> = {}) => {
    const {body} = await transport.send({
      ...{method: 'GET', url, headers: {}, answerWithin: 4000, hot: true},
      ...{signal: new AbortController().signal, ...more}
    });
    return Buffer.concat((await body.toArray()) as Buffer[]).toString();
  };

  it('with bodies get what is kept for questions, where there may be no more', async () => {
    await using server = new Script((socket, _, n) => {
      setTimeout(() => socket.write(plain(`${n}`)), 20);
    });
    const {port} = await server.listen();
    await using door = new Doorkeeper(`127.0.0.1:${port}`, 2);
    const url = new URL(`http://${await door.listen()}/v2/x`);
    const transport = new Transport({timings: {...usualTimings, commit: 5000}});
    await Promise.all([ask(transport, url), ask(transport, url)]);
    const body = {
      length: 3,
      pump: (sink: Writable) => {
        sink.write('abc');
        return Promise.resolve();
      }
    };
    const began = performance.now();
    const ends = await Promise.allSettled(
      Array.from({length: 12}, () => ask(transport, url, {method: 'PUT', body}))
    );
    // None waits for what never comes.
    expect(performance.now() - began).toBeLessThan(4000);
    expect(ends.some(({status}) => status === 'fulfilled')).toBe(true);
    transport.close();
  });

  it('that wait for a connection end with the run', async () => {
    await using server = new Script((socket, _, n) => {
      if (n <= 2) socket.write(plain(`${n}`));
    });
    const {port} = await server.listen();
    await using door = new Doorkeeper(`127.0.0.1:${port}`, 2);
    const url = new URL(`http://${await door.listen()}/v2/x`);
    const transport = new Transport();
    await Promise.all([ask(transport, url), ask(transport, url)]);
    transport.warm(url, {questions: 8, bodies: 0});
    await until('the others are refused', () => door.refused >= 7);
    const asked = Promise.allSettled(Array.from({length: 6}, () => ask(transport, url)));
    await until('some are asked', () => server.requests.length > 2);
    transport.close();
    expect((await asked).map(({status}) => status)).toEqual(Array(6).fill('rejected'));
    await new Promise(resolve => setTimeout(resolve, 100));
    expect(server.open).toBe(0);
  });
});
