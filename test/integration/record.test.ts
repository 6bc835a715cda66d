import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { postgresql } from '../../adapters/databases/postgresql/index.js';
import { createDatabase, forEachMajor, newestServer, runOn, type TestDatabase } from '../harness/postgres.js';
import { createProject, recordEntries, storedVersions, takeBack, type TestProject } from '../harness/project.js';

const versions = ['1', '2', '3', '4', '5'].map((version) => ({
  version,
  up: `CREATE TABLE t${version} (id int)`,
  down: `DROP TABLE t${version};`,
}));

/** Works as the owner of the table would who wants to hide something. */
const unguarded = (sql: string): string =>
  `ALTER TABLE flyback_record DISABLE TRIGGER append_only; ${sql}; ALTER TABLE flyback_record ENABLE ALWAYS TRIGGER append_only`;

forEachMajor((server) => {
  describe('the record', () => {
    let database: TestDatabase;
    let project: TestProject;

    beforeAll(async () => {
      database = await createDatabase(server.url);
      project = await createProject({ database, versions });
      await project.apply(versions);
      await takeBack(project, { mode: 'dry-run', reason: 'rehearsal' });
      await takeBack(project, { target: { kind: 'steps', steps: 4 }, reason: 'release withdrawn' });
      await project.write({ version: '1', up: 'CREATE TABLE t1 (id int)', down: 'DROP TABLE nowhere;' });
      await takeBack(project);
    });
    afterAll(async () => {
      await project.remove();
      await database.drop();
    });

    test('holds dry, committed and failed runs with who, why, which row and what ran', async () => {
      const entries = await recordEntries(database);
      expect(entries.map((entry) => [entry['version'], entry['outcome']])).toEqual([
        ['5', 'dry-run'],
        ['5', 'committed'],
        ['4', 'committed'],
        ['3', 'committed'],
        ['2', 'committed'],
        ['1', 'failed'],
      ]);
      expect(entries[1]).toMatchObject({
        reason: 'release withdrawn',
        historyRow: { rank: 5, versionText: '5', script: 'V5__step.sql', type: 'SQL', success: true },
        who: { databaseUser: database.user },
        database: { name: database.name },
        statements: [{ line: 1, sql: 'DROP TABLE t5' }],
        error: null,
      });
      expect(entries[5]).toMatchObject({ error: { code: 'script-failed' } });
      expect(new Set(entries.slice(1, 5).map((entry) => entry['run'])).size).toBe(1);
    });

    test.each([
      [`UPDATE flyback_record SET entry = '{}'`],
      ['DELETE FROM flyback_record'],
      ['TRUNCATE flyback_record'],
      [`SET session_replication_role = replica; DELETE FROM flyback_record`],
    ])('refuses %s', async (sql) => {
      await expect(runOn(database.url, sql)).rejects.toThrow('append-only');
    });

    test('is shown by log, and found whole by log --verify', async () => {
      const shown = await project.run(['log', '--limit', '2']);
      expect(shown).toMatchObject({ code: 0, stderr: '' });
      expect(shown.stdout).toMatch(/committed +2 .*\n.*failed +1 /s);
      const { stdout, code } = await project.run(['log', '--verify', '--json']);
      expect(code).toBe(0);
      const { head, entries } = JSON.parse(stdout) as { head: string; entries: number };
      expect(entries).toBe(6);
      expect(await project.run(['log', '--verify', '--expect', head])).toMatchObject({ code: 0 });
    });

    describe('tampered with', () => {
      let head: string;
      beforeEach(async () => {
        await runOn(database.url, 'CREATE TABLE kept AS SELECT * FROM flyback_record');
        head = String(
          (await runOn(database.url, 'SELECT hash FROM flyback_record ORDER BY id DESC LIMIT 1'))[0]?.['hash'],
        );
      });
      afterEach(async () => {
        await runOn(
          database.url,
          unguarded(
            'DELETE FROM flyback_record; INSERT INTO flyback_record OVERRIDING SYSTEM VALUE SELECT * FROM kept; DROP TABLE kept',
          ),
        );
        expect(await project.run(['log', '--verify'])).toMatchObject({ code: 0 });
      });

      test.each([
        [
          'an entry is changed',
          `UPDATE flyback_record SET entry = replace(entry, 'committed', 'dry-run') WHERE id = 3`,
          /Entry 3 does not match/,
        ],
        [
          'an entry is changed together with its hash',
          `UPDATE flyback_record SET entry = 'x', hash = encode(sha256((previous_hash || E'\\nx')::bytea), 'hex') WHERE id = 3`,
          /Entry 4 does not follow/,
        ],
        ['an entry in the middle is deleted', 'DELETE FROM flyback_record WHERE id = 3', /Entry 4 does not follow/],
        ['the first entry is deleted', 'DELETE FROM flyback_record WHERE id = 1', /Entry 2 does not follow/],
        [
          'an entry is inserted',
          `INSERT INTO flyback_record OVERRIDING SYSTEM VALUE SELECT 0, entry, 'a', encode(sha256(('a' || E'\\n' || entry)::bytea), 'hex') FROM flyback_record WHERE id = 2`,
          /Entry 0 does not follow/,
        ],
        [
          'two entries are swapped',
          'UPDATE flyback_record SET id = -id WHERE id IN (2, 3); UPDATE flyback_record SET id = CASE id WHEN -2 THEN 3 ELSE 2 END WHERE id < 0',
          /does not follow/,
        ],
      ])('%s: log --verify says so', async (_name, sql, words) => {
        await runOn(
          database.url,
          unguarded(
            `ALTER TABLE flyback_record ALTER id SET GENERATED BY DEFAULT; ${sql}; ALTER TABLE flyback_record ALTER id SET GENERATED ALWAYS`,
          ),
        ).catch(async (error: unknown) => {
          throw error;
        });
        const verified = await project.run(['log', '--verify']);
        expect(verified.code).toBe(1);
        expect(verified.stdout).toMatch(words);
        expect(verified.stdout).toContain('BROKEN');
      });

      test('the tail is cut off: only the hash that was kept elsewhere shows it', async () => {
        await runOn(database.url, unguarded('DELETE FROM flyback_record WHERE id > 4'));
        expect(await project.run(['log', '--verify'])).toMatchObject({ code: 0 });
        const expected = await project.run(['log', '--verify', '--expect', head]);
        expect(expected.code).toBe(1);
        expect(expected.stdout).toContain(head);
      });
    });
  });
});

