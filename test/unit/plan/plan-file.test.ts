import { describe, expect, it } from 'vitest';
import { FlybackError } from '../../../src/errors/error.js';
import { parsePlan, requireCurrent } from '../../../src/plan/plan-file.js';
import { planHash } from '../../../src/plan/plan-hash.js';
import type { Plan, PlanStep } from '../../../src/plan/plan.js';
import { historyEntry } from '../../harness/history-values.js';

const step: PlanStep = {
  version: '2',
  description: 'step',
  entry: historyEntry(2, '2'),
  script: { file: 'rollbacks/R2__step.sql', source: 'rollback', checksum: 'aa', textChecksum: 'bb' },
  triggers: 'replica',
  transaction: 'on',
  risk: 'critical',
  dataLoss: 'yes',
  statements: [
    {
      line: 1,
      sql: 'DROP TABLE t CASCADE',
      changes: ['drop-table'],
      risk: 'critical',
      dataLoss: 'yes',
      locks: [],
      work: 'none',
      online: null,
      cascade: ['view v'],
      drops: [{ kind: 'table', name: 't' }],
      writes: [],
      alone: null,
      estimate: { rows: 5, bytes: 8192, alsoLocks: [] },
    },
  ],
  verifications: [],
  takenOver: [],
  allowLoss: [],
  approval: undefined,
};

const unsigned: Omit<Plan, 'hash'> = {
  format: 'flyback-plan/1',
  createdAt: '2026-01-01T00:00:00.000Z',
  target: { kind: 'steps', steps: 1 },
  transaction: 'per-version',
  triggers: { mode: 'replica', reason: 'the default' },
  tool: 'flyway',
  database: { name: 'postgresql', serverVersion: '18.4', databaseName: 'shop', user: 'app' },
  history: { table: { schema: 'public', name: 'h' }, fingerprint: 'ff', rowCount: 2, maxRank: 2 },
  recordTable: { schema: 'public', name: 'flyback_record' },
  steps: [step],
  after: { applied: ['1'], forecast: 'flyway migrate will apply 2.', willApply: ['2'] },
  repeatables: [],
  hazards: [],
};
const sign = (plan: Omit<Plan, 'hash'>): Plan => ({ ...plan, hash: planHash(plan) });
const plan = sign(unsigned);

function refused(work: () => unknown): FlybackError {
  try {
    work();
  } catch (error) {
    if (error instanceof FlybackError) return error;
    throw error;
  }
  throw new Error('It was not refused.');
}

describe('a plan file', () => {
  it('reads back what was stored', () => {
    expect(parsePlan(JSON.stringify(plan, null, 2), 'plan.json')).toEqual(JSON.parse(JSON.stringify(plan)));
  });

  it.each([
    ['a statement', (text: string) => text.replace('DROP TABLE t', 'DROP TABLE u')],
    ['the rank of the row', (text: string) => text.replace('"rank":2', '"rank":1')],
    ['a victim of CASCADE', (text: string) => text.replace('"view v"', '')],
    ['the triggers mode', (text: string) => text.replace('"triggers":"replica"', '"triggers":"keep"')],
    [
      'the hash',
      (text: string) =>
        text.replace(
          plan.hash,
          plan.hash.replace(/^./, (digit) => (digit === '0' ? '1' : '0')),
        ),
    ],
    ['a step taken out', (text: string) => text.replace(JSON.stringify(step), '')],
  ])('is refused after %s was edited', (_what, edit) => {
    const text = JSON.stringify(plan);
    expect(edit(text)).not.toBe(text);
    expect(refused(() => parsePlan(edit(text), 'plan.json')).code).toBe('plan-invalid');
  });

  it.each([
    ['no JSON', 'DROP TABLE t;', /not JSON/],
    ['another file', '{"name":"x"}', /not a plan/],
    ['a newer format', JSON.stringify({ ...plan, format: 'flyback-plan/2' }), /does not know/],
    ['the error of a refused plan', '{"error":{"code":"plan-refused"}}', /holds the error/],
    ['null', 'null', /not a plan/],
  ])('is refused when it is %s', (_what, text, message) => {
    const error = refused(() => parsePlan(text, 'plan.json'));
    expect([error.code, error.message]).toEqual(['plan-invalid', expect.stringMatching(message)]);
  });
});

describe('a stored plan and the one that would be made now', () => {
  it('agree when nothing but the time and the estimates differ', () => {
    const later = sign({
      ...unsigned,
      createdAt: '2026-02-02T00:00:00.000Z',
      steps: [{ ...step, statements: step.statements.map((statement) => ({ ...statement, estimate: null })) }],
      hazards: [{ code: 'data-will-go', severity: 'warning', subject: '2', message: 'about 6 rows' }],
    });
    expect(() => requireCurrent(plan, later)).not.toThrow();
  });

  it.each<[string, Partial<Plan>, RegExp]>([
    ['the history', { history: { ...plan.history, fingerprint: 'ee' } }, /history table changed/],
    ['the database', { database: { ...plan.database, databaseName: 'other' } }, /made for shop/],
    [
      'the script',
      { steps: [{ ...step, script: { ...step.script, checksum: 'cc' } }] },
      /script of version 2 .* changed/,
    ],
    ['a placeholder', { steps: [{ ...step, script: { ...step.script, textChecksum: 'cc' } }] }, /Placeholders/],
    [
      'what CASCADE sweeps',
      { steps: [{ ...step, statements: step.statements.map((statement) => ({ ...statement, cascade: ['view w'] })) }] },
      /CASCADE in version 2/,
    ],
    ['the versions', { steps: [] }, /versions to take back/],
    ['what migrate will do', { after: { ...plan.after, willApply: [] } }, /migration files changed/],
    ['the triggers', { triggers: { mode: 'disable', reason: 'role' } }, /Triggers/],
  ])('differ when %s changed, and the difference is named', (_what, change, message) => {
    const error = refused(() => requireCurrent(plan, sign({ ...unsigned, ...change })));
    expect(error.code).toBe('plan-outdated');
    expect(error.findings.map((finding) => finding.message).join('\n')).toMatch(message);
  });
});
