import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadClassifier } from '../../../../../adapters/databases/postgresql/classifier.js';
import { postgresqlDialect } from '../../../../../adapters/databases/postgresql/dialect.js';
import type { Classifier } from '../../../../../src/adapter/database.js';
import { createDatabase, forEachMajor, type TestDatabase } from '../../../../harness/postgres.js';

/*
 * The server is the judge: each statement is sent inside a transaction block. What it refuses there (SQLSTATE 25001)
 * must be foreseen both by the key words alone and by the parser; what it runs there must be foreseen by neither.
 */

const fixture = `
  CREATE SCHEMA shop;
  SET search_path = shop;
  CREATE TABLE t (id int PRIMARY KEY, a int, b text);
  CREATE INDEX t_a ON t (a);
  CREATE INDEX "concurrently" ON t (b);
  CREATE TABLE "detach" (at date NOT NULL) PARTITION BY RANGE (at);
  CREATE TABLE detach_1 PARTITION OF "detach" FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
  CREATE TABLE event (at date NOT NULL, what text) PARTITION BY RANGE (at);
  CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
  CREATE TABLE event_2 (at date NOT NULL, what text);
  CREATE INDEX event_at ON event (at);
  CREATE INDEX event_what ON ONLY event (what);
  CREATE INDEX event_1_what ON event_1 (what);
  CREATE MATERIALIZED VIEW tally AS SELECT id, a FROM t;
  CREATE UNIQUE INDEX tally_key ON tally (id);
  CREATE TYPE mood AS ENUM ('good', 'bad');
  CREATE SEQUENCE counter;
  CREATE PROCEDURE calm() LANGUAGE plpgsql AS 'BEGIN NULL; END';
  CREATE PROCEDURE commits() LANGUAGE plpgsql AS 'BEGIN COMMIT; END';
  CREATE PUBLICATION pub FOR TABLE t;
  CREATE SUBSCRIPTION switched_on CONNECTION 'host=127.0.0.1 port=9 connect_timeout=1' PUBLICATION pub, spare
    WITH (connect = false);
  CREATE SUBSCRIPTION switched_off CONNECTION 'host=127.0.0.1 port=9 connect_timeout=1' PUBLICATION pub, spare
    WITH (connect = false);
  CREATE SUBSCRIPTION slotless CONNECTION 'host=127.0.0.1 port=9 connect_timeout=1' PUBLICATION pub
    WITH (connect = false, slot_name = NONE);
  ALTER SUBSCRIPTION switched_on ENABLE;
`;

const dropSubscriptions = ['switched_on', 'switched_off', 'slotless'].flatMap((name) => [
  `ALTER SUBSCRIPTION ${name} DISABLE`,
  `ALTER SUBSCRIPTION ${name} SET (slot_name = NONE)`,
  `DROP SUBSCRIPTION ${name}`,
]);

interface Case {
  readonly sql: string;
  /** First major version that knows the statement. */
  readonly since?: number;
  /** SQLSTATE of another refusal, the same inside and outside of a transaction block. */
  readonly fails?: string;
}

