import { beforeAll, describe, expect, it } from 'vitest';
import { loadClassifier as loadMysqlClassifier } from '../../../adapters/databases/mysql/classifier.js';
import { mysqlDialect } from '../../../adapters/databases/mysql/dialect.js';
import { loadClassifier } from '../../../adapters/databases/postgresql/classifier.js';
import { postgresqlDialect } from '../../../adapters/databases/postgresql/dialect.js';
import type { Classifier } from '../../../src/adapter/database.js';
import { scriptMistakes } from '../../../src/pairing/script-mistakes.js';
import { readScript } from '../scripts/read-script.js';

let classifier: Classifier;
beforeAll(async () => {
  classifier = await loadClassifier();
});

const mistakesIn = (text: string): readonly string[] =>
  scriptMistakes(readScript(text), classifier, postgresqlDialect, 'public').map(
    ({ code, location }) => `${code} ${location?.line ?? 0}`,
  );
const verified = (script: string, query: string): string => `${script}\n${query};\n-- expect: 0\n`;

describe('a table that is read after it was dropped', () => {
  it.each([
    ['by a verification', verified('DROP TABLE orders;', 'SELECT count(*) FROM orders'), 2],
    [
      'in an orphan query',
      verified('DROP TABLE items;', 'SELECT count(*) FROM orders o LEFT JOIN items i ON i.o = o.id WHERE i.id IS NULL'),
      2,
    ],
    ['in a subquery', verified('DROP TABLE orders;', 'SELECT 1 WHERE EXISTS (SELECT FROM public.orders)'), 2],
    ['in its own schema', verified('DROP TABLE app.orders;', 'SELECT count(*) FROM app.orders'), 2],
    ['with its schema', verified('DROP SCHEMA app CASCADE;', 'SELECT count(*) FROM app.orders'), 2],
    ['as a view', verified('DROP VIEW totals;', 'SELECT count(*) FROM totals'), 2],
    ['by a query that nobody checks', 'DROP TABLE orders;\nSELECT count(*) FROM orders;', 2],
    ['by a statement that writes to it', 'DROP TABLE orders;\nDELETE FROM orders WHERE id > 3;', 2],
  ] as const)('%s', (_name, text, line) => {
    expect(mistakesIn(text)).toEqual([`verification-reads-dropped ${line}`]);
  });

  it.each([
    ['another table', verified('DROP TABLE orders;', 'SELECT count(*) FROM customers')],
    ['the catalog', verified('DROP TABLE orders;', `SELECT to_regclass('orders')`)],
    [
      'the information schema',
      verified('DROP TABLE orders;', `SELECT count(*) FROM information_schema.tables WHERE table_name = 'orders'`),
    ],
    ['the same name in another schema', verified('DROP TABLE old.orders;', 'SELECT count(*) FROM app.orders')],
    ['a copy of that name in another schema', verified('DROP TABLE orders;', 'SELECT count(*) FROM kept.orders')],
    ['created again', verified('DROP TABLE orders;\nCREATE TABLE orders (id int);', 'SELECT count(*) FROM orders')],
    [
      'renamed to',
      verified('DROP TABLE orders;\nALTER TABLE orders_v1 RENAME TO orders;', 'SELECT count(*) FROM orders'),
    ],
    [
      'made by a block',
      verified(
        `DROP TABLE orders;\nDO $$ BEGIN EXECUTE 'CREATE TABLE orders ()'; END $$;`,
        'SELECT count(*) FROM orders',
      ),
    ],
    ['only a column is gone', verified('ALTER TABLE orders DROP COLUMN note;', 'SELECT count(*) FROM orders')],
    ['read before', 'SELECT count(*) FROM orders;\nDROP TABLE orders;'],
    ['dropped twice', 'DROP TABLE orders;\nDROP TABLE IF EXISTS orders;'],
    [
      'a common table expression of that name',
      verified('DROP TABLE orders;', 'WITH orders AS (SELECT 1) SELECT count(*) FROM orders'),
    ],
  ])('not: %s', (_name, text) => {
    expect(mistakesIn(text)).toEqual([]);
  });
});

