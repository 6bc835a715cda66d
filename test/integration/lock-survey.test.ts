import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startEmbedded, type EmbeddedServer } from '../../adapters/databases/postgresql/embedded.js';
import { postgresql } from '../../adapters/databases/postgresql/index.js';
import { toolLock as toolLockOf } from '../../adapters/histories/flyway/lock.js';
import type { Session } from '../../src/adapter/database.js';
import type { LockNeed, LockSurvey } from '../../src/adapter/locks.js';
import { loadProjectConfig } from '../../src/compose/open-project.js';
import { plannedNeeds } from '../../src/locks/blocker.js';
import { createDatabase, forEachMajor, runOn, type TestDatabase } from '../harness/postgres.js';
import { findBinaries } from '../harness/servers.js';

/*
 * The server is the judge: while one session holds what `holds` takes, the statement either gets through within its
 * lock_timeout or not, and the survey must have said so. A server of its own, for prepared transactions.
 */

const fixture = `
  CREATE SCHEMA elsewhere;
  CREATE TABLE parent (id int PRIMARY KEY, a int, b text);
  CREATE INDEX parent_a ON parent (a);
  CREATE TABLE child (id int, parent int CONSTRAINT child_parent REFERENCES parent, c int);
  CREATE INDEX child_c ON child (c);
  CREATE TABLE lone (id int);
  CREATE TABLE elsewhere.lone (id int);
  CREATE TABLE elsewhere.only_here (id int);
  CREATE TABLE event (at int) PARTITION BY RANGE (at);
  CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM (1) TO (10);
  CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM (10) TO (20);
  CREATE TABLE base (id int);
  CREATE TABLE derived () INHERITS (base);
  CREATE VIEW parents AS SELECT id FROM parent;
  CREATE SEQUENCE counter;
  CREATE TABLE "Odd ""Name\\" (id int);
  CREATE MATERIALIZED VIEW tally AS SELECT count(*) FROM lone;
  CREATE FUNCTION answer() RETURNS int LANGUAGE sql AS 'SELECT 42';
`;

interface Case {
  readonly holds: string;
  readonly statement: string;
  readonly stands: boolean;
  /** Runs on its own, not in a transaction that is rolled back; what puts things right afterwards. */
  readonly alone?: string;
}