const refused: readonly Case[] = [
  { sql: 'CREATE INDEX CONCURRENTLY fresh ON t (b)' },
  { sql: 'CREATE INDEX CONCURRENTLY ON t (b)' },
  { sql: 'create unique /* x */ index -- y\n concurrently if not exists fresh on only t using btree (a)' },
  { sql: 'CREATE INDEX concurrently ON t (a)' },
  { sql: 'CREATE INDEX CONCURRENTLY "concurrently" ON t (a)' },
  { sql: 'CREATE INDEX CONCURRENTLY ON event (what)' },
  { sql: 'DROP INDEX CONCURRENTLY t_a' },
  { sql: 'DROP INDEX CONCURRENTLY IF EXISTS shop.nowhere RESTRICT' },
  { sql: 'DROP INDEX CONCURRENTLY "concurrently"' },
  { sql: 'REINDEX INDEX CONCURRENTLY t_a' },
  { sql: 'REINDEX TABLE CONCURRENTLY t' },
  { sql: 'REINDEX (VERBOSE, CONCURRENTLY) TABLE t' },
  { sql: 'REINDEX (CONCURRENTLY TRUE) INDEX t_a' },
  { sql: "REINDEX (CONCURRENTLY 'ON') INDEX t_a" },
  { sql: 'REINDEX (CONCURRENTLY 1) INDEX t_a' },
  { sql: 'REINDEX (CONCURRENTLY FALSE) TABLE CONCURRENTLY t' },
  { sql: 'REINDEX (CONCURRENTLY false, CONCURRENTLY on) TABLE t' },
  { sql: 'REINDEX (VERBOSE false, TABLESPACE pg_default, CONCURRENTLY) TABLE t' },
  { sql: 'REINDEX TABLE CONCURRENTLY event' },
  { sql: 'REINDEX SCHEMA shop' },
  { sql: 'REINDEX SCHEMA CONCURRENTLY shop' },
  { sql: 'REINDEX (CONCURRENTLY false) SCHEMA shop' },
  { sql: 'REINDEX (VERBOSE) SCHEMA shop' },
  { sql: 'REINDEX DATABASE $database' },
  { sql: 'REINDEX DATABASE CONCURRENTLY $database' },
  { sql: 'REINDEX (CONCURRENTLY, VERBOSE) DATABASE $database' },
  { sql: 'REINDEX DATABASE', since: 16 },
  { sql: 'REINDEX DATABASE CONCURRENTLY', since: 16 },
  { sql: 'REINDEX SYSTEM $database' },
  { sql: 'REINDEX SYSTEM', since: 16 },
  { sql: 'VACUUM' },
  { sql: 'VACUUM t' },
  { sql: 'VACUUM FULL t' },
  { sql: 'VACUUM FREEZE VERBOSE ANALYZE t (a)' },
  { sql: 'VACUUM (ANALYZE, PARALLEL 2) t' },
  { sql: 'VACUUM(FULL false)t' },
  { sql: 'VACUUM (SKIP_DATABASE_STATS) t', since: 16 },
  { sql: 'VACUUM (ONLY_DATABASE_STATS)', since: 16 },
  { sql: "VACUUM (BUFFER_USAGE_LIMIT '256 kB') t", since: 16 },
  { sql: 'VACUUM ONLY event', since: 18 },
  { sql: 'CLUSTER' },
  { sql: 'CLUSTER VERBOSE' },
  { sql: 'CLUSTER (VERBOSE)', since: 17 },
  { sql: "ALTER SYSTEM SET work_mem = '8MB'" },
  { sql: 'ALTER SYSTEM SET work_mem TO DEFAULT' },
  { sql: 'ALTER/**/SYSTEM RESET work_mem' },
  { sql: 'ALTER SYSTEM RESET ALL' },
  { sql: 'CREATE DATABASE fresh' },
  { sql: 'CREATE DATABASE fresh WITH TEMPLATE template0 STRATEGY file_copy', since: 15 },
  { sql: 'DROP DATABASE nowhere' },
  { sql: 'DROP DATABASE IF EXISTS nowhere WITH (FORCE)' },
  { sql: 'ALTER DATABASE $database SET TABLESPACE pg_default' },
  { sql: 'ALTER DATABASE $database WITH TABLESPACE pg_default' },
  { sql: 'ALTER DATABASE $database TABLESPACE = pg_default' },
  { sql: "CREATE TABLESPACE fresh LOCATION '/nowhere'" },
  { sql: "CREATE TABLESPACE fresh OWNER CURRENT_USER LOCATION '/nowhere' WITH (seq_page_cost = 2)" },
  { sql: 'DROP TABLESPACE nowhere' },
  { sql: 'DROP TABLESPACE IF EXISTS nowhere' },
  { sql: "CREATE SUBSCRIPTION fresh CONNECTION 'host=127.0.0.1 port=9' PUBLICATION pub" },
  { sql: "CREATE SUBSCRIPTION fresh CONNECTION 'host=127.0.0.1 port=9' PUBLICATION pub WITH (copy_data = false)" },
  { sql: "CREATE SUBSCRIPTION fresh CONNECTION 'host=127.0.0.1 port=9' PUBLICATION pub WITH (create_slot)" },
  { sql: "CREATE SUBSCRIPTION fresh CONNECTION 'host=127.0.0.1 port=9' PUBLICATION pub WITH (create_slot = on)" },
  {
    sql: "CREATE SUBSCRIPTION fresh CONNECTION 'host=127.0.0.1 port=9' PUBLICATION pub WITH (connect = 1, enabled = false)",
  },
  { sql: 'DROP SUBSCRIPTION switched_on' },
  { sql: 'DROP SUBSCRIPTION IF EXISTS switched_off' },
  { sql: 'ALTER SUBSCRIPTION switched_on REFRESH PUBLICATION' },
  { sql: 'ALTER SUBSCRIPTION switched_on REFRESH PUBLICATION WITH (copy_data = false)' },
  { sql: 'ALTER SUBSCRIPTION switched_on SET PUBLICATION pub' },
  { sql: 'ALTER SUBSCRIPTION switched_on SET PUBLICATION pub WITH (copy_data = false)' },
  { sql: 'ALTER SUBSCRIPTION switched_on SET PUBLICATION pub WITH (refresh)' },
  { sql: 'ALTER SUBSCRIPTION switched_on ADD PUBLICATION "with", other' },
  { sql: 'ALTER SUBSCRIPTION switched_on ADD PUBLICATION other WITH (refresh = on)' },
  { sql: 'ALTER SUBSCRIPTION switched_on DROP PUBLICATION spare' },
  { sql: 'ALTER SUBSCRIPTION switched_off SET (failover = true)', since: 17 },
  { sql: 'ALTER SUBSCRIPTION switched_off SET (binary, failover = false)', since: 17 },
  { sql: 'ALTER SUBSCRIPTION switched_off SET (two_phase = false)', since: 18 },
  { sql: 'ALTER TABLE event DETACH PARTITION event_1 CONCURRENTLY' },
  { sql: 'ALTER TABLE IF EXISTS shop."event" DETACH PARTITION shop.event_1 /* now */ CONCURRENTLY' },
  { sql: 'ALTER TABLE detach DETACH PARTITION detach_1 CONCURRENTLY' },
  { sql: 'DISCARD ALL' },
  { sql: "COMMIT PREPARED 'nowhere'" },
  { sql: "ROLLBACK PREPARED 'nowhere'" },
];

