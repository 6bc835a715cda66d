import type { ScratchServers } from '../../../src/adapter/scratch-servers.js';
import type { ConnectionSettings } from '../../../src/config/config.js';
import { readScratchFitness } from './catalog/server-objects.js';
import { startEmbedded } from './embedded.js';
import { findEmbeddedPackage } from './embedded-binaries.js';
import { connectPostgresql } from './session.js';

/** How one connects to a server of one's own; host and database come with it. */
export const embeddedConnection: Omit<ConnectionSettings, 'hosts' | 'databaseName'> = {
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

/** Scratch databases on PostgreSQL, of the major whose npm package the project has installed or else the one that comes along. */
export const postgresqlScratch: ScratchServers = {
  describe: ({ facts }) => `PostgreSQL ${facts.version}`,
  start: async (projectFolder) => {
    const server = await startEmbedded({ listen: 'socket', binariesFolder: findEmbeddedPackage(projectFolder) });
    const settings = { ...embeddedConnection, hosts: [{ host: server.host, port: server.port }] };
    return {
      maintenance: await connectPostgresql({ ...settings, databaseName: server.databaseName }),
      settings,
      place: 'embedded',
      stop: () => server.stop(),
    };
  },
  unfitness: async (session, display) => {
    const { isEmpty, isSuperuser } = await readScratchFitness(session);
    if (!isEmpty) {
      return {
        reason: `The database ${session.facts.databaseName} of ${display} is not empty.`,
        hint: 'Name an empty database of a server that nobody needs; databases for the proofs are made beside it.',
      };
    }
    if (!isSuperuser) {
      return {
        reason: `The role ${session.facts.user} is no superuser on ${display}.`,
        hint: 'Proofs make databases there, apply migrations of every kind, and read all of the catalog: connect as a superuser.',
      };
    }
    return undefined;
  },
  create: (name, copyOf = 'template0') => `CREATE DATABASE ${name} TEMPLATE ${copyOf}`,
  drop: (name) => `DROP DATABASE ${name} WITH (FORCE)`,
  docker: {
    imageFor: ({ facts }) => `postgres:${facts.majorVersion}`,
    example: 'docker:postgres:16',
    port: 5432,
    dataFolder: '/flyback-scratch',
    environment: { PGDATA: '/flyback-scratch/data', POSTGRES_INITDB_ARGS: '--no-sync' },
    secrets: ['POSTGRES_PASSWORD'],
    // As with the server that comes along: nothing has to survive a crash of the machine.
    words: ['-c', 'fsync=off', '-c', 'synchronous_commit=off', '-c', 'full_page_writes=off'],
    base: embeddedConnection,
    databaseName: 'postgres',
  },
};
