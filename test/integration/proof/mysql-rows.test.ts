import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { mysqlProofQueries as queries } from '../../../adapters/databases/mysql/catalog/proof-queries.js';
import { mysql } from '../../../adapters/databases/mysql/index.js';
import type { Session } from '../../../src/adapter/database.js';
import type { CatalogObject } from '../../../src/proof/catalog.js';
import { compareRows } from '../../../src/proof/compare-rows.js';
import { createDatabase, forEachMysql, type MysqlDatabase } from '../../harness/mysql.js';
import { mysqlSettings } from '../../harness/mysql-settings.js';

/* Rows on real servers: lost, shortened and swapped values show, their order does not; and rows are generated for empty tables. */

const table = `CREATE TABLE t (id INT, a VARCHAR(40), b VARCHAR(40), f FLOAT, d DOUBLE, n DECIMAL(20,4), j JSON, x BLOB, bits BIT(9), at DATETIME(6), seen TIMESTAMP(3) NULL, s TEXT CHARACTER SET latin1, big BIGINT UNSIGNED)`;
const rows = `INSERT INTO t VALUES (1, 'one', 'uno', 0.1, 0.1, 1.5, '{"a": 1}', X'00ff', b'101', '2020-01-02 03:04:05.123456', '2020-01-02 03:04:05.123', 'caf\u00e9', 18446744073709551615),
 (2, 'two', NULL, 16777216, 1e300, NULL, NULL, '', NULL, NULL, NULL, '', 9223372036854775807), (3, '', '', NULL, NULL, 0, '[]', NULL, b'0', NULL, NULL, NULL, 0)`;

const others: Readonly<Record<string, readonly string[]>> = {
  'a row that is gone': ['DELETE FROM t WHERE id = 2'],
  'a row more': ['INSERT INTO t SELECT * FROM t WHERE id = 1'],
  'a row twice and another one gone': ['INSERT INTO t SELECT * FROM t WHERE id = 1', 'DELETE FROM t WHERE id = 2'],
  'a text that was cut': ["UPDATE t SET a = 'on' WHERE id = 1"],
  'a letter in another case': ["UPDATE t SET a = 'One' WHERE id = 1"],
  'a blank at the end': ["UPDATE t SET a = 'one ' WHERE id = 1"],
  'NULL instead of nothing': ['UPDATE t SET b = NULL WHERE id = 3'],
  'values of two columns swapped': [
    'UPDATE t SET id = 10, a = (@kept := a), a = b, b = @kept WHERE id = 1',
    'UPDATE t SET id = 1 WHERE id = 10',
  ],
  'values of two rows swapped': ["UPDATE t SET a = CASE a WHEN 'one' THEN 'two' ELSE 'one' END WHERE id IN (1, 2)"],
  'text moved between neighbours': ["UPDATE t SET a = 'oneu', b = 'no' WHERE id = 1"],
  'a separator in a text': ["UPDATE t SET a = 'one|3:uno', b = '' WHERE id = 1"],
  'the last bit of a float': ['UPDATE t SET f = 0.10000001 WHERE id = 1'],
  'a float of the same six digits': ['UPDATE t SET f = 16777218 WHERE id = 2'],
  'the last bit of a double': ['UPDATE t SET d = 0.1 + 1.4e-17 WHERE id = 1'],
  'a decimal': ['UPDATE t SET n = 1.5001 WHERE id = 1'],
  'json in other words': ['UPDATE t SET j = \'{"a": 2}\' WHERE id = 1'],
  'a byte of a blob': ["UPDATE t SET x = X'00fe' WHERE id = 1"],
  'a blob that is NULL': ['UPDATE t SET x = NULL WHERE id = 2'],
  'a bit': ["UPDATE t SET bits = b'100' WHERE id = 1"],
  'a microsecond': ["UPDATE t SET at = '2020-01-02 03:04:05.123457' WHERE id = 1"],
  'a millisecond of a timestamp': ["UPDATE t SET seen = '2020-01-02 03:04:05.124' WHERE id = 1"],
  'a letter outside ASCII': ["UPDATE t SET s = 'cafe' WHERE id = 1"],
  'a number beyond 63 bits': ['UPDATE t SET big = 18446744073709551614 WHERE id = 1'],
};

