import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunEvent } from '../../src/run/run-result.js';
import { createDatabase, forEachMajor, runOn, type TestDatabase } from '../harness/postgres.js';
import {
  createProject,
  historyRow,
  recordEntries,
  snapshot,
  storedVersions,
  takeBack,
  type TestProject,
  type VersionFiles,
} from '../harness/project.js';

/** Each version makes its own table, with a row, and the next refers to it. */
function chain(count: number): readonly VersionFiles[] {
  return Array.from({ length: count }, (_, index) => {
    const number = index + 1;
    const parent = index === 0 ? '' : `, parent int REFERENCES t${String(index)}`;
    return {
      version: String(number),
      up: `CREATE TABLE t${String(number)} (id int PRIMARY KEY${parent}); INSERT INTO t${String(number)} (id) VALUES (1)`,
      down: `DROP TABLE t${String(number)};
-- flyback: verify gone
SELECT to_regclass('t${String(number)}') IS NULL;
-- expect: true
`,
    };
  });
}

forEachMajor((server) => {
  let database: TestDatabase;
  let project: TestProject;

  beforeAll(async () => {
    database = await createDatabase(server.url);
    project = await createProject({
      database,
      flyback: '[run]\nlockTimeout = "300ms"\nlockRetries = 2\nlockRetryPause = "100ms"\ntoolLockWait = "1s"\n',
    });
  });
  afterAll(async () => {
    await project.remove();
    await database.drop();
  });

  /** An empty database with these versions applied. */
  async function start(versions: readonly VersionFiles[]): Promise<string> {
    await runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
    await project.apply(versions);
    return snapshot(database);
  }

  describe('all or nothing', () => {
    test('every target takes back exactly the versions it names, newest first', async () => {
      await start(chain(6));
      expect((await takeBack(project)).result?.steps.map((step) => step.version)).toEqual(['6']);
      expect((await takeBack(project, { target: { kind: 'steps', steps: 2 } })).result?.outcome).toBe('committed');
      expect(await storedVersions(database)).toEqual(['1', '2', '3']);
      const to = await takeBack(project, { target: { kind: 'to', version: '01.0' }, transaction: 'single' });
      expect(to.result?.steps.map((step) => [step.version, step.outcome])).toEqual([
        ['3', 'committed'],
        ['2', 'committed'],
      ]);
      expect((await takeBack(project, { target: { kind: 'all' } })).failure).toBeUndefined();
      expect(await storedVersions(database)).toEqual([]);
      expect((await recordEntries(database)).map((entry) => [entry['version'], entry['outcome']])).toEqual(
        ['6', '5', '4', '3', '2', '1'].map((version) => [version, 'committed']),
      );
    });

    test('a failing step in one transaction for all takes the others back with it', async () => {
      const versions = chain(4).map((files) =>
        files.version === '2' ? { ...files, down: 'DROP TABLE t2; SELECT 1/0;' } : files,
      );
      const before = await start(versions);
      const { result, failure } = await takeBack(project, { target: { kind: 'all' }, transaction: 'single' });
      expect(failure).toMatchObject({ code: 'script-failed', serverCode: '22012', exitCode: 3 });
      expect(result?.steps.map((step) => step.outcome)).toEqual(['rolled-back', 'rolled-back', 'failed', 'not-run']);
      expect(await snapshot(database)).toBe(before);
    });

    test('a failing step with a transaction for each keeps what was committed before it', async () => {
      const versions = chain(4).map((files) =>
        files.version === '2' ? { ...files, down: 'DROP TABLE t2; SELECT 1/0;' } : files,
      );
      await start(versions);
      const { result, failure } = await takeBack(project, { target: { kind: 'all' } });
      expect(failure?.code).toBe('script-failed');
      expect(result?.steps.map((step) => step.outcome)).toEqual(['committed', 'committed', 'failed', 'not-run']);
      expect(await storedVersions(database)).toEqual(['1', '2']);
      expect((await recordEntries(database)).map((entry) => [entry['version'], entry['outcome']])).toEqual([
        ['4', 'committed'],
        ['3', 'committed'],
        ['2', 'failed'],
      ]);
    });

    test.each(['per-version', 'single'] as const)(
      'an unmet verification changes nothing and is told with its place (%s)',
      async (transaction) => {
        const [first, second] = chain(2);
        const down = `DROP TABLE t2;\n\nSELECT count(*) FROM t1;\n-- expect: 5\n`;
        const before = await start([first as VersionFiles, { ...(second as VersionFiles), down }]);
        const { failure, result } = await takeBack(project, { transaction });
        expect(failure).toMatchObject({ code: 'verification-failed', exitCode: 1, location: { line: 3, column: 1 } });
        expect(failure?.message).toContain('expected 5, but got 1');
        expect(result?.steps[0]).toMatchObject({ outcome: 'failed', verifications: [{ passed: false, actual: '1' }] });
        expect(await snapshot(database)).toBe(before);
      },
    );

    test('a dry run goes through everything, changes nothing, and is recorded as such', async () => {
      const before = await start(chain(3));
      const { result } = await takeBack(project, { target: { kind: 'all' }, mode: 'dry-run' });
      expect(result).toMatchObject({ outcome: 'dry-run', failure: undefined });
      expect(result?.steps.map((step) => step.outcome)).toEqual(['passed', 'passed', 'passed']);
      expect(result?.steps.every((step) => step.verifications.every((check) => check.passed))).toBe(true);
      expect(await snapshot(database)).toBe(before);
      expect((await recordEntries(database)).map((entry) => entry['outcome'])).toEqual(Array(3).fill('dry-run'));
    });

    test('a deferred constraint that the script leaves broken stops it before the commit', async () => {
      const up = `CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int UNIQUE DEFERRABLE INITIALLY DEFERRED, p int REFERENCES p DEFERRABLE INITIALLY DEFERRED); INSERT INTO c (id) VALUES (1)`;
      for (const [down, triggers] of [
        ['INSERT INTO c VALUES (2, 7);', 'keep'],
        ['INSERT INTO c (id) VALUES (1);', 'replica'],
      ] as const) {
        const before = await start([{ version: '1', up, down }]);
        const { failure } = await takeBack(project, { triggers });
        expect(failure?.serverCode ?? failure?.code, down).toMatch(/^23505$|^23503$|integrity-violated/);
        expect(await snapshot(database)).toBe(before);
      }
    });
  });

  describe('what was planned against must still be true', () => {
    test.each([
      ['a row is added', historyRow({ version: '9', up: '' }), 'is new'],
      ['a row is deleted', 'DELETE FROM flyway_schema_history WHERE installed_rank = 1', 'is gone'],
      ['a row is changed', 'UPDATE flyway_schema_history SET checksum = 7 WHERE installed_rank = 1', 'was changed'],
      [
        'a rank is used again',
        `UPDATE flyway_schema_history SET version = '3' WHERE installed_rank = 2`,
        'rank 2 (version 2) was changed',
      ],
    ])('%s between planning and running', async (_name, sql, words) => {
      await start(chain(2));
      let before = '';
      const { failure } = await takeBack(project, {
        between: async () => {
          await runOn(database.url, sql);
          before = await snapshot(database);
        },
      });
      expect(failure).toMatchObject({ code: 'history-changed', exitCode: 3 });
      expect(failure?.message).toContain(words);
      expect(await snapshot(database)).toBe(before);
    });

    test.each([
      [
        'deletes its own row',
        `DO $$ BEGIN EXECUTE 'DELETE FROM flyway_schema' || '_history WHERE installed_rank = 2'; END $$;`,
      ],
      [
        'deletes another row',
        `DO $$ BEGIN EXECUTE 'DELETE FROM flyway_schema' || '_history WHERE installed_rank = 1'; END $$;`,
      ],
      [
        'changes another row',
        `DO $$ BEGIN EXECUTE 'UPDATE flyway_schema' || '_history SET checksum = 0 WHERE installed_rank = 1'; END $$;`,
      ],
      [
        'adds a row',
        `DO $$ BEGIN EXECUTE 'INSERT INTO flyway_schema' || '_history SELECT 99, ''99'', description, type, script, 0, installed_by, now(), 0, true FROM flyway_schema' || '_history LIMIT 1'; END $$;`,
      ],
      ['drops it', `DO $$ BEGIN EXECUTE 'DROP TABLE flyway_schema' || '_history'; END $$;`],
      ['renames it', `DO $$ BEGIN EXECUTE 'ALTER TABLE flyway_schema' || '_history RENAME TO h'; END $$;`],
      ['empties it', `DO $$ BEGIN EXECUTE 'TRUNCATE flyway_schema' || '_history'; END $$;`],
      [
        'takes a column away',
        `DO $$ BEGIN EXECUTE 'ALTER TABLE flyway_schema' || '_history DROP COLUMN checksum'; END $$;`,
      ],
      ['drops its schema', `DO $$ BEGIN EXECUTE 'DROP SCHEMA pub' || 'lic CASCADE'; END $$;`],
    ])('a script that by dynamic SQL touches the history: %s', async (_name, down) => {
      const [first, second] = chain(2);
      const before = await start([first as VersionFiles, { ...(second as VersionFiles), down }]);
      for (const transaction of ['per-version', 'single'] as const) {
        const { failure } = await takeBack(project, { transaction });
        expect(failure?.code).toMatch(/^(script-failed|history-changed)$/);
        expect(failure?.message).not.toContain('flyback itself');
        expect(await snapshot(database)).toBe(before);
      }
    });

    test.each([
      ['drops it', 'DROP TABLE'],
      ['removes its guard', 'ALTER TABLE %s DISABLE TRIGGER append_only; SELECT 1 FROM'],
      [
        'changes an entry',
        `ALTER TABLE %s DISABLE TRIGGER append_only; UPDATE %s SET entry = ''; ALTER TABLE %s ENABLE ALWAYS TRIGGER append_only; SELECT 1 FROM`,
      ],
      ['appends an entry', `INSERT INTO %s (entry, previous_hash, hash) VALUES ('x', 'y', 'z'); SELECT 1 FROM`],
    ])('a script that by dynamic SQL touches the record: %s', async (_name, sql) => {
      const versions = chain(3);
      await start(versions);
      expect((await takeBack(project)).failure).toBeUndefined();
      const text = `${sql} %s`.replaceAll('%s', `flyback' || '_record`).replaceAll(/'(x|y|z|)'(?!_)/g, "''$1''");
      await project.write({ ...(versions[1] as VersionFiles), down: `DO $$ BEGIN EXECUTE '${text}'; END $$;` });
      const before = await runOn(database.url, 'SELECT * FROM flyback_record');
      for (const transaction of ['per-version', 'single'] as const) {
        const { failure } = await takeBack(project, { transaction });
        expect(failure).toMatchObject({ code: 'script-failed' });
      }
      const after = await runOn(database.url, 'SELECT * FROM flyback_record ORDER BY id');
      expect(after.slice(0, before.length)).toEqual(before);
      expect(await storedVersions(database)).toEqual(['1', '2']);
    });

    test.each([
      ['COMMIT in a DO block', 'DROP TABLE t1; DO $$ BEGIN COMMIT; END $$;'],
      ['ROLLBACK in a DO block', 'DROP TABLE t1; DO $$ BEGIN ROLLBACK; END $$;'],
      ['COMMIT in a procedure', 'DROP TABLE t1; CALL ends();'],
    ])('a script that ends the transaction: %s', async (_name, down) => {
      const up = `CREATE TABLE t1 (id int); CREATE PROCEDURE ends() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$`;
      const before = await start([{ version: '1', up, down }]);
      const { failure } = await takeBack(project);
      expect(failure).toMatchObject({ code: 'script-failed', serverCode: '2D000', exitCode: 3 });
      expect(await snapshot(database)).toBe(before);
    });
  });

  describe('what a script does to the session', () => {
    test.each(['per-version', 'single'] as const)('does not reach the next step (%s)', async (transaction) => {
      await runOn(database.url, `DROP ROLE IF EXISTS flyback_test_role; CREATE ROLE flyback_test_role`).catch(
        () => undefined,
      );
      const settings = [
        'SET ROLE flyback_test_role',
        'SET SESSION AUTHORIZATION flyback_test_role',
        'SET search_path = pg_catalog',
        `DO $$ BEGIN PERFORM set_config('session_replication_role', 'replica', false); END $$`,
        `SET statement_timeout = '40ms'`,
        `SET lock_timeout = '1ms'`,
        `SET LOCAL statement_timeout = '700s'`,
      ];
      const versions: VersionFiles[] = [
        {
          version: '1',
          up: 'CREATE TABLE state (step int, what text)',
          down: 'DROP TABLE state;',
        },
        ...settings.map((setting, index) => ({
          version: String(index + 2),
          up: `SELECT ${String(index)}`,
          down: `INSERT INTO state SELECT ${String(index)}, concat_ws('|', current_user, session_user, current_setting('search_path'),
 current_setting('session_replication_role'), current_setting('statement_timeout'), current_setting('lock_timeout'), pg_sleep(0.05));
${setting};`,
        })),
      ];
      await start(versions);
      const { failure } = await takeBack(project, { target: { kind: 'to', version: '1' }, transaction });
      expect(failure).toBeUndefined();
      const rows = await runOn(database.url, 'SELECT DISTINCT what FROM state');
      expect(rows).toEqual([{ what: 'postgres|postgres|"public", "$user", public|replica|0|300ms|' }]);
    });

    test('RESET ALL would also switch our guards off, and is refused', async () => {
      const before = await start(chain(1).map((files) => ({ ...files, down: 'RESET ALL; DROP TABLE t1;' })));
      const { failure } = await takeBack(project);
      expect(failure).toMatchObject({ code: 'transaction-ended', exitCode: 3 });
      expect(failure?.message).toContain('RESET ALL');
      expect(await snapshot(database)).toBe(before);
    });

    test('a client encoding that the script changes is refused: its text was misread', async () => {
      const before = await start([
        {
          version: '1',
          up: 'CREATE TABLE t (x text)',
          down: `SET client_encoding = 'LATIN1'; INSERT INTO t VALUES ('ü');`,
        },
      ]);
      const { failure } = await takeBack(project);
      expect(failure?.message).toContain('client_encoding');
      expect(await snapshot(database)).toBe(before);
    });
  });

  describe('waiting for locks', () => {
    test('lock_timeout is tried again after pauses, a bounded number of times, then told', async () => {
      const before = await start(chain(1));
      const holder = new pg.Client({ connectionString: database.url });
      await holder.connect();
      await holder.query('BEGIN; SELECT * FROM t1');
      try {
        const started = performance.now();
        const { failure, events } = await takeBack(project);
        const took = performance.now() - started;
        expect(failure).toMatchObject({ code: 'lock-unavailable', exitCode: 3, serverCode: '55P03' });
        expect(events.filter((event) => event.kind === 'lock-timeout').map((event) => event.attempt)).toEqual([1, 2]);
        // Three tries of 300 ms and two pauses of 100 ms.
        expect(took).toBeGreaterThan(1000);
        expect(took).toBeLessThan(5000);
      } finally {
        await holder.end();
      }
      expect(await snapshot(database)).toBe(before);
    });

    test.each(['per-version', 'single'] as const)(
      'a lock that is let go in time delays and does not stop (%s)',
      async (transaction) => {
        await start(chain(2));
        const holder = new pg.Client({ connectionString: database.url });
        await holder.connect();
        await holder.query('BEGIN; SELECT * FROM t1');
        const { result } = await takeBack(project, {
          target: { kind: 'all' },
          transaction,
          observe: (event: RunEvent) => {
            if (event.kind === 'lock-timeout') void holder.query('ROLLBACK');
          },
        });
        await holder.end();
        expect(result).toMatchObject({ outcome: 'committed', failure: undefined });
        expect(await storedVersions(database)).toEqual([]);
        expect(await recordEntries(database)).toHaveLength(2);
      },
    );

    test('whoever reads the history for long stops us in bounded time', async () => {
      const before = await start(chain(1));
      const holder = new pg.Client({ connectionString: database.url });
      await holder.connect();
      await holder.query('BEGIN; SELECT * FROM flyway_schema_history');
      const { failure, events } = await takeBack(project);
      await holder.end();
      expect(failure).toMatchObject({ code: 'lock-unavailable', exitCode: 3 });
      expect(events.filter((event) => event.kind === 'lock-timeout')).toHaveLength(2);
      expect(await snapshot(database)).toBe(before);
    });

    test("Flyway's own lock is waited for, and the holder is named when it is not let go", async () => {
      const before = await start(chain(1));
      const holder = new pg.Client({ connectionString: database.url, application_name: 'migrating' });
      await holder.connect();
      // The key of "public"."flyway_schema_history", from the facts.
      await holder.query('BEGIN; SELECT pg_advisory_xact_lock(77433833903597)');
      const { failure, events } = await takeBack(project);
      expect(failure).toMatchObject({ code: 'lock-unavailable', exitCode: 3 });
      expect(failure?.message).toContain('migrating');
      expect(events.map((event) => event.kind)).toContain('waiting-for-tool-lock');
      expect(await snapshot(database)).toBe(before);
      const second = await takeBack(project, {
        observe: (event) => {
          if (event.kind === 'waiting-for-tool-lock') void holder.query('ROLLBACK');
        },
      });
      await holder.end();
      expect(second.failure).toBeUndefined();
    });
  });

  describe('cancelling', () => {
    test.each(['per-version', 'single'] as const)(
      'stops the running statement and takes everything of it back (%s)',
      async (transaction) => {
        const versions = chain(2).map((files) =>
          files.version === '1' ? { ...files, down: 'DROP TABLE t1; SELECT pg_sleep(30);' } : files,
        );
        const before = await start(versions);
        const stop = new AbortController();
        const { result, failure } = await takeBack(project, {
          target: { kind: 'all' },
          transaction,
          signal: stop.signal,
          observe: (event) => {
            if (event.kind === 'step-started' && event.version === '1') setTimeout(() => stop.abort(), 200);
          },
        });
        expect(failure).toMatchObject({ code: 'cancelled', exitCode: 3 });
        expect(result?.outcome).toBe('cancelled');
        expect(await storedVersions(database)).toEqual(transaction === 'single' ? ['1', '2'] : ['1']);
        if (transaction === 'single') expect(await snapshot(database)).toBe(before);
        expect((await recordEntries(database)).at(-1)).toMatchObject({ outcome: 'cancelled', version: '1' });
      },
    );
  });

  describe('a lost connection', () => {
    test('in the middle of a script: rolled back by the server, and recorded over another connection', async () => {
      const before = await start([
        { version: '1', up: 'CREATE TABLE t1 (id int)', down: 'DROP TABLE t1; SELECT pg_sleep(20);' },
      ]);
      const running = takeBack(project);
      const kill = `SELECT count(pg_terminate_backend(pid))::int AS n FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep(20)%' AND pid <> pg_backend_pid()`;
      let killed = 0;
      while (killed === 0) killed = Number((await runOn(database.url, kill))[0]?.['n']);
      const { failure, result } = await running;
      expect(failure).toMatchObject({ code: 'connection-lost', exitCode: 3 });
      expect(result?.warnings).toEqual([]);
      expect(await snapshot(database)).toBe(before);
      expect((await recordEntries(database)).map((entry) => entry['outcome'])).toEqual(['failed']);
    });
  });
});
