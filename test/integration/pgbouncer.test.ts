import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { diagnoseProject } from '../../src/compose/diagnose-project.js';
import type { AreaCheck } from '../../src/doctor/check.js';
import { describeWithPgBouncer, startPgBouncer, type PgBouncer, type PgBouncerOptions } from '../harness/pgbouncer.js';
import { createDatabase, newestServer, runOn, type TestDatabase } from '../harness/postgres.js';
import {
  createProject,
  snapshot,
  storedVersions,
  takeBack,
  type TestProject,
  type VersionFiles,
} from '../harness/project.js';

/* The real PgBouncer between flyback and the server: which mode it works in, and what a rollback through it does. */

const versions: readonly VersionFiles[] = ['1', '2', '3'].map((version) => ({
  version,
  up: `CREATE TABLE t${version} (id int PRIMARY KEY); INSERT INTO t${version} VALUES (1)`,
  down: `DELETE FROM t${version};\nDROP TABLE t${version} CASCADE;\n-- flyback: verify\nSELECT to_regclass('t${version}');\n-- expect: NULL\n`,
}));

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase(newestServer().url);
});
afterAll(() => database.drop());

let direct: TestProject;
let bouncer: PgBouncer | undefined;
let project: TestProject | undefined;
let stopTraffic: (() => Promise<void>) | undefined;
beforeEach(async () => {
  await runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  direct = await createProject({ database });
});
afterEach(async () => {
  await stopTraffic?.();
  stopTraffic = undefined;
  await project?.remove();
  await bouncer?.stop();
  await direct.remove();
  project = undefined;
  bouncer = undefined;
});

/** Applies these versions on the server itself, and gives the project that reaches it through PgBouncer. */
async function through(options: PgBouncerOptions, applied: readonly VersionFiles[] = versions): Promise<TestProject> {
  await direct.apply(applied);
  bouncer = await startPgBouncer(database, options);
  project = await createProject({ database: bouncer.database, versions: applied });
  return project;
}

/** Clients that hold short transactions one after the other through the same pool, until they are stopped. */
function makeTraffic(url: string, clients: number): void {
  let stopped = false;
  const work = Array.from({ length: clients }, async () => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    while (!stopped) {
      await client.query('BEGIN; SELECT count(*) FROM pg_class');
      await client.query('COMMIT');
    }
    await client.end();
  });
  stopTraffic = async () => {
    stopped = true;
    await Promise.all(work);
  };
}

async function poolerCheck({ folder }: TestProject): Promise<AreaCheck | undefined> {
  const { checks } = await diagnoseProject({ folder, environment: {} });
  return checks.find(({ check }) => check === 'pooler');
}

const transactionPools: readonly PgBouncerOptions[] = [
  { mode: 'transaction', poolSize: 1 },
  { mode: 'transaction', poolSize: 2 },
  { mode: 'transaction', poolSize: 2, order: 'in-turn' },
  { mode: 'transaction', poolSize: 5 },
  { mode: 'transaction', poolSize: 5, order: 'in-turn' },
];

describeWithPgBouncer('doctor and a pooler', () => {
  test('sees no pooler where there is none', async () => {
    await direct.apply(versions);
    expect(await poolerCheck(direct)).toMatchObject({
      result: 'ok',
      message: expect.stringMatching(/^None/) as unknown,
    });
  });

  test.each(transactionPools)('knows transaction mode: %j', async (options) => {
    const { database: pooled } = await through(options);
    const quiet = await poolerCheck(project as TestProject);
    expect(quiet).toMatchObject({ result: 'warning', message: expect.stringContaining('transaction mode') as unknown });
    expect(quiet?.hint).toContain('--url');
    makeTraffic(pooled.url, options.poolSize);
    for (let again = 0; again < 5; again += 1) {
      expect(await poolerCheck(project as TestProject)).toMatchObject({
        message: expect.stringContaining('transaction mode') as unknown,
      });
    }
  });

  test.each<PgBouncerOptions>([
    { mode: 'session', poolSize: 2 },
    { mode: 'session', poolSize: 5, order: 'in-turn' },
  ])('knows session mode: %j', async (options) => {
    const pooled = await through(options);
    expect(await poolerCheck(pooled)).toMatchObject({
      result: 'ok',
      message: expect.stringContaining('session mode stands between') as unknown,
    });
  });

  test('does not guess when the pool has no second connection to give', async () => {
    const pooled = await through({ mode: 'session', poolSize: 1 });
    expect(await poolerCheck(pooled)).toMatchObject({
      result: 'warning',
      message: expect.stringContaining('gave no second connection') as unknown,
    });
  });

  test('calls statement mode a problem, and still checks the files', async () => {
    const { folder } = await through({ mode: 'statement', poolSize: 2 });
    const { checks } = await diagnoseProject({ folder, environment: {} });
    const result = (name: string): string | undefined => checks.find(({ check }) => check === name)?.result;
    expect(result('pooler')).toBe('problem');
    expect(result('rollback-scripts')).toBe('ok');
    expect(result('object-rights')).toBe('not-checked');
  });

  test('calls a script without a transaction a problem, and names settings that would stay', async () => {
    const pooled = await through({ mode: 'transaction', poolSize: 2 }, [
      { version: '1', up: 'SELECT 1', down: 'SET search_path = pg_catalog;\nSET LOCAL work_mem = 64;\nSELECT 1;\n' },
    ]);
    expect(await poolerCheck(pooled)).toMatchObject({
      result: 'warning',
      details: ['version 1, line 1: SET search_path = pg_catalog'],
    });
    await pooled.write({ version: '1', up: 'SELECT 1', down: 'VACUUM;' });
    expect(await poolerCheck(pooled)).toMatchObject({
      result: 'problem',
      hint: expect.stringContaining('--url') as unknown,
    });
  });
});

