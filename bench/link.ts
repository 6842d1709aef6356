import {connect, createServer, type Socket} from 'node:net';

import {Direction, Flow, type LinkOptions} from './pipe.ts';

/** A link to one registry: what comes to `port` goes on to `to`, both on loopback. */
export interface Ends {
  readonly port: number;
  readonly to: number;
}

/** What passed a link so far. */
export interface Traffic {
  readonly connections: number;
  /** Bytes towards the registry, heads included. */
  readonly up: number;
  /** Bytes from the registry, heads included. */
  readonly down: number;
}

/** The messages that the process of the links takes and gives. */
export type Order =
  {readonly say: 'open'; readonly links: readonly Ends[]} | {readonly say: 'traffic'};
export type Reply =
  {readonly say: 'opened'} | {readonly say: 'traffic'; readonly traffic: readonly Traffic[]};

/**
 * A long and narrow line in front of a registry: a delay, a rate for each direction, slow start on
 * each connection, and two round trips before a new connection carries its first byte (TCP and
 * TLS 1.3). It runs in a process of its own, so that its work is not the tool's.
 */
class Link {
  readonly #up: Direction;
  readonly #down: Direction;
  readonly #options: LinkOptions;
  #connections = 0;
  #beating = false;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#up = new Direction(options);
    this.#down = new Direction(options);
  }

  get traffic(): Traffic {
    return {connections: this.#connections, up: this.#up.bytes, down: this.#down.bytes};
  }

  async open({port, to}: Ends): Promise<void> {
    const server = createServer({noDelay: true, allowHalfOpen: true}, socket => {
      this.#accept(socket, to);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({port, host: '127.0.0.1', backlog: 1024}, resolve);
    });
  }

  #accept(client: Socket, port: number): void {
    this.#connections++;
    client.pause();
    const registry = connect({port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true});
    const pairs = [
      {from: client, to: registry, direction: this.#up},
      {from: registry, to: client, direction: this.#down}
    ].map(({from, to, direction}) => ({from, direction, flow: new Flow(from, to)}));
    let broken = false;
    const breakUp = () => {
      if (broken) return;
      broken = true;
      for (const {direction, flow} of pairs) direction.drop(flow);
      client.destroy();
      registry.destroy();
    };
    for (const {from, direction, flow} of pairs) {
      from.on('data', (bytes: Buffer) => {
        flow.push(bytes);
        this.#wake();
      });
      from.on('end', () => {
        flow.end();
        this.#wake();
      });
      from.on('error', breakUp);
      from.on('close', hadError => {
        if (hadError) breakUp();
      });
      direction.add(flow);
    }
    setTimeout(() => client.resume(), 2 * this.#options.roundTrip);
  }

  #wake(): void {
    if (this.#beating) return;
    this.#beating = true;
    setTimeout(() => {
      this.#beat();
    }, 0);
  }

  #beat(): void {
    const now = performance.now();
    const [up, down] = [this.#up.beat(now), this.#down.beat(now)];
    this.#beating = up || down;
    if (!this.#beating) return;
    setTimeout(() => {
      this.#beat();
    }, 1);
  }
}

/** The process of the links: takes orders from its parent until that is gone. */
export function serveLinks(options: LinkOptions): void {
  const links: Link[] = [];
  const answer = (reply: Reply) => {
    process.send?.(reply);
  };
  process.on('disconnect', () => process.exit(0));
  process.on('message', (order: Order) => {
    if (order.say === 'traffic') {
      answer({say: 'traffic', traffic: links.map(({traffic}) => traffic)});
      return;
    }
    const opened = order.links.map(async ends => {
      const link = new Link(options);
      links.push(link);
      await link.open(ends);
    });
    void Promise.all(opened).then(() => {
      answer({say: 'opened'});
    });
  });
}
