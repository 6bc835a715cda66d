import { inject } from 'vitest';
import pg from 'pg';
import { createDatabase as createMysqlDatabase, runOn as runOnMysql } from '../harness/mysql.js';
import { createDatabase as createPostgresDatabase, runOn as runOnPostgres, testServers } from '../harness/postgres.js';
import type { TestDatabase } from '../harness/postgres.js';
import { snapshot } from '../harness/project.js';

/** One migration as SQL; how the tool wants it is its fixture's business. */
export interface MigrationSql {
  readonly up: string;
  readonly down: string;
}

/** A session that holds what it took until it is told, once or more. */
export interface Holder {
  release(): Promise<void>;
}

/** A database server on which the suite runs, and how to ask it for what the suite must know. */
export interface Ground {
  readonly name: string;
  /** What becomes of DDL in a transaction. */
  readonly ddl: 'transactional' | 'commits';
  /** Four migrations: tables a and b, a column, and a view v. */
  readonly migrations: readonly MigrationSql[];
  createDatabase(): Promise<TestDatabase>;
  /** Leaves the database empty. */
  empty(database: TestDatabase): Promise<unknown>;
  /** Those of a, b and v that there are. */
  tables(database: TestDatabase): Promise<readonly string[]>;
  /** Everything in it but flyback's own tables: equal text, equal database. */
  snapshot(database: TestDatabase): Promise<string>;
  /** A statement that takes so many seconds, and a query with a row while it runs. */
  sleep(seconds: number): { readonly statement: string; readonly runs: string };
  /** Keeps everybody else from the table a; resolves when it does. */
  holdTable(database: TestDatabase): Promise<Holder>;
  /** A query with a row while somebody waits for that table. */
  readonly waitsForTable: string;
  /** A query with a row while a session is there that the tool's own is not: flyback's. */
  flybackWaits(database: TestDatabase): Promise<string>;
  /** Ends every other session in the database, and waits until they have gone. */
  endSessions(database: TestDatabase): Promise<void>;
  query(database: TestDatabase, sql: string): Promise<readonly Record<string, unknown>[]>;
}