describeWithPgBouncer('a rollback of three versions through a pooler', () => {
  test.each(
    transactionPools.flatMap((pool) => [
      { ...pool, busy: false },
      { ...pool, busy: true },
    ]),
  )('%j', async (pool) => {
    const pooled = await through(pool);
    if (pool.busy) makeTraffic(pooled.database.url, pool.poolSize);
    for (const transaction of ['per-version', 'single'] as const) {
      const before = await snapshot(database);
      const dry = await takeBack(pooled, { target: { kind: 'all' }, mode: 'dry-run', transaction });
      expect(dry.failure).toBeUndefined();
      expect(await snapshot(database)).toBe(before);
      const { failure, result } = await takeBack(pooled, { target: { kind: 'all' }, transaction });
      expect(failure).toBeUndefined();
      expect(result?.steps.map((step) => step.outcome)).toEqual(['committed', 'committed', 'committed']);
      expect(await storedVersions(database)).toEqual([]);
      expect(await runOn(database.url, `SELECT count(*)::int AS n FROM pg_class WHERE relname ~ '^t[123]$'`)).toEqual([
        { n: 0 },
      ]);
      await direct.apply(versions);
    }
  });

  test('goes through in session mode', async () => {
    const pooled = await through({ mode: 'session', poolSize: 2 });
    const { failure } = await takeBack(pooled, { target: { kind: 'all' } });
    expect(failure).toBeUndefined();
    expect(await storedVersions(database)).toEqual([]);
  });

  test('leaves nothing behind in the server processes that others get next', async () => {
    const pooled = await through({ mode: 'transaction', poolSize: 1 });
    // The name of the application is the pooler's own to set for each client.
    const settings = `SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) AS changed FROM pg_settings WHERE source = 'session' AND name <> 'application_name'`;
    const [before] = await runOn(pooled.database.url, settings);
    // Somebody at work in the same database, who is looked at when planning.
    const reader = new pg.Client({ connectionString: database.url });
    await reader.connect();
    await reader.query('BEGIN; SELECT * FROM t1');
    const outcome = await takeBack(pooled, { target: { kind: 'all' }, between: () => reader.end() });
    expect(outcome.failure).toBeUndefined();
    await diagnoseProject({ folder: pooled.folder, environment: {} });
    expect(await runOn(pooled.database.url, settings)).toEqual([before]);
    const held = await runOn(
      database.url,
      `SELECT count(*)::int AS n FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    expect(held).toEqual([{ n: 0 }]);
  });

  test('plans by the names of its own schema, whichever server process answers', async () => {
    const applied = [
      { version: '1', up: 'CREATE SCHEMA app; CREATE TABLE app.t (id int)', down: 'DROP TABLE t CASCADE;' },
    ];
    await runOn(database.url, 'DROP SCHEMA IF EXISTS app CASCADE');
    await through({ mode: 'transaction', poolSize: 3, order: 'in-turn' }, applied);
    await runOn(
      database.url,
      'ALTER TABLE flyway_schema_history SET SCHEMA app; CREATE TABLE t (id int); CREATE VIEW wrong AS SELECT * FROM t; CREATE VIEW app.swept AS SELECT * FROM app.t',
    );
    const own = await createProject({
      database: (bouncer as PgBouncer).database,
      versions: applied,
      flyway: 'defaultSchema = "app"',
    });
    makeTraffic((bouncer as PgBouncer).database.url, 2);
    for (let again = 0; again < 10; again += 1) {
      const { plan } = await takeBack(own, { mode: 'dry-run' });
      expect(plan?.steps[0]?.statements[0]?.cascade).toEqual(['view swept']);
    }
    await own.remove();
    await stopTraffic?.();
    await runOn(database.url, 'DROP SCHEMA app CASCADE');
  });

  test('in statement mode is stopped with a clear message, before anything happened', async () => {
    const pooled = await through({ mode: 'statement', poolSize: 2 });
    const before = await snapshot(database);
    const { failure, result } = await takeBack(pooled, { target: { kind: 'all' } });
    expect(failure?.message).toContain('transaction blocks not allowed in statement pooling mode');
    expect(result?.steps.map((step) => step.outcome) ?? []).not.toContain('committed');
    expect(await snapshot(database)).toBe(before);
  });

  test('a script without a transaction is refused in transaction mode, before anything happened', async () => {
    const applied = [
      { version: '1', up: 'CREATE TABLE t (id int); CREATE INDEX i ON t (id)', down: 'DROP INDEX CONCURRENTLY i;' },
    ];
    const pooled = await through({ mode: 'transaction', poolSize: 3 }, applied);
    const before = await snapshot(database);
    const { failure } = await takeBack(pooled);
    expect(failure).toMatchObject({ code: 'plan-refused' });
    expect(JSON.stringify([failure?.message, failure?.findings])).toContain('pooler');
    expect(await snapshot(database)).toBe(before);
  });
});
