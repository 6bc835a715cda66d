import * as fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startEmbedded, type EmbeddedServer } from '../../adapters/databases/postgresql/embedded.js';
import { diagnoseProject } from '../../src/compose/diagnose-project.js';
import type { AreaCheck } from '../../src/doctor/check.js';
import { startCrashable } from '../harness/crashable-server.js';
import { createDatabase, newestServer, runOn, testServers, type TestDatabase } from '../harness/postgres.js';
import { createProject, takeBack, type TestProject } from '../harness/project.js';
import { findBinaries } from '../harness/servers.js';

/* What depends on settings of the whole server: logical replication, prepared transactions, synchronous commits. */

async function checkOf({ folder }: TestProject, name: string): Promise<AreaCheck> {
  const { checks } = await diagnoseProject({ folder, environment: {} });
  const found = checks.find(({ check }) => check === name);
  if (found === undefined) throw new Error(`There is no check ${name}.`);
  return found;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('It did not come to pass within 30 s.');
    await delay(50);
  }
}

const majors = testServers().map(({ major }) => major);

describe.each([...new Set([majors[0] ?? 14, majors.at(-1) ?? 18])])('PostgreSQL %i', (major) => {
  let server: EmbeddedServer;
  let publisher: TestDatabase;
  let subscriber: TestDatabase;
  let project: TestProject;
  let subscribed = false;
  beforeAll(async () => {
    server = await startEmbedded({
      listen: 'tcp',
      major,
      binariesFolder: await findBinaries(major),
      settings: {
        wal_level: 'logical',
        max_prepared_transactions: '5',
        max_replication_slots: '20',
        wal_retrieve_retry_interval: '100ms',
        fsync: 'on',
        synchronous_commit: 'on',
      },
    });
  });
  beforeEach(async () => {
    publisher = await createDatabase(server.url);
    subscriber = await createDatabase(server.url);
    project = await createProject({ database: publisher });
  });
  afterEach(async () => {
    await project.remove();
    if (!subscribed) return;
    subscribed = false;
    await runOn(subscriber.url, 'ALTER SUBSCRIPTION sub DISABLE; ALTER SUBSCRIPTION sub SET (slot_name = NONE)');
    await runOn(subscriber.url, 'DROP SUBSCRIPTION sub');
  });
  afterAll(() => server.stop());

  /** Makes the tables on both sides, applies version 1 with this rollback on the publisher, and starts to replicate. */
  async function replicate(tables: string, down: string, publication: string): Promise<void> {
    await project.apply([{ version: '1', up: tables, down }]);
    await runOn(subscriber.url, tables);
    await runOn(publisher.url, `CREATE PUBLICATION pub FOR ${publication}`);
    const slot = `slot_${publisher.name.slice(-8)}`;
    // Within one cluster the slot has to be made apart.
    await runOn(publisher.url, `SELECT pg_create_logical_replication_slot('${slot}', 'pgoutput')`);
    await runOn(
      subscriber.url,
      `CREATE SUBSCRIPTION sub CONNECTION 'host=127.0.0.1 port=${String(server.port)} user=postgres dbname=${publisher.name}' PUBLICATION pub WITH (create_slot = false, copy_data = false, slot_name = '${slot}')`,
    );
    subscribed = true;
  }

  const rowsOf = async (database: TestDatabase, query: string): Promise<string> => {
    const rows = await runOn(database.url, query);
    return rows.map((row) => Object.values(row).join(',')).join(' ');
  };
  /** Whether the subscriber applies changes at all; after an error it tries again and again. */
  const applies = async (): Promise<boolean> => {
    const seen = new Set<string>();
    for (let look = 0; look < 8; look += 1) {
      seen.add(
        await rowsOf(
          subscriber,
          `SELECT coalesce(max(pid)::text, 'none') AS pid FROM pg_stat_subscription WHERE relid IS NULL`,
        ),
      );
      await delay(100);
    }
    return seen.size === 1 && !seen.has('none');
  };

  describe('logical replication', () => {
    const table = 'CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)';

    test('rows that a rollback writes in replica mode are replicated, those that ordinary triggers would write are not', async () => {
      await replicate(table, 'DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (3);', 'TABLE t');
      await runOn(
        publisher.url,
        `CREATE TABLE outbox (what text); CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO outbox VALUES (TG_OP); RETURN NULL; END $$;
CREATE TRIGGER queue AFTER INSERT OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION note()`,
      );
      expect(await checkOf(project, 'publications')).toMatchObject({
        result: 'ok',
        message: expect.stringContaining('replica mode does not hold them back') as unknown,
      });
      expect(await checkOf(project, 'triggers')).toMatchObject({
        result: 'warning',
        details: ['queue of t: does not fire'],
      });
      expect((await takeBack(project)).failure).toBeUndefined();
      await until(async () => (await rowsOf(subscriber, 'SELECT id FROM t ORDER BY id')) === '2 3');
      expect(await rowsOf(publisher, 'SELECT what FROM outbox')).toBe('');
    });

    test('definitions are not replicated: a column that the rollback adds stops the subscriber until it has it too', async () => {
      await replicate(table, 'ALTER TABLE t ADD COLUMN note text;', 'TABLE t');
      expect(await checkOf(project, 'publications')).toMatchObject({
        result: 'warning',
        details: ['altered or dropped: t (publication pub)'],
      });
      expect((await takeBack(project)).failure).toBeUndefined();
      await runOn(publisher.url, `INSERT INTO t VALUES (3, 'new')`);
      await until(async () => !(await applies()));
      expect(await rowsOf(subscriber, 'SELECT id FROM t ORDER BY id')).toBe('1 2');
      await runOn(subscriber.url, 'ALTER TABLE t ADD COLUMN note text');
      await until(async () => (await rowsOf(subscriber, 'SELECT id FROM t ORDER BY id')) === '1 2 3');
    });

    test('a publication of all tables takes in the record, and a subscriber without it stops', async () => {
      await replicate(table, 'DELETE FROM t WHERE id = 1;', 'TABLE t');
      expect(await checkOf(project, 'publications')).toMatchObject({ result: 'ok' });
      await runOn(publisher.url, 'DROP PUBLICATION pub; CREATE PUBLICATION pub FOR ALL TABLES');
      expect(await checkOf(project, 'publications')).toMatchObject({
        result: 'warning',
        message: expect.stringContaining('pub takes in the record public.flyback_record') as unknown,
      });
      expect((await takeBack(project)).failure).toBeUndefined();
      await until(async () => !(await applies()));
      // As the hint says; the history is in the publication as well.
      await runOn(
        subscriber.url,
        `CREATE TABLE flyback_record (id bigint PRIMARY KEY, entry text, previous_hash text, hash text);
CREATE TABLE flyway_schema_history (installed_rank int PRIMARY KEY, version text, description text, type text, script text, checksum int, installed_by text, installed_on timestamp, execution_time int, success bool)`,
      );
      await until(applies);
    });

    test('UPDATE and DELETE of a published table need a replica identity', async () => {
      await replicate('CREATE TABLE t (id int); INSERT INTO t VALUES (1)', 'DELETE FROM t;', 'TABLE t');
      expect(await checkOf(project, 'publications')).toMatchObject({ result: 'problem' });
      // 55000: cannot delete from table "t" because it does not have a replica identity and publishes deletes
      expect((await takeBack(project, { mode: 'dry-run' })).failure).toMatchObject({ serverCode: '55000' });
      await runOn(publisher.url, 'ALTER TABLE t REPLICA IDENTITY FULL');
      expect(await checkOf(project, 'publications')).toMatchObject({ result: 'ok' });
      expect((await takeBack(project)).failure).toBeUndefined();
      await until(async () => (await rowsOf(subscriber, 'SELECT id FROM t')) === '');
    });

    test('a database that publishes, and a script that touches none of it', async () => {
      await replicate(`${table}; CREATE TABLE other (id int)`, 'DROP TABLE other;', 'TABLE t');
      expect(await checkOf(project, 'publications')).toMatchObject({
        result: 'ok',
        message: 'No script touches a published table.',
      });
      expect(await checkOf(project, 'subscriptions')).toMatchObject({ result: 'ok' });
    });

    test('tables that a subscription fills', async () => {
      await replicate(`${table}; CREATE TABLE other (id int)`, 'SELECT 1;', 'TABLE t');
      const own = await createProject({ database: subscriber });
      try {
        await own.apply([{ version: '1', up: 'SELECT 1', down: 'DROP TABLE other;' }]);
        expect(await checkOf(own, 'subscriptions')).toMatchObject({
          result: 'ok',
          message: 'No script touches a table that a subscription fills.',
        });
        await own.apply([{ version: '2', up: 'SELECT 2', down: 'ALTER TABLE t ADD COLUMN note text NOT NULL;' }]);
        expect(await checkOf(own, 'subscriptions')).toMatchObject({
          result: 'warning',
          details: ['t (subscription sub)'],
        });
      } finally {
        await own.remove();
      }
    });
  });

  test('prepared transactions, and whether they are in the way', async () => {
    await project.apply([
      { version: '1', up: 'CREATE TABLE t (id int); CREATE TABLE other (id int)', down: 'DROP TABLE t;' },
    ]);
    expect(await checkOf(project, 'prepared-transactions')).toMatchObject({ result: 'ok' });
    const prepare = (table: string): Promise<unknown> =>
      runOn(publisher.url, `BEGIN; INSERT INTO ${table} VALUES (1); PREPARE TRANSACTION 'left over'`);
    try {
      await prepare('other');
      expect(await checkOf(project, 'prepared-transactions')).toMatchObject({ result: 'warning' });
      await runOn(publisher.url, `ROLLBACK PREPARED 'left over'`);
      await prepare('t');
      expect(await checkOf(project, 'prepared-transactions')).toMatchObject({
        result: 'problem',
        details: [expect.stringMatching(/^left over of postgres, \d+ s old, holds locks on public\.t$/) as unknown],
        hint: expect.stringContaining(`ROLLBACK PREPARED 'left over'`) as unknown,
      });
    } finally {
      await runOn(publisher.url, `ROLLBACK PREPARED 'left over'`);
    }
  });

  test('commits: on disk, forgotten after a crash, waiting for a standby that is not there', async () => {
    await project.apply([{ version: '1', up: 'SELECT 1', down: 'SELECT 2;' }]);
    expect(await checkOf(project, 'commits')).toMatchObject({ result: 'ok' });
    await runOn(publisher.url, `ALTER DATABASE "${publisher.name}" SET synchronous_commit = off`);
    expect(await checkOf(project, 'commits')).toMatchObject({ result: 'warning' });
    await runOn(publisher.url, `ALTER DATABASE "${publisher.name}" RESET synchronous_commit`);
    const administrator = new pg.Client({ connectionString: server.url });
    await administrator.connect();
    try {
      await administrator.query('SET synchronous_commit = local');
      await administrator.query(`ALTER SYSTEM SET synchronous_standby_names = 'nowhere'`);
      await administrator.query('SELECT pg_reload_conf()');
      await until(async () => (await checkOf(project, 'commits')).result === 'problem');
      await administrator.query(`ALTER DATABASE "${publisher.name}" SET synchronous_commit = local`);
      expect(await checkOf(project, 'commits')).toMatchObject({ result: 'ok' });
    } finally {
      await administrator.query('ALTER SYSTEM RESET synchronous_standby_names');
      await administrator.query('SELECT pg_reload_conf()');
      await administrator.end();
    }
  });
});

test('a standby takes no writes', async () => {
  const server = await startCrashable(newestServer().major);
  try {
    const database = await createDatabase(server.url);
    const project = await createProject({ database });
    await project.apply([{ version: '1', up: 'CREATE TABLE t (id int)', down: 'DROP TABLE t;' }]);
    expect(await checkOf(project, 'writable')).toMatchObject({ result: 'ok' });
    const [row] = await runOn(server.url, `SELECT current_setting('data_directory') AS folder`);
    await server.crash();
    // PostgreSQL manual, "Standby Server Operation": with this file the server stays in recovery.
    await fs.writeFile(path.join(String(row?.['folder']), 'standby.signal'), '');
    await server.restart();
    expect(await checkOf(project, 'writable')).toMatchObject({
      result: 'problem',
      message: expect.stringContaining('standby') as unknown,
    });
    expect((await takeBack(project)).failure).toMatchObject({ code: 'server-read-only' });
    await project.remove();
  } finally {
    await server.stop();
  }
});
