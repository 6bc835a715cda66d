import type { ChildProcess } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createDatabase, runOn, testServers, type TestDatabase } from '../harness/postgres.js';
import { finished, snapshot, type CommandResult } from '../harness/project.js';

/*
 * What every history adapter owes, whatever its tool: asked of the built command and of the real tool, on real servers.
 */

/** One migration as SQL; how the tool wants it is its fixture's business. */
export interface MigrationSql {
  readonly up: string;
  readonly down: string;
}

/** A project of one tool, with flyback beside it. Migrations are numbered from 1. */
export interface ToolProject {
  readonly folder: string;
  /** The tool's own command that applies what is pending, to its end. */
  up(): Promise<CommandResult>;
  /** The tool's own down of its newest migration; only where the fixture says that there is one. */
  down(): Promise<CommandResult>;
  /** Numbers of the migrations that the tool itself calls applied, in ascending order. */
  applied(): Promise<readonly number[]>;
  /** What flyback calls a migration. */
  version(number: number): string;
  /** Writes or replaces the rollback script of a migration. */
  writeRollback(number: number, sql: string): Promise<void>;
  /** Starts the built command in the project. */
  start(commandLine: readonly string[]): ChildProcess;
  remove(): Promise<void>;
}

export interface HistoryFixture {
  readonly name: string;
  create(database: TestDatabase, migrations: readonly MigrationSql[]): Promise<ToolProject>;
  /** Names of the tables that the tool keeps for itself. */
  readonly ownTables: readonly string[];
  /** Whether the tool has a down of its own. */
  readonly hasDown: boolean;
  /** Whether a version in the middle can go while higher ones stay. */
  readonly holes: boolean;
  /** What the tool does while flyback is at work: waits for it, or ends with a failure at once. */
  readonly meanwhile: 'waits' | 'refuses';
}

const four: readonly MigrationSql[] = [
  { up: 'CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1), (2)', down: 'DROP TABLE a' },
  { up: 'ALTER TABLE a ADD note text', down: 'ALTER TABLE a DROP COLUMN note' },
  {
    up: 'CREATE TABLE b (a int REFERENCES a); INSERT INTO b VALUES (1)',
    down: 'DROP TABLE b',
  },
  { up: 'CREATE VIEW v AS SELECT note FROM a', down: 'DROP VIEW v' },
];

interface Status {
  readonly versions: readonly { readonly version: string; readonly state: string; readonly rollback: unknown }[];
}

