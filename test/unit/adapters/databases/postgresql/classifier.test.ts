import { beforeAll, describe, expect, it } from 'vitest';
import { loadClassifier } from '../../../../../adapters/databases/postgresql/classifier.js';
import type { Classifier } from '../../../../../src/adapter/database.js';
import type { ObjectRef, ParseProblem, StatementImpact } from '../../../../../src/risk/change.js';

/* Locks, work and the refusal of transactions are judged by real servers: test/integration, classifier-locks. */

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
  if (!('message' in problem)) throw new Error(`${sql} was parsed.`);
  return problem;
}

function text(ref: ObjectRef): string {
  const name = [ref.schema, ref.name, ref.member].filter((part) => part !== undefined).join('.');
  return `${ref.kind} ${name}${ref.signature === undefined ? '' : `(${ref.signature})`}`;
}

describe('changes', () => {
  it.each([
    ['CREATE TABLE t (id int)', ['create-table']],
    ['CREATE TABLE t AS SELECT 1', ['create-table']],
    ['SELECT 1 INTO t', ['query', 'create-table']],
    ['CREATE TABLE t PARTITION OF p DEFAULT', ['create-table', 'partition']],
    ['CREATE FOREIGN TABLE t (id int) SERVER s', ['create-table']],
    ['DROP TABLE t', ['drop-table']],
    ['ALTER TABLE t ADD a int, DROP b, ALTER c TYPE text', ['add-column', 'drop-column', 'alter-type']],
    ['ALTER TABLE t ADD CHECK (a > 0), DROP CONSTRAINT c', ['add-constraint', 'drop-constraint']],
    ['ALTER TABLE t ALTER a SET NOT NULL, ALTER b DROP NOT NULL', ['set-not-null', 'drop-not-null']],
    ['ALTER TABLE t ALTER a SET DEFAULT 1', ['change-default']],
    ['ALTER TABLE t ATTACH PARTITION p DEFAULT', ['partition']],
    ['ALTER TABLE t DETACH PARTITION p', ['partition']],
    ['ALTER TABLE t ENABLE ROW LEVEL SECURITY', ['row-security']],
    ['ALTER TABLE t DISABLE TRIGGER ALL', ['trigger-state']],
    ['ALTER TABLE t OWNER TO bob', ['owner']],
    ['ALTER TABLE t RENAME TO u', ['rename']],
    ['ALTER TABLE t RENAME a TO b', ['rename']],
    ['ALTER TABLE t SET SCHEMA s', ['rename']],
    ['ALTER TYPE e ADD VALUE IF NOT EXISTS $$x$$', ['enum-value']],
    ["ALTER TYPE e RENAME VALUE 'a' TO 'b'", ['rename']],
    ['ALTER TYPE c ADD ATTRIBUTE a int', ['alter-type']],
    ['CREATE INDEX ON t (a)', ['add-index']],
    ['DROP INDEX i', ['drop-index']],
    ['INSERT INTO t VALUES (1)', ['insert-data']],
    ['INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 1', ['insert-data', 'update-data']],
    ['INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING', ['insert-data']],
    ['UPDATE t SET a = 1', ['update-data']],
    ['DELETE FROM t', ['delete-data']],
    ['MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN UPDATE SET b = 1', ['update-data']],
    ['WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x', ['query', 'delete-data']],
    ['TRUNCATE t', ['truncate']],
    ['COPY t FROM STDIN', ['data-copy', 'insert-data']],
    ['COPY t TO STDOUT', ['data-copy']],
    ['SELECT 1', ['query']],
    ["SELECT setval('s', 1)", ['query', 'sequence']],
    ['DO $$ BEGIN EXECUTE $q$DROP TABLE t$q$; END $$', ['procedural']],
    ['CALL p()', ['procedural']],
    ['CREATE VIEW v AS SELECT 1', ['create-object']],
    ['CREATE OR REPLACE VIEW v AS SELECT 1', ['replace-object']],
    ["CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'DELETE FROM t'", ['create-object']],
    ["CREATE OR REPLACE PROCEDURE f() LANGUAGE sql AS ''", ['replace-object']],
    ['CREATE TRIGGER x BEFORE INSERT ON t EXECUTE FUNCTION f()', ['create-object']],
    ['DROP FUNCTION f', ['drop-object']],
    ['CREATE SCHEMA s', ['create-schema']],
    ['DROP SCHEMA s', ['drop-schema']],
    ['CREATE EXTENSION e', ['extension']],
    ['DROP EXTENSION e', ['extension']],
    ['CREATE SEQUENCE s', ['sequence']],
    ['GRANT SELECT ON t TO bob', ['privilege']],
    ["COMMENT ON TABLE t IS 'x'", ['comment']],
    ['CREATE POLICY p ON t', ['create-object', 'row-security']],
    ['SET search_path = s', ['session-setting']],
    ["ALTER SYSTEM SET work_mem = '8MB'", ['server-setting']],
    ['VACUUM t', ['maintenance']],
    ['COMMIT', ['transaction-control']],
    ['CREATE ROLE bob', ['create-object']],
    ['CREATE PUBLICATION p FOR ALL TABLES', ['create-object']],
    ['ALTER TEXT SEARCH DICTIONARY d (x = y)', ['other']],
  ])('%s', (sql, changes) => {
    expect(impactOf(sql).changes).toEqual(changes);
  });
});

