import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { databases } from '../../../../../adapters/index.js';
import { connectMysql, type MysqlSession } from '../../../../../adapters/databases/mysql/session.js';
import { guardMarks, type StepSettings, type ToolLock } from '../../../../../src/adapter/database.js';
import type { QualifiedName } from '../../../../../src/history/history.js';
import { createDatabase, forEachMysql, type MysqlDatabase, runOn } from '../../../../harness/mysql.js';
import { mysqlSettings } from '../../../../harness/mysql-settings.js';

const { sql } = databases.mysql;

forEachMysql('SQL of the runner', (server) => {
  let database: MysqlDatabase;
  let history: QualifiedName;
  let record: QualifiedName;
  let session: MysqlSession;
  let other: MysqlSession;
  let settings: StepSettings;
  const lock = (name: string): ToolLock => ({ kind: 'named', keys: [`${database.name} ${name}`], approach: undefined });

  beforeAll(async () => {
    database = await createDatabase(server);
    history = { schema: database.name, name: 'history' };
    record = { schema: database.name, name: 'record' };
    settings = { lockTimeoutMs: 1000, statementTimeoutMs: 0, scriptSchema: database.name };
    await runOn(
      database.url,
      'CREATE TABLE history (installed_rank INT NOT NULL PRIMARY KEY, version VARCHAR(50), script VARCHAR(100), installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOL NOT NULL, KEY (success))',
    );
  });
  afterAll(() => database.drop());

  beforeEach(async () => {
    session = await connectMysql(mysqlSettings(database.url));
    other = await connectMysql(mysqlSettings(database.url));
    await session.query(`DROP TABLE IF EXISTS record; ${sql.record.create(record)}`);
    await session.query(
      "DELETE FROM history; INSERT INTO history VALUES (1, '1', 'V1__a.sql', '2026-01-02 03:04:05', 1), (2, NULL, 'R__ü.sql', '2026-01-02 03:04:06', 1)",
    );
  });
  afterEach(async () => {
    await Promise.all([session.close(), other.close()]);
  });

  async function value(text: string, on = session): Promise<string | null | undefined> {
    return (await on.query(text)).at(-1)?.rows[0]?.[0];
  }

  async function failure(text: string, on = session): Promise<string> {
    const sent = await on.pipeline([text]);
    return sent.failure?.error.message ?? 'no failure';
  }

  describe('the transaction of a step', () => {
    it('holds what the script did until the commit, under the settings of the run', async () => {
      await session.query(sql.beginStep(session.facts, settings));
      await session.query("INSERT INTO history VALUES (3, '3', '', NOW(), 1)");
      await session.query(sql.afterScript(session.facts, settings));
      expect(session.inTransaction).toBe(true);
      expect(await value('SELECT @@lock_wait_timeout')).toBe('1');
      expect(await value('SELECT COUNT(*) FROM history', other)).toBe('2');
      await session.query(sql.commit);
      expect(await value('SELECT COUNT(*) FROM history', other)).toBe('3');
    });

    it('and whoever ended it is told of, also by DDL or by autocommit', async () => {
      for (const ending of [
        'COMMIT',
        'CREATE TABLE ending (i INT)',
        'SET autocommit = 0',
        'ROLLBACK; START TRANSACTION',
      ]) {
        await session.query(sql.beginStep(session.facts, settings));
        await session.query(`INSERT INTO history VALUES (9, '9', '', NOW(), 1); ${ending}`);
        expect(await failure(sql.afterScript(session.facts, settings)), ending).toContain(guardMarks.transactionEnded);
        await session.query(
          'ROLLBACK; SET autocommit = 1; DELETE FROM history WHERE installed_rank = 9; DROP TABLE IF EXISTS ending',
        );
      }
    });

    it('gives back what a script changed in the session', async () => {
      await session.query(sql.beginStep(session.facts, settings));
      await session.query(
        "SET foreign_key_checks = 0, unique_checks = 0, sql_mode = 'ANSI_QUOTES', lock_wait_timeout = 7; USE information_schema",
      );
      await session.query(sql.afterScript(session.facts, settings));
      expect(
        (
          await session.query(
            'SELECT @@foreign_key_checks, @@unique_checks, @@sql_mode, @@lock_wait_timeout, DATABASE()',
          )
        )[0]?.rows,
      ).toEqual([['1', '1', session.facts.mysql?.sqlModes.join(','), '1', database.name]]);
      await session.query(sql.rollback);
    });

    it('of several steps in one is watched after each', async () => {
      await session.query(sql.beginStep(session.facts, settings));
      await session.query(sql.afterScript(session.facts, settings));
      await session.query(sql.afterScript(session.facts, settings));
      await session.query(sql.rollback);
    });

    it('bounds each statement, and each wait for a row or a table', async () => {
      await session.query(sql.beginStep(session.facts, { ...settings, statementTimeoutMs: 300 }));
      const slow = await session.pipeline([
        'SELECT COUNT(*) FROM information_schema.collations a, information_schema.collations b, information_schema.collations c, information_schema.collations d',
      ]);
      expect(slow.failure?.error.condition).toBe('cancelled');
      await session.query(sql.rollback);
      await other.query('START TRANSACTION; SELECT * FROM history FOR UPDATE');
      for (const text of [sql.lockTables(history, record), 'ALTER TABLE history COMMENT = "x"']) {
        await session.query(sql.beginStep(session.facts, settings));
        const waited = await session.pipeline([text]);
        expect(waited.failure?.error.condition, text).toBe('lock-timeout');
        await session.query(sql.rollback);
      }
      await other.query('ROLLBACK');
    });
  });

  describe('the locked history', () => {
    it('takes no row of anybody else, at either end or in between', async () => {
      await session.query(sql.beginStep(session.facts, settings));
      await session.query(sql.lockTables(history, record));
      await other.query('SET innodb_lock_wait_timeout = 1');
      for (const writing of [
        "INSERT INTO history VALUES (0, '0', '', NOW(), 1)",
        "INSERT INTO history VALUES (3, '3', '', NOW(), 0)",
        'UPDATE history SET success = 0 WHERE installed_rank = 1',
        'DELETE FROM history WHERE installed_rank = 2',
        sql.record.append(record, { entry: '{}', previousHash: 'a', hash: 'b' }),
      ]) {
        expect((await other.pipeline([writing])).failure?.error.condition, writing).toBe('lock-timeout');
      }
      await session.query(sql.rollback);
    });

    it('is read as it is when the lock was got, not as it was when the transaction began', async () => {
      await session.query(sql.beginStep(session.facts, settings));
      await session.query(sql.record.describe(record));
      await other.query("INSERT INTO history VALUES (3, '3', '', NOW(), 1)");
      await session.query(sql.lockTables(history, record));
      expect(await value('SELECT COUNT(*) FROM history')).toBe('3');
      await session.query(sql.rollback);
    });
  });

  describe('the tool lock', () => {
    it('is had once, by whoever asks first, and is not counted', async () => {
      expect(await value(sql.tryToolLock(lock('a')))).toBe('t');
      expect(await value(sql.keepToolLock(lock('a')))).toBe('t');
      expect(await value(sql.tryToolLock(lock('a')), other)).toBe('f');
      await session.query(sql.guardToolLock(session.facts, lock('a')));
      expect((await other.query(sql.toolLockSessions(lock('a'))))[0]?.rows).toMatchObject([
        ['holds', String(session.facts.backendId), database.user, expect.anything(), expect.anything()],
      ]);
      await session.query(sql.releaseToolLock(lock('a')));
      expect(await value(sql.tryToolLock(lock('a')), other)).toBe('t');
      expect(await failure(sql.guardToolLock(session.facts, lock('a')))).toContain(guardMarks.lockLost);
      expect(await failure(sql.guardToolLock(other.facts, lock('b')))).toContain(guardMarks.backendChanged);
    });

    it('is waited for in the open', async () => {
      const own = lock('c');
      const watched: ToolLock = {
        ...own,
        approach: { asks: `^SELECT GET_LOCK\\('${own.keys[0]}'`, own: [], common: [] },
      };
      await session.query(sql.guardApproach(watched));
      await session.query(sql.keepToolLock(own));
      const waiting = other.query(`SELECT GET_LOCK('${own.keys[0]}', 20)`);
      await expect
        .poll(async () => (await session.query(sql.toolApproach(watched))).at(-1)?.rows, { timeout: 5000 })
        .toEqual([['waits', String(other.facts.backendId)]]);
      expect(await failure(sql.guardApproach(watched))).toContain(guardMarks.toolNear);
      await session.query(sql.releaseToolLock(own));
      await waiting;
    });
  });

  describe('guards', () => {
    it('of the history: the rows that were expected, or not', async () => {
      const expected = sql.guardHistory(
        history,
        sql.rows.expect(2, [{ aggregate: 'max', column: 'installed_rank', value: 2 }]),
      );
      expect((await session.batch([expected])).failure).toBeUndefined();
      for (const change of [
        'DELETE FROM history WHERE installed_rank = 1',
        'UPDATE history SET installed_rank = 5 WHERE installed_rank = 2',
      ]) {
        await session.query(change);
        expect((await session.batch([expected])).failure?.error.message, change).toContain(guardMarks.historyChanged);
        await session.query(
          "DELETE FROM history; INSERT INTO history VALUES (1, '1', '', NOW(), 1), (2, NULL, '', NOW(), 1)",
        );
      }
      const none = sql.guardHistory(
        history,
        sql.rows.expect(0, [{ aggregate: 'max', column: 'version', value: null }]),
      );
      await session.query('DELETE FROM history');
      expect((await session.batch([none])).failure).toBeUndefined();
    });

    it('of what a script wrote to the tables of flyback itself', async () => {
      const guard = sql.guardWrites(history, record, { removed: 1, appended: 1 });
      const own = `DELETE FROM history WHERE installed_rank = 2; ${sql.record.append(record, { entry: '{}', previousHash: 'a', hash: 'b' })}`;
      const run = async (more: string): Promise<string> => {
        await session.query(`${sql.beginStep(session.facts, settings)};${sql.noteWrites(history, record)}`);
        await session.query(`${more};${own}`);
        const said = await failure(guard);
        await session.query(sql.rollback);
        return said;
      };
      expect(await run('DO 0')).toBe('no failure');
      expect(await run('DELETE FROM history WHERE installed_rank = 1')).toContain(guardMarks.tablesWritten);
      expect(await run("INSERT INTO record (entry, previous_hash, hash) VALUES ('{}', 'x', 'y')")).toContain(
        guardMarks.tablesWritten,
      );
    });
  });

  describe('single rows', () => {
    it('are read as text, times the same in every time zone', async () => {
      const read = sql.rows.select(history, ['installed_rank', 'version', 'installed_on', 'success'], {
        timestamps: ['installed_on'],
        orderBy: 'installed_rank',
      });
      const first = (await session.query(read)).at(-1)?.rows;
      await session.query("SET time_zone = '+05:30'");
      expect((await session.query(read)).at(-1)?.rows).toEqual(first);
      expect(first?.[1]).toEqual(['2', null, expect.stringMatching(/^2026-01-0\d \d\d:\d\d:06\.000000$/), '1']);
    });

    it('are found by every letter of what identifies them', async () => {
      const matched = async (script: string): Promise<number | null> => {
        const [result] = (
          await session.batch([
            sql.rows.update(
              history,
              [{ column: 'success', value: true }],
              [
                { column: 'installed_rank', value: 2 },
                { column: 'version', value: null, nullable: true },
                { column: 'script', value: script },
                { column: 'success', value: true },
              ],
            ),
          ])
        ).results;
        return result?.rowCount ?? null;
      };
      expect(await matched('R__ü.sql')).toBe(1);
      expect(await matched('r__ü.sql')).toBe(0);
      expect(await matched('R__u.sql')).toBe(0);
      const inline = sql.rows.inline(
        sql.rows.remove(history, [{ column: 'script', value: "a'; DROP TABLE history; -- \\" }]),
      );
      expect((await session.query(inline))[0]?.rowCount).toBe(0);
    });
  });

  describe('the record', () => {
    it('is described, appended to, and read', async () => {
      expect((await session.query(sql.record.describe(record)))[0]?.rows[0]?.slice(0, 2)).toEqual([
        'BASE TABLE',
        'id,entry,previous_hash,hash',
      ]);
      expect(
        (await session.query(sql.record.describe({ schema: 'nowhere', name: 'record' })))[0]?.rows[0]?.[2],
      ).toBeNull();
      expect((await session.query(sql.record.head(record)))[0]?.rows).toEqual([]);
      const entry = '{"format":1,"text":"a \\\\ \' \u{1F600} $1"}';
      await session.batch([sql.record.appendValues(record, { entry, previousHash: 'p', hash: 'h' })]);
      expect((await session.query(sql.record.head(record)))[0]?.rows).toEqual([['h', '1']]);
      expect((await session.query(sql.record.read(record)))[0]?.rows).toEqual([['1', entry, 'p', 'h']]);
      expect((await session.query(sql.record.find(record, 'h')))[0]?.rows).toHaveLength(1);
      const again = await session.pipeline([sql.record.create(record)]);
      expect(again.failure?.error.condition).toBe('object-exists');
    });
  });

  describe('a table is described', () => {
    it('in the words of the standard; where there is none, those that could be meant', async () => {
      const [found] = await session.query(sql.describeTable(history, ['schema_version']));
      expect(found?.rows.map(([schema, name, kind, column, type]) => [schema, name, kind, column, type])).toEqual([
        [database.name, 'history', 'table', 'installed_rank', 'integer'],
        [database.name, 'history', 'table', 'version', 'character varying'],
        [database.name, 'history', 'table', 'script', 'character varying'],
        [database.name, 'history', 'table', 'installed_on', 'timestamp without time zone'],
        [database.name, 'history', 'table', 'success', 'boolean'],
      ]);
      const [missed] = await session.query(sql.describeTable({ schema: database.name, name: 'HISTORY_' }, ['Record']));
      expect(new Set(missed?.rows.map(([schema, name]) => `${schema}.${name}`))).toContain(`${database.name}.record`);
    });
  });

  describe('foreign keys', () => {
    it('that do not hold are found, whichever way they came not to', async () => {
      await session.query(`CREATE TABLE parent (a INT, b VARCHAR(9), PRIMARY KEY (a, b));
        CREATE TABLE child (i INT PRIMARY KEY, a INT, b VARCHAR(9), CONSTRAINT to_parent FOREIGN KEY (a, b) REFERENCES parent (a, b));
        INSERT INTO parent VALUES (1, 'x'); INSERT INTO child VALUES (1, 1, 'x'), (2, NULL, 'x')`);
      const violations = async (): Promise<readonly (string | null)[] | undefined> => {
        const ids = await value(sql.touchedConstraints());
        const [checks] = await session.query(sql.constraintChecks(ids ?? ''));
        expect(checks?.rows).toHaveLength(1);
        expect(checks?.rows[0]?.[0]).toBe('of child without a match in parent (constraint to_parent');
        return (await session.query(checks?.rows[0]?.[1] ?? ''))[0]?.rows[0];
      };
      expect(await violations()).toEqual(['0', null]);
      await session.query(`${sql.enterReplicaMode()}; INSERT INTO child VALUES (3, 2, 'y')`);
      expect(await violations()).toEqual(['1', '2, y']);
      await session.query('DELETE FROM child WHERE i = 3; DROP TABLE parent');
      expect(await violations()).toEqual(['1', '1, x']);
      await session.query('DROP TABLE child');
      expect(await value(sql.touchedConstraints())).toBeNull();
    });
  });
});