/** The suite, once for each server of this run. */
export function describeHistory(fixture: HistoryFixture): void {
  describe.each(testServers())('PostgreSQL $major', (server) => {
    let database: TestDatabase;
    let project: ToolProject;
    let holder: ReturnType<typeof hold> | undefined;

    beforeAll(async () => {
      database = await createDatabase(server.url);
    });
    afterAll(() => database.drop());
    beforeEach(async () => {
      await runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
      project = await fixture.create(database, four);
      const done = await project.up();
      expect(done, done.stderr).toMatchObject({ code: 0 });
      expect(await project.applied()).toEqual([1, 2, 3, 4]);
    });
    afterEach(async () => {
      await holder?.release();
      await project.remove();
    });

    const run = (...commandLine: readonly string[]): Promise<CommandResult> => finished(project.start(commandLine));
    const wentWell = async (...commandLine: readonly string[]): Promise<CommandResult> => {
      const done = await run(...commandLine);
      expect(done, `${done.stdout}\n${done.stderr}`).toMatchObject({ code: 0 });
      return done;
    };
    const tables = async (): Promise<readonly string[]> => {
      const rows = await runOn(
        database.url,
        `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname IN ('a', 'b', 'v') ORDER BY 1`,
      );
      return rows.map((row) => String(row['relname']));
    };

    /** Without what the tool notes of itself: times, ranks and batches differ from run to run. */
    const schema = async (): Promise<readonly string[]> =>
      (await snapshot(database)).split('\n').filter((line) => !fixture.ownTables.some((table) => line.includes(table)));

    test('status names each applied version with its rollback, and changes nothing', async () => {
      const before = await snapshot(database);
      const { versions } = JSON.parse((await wentWell('status', '--json')).stdout) as Status;
      expect(versions.map(({ version, state }) => `${version} ${state}`)).toEqual(
        [1, 2, 3, 4].map((number) => `${project.version(number)} applied`),
      );
      expect(versions.every(({ rollback }) => rollback !== null)).toBe(true);
      expect(await snapshot(database)).toBe(before);
    });

    test('what is taken back is pending for the tool, which applies it again', async () => {
      const before = await schema();
      await wentWell('rollback', '--to', project.version(2), '--yes', '--reason', 'test');
      expect(await project.applied()).toEqual([1, 2]);
      expect(await tables()).toEqual(['a']);
      const again = await project.up();
      expect(again, again.stderr).toMatchObject({ code: 0 });
      expect(await project.applied()).toEqual([1, 2, 3, 4]);
      expect(await schema()).toEqual(before);
    });

    test('a dry run does all of it and leaves nothing', async () => {
      const before = await snapshot(database);
      await wentWell('rollback', '--all', '--single-transaction', '--dry-run');
      expect(await snapshot(database)).toBe(before);
      expect(await project.applied()).toEqual([1, 2, 3, 4]);
    });

    test('everything can be taken back, a transaction for each version, and applied again', async () => {
      await wentWell('rollback', '--all', '--yes');
      expect(await project.applied()).toEqual([]);
      expect(await tables()).toEqual([]);
      expect(await project.up()).toMatchObject({ code: 0 });
      expect(await project.applied()).toEqual([1, 2, 3, 4]);
    });

    test('a script that fails leaves everything as it was, and so does a verification', async () => {
      const before = await snapshot(database);
      await project.writeRollback(3, 'DROP TABLE b;\nDROP TABLE no_such_table;\n');
      const failed = await run('rollback', '--to', project.version(2), '--single-transaction', '--yes');
      expect(failed, failed.stderr).toMatchObject({ code: 3 });
      expect(failed.stderr).toContain('no_such_table');
      await project.writeRollback(
        3,
        'DROP TABLE b;\n-- flyback: verify there is nothing left\nSELECT id FROM a;\n-- expect: no rows\n',
      );
      const unmet = await run('rollback', '--to', project.version(2), '--single-transaction', '--yes');
      expect(unmet, unmet.stderr).toMatchObject({ code: 1 });
      expect(await snapshot(database)).toBe(before);
      expect(await project.applied()).toEqual([1, 2, 3, 4]);
    });

    test(`a version in the middle ${fixture.holes ? 'can go, as the plan says' : 'is refused before anything happens'}`, async () => {
      const before = await snapshot(database);
      const planned = await run('plan', '--only', project.version(3));
      if (fixture.holes) {
        expect(planned.stdout).toContain('middle-version');
        await wentWell('rollback', '--only', project.version(3), '--yes');
        expect(await project.applied()).toEqual([1, 2, 4]);
      } else {
        expect(planned, planned.stderr).toMatchObject({ code: 1 });
        expect(await run('rollback', '--only', project.version(3), '--yes')).toMatchObject({ code: 1 });
        expect(await snapshot(database)).toBe(before);
      }
    });

    if (fixture.hasDown) {
      test('a plan that the tool has overtaken is refused', async () => {
        const plan = await wentWell('plan', '--json');
        await writeFile(`${project.folder}/plan.json`, plan.stdout);
        expect(await project.down()).toMatchObject({ code: 0 });
        const refused = await run('rollback', '--plan', 'plan.json', '--yes');
        expect(refused, refused.stderr).toMatchObject({ code: 1 });
        expect(await project.applied()).toEqual([1, 2, 3]);
      });

      test("the tool's own down comes to the same", async () => {
        expect(await project.down()).toMatchObject({ code: 0 });
        const own = await schema();
        expect(await project.up()).toMatchObject({ code: 0 });
        await wentWell('rollback', '--yes');
        expect(await schema()).toEqual(own);
        expect(await project.applied()).toEqual([1, 2, 3]);
      });
    }

    test(`while flyback is at work the tool ${fixture.meanwhile}, and both agree afterwards`, async () => {
      await project.writeRollback(4, 'SELECT pg_sleep(1.5);\nDROP VIEW v;\n');
      const rollback = project.start(['rollback', '--yes']);
      const ended = finished(rollback);
      await until(
        database,
        `SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(1.5)%' AND state = 'active'`,
      );
      const up = await project.up();
      if (fixture.meanwhile === 'refuses') expect(up.code).not.toBe(0);
      const done = await ended;
      expect(done, done.stderr).toMatchObject({ code: 0 });
      // A tool that waited has applied it again, or believes that nothing was to do; then its next run does.
      await project.up();
      expect(await project.applied()).toEqual([1, 2, 3, 4]);
      expect(await tables()).toEqual(['a', 'b', 'v']);
    });

    test('while the tool is at work flyback waits', async () => {
      await wentWell('rollback', '--to', project.version(3), '--yes');
      // A reader of the table keeps the tool's migration waiting in mid-work.
      holder = hold(database, 'LOCK TABLE a IN ACCESS EXCLUSIVE MODE');
      await until(
        database,
        `SELECT 1 FROM pg_locks WHERE relation = 'public.a'::regclass AND mode = 'AccessExclusiveLock' AND granted`,
      );
      const up = project.up();
      await until(database, `SELECT 1 FROM pg_locks WHERE relation = 'public.a'::regclass AND NOT granted`);
      const rollback = finished(project.start(['rollback', '--yes']));
      // A history that says that the tool is at work is refused at once.
      await Promise.race([
        rollback,
        until(
          database,
          `SELECT 1 FROM pg_stat_activity WHERE application_name = 'flyback' AND (wait_event_type = 'Lock' OR state = 'idle')`,
        ),
      ]);
      await holder.release();
      expect(await up).toMatchObject({ code: 0 });
      const done = await rollback;
      const applied = await project.applied();
      // Planned before the tool was done, it finds another history and refuses; planned after, it takes the newest back.
      if (done.code === 0)
        expect([...applied]).toSatisfy((list: readonly number[]) => list.length === 2 || list.length === 3);
      else expect(applied).toEqual([1, 2, 3, 4]);
      expect(await tables()).toEqual([
        'a',
        ...(applied.includes(3) ? ['b'] : []),
        ...(applied.includes(4) ? ['v'] : []),
      ]);
    });

    test('killed in the middle of a version, it has done the ones before and nothing of that one', async () => {
      await project.writeRollback(3, 'DROP TABLE b;\nSELECT pg_sleep(30);\n');
      const rollback = project.start(['rollback', '--to', project.version(2), '--yes']);
      const ended = finished(rollback);
      await until(
        database,
        `SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(30)%' AND state = 'active'`,
      );
      rollback.kill('SIGKILL');
      await ended;
      await runOn(
        database.url,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
      );
      await until(
        database,
        `SELECT 1 WHERE (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) = 1`,
      );
      expect(await tables()).toEqual(['a', 'b']);
      await project.writeRollback(3, 'DROP TABLE b;\n');
      await wentWell('rollback', '--yes');
      expect(await tables()).toEqual(['a']);
      expect(await project.applied()).toEqual([1, 2]);
      expect(await project.up()).toMatchObject({ code: 0 });
      expect(await project.applied()).toEqual([1, 2, 3, 4]);
    });

    test('without a transaction it is journalled, and the tool sees the version go at the end', async () => {
      await runOn(database.url, 'CREATE INDEX apart ON a (note)');
      await project.writeRollback(4, 'DROP INDEX CONCURRENTLY apart;\nDROP VIEW v;\n');
      await wentWell('rollback', '--yes');
      expect(await project.applied()).toEqual([1, 2, 3]);
      expect(await tables()).toEqual(['a', 'b']);
    });
  });
}

/** Waits until a query has a row. */
async function until(database: TestDatabase, query: string): Promise<void> {
  for (let tries = 0; tries < 400; tries += 1) {
    if ((await runOn(database.url, query)).length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`It has not come to this within 10 s: ${query}`);
}

/** A session that holds what it took until it is told, once or more. */
function hold(database: TestDatabase, sql: string): { release(): Promise<void> } {
  const opened = (async () => {
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query(`BEGIN; ${sql}`);
    return client;
  })();
  let isOpen = true;
  return {
    release: async () => {
      if (!isOpen) return;
      isOpen = false;
      const client = await opened;
      await client.query('ROLLBACK');
      await client.end();
    },
  };
}
