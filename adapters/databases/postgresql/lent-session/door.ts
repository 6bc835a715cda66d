import { randomBytes } from 'node:crypto';
import { createServer, type AddressInfo } from 'node:net';
import type { Session } from '../../../../src/adapter/database.js';
import type { LentSession } from '../../../../src/adapter/lent-session.js';
import { FlybackError } from '../../../../src/errors/error.js';
import { Lending } from './lending.js';
import { ProgramConnection, type Door } from './program-connection.js';

/** Listens on a spare port of this machine. Neither that nor any connection keeps the process alive. */
export async function openDoor(session: Session): Promise<LentSession> {
  const connections = new Set<ProgramConnection>();
  const { user, databaseName } = session.facts;
  const password = randomBytes(24).toString('base64url');
  let lending: Lending | undefined;
  let isLent = false;
  const door: Door = {
    user,
    password,
    databaseName,
    get lending() {
      return lending;
    },
    cancel: (processId, secret) => {
      for (const connection of connections) {
        if (connection.processId === processId && connection.secret === secret) lending?.cancel(connection);
      }
    },
  };
  let number = 0;
  const server = createServer((socket) => {
    number += 1;
    socket.unref();
    const connection = new ProgramConnection(socket, number, door);
    connections.add(connection);
    void connection.ended.then(() => connections.delete(connection));
  });
  server.unref();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  server.on('error', () => undefined);
  return {
    address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port, user, password, databaseName },
    lend: async (watch, options, work) => {
      if (isLent) throw new FlybackError('internal', 'A session that is lent was to be lent once more.');
      isLent = true;
      try {
        lending = await Lending.begin(session, watch);
        return await lending.run(options, work);
      } finally {
        lending = undefined;
        isLent = false;
      }
    },
    close: async () => {
      for (const connection of connections) connection.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