describe('drops and CASCADE', () => {
  it.each([
    ['DROP TABLE a, s."B c"', ['table a', 'table s.B c']],
    ['ALTER TABLE s.t DROP COLUMN a, DROP CONSTRAINT c', ['column s.t.a', 'constraint s.t.c']],
    ['DROP FUNCTION s.f(int, text[]), g', ['function s.f(integer, text[])', 'function g']],
    ['DROP TRIGGER x ON s.t', ['trigger s.t.x']],
    ['DROP SCHEMA a, b', ['schema a', 'schema b']],
    ['DROP TYPE s.t', ['type s.t']],
    ['DROP MATERIALIZED VIEW v', ['materialized view v']],
    ['DROP CAST (int AS text)', ['cast integer AS text']],
    ['ALTER DOMAIN d DROP CONSTRAINT c', ['domain constraint d.c']],
    ['ALTER TABLE t ADD COLUMN a int', []],
  ])('%s', (sql, drops) => {
    expect(impactOf(sql).drops.map(text)).toEqual(drops);
  });

  it.each([
    ['DROP TABLE t CASCADE', true],
    ['DROP TABLE t', false],
    ['DROP TABLE t RESTRICT', false],
    ['ALTER TABLE t DROP COLUMN a CASCADE', true],
    ['ALTER TABLE t DROP COLUMN a', false],
    ['ALTER TABLE t DROP CONSTRAINT a CASCADE, ADD b int', true],
    ['TRUNCATE t CASCADE', true],
    ['CREATE TABLE t (a int REFERENCES u ON DELETE CASCADE)', false],
  ])('%s: cascade is %s', (sql, cascade) => {
    expect(impactOf(sql).cascade).toBe(cascade);
  });
});

describe('writes', () => {
  it.each([
    ['INSERT INTO s.a SELECT * FROM b', ['table s.a']],
    [
      'WITH x AS (DELETE FROM a RETURNING *), y AS (UPDATE b SET c = 1) INSERT INTO d SELECT * FROM x',
      ['table d', 'table a', 'table b'],
    ],
    ['TRUNCATE a, b', ['table a', 'table b']],
    ['COPY a FROM STDIN', ['table a']],
    ['COPY a TO STDOUT', []],
    ['SELECT * FROM a FOR UPDATE', []],
    ['EXPLAIN DELETE FROM a', []],
    ['EXPLAIN ANALYZE DELETE FROM a', ['table a']],
    ['EXPLAIN (ANALYZE) DELETE FROM a', ['table a']],
  ])('%s', (sql, writes) => {
    expect(impactOf(sql).writes.map(text)).toEqual(writes);
  });
});

describe('data loss', () => {
  it.each([
    ['DROP TABLE t', 'yes'],
    ['ALTER TABLE t DROP COLUMN a', 'yes'],
    ['TRUNCATE t', 'yes'],
    ['DELETE FROM t WHERE id = 1', 'yes'],
    ['WITH x AS (DELETE FROM t RETURNING *) INSERT INTO u SELECT * FROM x', 'yes'],
    ['DROP SCHEMA s CASCADE', 'yes'],
    ['DROP SCHEMA s', 'no'],
    ['DROP TYPE t CASCADE', 'yes'],
    ['DROP TYPE t', 'no'],
    ['UPDATE t SET a = 1', 'maybe'],
    ['ALTER TABLE t ALTER a TYPE int', 'maybe'],
    ['DO $$ $$', 'maybe'],
    ['DROP SEQUENCE s', 'maybe'],
    ['DROP INDEX i', 'no'],
    ['DROP VIEW v CASCADE', 'no'],
    ['ALTER TABLE t DROP CONSTRAINT c', 'no'],
    ['INSERT INTO t VALUES (1)', 'no'],
  ])('%s: %s', (sql, loss) => {
    expect(impactOf(sql).dataLoss).toBe(loss);
  });
});

