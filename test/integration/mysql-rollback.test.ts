import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { connect, withProject } from '../../src/compose/open-project.js';
import { createDatabase, forEachMysql, type MysqlDatabase, runOn } from '../harness/mysql.js';
import {
  createMysqlProject,
  emptyDatabase,
  mysqlHistory,
  mysqlRecord,
  mysqlSnapshot,
} from '../harness/mysql-project.js';
import { carryOn, takeBack, type TestProject, type VersionFiles } from '../harness/project.js';

/* Rollbacks on MySQL and MariaDB: DML in one transaction, DDL statement by statement. */

const first: VersionFiles = {
  version: '1',
  up: "CREATE TABLE orders (id INT PRIMARY KEY, note VARCHAR(20), runs INT DEFAULT 0); INSERT INTO orders VALUES (1, 'a', 0), (2, 'b', 0)",
  down: 'DROP TABLE orders;',
};
const withDdl: VersionFiles = {
  version: '2',
  up: "ALTER TABLE orders ADD COLUMN state VARCHAR(9) DEFAULT 'new'; CREATE TABLE positions (id INT PRIMARY KEY, order_id INT, FOREIGN KEY (order_id) REFERENCES orders (id))",
  down: `UPDATE orders SET runs = runs + 1;
DROP TABLE positions;
ALTER TABLE orders DROP COLUMN state;
-- flyback: verify column is gone
SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'orders';
-- expect: 3
`,
};
const withDml: VersionFiles = {
  version: '2',
  up: "UPDATE orders SET note = UPPER(note); INSERT INTO orders (id, note, runs) VALUES (3, 'C', 0)",
  down: `DELETE FROM orders WHERE id = 3;
UPDATE orders SET note = LOWER(note);
-- flyback: verify two are left
SELECT COUNT(*) FROM orders;
-- expect: 2
`,
};

