import {once} from 'node:events';
import {createServer, request} from 'node:http';
import type {AddressInfo} from 'node:net';

/** A forward proxy on loopback that takes names for servers of this machine, and knows no others. */
export class NameProxy implements AsyncDisposable {
  readonly url: string;
  readonly #close: () => Promise<void>;

  private constructor(url: string, close: () => Promise<void>) {
    this.url = url;
    this.#close = close;
  }

  /** @param places host and port on loopback of each name, such as `127.0.0.1:5000` */
  static async start(places: ReadonlyMap<string, string>): Promise<NameProxy> {
    const server = createServer((incoming, outgoing) => {
      const url = new URL(incoming.url ?? '');
      const [host, port] = places.get(url.host)?.split(':') ?? [];
      if (host === undefined || port === undefined) {
        outgoing.writeHead(502).end();
        return;
      }
      const path = url.pathname + url.search;
      const {method, headers} = incoming;
      const onward = request({host, port, path, method, headers}, answer => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
        answer.pipe(outgoing);
      });
      onward.on('error', () => outgoing.destroy());
      incoming.pipe(onward);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const {port} = server.address() as AddressInfo;
    return new NameProxy(`http://127.0.0.1:${port}`, async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }
}
