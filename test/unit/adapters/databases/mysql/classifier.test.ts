import { beforeAll, describe, expect, it } from 'vitest';
import { loadClassifier } from '../../../../../adapters/databases/mysql/classifier.js';
import type { Classifier } from '../../../../../src/adapter/database.js';
import type { ObjectRef, ParseProblem, StatementImpact } from '../../../../../src/risk/change.js';

/* Which tables are written, and how a table in use is changed, is judged by a real server: test/integration, online-ddl and written-tables. */

let classifier: Classifier;

beforeAll(async () => {
  classifier = await loadClassifier();
});

function impactOf(sql: string): StatementImpact {
  const impact = classifier.classify(sql);
  if ('message' in impact) throw new Error(`${sql}: ${impact.message}`);
  return impact;
}

function problemOf(sql: string): ParseProblem {
  const problem = classifier.classify(sql);
  if (!('message' in problem)) throw new Error(`${sql} was understood.`);
  return problem;
}

function text(ref: ObjectRef): string {
  return `${ref.kind} ${[ref.schema, ref.name, ref.member].filter((part) => part !== undefined).join('.')}`;
}

describe('changes', () => {
  it.each([
    ['CREATE TABLE t (id INT)', ['create-table']],
    ['CREATE TABLE t SELECT 1', ['create-table']],
    ['CREATE TABLE t LIKE u', ['create-table']],
    ['CREATE OR REPLACE TABLE t (id INT)', ['drop-table', 'create-table']],
    ['CREATE TABLE t (id INT) PARTITION BY HASH (id)', ['create-table', 'partition']],
    ['DROP TABLE t', ['drop-table']],
    ['DROP TEMPORARY TABLE t', ['session-setting']],
    ['RENAME TABLE t TO u', ['rename']],
    ['ALTER TABLE t ADD a INT, DROP b, MODIFY c TEXT', ['add-column', 'drop-column', 'alter-type']],
    ['ALTER TABLE t ADD a INT UNIQUE', ['add-column', 'add-index']],
    ['ALTER TABLE t ADD a INT REFERENCES u (id)', ['add-column', 'add-constraint']],
    ['ALTER TABLE t CHANGE a b INT', ['alter-type', 'rename']],
    ['ALTER TABLE t CHANGE a A BIGINT', ['alter-type']],
    ["ALTER TABLE t MODIFY a ENUM ('x', 'y')", ['alter-type']],
    ['ALTER TABLE t ADD CHECK (a > 0), DROP CONSTRAINT c', ['add-constraint', 'drop-constraint']],
    ['ALTER TABLE t ADD UNIQUE KEY (a)', ['add-index', 'add-constraint']],
    ['ALTER TABLE t ADD INDEX (a), DROP INDEX i', ['add-index', 'drop-index']],
    ['ALTER TABLE t DROP PRIMARY KEY, DROP FOREIGN KEY f', ['drop-constraint']],
    ['ALTER TABLE t ALTER a SET DEFAULT 1', ['change-default']],
    ['ALTER TABLE t ALTER INDEX i INVISIBLE', ['storage']],
    ["ALTER TABLE t COMMENT 'x'", ['comment']],
    ["ALTER TABLE t COMMENT = 'x' ENGINE InnoDB AUTO_INCREMENT = 5", ['comment', 'storage', 'sequence']],
    ['ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4', ['alter-type']],
    ['ALTER TABLE t DEFAULT CHARSET utf8mb4 COLLATE utf8mb4_bin', ['change-default']],
    ['ALTER TABLE t RENAME TO u', ['rename']],
    ['ALTER TABLE t RENAME COLUMN a TO b, RENAME INDEX i TO j', ['rename']],
    ['ALTER TABLE t ADD PARTITION (PARTITION p VALUES LESS THAN (9))', ['partition']],
    ['ALTER TABLE t DROP PARTITION p, q', ['partition', 'delete-data']],
    ['ALTER TABLE t TRUNCATE PARTITION p', ['partition', 'truncate']],
    ['ALTER TABLE t EXCHANGE PARTITION p WITH TABLE u', ['partition']],
    ['ALTER TABLE t PARTITION BY HASH (a) PARTITIONS 4', ['partition']],
    ['ALTER TABLE t ORDER BY a, b DESC', ['storage']],
    ['ALTER TABLE t FORCE, ALGORITHM = COPY, LOCK SHARED', ['storage']],
    ['ALTER TABLE t TURN AROUND', ['other']],
    ['CREATE INDEX i ON t (a)', ['add-index']],
    ['CREATE OR REPLACE INDEX i ON t (a)', ['drop-index', 'add-index']],
    ['DROP INDEX i ON t', ['drop-index']],
    ['CREATE VIEW v AS SELECT 1', ['create-object']],
    ['CREATE OR REPLACE VIEW v AS SELECT 1', ['replace-object']],
    ["CREATE DEFINER = 'a'@'b' PROCEDURE p() SELECT 1", ['create-object']],
    ['CREATE AGGREGATE FUNCTION f RETURNS INT SONAME "f.so"', ['create-object']],
    ['CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW DELETE FROM u', ['create-object']],
    ['CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM t', ['create-object']],
    ['ALTER EVENT e DISABLE', ['trigger-state']],
    ['ALTER EVENT e RENAME TO f', ['rename']],
    ['ALTER VIEW v AS SELECT 2', ['replace-object']],
    ['DROP VIEW v', ['drop-object']],
    ['CREATE SEQUENCE s', ['sequence']],
    ['SELECT NEXT VALUE FOR s', ['query', 'sequence']],
    ["CREATE USER a IDENTIFIED BY 'x'", ['create-object']],
    ["ALTER USER a IDENTIFIED BY 'x'", ['privilege']],
    ['GRANT SELECT ON t TO a', ['privilege']],
    ['CREATE DATABASE d', ['create-schema']],
    ['DROP SCHEMA d', ['drop-schema']],
    ['ALTER DATABASE CHARACTER SET utf8mb4', ['change-default']],
    ['INSERT INTO t VALUES (1)', ['insert-data']],
    ['INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a = 1', ['insert-data', 'update-data']],
    ['REPLACE t VALUES (1)', ['insert-data', 'delete-data']],
    ['UPDATE t SET a = 1', ['update-data']],
    ['DELETE FROM t', ['delete-data']],
    ["LOAD DATA INFILE 'f' INTO TABLE t", ['data-copy', 'insert-data']],
    ['TRUNCATE t', ['truncate']],
    ['SELECT 1', ['query']],
    ["SELECT * FROM t INTO OUTFILE '/tmp/f'", ['query', 'data-copy']],
    ['TABLE t', ['query']],
    ['SHOW TABLES', ['query']],
    ['DO SLEEP(1)', ['query']],
    ['CALL p()', ['procedural']],
    ["PREPARE s FROM 'DROP TABLE t'", ['session-setting']],
    ['EXECUTE s', ['procedural']],
    ["EXECUTE IMMEDIATE 'DROP TABLE t'", ['drop-table']],
    ['EXECUTE IMMEDIATE CONCAT(@a, @b)', ['procedural']],
    ['BEGIN NOT ATOMIC DELETE FROM t; END', ['procedural', 'delete-data']],
    ['SET foreign_key_checks = 0', ['session-setting']],
    ['SET GLOBAL max_connections = 5', ['server-setting']],
    ['SET @@global.max_connections = 5, @x = 1', ['server-setting', 'session-setting']],
    ['SET autocommit = 1', ['session-setting', 'transaction-control']],
    ["SET PASSWORD FOR a = 'x'", ['privilege']],
    ['SET STATEMENT max_statement_time = 1 FOR DELETE FROM t', ['delete-data']],
    ['LOCK TABLES t WRITE', ['session-setting']],
    ['OPTIMIZE TABLE t', ['maintenance']],
    ['ANALYZE LOCAL TABLE t', ['maintenance']],
    ['ANALYZE FORMAT = JSON UPDATE t SET a = 1', ['query', 'update-data']],
    ["INSTALL SONAME 'x'", ['extension']],
    ['START REPLICA', ['server-setting']],
    ['BEGIN', ['transaction-control']],
    ['XA START "x"', ['transaction-control']],
    [
      '/*!50003 CREATE */ /*!50017 DEFINER = `a`@`b` */ /*!50003 TRIGGER tr BEFORE DELETE ON t FOR EACH ROW DO 1 */',
      ['create-object'],
    ],
    ['/*!40000 ALTER TABLE t DISABLE KEYS */', ['storage']],
  ])('%s', (sql, changes) => {
    expect(impactOf(sql).changes).toEqual(changes);
  });
});

