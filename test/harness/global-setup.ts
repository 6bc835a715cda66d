import type { TestProject } from 'vitest/node';
import { flywayMajors, installFlyway, type FlywayInstallations } from './flyway/install.js';
import { installDbmate, type DbmateInstallation } from './dbmate.js';
import { installGolangMigrate, type GolangMigrateInstallation } from './golang-migrate.js';
import { startMysqlServers, type MysqlServers, type MysqlTestServer } from './mysql-servers.js';
import { isCi, startServers, type StartedServer, type TestServer } from './servers.js';

declare module 'vitest' {
  interface ProvidedContext {
    readonly servers: readonly TestServer[];
    readonly flyway: FlywayInstallations;
    readonly golangMigrate: GolangMigrateInstallation;
    readonly dbmate: DbmateInstallation;
    readonly mysql: Pick<MysqlServers, 'missing' | 'noPrograms'> & { readonly servers: readonly MysqlTestServer[] };
  }
}

interface Shared {
  users: number;
  readonly servers: Promise<readonly StartedServer[]>;
  readonly flyway: Promise<FlywayInstallations>;
  readonly goTools: Promise<GoTools>;
  readonly mysql: Promise<MysqlServers>;
}

const key = Symbol.for('flyback.test.shared');
const holder = globalThis as { [key]?: Shared | undefined };

/** Starts the servers before the first project of a run that needs them, and stops them after the last. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // Each vitest project loads this file anew; the process is what they share.
  const shared = (holder[key] ??= {
    users: 0,
    flyway: requireFlyway(),
    goTools: requireGoTools(),
    servers: startServers(process.env),
    mysql: requireMysql(),
  });
  shared.users += 1;
  const stopLast = async (): Promise<void> => {
    shared.users -= 1;
    if (shared.users > 0) return;
    holder[key] = undefined;
    const servers = await shared.servers.catch(() => []);
    const { servers: mysqlServers } = await shared.mysql.catch(() => ({ servers: [] }));
    await Promise.all([...servers, ...mysqlServers].map((server) => server.stop()));
  };
  try {
    const [servers, flyway, goTools, mysql] = await Promise.all([
      shared.servers,
      shared.flyway,
      shared.goTools,
      shared.mysql,
    ]);
    const plain = servers.map(({ major, url, origin }) => ({ major, url, origin }));
    project.provide('servers', plain);
    project.provide('flyway', flyway);
    project.provide('golangMigrate', goTools.golangMigrate);
    project.provide('dbmate', goTools.dbmate);
    project.provide('mysql', {
      servers: mysql.servers.map(({ product, version, url, origin }) => ({ product, version, url, origin })),
      missing: mysql.missing,
      noPrograms: mysql.noPrograms,
    });
    return stopLast;
  } catch (error) {
    await stopLast();
    throw error;
  }
}

async function requireFlyway(): Promise<FlywayInstallations> {
  const installations = await installFlyway();
  for (const major of flywayMajors) {
    const installation = installations[major];
    if (!('missing' in installation)) continue;
    const message = `The suites that need the real Flyway ${String(major)} are NOT RUN: ${installation.missing}.`;
    if (isCi(process.env)) throw new Error(`${message} In CI they must be: install a JDK (17 or newer) and Maven.`);
    console.warn(`\n*** ${message} Install a JDK (17 or newer) and Maven to run them. ***\n`);
  }
  return installations;
}

interface GoTools {
  readonly golangMigrate: GolangMigrateInstallation;
  readonly dbmate: DbmateInstallation;
}

async function requireGoTools(): Promise<GoTools> {
  // One after the other: both download modules.
  const golangMigrate = await installGolangMigrate();
  const dbmate = await installDbmate();
  for (const [name, installation] of Object.entries({ 'golang-migrate': golangMigrate, dbmate })) {
    if (!('missing' in installation)) continue;
    const message = `The suites that need the real ${name} are NOT RUN: ${installation.missing}.`;
    if (isCi(process.env)) throw new Error(`${message} In CI they must be: install Go.`);
    console.warn(`\n*** ${message} Install Go to run them. ***\n`);
  }
  return { golangMigrate, dbmate };
}

async function requireMysql(): Promise<MysqlServers> {
  const found = await startMysqlServers(process.env);
  const reason = found.missing ?? found.noPrograms;
  if (reason === undefined) return found;
  const message = `${found.missing === undefined ? 'Some' : 'The'} suites that need MariaDB are NOT RUN: ${reason}.`;
  if (isCi(process.env)) throw new Error(`${message} In CI they must be: install mariadb-server.`);
  console.warn(`\n*** ${message} Install mariadb-server, or set FLYBACK_TEST_MYSQL_URL, to run them. ***\n`);
  return found;
}
