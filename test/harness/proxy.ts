import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/*
 * Stands between a client and a PostgreSQL server, reads the messages of both (protocol 3, PostgreSQL manual, "Frontend/
 * Backend Protocol"), and does to each what a test says. Not for servers that agree to TLS.
 */

/** One message on its way. */
export interface WireMessage {
  readonly from: 'client' | 'server';
  /** Counts the accepted connections from 1. */
  readonly connection: number;
  /** Counts the messages of this connection in this direction from 1. */
  readonly number: number;
  /** The message's type byte as a character; empty for what opens a connection. */
  readonly type: string;
  /** The whole message, type and length included. */
  readonly bytes: Buffer;
}

/**
 * What becomes of a message: handed on; replaced; or the connection is cut in both directions at once, with this message
 * as the last one that arrives, or without it.
 */
export type Handling = 'pass' | 'cut-after' | 'cut-before' | Buffer;

export interface ProxyOptions {
  /**
   * Whose host and port lie behind the proxy: a libpq URL. Given as a function, it is asked for each new connection by its
   * number, which waits for the answer: another server may take over under the same address.
   */
  readonly serverUrl: string | ((connection: number) => string | Promise<string>);
  readonly onMessage: (message: WireMessage) => Handling;
  /** Asked for each new connection by its number; false closes it at once. */
  readonly admits?: (connection: number) => boolean;
}

export interface Proxy {
  readonly port: number;
  stop(): Promise<void>;
}

/** Listens on a spare port of 127.0.0.1. */
export async function startProxy({ serverUrl, onMessage, admits = () => true }: ProxyOptions): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((client) => {
    connections += 1;
    const connection = connections;
    if (!admits(connection)) {
      client.destroy();
      return;
    }
    sockets.add(client);
    client.on('error', () => client.destroy());
    if (typeof serverUrl === 'string') join(client, serverUrl, connection);
    else
      void Promise.resolve(serverUrl(connection)).then(
        (url) => join(client, url, connection),
        () => client.destroy(),
      );
  });
  const join = (client: Socket, url: string, connection: number): void => {
    if (client.destroyed) return;
    const { hostname, port } = new URL(url);
    const upstream = connect(Number(port), hostname);
    let isCut = false;
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        // What was handed on before still arrives.
        other.end();
      });
    }
    const cutMessage = createCutter();
    const relay = (from: WireMessage['from'], source: Socket, target: Socket): void => {
      let pending = Buffer.alloc(0);
      let number = 0;
      source.on('data', (data) => {
        pending = Buffer.concat([pending, data]);
        // What came together goes on together.
        target.cork();
        while (!isCut) {
          const message = cutMessage(from, pending);
          if (message === undefined) break;
          pending = pending.subarray(message.bytes.length);
          number += 1;
          const handling = onMessage({ from, connection, number, ...message });
          if (handling !== 'cut-before') target.write(Buffer.isBuffer(handling) ? handling : message.bytes);
          if (handling === 'cut-before' || handling === 'cut-after') {
            isCut = true;
            target.end();
            source.destroy();
          }
        }
        target.uncork();
      });
    };
    relay('client', client, upstream);
    relay('server', upstream, client);
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** SSLRequest and GSSENCRequest. */
const encryptionRequests: readonly number[] = [80877103, 80877104];

/** Cuts the first whole message off what one side of a connection has sent; undefined: more must come. */
function createCutter(): (from: WireMessage['from'], data: Buffer) => Pick<WireMessage, 'type' | 'bytes'> | undefined {
  // A client opens with a message without a type. When it asks for encryption, the server's answer is one bare byte, and
  // the client opens once more.
  let phase: 'opening' | 'asked' | 'open' = 'opening';
  return (from, data) => {
    const isUntyped = from === 'client' && phase === 'opening';
    const isBareByte = from === 'server' && phase === 'asked';
    const typeLength = isUntyped ? 0 : 1;
    if (data.length < (isBareByte ? 1 : typeLength + 4)) return undefined;
    // The length counts itself, but not the type.
    const length = isBareByte ? 1 : typeLength + data.readUInt32BE(typeLength);
    if (data.length < length) return undefined;
    if (isBareByte) phase = 'opening';
    if (isUntyped) phase = encryptionRequests.includes(data.readUInt32BE(4)) ? 'asked' : 'open';
    return { type: isUntyped ? '' : String.fromCharCode(data[0] ?? 0), bytes: data.subarray(0, length) };
  };
}