describe('objects', () => {
  it.each([
    ['CREATE TABLE `My Shop`.`Orders` (id INT)', ['table My Shop.Orders']],
    ['CREATE TABLE 2nd (id INT)', ['table 2nd']],
    [
      'ALTER TABLE shop.t ADD (a INT, b INT, KEY k (a))',
      ['table shop.t', 'column shop.t.a', 'column shop.t.b', 'index shop.t.k'],
    ],
    ['ALTER TABLE t ADD CONSTRAINT q UNIQUE (a)', ['table t', 'index t.q']],
    ['ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (b)', ['table t', 'constraint t.f']],
    ['ALTER TABLE t ADD CONSTRAINT CHECK (a > 0)', ['table t']],
    ['ALTER TABLE t ADD `index` INT', ['table t', 'column t.index']],
    ['CREATE UNIQUE INDEX i USING BTREE ON shop.t (a)', ['index shop.t.i']],
    ["CREATE USER 'a'@'%' IDENTIFIED BY 'x', b@localhost", ['user a@%', 'user b@localhost']],
    ['RENAME TABLE a TO shop.b, c WAIT 5 TO d', ['table a', 'table shop.b', 'table c', 'table d']],
    ['CREATE PROCEDURE shop.p(IN a INT, OUT b INT) SET b = a', ['procedure shop.p']],
    ['ALTER TABLE "t" DROP "a"', ['table t', 'column t.a']],
  ])('%s', (sql, objects) => {
    expect(impactOf(sql).objects.map(text)).toEqual(objects);
  });

  it.each([
    ['DROP TABLE IF EXISTS a, shop.b CASCADE', ['table a', 'table shop.b']],
    ['ALTER TABLE t DROP a, DROP COLUMN IF EXISTS b, DROP KEY k', ['column t.a', 'column t.b', 'index t.k']],
    [
      'ALTER TABLE t DROP PRIMARY KEY, DROP FOREIGN KEY f, DROP CHECK c',
      ['index t.PRIMARY', 'constraint t.f', 'constraint t.c'],
    ],
    ['DROP INDEX `i` ON shop.t', ['index shop.t.i']],
    ['DROP TRIGGER IF EXISTS shop.tr', ['trigger shop.tr']],
    ['DROP DATABASE shop', ['schema shop']],
    ['DROP USER a@localhost, b', ['user a@localhost', 'user b']],
    ['TRUNCATE t', []],
  ])('%s drops', (sql, drops) => {
    const impact = impactOf(sql);
    expect(impact.drops.map(text)).toEqual(drops);
    // CASCADE means nothing on these servers.
    expect(impact.cascade).toBe(false);
  });

  it('reads quotes by the sql_mode that it is told', async () => {
    const other = await loadClassifier({ ansiQuotes: true, noBackslashEscapes: true });
    const impact = other.classify('DELETE FROM "my shop"."t" WHERE a = \'\\\' OR b IN (SELECT x FROM "u")');
    if ('message' in impact) throw new Error(impact.message);
    expect(impact.writes.map(text)).toEqual(['table my shop.t']);
    expect(impact.locks.map(({ on }) => on.name)).toEqual(['t', 'u']);
  });
});