const allowed: readonly Case[] = [
  { sql: 'CREATE INDEX fresh ON t (b)' },
  { sql: 'CREATE INDEX concurrently_made ON t (a)' },
  { sql: 'CREATE TABLE "database" (concurrently_x int, "concurrently" int)' },
  { sql: 'CREATE TABLE system (a int)' },
  { sql: "CREATE FUNCTION vacuums() RETURNS void LANGUAGE sql AS 'SELECT 1 -- VACUUM, DROP INDEX CONCURRENTLY'" },
  { sql: 'DROP INDEX t_a' },
  { sql: 'DROP INDEX "concurrently"' },
  { sql: 'DROP INDEX IF EXISTS t_a, "concurrently"' },
  { sql: 'REINDEX INDEX t_a' },
  { sql: 'REINDEX TABLE t' },
  { sql: 'REINDEX (VERBOSE) TABLE t' },
  { sql: 'REINDEX (CONCURRENTLY false) TABLE t' },
  { sql: "REINDEX (CONCURRENTLY 'Off') INDEX t_a" },
  { sql: 'REINDEX (CONCURRENTLY 0) INDEX t_a' },
  { sql: 'REINDEX (CONCURRENTLY, CONCURRENTLY false) TABLE t' },
  { sql: 'REINDEX (VERBOSE, TABLESPACE pg_default, CONCURRENTLY off) TABLE t' },
  { sql: 'REINDEX TABLE "concurrently"', fails: '42809' },
  { sql: 'CLUSTER t USING t_a' },
  { sql: 'CLUSTER VERBOSE t USING t_a' },
  { sql: 'CLUSTER (VERBOSE) t USING t_a' },
  { sql: 'CLUSTER t_a ON t' },
  { sql: 'ANALYZE' },
  { sql: 'ANALYZE VERBOSE t, event' },
  { sql: 'ANALYZE (SKIP_LOCKED) t (a)' },
  { sql: 'CHECKPOINT' },
  { sql: 'ALTER DATABASE $database SET work_mem = 2000' },
  { sql: 'ALTER DATABASE $database RESET ALL' },
  { sql: 'ALTER DATABASE $database CONNECTION LIMIT 5' },
  { sql: 'ALTER DATABASE $database WITH ALLOW_CONNECTIONS true IS_TEMPLATE false' },
  { sql: 'ALTER DATABASE $database OWNER TO CURRENT_USER' },
  { sql: 'ALTER DATABASE template0 RENAME TO template_x' },
  { sql: 'ALTER DATABASE $database REFRESH COLLATION VERSION', since: 15 },
  { sql: 'ALTER TABLESPACE pg_default SET (seq_page_cost = 1)' },
  { sql: 'ALTER TABLE ALL IN TABLESPACE pg_default SET TABLESPACE pg_default NOWAIT' },
  { sql: 'ALTER TABLE event DETACH PARTITION event_1' },
  { sql: 'ALTER TABLE "detach" DETACH PARTITION detach_1' },
  { sql: "ALTER TABLE event ATTACH PARTITION event_2 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')" },
  { sql: 'ALTER TABLE t RENAME COLUMN b TO "concurrently"' },
  { sql: "ALTER TABLE t ALTER b SET DEFAULT 'DETACH PARTITION x CONCURRENTLY'" },
  { sql: 'ALTER INDEX event_what ATTACH PARTITION event_1_what' },
  { sql: "ALTER TYPE mood ADD VALUE 'so so' BEFORE 'bad'" },
  { sql: "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'good'" },
  {
    sql: "CREATE SUBSCRIPTION fresh CONNECTION 'host=127.0.0.1 port=9' PUBLICATION pub WITH (create_slot = false, connect = false)",
  },
  { sql: "CREATE SUBSCRIPTION fresh CONNECTION 'host=127.0.0.1 port=9' PUBLICATION pub WITH (connect = off)" },
  {
    sql: "CREATE SUBSCRIPTION fresh CONNECTION 'host=127.0.0.1 port=9 connect_timeout=1' PUBLICATION pub WITH (slot_name = s, create_slot = 'false')",
    fails: '08006',
  },
  { sql: "ALTER SUBSCRIPTION switched_on CONNECTION 'host=127.0.0.1 port=9 connect_timeout=1'" },
  { sql: 'ALTER SUBSCRIPTION switched_on DISABLE' },
  { sql: 'ALTER SUBSCRIPTION switched_off ENABLE' },
  { sql: 'ALTER SUBSCRIPTION switched_off SET (slot_name = NONE)' },
  { sql: 'ALTER SUBSCRIPTION switched_off SET (binary = true)' },
  { sql: 'ALTER SUBSCRIPTION switched_off SET (two_phase)', since: 18 },
  { sql: 'ALTER SUBSCRIPTION switched_on SET PUBLICATION pub WITH (refresh = false)' },
  { sql: 'ALTER SUBSCRIPTION switched_on ADD PUBLICATION other WITH (copy_data = false, refresh = off)' },
  { sql: 'ALTER SUBSCRIPTION switched_on ADD PUBLICATION other WITH (refresh = off)' },
  { sql: "ALTER SUBSCRIPTION switched_on SKIP (lsn = '0/1')", since: 15 },
  { sql: 'ALTER SUBSCRIPTION switched_on OWNER TO CURRENT_USER' },
  { sql: 'ALTER SUBSCRIPTION switched_on RENAME TO refresh' },
  { sql: 'CREATE PUBLICATION fresh FOR ALL TABLES' },
  { sql: 'ALTER PUBLICATION pub DROP TABLE t' },
  { sql: 'DROP PUBLICATION pub' },
  { sql: 'DISCARD PLANS' },
  { sql: 'DISCARD SEQUENCES' },
  { sql: 'DISCARD TEMP' },
  { sql: 'REFRESH MATERIALIZED VIEW tally' },
  { sql: 'REFRESH MATERIALIZED VIEW CONCURRENTLY tally' },
  { sql: "COPY t FROM PROGRAM 'exit 0' (FORMAT csv)" },
  { sql: 'LOCK TABLE t IN ACCESS EXCLUSIVE MODE' },
  { sql: 'LISTEN x' },
  { sql: "NOTIFY x, 'y'" },
  { sql: 'UNLISTEN *' },
  { sql: "LOAD 'plpgsql'" },
  { sql: 'CALL calm()' },
  { sql: 'CREATE ROLE flyback_test_fresh' },
  { sql: 'DROP ROLE IF EXISTS flyback_test_nowhere' },
  { sql: 'CREATE EXTENSION IF NOT EXISTS plpgsql' },
  { sql: 'SECURITY LABEL ON TABLE t IS NULL', fails: '22023' },
  { sql: 'SET TRANSACTION ISOLATION LEVEL SERIALIZABLE' },
  { sql: 'TRUNCATE t RESTART IDENTITY' },
  { sql: 'PREPARE reindex AS SELECT 1' },
  { sql: 'ROLLBACK' },
  { sql: 'SELECT 1' },
  { sql: 'EXPLAIN (ANALYZE) SELECT 1' },
  { sql: 'DECLARE c CURSOR FOR SELECT 1' },
  { sql: 'COMMENT ON DATABASE $database IS NULL' },
];

