import {once} from 'node:events';
import {createServer as createPlain, type AddressInfo, type Server, type Socket} from 'node:net';
import {createServer as createSecure} from 'node:tls';

/** A server that speaks bytes: what it says to the nth request, of all its connections together. */
export class Script implements AsyncDisposable {
  readonly requests: string[] = [];
  connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(
    say: (socket: Socket, request: string, n: number) => void,
    tls?: {readonly key: string; readonly cert: string}
  ) {
    const serve = (socket: Socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      let text = '';
      socket.on('error', () => undefined);
      socket.on('data', (piece: Buffer) => {
        text += piece.toString('latin1');
        for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
          const request = text.slice(0, end);
          text = text.slice(end + 4);
          this.requests.push(request);
          say(socket, request, this.requests.length);
        }
      });
    };
    this.#server = tls ? createSecure(tls, serve) : createPlain(serve);
  }

  async listen(scheme = 'http', host = '127.0.0.1', at = 0): Promise<URL> {
    this.#server.listen(at, host);
    await once(this.#server, 'listening');
    const {port} = this.#server.address() as AddressInfo;
    return new URL(`${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}/v2/x?a=b`);
  }

  /** How many connections are open. */
  get open(): number {
    return this.#sockets.size;
  }

  dropAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.dropAll();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** An answer with this body and its length, and maybe more headers, each with its line end. */
export function plain(body: string, more = ''): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${more}\r\n${body}`;
}
