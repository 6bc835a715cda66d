import { describe, expect, it } from 'vitest';
import { createMysqlDialect } from '../../../adapters/databases/mysql/dialect.js';
import { postgresqlDialect } from '../../../adapters/databases/postgresql/dialect.js';
import { roleOf } from '../../../src/scripts/statement-roles.js';
import { codes, readScript } from './read-script.js';

const dialect = createMysqlDialect();
const historyTable = { schema: 'shop', name: 'flyway_schema_history' };
const read = (text: string): ReturnType<typeof readScript> =>
  readScript(text, { dialect, historyTable, recordTable: { schema: 'shop', name: 'flyback_record' } });
const role = (text: string, as = dialect): string => roleOf({ text, offset: 0, line: 1, column: 1 }, as).kind;

describe('roles', () => {
  it.each([
    ['BEGIN', 'begin'],
    ['START TRANSACTION READ WRITE', 'begin'],
    ['/*!50003 START TRANSACTION */', 'begin'],
    ['BEGIN NOT ATOMIC DELETE FROM t; END', 'effect'],
    ['COMMIT WORK', 'commit'],
    ['COMMIT AND NO CHAIN NO RELEASE', 'commit'],
    ['COMMIT RELEASE', 'refused'],
    ['COMMIT AND CHAIN', 'refused'],
    ['ROLLBACK AND NO CHAIN RELEASE', 'refused'],
    ['ROLLBACK TO release', 'refused'],
    ["XA COMMIT 'x'", 'refused'],
    ['LOCK TABLES t WRITE', 'refused'],
    ['LOCK TABLE t READ', 'refused'],
    ['UNLOCK TABLES', 'refused'],
    ['SET foreign_key_checks = 0', 'setting'],
    ['/*!40014 SET FOREIGN_KEY_CHECKS=0 */', 'setting'],
    ['SET @x = 1, @@session.sort_buffer_size = 5', 'setting'],
    ['SET NAMES utf8mb4', 'setting'],
    ["SET sql_mode = 'STRICT_TRANS_TABLES'", 'setting'],
    ["SET SESSION sql_mode = CONCAT(@@sql_mode, ',ansi_quotes')", 'strings-off'],
    ["SET @x = 1, sql_mode = 'NO_BACKSLASH_ESCAPES'", 'strings-off'],
    ["SET @sql_mode = 'ANSI_QUOTES'", 'setting'],
    ['SET autocommit = 0', 'refused'],
    ['SET SESSION autocommit = 1', 'refused'],
    ['SET @@autocommit = 1', 'refused'],
    ['SET @autocommit = 1', 'setting'],
    ['SET TRANSACTION READ ONLY', 'refused'],
    ['SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE', 'refused'],
    ["SET @@session.tx_isolation = 'SERIALIZABLE'", 'refused'],
    ['SET GLOBAL max_connections = 5', 'effect'],
    ['SET sort_buffer_size = 1, GLOBAL max_connections = 5', 'effect'],
    ['SET @@persist.max_connections = 5', 'effect'],
    ["SET PASSWORD = 'x'", 'effect'],
    ['SET DEFAULT ROLE a TO b', 'effect'],
    ['SET STATEMENT max_statement_time = 5 FOR DELETE FROM t', 'effect'],
    ['RESET QUERY CACHE', 'effect'],
    ['USE shop', 'setting'],
    ['DESCRIBE t', 'setting'],
    ['SELECT * FROM t', 'query'],
    ['SELECT count(*) INTO @n FROM t', 'setting'],
    ["SELECT * INTO OUTFILE 'f' FROM t", 'effect'],
    ['WITH x AS (SELECT 1) SELECT * FROM x', 'query'],
    ['WITH x AS (SELECT 1) DELETE t FROM t JOIN x', 'effect'],
    ['WITH x AS (SELECT 1) UPDATE t JOIN x SET a = 1', 'effect'],
  ])('%s: %s', (text, kind) => {
    expect(role(text)).toBe(kind);
  });

  it.each([
    ['BEGIN NOT DEFERRABLE', 'begin'],
    ['LOCK TABLE t', 'effect'],
    ['SET autocommit = 0', 'setting'],
    ['USE shop', 'effect'],
    ['RESET search_path', 'setting'],
  ])('%s stays %s on PostgreSQL', (text, kind) => {
    expect(role(text, postgresqlDialect)).toBe(kind);
  });
});