const cases: readonly Case[] = [
  // Levels.
  { holds: 'SELECT FROM parent', statement: 'ALTER TABLE parent ADD COLUMN n int', stands: true },
  { holds: 'SELECT FROM parent', statement: 'CREATE INDEX fresh ON parent (a)', stands: false },
  { holds: 'SELECT FROM parent', statement: 'DELETE FROM child', stands: false },
  { holds: 'UPDATE parent SET a = 1', statement: 'CREATE INDEX fresh ON parent (a)', stands: true },
  { holds: 'UPDATE parent SET a = 1', statement: 'COMMENT ON TABLE parent IS NULL', stands: false },
  { holds: 'LOCK TABLE parent IN SHARE MODE', statement: 'DELETE FROM parent', stands: true },
  { holds: 'LOCK TABLE parent IN SHARE MODE', statement: 'CREATE INDEX fresh ON parent (a)', stands: false },
  { holds: 'LOCK TABLE parent IN SHARE UPDATE EXCLUSIVE MODE', statement: 'DELETE FROM parent', stands: false },
  { holds: 'LOCK TABLE parent IN EXCLUSIVE MODE', statement: 'SELECT count(*) FROM parent', stands: false },
  { holds: 'LOCK TABLE parent IN ACCESS EXCLUSIVE MODE', statement: 'UPDATE parent SET a = 2', stands: true },
  // Names.
  { holds: 'SELECT FROM lone', statement: 'DROP TABLE elsewhere.lone', stands: false },
  { holds: 'SELECT FROM elsewhere.lone', statement: 'DROP TABLE lone CASCADE', stands: false },
  { holds: 'SELECT FROM elsewhere.lone', statement: 'DROP TABLE elsewhere.lone', stands: true },
  { holds: 'SELECT FROM "Odd ""Name\\"', statement: 'DROP TABLE "Odd ""Name\\"', stands: true },
  { holds: 'SELECT FROM lone', statement: 'DROP TABLE derived', stands: false },
  { holds: 'SELECT FROM lone', statement: 'DROP FUNCTION answer()', stands: false },
  // What dropping locks besides.
  { holds: 'LOCK TABLE parent IN ACCESS SHARE MODE', statement: 'DROP INDEX parent_a', stands: true },
  { holds: 'SELECT FROM parent', statement: 'DROP INDEX child_c', stands: false },
  { holds: 'SELECT FROM parent', statement: 'DROP TABLE child', stands: true },
  { holds: 'SELECT FROM child', statement: 'DROP TABLE parent CASCADE', stands: true },
  { holds: 'SELECT FROM parent', statement: 'ALTER TABLE child DROP CONSTRAINT child_parent', stands: true },
  { holds: 'SELECT FROM parent', statement: 'ALTER TABLE child DROP COLUMN parent', stands: true },
  { holds: 'SELECT FROM parent', statement: 'ALTER TABLE child DROP COLUMN c', stands: false },
  { holds: 'SELECT FROM child', statement: 'ALTER TABLE parent DROP COLUMN a', stands: false },
  { holds: 'SELECT FROM parents', statement: 'DROP VIEW parents', stands: true },
  { holds: "SELECT nextval('counter')", statement: 'DROP SEQUENCE counter', stands: true },
  { holds: 'SELECT FROM tally', statement: 'REFRESH MATERIALIZED VIEW tally', stands: true },
  { holds: 'SELECT FROM elsewhere.only_here', statement: 'DROP SCHEMA elsewhere CASCADE', stands: true },
  { holds: 'SELECT FROM lone', statement: 'DROP SCHEMA elsewhere CASCADE', stands: false },
  { holds: 'SELECT FROM TOAST OF parent', statement: 'DROP TABLE parent CASCADE', stands: true },
  { holds: 'SELECT FROM TOAST OF parent', statement: 'DROP TABLE child', stands: false },
  // Partitions and heirs.
  { holds: 'SELECT FROM event_1', statement: 'DROP TABLE event', stands: true },
  { holds: 'SELECT FROM event_1', statement: 'DROP TABLE event_2', stands: false },
  { holds: 'LOCK TABLE ONLY event IN ACCESS SHARE MODE', statement: 'DROP TABLE event_2', stands: true },
  { holds: 'SELECT FROM derived', statement: 'ALTER TABLE base ADD COLUMN n int', stands: true },
  { holds: 'SELECT FROM ONLY base', statement: 'ALTER TABLE derived ADD COLUMN n int', stands: false },
  // CONCURRENTLY waits for more than its own locks.
  {
    holds: 'UPDATE parent SET a = 1',
    statement: 'CREATE INDEX CONCURRENTLY fresh ON parent (a)',
    stands: true,
    alone: 'DROP INDEX IF EXISTS fresh',
  },
  {
    holds: 'SELECT FROM parent',
    statement: 'CREATE INDEX CONCURRENTLY fresh ON parent (a)',
    stands: false,
    alone: 'DROP INDEX IF EXISTS fresh',
  },
  {
    holds: 'SELECT FROM parent',
    statement: 'DROP INDEX CONCURRENTLY parent_a',
    stands: true,
    alone: 'DROP INDEX IF EXISTS parent_a; CREATE INDEX parent_a ON parent (a)',
  },
  {
    holds: 'SELECT FROM lone',
    statement: 'DROP INDEX CONCURRENTLY parent_a',
    stands: false,
    alone: 'DROP INDEX IF EXISTS parent_a; CREATE INDEX parent_a ON parent (a)',
  },
  {
    holds: 'SELECT FROM parent',
    statement: 'REINDEX INDEX CONCURRENTLY parent_a',
    stands: true,
    alone: 'DROP INDEX IF EXISTS parent_a, parent_a_ccnew, parent_a_ccold; CREATE INDEX parent_a ON parent (a)',
  },
  {
    holds: 'SELECT FROM event_2',
    statement: 'ALTER TABLE event DETACH PARTITION event_2 CONCURRENTLY',
    stands: true,
    alone:
      'DROP TABLE event; CREATE TABLE event (at int) PARTITION BY RANGE (at); CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM (1) TO (10); CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM (10) TO (20)',
  },
];

