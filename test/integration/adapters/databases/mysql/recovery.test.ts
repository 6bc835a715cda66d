import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { recovery } from '../../../../../adapters/databases/mysql/recovery.js';
import { connectMysql, type MysqlSession } from '../../../../../adapters/databases/mysql/session.js';
import type { Inspection, StatementRecovery } from '../../../../../src/adapter/database.js';
import {
  createDatabase,
  describeWithLocalMysql,
  forEachMysql,
  type MysqlDatabase,
  runOn,
} from '../../../../harness/mysql.js';
import { mysqlSettings } from '../../../../harness/mysql-settings.js';
import { type LocalServer, startLocal } from '../../../../harness/mysql-servers.js';

type Rows = readonly (readonly (string | null)[])[];

async function ask(session: MysqlSession, { inspect }: StatementRecovery): Promise<Rows> {
  if (inspect === undefined) throw new Error('There is nothing to ask.');
  const answers = await session.query(inspect);
  expect(answers).toHaveLength(1);
  return answers[0]?.rows ?? [];
}

const fixture = `
  CREATE TABLE parent (id INT PRIMARY KEY, v INT) ENGINE = InnoDB;
  CREATE TABLE t (id INT PRIMARY KEY, a INT DEFAULT 1, b VARCHAR(20), p INT, KEY ib (b), CONSTRAINT fp FOREIGN KEY (p) REFERENCES parent (id), CONSTRAINT ca CHECK (a > 0)) ENGINE = InnoDB;
  CREATE TABLE u (x INT) ENGINE = InnoDB;
  CREATE TABLE w (y INT) ENGINE = InnoDB;
  CREATE TABLE \`T'"é x\` (id INT) ENGINE = InnoDB;
  CREATE TABLE parts (id INT) ENGINE = InnoDB PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20));
  CREATE VIEW v AS SELECT id FROM t;
  CREATE VIEW v2 AS SELECT a FROM t;
  CREATE PROCEDURE pr() SELECT 1;
  CREATE FUNCTION fu() RETURNS INT DETERMINISTIC RETURN 1;
  CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1;
  CREATE EVENT ev ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1;
`;

interface Case {
  readonly sql: string;
  readonly only?: 'MariaDB' | 'MySQL';
  /** What must be there first, beside the fixture. */
  readonly first?: string;
  /** Default true. */
  readonly failsCleanly?: boolean;
}

