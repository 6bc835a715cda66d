import { randomUUID } from 'node:crypto';
import { startEmbedded } from '../../adapters/databases/postgresql/embedded.js';
import type { Session } from '../adapter/database.js';
import type { ConnectionSettings } from '../config/config.js';
import type { ScratchPlace } from '../proof/scratch-place.js';
import { toolbox } from './open-project.js';

/** Databases for proofs on an embedded server of this process's own. Throws FlybackError embedded-unavailable. */
export async function openScratchPlace(): Promise<ScratchPlace & { close(): Promise<void> }> {
  const server = await startEmbedded({ listen: 'socket' });
  const connectTo = (databaseName: string): Promise<Session> =>
    toolbox.database.connect({ ...local, hosts: [{ host: server.host, port: server.port }], databaseName });
  const maintenance = await connectTo(server.databaseName);
  return {
    description: `PostgreSQL ${server.version}, embedded`,
    majorVersion: server.majorVersion,
    create: async (copyOf) => {
      const name = `proof_${randomUUID().replaceAll('-', '')}`;
      // The server's own template is at hand at once; the copy of a file is cheaper than its way through the log.
      await maintenance.query(`CREATE DATABASE ${name}${copyOf === undefined ? '' : ` TEMPLATE ${copyOf}`}`);
      return name;
    },
    connect: connectTo,
    drop: async (name) => {
      await maintenance.query(`DROP DATABASE ${name} WITH (FORCE)`);
    },
    close: async () => {
      await maintenance.close();
      await server.stop();
    },
  };
}

const local: Omit<ConnectionSettings, 'hosts' | 'databaseName'> = {
  database: 'postgresql',
  user: 'postgres',
  password: undefined,
  tls: { mode: 'disable' },
  targetServer: 'any',
  searchPath: [],
  options: undefined,
  applicationName: 'flyback',
  connectTimeoutMs: 10_000,
  initSql: undefined,
  display: 'the scratch server',
};
