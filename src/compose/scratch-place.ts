import { randomUUID } from 'node:crypto';
import { startEmbedded } from '../../adapters/databases/postgresql/embedded.js';
import { findEmbeddedPackage } from '../../adapters/databases/postgresql/embedded-binaries.js';
import { readScratchFitness } from '../../adapters/databases/postgresql/catalog/server-objects.js';
import type { Session } from '../adapter/database.js';
import type { ConnectionSettings, DockerScratch } from '../config/config.js';
import { FlybackError } from '../errors/error.js';
import type { ScratchPlace } from '../proof/scratch-place.js';
import { databases } from '../../adapters/index.js';
import { startDocker } from './scratch-docker.js';

/** A place for proofs that has to be closed, whatever happens. */
export type OpenScratchPlace = ScratchPlace & { close(): Promise<void> };

/**
 * A place for proofs: on an embedded server of this process's own, of the major whose npm package the project has installed
 * or else the one that comes along; in a container; or on the server that `scratch` connects to, where databases are made
 * beside the one it names. Throws FlybackError embedded-unavailable, docker-unavailable, or scratch-refused when the scratch
 * server is the target's, its database is not empty, or its role is no superuser.
 */
export async function openScratchPlace(
  scratch?: ConnectionSettings | DockerScratch,
  target?: ConnectionSettings,
  projectFolder?: string,
): Promise<OpenScratchPlace> {
  if (scratch !== undefined && 'kind' in scratch) return inContainer(scratch.image ?? (await imageFor(target)));
  if (scratch !== undefined) return onServer(scratch, target);
  const server = await startEmbedded({ listen: 'socket', binariesFolder: findEmbeddedPackage(projectFolder) });
  const settings = { ...embeddedConnection, hosts: [{ host: server.host, port: server.port }] };
  const maintenance = await databases.postgresql.connect({ ...settings, databaseName: server.databaseName });
  return placeOn(maintenance, settings, {
    description: `PostgreSQL ${server.version}, embedded`,
    another: () => openScratchPlace(undefined, undefined, projectFolder),
    stop: () => server.stop(),
  });
}

/** The official image of the major version that the target runs. */
async function imageFor(target: ConnectionSettings | undefined): Promise<string> {
  const unknown = (why: string): FlybackError =>
    new FlybackError('docker-unavailable', `Nobody can tell which PostgreSQL to start: ${why}`, {
      hint: 'Name the image, for example --scratch docker:postgres:16.',
    });
  if (target === undefined) throw unknown('no database is configured whose version it could be.');
  try {
    const session = await databases.postgresql.connect(target);
    await session.close();
    return `postgres:${session.facts.majorVersion}`;
  } catch (error) {
    if (!(error instanceof FlybackError)) throw error;
    throw unknown(`the target does not say its version. ${error.message}`);
  }
}

async function inContainer(image: string): Promise<OpenScratchPlace> {
  const connect = (settings: ConnectionSettings): Promise<Session> => databases.postgresql.connect(settings);
  const server = await startDocker({ image, base: embeddedConnection, connect });
  return placeOn(server.maintenance, server.settings, {
    description: `PostgreSQL ${server.maintenance.facts.version}, Docker image ${image}`,
    another: () => inContainer(image),
    stop: () => server.stop(),
  });
}

async function onServer(
  scratch: ConnectionSettings,
  target: ConnectionSettings | undefined,
): Promise<OpenScratchPlace> {
  const shared = scratch.hosts.find((own) =>
    target?.hosts.some(({ host, port }) => host.toLowerCase() === own.host.toLowerCase() && port === own.port),
  );
  if (shared !== undefined) {
    throw refused(
      `${shared.host}:${shared.port} is the server of the target.`,
      'Give another server, on which databases may be made and dropped, or leave out --scratch.',
    );
  }
  const maintenance = await databases.postgresql.connect(scratch);
  try {
    const { isEmpty, isSuperuser } = await readScratchFitness(maintenance);
    if (!isEmpty) {
      throw refused(
        `The database ${maintenance.facts.databaseName} of ${scratch.display} is not empty.`,
        'Name an empty database of a server that nobody needs; databases for the proofs are made beside it.',
      );
    }
    if (!isSuperuser) {
      throw refused(
        `The role ${maintenance.facts.user} is no superuser on ${scratch.display}.`,
        'Proofs make databases there, apply migrations of every kind, and read all of the catalog: connect as a superuser.',
      );
    }
  } catch (error) {
    await maintenance.close();
    throw error;
  }
  return placeOn(maintenance, scratch, {
    description: `PostgreSQL ${maintenance.facts.version}, ${scratch.display}`,
    another: undefined,
    stop: () => Promise.resolve(),
  });
}

function refused(message: string, hint: string): FlybackError {
  return new FlybackError('scratch-refused', `No proof is made there: ${message}`, { hint });
}

function placeOn(
  maintenance: Session,
  settings: Omit<ConnectionSettings, 'databaseName'>,
  {
    description,
    another,
    stop,
  }: Pick<ScratchPlace, 'description' | 'another'> & { readonly stop: () => Promise<void> },
): OpenScratchPlace {
  const made = new Set<string>();
  const drop = async (name: string): Promise<void> => {
    await maintenance.query(`DROP DATABASE ${name} WITH (FORCE)`);
    made.delete(name);
  };
  return {
    description,
    majorVersion: maintenance.facts.majorVersion,
    create: async (copyOf = 'template0') => {
      const name = `flyback_proof_${randomUUID().replaceAll('-', '')}`;
      await maintenance.query(`CREATE DATABASE ${name} TEMPLATE ${copyOf}`);
      made.add(name);
      return name;
    },
    connect: (databaseName) => databases.postgresql.connect({ ...settings, databaseName }),
    drop,
    another,
    close: async () => {
      try {
        for (const name of made) await drop(name);
      } finally {
        await maintenance.close();
        await stop();
      }
    },
  };
}

/** How one connects to an embedded server; host and database come with it. */
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