const cases: readonly Case[] = [
  { sql: 'CREATE TABLE fresh (id INT)' },
  { sql: 'CREATE TABLE IF NOT EXISTS `fresh` LIKE t' },
  { sql: 'CREATE TABLE fresh AS SELECT * FROM t' },
  { sql: '/*!50003 CREATE */ /* x */ TABLE fresh (id INT)' },
  { sql: 'CREATE OR REPLACE TABLE u (other INT)', only: 'MariaDB', failsCleanly: false },
  { sql: 'DROP TABLE t' },
  { sql: 'DROP TABLE IF EXISTS `t` RESTRICT' },
  { sql: 'DROP TABLE t, u, w', failsCleanly: false },
  { sql: 'DROP VIEW v' },
  { sql: 'DROP VIEW v, v2', failsCleanly: false },
  { sql: 'DROP TABLE `T\'"é x`' },
  { sql: 'RENAME TABLE t TO t_old' },
  { sql: 'RENAME TABLE t TO t_old, u TO t' },
  { sql: 'RENAME TABLE u TO tmp, w TO u, tmp TO w' },
  { sql: 'RENAME TABLE IF EXISTS t WAIT 3 TO t_old', only: 'MariaDB' },
  { sql: 'ALTER TABLE t RENAME t_old' },
  { sql: 'ALTER TABLE t ADD COLUMN c INT, RENAME TO `t_old`' },
  { sql: 'ALTER TABLE t ADD c INT' },
  { sql: 'ALTER TABLE t ADD c INT FIRST, ALGORITHM = COPY' },
  { sql: 'ALTER TABLE t DROP COLUMN b' },
  { sql: 'ALTER TABLE t MODIFY b VARCHAR(30)' },
  { sql: 'ALTER TABLE t MODIFY b VARCHAR(20) NOT NULL' },
  { sql: "ALTER TABLE t MODIFY b VARCHAR(20) COMMENT 'new'" },
  { sql: 'ALTER TABLE t MODIFY b VARCHAR(20) AFTER p' },
  { sql: 'ALTER TABLE t CHANGE b bb VARCHAR(20)' },
  { sql: 'ALTER TABLE t RENAME COLUMN b TO bb' },
  { sql: 'ALTER TABLE t RENAME INDEX ib TO ib2' },
  { sql: 'ALTER TABLE t ALTER a SET DEFAULT 2' },
  { sql: 'ALTER TABLE t ALTER a DROP DEFAULT' },
  { sql: 'ALTER TABLE t ADD INDEX (a, b(5) DESC)' },
  { sql: 'ALTER TABLE t DROP INDEX ib, ADD UNIQUE INDEX ib (b)' },
  { sql: 'ALTER TABLE t DROP FOREIGN KEY fp' },
  {
    sql: 'ALTER TABLE t DROP FOREIGN KEY fp, ADD CONSTRAINT fp2 FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE',
  },
  { sql: 'ALTER TABLE t DROP CONSTRAINT ca' },
  { sql: 'ALTER TABLE t ADD CONSTRAINT cb CHECK (a < 100)' },
  { sql: 'ALTER TABLE t DROP PRIMARY KEY' },
  { sql: "ALTER TABLE t COMMENT = 'x'" },
  { sql: 'ALTER TABLE t ROW_FORMAT = COMPACT' },
  { sql: 'ALTER TABLE u ENGINE = MyISAM' },
  { sql: 'ALTER TABLE t CONVERT TO CHARACTER SET latin1' },
  { sql: 'ALTER TABLE t ADD g INT AS (a + 1) VIRTUAL' },
  { sql: 'ALTER TABLE t ALTER INDEX ib IGNORED', only: 'MariaDB' },
  { sql: 'ALTER TABLE t ALTER INDEX ib INVISIBLE', only: 'MySQL' },
  { sql: 'ALTER TABLE u ADD SYSTEM VERSIONING', only: 'MariaDB' },
  { sql: 'ALTER TABLE parts ADD PARTITION (PARTITION p2 VALUES LESS THAN (30))' },
  { sql: 'ALTER TABLE parts DROP PARTITION p0' },
  { sql: 'ALTER TABLE parts REMOVE PARTITIONING' },
  { sql: 'CREATE INDEX i ON t (a)' },
  { sql: 'CREATE UNIQUE INDEX i USING BTREE ON t (a)' },
  { sql: 'DROP INDEX ib ON t' },
  { sql: 'CREATE VIEW fresh AS SELECT 1' },
  {
    sql: 'CREATE OR REPLACE ALGORITHM = MERGE DEFINER = CURRENT_USER SQL SECURITY INVOKER VIEW v AS SELECT a FROM t',
    failsCleanly: false,
  },
  { sql: "CREATE DEFINER = CURRENT_USER() TRIGGER tr2 BEFORE DELETE ON t FOR EACH ROW SET @x = 'RENAME TO'" },
  {
    sql: 'CREATE OR REPLACE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 2',
    only: 'MariaDB',
    failsCleanly: false,
  },
  { sql: 'DROP TRIGGER tr' },
  { sql: 'CREATE PROCEDURE fresh() BEGIN SELECT 1; SELECT 2; END' },
  { sql: 'CREATE OR REPLACE PROCEDURE PR() SELECT 2', only: 'MariaDB', failsCleanly: false },
  { sql: 'DROP PROCEDURE Pr' },
  { sql: 'CREATE FUNCTION fresh() RETURNS INT DETERMINISTIC RETURN 1' },
  { sql: 'DROP FUNCTION IF EXISTS fu' },
  { sql: 'CREATE EVENT fresh ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1' },
  { sql: 'ALTER EVENT ev RENAME TO ev2' },
  { sql: 'DROP EVENT ev' },
  { sql: 'CREATE SEQUENCE fresh', only: 'MariaDB' },
  { sql: 'DROP SEQUENCE s', only: 'MariaDB', first: 'CREATE SEQUENCE s' },
  { sql: 'RENAME TABLE s TO s2', only: 'MariaDB', first: 'CREATE SEQUENCE s' },
  { sql: 'SET STATEMENT lock_wait_timeout = 1 FOR DROP TABLE t', only: 'MariaDB' },
  { sql: "EXECUTE IMMEDIATE 'DROP TABLE t'", only: 'MariaDB' },
];

