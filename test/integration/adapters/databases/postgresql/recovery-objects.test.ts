import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { recovery } from '../../../../../adapters/databases/postgresql/recovery.js';
import { createDatabase, forEachMajor, runOn, type TestDatabase } from '../../../../harness/postgres.js';
import { Bench, Observed, Running } from './recovery-bench.js';

/* What belongs to the whole server or to another one: databases, tablespaces, subscriptions. And what may be repeated. */

const databases: TestDatabase[] = [];
const benches: Bench[] = [];
const endings: (() => Promise<unknown>)[] = [];

async function fresh(serverUrl: string): Promise<{ bench: Bench; url: string; name: string }> {
  const database = await createDatabase(serverUrl);
  databases.push(database);
  const bench = new Bench(database.url, 'public');
  benches.push(bench);
  return { bench, url: database.url, name: database.name };
}

function uniqueName(): string {
  return `flyback_test_${randomUUID().replaceAll('-', '').slice(0, 12)}`;
}

/** Both CREATE and DROP DATABASE look at the list of tablespaces on their way, and wait for whoever has locked it. */
function atTablespaces(running: Running): string {
  return `EXISTS (SELECT FROM pg_locks WHERE pid = ${running.processId} AND NOT granted AND relation = 'pg_tablespace'::regclass)`;
}

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
  await Promise.all(benches.splice(0).map((bench) => bench.close()));
  await Promise.all(databases.splice(0).map((database) => database.drop()));
});