forEachMysql('a rollback', (server) => {
  let database: MysqlDatabase;
  let project: TestProject;
  let before = '';

  beforeAll(async () => {
    database = await createDatabase(server);
    project = await createMysqlProject({
      database,
      flyback: '[run]\nlockTimeout = "1s"\nlockRetries = 1\nlockRetryPause = "100ms"\ntoolLockWait = "1s"\n',
    });
  });
  afterAll(async () => {
    await project.remove();
    await database.drop();
  });
  beforeEach(async () => {
    await emptyDatabase(database);
    await project.apply([first]);
    before = await mysqlSnapshot(database);
  });

  async function events(): Promise<readonly string[]> {
    const rows = await runOn(database.url, 'SELECT entry FROM flyback_record_journal ORDER BY id');
    return rows.map((row) => (JSON.parse(String(row['entry'])) as { event: string }).event);
  }

  async function notesTaken(): Promise<number> {
    const [row] = await runOn(database.url, 'SELECT runs FROM orders WHERE id = 1');
    return Number(row?.['runs']);
  }

  describe.each(['CHAIN', 'RELEASE'])(
    'where sessions end a transaction with %s unless told otherwise',
    (completion) => {
      const flags = { url: '' };
      beforeAll(() => {
        flags.url = `${database.jdbcUrl}?sessionVariables=completion_type='${completion}'`;
      });

      test.each([
        ['DML', withDml],
        ['DDL', withDdl],
      ])('one with %s, and the one below it', async (_title, second) => {
        await project.apply([second]);
        const { failure, result } = await takeBack(project, { flags, target: { kind: 'steps', steps: 2 } });
        expect(failure).toBeUndefined();
        expect(result).toMatchObject({ outcome: 'committed', warnings: [] });
        expect(await mysqlHistory(database)).toEqual([]);
        expect((await mysqlRecord(database)).map(({ version, outcome }) => [version, outcome])).toEqual([
          ['2', 'committed'],
          ['1', 'committed'],
        ]);
      });

      test('one that fails', async () => {
        await project.apply([{ ...withDml, down: (withDml.down ?? '').replace('-- expect: 2', '-- expect: 7') }]);
        const applied = await mysqlSnapshot(database);
        expect((await takeBack(project, { flags })).failure).toMatchObject({ code: 'verification-failed' });
        expect(await mysqlSnapshot(database)).toBe(applied);
        expect((await mysqlRecord(database)).map(({ outcome }) => outcome)).toEqual(['failed']);
      });
    },
  );

  describe('of tables that keep no transactions', () => {
    const kept: VersionFiles = {
      version: '2',
      up: 'CREATE TABLE log (id INT) ENGINE = MyISAM; INSERT INTO log VALUES (1), (2)',
      down: 'DELETE FROM orders;\nDELETE FROM log WHERE id = 2;\n',
    };

    test.each([
      ['in a transaction', kept],
      ['in one statement of several without', { ...kept, down: `-- flyback: transaction off\n${kept.down ?? ''}` }],
    ])('is refused before anything ran: rows written %s', async (_title, version) => {
      await project.apply([version]);
      const applied = await mysqlSnapshot(database);
      const { failure, plan } = await takeBack(project);
      expect(plan).toBeUndefined();
      expect(failure).toMatchObject({
        code: 'plan-refused',
        hint: expect.stringContaining('ALTER TABLE log ENGINE') as unknown,
      });
      expect(failure?.message).toMatch(/log \(MyISAM; version 2, line [23]\)/);
      expect(failure?.message).not.toContain('orders');
      expect(await mysqlSnapshot(database)).toBe(applied);
    });

    test('goes through when they are dropped, or keep them by then', async () => {
      await project.apply([{ ...kept, down: 'DROP TABLE log;\n' }]);
      expect((await takeBack(project)).result).toMatchObject({ outcome: 'committed' });
      expect(await mysqlSnapshot(database)).toBe(before);
      await project.apply([kept]);
      await runOn(database.url, 'ALTER TABLE log ENGINE = InnoDB');
      expect((await takeBack(project)).result).toMatchObject({ outcome: 'committed' });
    });

    test('is refused where the history is one', async () => {
      await project.apply([withDml]);
      await runOn(database.url, 'ALTER TABLE flyway_schema_history ENGINE = MyISAM');
      const { failure } = await takeBack(project);
      expect(failure).toMatchObject({ code: 'plan-refused' });
      expect(failure?.message).toContain('flyway_schema_history (MyISAM, the history)');
    });
  });

  test('is not rehearsed where it moves a sequence, which nothing takes back', async () => {
    await project.apply([{ ...withDml, down: `SELECT SETVAL(numbers, 7);\n${withDml.down ?? ''}` }]);
    const { failure, plan } = await takeBack(project, { mode: 'dry-run' });
    expect(plan).toBeUndefined();
    expect(failure).toMatchObject({
      code: 'plan-refused',
      message: expect.stringContaining('line 1: setval') as unknown,
      hint: expect.stringContaining('on a copy of the database') as unknown,
    });
  });

  test('reads the whole history where sessions are given the first rows only', async () => {
    await project.apply([withDml]);
    const { result } = await takeBack(project, {
      flags: { url: `${database.jdbcUrl}?sessionVariables=sql_select_limit=1` },
    });
    expect(result?.steps.map(({ version, outcome }) => [version, outcome])).toEqual([['2', 'committed']]);
    expect(await mysqlSnapshot(database)).toBe(before);
  });

  describe('of DML alone', () => {
    test('is one transaction with its history row, its record and its verification', async () => {
      await project.apply([withDml]);
      const { plan, failure, result } = await takeBack(project);
      expect(failure).toBeUndefined();
      expect(plan?.steps[0]?.transaction).toBe('on');
      expect(plan?.triggers.mode).toBe('keep');
      expect(result?.outcome).toBe('committed');
      expect(await mysqlSnapshot(database)).toBe(before);
      expect((await mysqlRecord(database)).map(({ version, outcome }) => [version, outcome])).toEqual([
        ['2', 'committed'],
      ]);
    });

    test.each([
      ['a verification that fails', '-- expect: 2', '-- expect: 7', 'verification-failed'],
      ['a statement that fails', 'LOWER(note)', 'LOWER(nothing)', 'script-failed'],
      [
        'a script that writes to the history',
        'UPDATE orders',
        // Put together while it runs: reading the script cannot see it.
        "SET @t = CONCAT('DELETE FROM flyway_', 'schema_history WHERE installed_rank = 1'); PREPARE p FROM @t; EXECUTE p;\nUPDATE orders",
        'script-failed',
      ],
    ])('%s leaves everything as it was', async (_title, from, to, code) => {
      await project.apply([{ ...withDml, down: (withDml.down ?? '').replace(from, to) }]);
      const applied = await mysqlSnapshot(database);
      const { failure, result } = await takeBack(project);
      expect(failure?.code).toBe(code);
      expect(result?.outcome).toBe('failed');
      expect(await mysqlSnapshot(database)).toBe(applied);
      expect((await mysqlRecord(database)).map(({ outcome }) => outcome)).toEqual(['failed']);
    });

    test('is rehearsed by a dry run, which leaves nothing but its entry', async () => {
      await project.apply([withDml]);
      const applied = await mysqlSnapshot(database);
      const { result, failure } = await takeBack(project, { mode: 'dry-run' });
      expect(failure).toBeUndefined();
      expect(result?.outcome).toBe('dry-run');
      expect(await mysqlSnapshot(database)).toBe(applied);
    });

    test('of many versions: a transaction for each, or one for all', async () => {
      const more = ['3', '4', '5'].map((version): VersionFiles => ({
        version,
        up: `INSERT INTO orders VALUES (${version}0, 'n', 0)`,
        down: `DELETE FROM orders WHERE id = ${version}0;`,
      }));
      for (const transaction of ['per-version', 'single'] as const) {
        await emptyDatabase(database);
        await project.apply([first, withDml, ...more]);
        const { failure } = await takeBack(project, { target: { kind: 'steps', steps: 4 }, transaction });
        expect(failure).toBeUndefined();
        expect(await mysqlSnapshot(database)).toBe(before);
        expect(await mysqlRecord(database)).toHaveLength(4);
      }
    });

    test('lets the tool lock go when it has ended, however it ended', async () => {
      await project.apply([withDml]);
      await takeBack(project, { mode: 'dry-run' });
      await takeBack(project);
      await withProject({ folder: project.folder, environment: {} }, async ({ toolbox, table }, config) => {
        const session = await connect(config);
        const lock = toolbox.history.toolLock(toolbox.database, table, session.facts);
        expect((await session.query(toolbox.database.sql.tryToolLock(lock)))[0]?.rows).toEqual([['t']]);
        await session.close();
      });
    });
  });

  describe('with DDL', () => {
    test('runs statement by statement, journalled, without being asked to', async () => {
      await project.apply([withDdl]);
      const { plan, result, failure } = await takeBack(project);
      expect(failure).toBeUndefined();
      expect(plan?.steps[0]?.transaction).toBe('off');
      expect(plan?.steps[0]?.statements.map(({ alone }) => alone === null)).toEqual([true, false, false]);
      expect(result?.outcome).toBe('committed');
      expect(await notesTaken()).toBe(1);
      await runOn(database.url, 'UPDATE orders SET runs = 0');
      expect(await mysqlSnapshot(database)).toBe(before);
      expect(await events()).toEqual([]);
      expect((await mysqlRecord(database)).map(({ outcome, transaction }) => [outcome, transaction])).toEqual([
        ['committed', 'none'],
      ]);
    });

    test('that fails half-way is marked as failed, and carried on when what stopped it is gone', async () => {
      await project.apply([
        { ...withDdl, down: (withDdl.down ?? '').replace('ALTER TABLE', 'INSERT INTO ready VALUES (1);\nALTER TABLE') },
      ]);
      const { result, failure } = await takeBack(project);
      expect(failure?.code).toBe('run-interrupted');
      expect(result?.outcome).toBe('interrupted');
      expect(await mysqlHistory(database)).toEqual([
        ['1', true],
        ['2', false],
      ]);
      expect((await takeBack(project)).failure?.code).toBe('resume-needed');
      await runOn(database.url, 'CREATE TABLE ready (i INT)');
      const resumed = await carryOn(project);
      expect(resumed.failure).toBeUndefined();
      expect(resumed.result?.outcome).toBe('committed');
      expect(await notesTaken()).toBe(1);
      await runOn(database.url, 'DROP TABLE ready; UPDATE orders SET runs = 0');
      expect(await mysqlSnapshot(database)).toBe(before);
      expect(await events()).toEqual([]);
    });

    test('whose first statement fails leaves no trace but its entry', async () => {
      await project.apply([{ ...withDdl, down: 'DROP TABLE nowhere;\nDROP TABLE positions;' }]);
      const applied = await mysqlSnapshot(database);
      const { failure, result } = await takeBack(project);
      expect(failure?.code).toBe('script-failed');
      expect(result?.outcome).toBe('failed');
      expect(await mysqlSnapshot(database)).toBe(applied);
      expect(await events()).toEqual([]);
    });

    test('cannot be rehearsed here, nor share a transaction', async () => {
      await project.apply([withDdl]);
      for (const options of [{ mode: 'dry-run' }, { transaction: 'single' }] as const) {
        const { failure } = await takeBack(project, options);
        expect(failure?.code).toBe('plan-refused');
      }
    });

    test('in a row with one of DML alone: each as it can', async () => {
      await project.apply([withDdl, { ...withDml, version: '3' }]);
      const { failure, result } = await takeBack(project, { target: { kind: 'steps', steps: 2 } });
      expect(failure).toBeUndefined();
      expect(result?.steps.map(({ version, outcome }) => [version, outcome])).toEqual([
        ['3', 'committed'],
        ['2', 'committed'],
      ]);
      await runOn(database.url, 'UPDATE orders SET runs = 0');
      expect(await mysqlSnapshot(database)).toBe(before);
    });
  });

  describe('foreign keys', () => {
    const third: VersionFiles = {
      version: '3',
      up: 'CREATE TABLE paid (id INT PRIMARY KEY, CONSTRAINT paid_order FOREIGN KEY (id) REFERENCES orders (id)); INSERT INTO paid VALUES (1)',
      down: 'DELETE FROM orders WHERE id = 1;',
    };

    test('hold a script up as usual', async () => {
      await project.apply([third]);
      expect((await takeBack(project)).failure?.message).toContain('foreign key');
    });

    test('switched off by replica or by the script are checked before the commit', async () => {
      await project.apply([third]);
      const applied = await mysqlSnapshot(database);
      expect((await takeBack(project, { triggers: 'replica' })).failure?.code).toBe('integrity-violated');
      await project.write({ ...third, down: `SET foreign_key_checks = 0;\n${third.down ?? ''}` });
      expect((await takeBack(project)).failure?.code).toBe('integrity-violated');
      expect(await mysqlSnapshot(database)).toBe(applied);
      await project.write({ ...third, down: 'DELETE FROM orders WHERE id = 1;\nDELETE FROM paid;' });
      expect((await takeBack(project, { triggers: 'replica' })).failure).toBeUndefined();
    });

    test('switched off around DDL are checked when all has run, and the version is not finished before they hold', async () => {
      await project.apply([{ ...third, down: 'SET foreign_key_checks = 0;\nDROP TABLE orders;' }]);
      const { failure, result } = await takeBack(project);
      expect(failure?.message).toContain('paid_order');
      expect(result?.outcome).toBe('interrupted');
      await runOn(database.url, 'DROP TABLE paid');
      expect((await carryOn(project)).failure).toBeUndefined();
      expect(await mysqlHistory(database)).toEqual([['1', true]]);
    });

    test('triggers cannot be switched off, and nobody is told they were', async () => {
      await project.apply([third]);
      expect((await takeBack(project, { triggers: 'disable' })).failure?.message).toContain(
        'cannot switch triggers off',
      );
      await project.write({ ...third, down: `-- flyback: triggers disable\n${third.down ?? ''}` });
      expect((await takeBack(project)).failure?.message).toContain('cannot switch triggers off');
    });
  });
});