/** Only the catalog, or the body of a routine, could tell: what is said instead is the answer that does no harm. */
const undecidable: readonly (Case & {
  readonly says: 'refused' | 'allowed';
  readonly why: string;
  readonly state: string;
})[] = [
  {
    sql: 'REINDEX TABLE event',
    state: '25001',
    says: 'allowed',
    why: 'the table is partitioned; inside a transaction the server refuses it, and nothing has happened',
  },
  {
    sql: 'REINDEX INDEX event_at',
    state: '25001',
    says: 'allowed',
    why: 'the index is partitioned; inside a transaction the server refuses it, and nothing has happened',
  },
  {
    sql: 'CLUSTER event USING event_at',
    since: 15,
    state: '25001',
    says: 'allowed',
    why: 'the table is partitioned; inside a transaction the server refuses it, and nothing has happened',
  },
  {
    sql: 'CALL commits()',
    state: '2D000',
    says: 'allowed',
    why: 'the procedure commits; inside a transaction the server refuses the COMMIT, and nothing has happened',
  },
  {
    sql: 'DO $$ BEGIN COMMIT; END $$',
    state: '2D000',
    says: 'allowed',
    why: 'the block commits; inside a transaction the server refuses the COMMIT, and nothing has happened',
  },
  {
    sql: 'DROP SUBSCRIPTION slotless',
    state: '00000',
    says: 'refused',
    why: 'it has no slot, which is rare; alone it runs too, and a slot cannot be dropped in a transaction',
  },
  {
    sql: 'ALTER SUBSCRIPTION switched_off DROP PUBLICATION spare',
    state: '55000',
    says: 'refused',
    why: 'it is disabled; the server refuses it everywhere',
  },
];