// DROP TABLE leaves the function of its trigger behind.
test('a record that somebody dropped is begun anew; only the hash that was kept elsewhere tells', async () => {
  const database = await createDatabase(newestServer().url);
  const project = await createProject({ database });
  try {
    await project.apply(versions.slice(0, 2));
    const { result } = await takeBack(project);
    await runOn(database.url, 'DROP TABLE flyback_record');
    expect(await project.run(['log', '--verify'])).toMatchObject({ code: 1 });
    expect((await takeBack(project)).failure).toBeUndefined();
    expect((await recordEntries(database)).map((entry) => entry['version'])).toEqual(['1']);
    expect(await project.run(['log', '--verify'])).toMatchObject({ code: 0 });
    expect(await project.run(['log', '--verify', '--expect', result?.recordHash ?? ''])).toMatchObject({ code: 1 });
    await expect(runOn(database.url, 'DELETE FROM flyback_record')).rejects.toThrow('append-only');
  } finally {
    await project.remove();
    await database.drop();
  }
});

describe('many at once', () => {
  test('failing runs that end together leave one unbroken chain', async () => {
    const database = await createDatabase(newestServer().url);
    const project = await createProject({ database, flyback: '[run]\ntoolLockWait = "0s"\n' });
    try {
      await project.apply([{ version: '1', up: 'SELECT 1', down: 'SELECT 1/0; DROP TABLE x;' }]);
      const outcomes = await Promise.all(Array.from({ length: 8 }, async () => takeBack(project)));
      expect(outcomes.every(({ failure }) => failure !== undefined)).toBe(true);
      expect(outcomes.flatMap(({ result }) => result?.warnings ?? [])).toEqual([]);
      expect(await recordEntries(database)).toHaveLength(8);
      expect(await project.run(['log', '--verify'])).toMatchObject({ code: 0 });
      expect(await storedVersions(database)).toEqual(['1']);
    } finally {
      await project.remove();
      await database.drop();
    }
  });

  test('a run that is refused while another works does not wait for that one without end', async () => {
    const database = await createDatabase(newestServer().url);
    const project = await createProject({ database, flyback: '[run]\ntoolLockWait = "0s"\n' });
    const holder = new pg.Client({ connectionString: database.url });
    try {
      await project.apply([{ version: '1', up: 'SELECT 1', down: 'SELECT 1/0; DROP TABLE x;' }]);
      await takeBack(project);
      await holder.connect();
      await holder.query(
        'BEGIN; SELECT pg_advisory_xact_lock(77433833903597); LOCK TABLE flyback_record IN SHARE ROW EXCLUSIVE MODE',
      );
      const started = performance.now();
      const { failure, result } = await takeBack(project);
      expect(failure?.code).toBe('lock-unavailable');
      expect(result?.warnings.join()).toContain('could not be written to the record');
      expect(performance.now() - started).toBeLessThan(30_000);
    } finally {
      await holder.end();
      await project.remove();
      await database.drop();
    }
  });
});

describe('a record that another process creates at the same moment', () => {
  test.each([
    ['a rollback', {}, 'DROP TABLE t5;', 'committed'],
    ['a dry run, which writes afterwards', { mode: 'dry-run' }, 'DROP TABLE t5;', 'dry-run'],
    [
      'a rollback without a transaction',
      {},
      'CREATE INDEX CONCURRENTLY later ON t4 (id);\nDROP TABLE t5;',
      'committed',
    ],
  ] as const)('does not stop %s', async (_what, options, down, outcome) => {
    const database = await createDatabase(newestServer().url);
    const project = await createProject({ database });
    await project.apply(versions.map((files) => (files.version === '5' ? { ...files, down } : files)));
    const other = new pg.Client({ connectionString: database.url });
    await other.connect();
    await other.query(`BEGIN; ${postgresql.sql.record.create({ schema: 'public', name: 'flyback_record' })}`);
    const running = takeBack(project, options);
    const isWaiting = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
 AND query LIKE '%CREATE TABLE "public"."flyback_record"%'`;
    while ((await runOn(database.url, isWaiting)).length === 0);
    await other.query('COMMIT');
    const { result, failure } = await running;
    expect(failure).toBeUndefined();
    expect(result).toMatchObject({ outcome, warnings: [] });
    expect((await recordEntries(database)).map((entry) => entry['outcome'])).toEqual([outcome]);
    await other.end();
    await project.remove();
    await database.drop();
  });
});
