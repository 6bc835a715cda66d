import { randomUUID } from 'node:crypto';
import { startEmbedded, type EmbeddedServer } from '../../adapters/databases/postgresql/embedded.js';
import type { Session } from '../../src/adapter/database.js';
import { embeddedConnection } from '../../adapters/databases/postgresql/scratch-servers.js';
import { findBinaries } from './servers.js';
import { toolbox } from './toolbox.js';

/** A server of one test file's own, for what would disturb others: roles, settings, whatever belongs to no database. */
export interface OwnServer {
  readonly url: string;
  readonly server: EmbeddedServer;
  /** An empty database, or a copy of one. */
  createDatabase(template?: string): Promise<OwnDatabase>;
  stop(): Promise<void>;
}

export interface OwnDatabase {
  readonly name: string;
  /** As the proofs connect. The caller closes it. */
  connect(): Promise<Session>;
  drop(): Promise<void>;
}

export async function startOwnServer(major: number): Promise<OwnServer> {
  const server = await startEmbedded({ listen: 'tcp', major, binariesFolder: await findBinaries(major) });
  const connectTo = (databaseName: string): Promise<Session> =>
    toolbox.database.connect({
      ...embeddedConnection,
      hosts: [{ host: server.host, port: server.port }],
      databaseName,
    });
  const maintenance = await connectTo(server.databaseName);
  return {
    url: server.url,
    server,
    createDatabase: async (template = 'template1') => {
      const name = `own_${randomUUID().replaceAll('-', '')}`;
      await maintenance.query(`CREATE DATABASE ${name} TEMPLATE ${template}`);
      return {
        name,
        connect: () => connectTo(name),
        drop: async () => {
          await maintenance.query(`DROP DATABASE ${name} WITH (FORCE)`);
        },
      };
    },
    stop: async () => {
      await maintenance.close();
      await server.stop();
    },
  };
}