forEachMysql('statements that commit by themselves', (server) => {
  let database: MysqlDatabase;
  let session: MysqlSession;
  const settings = (): ReturnType<typeof mysqlSettings> => mysqlSettings(database.url);

  beforeAll(async () => {
    database = await createDatabase(server);
  });
  afterAll(() => database.drop());
  beforeEach(async () => {
    const name = `\`${database.name}\``;
    await runOn(server.url, `DROP DATABASE ${name}; CREATE DATABASE ${name} CHARACTER SET utf8mb4`);
    await runOn(database.url, fixture);
    session = await connectMysql(settings());
  });
  afterEach(() => session.close());

  async function judgeAround(sql: string, work: () => Promise<unknown>): Promise<Inspection> {
    const found = recovery(sql);
    const before = await ask(session, found);
    await work();
    return found.judge(before, await ask(session, found));
  }

  describe.each(cases.filter(({ only }) => only === undefined || only === server.product))(
    '$sql',
    ({ sql, first, failsCleanly = true }) => {
      it('is told from one that did not run', async () => {
        if (first !== undefined) await session.query(first);
        const found = recovery(sql);
        expect(found).toMatchObject({ kind: 'inspectable', failsCleanly });
        const before = await ask(session, found);
        // Rows that come and go, and statistics, are no difference.
        await session.query('INSERT INTO u VALUES (1), (2); ANALYZE TABLE u');
        expect(found.judge(before, await ask(session, found))).toMatchObject({ state: 'not-done' });
        expect(found.judge(null, before)).toMatchObject({ state: 'unknown' });
        const sent = await session.pipeline([sql]);
        expect(sent.failure).toBeUndefined();
        expect(found.judge(before, await ask(session, found))).toMatchObject({ state: 'done' });
      });
    },
  );

  it('a table is found whatever the script told the server of character sets, and case counts where it counts', async () => {
    const [answer] = await session.query('SELECT @@lower_case_table_names');
    const counts = answer?.rows[0]?.[0] === '0';
    await session.query('SET NAMES latin1');
    expect(await ask(session, recovery('DROP TABLE `T\'"é x`'))).toHaveLength(1);
    expect(await ask(session, recovery('DROP TABLE `T\'"e x`'))).toHaveLength(0);
    expect(await ask(session, recovery('DROP TABLE U'))).toHaveLength(counts ? 0 : 1);
    expect(await ask(session, recovery('DROP PROCEDURE PR'))).toHaveLength(1);
  });

  it('a table of another database, and one of the same name here, are two', async () => {
    const other = `${database.name}_2`;
    await runOn(server.url, `CREATE DATABASE ${other}; CREATE TABLE ${other}.t (id INT)`);
    try {
      const root = await connectMysql(mysqlSettings(database.rootUrl));
      try {
        const found = recovery(`DROP TABLE ${other}.t`);
        const before = await ask(root, found);
        await root.query('DROP TABLE t');
        expect(found.judge(before, await ask(root, found))).toMatchObject({ state: 'not-done' });
        await root.query(`DROP TABLE ${other}.t`);
        expect(found.judge(before, await ask(root, found))).toMatchObject({ state: 'done' });
      } finally {
        await root.close();
      }
    } finally {
      await runOn(server.url, `DROP DATABASE IF EXISTS ${other}`);
    }
  });

  describe('DROP TABLE of several that stopped half-way', () => {
    it('is finished by its repair', async () => {
      const sql = 'DROP TABLE u, w, `T\'"é x`';
      const found = recovery(sql);
      const before = await ask(session, found);
      await session.query('DROP TABLE u');
      const left = found.judge(before, await ask(session, found));
      expect(left).toMatchObject({ state: 'partly', afterRepair: 'done' });
      if (left.state !== 'partly') return;
      expect(left.words).toContain('u is gone and w, T');
      for (const repair of left.repair) await session.query(repair);
      expect(found.judge(before, await ask(session, found))).toMatchObject({ state: 'done' });
    });

    it('is seen after an error of the server itself', async () => {
      // A table that a foreign key points to cannot go; what becomes of the others differs.
      const sql = 'DROP TABLE u, parent, w';
      const found = recovery(sql);
      const before = await ask(session, found);
      const sent = await session.pipeline([sql]);
      expect(sent.failure?.error.condition).toBe('dependents-exist');
      const left = found.judge(before, await ask(session, found));
      expect(left.state).toBe(server.product === 'MariaDB' ? 'partly' : 'not-done');
    });

    it('of tables that were never there is nothing to be done', async () => {
      expect(await judgeAround('DROP TABLE x1, x2', async () => undefined)).toMatchObject({ state: 'not-done' });
      expect(await judgeAround('DROP TABLE IF EXISTS x1, x2', async () => undefined)).toMatchObject({ state: 'done' });
    });
  });

  describe('DROP DATABASE', () => {
    it('is judged by what is left in it', async () => {
      const name = `${database.name}_3`;
      const make = `CREATE DATABASE ${name}; CREATE TABLE ${name}.a (id INT); CREATE TABLE ${name}.b (id INT); CREATE PROCEDURE ${name}.p() SELECT 1`;
      const root = await connectMysql(mysqlSettings(database.rootUrl));
      try {
        const create = recovery(`CREATE DATABASE ${name}`);
        const none = await ask(root, create);
        expect(create.judge(none, await ask(root, create))).toMatchObject({ state: 'not-done' });
        await root.query(make);
        expect(create.judge(none, await ask(root, create))).toMatchObject({ state: 'done' });
        const found = recovery(`DROP SCHEMA \`${name}\``);
        expect(found.failsCleanly).toBe(false);
        const before = await ask(root, found);
        expect(found.judge(before, await ask(root, found))).toMatchObject({ state: 'not-done' });
        await root.query(`DROP TABLE ${name}.a`);
        const left = found.judge(before, await ask(root, found));
        expect(left).toMatchObject({ state: 'partly', afterRepair: 'done' });
        if (left.state === 'partly') for (const repair of left.repair) await root.query(repair);
        expect(found.judge(before, await ask(root, found))).toMatchObject({ state: 'done' });
      } finally {
        await root.query(`DROP DATABASE IF EXISTS ${name}`);
        await root.close();
      }
    });
  });

  describe('what nothing tells', () => {
    it('two tables with the same columns that change places', async () => {
      await session.query('CREATE TABLE u2 LIKE u');
      const sql = 'RENAME TABLE u TO tmp, u2 TO u, tmp TO u2';
      expect(await judgeAround(sql, () => session.query(sql))).toMatchObject({ state: 'unknown' });
    });

    it('an ALTER TABLE that takes a column away and adds the same', async () => {
      const sql = 'ALTER TABLE u DROP COLUMN x, ADD COLUMN X INT, ADD COLUMN z INT';
      await session.query('ALTER TABLE u ADD COLUMN z INT');
      expect(await judgeAround(sql, async () => undefined)).toMatchObject({ state: 'unknown' });
      const swap = 'ALTER TABLE u RENAME COLUMN x TO z, RENAME COLUMN z TO x';
      expect(await judgeAround(swap, async () => undefined)).toMatchObject({ state: 'unknown' });
    });

    it('a table that was to be replaced and is gone', async () => {
      const sql = 'CREATE OR REPLACE TABLE u (id INT)';
      expect(await judgeAround(sql, () => session.query('DROP TABLE u'))).toMatchObject({ state: 'unknown' });
      expect(await judgeAround(sql, async () => undefined)).toMatchObject({ state: 'not-done' });
    });
  });
});