/** The PostgreSQL servers of this run. */
export function postgresqlGrounds(): readonly Ground[] {
  return testServers().map(({ major, url }) => ({
    name: `PostgreSQL ${String(major)}`,
    ddl: 'transactional',
    migrations: migrationsWith('CREATE TABLE b (a int REFERENCES a)'),
    createDatabase: () => createPostgresDatabase(url),
    empty: (database) => runOnPostgres(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public'),
    tables: async (database) => {
      const rows = await runOnPostgres(
        database.url,
        `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname IN ('a', 'b', 'v') ORDER BY 1`,
      );
      return rows.map((row) => String(row['relname']));
    },
    snapshot,
    sleep: (seconds) => ({
      statement: `SELECT pg_sleep(${String(seconds)})`,
      runs: `SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(${String(seconds)})%' AND state = 'active'`,
    }),
    holdTable: async (database) => {
      const client = new pg.Client({ connectionString: database.url });
      await client.connect();
      await client.query('BEGIN; LOCK TABLE a IN ACCESS EXCLUSIVE MODE');
      return once(async () => {
        await client.query('ROLLBACK');
        await client.end();
      });
    },
    waitsForTable: `SELECT 1 FROM pg_locks WHERE relation = 'public.a'::regclass AND NOT granted`,
    flybackWaits: () =>
      Promise.resolve(
        `SELECT 1 FROM pg_stat_activity WHERE application_name = 'flyback' AND (wait_event_type = 'Lock' OR state = 'idle')`,
      ),
    endSessions: async (database) => {
      await runOnPostgres(
        database.url,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
      );
      await until(
        (sql) => runOnPostgres(database.url, sql),
        `SELECT 1 WHERE (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) = 1`,
      );
    },
    query: (database, sql) => runOnPostgres(database.url, sql),
  }));
}

/** The MariaDB and MySQL servers of this run; none where there are none (in CI the run fails before). */
export function mysqlGrounds(): readonly Ground[] {
  return inject('mysql').servers.map((server) => ({
    name: `${server.product} ${server.version}`,
    ddl: 'commits',
    migrations: migrationsWith('CREATE TABLE b (a int, FOREIGN KEY (a) REFERENCES a (id))'),
    createDatabase: () => createMysqlDatabase(server),
    empty: async ({ url, name }) => {
      const objects = await runOnMysql(
        url,
        `SELECT table_name AS name, table_type AS type FROM information_schema.tables WHERE table_schema = '${name}'`,
      );
      const drops = objects.map(
        ({ name: object, type }) => `DROP ${type === 'VIEW' ? 'VIEW' : 'TABLE'} \`${String(object)}\``,
      );
      await runOnMysql(url, ['SET foreign_key_checks = 0', ...drops].join(';'));
    },
    tables: async ({ url, name }) => {
      const rows = await runOnMysql(
        url,
        `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = '${name}' AND table_name IN ('a', 'b', 'v') ORDER BY 1`,
      );
      return rows.map((row) => String(row['name']));
    },
    snapshot: mysqlSnapshot,
    sleep: (seconds) => ({
      statement: `SELECT SLEEP(${String(seconds)})`,
      runs: `SELECT 1 FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(${String(seconds)})%'`,
    }),
    holdTable: async ({ url }) => {
      const { createConnection } = await import('mysql2/promise');
      const connection = await createConnection({ uri: url });
      await connection.query('LOCK TABLES a WRITE');
      return once(() => connection.end());
    },
    waitsForTable: `SELECT 1 FROM information_schema.processlist WHERE state LIKE 'Waiting for table metadata lock%' AND db = DATABASE()`,
    flybackWaits: async ({ url }) => {
      const [newest] = await runOnMysql(url, 'SELECT MAX(id) AS id FROM information_schema.processlist');
      return `SELECT 1 FROM information_schema.processlist WHERE id > ${String(newest?.['id'])} AND id <> CONNECTION_ID() AND db = DATABASE() AND (command = 'Sleep' OR state LIKE 'Waiting%')`;
    },
    endSessions: async ({ url }) => {
      const others = `SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()`;
      for (const { id } of await runOnMysql(url, others))
        await runOnMysql(url, `KILL ${String(id)}`).catch(() => undefined);
      await until(
        (sql) => runOnMysql(url, sql),
        `SELECT 1 FROM information_schema.processlist WHERE db = DATABASE() HAVING COUNT(*) = 1`,
      );
    },
    query: (database, sql) => runOnMysql(database.url, sql),
  }));
}

function migrationsWith(b: string): readonly MigrationSql[] {
  return [
    { up: 'CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1), (2)', down: 'DROP TABLE a' },
    { up: 'ALTER TABLE a ADD note text', down: 'ALTER TABLE a DROP COLUMN note' },
    { up: `${b}; INSERT INTO b VALUES (1)`, down: 'DROP TABLE b' },
    { up: 'CREATE VIEW v AS SELECT note FROM a', down: 'DROP VIEW v' },
  ];
}

/** As the server itself writes each object, and every row. */
async function mysqlSnapshot({ url, name }: TestDatabase): Promise<string> {
  const lines: string[] = [];
  const objects = await runOnMysql(
    url,
    `SELECT table_name AS name, table_type AS type FROM information_schema.tables WHERE table_schema = '${name}' AND table_name NOT LIKE 'flyback%' ORDER BY 1`,
  );
  for (const { name: object, type } of objects) {
    const quoted = `\`${String(object)}\``;
    const [shown] = await runOnMysql(url, `SHOW CREATE ${type === 'VIEW' ? 'VIEW' : 'TABLE'} ${quoted}`);
    lines.push(`${String(object)}: ${JSON.stringify(Object.values(shown ?? {})[1])}`);
    for (const row of await runOnMysql(url, `SELECT * FROM ${quoted} ORDER BY 1`))
      lines.push(`${String(object)}: ${JSON.stringify(row)}`);
  }
  return lines.join('\n');
}

function once(release: () => Promise<void>): Holder {
  let released: Promise<void> | undefined;
  return { release: () => (released ??= release()) };
}

/** Waits until a query has a row. */
export async function until(query: (sql: string) => Promise<readonly unknown[]>, sql: string): Promise<void> {
  for (let tries = 0; tries < 400; tries += 1) {
    if ((await query(sql)).length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`It has not come to this within 10 s: ${sql}`);
}
