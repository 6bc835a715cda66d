import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { mysqlDialect } from '../../../../../adapters/databases/mysql/dialect.js';
import { createDatabase, forEachMysql, type MysqlDatabase, runOn } from '../../../../harness/mysql.js';

/*
 * The server is the judge: a row is inserted in a transaction, the statement is sent, the transaction is rolled back. Where
 * the row is still there the statement has committed it, and the words must have foreseen that; elsewhere they must not.
 */

const fixture = `
  CREATE TABLE probe (id INT) ENGINE = InnoDB;
  CREATE TABLE t (id INT PRIMARY KEY, a INT, b VARCHAR(20)) ENGINE = InnoDB;
  CREATE TABLE parts (id INT) ENGINE = InnoDB PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10));
  CREATE TABLE isam (id INT, KEY (id)) ENGINE = MyISAM;
  CREATE VIEW v AS SELECT * FROM t;
  CREATE PROCEDURE calm() SELECT 1;
  CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1;
  CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1;
  CREATE EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1;
  CREATE TEMPORARY TABLE tmp (id INT) ENGINE = InnoDB;
  CREATE USER IF NOT EXISTS someone@localhost;
  PREPARE prepared FROM 'SELECT 1';
`;

interface Case {
  readonly sql: string;
  /** Known to this server only. */
  readonly only?: 'MariaDB' | 'MySQL';
  /** Part of the message of an error that is the same inside and outside of a transaction. */
  readonly fails?: RegExp;
}

const committing: readonly Case[] = [
  { sql: 'CREATE TABLE fresh (id INT)' },
  { sql: 'create table if not exists t (id INT)' },
  { sql: 'CREATE TABLE fresh LIKE t' },
  { sql: 'CREATE TABLE fresh AS SELECT * FROM t' },
  { sql: '/*!50003 CREATE */ /* x */ TABLE fresh (id INT)' },
  { sql: 'ALTER TABLE t ADD c INT' },
  { sql: 'ALTER TABLE t COMMENT = "x"' },
  { sql: 'ALTER TABLE parts ADD PARTITION (PARTITION p1 VALUES LESS THAN (20))' },
  { sql: 'DROP TABLE t' },
  { sql: 'DROP TABLE IF EXISTS nowhere' },
  { sql: 'RENAME TABLE t TO u' },
  { sql: 'TRUNCATE TABLE t' },
  { sql: 'TRUNCATE t' },
  { sql: 'CREATE INDEX i ON t (a)' },
  { sql: 'CREATE UNIQUE INDEX i ON t (a)' },
  { sql: 'CREATE OR REPLACE VIEW v AS SELECT 1' },
  { sql: 'ALTER VIEW v AS SELECT 2' },
  { sql: 'DROP VIEW v' },
  { sql: 'CREATE PROCEDURE p() SELECT 1' },
  { sql: 'ALTER PROCEDURE calm COMMENT "x"' },
  { sql: 'DROP PROCEDURE calm' },
  { sql: 'CREATE FUNCTION g() RETURNS INT DETERMINISTIC RETURN 1' },
  { sql: 'DROP FUNCTION f' },
  { sql: 'CREATE DEFINER = CURRENT_USER TRIGGER tr2 BEFORE DELETE ON t FOR EACH ROW SET @x = 1' },
  { sql: 'DROP TRIGGER tr' },
  { sql: 'CREATE EVENT e2 ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1' },
  { sql: 'ALTER EVENT e COMMENT "x"' },
  { sql: 'DROP EVENT e' },
  { sql: 'CREATE DATABASE IF NOT EXISTS $other' },
  { sql: 'ALTER DATABASE COMMENT = "x"', only: 'MariaDB' },
  { sql: 'DROP DATABASE IF EXISTS $other' },
  { sql: 'CREATE OR REPLACE SEQUENCE s', only: 'MariaDB' },
  { sql: 'DROP SEQUENCE IF EXISTS s', only: 'MariaDB' },
  { sql: 'CREATE USER IF NOT EXISTS someone2@localhost' },
  { sql: 'ALTER USER someone@localhost ACCOUNT LOCK' },
  { sql: 'RENAME USER someone@localhost TO someone3@localhost' },
  { sql: 'DROP USER IF EXISTS someone@localhost' },
  { sql: 'CREATE ROLE r1' },
  { sql: 'DROP ROLE IF EXISTS r2' },
  { sql: 'GRANT SELECT ON t TO someone@localhost' },
  { sql: 'REVOKE ALL PRIVILEGES, GRANT OPTION FROM someone@localhost' },
  { sql: "SET PASSWORD FOR someone@localhost = ''" },
  { sql: 'SET DEFAULT ROLE NONE' },
  { sql: 'ANALYZE TABLE t' },
  { sql: 'ANALYZE LOCAL TABLE t' },
  { sql: 'OPTIMIZE TABLE t' },
  { sql: 'REPAIR TABLE isam' },
  { sql: 'CHECK TABLE t' },
  { sql: 'FLUSH TABLES' },
  { sql: 'FLUSH STATUS' },
  { sql: 'LOCK TABLES t READ' },
  { sql: 'START TRANSACTION' },
  { sql: 'START TRANSACTION READ ONLY' },
  { sql: 'BEGIN' },
  { sql: 'BEGIN WORK' },
  { sql: 'INSTALL SONAME "nowhere"', only: 'MariaDB', fails: /open shared library/i },
  { sql: 'BEGIN NOT ATOMIC SET @x = 1; IF @x THEN CREATE TABLE fresh (id INT); END IF; END', only: 'MariaDB' },
  { sql: 'IF 1 THEN TRUNCATE t; END IF', only: 'MariaDB' },
  { sql: 'SET STATEMENT max_statement_time = 9 FOR ALTER TABLE t ADD c INT', only: 'MariaDB' },
  { sql: "EXECUTE IMMEDIATE 'DROP TABLE t'", only: 'MariaDB' },
  { sql: 'CREATE TEMPORARY SEQUENCE s', only: 'MariaDB' },
  { sql: 'ALTER TABLE tmp ADD c INT' },
  { sql: 'CREATE INDEX i ON tmp (id)' },
  { sql: 'DROP TABLE tmp' },
  { sql: 'RENAME TABLE tmp TO tmp2', only: 'MariaDB' },
  { sql: 'TRUNCATE tmp' },
  { sql: 'RESET QUERY CACHE', only: 'MariaDB' },
  { sql: 'RESET SLAVE', only: 'MariaDB' },
  { sql: 'RESET MASTER', only: 'MariaDB', fails: /binlog closed/i },
];