describe('locks', () => {
  const locksOf = (sql: string): readonly string[] =>
    impactOf(sql).locks.map(({ level, on }) => `${level} ${text(on)}`);

  it.each([
    ['ALTER TABLE t ADD a INT', ['EXCLUSIVE table t']],
    ['ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u (b)', ['EXCLUSIVE table t', 'EXCLUSIVE table u']],
    ['ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES t (b)', ['EXCLUSIVE table t']],
    [
      'CREATE TABLE t (a INT REFERENCES u (b), FOREIGN KEY (a) REFERENCES w (b))',
      ['EXCLUSIVE table u', 'EXCLUSIVE table w'],
    ],
    ['CREATE TRIGGER tr AFTER UPDATE ON shop.t FOR EACH ROW DELETE FROM u', ['EXCLUSIVE table shop.t']],
    ['TRUNCATE TABLE t', ['EXCLUSIVE table t']],
    ['INSERT INTO t SELECT * FROM u', ['SHARED WRITE table t', 'SHARED READ table u']],
    ['UPDATE t SET a = (SELECT max(b) FROM u)', ['SHARED WRITE table t', 'SHARED READ table u']],
    ['SELECT * FROM t FOR UPDATE', ['SHARED WRITE table t']],
    ['SELECT EXTRACT(YEAR FROM d), TRIM(LEADING x FROM y) FROM t', ['SHARED READ table t']],
    [
      'SELECT * FROM a, b x JOIN (c, d) LEFT JOIN e USING (i) WHERE EXISTS (SELECT 1 FROM f)',
      ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => `SHARED READ table ${name}`),
    ],
    ['SELECT * FROM (SELECT * FROM a UNION SELECT * FROM b) x', ['SHARED READ table a', 'SHARED READ table b']],
    ["SELECT * FROM JSON_TABLE('[1]', '$[*]' COLUMNS (i INT PATH '$')) j, t", ['SHARED READ table t']],
    [
      'WITH RECURSIVE x (n) AS (SELECT 1 FROM a UNION ALL SELECT n FROM x), y AS (SELECT * FROM x) SELECT * FROM y, b',
      ['SHARED READ table a', 'SHARED READ table b'],
    ],
    ['SELECT 1 FROM DUAL', []],
    ['LOCK TABLES a READ LOCAL, b AS x WRITE', ['SHARED READ ONLY table a', 'SHARED NO READ WRITE table b']],
    ['DROP TEMPORARY TABLE t', []],
  ])('%s', (sql, locks) => {
    expect(locksOf(sql)).toEqual(locks);
  });
});