forEachMajor((server) => {
  let database: TestDatabase;
  let client: pg.Client;
  let classifier: Classifier;

  beforeAll(async () => {
    classifier = await loadClassifier();
    database = await createDatabase(server.url);
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query(fixture);
  });
  afterAll(async () => {
    await client.query('RESET ALL');
    for (const sql of dropSubscriptions) await client.query(sql);
    await client.end();
    await database.drop();
  });

  const known = <C extends Case>(cases: readonly C[]): readonly C[] =>
    cases.filter(({ since }) => server.major >= (since ?? 0));

  /** SQLSTATE of the statement as the first of a transaction block, 00000 when it ran. */
  async function tryInTransaction(sql: string): Promise<string> {
    await client.query('BEGIN');
    try {
      await client.query(sql);
      return '00000';
    } catch (error) {
      return (error as pg.DatabaseError).code ?? String(error);
    } finally {
      await client.query('ROLLBACK');
    }
  }

  function foreseen(sql: string): { readonly words: boolean; readonly parser: boolean } {
    const impact = classifier.classify(sql);
    if ('message' in impact) throw new Error(`${sql}: ${impact.message}`);
    return {
      words: postgresqlDialect.notTransactional(sql) !== undefined,
      parser: impact.notTransactional !== undefined,
    };
  }

  it.each(known(refused).map((testCase) => [testCase.sql, testCase] as const))(
    'is refused inside a transaction, as foreseen: %s',
    async (_sql, testCase) => {
      const sql = testCase.sql.replace('$database', database.name);
      expect(await tryInTransaction(sql)).toBe('25001');
      expect(foreseen(sql)).toEqual({ words: true, parser: true });
    },
  );

  it.each(known(allowed).map((testCase) => [testCase.sql, testCase] as const))(
    'runs inside a transaction, as foreseen: %s',
    async (_sql, testCase) => {
      const sql = testCase.sql.replace('$database', database.name);
      expect(await tryInTransaction(sql)).toBe(testCase.fails ?? '00000');
      expect(foreseen(sql)).toEqual({ words: false, parser: false });
    },
  );

  it.each(known(undecidable).map((testCase) => [testCase.sql, testCase.says, testCase] as const))(
    'cannot be foreseen: %s is taken to be %s',
    async (_sql, _says, testCase) => {
      expect(await tryInTransaction(testCase.sql)).toBe(testCase.state);
      const taken = testCase.says === 'refused';
      expect(foreseen(testCase.sql)).toEqual({ words: taken, parser: taken });
    },
  );
});