describeWithLocalMysql('a server that dies in the middle of a statement', () => {
  let own: LocalServer;

  beforeAll(async () => {
    own = await startLocal({ settings: { 'lower-case-table-names': '0' } });
    await runOn(own.url, 'CREATE DATABASE d');
  }, 60_000);
  afterAll(() => own.stop());

  const url = (): string => `${own.url}d`;

  async function dieDuring(sql: string, isUnderWay: RegExp): Promise<Inspection> {
    const found = recovery(sql);
    const session = await connectMysql(mysqlSettings(url()));
    const before = await ask(session, found);
    const running = session.pipeline([sql]);
    await expect
      .poll(
        async () =>
          (
            await runOn(
              own.url,
              `SELECT state FROM information_schema.processlist WHERE id = ${session.facts.backendId}`,
            )
          )
            .map(({ state }) => String(state))
            .join(),
        { interval: 5, timeout: 20_000 },
      )
      .toMatch(isUnderWay);
    await own.crash();
    const outcome = await running;
    expect(outcome.failure?.error.connectionLost).toBe(true);
    await session.close();
    await own.restart();
    const again = await connectMysql(mysqlSettings(url()));
    try {
      return found.judge(before, await ask(again, found));
    } finally {
      await again.close();
    }
  }

  it('has done nothing of an ALTER TABLE that copies the table, nor of a CREATE TABLE that fills it', async () => {
    await runOn(
      url(),
      `CREATE TABLE big (id INT PRIMARY KEY, filler CHAR(200)) ENGINE = InnoDB;
       INSERT INTO big SELECT seq, REPEAT('x', 200) FROM seq_1_to_150000`,
    );
    const alter = 'ALTER TABLE big ADD COLUMN c INT DEFAULT 7, ALGORITHM = COPY';
    expect(await dieDuring(alter, /copy to tmp table/i)).toMatchObject({ state: 'not-done' });
    expect(await runOn(url(), 'SELECT COUNT(*) AS n FROM big')).toEqual([{ n: 150_000 }]);
    const copy = 'CREATE TABLE copied AS SELECT * FROM big';
    expect(await dieDuring(copy, /sending data|creating table/i)).toMatchObject({ state: 'not-done' });
    // Both run again without anything in their way, and survive the next crash.
    const session = await connectMysql(mysqlSettings(url()));
    const befores: Rows[] = [];
    for (const sql of [alter, copy]) {
      befores.push(await ask(session, recovery(sql)));
      await session.query(sql);
    }
    await session.close();
    await own.crash();
    await own.restart();
    const again = await connectMysql(mysqlSettings(url()));
    try {
      for (const [index, sql] of [alter, copy].entries()) {
        const found = recovery(sql);
        expect(found.judge(befores[index] ?? [], await ask(again, found))).toMatchObject({ state: 'done' });
      }
    } finally {
      await again.close();
    }
  }, 120_000);

  it('is carried on where it was, whenever it died: nothing runs twice, nothing is skipped', async () => {
    // Each statement would fail if the one before it had not run, or if it ran a second time itself.
    const round = [
      'CREATE TABLE q (id INT PRIMARY KEY, a INT) ENGINE = InnoDB',
      'ALTER TABLE q ADD COLUMN b INT',
      'CREATE INDEX ib ON q (b)',
      'CREATE TABLE q2 AS SELECT seq AS s FROM seq_1_to_1000',
      'ALTER TABLE q2 ADD COLUMN t CHAR(50), ALGORITHM = COPY',
      'RENAME TABLE q TO tmp, q2 TO q, tmp TO q2',
      'CREATE VIEW qv AS SELECT s FROM q',
      'CREATE TRIGGER qt BEFORE INSERT ON q FOR EACH ROW SET NEW.t = 1',
      'CREATE PROCEDURE qp() SELECT 1',
      'DROP INDEX ib ON q2',
      'ALTER TABLE q2 DROP COLUMN b, RENAME TO q3',
      'DROP PROCEDURE qp',
      'DROP TRIGGER qt',
      'DROP VIEW qv',
      'DROP TABLE q, q3',
    ];
    const states = new Set<string>();
    for (let crash = 0; crash < 8; crash++) {
      let session = await connectMysql(mysqlSettings(url()));
      let next = 0;
      let underWay: { readonly found: StatementRecovery; readonly before: Rows } | undefined;
      const dying = new Promise((resolve) => setTimeout(resolve, 60 + crash * 41)).then(() => own.crash());
      for (; ; next++) {
        const sql = round[next % round.length] ?? '';
        const found = recovery(sql);
        // Between two statements the next one has not begun.
        const before = await ask(session, found).catch(() => undefined);
        if (before === undefined) break;
        const { failure } = await session.pipeline([sql]);
        if (failure === undefined) continue;
        expect(failure.error.connectionLost).toBe(true);
        underWay = { found, before };
        break;
      }
      await dying;
      await session.close();
      await own.restart();
      session = await connectMysql(mysqlSettings(url()));
      if (underWay !== undefined) {
        const judged = underWay.found.judge(underWay.before, await ask(session, underWay.found));
        states.add(judged.state);
        expect(judged.state).not.toBe('unknown');
        if (judged.state === 'partly') for (const repair of judged.repair) await session.query(repair);
        if (judged.state === 'done' || (judged.state === 'partly' && judged.afterRepair === 'done')) next++;
      }
      for (; next % round.length !== 0; next++) await session.query(round[next % round.length] ?? '');
      expect((await session.query("SHOW TABLES LIKE 'q%'"))[0]?.rows).toEqual([]);
      await session.close();
    }
    expect(states.size).toBeGreaterThan(0);
  }, 120_000);
});
