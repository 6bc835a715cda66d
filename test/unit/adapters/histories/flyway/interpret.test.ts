import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { History, HistoryEntry } from '../../../../../src/history/history.js';
import { interpret } from '../../../../../adapters/histories/flyway/interpret.js';
import { historyEntry } from '../../../../harness/history-values.js';

const table = { schema: 'public', name: 'flyway_schema_history' };
const read = (...entries: readonly HistoryEntry[]): History => interpret(table, entries);
const states = (history: History): readonly string[] => history.rows.map(({ state }) => state);
const applied = (history: History): readonly string[] => history.applied.map(({ version }) => version?.text ?? '');
const codes = (history: History): readonly string[] =>
  history.findings.map(({ code, severity }) => `${code} ${severity}`);
const ofType = (rank: number, version: string | null, type: string, success = true): HistoryEntry =>
  historyEntry(rank, version, { type, success });

describe('versioned rows', () => {
  it('are applied or failed, in ascending version order whatever their rank', () => {
    const history = read(
      historyEntry(1, '1'),
      historyEntry(2, '10'),
      historyEntry(3, '9', { success: false }),
      historyEntry(4, '1.1', { type: 'JDBC' }),
      historyEntry(5, '11', { type: 'SCRIPT' }),
      historyEntry(6, '12', { type: 'SPRING_JDBC' }),
    );
    expect(states(history)).toEqual(['applied', 'applied', 'failed', 'applied', 'applied', 'applied']);
    expect(applied(history)).toEqual(['1', '1.1', '9', '10', '11', '12']);
    expect(history.rows.map(({ outOfOrder }) => outOfOrder)).toEqual([false, false, true, true, false, false]);
    expect(history.findings).toEqual([]);
  });

  it('are read by rank, in whatever order they come', () => {
    expect(applied(read(historyEntry(2, '1'), ofType(3, '1', 'DELETE'), historyEntry(1, '0')))).toEqual(['0']);
  });

  it('of one version in effect twice block every plan', () => {
    const history = read(historyEntry(1, '1'), historyEntry(2, '01'));
    expect(codes(history)).toEqual(['history-version-repeated error']);
    expect(history.applied.map(({ entry }) => entry.rank)).toEqual([2]);
  });
});

describe('undo rows of paid editions', () => {
  it('take back the newest open row, and the version may be applied again', () => {
    const history = read(historyEntry(1, '1'), historyEntry(2, '2'), ofType(3, '2', 'UNDO_SQL'), historyEntry(4, '2'));
    expect(states(history)).toEqual(['applied', 'undone', 'marker', 'applied']);
    expect(history.applied.map(({ entry }) => entry.rank)).toEqual([1, 4]);
    expect(codes(history)).toEqual(['history-undo-rows warning']);
  });

  it('leave the version not applied when they come last', () => {
    expect(applied(read(historyEntry(1, '1'), historyEntry(2, '2'), ofType(3, '2', 'UNDO_SCRIPT')))).toEqual(['1']);
  });

  it('stop everything when they failed, and take nothing back', () => {
    const history = read(historyEntry(1, '1'), ofType(2, '1', 'UNDO_SQL', false));
    expect(applied(history)).toEqual(['1']);
    expect(codes(history)).toContain('history-undo-failed error');
  });
});

describe('DELETE rows of repair', () => {
  it('mark the newest row of their version', () => {
    const history = read(historyEntry(1, '1'), historyEntry(2, '2'), ofType(3, '1', 'DELETE'));
    expect(states(history)).toEqual(['deleted', 'applied', 'marker']);
    expect(applied(history)).toEqual(['2']);
  });

  it('allow the version to be applied again, which then is not out of order for Flyway when nothing is above', () => {
    const history = read(historyEntry(1, '1'), ofType(2, '1', 'DELETE'), historyEntry(3, '1'));
    expect(states(history)).toEqual(['deleted', 'marker', 'applied']);
    expect(history.rows[2]?.outOfOrder).toBe(false);
  });

  it('are corrupt when two hit one row', () => {
    const history = read(historyEntry(1, '1'), ofType(2, '1', 'DELETE'), ofType(3, '1', 'DELETE'));
    expect(codes(history)).toEqual(['history-corrupt error']);
    expect(history.findings[0]?.message).toContain('multiple delete entries');
  });

  it('do nothing when they failed', () => {
    expect(applied(read(historyEntry(1, '1'), ofType(2, '1', 'DELETE', false)))).toEqual(['1']);
  });

  it('mark the newest row of a repeatable by its description', () => {
    const history = read(historyEntry(1, null), historyEntry(2, null), ofType(3, null, 'DELETE'));
    expect(states(history)).toEqual(['repeatable-superseded', 'deleted', 'marker']);
  });
});