/** Of "public"."flyway_schema_history". */
const toolLock = toolLockOf(postgresql, { schema: 'public', name: 'flyway_schema_history' });

forEachMajor(({ major }) => {
  let server: EmbeddedServer;
  let database: TestDatabase;
  let toast: string;

  beforeAll(async () => {
    server = await startEmbedded({
      listen: 'tcp',
      major,
      binariesFolder: await findBinaries(major),
      settings: { max_prepared_transactions: '5', autovacuum: 'off' },
    });
    database = await createDatabase(server.url);
    await runOn(
      database.url,
      `${fixture}; CREATE ROLE app LOGIN; CREATE ROLE other LOGIN; GRANT SELECT ON lone TO other`,
    );
    const [row] = await runOn(
      database.url,
      `SELECT reltoastrelid::regclass::text AS name FROM pg_class WHERE oid = 'parent'::regclass`,
    );
    toast = String(row?.['name']);
  });
  afterAll(() => server.stop());

  async function hold(sql: string, options: { application?: string; user?: string } = {}): Promise<pg.Client> {
    const url = new URL(database.url);
    if (options.user !== undefined) url.username = options.user;
    const client = new pg.Client({ connectionString: url.href, application_name: options.application ?? 'holder' });
    client.on('error', () => undefined);
    await client.connect();
    await client.query(`BEGIN; ${sql.replace('TOAST OF parent', toast)}`);
    return client;
  }

  async function open(user?: string): Promise<Session> {
    const config = await loadProjectConfig({
      folder: '/',
      flags: { url: database.jdbcUrl, user: user ?? database.user },
      environment: {},
    });
    if (config.connection === undefined) throw new Error('No connection.');
    return postgresql.connect(config.connection);
  }

  /** What the plan of a script with this one statement would ask. */
  async function needsOf(statement: string): Promise<readonly LockNeed[]> {
    const impact = (await postgresql.loadClassifier()).classify(statement);
    if (!('changes' in impact)) throw new Error(impact.message);
    const planned = {
      ...impact,
      line: 1,
      sql: statement,
      risk: 'none',
      cascade: [],
      alone: null,
      estimate: null,
    } as const;
    const step = { version: '1', statements: [planned] };
    return plannedNeeds({ steps: [step] } as never, [], (sql) => postgresql.locks.concurrentWait(sql)?.level).map(
      ({ need }) => need,
    );
  }

  async function survey(
    session: Session,
    needs: readonly LockNeed[],
    snapshots: 'ask' | 'leave-out' = 'leave-out',
  ): Promise<LockSurvey> {
    return postgresql.locks.survey(session, { needs, scriptSchema: 'public', toolLock, snapshots });
  }

  /** Whether the server lets the statement through at once. */
  async function isStopped({ statement, alone }: Case): Promise<boolean> {
    const client = new pg.Client({ connectionString: database.url, options: '-c lock_timeout=150' });
    await client.connect();
    try {
      await client.query(alone === undefined ? `BEGIN; ${statement}; ROLLBACK` : statement);
      return false;
    } catch (error) {
      if ((error as { code?: string }).code === '55P03') return true;
      throw error;
    } finally {
      await client.end();
    }
  }

  /** Looks again and again, until the condition holds; fails with the test's timeout. */
  async function until<T>(look: () => Promise<T>, holds: (found: T) => boolean): Promise<T> {
    for (;;) {
      const found = await look();
      if (holds(found)) return found;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  describe('who holds what a statement needs', () => {
    test.each(cases)('$holds – $statement: $stands', async (one) => {
      const holder = await hold(one.holds);
      const session = await open();
      try {
        const { obstacles } = await survey(session, await needsOf(one.statement));
        expect(await isStopped(one)).toBe(one.stands);
        expect(obstacles.length > 0).toBe(one.stands);
        for (const { holder: found } of obstacles) {
          expect(found).toMatchObject({ kind: 'session', application: 'holder', state: 'idle in transaction' });
        }
      } finally {
        await session.close();
        await holder.end();
        if (one.alone !== undefined) await runOn(database.url, one.alone);
      }
    });

    test('is told with everything that is known of the session', async () => {
      const holder = await hold('SELECT FROM parent', { application: 'reporting' });
      const [me] = (await holder.query<{ pid: number }>('SELECT pg_backend_pid() AS pid, 1 AS one')).rows;
      const session = await open();
      const { obstacles, hidden } = await survey(session, await needsOf('ALTER TABLE parent ADD COLUMN n int'));
      await session.close();
      await holder.end();
      expect(obstacles).toMatchObject([
        {
          level: 'ACCESS SHARE',
          granted: true,
          on: 'public.parent',
          need: 0,
          holder: {
            kind: 'session',
            belongsTo: 'others',
            pid: me?.pid,
            gid: null,
            user: database.user,
            client: '127.0.0.1',
            state: 'idle in transaction',
            query: 'SELECT pg_backend_pid() AS pid, 1 AS one',
            lacking: null,
          },
        },
      ]);
      expect(obstacles[0]?.holder.openMs).toBeGreaterThan(0);
      expect(hidden).toBeNull();
    });

    test('and who waits for it, ahead of us', async () => {
      const reader = await hold('SELECT FROM lone');
      const waiting = await hold('SELECT 1', { application: 'waiting' });
      const dropping = waiting.query('ALTER TABLE lone ADD COLUMN n int').catch(() => undefined);
      const session = await open();
      const needs = await needsOf('INSERT INTO lone VALUES (1)');
      const { obstacles } = await until(
        () => survey(session, needs),
        (found) => found.obstacles.length > 0,
      );
      expect(obstacles).toMatchObject([
        { level: 'ACCESS EXCLUSIVE', granted: false, holder: { application: 'waiting', state: 'running' } },
      ]);
      await session.close();
      await reader.end();
      await dropping;
      await waiting.end();
    });
  });

  describe('a prepared transaction', () => {
    test('is told by its name, and once it has ended no more', async () => {
      const client = await hold('LOCK TABLE lone IN ROW EXCLUSIVE MODE');
      await client.query(`PREPARE TRANSACTION 'it''s mine'`);
      await client.end();
      const session = await open();
      const needs = await needsOf('CREATE INDEX fresh ON lone (id)');
      const { obstacles } = await survey(session, needs);
      expect(obstacles).toMatchObject([
        {
          level: 'ROW EXCLUSIVE',
          on: 'public.lone',
          holder: { kind: 'prepared-transaction', pid: null, gid: "it's mine", user: database.user, state: 'unknown' },
        },
      ]);
      const [found] = obstacles;
      if (found === undefined) throw new Error('No obstacle.');
      await runOn(database.url, postgresql.locks.endingStatement(found.holder));
      expect((await survey(session, needs)).obstacles).toEqual([]);
      await session.close();
    });
  });

  describe('the migration tool and flyback themselves', () => {
    test('are known by the lock, by being just like who holds it, and by their name', async () => {
      const needs = await needsOf('DROP TABLE lone CASCADE');
      const session = await open();
      const belonging = async (): Promise<readonly string[]> =>
        (await survey(session, needs)).obstacles
          .map(({ holder }) => `${holder.application}: ${holder.belongsTo}`)
          .toSorted();
      const clients = [
        await hold('SELECT FROM lone', { application: 'flyback' }),
        await hold('SELECT FROM lone', { application: 'PostgreSQL JDBC Driver' }),
        await hold('SELECT FROM lone', { application: 'reporting' }),
      ];
      expect(await belonging()).toEqual(['PostgreSQL JDBC Driver: others', 'flyback: flyback', 'reporting: others']);
      // Flyway's lock is on its main connection, the migration on a second one.
      const main = await hold(`SELECT pg_advisory_xact_lock(${toolLock.keys.join(', ')})`, {
        application: 'PostgreSQL JDBC Driver',
      });
      expect(await belonging()).toEqual([
        'PostgreSQL JDBC Driver: migration-tool',
        'flyback: flyback',
        'reporting: others',
      ]);
      const asking = await hold('SELECT FROM lone', { application: 'asking' });
      await asking.query(`SELECT pg_try_advisory_xact_lock(${toolLock.keys.join(', ')})`);
      expect(await belonging()).toContain('asking: migration-tool');
      await asking.end();
      await main.end();
      await until(belonging, (found) => found[0] === 'PostgreSQL JDBC Driver: others');
      for (const client of clients) await client.end();
      await session.close();
    });
  });

  describe('a role without rights', () => {
    test('sees who, but neither what nor since when, and is told what it lacks', async () => {
      const holder = await hold('SELECT FROM lone');
      const session = await open('app');
      const needs = await needsOf('DROP TABLE lone CASCADE');
      const { obstacles, hidden } = await survey(session, needs);
      expect(obstacles).toMatchObject([
        { holder: { kind: 'session', user: database.user, state: 'unknown', openMs: null, query: null } },
      ]);
      expect(obstacles[0]?.holder.lacking).toContain('super-user');
      expect(hidden).toContain('GRANT pg_read_all_stats TO app');
      await session.close();
      await holder.end();
    });

    test.each([
      ['pg_monitor', 'GRANT pg_signal_backend TO app'],
      ['pg_signal_backend', 'GRANT pg_read_all_stats TO app'],
      ['pg_monitor, pg_signal_backend', null],
    ])('with %s', async (granted, lacking) => {
      await runOn(server.url, `GRANT ${granted} TO app`);
      const holder = await hold('SELECT FROM lone', { user: 'other' });
      const session = await open('app');
      const { obstacles } = await survey(session, await needsOf('DROP TABLE lone CASCADE'));
      expect(obstacles).toHaveLength(1);
      if (lacking === null) expect(obstacles[0]?.holder.lacking).toBeNull();
      else expect(obstacles[0]?.holder.lacking).toContain(lacking);
      await session.close();
      await holder.end();
      await runOn(server.url, `REVOKE ${granted} FROM app`);
    });
  });

  describe('transactions that hold no lock', () => {
    test.each([
      { begin: 'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT FROM lone', stands: true },
      { begin: 'SELECT FROM lone', stands: false },
      { begin: 'INSERT INTO lone VALUES (1)', stands: false },
    ])('$begin: $stands', async ({ begin, stands }) => {
      const holder = await hold(begin);
      const session = await open();
      const create = { statement: 'CREATE INDEX CONCURRENTLY fresh ON parent (b)', holds: begin, stands, alone: '' };
      const drop = { ...create, statement: 'DROP INDEX CONCURRENTLY IF EXISTS fresh' };
      try {
        expect((await survey(session, [], 'ask')).snapshots.map(({ application }) => application)).toEqual(
          stands ? ['holder'] : [],
        );
        expect(postgresql.locks.concurrentWait(create.statement)?.snapshots).toBe(true);
        expect(await isStopped(create)).toBe(stands);
        expect(postgresql.locks.concurrentWait(drop.statement)?.snapshots).toBe(false);
        expect(await isStopped(drop)).toBe(false);
      } finally {
        await session.close();
        await holder.end();
      }
    });
  });
});
