import type { ChildProcess } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { TestDatabase } from '../harness/postgres.js';
import { finished, type CommandResult } from '../harness/project.js';
import { mysqlGrounds, postgresqlGrounds, until, type Holder, type MigrationSql } from './grounds.js';

/*
 * What every history adapter owes, whatever its tool and its database: asked of the built command and of the real tool, on
 * real servers.
 */

export type { MigrationSql } from './grounds.js';

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
  /** What the tool does while flyback is at work on PostgreSQL: waits for it, or ends with a failure at once. */
  readonly meanwhile: 'waits' | 'refuses';
  /** The same on MySQL, and when a rollback was left half-way: it may also take no notice. */
  readonly onMysql: {
    readonly meanwhile: 'waits' | 'refuses' | 'takes no notice';
    readonly halfWay: 'refuses' | 'takes no notice';
  };
}

interface Status {
  readonly versions: readonly { readonly version: string; readonly state: string; readonly rollback: unknown }[];
}

/**
 * The suite, on MariaDB and MySQL and on the newest PostgreSQL; with `everyMajor` on each major of this run: what the adapters
 * have in common with a server is the database adapter's, so one of them stands for the others.
 */
export function describeHistory(fixture: HistoryFixture, { everyMajor = false } = {}): void {
  const postgresql = postgresqlGrounds();
  describe.each([...(everyMajor ? postgresql : postgresql.slice(-1)), ...mysqlGrounds()])('$name', (ground) => {
    let database: TestDatabase;
    let project: ToolProject;
    let holder: Holder | undefined;

    beforeAll(async () => {
      database = await ground.createDatabase();
    });
    afterAll(() => database.drop());
    beforeEach(async () => {
      await ground.empty(database);
      project = await fixture.create(database, ground.migrations);
      const done = await project.up();
      expect(done, done.stderr).toMatchObject({ code: 0 });
      expect(await project.applied()).toEqual([1, 2, 3, 4]);
    });
    afterEach(async () => {
      await holder?.release();
      await project.remove();
    });

    const commits = ground.ddl === 'commits';
    const meanwhile = commits ? fixture.onMysql.meanwhile : fixture.meanwhile;
    const becomes = (sql: string): Promise<void> => until((text) => ground.query(database, text), sql);
    const tables = (): Promise<readonly string[]> => ground.tables(database);
    const snapshot = (): Promise<string> => ground.snapshot(database);
    const run = (...commandLine: readonly string[]): Promise<CommandResult> => finished(project.start(commandLine));
    const wentWell = async (...commandLine: readonly string[]): Promise<CommandResult> => {
      const done = await run(...commandLine);
      expect(done, `${done.stdout}\n${done.stderr}`).toMatchObject({ code: 0 });
      return done;
    };
    /** Scripts without a statement that commits; what they come to is no matter. */
    const writeDataOnly = async (): Promise<void> => {
      const scripts = [
        'DELETE FROM a WHERE id > 99',
        'UPDATE a SET note = NULL',
        'DELETE FROM b',
        'UPDATE a SET note = 1',
      ];
      for (const [index, sql] of scripts.entries()) await project.writeRollback(index + 1, `${sql};\n`);
    };

    /** Without what the tool notes of itself: times, ranks and batches differ from run to run. */
    const schema = async (): Promise<readonly string[]> =>
      (await snapshot()).split('\n').filter((line) => !fixture.ownTables.some((table) => line.includes(table)));

    test('status names each applied version with its rollback, and changes nothing', async () => {
      const before = await snapshot();
      const { versions } = JSON.parse((await wentWell('status', '--json')).stdout) as Status;
      expect(versions.map(({ version, state }) => `${version} ${state}`)).toEqual(
        [1, 2, 3, 4].map((number) => `${project.version(number)} applied`),
      );
      expect(versions.every(({ rollback }) => rollback !== null)).toBe(true);
      expect(await snapshot()).toBe(before);
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
      if (commits) await writeDataOnly();
      const before = await snapshot();
      const done = await wentWell('rollback', '--all', '--single-transaction', '--dry-run');
      expect(done.stdout + done.stderr).toContain(project.version(1));
      expect(await snapshot()).toBe(before);
      expect(await project.applied()).toEqual([1, 2, 3, 4]);
    });

    if (commits) {
      test('what commits by itself has no dry run', async () => {
        const before = await snapshot();
        const refused = await run('rollback', '--all', '--dry-run');
        expect(refused, refused.stderr).toMatchObject({ code: 1 });
        expect(await snapshot()).toBe(before);
      });
    }

    test('everything can be taken back, a transaction for each version, and applied again', async () => {
      await wentWell('rollback', '--all', '--yes');
      expect(await project.applied()).toEqual([]);
      expect(await tables()).toEqual([]);
      expect(await project.up()).toMatchObject({ code: 0 });
      expect(await project.applied()).toEqual([1, 2, 3, 4]);
    });

    test('a script that fails leaves everything as it was, and so does a verification', async () => {
      if (commits) await writeDataOnly();
      const first = commits ? 'DELETE FROM b' : 'DROP TABLE b';
      const before = await snapshot();
      await project.writeRollback(3, `${first};\nDELETE FROM no_such_table;\n`);
      const failed = await run('rollback', '--to', project.version(2), '--single-transaction', '--yes');
      expect(failed, failed.stderr).toMatchObject({ code: 3 });
      expect(failed.stderr).toContain('no_such_table');
      await project.writeRollback(
        3,
        `${first};\n-- flyback: verify there is nothing left\nSELECT id FROM a;\n-- expect: no rows\n`,
      );
      const unmet = await run('rollback', '--to', project.version(2), '--single-transaction', '--yes');
      expect(unmet, unmet.stderr).toMatchObject({ code: 1 });
      expect(await snapshot()).toBe(before);
      expect(await project.applied()).toEqual([1, 2, 3, 4]);
    });

    test(`a version in the middle ${fixture.holes ? 'can go, as the plan says' : 'is refused before anything happens'}`, async () => {
      const before = await snapshot();
      const planned = await run('plan', '--only', project.version(3));
      if (fixture.holes) {
        expect(planned.stdout).toContain('middle-version');
        await wentWell('rollback', '--only', project.version(3), '--yes');
        expect(await project.applied()).toEqual([1, 2, 4]);
      } else {
        expect(planned, planned.stderr).toMatchObject({ code: 1 });
        expect(await run('rollback', '--only', project.version(3), '--yes')).toMatchObject({ code: 1 });
        expect(await snapshot()).toBe(before);
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

    test(`while flyback is at work the tool ${meanwhile}, and both agree afterwards`, async () => {
      const sleep = ground.sleep(1.5);
      await project.writeRollback(4, `${sleep.statement};\nDROP VIEW v;\n`);
      const rollback = project.start(['rollback', '--yes']);
      const ended = finished(rollback);
      await becomes(sleep.runs);
      const up = await project.up();
      if (meanwhile === 'refuses') expect(up.code).not.toBe(0);
      else expect(up, up.stderr).toMatchObject({ code: 0 });
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
      holder = await ground.holdTable(database);
      const up = project.up();
      await becomes(ground.waitsForTable);
      const flybackWaits = await ground.flybackWaits(database);
      const rollback = finished(project.start(['rollback', '--yes']));
      // A history that says that the tool is at work is refused at once.
      await Promise.race([rollback, becomes(flybackWaits)]);
      await holder.release();
      expect(await up).toMatchObject({ code: 0 });
      const done = await rollback;
      // A tool without a lock may write its row while flyback is between two statements; then resume has the last word.
      if (done.code === 4 && commits && meanwhile === 'takes no notice') await wentWell('resume', '--yes');
      const applied = await project.applied();
      // Planned before the tool was done, it finds another history and refuses; planned after, it takes the newest back.
      if (done.code === 0 || done.code === 4)
        expect([...applied]).toSatisfy((list: readonly number[]) => list.length === 2 || list.length === 3);
      else expect(applied).toEqual([1, 2, 3, 4]);
      expect(await tables()).toEqual([
        'a',
        ...(applied.includes(3) ? ['b'] : []),
        ...(applied.includes(4) ? ['v'] : []),
      ]);
    });

    /** Kills flyback in the middle of version 3, and what it left on the server. */
    const killedIn = async (sql: string): Promise<void> => {
      const sleep = ground.sleep(30);
      await project.writeRollback(3, `${sql};\n${sleep.statement};\n`);
      const rollback = project.start(['rollback', '--to', project.version(2), '--yes']);
      const ended = finished(rollback);
      await becomes(sleep.runs);
      rollback.kill('SIGKILL');
      await ended;
      await ground.endSessions(database);
    };

    test('killed in the middle of a version, it has done the ones before and nothing of that one', async () => {
      await killedIn(commits ? 'DELETE FROM b' : 'DROP TABLE b');
      expect(await tables()).toEqual(['a', 'b']);
      expect(await ground.query(database, 'SELECT a FROM b')).toHaveLength(1);
      await project.writeRollback(3, 'DROP TABLE b;\n');
      await wentWell('rollback', '--yes');
      expect(await tables()).toEqual(['a']);
      expect(await project.applied()).toEqual([1, 2]);
      expect(await project.up()).toMatchObject({ code: 0 });
      expect(await project.applied()).toEqual([1, 2, 3, 4]);
    });

    if (commits) {
      test(`killed between statements, the tool ${fixture.onMysql.halfWay}, and resume finishes`, async () => {
        await killedIn('DROP TABLE b');
        expect(await tables()).toEqual(['a']);
        const up = await project.up();
        if (fixture.onMysql.halfWay === 'refuses') expect(up.code).not.toBe(0);
        else expect(up, up.stderr).toMatchObject({ code: 0 });
        expect(await run('rollback', '--yes')).toMatchObject({ code: 4 });
        await project.writeRollback(3, 'DROP TABLE b;\n');
        await wentWell('resume', '--changed-script', '--yes');
        expect(await tables()).toEqual(fixture.onMysql.halfWay === 'refuses' ? ['a'] : ['a', 'v']);
        expect(await project.up()).toMatchObject({ code: 0 });
        expect(await project.applied()).toEqual([1, 2, 3, 4]);
        expect(await tables()).toEqual(['a', 'b', 'v']);
      });

      test('a script with data alone is one transaction, and the tool sees the version go', async () => {
        await writeDataOnly();
        await wentWell('rollback', '--to', project.version(2), '--yes');
        expect(await project.applied()).toEqual([1, 2]);
        expect(await ground.query(database, 'SELECT a FROM b')).toEqual([]);
      });
    } else {
      test('without a transaction it is journalled, and the tool sees the version go at the end', async () => {
        await ground.query(database, 'CREATE INDEX apart ON a (note)');
        await project.writeRollback(4, 'DROP INDEX CONCURRENTLY apart;\nDROP VIEW v;\n');
        await wentWell('rollback', '--yes');
        expect(await project.applied()).toEqual([1, 2, 3]);
        expect(await tables()).toEqual(['a', 'b']);
      });
    }
  });
}
