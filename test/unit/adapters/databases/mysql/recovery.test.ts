import { describe, expect, it } from 'vitest';
import { recovery } from '../../../../../adapters/databases/mysql/recovery.js';

describe('what may run again without harm', () => {
  it.each([
    'TRUNCATE TABLE t',
    'OPTIMIZE TABLE t',
    'ANALYZE NO_WRITE_TO_BINLOG TABLE t',
    'FLUSH PRIVILEGES',
    "GRANT SELECT ON d.* TO 'u'@'%'",
    'REVOKE IF EXISTS SELECT ON d.* FROM u',
    "CREATE USER IF NOT EXISTS 'u'@'%' IDENTIFIED BY 'x'",
    'CREATE OR REPLACE ROLE r',
    'DROP USER IF EXISTS u',
    "ALTER USER u IDENTIFIED BY 'x'",
    'CREATE OR REPLACE INDEX i ON t (a)',
    'ALTER VIEW v AS SELECT 2',
    'ALTER DEFINER = CURRENT_USER SQL SECURITY INVOKER VIEW v AS SELECT 2',
    "ALTER PROCEDURE p COMMENT 'x'",
    'ALTER EVENT e DISABLE',
    'ALTER EVENT e ON SCHEDULE EVERY 2 DAY DO SELECT 1',
    'ALTER DATABASE d CHARACTER SET utf8mb4',
    'ALTER SEQUENCE s RESTART 5',
    'ALTER TABLE t FORCE',
    'ALTER TABLE t AUTO_INCREMENT = 100',
    'ALTER TABLE t ORDER BY a, b',
    'ALTER TABLE t TRUNCATE PARTITION p0',
    'ALTER TABLE t FORCE, ALGORITHM = INPLACE, LOCK = NONE',
    "SET PASSWORD FOR u = 'x'",
    'SET STATEMENT lock_wait_timeout = 1 FOR OPTIMIZE TABLE t',
    "EXECUTE IMMEDIATE 'TRUNCATE TABLE t'",
  ])('%s', (sql) => {
    expect(recovery(sql)).toMatchObject({ kind: 'repeatable', waitsAside: false, inspect: undefined });
  });
});

describe('what nothing tells', () => {
  it.each([
    ['CALL p()', false],
    ['BEGIN NOT ATOMIC DROP TABLE t; DROP TABLE u; END', false],
    ['IF 1 THEN DROP TABLE t; END IF', false],
    ['EXECUTE prepared', false],
    ["EXECUTE IMMEDIATE CONCAT('DROP TABLE ', @t)", false],
    ["EXECUTE IMMEDIATE 'CALL p()'", false],
    ["LOAD DATA INFILE 'x' INTO TABLE t", false],
    ['ALTER TABLE t EXCHANGE PARTITION p WITH TABLE u', false],
    ['ALTER TABLE t DISCARD TABLESPACE', false],
    ['DROP USER u, w', false],
    ['CREATE USER u', true],
    ['REVOKE SELECT ON d.* FROM u', true],
    ['RENAME USER u TO w', true],
    ["ALTER USER u IDENTIFIED BY 'x' RETAIN CURRENT PASSWORD", true],
    ["CREATE FUNCTION f RETURNS STRING SONAME 'lib.so'", true],
    ["CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (HOST 'h')", true],
    ['', false],
    ['DROP TABLE', false],
    ['CREATE', true],
    ['RENAME TABLE a', false],
  ])('%s', (sql, failsCleanly) => {
    const found = recovery(sql);
    expect(found).toMatchObject({ kind: 'unknown', failsCleanly, inspect: undefined });
    expect(found.judge(null, []).state).toBe('unknown');
  });
});

describe('names', () => {
  it.each([
    ['DROP TABLE `a``b`', "'a`b'"],
    ['DROP TABLE "ansi"', "'ansi'"],
    ['DROP TABLE Shop . Orders', "'Shop'"],
    ['DROP TABLE /*!40000 IF EXISTS */ Orders', "'Orders'"],
    ["ALTER TABLE t RENAME = 'x'", undefined],
    ['ALTER ONLINE IGNORE TABLE IF EXISTS t NOWAIT ADD c INT', "'t'"],
    ['CREATE INDEX i ON `order` (a)', "'order'"],
    ["CREATE DEFINER = `table`@'%' EVENT e ON SCHEDULE AT NOW() DO SELECT 1", "'e'"],
  ])('%s', (sql, literal) => {
    const { inspect } = recovery(sql);
    if (literal !== undefined) expect(inspect).toContain(literal);
  });

  it('those of other alphabets are sent as bytes', () => {
    expect(recovery('DROP TABLE tablé').inspect).toContain("_utf8mb4 X'7461626cc3a9'");
  });
});

describe('judgements on what is rare', () => {
  const there = [['0', 's', 'd', '8.0.20']];

  it('an event that runs once may have come and gone', () => {
    const found = recovery('CREATE EVENT e ON SCHEDULE AT NOW() DO SELECT 1');
    expect(found.judge([], []).state).toBe('unknown');
    expect(found.judge([], there).state).toBe('done');
    expect(recovery('CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1').judge([], []).state).toBe('not-done');
  });

  it('a table that an old MySQL fills in a second step may be empty', () => {
    const found = recovery('CREATE TABLE t PARTITION BY HASH (a) SELECT a FROM u');
    expect(found.judge([], there).state).toBe('unknown');
    expect(found.judge([], [['0', 's', 'd', '8.0.36']]).state).toBe('done');
    expect(found.judge([], [['0', 's', 'd', '10.11.4-MariaDB']]).state).toBe('done');
    const plain = recovery('CREATE TABLE t (a INT) PARTITION BY RANGE (a) (PARTITION p VALUES LESS THAN (1))');
    expect(plain.judge([], there).state).toBe('done');
  });

  it('what has appeared or vanished without the statement is not told', () => {
    expect(recovery('DROP TABLE t').judge([], there).state).toBe('unknown');
    expect(recovery('ALTER TABLE t ADD c INT').judge(there, []).state).toBe('unknown');
    expect(recovery('CREATE TABLE t (a INT)').judge(there, []).state).toBe('unknown');
    expect(recovery('RENAME TABLE a TO b, c TO d').judge([['0', 's', 'd']], [['3', 's', 'd']]).state).toBe('unknown');
  });
});