const sames: Readonly<Record<string, readonly string[]>> = {
  'rows in another order': [
    'CREATE TABLE u LIKE t',
    'INSERT INTO u SELECT * FROM t ORDER BY id DESC',
    'DROP TABLE t',
    'RENAME TABLE u TO t',
  ],
  'columns in another order': ['ALTER TABLE t MODIFY b VARCHAR(40) FIRST'],
  'a time zone of the session': ["SET time_zone = '+07:00'"],
  'a mode of the session': [
    "SET sql_mode = 'PIPES_AS_CONCAT,PAD_CHAR_TO_FULL_LENGTH,NO_BACKSLASH_ESCAPES,ANSI_QUOTES'",
  ],
};

/** Definitions of a table "t" that gets rows, with what the number of them must be. */
const fillable: Readonly<Record<string, readonly string[]>> = {
  'of every type': [
    `CREATE TABLE t (a TINYINT NOT NULL, b TINYINT UNSIGNED NOT NULL, c SMALLINT NOT NULL, d MEDIUMINT NOT NULL, e INT NOT NULL, f BIGINT NOT NULL, g BIGINT UNSIGNED NOT NULL, h DECIMAL(8,3) NOT NULL, i FLOAT NOT NULL, j DOUBLE NOT NULL, k BIT(5) NOT NULL, l BOOLEAN NOT NULL,
 m CHAR(3) NOT NULL, n VARCHAR(20) NOT NULL, o TINYTEXT NOT NULL, p TEXT NOT NULL, q BINARY(4) NOT NULL, r VARBINARY(9) NOT NULL, s BLOB NOT NULL, t DATE NOT NULL, u DATETIME NOT NULL, v TIMESTAMP(6) NOT NULL, w TIME(3) NOT NULL, x YEAR NOT NULL, y ENUM('a', 'b') NOT NULL, z SET('c', 'd') NOT NULL, js JSON NOT NULL, pt POINT NOT NULL, pg POLYGON NOT NULL)`,
  ],
  'with a counter and a unique key': [
    'CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, a VARCHAR(10) NOT NULL UNIQUE)',
  ],
  'with checks': [
    "CREATE TABLE t (a INT NOT NULL CHECK (a BETWEEN 3 AND 9), b INT NOT NULL, c VARCHAR(9) NOT NULL CHECK (c IN ('red', 'green', 'blue')), CHECK (b > a))",
  ],
  'with a generated column': [
    'CREATE TABLE t (a INT NOT NULL, b INT GENERATED ALWAYS AS (a + 1) STORED, c INT GENERATED ALWAYS AS (a + 2) VIRTUAL)',
  ],
  'with an empty parent': [
    'CREATE TABLE p (id INT PRIMARY KEY, n VARCHAR(9) NOT NULL)',
    'CREATE TABLE t (id INT PRIMARY KEY, p INT NOT NULL, FOREIGN KEY (p) REFERENCES p (id))',
  ],
  'with a grandparent and a key of two columns': [
    'CREATE TABLE g (a INT, b VARCHAR(5), PRIMARY KEY (a, b))',
    'CREATE TABLE p (id INT PRIMARY KEY, a INT NOT NULL, b VARCHAR(5) NOT NULL, FOREIGN KEY (a, b) REFERENCES g (a, b))',
    'CREATE TABLE t (id INT PRIMARY KEY, p INT NOT NULL UNIQUE, FOREIGN KEY (p) REFERENCES p (id))',
  ],
  'that refers to itself': ['CREATE TABLE t (id INT PRIMARY KEY, parent INT, FOREIGN KEY (parent) REFERENCES t (id))'],
};

const unfillable: Readonly<Record<string, readonly [statements: readonly string[], reason: RegExp]>> = {
  'with a trigger that fires': [
    ['CREATE TABLE t (id INT)', 'CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET NEW.id = 1'],
    /^t has a trigger that fires for each row \(x\)/,
  ],
  'that refers to itself without fail': [
    ['CREATE TABLE t (id INT PRIMARY KEY, parent INT NOT NULL, FOREIGN KEY (parent) REFERENCES t (id))'],
    /needs a row of t, and it refers to itself/,
  ],
  'with a check that nothing passes': [
    ['CREATE TABLE t (a INT NOT NULL CHECK (a > 5 AND a < 5))'],
    /refused every row/,
  ],
  'that is a view': [['CREATE VIEW t AS SELECT 1'], /^t is a view/],
};

