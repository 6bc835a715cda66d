import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { interpret } from '../../../adapters/histories/flyway/interpret.js';
import { flywayHistory } from '../../../adapters/histories/flyway/index.js';
import { FlybackError } from '../../../src/errors/error.js';
import type { HistoryEntry } from '../../../src/history/history.js';
import type { Target } from '../../../src/plan/plan.js';
import { selectVersions } from '../../../src/plan/select-versions.js';
import { historyEntry } from '../../harness/history-values.js';

const table = { schema: 'public', name: 'flyway_schema_history' };

function select(entries: readonly HistoryEntry[], target: Target): readonly string[] {
  return selectVersions(interpret(table, entries), target, flywayHistory).rows.map(
    (row) => row.entry.versionText ?? '',
  );
}

function refusal(entries: readonly HistoryEntry[], target: Target): FlybackError {
  try {
    select(entries, target);
  } catch (error) {
    if (error instanceof FlybackError) return error;
    throw error;
  }
  throw new Error('The selection was not refused.');
}

const four = ['1', '2', '3', '4'].map((version, index) => historyEntry(index + 1, version));

describe('selectVersions', () => {
  it('takes the newest versions first', () => {
    expect(select(four, { kind: 'steps', steps: 1 })).toEqual(['4']);
    expect(select(four, { kind: 'steps', steps: 3 })).toEqual(['4', '3', '2']);
    expect(select(four, { kind: 'all' })).toEqual(['4', '3', '2', '1']);
  });

  it('leaves the version of --to applied, however it is written', () => {
    expect(select(four, { kind: 'to', version: '2' })).toEqual(['4', '3']);
    expect(select(four, { kind: 'to', version: '02.0' })).toEqual(['4', '3']);
    expect(select(four, { kind: 'to', version: '2_0' })).toEqual(['4', '3']);
  });

  it('takes one version alone from the middle and says what follows', () => {
    const selection = selectVersions(interpret(table, four), { kind: 'only', version: '2' }, flywayHistory);
    expect(selection.rows.map((row) => row.entry.rank)).toEqual([2]);
    expect(selection.hazards.map((hazard) => hazard.code)).toEqual(['middle-version']);
    expect(selection.hazards[0]?.message).toMatch(/validate.*migrate refuse/);
  });

  it('says nothing of the middle when the newest version is meant', () => {
    expect(selectVersions(interpret(table, four), { kind: 'only', version: '4' }, flywayHistory).hazards).toEqual([]);
  });

  it('compares numerically, not as text', () => {
    const entries = [historyEntry(1, '9'), historyEntry(2, '10')];
    expect(select(entries, { kind: 'steps', steps: 1 })).toEqual(['10']);
    expect(select(entries, { kind: 'to', version: '9' })).toEqual(['10']);
  });

  it('works in the reverse order of application when versions were applied out of order', () => {
    const entries = [historyEntry(1, '1'), historyEntry(2, '3'), historyEntry(3, '2')];
    expect(select(entries, { kind: 'to', version: '1' })).toEqual(['2', '3']);
  });

  it('warns when a version that stays was applied after one that goes', () => {
    const entries = [historyEntry(1, '1'), historyEntry(2, '3'), historyEntry(3, '2')];
    const { hazards } = selectVersions(interpret(table, entries), { kind: 'steps', steps: 1 }, flywayHistory);
    expect(hazards.map(({ code, subject }) => [code, subject])).toEqual([['applied-out-of-order', '2']]);
  });

  it.each([
    ['more steps than versions', { kind: 'steps', steps: 5 }, 'plan-refused', /more than the 4 versions/],
    ['a target that is not applied', { kind: 'to', version: '2.5' }, 'version-unknown', /not applied/],
    ['a target that is the newest already', { kind: 'to', version: '4' }, 'plan-refused', /nothing to take back/],
    ['a version that is not applied', { kind: 'only', version: '7' }, 'version-unknown', /not applied/],
    ['text that is no version', { kind: 'only', version: '1a' }, 'version-invalid', /not a version/],
    ['a negative version', { kind: 'to', version: '-1' }, 'version-invalid', /not a version/],
    ['a huge unknown version', { kind: 'only', version: '9'.repeat(60) }, 'version-unknown', /not applied/],
    ['no steps', { kind: 'steps', steps: 0 }, 'usage-invalid', /positive/],
  ] as const)('refuses %s', (_what, target, code, message) => {
    const error = refusal(four, target);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.hint).toBeTruthy();
  });

  it('names the nearest applied versions of one that is not', () => {
    expect(refusal(four, { kind: 'to', version: '2.5' }).hint).toMatch(/2 and 3/);
  });

  it('refuses to go below the baseline, but takes the baseline as a target', () => {
    const entries = [
      historyEntry(1, '5', { type: 'BASELINE', checksum: null, script: '<< Flyway Baseline >>' }),
      historyEntry(2, '6'),
      historyEntry(3, '7'),
    ];
    expect(select(entries, { kind: 'all' })).toEqual(['7', '6']);
    expect(select(entries, { kind: 'to', version: '5' })).toEqual(['7', '6']);
    expect(refusal(entries, { kind: 'to', version: '4' }).message).toMatch(/below the baseline 5/);
    expect(refusal(entries, { kind: 'only', version: '5' }).message).toMatch(/baseline/);
    expect(refusal(entries, { kind: 'steps', steps: 3 }).message).toMatch(/above the baseline 5/);
  });

  it('refuses a failed version unless it is named', () => {
    const entries = [historyEntry(1, '1'), historyEntry(2, '2', { success: false })];
    expect(refusal(entries, { kind: 'steps', steps: 1 }).message).toMatch(/failed/);
    expect(select(entries, { kind: 'only', version: '2' })).toEqual(['2']);
  });

  it('refuses a history with a row that Flyway itself would not read', () => {
    const error = refusal([...four, historyEntry(5, '5', { type: 'FLYBACK' })], { kind: 'steps', steps: 1 });
    expect(error.code).toBe('plan-refused');
    expect(error.findings.length).toBeGreaterThan(0);
  });

  it('refuses an empty history', () => {
    expect(refusal([], { kind: 'all' }).message).toMatch(/no applied version/);
  });

  it('takes a suffix in version order, whatever the order of application', () => {
    fc.assert(
      fc.property(
        fc.shuffledSubarray([1, 2, 3, 4, 5, 6, 7, 8], { minLength: 1 }),
        fc.nat({ max: 7 }),
        (order, seed) => {
          const entries = order.map((version, index) => historyEntry(index + 1, String(version)));
          const steps = (seed % order.length) + 1;
          const taken = select(entries, { kind: 'steps', steps }).map(Number);
          const highest = [...order].sort((a, b) => b - a).slice(0, steps);
          expect(new Set(taken)).toEqual(new Set(highest));
          const ranks = taken.map((version) => order.indexOf(version));
          expect(ranks).toEqual([...ranks].sort((a, b) => b - a));
        },
      ),
    );
  });
});
