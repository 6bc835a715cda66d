import { describe, expect, it } from 'vitest';
import { withClassification, type AssessRisk, type ClassifiedFile } from '../../../src/pairing/classification.js';
import type { Pair, RiskAssessment } from '../../../src/pairing/pair.js';
import type { StatementImpact } from '../../../src/risk/change.js';
import { migrationFile, rollbackScript } from '../../harness/history-values.js';

const text = 'SELECT 1;\n\n  DROP\n  TABEL x;\n';
const statement = { text: 'DROP\n  TABEL x', offset: 13, line: 3, column: 3 };
const script = rollbackScript('1', { text, statements: [statement] });
const pair: Pair = {
  version: { text: '1', key: '1' },
  description: 'step',
  state: 'applied',
  row: undefined,
  migration: migrationFile('1', { sql: text }),
  script,
  risk: undefined,
  findings: [{ code: 'kept', severity: 'info', subject: '1', message: 'm' }],
};
const impact = (change: StatementImpact['changes'][number]): StatementImpact => ({
  changes: [change],
  objects: [],
  drops: [],
  cascade: false,
  writes: [],
  locks: [],
  work: 'none',
  dataLoss: 'no',
  notTransactional: undefined,
  transactionControl: false,
});
const assess: AssessRisk = (migration = [], rollback = []): RiskAssessment => ({
  risk: 'low',
  action: '',
  dataLoss: 'no',
  migrationChanges: migration.flatMap(({ changes }) => changes),
  rollbackChanges: rollback.flatMap(({ changes }) => changes),
});
const clean = (change: StatementImpact['changes'][number]): ClassifiedFile => ({
  impacts: [impact(change)],
  unparsable: [],
});
const broken = (offset: number | undefined): ClassifiedFile => ({
  impacts: [],
  unparsable: [{ statement, problem: { message: 'syntax error at or near "TABEL"', offset } }],
});

describe('a pair with its classification', () => {
  it('has the risk of both files, each in its own place', () => {
    const result = withClassification(
      pair,
      { migration: clean('create-table'), rollback: clean('drop-table') },
      assess,
    );
    expect(result.risk).toMatchObject({ migrationChanges: ['create-table'], rollbackChanges: ['drop-table'] });
    expect(result.findings).toEqual(pair.findings);
    expect(pair.risk).toBeUndefined();
  });

  it.each([
    ['raises what the statements show', 'high', 'high', []],
    ['changes nothing when it says the same', 'low', 'low', []],
    ['cannot play it down', 'minimal', 'low', ['risk-understated']],
  ] as const)('a risk that the script declares %s', (_what, declared, expected, codes) => {
    const directives = { ...script.directives, risk: declared };
    const result = withClassification(
      { ...pair, script: { ...script, directives } },
      { migration: clean('create-table'), rollback: clean('drop-table') },
      assess,
    );
    expect(result.risk?.risk).toBe(expected);
    expect(result.findings.slice(pair.findings.length).map(({ code }) => code)).toEqual(codes);
  });

  it('has no risk when neither file could be read', () => {
    expect(withClassification(pair, { migration: undefined, rollback: undefined }, assess).risk).toBeUndefined();
  });

  it('has an error for a rollback that cannot be parsed, at its line and column of the file', () => {
    const { findings } = withClassification(pair, { migration: undefined, rollback: broken(7) }, assess);
    expect(findings[1]).toMatchObject({ code: 'rollback-unparsable', severity: 'error' });
    expect(findings[1]?.location).toEqual({ file: script.file, line: 4, column: 3, lineText: '  TABEL x;' });
    expect(findings[1]?.message).toContain('line 4, column 3');
  });

  it('points at the statement when the parser gave no place in it', () => {
    const { findings } = withClassification(pair, { migration: undefined, rollback: broken(undefined) }, assess);
    expect(findings[1]?.location).toMatchObject({ line: 3, column: 3, lineText: '  DROP' });
  });

  it('has a warning for a migration that cannot be parsed, and still a risk', () => {
    const result = withClassification(pair, { migration: broken(7), rollback: clean('drop-table') }, assess);
    expect(result.findings[1]).toMatchObject({ code: 'migration-unparsable', severity: 'warning' });
    expect(result.findings[1]?.location?.file).toBe('/project/sql/V1__step.sql');
    expect(result.risk).toBeDefined();
  });
});