describe('loss and work', () => {
  it.each([
    ['DROP TABLE t', 'yes', 'none'],
    ['ALTER TABLE t DROP a', 'yes', 'none'],
    ['ALTER TABLE t MODIFY a INT', 'maybe', 'rewrite'],
    ['ALTER TABLE t MODIFY a INT, ALGORITHM = INSTANT', 'maybe', 'none'],
    ['ALTER TABLE t ADD a INT', 'no', 'none'],
    ['ALTER TABLE t ADD INDEX (a)', 'no', 'scan'],
    ['ALTER TABLE t ADD INDEX (a), ALGORITHM = COPY', 'no', 'rewrite'],
    ['ALTER TABLE t DROP PARTITION p', 'yes', 'none'],
    ['ALTER TABLE t EXCHANGE PARTITION p WITH TABLE u', 'no', 'scan'],
    ['ALTER TABLE t EXCHANGE PARTITION p WITH TABLE u WITHOUT VALIDATION', 'no', 'none'],
    ['ALTER TABLE t DISCARD TABLESPACE', 'yes', 'none'],
    ['ALTER TABLE t TURN AROUND', 'maybe', 'rewrite'],
    ['CREATE OR REPLACE TABLE t (a INT)', 'maybe', 'none'],
    ['DELETE FROM t', 'yes', 'none'],
    ['INSERT INTO t VALUES (1)', 'no', 'none'],
    ['CALL p()', 'maybe', 'none'],
    ['CREATE SOMETHING new', 'maybe', 'none'],
    ['SELECT 1', 'no', 'none'],
  ])('%s: %s, %s', (sql, loss, work) => {
    const impact = impactOf(sql);
    expect([impact.dataLoss, impact.work]).toEqual([loss, work]);
  });

  it('tells nothing of a table in use where none is changed', () => {
    for (const sql of ['DROP TABLE t', 'CREATE TABLE t (a INT)', 'TRUNCATE t', 'UPDATE t SET a = 1', 'SELECT 1']) {
      expect(impactOf(sql).online, sql).toBeUndefined();
    }
  });
});

