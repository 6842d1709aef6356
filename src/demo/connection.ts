import type {Socket} from 'node:net';

/** What a server remembers of a connection. */
export interface Connection {
  /** Counts from 1 in the order in which connections were opened. */
  readonly id: number;
  /** Requests so far. */
  requests: number;
  /** Requests that are being answered. */
  active: number;
  /** The connection beneath TLS, or the connection itself. */
  readonly raw: Socket;
}

/** Ends a connection with RST, so that the client sees ECONNRESET. */
export function reset({raw}: Connection, socket: Socket): void {
  if (raw.destroyed) {
    socket.destroy();
    return;
  }
  try {
    raw.resetAndDestroy();
  } catch {
    // Beneath TLS the handle can belong to the TLS layer by now: then only a plain close is left.
    raw.destroy();
  }
  socket.destroy();
}

/** Waits until a connection is closed, by whichever side. */
export async function closed(socket: Socket): Promise<void> {
  if (socket.destroyed) return;
  await new Promise<void>(resolve => {
    socket.once('close', () => {
      resolve();
    });
  });
}