/** Foreseen because MySQL's manual says so, or because it depends on what went before; MariaDB does not commit. */
const onlyForeseen: readonly Case[] = [
  { sql: 'CACHE INDEX isam IN nowhere' },
  { sql: 'LOAD INDEX INTO CACHE isam' },
  { sql: 'CHANGE MASTER TO MASTER_CONNECT_RETRY = 10' },
  { sql: 'STOP SLAVE' },
  { sql: 'UNLOCK TABLES' },
].map((each) => ({ ...each, only: 'MariaDB', fails: /./ }) as const);

const harmless: readonly Case[] = [
  { sql: 'INSERT INTO t VALUES (1, 2, "x")' },
  { sql: 'UPDATE t SET a = 1' },
  { sql: 'DELETE FROM t' },
  { sql: 'REPLACE INTO t VALUES (1, 2, "x")' },
  { sql: 'SELECT * FROM t FOR UPDATE' },
  { sql: '(SELECT 1)' },
  { sql: 'VALUES (1)', only: 'MariaDB' },
  { sql: 'WITH x AS (SELECT 1) SELECT * FROM x' },
  { sql: 'CALL calm()' },
  { sql: 'DO 1' },
  { sql: 'SHOW TABLES' },
  { sql: 'DESCRIBE t' },
  { sql: 'EXPLAIN SELECT 1' },
  { sql: 'ANALYZE SELECT 1', only: 'MariaDB' },
  { sql: 'ANALYZE FORMAT=JSON SELECT 1', only: 'MariaDB' },
  { sql: 'CREATE TEMPORARY TABLE fresh (id INT)' },
  { sql: 'CREATE OR REPLACE TEMPORARY TABLE tmp (id INT)', only: 'MariaDB' },
  { sql: 'CREATE TEMPORARY TABLE fresh AS SELECT 1' },
  { sql: 'DROP TEMPORARY TABLE tmp' },
  { sql: 'DROP TEMPORARY TABLE IF EXISTS nowhere' },
  { sql: 'DROP TEMPORARY SEQUENCE IF EXISTS s', only: 'MariaDB' },
  { sql: 'DROP PREPARE prepared' },
  { sql: 'DEALLOCATE PREPARE prepared' },
  { sql: 'EXECUTE prepared' },
  { sql: "PREPARE q FROM 'DROP TABLE t'" },
  { sql: "EXECUTE IMMEDIATE 'SELECT 1'", only: 'MariaDB' },
  { sql: 'SET @autocommit = 1' },
  { sql: 'SET @x = 1, @@session.lock_wait_timeout = 5' },
  { sql: 'SET NAMES utf8mb4' },
  { sql: 'SET ROLE NONE' },
  { sql: 'SET autocommit = 0' },
  { sql: 'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED' },
  { sql: 'SAVEPOINT s' },
  { sql: 'KILL QUERY 0', fails: /Unknown thread/i },
  { sql: 'CHECKSUM TABLE t' },
  { sql: 'HANDLER t OPEN' },
  { sql: 'USE $database' },
  { sql: 'HELP "x"' },
  {
    sql: 'BEGIN NOT ATOMIC DECLARE begin INT; BEGIN SELECT 1; END; INSERT INTO t VALUES (1, 1, "drop table t"); END',
    only: 'MariaDB',
  },
  { sql: 'IF 1 THEN SELECT 1; ELSE SELECT 2; END IF', only: 'MariaDB' },
  { sql: 'SET STATEMENT max_statement_time = 9 FOR SELECT 1', only: 'MariaDB' },
];

