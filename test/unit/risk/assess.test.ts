import { beforeAll, describe, expect, it } from 'vitest';
import { loadClassifier as loadMysqlClassifier } from '../../../adapters/databases/mysql/classifier.js';
import { loadClassifier } from '../../../adapters/databases/postgresql/classifier.js';
import type { Classifier } from '../../../src/adapter/database.js';
import { assessRisk, riskiest, statementRisk, worstLoss } from '../../../src/risk/assess.js';
import type { StatementImpact } from '../../../src/risk/change.js';

let classifier: Classifier;

beforeAll(async () => {
  classifier = await loadClassifier();
});

function impactOf(sql: string): StatementImpact {
  const impact = classifier.classify(sql);
  if ('message' in impact) throw new Error(`${sql}: ${impact.message}`);
  return impact;
}

const impacts = (...statements: readonly string[]): readonly StatementImpact[] => statements.map(impactOf);

describe('assessRisk', () => {
  it('takes risk, action and data loss of the riskiest change of the migration from the matrix', () => {
    const assessment = assessRisk(impacts('CREATE INDEX i ON t (a)', 'ALTER TABLE t DROP COLUMN b'), undefined);
    expect(assessment).toEqual({
      risk: 'critical',
      action: 'Restore from backup',
      dataLoss: 'yes',
      migrationChanges: ['drop-column', 'add-index'],
      rollbackChanges: [],
    });
  });

  it('keeps the risk of the matrix when the rollback drops only what the migration added', () => {
    const assessment = assessRisk(
      impacts('ALTER TABLE t ADD COLUMN a int'),
      impacts('ALTER TABLE public.t DROP COLUMN a'),
    );
    expect(assessment.risk).toBe('low');
    expect(assessment.action).toBe('Drop column or keep');
  });

  it('says that data is lost when the rollback drops a column, although the matrix says only maybe', () => {
    const migration = impacts('ALTER TABLE t ADD COLUMN a int');
    expect(assessRisk(migration, undefined).dataLoss).toBe('maybe');
    expect(assessRisk(migration, impacts('ALTER TABLE t DROP COLUMN a')).dataLoss).toBe('yes');
  });

  it.each([
    ['drops another table', 'DROP TABLE other'],
    ['drops a table of that name in another schema', 'DROP TABLE archive.t'],
    ['drops more with CASCADE', 'DROP INDEX i CASCADE; DROP TABLE shop.t CASCADE'],
    ['deletes rows that the migration did not insert', 'DELETE FROM t'],
    ['truncates a table', 'TRUNCATE t'],
    ['drops another column', 'ALTER TABLE t DROP COLUMN other'],
  ])('raises the risk when the rollback %s', (_what, rollback) => {
    const migration = impacts('CREATE INDEX i ON shop.t (a)');
    const assessment = assessRisk(migration, impacts(...rollback.split('; ')));
    expect(['high', 'critical']).toContain(assessment.risk);
    expect(assessment.action).toBe('Review the rollback script');
    expect(assessment.dataLoss).toBe('yes');
  });

  it('does not raise the risk for a harmless rollback', () => {
    const assessment = assessRisk(impacts('CREATE INDEX i ON t (a)'), impacts('DROP INDEX i'));
    expect(assessment).toMatchObject({ risk: 'minimal', action: 'Drop index', dataLoss: 'no' });
  });

  it('does not raise the risk for deleting from a table that the migration filled', () => {
    const assessment = assessRisk(impacts('INSERT INTO t VALUES (1)'), impacts('DELETE FROM t WHERE id = 1'));
    expect(assessment).toMatchObject({ risk: 'low', action: 'Delete data', dataLoss: 'yes' });
  });

  it('does not raise the risk for putting a type back', () => {
    const assessment = assessRisk(
      impacts('ALTER TABLE t ALTER COLUMN a TYPE bigint'),
      impacts('ALTER TABLE t ALTER COLUMN a TYPE int'),
    );
    expect(assessment).toMatchObject({ risk: 'medium', action: 'Restore type', dataLoss: 'maybe' });
  });

  it('judges the rollback alone when the migration cannot be read', () => {
    expect(assessRisk(undefined, impacts('DROP TABLE t'))).toMatchObject({ risk: 'high', dataLoss: 'yes' });
    expect(assessRisk(undefined, impacts('DROP INDEX i'))).toMatchObject({ risk: 'minimal', dataLoss: 'no' });
  });

  it('finds no risk in nothing', () => {
    expect(assessRisk([], [])).toEqual({
      risk: 'none',
      action: 'Nothing to do',
      dataLoss: 'no',
      migrationChanges: [],
      rollbackChanges: [],
    });
  });
});

describe('statementRisk', () => {
  it.each([
    ['SELECT 1', 'none'],
    ['CREATE TABLE t (id int)', 'minimal'],
    ['DROP INDEX i', 'minimal'],
    ['DROP INDEX i CASCADE', 'low'],
    ['DROP VIEW v', 'low'],
    ['DROP TABLE t', 'high'],
    ['DROP TABLE t CASCADE', 'critical'],
    ['ALTER TABLE t DROP COLUMN c', 'high'],
    ['TRUNCATE t', 'critical'],
    ['DELETE FROM t WHERE id = 1', 'high'],
    ['ALTER TABLE t SET LOGGED', 'medium'],
    ['ALTER TABLE t SET (fillfactor = 50)', 'minimal'],
    ['CREATE INDEX i ON t (a)', 'low'],
    ['CREATE INDEX CONCURRENTLY i ON t (a)', 'medium'],
    ['ALTER TABLE t ADD CHECK (a > 0) NOT VALID', 'medium'],
    ["ALTER SYSTEM SET work_mem = '8MB'", 'high'],
  ])('calls running %s %s', (sql, risk) => {
    expect(statementRisk(impactOf(sql))).toBe(risk);
  });
});

describe('riskiest and worstLoss', () => {
  it('pick the highest, and the lowest of all for nothing', () => {
    expect(riskiest(['low', 'critical', 'none'])).toBe('critical');
    expect(riskiest([])).toBe('none');
    expect(worstLoss(['no', 'yes', 'maybe'])).toBe('yes');
    expect(worstLoss([])).toBe('no');
  });
});

describe('on MySQL and MariaDB', () => {
  it.each([
    ['ALTER TABLE `t` ADD COLUMN a INT, ADD KEY k (a)', 'ALTER TABLE t DROP KEY k, DROP COLUMN a', 'low'],
    ['CREATE TABLE t (id INT)', 'DROP TABLE IF EXISTS t', 'high'],
    ['CREATE INDEX i ON t (a)', 'ALTER TABLE t DROP INDEX i, DROP COLUMN other', 'high'],
    ['INSERT INTO t (id) VALUES (1)', 'DELETE FROM shop.t WHERE id = 1', 'low'],
    ['UPDATE t SET a = 1', 'DELETE x FROM t x', 'high'],
  ])('%s, taken back by %s: %s', async (migration, rollback, risk) => {
    const mysql = await loadMysqlClassifier();
    const of = (sql: string): StatementImpact => {
      const impact = mysql.classify(sql);
      if ('message' in impact) throw new Error(`${sql}: ${impact.message}`);
      return impact;
    };
    expect(assessRisk([of(migration)], [of(rollback)]).risk).toBe(risk);
  });
});