describe('transaction control', () => {
  it.each([
    'BEGIN',
    'START TRANSACTION',
    'COMMIT',
    'END',
    'ROLLBACK',
    'ABORT',
    'SAVEPOINT s',
    'ROLLBACK TO s',
    'RELEASE s',
    "PREPARE TRANSACTION 'x'",
    "COMMIT PREPARED 'x'",
  ])('%s is', (sql) => {
    expect(impactOf(sql).transactionControl).toBe(true);
  });

  it.each(['SET TRANSACTION READ ONLY', 'SET LOCAL work_mem = 1', 'DO $$ BEGIN COMMIT; END $$', 'SELECT 1'])(
    '%s is not',
    (sql) => {
      expect(impactOf(sql).transactionControl).toBe(false);
    },
  );
});

describe('what cannot be parsed', () => {
  it('says where, in UTF-16 units, although the parser counts characters', () => {
    const sql = "SELECT '👍🏽 ä' FRM t";
    const problem = problemOf(sql);
    expect(problem.message).toContain('syntax error at or near "t"');
    expect(sql.slice(problem.offset)).toBe('t');
  });

  it('says where when the text breaks off', () => {
    expect(problemOf('SELECT (1').offset).toBe(9);
  });

  it.each([
    ['', 'empty'],
    ['  \n ', 'empty'],
    ['-- only a comment', 'no statement'],
    ['SELECT 1; SELECT 2', 'more than one'],
    ['SELECT 1\0; DROP TABLE t', 'NUL'],
    ["SELECT 'open", 'unterminated'],
    ['CREATE TABLE ${name} (id int)', 'syntax error'],
  ])('refuses %j', (sql, message) => {
    expect(problemOf(sql).message).toContain(message);
  });

  it('turns deep nesting into a problem instead of a crash, and parses on', () => {
    const deep = `SELECT ${'('.repeat(100_000)}1${')'.repeat(100_000)}`;
    expect(problemOf(deep).message).not.toBe('');
    expect(impactOf('DROP TABLE t').changes).toEqual(['drop-table']);
  });
});

describe('speed', () => {
  it('needs less than 1.5 s of processor time for 20,000 small statements, so that a long history stays quick', () => {
    const before = process.cpuUsage();
    for (let number = 0; number < 10_000; number++) {
      classifier.classify(`CREATE TABLE t_${number} (id bigint PRIMARY KEY, a text NOT NULL DEFAULT 'x')`);
      classifier.classify(`DROP TABLE t_${number}`);
    }
    const used = process.cpuUsage(before);
    expect((used.user + used.system) / 1000).toBeLessThan(1500);
  });
});

describe('inverse hints', () => {
  it.each([
    [
      'UPDATE t SET a = 1, b = 2',
      ['-- UPDATE t SET a = …, b = … WHERE …;', '-- Only a copy taken before the migration knows the previous values.'],
    ],
    ['DELETE FROM s.t', ['-- INSERT INTO s.t … (the deleted rows, from a backup);']],
    [
      'DROP TABLE a, b',
      [
        '-- CREATE TABLE b … (previous definition); its rows come only from a backup;',
        '-- CREATE TABLE a … (previous definition); its rows come only from a backup;',
      ],
    ],
    [
      'ALTER TABLE t DROP COLUMN c',
      ['-- ALTER TABLE t ADD COLUMN c … (previous definition); its values come only from a backup.'],
    ],
    ['SET search_path = s', []],
    ['COMMIT', []],
    ['SELECT 1', []],
    ['VACUUM t', []],
  ])('%s', (sql, hints) => {
    expect(classifier.inverseHints(sql)).toEqual(hints);
  });

  it('undoes the parts of one statement in reverse', () => {
    expect(classifier.inverseHints('ALTER TABLE ONLY t ADD a int, ADD b int')).toEqual([
      'ALTER TABLE ONLY t DROP COLUMN b;',
      'ALTER TABLE ONLY t DROP COLUMN a;',
    ]);
  });

  it('says that an enum value cannot be dropped', () => {
    expect(classifier.inverseHints("ALTER TYPE e ADD VALUE 'x'").join('\n')).toMatch(
      /^-- PostgreSQL cannot drop the value 'x' of e/,
    );
  });

  it('warns of what was there before under OR REPLACE and IF NOT EXISTS', () => {
    expect(classifier.inverseHints('CREATE OR REPLACE VIEW v AS SELECT 1')[0]).toMatch(/^-- OR REPLACE: /);
    expect(classifier.inverseHints('CREATE TABLE IF NOT EXISTS t (id int)')[0]).toMatch(/^-- IF NOT EXISTS: /);
  });

  it('has nothing but advice for a statement that cannot be parsed', () => {
    expect(classifier.inverseHints('CREATE TABL t')).toEqual([
      expect.stringMatching(/^-- This statement cannot be parsed/),
    ]);
  });
});
