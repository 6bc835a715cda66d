import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** Stands between flyback and a server, and cuts a connection at one of the client's messages. */
export interface Cutter {
  readonly port: number;
  /**
   * Counts the client's messages from 1, whatever their connection, and cuts it in both directions at this one, which arrives
   * or does not. What comes afterwards is left alone.
   */
  arm(cut: { readonly message: number; readonly arrives: boolean } | undefined): void;
  /** Messages since it was armed. */
  messages(): number;
  hasCut(): boolean;
  stop(): Promise<void>;
}

/** Listens on a spare port of 127.0.0.1. What arrives at once counts as one message: the client waits for each answer. */
export async function startCutter(target: { readonly host: string; readonly port: number }): Promise<Cutter> {
  const sockets = new Set<Socket>();
  let cut: Parameters<Cutter['arm']>[0];
  let count = 0;
  let hasCut = false;
  const server = createServer((client) => {
    const upstream = connect(target);
    const end = (): void => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      sockets.add(socket);
      socket.on('error', end);
      socket.on('close', () => {
        sockets.delete(socket);
        end();
      });
    }
    upstream.on('data', (data) => client.write(data));
    client.on('data', (data) => {
      count += 1;
      if (count !== cut?.message) {
        upstream.write(data);
        return;
      }
      hasCut = true;
      if (!cut.arrives) end();
      else upstream.write(data, end);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    arm: (next) => {
      cut = next;
      count = 0;
      hasCut = false;
    },
    messages: () => count,
    hasCut: () => hasCut,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}