describe('a script as teams write it for MySQL', () => {
  it('is taken apart like any other', () => {
    const script = read(`
SET FOREIGN_KEY_CHECKS = 0;
START TRANSACTION;
UPDATE \`orders\` SET note = 'it\\'s; -- no comment' WHERE id = 1;
DELETE FROM \`flyway_schema_history\` WHERE \`version\` = '7' LIMIT 1;
COMMIT;
`);
    expect(codes(script)).toEqual([]);
    expect(script.takenOver.map(({ part }) => part).sort()).toEqual(['begin', 'commit', 'history-delete']);
    expect(script.statements.map(({ text }) => text.slice(0, 6))).toEqual(['SET FO', 'UPDATE']);
    expect(script.transaction).toBe('on');
  });

  it.each([
    ["DELETE FROM `shop`.`flyway_schema_history` WHERE `version` = '7'"],
    ['DELETE FROM flyway_schema_history WHERE version = "7" AND success = TRUE'],
    ['DELETE FROM flyway_schema_history WHERE installed_rank = 7 LIMIT 1'],
  ])('takes over %s', (text) => {
    const script = read(`UPDATE t SET a = 1;\n${text};`);
    expect(codes(script)).toEqual([]);
    expect(script.takenOver.map(({ part }) => part)).toEqual(['history-delete']);
  });

  it.each([
    ["DELETE FROM flyway_schema_history WHERE version = '7' OR 1"],
    ['DELETE h FROM flyway_schema_history h'],
    ['DELETE t, h FROM t JOIN flyway_schema_history AS h ON h.version = t.v'],
    ['DELETE flyway_schema_history.* FROM flyway_schema_history, t'],
    ['DELETE FROM h USING t JOIN flyway_schema_history h'],
    ['UPDATE t JOIN flyway_schema_history h ON h.version = t.v SET h.success = 0'],
    ['UPDATE LOW_PRIORITY `flyway_schema_history` SET success = 0'],
    ["REPLACE INTO flyway_schema_history VALUES (1, '7')"],
    ["LOAD DATA INFILE 'f' INTO TABLE flyway_schema_history"],
    ['RENAME TABLE t TO u, flyway_schema_history TO v'],
    ['TRUNCATE flyway_schema_history'],
    ['DROP DATABASE shop'],
    ["PREPARE p FROM 'DELETE FROM flyway_schema_history'"],
    ["EXECUTE IMMEDIATE 'DELETE FROM flyway_schema_history'"],
    ['BEGIN NOT ATOMIC DELETE FROM flyway_schema_history; END'],
    ['/*!50000 UPDATE flyway_schema_history SET success = 0 */'],
  ])('refuses %s', (text) => {
    expect(codes(read(`${text};`))).toContain('history-touched 1');
  });

  it.each([
    ['DELETE FROM t WHERE v IN (SELECT version FROM flyway_schema_history)'],
    ['DELETE FROM t USING t JOIN flyway_schema_history h ON h.version = t.v'],
    ['UPDATE t SET a = (SELECT max(version) FROM flyway_schema_history)'],
    ['CREATE TABLE kept SELECT * FROM flyway_schema_history'],
    ['SHOW CREATE TABLE flyway_schema_history'],
    ['DROP DATABASE elsewhere'],
    ["PREPARE p FROM 'DELETE FROM t'"],
  ])('lets %s pass', (text) => {
    expect(codes(read(`UPDATE t SET a = 1;\n${text};`))).toEqual([]);
  });

  it('says in the words of MySQL what is wrong', () => {
    const script = read("SET sql_mode = 'ANSI_QUOTES';\nSTART TRANSACTION READ ONLY;\nDELETE FROM t;\nCOMMIT;");
    expect([...codes(script)].sort()).toEqual(['strings-nonstandard 1', 'transaction-mode-ignored 2']);
    const texts = script.findings.map(({ message, hint }) => `${message} ${hint ?? ''}`).join('\n');
    expect(texts).toMatch(/sql_mode/);
    expect(texts).toMatch(/REPEATABLE READ/);
    expect(texts).not.toMatch(/standard_conforming_strings|READ COMMITTED/);
  });

  it('takes LOCAL for SESSION', () => {
    const script = read('SET LOCAL sort_buffer_size = 5;\nALTER TABLE t DROP COLUMN a;');
    expect(script.transaction).toBe('off');
    expect(codes(script)).toEqual([]);
  });

  it('does nothing when it only asks and sets', () => {
    expect(codes(read('SET @x = 1;\nSELECT count(*) INTO @n FROM t;\nUSE shop;'))).toEqual(['script-no-effect']);
  });
});
