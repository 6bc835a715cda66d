import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { forEachFlyway, newestFlyway, startFlyway } from '../harness/flyway/flyway.js';
import { createDatabase, newestServer, runOn, testServers, type TestDatabase } from '../harness/postgres.js';
import { createProject, finished, snapshot, type TestProject, type VersionFiles } from '../harness/project.js';

/* The built command beside the real Flyway: what Flyway then says is what its facts (5, "a changed history") foretell. */

const versions: readonly VersionFiles[] = [
  { version: '1', up: 'CREATE TABLE a (id int PRIMARY KEY);\nINSERT INTO a VALUES (1);\n', down: 'DROP TABLE a;\n' },
  { version: '2', up: 'ALTER TABLE a ADD note text;\n', down: 'ALTER TABLE a DROP COLUMN note;\n' },
  {
    version: '002.1',
    up: 'CREATE TABLE b (a int REFERENCES a);\nINSERT INTO b VALUES (1);\n',
    down: 'DROP TABLE b;\n-- flyback: verify rows of a are there\nSELECT count(*) FROM a;\n-- expect: 1\n',
  },
  { version: '3', up: 'CREATE VIEW v AS SELECT note FROM a;\n', down: 'DROP VIEW v;\n' },
];

forEachFlyway('flyback beside Flyway', (major) => {
  // Where Flyway is older the server is the newest: what its own release notes could not know of.
  describe.each(major === newestFlyway ? testServers() : [newestServer()])('PostgreSQL $major', (server) => {
    let database: TestDatabase;
    let project: TestProject;

    beforeAll(async () => {
      database = await createDatabase(server.url);
    });
    afterAll(() => database.drop());

    beforeEach(async () => {
      await runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
      const flyback = '[run]\ntoolLockWait = "20s"\n';
      project = await createProject({ database, versions, flyback, flywayMajor: major });
      if (major < 10) await useConf(project);
      expect(await project.flyway().migrate()).toMatchObject({ success: true, migrationsExecuted: 4 });
      return () => project.remove();
    });

    const states = async (): Promise<readonly string[]> =>
      (await project.flyway().info()).map(({ version, state }) => `${version ?? 'R'} ${state}`);

    test('the newest versions taken back are pending; migrate applies them again, and everything is as before', async () => {
      const before = await snapshot(database);
      const done = await project.run(['rollback', '--to', '2', '--yes', '--reason', 'test']);
      expect(done, done.stderr).toMatchObject({ code: 0 });
      expect(done.stdout).toContain('Rolled back 2 versions: 3, 002.1');
      expect(await states()).toEqual(['1 Success', '2 Success', '002.1 Pending', '3 Pending']);
      expect(await project.flyway().validate()).toMatchObject({ successful: false });
      expect(await project.flyway({ ignoreMigrationPatterns: '*:pending' }).validate()).toMatchObject({
        successful: true,
      });
      expect(await project.flyway().migrate()).toMatchObject({ migrationsExecuted: 2, targetVersion: '3' });
      expect(withoutTimes(await snapshot(database))).toBe(withoutTimes(before));
    });

    test('a middle version taken back is ignored, and migrate refuses, as the plan said', async () => {
      const planned = await project.run(['plan', '--only', '2.1']);
      expect(planned.stdout).toContain('middle-version');
      expect(await project.run(['rollback', '--only', '2.1', '--yes'])).toMatchObject({ code: 0 });
      expect([...(await states())].sort()).toEqual(['002.1 Ignored', '1 Success', '2 Success', '3 Success']);
      expect(await project.flyway().validate()).toMatchObject({ successful: false });
      await expect(project.flyway().migrate()).rejects.toThrow(/not applied|ignored/i);
      const again = await project.flyway({ outOfOrder: 'true' }).migrate();
      expect(again).toMatchObject({ migrationsExecuted: 1 });
      expect(await states()).toContain('002.1 Out of Order');
    });

    test('--all --single-transaction empties the history; --dry-run before it changes nothing', async () => {
      const before = await snapshot(database);
      const dry = await project.run(['rollback', '--all', '--single-transaction', '--dry-run']);
      expect(dry, dry.stderr).toMatchObject({ code: 0 });
      expect(dry.stdout).toContain('nothing was changed');
      expect(await snapshot(database)).toBe(before);
      expect(await project.run(['rollback', '--all', '--single-transaction', '--yes'])).toMatchObject({ code: 0 });
      expect(await states()).toEqual(['1 Pending', '2 Pending', '002.1 Pending', '3 Pending']);
      expect(await project.flyway().migrate()).toMatchObject({ migrationsExecuted: 4 });
    });

    test('a baseline is the floor', async () => {
      await runOn(
        database.url,
        `DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE a (id int PRIMARY KEY, note text); INSERT INTO a VALUES (1)`,
      );
      await project.flyway({ baselineVersion: '2' }).baseline();
      await project.flyway().migrate();
      const below = await project.run(['rollback', '--to', '1', '--yes']);
      expect(below.code).toBe(1);
      expect(below.stderr).toContain('below the baseline 2');
      const only = await project.run(['rollback', '--only', '2', '--yes']);
      expect(only.code).toBe(1);
      expect(only.stderr).toContain('covered by the baseline 2');
      expect(await project.run(['rollback', '--all', '--yes'])).toMatchObject({ code: 0 });
      expect(await states()).toEqual([
        '1 Below Baseline',
        '2 Ignored (Baseline)',
        '2 Baseline',
        '002.1 Pending',
        '3 Pending',
      ]);
    });

    test('out of order: what was applied last goes first, and what stays although it came later is named', async () => {
      await project.write({ version: '2.5', up: 'CREATE TABLE late (id int);\n', down: 'DROP TABLE late;\n' });
      await project.flyway({ outOfOrder: 'true' }).migrate();
      const planned = await project.run(['plan', '--steps', '1']);
      expect(planned.code).toBe(0);
      expect(planned.stdout).toContain('Version 2.5 stays although it was applied after a version that goes');
      const { stdout } = await project.run(['rollback', '--to', '2.1', '--yes', '--json']);
      const { steps } = JSON.parse(stdout) as { steps: readonly { version: string }[] };
      expect(steps.map((step) => step.version)).toEqual(['2.5', '3']);
    });

    test('repeatables that ran after what goes are listed', async () => {
      await writeFile(
        path.join(project.folder, 'migrations', 'R__report.sql'),
        'CREATE OR REPLACE VIEW r AS SELECT 1 AS one;\n',
      );
      await project.flyway().migrate();
      const planned = await project.run(['plan']);
      expect(planned.stdout).toMatch(/repeatables .*: report/);
      expect(await project.run(['rollback', '--yes'])).toMatchObject({ code: 0 });
      expect(await states()).toContain('R Success');
    });

    test('migrate waits while we hold the lock, and applies again what was taken back', async () => {
      await project.write({ version: '3', up: versions[3]?.up ?? '', down: 'DROP VIEW v; SELECT pg_sleep(3);\n' });
      const running = project.start(['rollback', '--yes']);
      const ended = finished(running);
      await waitFor(database, `query LIKE '%pg_sleep(3)%'`);
      const started = performance.now();
      const migrated = await project.flyway().migrate();
      expect(performance.now() - started).toBeGreaterThan(1000);
      expect(await ended).toMatchObject({ code: 0 });
      expect(migrated).toMatchObject({ success: true, migrationsExecuted: 1, targetVersion: '3' });
      expect(await states()).toEqual(['1 Success', '2 Success', '002.1 Success', '3 Success']);
    });

    test('we wait while migrate works, and refuse because the history is no longer what was planned against', async () => {
      await project.write({ version: '4', up: 'SELECT pg_sleep(3);\n', down: 'SELECT pg_sleep(0); DROP TABLE x;\n' });
      const other = startFlyway(major);
      const migrating = other.open({ database, locations: [path.join(project.folder, 'migrations')] }).migrate();
      await waitFor(database, `query LIKE '%pg_sleep(3)%'`);
      const done = await project.run(['rollback', '--yes']);
      expect(await migrating).toMatchObject({ success: true, migrationsExecuted: 1 });
      other.kill();
      expect(done.code).toBe(3);
      expect(done.stderr).toContain('waiting for the lock of the migration tool');
      expect(done.stderr).toMatch(/history-changed: .*rank 5 \(version 4\) is new/);
      expect(await states()).toEqual(['1 Success', '2 Success', '002.1 Success', '3 Success', '4 Success']);
    });

    if (major !== newestFlyway) return;

    describe('a stored plan', () => {
      let file: string;
      const store = async (flags: readonly string[] = ['--steps', '2'], environment = {}): Promise<void> => {
        file = path.join(project.folder, 'plan.json');
        const planned = await project.run(['plan', '--json', ...flags], environment);
        expect(planned, planned.stderr).toMatchObject({ code: 0 });
        await writeFile(file, planned.stdout);
      };

      test('runs when nothing has changed, also after rows and statistics have', async () => {
        await store();
        await runOn(database.url, 'INSERT INTO a SELECT generate_series(2, 500); ANALYZE; DELETE FROM a WHERE id > 1');
        const done = await project.run(['rollback', '--plan', file, '--yes', '--json']);
        expect(done, done.stderr).toMatchObject({ code: 0 });
        const { planHash } = JSON.parse(done.stdout) as { planHash: string };
        expect(planHash).toBe((JSON.parse(await readFile(file, 'utf8')) as { hash: string }).hash);
        const [row] = await runOn(database.url, `SELECT entry::jsonb->>'planHash' AS hash FROM flyback_record LIMIT 1`);
        expect(row?.['hash']).toBe(planHash);
      });

      test.each<[string, () => Promise<unknown>, RegExp]>([
        [
          'the script',
          async () => project.write({ ...(versions[3] as VersionFiles), down: 'DROP VIEW IF EXISTS v;\n' }),
          /R3__step\.sql\) was changed/,
        ],
        [
          'the history',
          async () =>
            runOn(database.url, 'UPDATE flyway_schema_history SET execution_time = 77 WHERE installed_rank = 1'),
          /history table changed/,
        ],
        [
          'the files of the migrations',
          async () => project.write({ version: '4', up: 'SELECT 1;\n' }),
          /migration files changed/,
        ],
        [
          'what CASCADE sweeps',
          async () => runOn(database.url, 'CREATE VIEW w AS SELECT * FROM v'),
          /would now remove other objects/,
        ],
        [
          'a placeholder',
          async () => writeFile(path.join(project.folder, 'flyway.user.toml'), '[flyway.placeholders]\nname = "w"\n'),
          /laceholder/,
        ],
      ])('is refused when %s changed', async (_name, change, words) => {
        await project.write({ version: '3', up: versions[3]?.up ?? '', down: 'DROP VIEW v CASCADE; -- ${name}\n' });
        await writeFile(path.join(project.folder, 'flyway.user.toml'), '[flyway.placeholders]\nname = "v"\n');
        await store(['--steps', '1']);
        await change();
        const before = await snapshot(database);
        const { code, stderr } = await project.run(['rollback', '--plan', file, '--yes']);
        expect(code).toBe(1);
        expect(stderr).toContain('plan-outdated');
        expect(stderr).toMatch(words);
        expect(await snapshot(database)).toBe(before);
      });

      test('is refused when it was edited by hand', async () => {
        await store();
        const text = await readFile(file, 'utf8');
        const before = await snapshot(database);
        for (const [from, to] of [
          ['DROP TABLE b', 'DROP TABLE a'],
          ['"transaction": "per-version"', '"transaction": "single"'],
          ['"version": "3"', '"version": "2"'],
        ] as const) {
          expect(text).toContain(from);
          await writeFile(file, text.replace(from, to));
          const { code, stderr } = await project.run(['rollback', '--plan', file, '--yes']);
          expect(code).toBe(2);
          expect(stderr).toContain('plan-invalid');
        }
        await writeFile(file, 'null');
        expect(await project.run(['rollback', '--plan', file, '--yes'])).toMatchObject({ code: 2 });
        expect(await snapshot(database)).toBe(before);
      });
    });

    test('verify repeats the queries of the newest run, and fails when they no longer hold', async () => {
      await project.run(['rollback', '--to', '2', '--yes']);
      const first = await project.run(['verify']);
      expect(first, first.stderr).toMatchObject({ code: 0 });
      expect(first.stdout).toMatch(/ok +002\.1 +rows of a are there: expected 1, got 1/);
      await runOn(database.url, 'INSERT INTO a VALUES (2)');
      const second = await project.run(['verify', '2.1']);
      expect(second.code).toBe(1);
      expect(second.stdout).toContain('NOT OK');
    });
  });
});

/** Flyway reads TOML since version 10; before, a project says the same in flyway.conf. */
async function useConf({ folder, database: { jdbcUrl, user, password } }: TestProject): Promise<void> {
  await rm(path.join(folder, 'flyway.toml'));
  const settings = { url: jdbcUrl, user, password, locations: 'filesystem:migrations' };
  const lines = Object.entries(settings).map(([key, value]) => `flyway.${key}=${value}`);
  await writeFile(path.join(folder, 'flyway.conf'), `${lines.join('\n')}\n`);
}

/** Until some session of the database fits the condition on pg_stat_activity. */
async function waitFor(database: TestDatabase, condition: string): Promise<void> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    for (;;) {
      const { rowCount } = await client.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active' AND ${condition}`,
      );
      if (rowCount !== 0) return;
    }
  } finally {
    await client.end();
  }
}

/** Flyway notes when and how long; everything else must come back. */
function withoutTimes(text: string): string {
  return text.replaceAll(/"(?:installed_on|execution_time)": [^,}]*/g, '');
}