forEachMysql('rows of', (server) => {
  let database: MysqlDatabase;
  let session: Session;
  beforeAll(async () => {
    database = await createDatabase(server);
  });
  afterAll(() => database.drop());
  afterEach(() => session.close());
  beforeEach(async () => {
    const { name } = database;
    session = await mysql.connect(mysqlSettings(database.rootUrl));
    await run([`DROP DATABASE ${name}`, `CREATE DATABASE ${name} CHARACTER SET utf8mb4`, `USE ${name}`]);
  });

  /** Without the accounts of the server, which other tests make and remove meanwhile. */
  const catalogObjects = async (): Promise<readonly CatalogObject[]> =>
    (await queries.readCatalog(session, [])).objects.filter(({ kind }) => kind !== 'role');

  async function run(statements: readonly string[]): Promise<void> {
    for (const sql of statements) {
      const { failure } = await session.pipeline([sql]);
      if (failure !== undefined) throw new Error(`${sql}: ${failure.error.message}`);
    }
  }

  describe('are other with', () => {
    test.each(Object.entries(others))('%s', async (_, statements) => {
      await run([table, rows]);
      const before = await queries.readRows(session, []);
      await run(statements);
      expect(compareRows(before, await queries.readRows(session, []))).toMatchObject([{ table: 't' }]);
    });
  });

  describe('are the same with', () => {
    test.each(Object.entries(sames))('%s', async (_, statements) => {
      await run([table, rows]);
      const before = await queries.readRows(session, []);
      expect(before.get('t')?.count).toBe(3);
      await run(statements);
      expect(compareRows(before, await queries.readRows(session, []))).toEqual([]);
    });
  });

  test('three rows that are the same twice over do not cancel each other out', async () => {
    await run(['CREATE TABLE t (a INT)', 'INSERT INTO t VALUES (1), (1), (2)']);
    const before = await queries.readRows(session, []);
    await run(['DELETE FROM t', 'INSERT INTO t VALUES (2), (2), (2)']);
    expect(compareRows(before, await queries.readRows(session, []))).toHaveLength(1);
  });

  describe('are generated for a table', () => {
    test.each(Object.entries(fillable))('%s, and taken away again', async (_, statements) => {
      await run(statements);
      const [catalog, positions] = [await catalogObjects(), await queries.readSequences(session, [])];
      await run(['BEGIN']);
      const filled = await queries.fillTables(session, ['t']);
      await run(['COMMIT']);
      expect(filled[0]).toMatchObject({
        table: 't',
        rows: expect.toSatisfy((count: number) => count >= 2) as number,
        reason: undefined,
      });
      const first = await queries.readRows(session, []);
      await run(['BEGIN']);
      await queries.emptyTables(session, filled);
      await run(['COMMIT']);
      expect(await queries.readRows(session, [])).toEqual(new Map());
      expect(await queries.readSequences(session, [])).toEqual(positions);
      expect(await catalogObjects()).toEqual(catalog);
      await queries.fillTables(session, ['t']);
      expect(await queries.readRows(session, [])).toEqual(first);
    });

    test('not, when they have some', async () => {
      await run(['CREATE TABLE t (id INT)', 'INSERT INTO t VALUES (1)']);
      expect(await queries.fillTables(session, ['t'])).toMatchObject([{ rows: 0, reason: undefined, digests: [] }]);
    });

    test.each(Object.entries(unfillable))('not %s', async (_, [statements, reason]) => {
      await run(statements);
      const [filled] = await queries.fillTables(session, ['t']);
      expect(filled).toMatchObject({ table: 't', rows: 0 });
      expect(filled?.reason).toMatch(reason);
    });

    test('and stay, when other rows refer to them by then', async () => {
      await run(['CREATE TABLE t (id INT PRIMARY KEY)']);
      const filled = await queries.fillTables(session, ['t']);
      await run(['CREATE TABLE c (t INT, FOREIGN KEY (t) REFERENCES t (id))', 'INSERT INTO c SELECT id FROM t']);
      await expect(queries.emptyTables(session, filled)).rejects.toMatchObject({ code: 'script-failed' });
    });
  });
});
