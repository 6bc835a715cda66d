import { randomUUID } from 'node:crypto';
import { describe, inject } from 'vitest';
import type { MysqlTestServer } from './mysql-servers.js';

/** A database of one test file's own, with a user who owns nothing else. */
export interface MysqlDatabase {
  readonly name: string;
  /** mysql:// URL of its own user, who may do everything inside it. */
  readonly url: string;
  /** The same place for an account that may do everything on the server. */
  readonly rootUrl: string;
  /** For Java, without the user. */
  readonly jdbcUrl: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Removes the database and its user. */
  drop(): Promise<void>;
}

/** Defines the suite once for each MariaDB or MySQL server of this run. Without any it is skipped by name (in CI the run fails before). */
export function forEachMysql(title: string, define: (server: MysqlTestServer) => void): void {
  const { servers, missing } = inject('mysql');
  if (missing !== undefined) describe.skipIf(true)(`${title} [not run, no MariaDB: ${missing}]`, () => undefined);
  for (const server of servers) {
    describe(`${title} (${server.product} ${server.version})`, () => {
      define(server);
    });
  }
}

/** A suite that starts servers of its own, by startLocal. Skipped by name where their programs are missing (in CI the run fails before). */
export function describeWithLocalMysql(title: string, define: () => void): void {
  const { noPrograms } = inject('mysql');
  const reason = noPrograms === undefined ? '' : ` [not run: ${noPrograms}]`;
  describe.skipIf(noPrograms !== undefined)(`${title}${reason}`, define);
}

/** Creates an empty database with utf8mb4 and a user with every privilege in it. */
export async function createDatabase(
  server: Pick<MysqlTestServer, 'url' | 'product'>,
  name = `flyback_test_${randomUUID().replaceAll('-', '').slice(0, 12)}`,
): Promise<MysqlDatabase> {
  const quoted = `\`${name.replaceAll('`', '``')}\``;
  const user = `u_${randomUUID().replaceAll('-', '').slice(0, 12)}`;
  const password = randomUUID();
  await runOn(
    server.url,
    `CREATE DATABASE ${quoted} CHARACTER SET utf8mb4;
     CREATE USER ${user}@'%' IDENTIFIED BY '${password}';
     GRANT ALL PRIVILEGES ON ${quoted}.* TO ${user}@'%'`,
  );
  const rootUrl = new URL(server.url);
  rootUrl.pathname = `/${encodeURIComponent(name)}`;
  const url = new URL(rootUrl);
  url.username = user;
  url.password = password;
  return {
    name,
    url: url.href,
    rootUrl: rootUrl.href,
    jdbcUrl: `jdbc:${server.product.toLowerCase()}://${url.host}${url.pathname}`,
    host: url.hostname,
    port: Number(url.port),
    user,
    password,
    drop: async () => {
      await runOn(server.url, `DROP DATABASE IF EXISTS ${quoted}; DROP USER IF EXISTS ${user}@'%'`);
    },
  };
}

/** Runs SQL on a connection of its own and returns the last statement's rows; of a statement without rows, none. */
export async function runOn(url: string, sql: string): Promise<readonly Record<string, unknown>[]> {
  const { createConnection } = await import('mysql2/promise');
  const connection = await createConnection({
    uri: url,
    multipleStatements: true,
    dateStrings: true,
    // The driver would switch a mode of the server on that changes how names of functions are read.
    flags: ['-IGNORE_SPACE'],
  });
  try {
    const [results] = await connection.query({ sql, rowsAsArray: false });
    const list = results as readonly unknown[];
    // One statement gives its rows, several a list of such lists; a statement without rows gives an object.
    const last: unknown =
      Array.isArray(list) && (Array.isArray(list.at(-1)) || isHeader(list.at(-1))) ? list.at(-1) : list;
    return Array.isArray(last) ? (last as readonly Record<string, unknown>[]) : [];
  } finally {
    await connection.end();
  }
}

function isHeader(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'affectedRows' in value && 'serverStatus' in value;
}