describe('baselines', () => {
  it.each(['BASELINE', 'SQL_BASELINE', 'JDBC_BASELINE', 'SQL_STATE_SCRIPT', 'JDBC_STATE_SCRIPT'])(
    'of type %s raise the floor, and nothing at or below it can be rolled back',
    (type) => {
      const history = read(historyEntry(1, '1'), ofType(2, '5', type), historyEntry(3, '6'));
      expect(history.floor?.text).toBe('5');
      expect(states(history)).toEqual(['applied', 'baseline', 'applied']);
      expect(applied(history)).toEqual(['6']);
    },
  );

  it('count by the highest version, not by rank', () => {
    expect(read(ofType(1, '5', 'BASELINE'), ofType(2, '3', 'SQL_BASELINE')).floor?.text).toBe('5');
  });

  it('raise nothing when they failed', () => {
    const history = read(ofType(1, '5', 'SQL_BASELINE', false));
    expect(history.floor).toBeUndefined();
    expect(codes(history)).toEqual(['history-baseline-failed error']);
  });
});

describe('other rows', () => {
  it('are repeatables: the newest of a description counts', () => {
    const history = read(historyEntry(1, null), historyEntry(2, null, { description: 'other' }), historyEntry(3, null));
    expect(states(history)).toEqual(['repeatable-superseded', 'repeatable', 'repeatable']);
  });

  it('are repeatables that failed: a warning, for Flyway will refuse', () => {
    expect(codes(read(historyEntry(1, null, { success: false })))).toEqual(['history-repeatable-failed warning']);
  });

  it('are schema markers of rank 0', () => {
    const history = read(ofType(0, null, 'SCHEMA'), historyEntry(1, '1'));
    expect(states(history)).toEqual(['marker', 'applied']);
    expect(history.findings).toEqual([]);
  });

  it('of unknown type are errors that say what Flyway does', () => {
    const history = read(ofType(1, '1', 'FLYBACK'));
    expect(states(history)).toEqual(['unknown']);
    expect(codes(history)).toEqual(['history-type-unknown error']);
    expect(history.findings[0]?.message).toContain('Unknown migration type');
  });

  it.each([
    ['-5', 'by accident'],
    ['1a', 'stops at it'],
  ])('with the unreadable version %s are errors, and read without crashing', (version, words) => {
    const history = read(historyEntry(1, version), historyEntry(2, '1'));
    expect(states(history)).toEqual(['unknown', 'applied']);
    expect(codes(history)).toEqual(['history-version-unreadable error']);
    expect(history.findings[0]?.message).toContain(words);
  });

  it('with one rank twice are errors', () => {
    expect(codes(read(historyEntry(1, '1'), historyEntry(1, '2'), historyEntry(1, '3')))).toEqual([
      'history-rank-repeated error',
    ]);
  });

  it('may be missing altogether', () => {
    expect(read()).toMatchObject({ rows: [], applied: [], floor: undefined, findings: [] });
  });
});

describe('the fingerprint', () => {
  const base = [historyEntry(1, '1'), historyEntry(2, '2')];

  it('does not depend on the order in which rows come', () => {
    expect(read(...[...base].reverse()).fingerprint).toBe(read(...base).fingerprint);
  });

  it.each([
    { rank: 3 },
    { versionText: '2.0' },
    { versionText: null },
    { description: 'Step' },
    { type: 'JDBC' },
    { script: 'x' },
    { checksum: 101 },
    { checksum: null },
    { installedBy: 'x' },
    { installedOn: 'x' },
    { executionTimeMs: 2 },
    { success: false },
  ])('changes with %j', (change) => {
    const changed = read(historyEntry(1, '1'), historyEntry(2, '2', change));
    expect(changed.fingerprint).not.toBe(read(...base).fingerprint);
  });
});

it('any sequence of rows is read: a version is applied exactly if its newest application was not taken back', () => {
  const row = fc.record({
    version: fc.constantFrom('1', '2', '3'),
    type: fc.constantFrom('SQL', 'UNDO_SQL', 'DELETE'),
  });
  fc.assert(
    fc.property(fc.array(row, { maxLength: 30 }), (rows) => {
      const history = read(...rows.map(({ version, type }, index) => ofType(index + 1, version, type)));
      for (const version of ['1', '2', '3']) {
        const own = rows.filter((candidate) => candidate.version === version);
        // A history that some tool could have written: applied and taken back in turns.
        const isRegular = own.every(({ type }, index) => (index % 2 === 0) === (type === 'SQL'));
        if (isRegular) expect(applied(history).includes(version)).toBe(own.length % 2 === 1);
      }
    }),
  );
});
