import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { startEmbedded } from '../../adapters/databases/postgresql/embedded.js';
import { createDatabase, runOn, type TestDatabase } from './postgres.js';
import { createProject, type TestProject, type VersionFiles } from './project.js';
import { findBinaries } from './servers.js';

/*
 * Rollbacks among other people's sessions: whoever holds something, and readers who want to go on reading. On a server of
 * its own, because prepared transactions must be allowed, autovacuum must come at once, and locks of other tests are in
 * nobody's way.
 */

export interface LockArena {
  /** libpq URL of the server's maintenance database. */
  readonly serverUrl: string;
  readonly database: TestDatabase;
  readonly project: TestProject;
  /** An empty database with these versions applied. The role "app" may log in and do everything but own. */
  start(...versions: readonly VersionFiles[]): Promise<void>;
  /** Somebody in an open transaction, gone at the latest with `dismiss`. */
  other(sql: string, options?: HolderOptions): Promise<pg.Client>;
  /** Resolves when everybody who is in a transaction has been so for more than the second that counts as long. */
  grown(): Promise<void>;
  /** Ends everybody that `other` has brought, and what they have prepared. */
  dismiss(): Promise<void>;
  stop(): Promise<void>;
}

export async function startLockArena(major: number): Promise<LockArena> {
  const server = await startEmbedded({
    listen: 'tcp',
    major,
    binariesFolder: await findBinaries(major),
    settings: { max_prepared_transactions: '5', autovacuum_naptime: '1' },
  });
  const database = await createDatabase(server.url);
  await runOn(server.url, 'CREATE ROLE app LOGIN');
  const project = await createProject({
    database,
    flyback: '[run]\nlockTimeout = "10s"\nlockRetries = 2\nlockRetryPause = "100ms"\ntoolLockWait = "2s"\n',
  });
  const sessions: pg.Client[] = [];
  return {
    serverUrl: server.url,
    database,
    project,
    start: async (...versions) => {
      await runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
      await project.apply(versions);
      await runOn(database.url, 'GRANT ALL ON SCHEMA public TO app; GRANT ALL ON ALL TABLES IN SCHEMA public TO app');
    },
    other: async (sql, options) => {
      const session = await hold(database, sql, options);
      sessions.push(session);
      return session;
    },
    grown: async () => {
      const young = `SELECT FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND clock_timestamp() - xact_start < interval '1.2 seconds'`;
      await until(
        () => runOn(server.url, young),
        (rows) => rows.length === 0,
      );
    },
    dismiss: async () => {
      await Promise.all(sessions.splice(0).map((session) => session.end().catch(() => undefined)));
      const left = await runOn(
        database.url,
        'SELECT quote_literal(gid) AS gid FROM pg_prepared_xacts WHERE database = current_database()',
      );
      for (const { gid } of left) await runOn(database.url, `ROLLBACK PREPARED ${String(gid)}`);
    },
    stop: async () => {
      await project.remove();
      await server.stop();
    },
  };
}

export async function isAlive(session: pg.Client): Promise<boolean> {
  return session.query('SELECT 1').then(
    () => true,
    () => false,
  );
}

export interface HolderOptions {
  readonly application?: string;
  /** A role that may log in without a password. */
  readonly user?: string;
}

/** A session in an open transaction in which `sql` has run. Its end, by itself or by force, is no error. */
export async function hold(
  database: TestDatabase,
  sql: string,
  { application = 'holder', user }: HolderOptions = {},
): Promise<pg.Client> {
  const url = new URL(database.url);
  if (user !== undefined) url.username = user;
  const client = new pg.Client({ connectionString: url.href, application_name: application });
  client.on('error', () => undefined);
  await client.connect();
  await client.query('BEGIN');
  await client.query(sql);
  return client;
}

/** Looks again and again until the condition holds; whoever waits for ever is stopped by the test's own timeout. */
export async function until<T>(look: () => T | Promise<T>, holds: (found: T) => boolean): Promise<T> {
  for (;;) {
    const found = await look();
    if (holds(found)) return found;
    await delay(20);
  }
}

/** What happened to readers with short transactions. */
export interface Readers {
  /** Times by performance.now() at which some reader got its answer, in order. */
  readonly answers: readonly number[];
  /** The longest time that a reader waited for one, milliseconds, those that still wait included. */
  longestWaitMs(): number;
  stop(): Promise<void>;
}

/** Starts sessions that run the query over and over, each time in a transaction of its own. */
export async function startReaders(database: TestDatabase, query: string, count: number): Promise<Readers> {
  const answers: number[] = [];
  const asked = new Map<number, number>();
  let longest = 0;
  let isStopping = false;
  const clients = await Promise.all(
    Array.from({ length: count }, async () => {
      const client = new pg.Client({ connectionString: database.url, application_name: 'short reader' });
      await client.connect();
      return client;
    }),
  );
  const loops = clients.map(async (client, index) => {
    while (!isStopping) {
      asked.set(index, performance.now());
      await client.query(query);
      const now = performance.now();
      longest = Math.max(longest, now - (asked.get(index) ?? now));
      asked.delete(index);
      answers.push(now);
      await delay(10);
    }
  });
  return {
    answers,
    longestWaitMs: () => Math.max(longest, ...[...asked.values()].map((since) => performance.now() - since)),
    stop: async () => {
      isStopping = true;
      await Promise.all(loops);
      await Promise.all(clients.map((client) => client.end()));
    },
  };
}