describe('a copy of rows that is taken for a backup', () => {
  it.each([
    ['CREATE TABLE AS', 'CREATE TABLE orders_backup AS SELECT * FROM orders;\nDROP TABLE orders;'],
    ['of a partitioned table', 'CREATE TABLE b AS TABLE readings;\nDROP TABLE IF EXISTS readings CASCADE;'],
    ['SELECT INTO', 'SELECT * INTO orders_backup FROM orders;\nDROP TABLE orders;'],
    ['with a list of columns', 'CREATE TABLE b (a, c) AS (SELECT 1, id FROM public.orders);\nDROP TABLE orders;'],
  ])('%s', (_name, text) => {
    expect(mistakesIn(text)).toEqual(['backup-without-structure 1']);
  });

  it.each([
    [
      'the structure is kept',
      'CREATE TABLE b (LIKE orders INCLUDING ALL);\nINSERT INTO b SELECT * FROM orders;\nDROP TABLE orders;',
    ],
    ['only a column goes', 'CREATE TABLE b AS SELECT id, note FROM orders;\nALTER TABLE orders DROP COLUMN note;'],
    ['only rows go', 'CREATE TABLE b AS SELECT * FROM orders;\nDELETE FROM orders;'],
    ['another table goes', 'CREATE TABLE b AS SELECT * FROM orders;\nDROP TABLE customers;'],
    ['the table was dropped before', 'DROP TABLE customers;\nCREATE TABLE customers AS SELECT * FROM orders;'],
  ])('not: %s', (_name, text) => {
    expect(mistakesIn(text)).toEqual([]);
  });
});

it('says what to write instead', () => {
  const [reads] = scriptMistakes(
    readScript(verified('DROP TABLE t;', 'SELECT 1 FROM t')),
    classifier,
    postgresqlDialect,
    'public',
  );
  expect(reads?.hint).toContain(`SELECT to_regclass('t')`);
  const [copy] = scriptMistakes(
    readScript('CREATE TABLE b AS SELECT * FROM t; DROP TABLE t;'),
    classifier,
    postgresqlDialect,
    'public',
  );
  expect(copy?.hint).toContain('CREATE TABLE b (LIKE t INCLUDING ALL)');
});

describe('on MySQL and MariaDB', () => {
  const findingsIn = async (text: string): Promise<readonly { readonly code: string; readonly text: string }[]> =>
    scriptMistakes(readScript(text, { dialect: mysqlDialect }), await loadMysqlClassifier(), mysqlDialect, 'shop').map(
      ({ code, message, hint }) => ({ code, text: `${message} ${hint ?? ''}` }),
    );

  it('a table that is read after it was dropped is told with a query that these servers know', async () => {
    const findings = await findingsIn('DROP TABLE `orders`;\nSELECT count(*) FROM shop.orders;\n-- expect: 0\n');
    expect(findings.map(({ code }) => code)).toEqual(['verification-reads-dropped']);
    expect(findings[0]?.text).toMatch(/information_schema\.tables.*expectation 0/);
    expect(findings[0]?.text).toMatch(/what stands before it stays done/);
    expect(await findingsIn('DROP TABLE orders;\nSELECT count(*) FROM other.orders;\n-- expect: 0\n')).toEqual([]);
  });

  it.each([
    ['CREATE TABLE kept AS SELECT * FROM orders', true],
    ['CREATE TABLE kept SELECT * FROM orders', true],
    ['CREATE TABLE kept (id INT) SELECT * FROM orders', true],
    ['CREATE TABLE kept LIKE orders', false],
    ['CREATE TABLE kept (id INT DEFAULT (SELECT 1))', false],
  ])('%s is a copy of the rows alone: %s', async (sql, isCopy) => {
    const findings = await findingsIn(`${sql};\nDROP TABLE orders;`);
    expect(findings.map(({ code }) => code)).toEqual(isCopy ? ['backup-without-structure'] : []);
    if (isCopy) expect(findings[0]?.text).toContain('CREATE TABLE kept LIKE orders');
  });
});