describe('transactions', () => {
  it.each([
    ['DROP TABLE t', 'DROP TABLE commits what is open, and itself.'],
    [
      'CREATE OR REPLACE DEFINER = a SQL SECURITY INVOKER VIEW v AS SELECT 1',
      'CREATE VIEW commits what is open, and itself.',
    ],
    ['CREATE UNIQUE INDEX i ON t (a)', 'CREATE INDEX commits what is open, and itself.'],
    ['ALTER ONLINE TABLE t ADD a INT', 'ALTER TABLE commits what is open, and itself.'],
    ['DELETE FROM t', undefined],
    ['CREATE TEMPORARY TABLE t (a INT)', undefined],
  ])('%s', (sql, sentence) => {
    expect(impactOf(sql).notTransactional).toBe(sentence);
  });

  it.each(['BEGIN', 'START TRANSACTION', 'COMMIT', 'ROLLBACK', 'SAVEPOINT a', 'RELEASE SAVEPOINT a', "XA END 'x'"])(
    '%s controls one',
    (sql) => {
      expect(impactOf(sql).transactionControl).toBe(true);
    },
  );

  it.each(['START REPLICA', 'BEGIN NOT ATOMIC SET @a = 1; END', 'LOCK TABLES t READ'])('%s does not', (sql) => {
    expect(impactOf(sql).transactionControl).toBe(false);
  });
});

describe('what is no statement', () => {
  it.each([
    ['', undefined],
    ['/* nothing */ -- at all', undefined],
    ['FROBNICATE t', 0],
    ['  /* a */ `SELECT` 1', 10],
    ['VACUUM t', 0],
    ['SELECT 1; SELECT 2', 8],
    ['BEGIN; SELECT 1', 5],
    ['CREATE TABLE t (a INT); DROP TABLE t', 22],
    ['SELECT (1 + 2', 7],
    ['SELECT 1)', 8],
    ['SELECT \0', 7],
  ])('%s', (sql, offset) => {
    expect(problemOf(sql).offset).toBe(offset);
  });

  it.each([
    'SELECT 1;',
    "SELECT ';', ')' # ;",
    'CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END',
    'again: LOOP LEAVE again; END LOOP',
    'IF 1 THEN SELECT 1; END IF',
    'CREATE SOMETHING new',
  ])('%s may be one', (sql) => {
    expect(classifier.classify(sql)).toHaveProperty('changes');
  });
});

describe('what is long', () => {
  it('is read however deep its parentheses lie, and however many rows it has', () => {
    const deep = impactOf(`SELECT ${'('.repeat(20_000)}1${')'.repeat(20_000)} FROM t`);
    expect(deep.locks.map(({ on }) => on.name)).toEqual(['t']);
    const rows = Array.from({ length: 50_000 }, (_, id) => `(${id}, 'it''s (row) ${id}')`).join(', ');
    expect(impactOf(`INSERT INTO t (id, a) VALUES ${rows}`).writes.map(text)).toEqual(['table t']);
  });
});