forEachMajor((server) => {
  const willDrop = (kind: 'DATABASE' | 'TABLESPACE', name: string): void => {
    endings.push(() => runOn(server.url, `DROP ${kind} IF EXISTS ${name}`));
  };

  describe('databases', () => {
    it('tells whether one was created', async () => {
      const { bench } = await fresh(server.url);
      const name = uniqueName();
      willDrop('DATABASE', name);
      const statement = `CREATE DATABASE ${name}`;
      const observed = await Observed.before(bench, statement);
      expect(observed.recovery).toMatchObject({ kind: 'inspectable', failsCleanly: true });
      expect(await observed.now()).toMatchObject({ state: 'not-done' });
      await bench.run(statement);
      expect(await observed.now()).toMatchObject({ state: 'done' });
      expect(await observed.nowWithoutBefore()).toMatchObject({ state: 'unknown' });

      const again = await Observed.before(bench, statement);
      expect(await (await Running.start(bench, statement)).ended()).toBe('42P04');
      expect(await again.now()).toMatchObject({ state: 'not-done' });
    });

    it('leaves no catalog row when creating one fails on the way', async () => {
      const { bench } = await fresh(server.url);
      const name = uniqueName();
      willDrop('DATABASE', name);
      const statement = `CREATE DATABASE ${name}`;
      const observed = await Observed.before(bench, statement);
      const blocker = await bench.hold('BEGIN', 'LOCK TABLE pg_tablespace IN ACCESS EXCLUSIVE MODE');
      const running = await Running.start(bench, statement);
      await running.reaches({ condition: atTablespaces(running) });
      expect(await running.interrupt('cancel')).toBe('57014');
      await blocker.query('ROLLBACK');
      expect(await observed.now()).toMatchObject({ state: 'not-done' });
      await bench.run(statement);
      expect(await observed.now()).toMatchObject({ state: 'done' });
    });

    it('tells whether one was dropped, and finishes the dropping of one that nobody can connect to any more', async () => {
      const { bench } = await fresh(server.url);
      const name = uniqueName();
      willDrop('DATABASE', name);
      await bench.run(`CREATE DATABASE ${name}`);
      const statement = `DROP DATABASE ${name}`;
      const observed = await Observed.before(bench, statement);
      expect(observed.recovery).toMatchObject({ kind: 'inspectable', failsCleanly: false });
      expect(await observed.now()).toMatchObject({ state: 'not-done' });

      // When it comes to the tablespaces, the database has been marked already.
      const blocker = await bench.hold('BEGIN', 'LOCK TABLE pg_tablespace IN ACCESS EXCLUSIVE MODE');
      const running = await Running.start(bench, statement);
      await running.reaches({ condition: atTablespaces(running) });
      expect(await running.interrupt('cancel')).toBe('57014');
      await blocker.query('ROLLBACK');

      const found = await observed.now();
      expect(found).toMatchObject({ state: 'partly', repair: [`DROP DATABASE "${name}"`], afterRepair: 'done' });
      expect(await observed.nowWithoutBefore()).toMatchObject({ state: 'partly' });
      await bench.run(`DROP DATABASE "${name}"`);
      expect(await observed.now()).toMatchObject({ state: 'done' });

      expect(await observed.nowWithoutBefore()).toMatchObject({ state: 'unknown' });
      const careless = await Observed.before(bench, `DROP DATABASE IF EXISTS ${name}`);
      expect(await careless.now()).toMatchObject({ state: 'done' });
      const gone = await Observed.before(bench, statement);
      expect(await gone.now()).toMatchObject({ state: 'not-done' });
      await bench.run(`CREATE DATABASE ${name}`);
      expect(await gone.now()).toMatchObject({ state: 'unknown' });
      expect(await observed.now()).toMatchObject({ state: 'done' });
    });
  });

  it('tells where a database lies, and which tablespaces there are', async () => {
    const { bench } = await fresh(server.url);
    const [name, space] = [uniqueName(), uniqueName()];
    willDrop('TABLESPACE', space);
    willDrop('DATABASE', name);
    // Inside the server's own folder: no other is needed.
    const creating = `CREATE TABLESPACE ${space} LOCATION ''`;
    const created = await Observed.before(bench, creating);
    expect(created.recovery).toMatchObject({ kind: 'inspectable', failsCleanly: false });
    expect(await created.now()).toMatchObject({ state: 'not-done' });
    expect(await (await Running.start(bench, creating, 'SET allow_in_place_tablespaces = on')).ended()).toBe('00000');
    expect(await created.now()).toMatchObject({ state: 'done' });

    await bench.run(`CREATE DATABASE ${name}`);
    const moved = await Observed.before(bench, `ALTER DATABASE ${name} SET TABLESPACE ${space}`);
    expect(await moved.now()).toMatchObject({ state: 'not-done' });
    await bench.run(`ALTER DATABASE ${name} SET TABLESPACE ${space}`);
    expect(await moved.now()).toMatchObject({ state: 'done' });
    expect(await moved.nowWithoutBefore()).toMatchObject({ state: 'done' });

    const dropping = await Observed.before(bench, `DROP TABLESPACE ${space}`);
    expect(await (await Running.start(bench, `DROP TABLESPACE ${space}`)).ended()).toBe('55000');
    expect(await dropping.now()).toMatchObject({ state: 'not-done' });
    await bench.run(`DROP DATABASE ${name}`, `DROP TABLESPACE ${space}`);
    expect(await dropping.now()).toMatchObject({ state: 'done' });
    expect(await moved.now()).toMatchObject({ state: 'unknown' });
  });

  it('tells which subscriptions there are, and to what', async () => {
    const { bench } = await fresh(server.url);
    const parameters = 'CONNECTION $$host=127.0.0.1 port=9 connect_timeout=1$$ PUBLICATION one, "Two"';
    const creating = `CREATE SUBSCRIPTION "My Sub" ${parameters} WITH (connect = false, slot_name = NONE)`;
    const created = await Observed.before(bench, creating);
    expect(created.recovery).toMatchObject({ kind: 'inspectable', failsCleanly: false });
    const absent = await created.now();
    expect(absent).toMatchObject({ state: 'not-done' });
    expect(absent.words).toContain('replication slot');
    await bench.run(creating);
    endings.push(() => bench.run('DROP SUBSCRIPTION IF EXISTS "My Sub"'));
    expect(await created.now()).toMatchObject({ state: 'done' });

    const added = await Observed.before(bench, 'ALTER SUBSCRIPTION "My Sub" ADD PUBLICATION three, four');
    expect(await added.now()).toMatchObject({ state: 'not-done' });
    await bench.run('ALTER SUBSCRIPTION "My Sub" ADD PUBLICATION three WITH (refresh = false)');
    expect(await added.now()).toMatchObject({ state: 'unknown' });
    await bench.run('ALTER SUBSCRIPTION "My Sub" ADD PUBLICATION four WITH (refresh = false)');
    expect(await added.now()).toMatchObject({ state: 'done' });
    expect(await added.nowWithoutBefore()).toMatchObject({ state: 'unknown' });

    const removed = await Observed.before(bench, 'ALTER SUBSCRIPTION "My Sub" DROP PUBLICATION "Two"');
    expect(await removed.now()).toMatchObject({ state: 'not-done' });
    await bench.run('ALTER SUBSCRIPTION "My Sub" DROP PUBLICATION "Two" WITH (refresh = false)');
    expect(await removed.now()).toMatchObject({ state: 'done' });

    const dropped = await Observed.before(bench, 'DROP SUBSCRIPTION "My Sub"');
    const still = await dropped.now();
    expect(still).toMatchObject({ state: 'not-done' });
    expect(still.words).toContain('slot_name = NONE');
    await bench.run('DROP SUBSCRIPTION "My Sub"');
    expect(await dropped.now()).toMatchObject({ state: 'done' });
  });

  it('asks nothing that an ordinary role may not ask', async () => {
    const { bench, name } = await fresh(server.url);
    const role = uniqueName();
    await runOn(server.url, `CREATE ROLE ${role}`);
    endings.push(() => runOn(server.url, `DROP ROLE ${role}`));
    const client = await bench.hold('CREATE TABLE t (id int PRIMARY KEY)', `SET ROLE ${role}`);
    for (const statement of [
      'CREATE INDEX CONCURRENTLY i ON t (id)',
      'DROP INDEX CONCURRENTLY t_pkey',
      'REINDEX TABLE CONCURRENTLY t',
      `REINDEX DATABASE CONCURRENTLY ${name}`,
      'ALTER TABLE t DETACH PARTITION p CONCURRENTLY',
      `DROP DATABASE ${name}`,
      'DROP TABLESPACE x',
      'DROP SUBSCRIPTION s',
    ]) {
      const { inspect } = await recovery(statement);
      await expect(client.query(inspect ?? ''), statement).resolves.toBeDefined();
    }
  });

  it('calls repeatable only what may run twice', async () => {
    const { bench, name } = await fresh(server.url);
    await bench.run(
      'CREATE TABLE t (id int PRIMARY KEY, a int)',
      'CREATE INDEX t_a ON t (a)',
      'CLUSTER t USING t_a',
      'CREATE TABLE event (at date) PARTITION BY RANGE (at)',
      "CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
      'CREATE INDEX event_at ON event (at)',
    );
    const statements = [
      'VACUUM',
      'VACUUM (FULL, ANALYZE) t',
      'ANALYZE t',
      'CLUSTER',
      'REINDEX TABLE event',
      'REINDEX (CONCURRENTLY false) INDEX event_at',
      'REINDEX SCHEMA public',
      `REINDEX DATABASE ${name}`,
      'CHECKPOINT',
      'DISCARD ALL',
    ];
    const indexes = `SELECT indexrelid::regclass || ' ' || indisvalid FROM pg_index WHERE indrelid >= 16384 ORDER BY 1`;
    const client = await bench.open();
    const before = (await client.query(indexes)).rows;
    for (const sql of statements) {
      const found = await recovery(sql);
      expect(found, sql).toMatchObject({ kind: 'repeatable', failsCleanly: true, inspect: undefined });
      expect(found.judge(null, [])).toMatchObject({ state: 'not-done' });
      await client.query(sql);
      await client.query(sql);
    }
    expect((await client.query(indexes)).rows).toEqual(before);
  });

  it('writes a setting once, however often it is repeated', async () => {
    const { bench } = await fresh(server.url);
    const client = await bench.open();
    endings.push(() => runOn(server.url, 'ALTER SYSTEM RESET geqo_seed'));
    const statement = `ALTER SYSTEM SET geqo_seed = 0.5`;
    expect(await recovery(statement)).toMatchObject({ kind: 'repeatable', failsCleanly: true });
    const written = `SELECT setting FROM pg_file_settings WHERE name = 'geqo_seed'`;
    await client.query(statement);
    await client.query(statement);
    expect((await client.query(written)).rows).toEqual([{ setting: '0.5' }]);
    for (const sql of ['ALTER SYSTEM RESET geqo_seed', 'ALTER SYSTEM RESET geqo_seed']) {
      expect(await recovery(sql)).toMatchObject({ kind: 'repeatable' });
      await client.query(sql);
    }
    expect((await client.query(written)).rows).toEqual([]);
  });
});
