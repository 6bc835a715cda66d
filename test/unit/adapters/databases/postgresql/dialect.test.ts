import { describe, expect, test } from 'vitest';
import { postgresqlDialect } from '../../../../../adapters/databases/postgresql/dialect.js';

/* Whether the words agree with the servers is judged by those: test/integration, transaction-refusals. */
describe('notTransactional', () => {
  test.each([
    ["ALTER SYSTEM SET work_mem = '4MB'", 'ALTER SYSTEM'],
    ['alter /* x */ system reset all', 'ALTER SYSTEM'],
    ['CREATE DATABASE x', 'CREATE DATABASE'],
    ['DROP DATABASE IF EXISTS x', 'DROP DATABASE'],
    ["CREATE TABLESPACE x LOCATION '/x'", 'CREATE TABLESPACE'],
    ['DROP TABLESPACE x', 'DROP TABLESPACE'],
    ["CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p", 'CREATE SUBSCRIPTION'],
    ['DROP SUBSCRIPTION s', 'DROP SUBSCRIPTION'],
    ['CREATE INDEX CONCURRENTLY i ON t (a)', 'CREATE INDEX CONCURRENTLY'],
    ['CREATE UNIQUE INDEX -- x\nCONCURRENTLY i ON t (a)', 'CREATE UNIQUE INDEX CONCURRENTLY'],
    ['DROP INDEX CONCURRENTLY IF EXISTS i', 'DROP INDEX CONCURRENTLY'],
    ['REINDEX TABLE CONCURRENTLY t', 'REINDEX CONCURRENTLY'],
    ['REINDEX (VERBOSE, CONCURRENTLY) TABLE t', 'REINDEX CONCURRENTLY'],
    ['REINDEX SCHEMA s', 'REINDEX SCHEMA'],
    ['REINDEX (VERBOSE) DATABASE d', 'REINDEX DATABASE'],
    ['REINDEX SYSTEM d', 'REINDEX SYSTEM'],
    ['VACUUM', 'VACUUM'],
    ['vacuum (analyze) t', 'VACUUM'],
    ['CLUSTER', 'CLUSTER without a table'],
    ['DISCARD ALL', 'DISCARD ALL'],
    ['ALTER DATABASE d SET TABLESPACE x', 'ALTER DATABASE … SET TABLESPACE'],
    ['ALTER SUBSCRIPTION s REFRESH PUBLICATION', 'ALTER SUBSCRIPTION … REFRESH'],
    ['ALTER SUBSCRIPTION s SET PUBLICATION p', 'ALTER SUBSCRIPTION … WITH (refresh)'],
    ['REINDEX SCHEMA CONCURRENTLY s', 'REINDEX CONCURRENTLY'],
    ['ALTER TABLE s.t DETACH PARTITION p CONCURRENTLY', 'DETACH PARTITION … CONCURRENTLY'],
  ])('names what the server refuses in a transaction: %s', (sql, words) => {
    expect(postgresqlDialect.notTransactional(sql)).toBe(words);
  });

  test.each([
    'CREATE INDEX concurrently_used ON t (a)',
    'DROP INDEX i',
    'REINDEX TABLE t',
    'REINDEX (CONCURRENTLY false) TABLE t',
    'REINDEX INDEX i',
    'CLUSTER t USING i',
    'DISCARD PLANS',
    'ALTER DATABASE d SET work_mem = 1',
    'ALTER TABLE t DETACH PARTITION p',
    'ALTER TABLE system ADD a int',
    "ALTER TYPE e ADD VALUE 'x'",
    'REFRESH MATERIALIZED VIEW CONCURRENTLY m',
    'CREATE TABLE database (a int)',
    'NOTIFY x',
    'ANALYZE t',
    'SELECT 1',
  ])('lets pass what the server allows in a transaction: %s', (sql) => {
    expect(postgresqlDialect.notTransactional(sql)).toBeUndefined();
  });
});

describe('quoting', () => {
  test('doubles quotes', () => {
    expect(postgresqlDialect.quoteIdentifier('a"b')).toBe('"a""b"');
    expect(postgresqlDialect.quoteLiteral("a'b")).toBe("'a''b'");
  });
});
