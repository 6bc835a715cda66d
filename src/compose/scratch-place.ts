import { randomUUID } from 'node:crypto';
import type { DatabaseAdapter, Session } from '../adapter/database.js';
import type { ScratchServers } from '../adapter/scratch-servers.js';
import type { ConnectionSettings, DockerScratch } from '../config/config.js';
import { FlybackError } from '../errors/error.js';
import type { ScratchPlace } from '../proof/scratch-place.js';
import { databases } from '../../adapters/index.js';
import { startDocker } from './scratch-docker.js';

/** A place for proofs that has to be closed, whatever happens. */
export type OpenScratchPlace = ScratchPlace & { close(): Promise<void> };

/** What places are made with: the database product, and the name that its databases should have where that is free. */
interface Making {
  readonly database: DatabaseAdapter;
  readonly servers: ScratchServers;
  readonly wantedName: string | undefined;
}

/**
 * A place for proofs of the target's database product, else of PostgreSQL: on a server of this process's own, started from
 * what comes along or lies on this machine; in a container; or on the server that `scratch` connects to, where databases are
 * made beside the one it names. Throws FlybackError embedded-unavailable, docker-unavailable, or scratch-refused when the
 * scratch server is the target's or of another product, its database is not empty, or its account may not do everything.
 */
export async function openScratchPlace(
  scratch?: ConnectionSettings | DockerScratch,
  target?: ConnectionSettings,
  projectFolder?: string,
): Promise<OpenScratchPlace> {
  const given = scratch === undefined || 'kind' in scratch ? undefined : scratch;
  const name = target?.database ?? given?.database ?? 'postgresql';
  const database: DatabaseAdapter = databases[name];
  const servers = await database.loadScratchServers();
  // Where a database is what elsewhere is a schema, statements may name it.
  const making = { database, servers, wantedName: name === 'mysql' ? target?.databaseName : undefined };
  if (scratch !== undefined && 'kind' in scratch) {
    return inContainer(making, scratch.image ?? (await imageFor(making, target)));
  }
  if (given !== undefined) return onServer(making, given, target);
  return onOwnServer(making, projectFolder);
}

async function onOwnServer(making: Making, projectFolder: string | undefined): Promise<OpenScratchPlace> {
  const { maintenance, settings, place, stop } = await making.servers.start(projectFolder);
  return placeOn(making, maintenance, settings, {
    place,
    another: () => onOwnServer(making, projectFolder),
    stop,
  });
}

/** The official image of the version that the target runs. */
async function imageFor({ database, servers }: Making, target: ConnectionSettings | undefined): Promise<string> {
  const unknown = (why: string): FlybackError =>
    new FlybackError('docker-unavailable', `Nobody can tell which server to start: ${why}`, {
      hint: `Name the image, for example --scratch ${servers.docker.example}.`,
    });
  if (target === undefined) throw unknown('no database is configured whose version it could be.');
  try {
    const session = await database.connect(target);
    await session.close();
    return servers.docker.imageFor(session);
  } catch (error) {
    if (!(error instanceof FlybackError)) throw error;
    throw unknown(`the target does not say its version. ${error.message}`);
  }
}

async function inContainer(making: Making, image: string): Promise<OpenScratchPlace> {
  const connect = (settings: ConnectionSettings): Promise<Session> => making.database.connect(settings);
  const server = await startDocker({ image, images: making.servers.docker, connect });
  return placeOn(making, server.maintenance, server.settings, {
    place: `Docker image ${image}`,
    another: () => inContainer(making, image),
    stop: () => server.stop(),
  });
}

async function onServer(
  making: Making,
  scratch: ConnectionSettings,
  target: ConnectionSettings | undefined,
): Promise<OpenScratchPlace> {
  if (target !== undefined && scratch.database !== target.database) {
    throw refused(
      `${scratch.display} is a server of another kind than the target.`,
      'Give a server of the kind that production runs, or leave out --scratch.',
    );
  }
  const shared = scratch.hosts.find((own) =>
    target?.hosts.some(({ host, port }) => host.toLowerCase() === own.host.toLowerCase() && port === own.port),
  );
  if (shared !== undefined) {
    throw refused(
      `${shared.host}:${shared.port} is the server of the target.`,
      'Give another server, on which databases may be made and dropped, or leave out --scratch.',
    );
  }
  const maintenance = await making.database.connect(scratch);
  try {
    const unfit = await making.servers.unfitness(maintenance, scratch.display);
    if (unfit !== undefined) throw refused(unfit.reason, unfit.hint);
  } catch (error) {
    await maintenance.close();
    throw error;
  }
  return placeOn(making, maintenance, scratch, {
    place: scratch.display,
    another: undefined,
    stop: () => Promise.resolve(),
  });
}

function refused(message: string, hint: string): FlybackError {
  return new FlybackError('scratch-refused', `No proof is made there: ${message}`, { hint });
}

function placeOn(
  { database, servers, wantedName }: Making,
  maintenance: Session,
  settings: Omit<ConnectionSettings, 'databaseName'>,
  {
    place,
    another,
    stop,
  }: Pick<ScratchPlace, 'another'> & { readonly place: string; readonly stop: () => Promise<void> },
): OpenScratchPlace {
  const made = new Set<string>();
  const drop = async (name: string): Promise<void> => {
    await maintenance.query(servers.drop(name));
    made.delete(name);
  };
  const make = async (name: string, copyOf: string | undefined): Promise<string> => {
    const sql = servers.create(name, copyOf);
    if (sql === undefined) throw new FlybackError('internal', 'This server copies no databases.');
    await maintenance.query(sql);
    made.add(name);
    return name;
  };
  return {
    description: `${servers.describe(maintenance)}, ${place}`,
    majorVersion: maintenance.facts.majorVersion,
    product: maintenance.facts.mysql?.product ?? 'PostgreSQL',
    create: async (copyOf) => {
      if (wantedName !== undefined && !made.has(wantedName)) {
        try {
          return await make(wantedName, copyOf);
        } catch (error) {
          // Somebody else has a database of that name there.
          if (!(error instanceof FlybackError) || error.condition !== 'object-exists') throw error;
        }
      }
      return make(`flyback_proof_${randomUUID().replaceAll('-', '')}`, copyOf);
    },
    connect: (databaseName) => database.connect({ ...settings, databaseName }),
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