forEachMysql('implicit commits', (server) => {
  let database: MysqlDatabase;
  const other = `flyback_other_${String(process.pid)}`;
  const accounts = ['someone', 'someone2', 'someone3'].map((name) => `DROP USER IF EXISTS ${name}@localhost`);
  const cleanUp = [...accounts, 'DROP ROLE IF EXISTS r1', `DROP DATABASE IF EXISTS ${other}`].join(';');

  beforeAll(async () => {
    await runOn(server.url, cleanUp);
    database = await createDatabase(server);
  });
  afterAll(async () => {
    await runOn(server.url, cleanUp);
    await database.drop();
  });

  async function commits({ sql, fails }: Case, open: string): Promise<boolean> {
    await runOn(database.rootUrl, `${cleanUp}; DROP DATABASE ${database.name}; CREATE DATABASE ${database.name}`);
    const connection: Connection = await createConnection({
      uri: database.rootUrl,
      multipleStatements: true,
      flags: ['-IGNORE_SPACE'],
    });
    try {
      await connection.query(fixture);
      await connection.query(open);
      await connection.query('INSERT INTO probe VALUES (1)');
      const text = sql.replaceAll('$database', database.name).replaceAll('$other', other);
      const failure = await connection.query(text).then(
        () => undefined,
        (error: unknown) => error as Error,
      );
      if (failure !== undefined && fails?.test(failure.message) !== true) throw failure;
      await connection.query('UNLOCK TABLES; ROLLBACK');
    } finally {
      connection.destroy();
    }
    return (await runOn(database.rootUrl, 'SELECT * FROM probe')).length > 0;
  }

  const known = (list: readonly Case[]) => list.filter(({ only }) => only === undefined || only === server.product);

  it.each(known(committing))('$sql commits', async (each) => {
    expect(await commits(each, 'START TRANSACTION')).toBe(true);
    expect(mysqlDialect.notTransactional(each.sql)).toEqual(expect.any(String));
  });

  it.each(known(onlyForeseen))('$sql does not, but may elsewhere', async (each) => {
    expect(await commits(each, 'START TRANSACTION')).toBe(false);
    expect(mysqlDialect.notTransactional(each.sql)).toEqual(expect.any(String));
  });

  it.each(known(harmless))('$sql does not', async (each) => {
    expect(await commits(each, 'START TRANSACTION')).toBe(false);
    expect(mysqlDialect.notTransactional(each.sql)).toBeUndefined();
  });

  it.each([
    'SET autocommit = 1',
    'SET @x = 2, @@session.autocommit := ON',
    'SET SESSION autocommit = TRUE',
    'SET `autocommit` = DEFAULT',
  ])('%s commits when it was off', async (sql) => {
    expect(await commits({ sql }, 'SET autocommit = 0')).toBe(true);
    expect(mysqlDialect.notTransactional(sql)).toBe('SET autocommit');
  });

  it('UNLOCK TABLES commits when tables are locked', async () => {
    expect(await commits({ sql: 'UNLOCK TABLES' }, 'SET autocommit = 0; LOCK TABLES probe WRITE')).toBe(true);
  });
});
