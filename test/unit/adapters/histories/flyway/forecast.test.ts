import { describe, expect, it } from 'vitest';
import type { Forecast } from '../../../../../src/adapter/history.js';
import type { FlywaySettings } from '../../../../../adapters/histories/flyway/settings.js';
import type { HistoryEntry } from '../../../../../src/history/history.js';
import type { Migration } from '../../../../../src/history/migration.js';
import { forecast } from '../../../../../adapters/histories/flyway/forecast.js';
import { interpret } from '../../../../../adapters/histories/flyway/interpret.js';
import { flywaySettings, historyEntry, migrationFile } from '../../../../harness/history-values.js';

const table = { schema: 'public', name: 'flyway_schema_history' };

function foretell(
  rows: readonly HistoryEntry[],
  files: readonly Migration[],
  settings: Partial<FlywaySettings> = {},
): Forecast {
  return forecast(interpret(table, rows), files, flywaySettings(settings));
}

const files = ['1', '2', '3'].map((version) => migrationFile(version));
const rowsOf = (...versions: readonly string[]): readonly HistoryEntry[] =>
  versions.map((version, index) => historyEntry(index + 1, version));

// The table "What Flyway does with a changed history" of the facts, row by row.
describe('what flyway migrate will do', () => {
  it('applies the newest version again when its row is gone', () => {
    expect(foretell(rowsOf('1', '2'), files)).toMatchObject({ willApply: ['3'], refuses: undefined });
  });

  it('applies several newest versions again, in version order', () => {
    expect(foretell(rowsOf('1'), [...files].reverse())).toMatchObject({ willApply: ['2', '3'], refuses: undefined });
  });

  it('refuses when a middle row is gone, and says how to go on', () => {
    const { refuses, willApply, summary } = foretell(rowsOf('1', '3'), files);
    expect(refuses).toContain('version 2 is below the current version');
    expect(refuses).toContain('outOfOrder=true');
    expect(willApply).toEqual([]);
    expect(summary).toContain('will refuse');
  });

  it('applies a middle version again with outOfOrder', () => {
    expect(foretell(rowsOf('1', '3'), files, { outOfOrder: true })).toMatchObject({ willApply: ['2'] });
  });

  it.each([{ validateOnMigrate: false }, { ignoreMigrationPatterns: ['*:ignored'] }])(
    'silently skips a middle version with %j, which the summary says',
    (settings) => {
      const { willApply, refuses, summary } = foretell(rowsOf('1', '3'), files, settings);
      expect([willApply, refuses]).toEqual([[], undefined]);
      expect(summary).toContain('silently skip version 2');
    },
  );

  it('does nothing when row and file are gone', () => {
    expect(foretell(rowsOf('1', '2'), files.slice(0, 2))).toMatchObject({ willApply: [], refuses: undefined });
  });

  it('lets a file be missing above all others, unless future migrations are not ignored', () => {
    expect(foretell(rowsOf('1', '2', '3'), files.slice(0, 2)).refuses).toBeUndefined();
    const refused = foretell(rowsOf('1', '2', '3'), files.slice(0, 2), { ignoreMigrationPatterns: [] });
    expect(refused.refuses).toContain('version 3 has no local file');
  });

  it('refuses when a lower file is missing', () => {
    expect(foretell(rowsOf('1', '2'), [migrationFile('1'), migrationFile('3')]).refuses).toContain('version 2');
  });

  it('starts at the first version when all rows are gone, which the summary says', () => {
    const { willApply, summary } = foretell([], files);
    expect(willApply).toEqual(['1', '2', '3']);
    expect(summary).toContain('starts from the beginning, which fails where');
  });

  it('runs what lay below a baseline when the BASELINE row is gone, and nothing of it while it is there', () => {
    const baseline = historyEntry(1, '2', { type: 'BASELINE', checksum: null });
    expect(foretell([baseline], files).willApply).toEqual(['3']);
    expect(foretell([], files).willApply).toEqual(['1', '2', '3']);
  });

  it('refuses over a failed row, also without validation', () => {
    const rows = [historyEntry(1, '1'), historyEntry(2, '2', { success: false })];
    expect(foretell(rows, files).refuses).toContain('failed version 2');
    expect(foretell(rows, files, { validateOnMigrate: false }).refuses).toContain('version 2');
  });

  it('refuses over a changed checksum, unless it does not validate', () => {
    const edited = [migrationFile('1', { checksum: 999 }), ...files.slice(1)];
    expect(foretell(rowsOf('1', '2', '3'), edited).refuses).toContain('999');
    expect(foretell(rowsOf('1', '2', '3'), edited, { validateOnMigrate: false }).refuses).toBeUndefined();
  });

  it('takes the rows of Java migrations on trust', () => {
    const rows = [historyEntry(1, '1'), historyEntry(2, '2', { type: 'JDBC', checksum: null }), historyEntry(3, '3')];
    expect(foretell(rows, [migrationFile('1'), migrationFile('3')])).toMatchObject({
      willApply: [],
      refuses: undefined,
    });
  });

  it('runs repeatables that are new, changed or were deleted, and leaves the others alone', () => {
    const repeatable = (description: string, checksum: number): Migration =>
      migrationFile(null, { description, checksum, sql: `-- ${description}` });
    const row = (rank: number, description: string, checksum: number | null, type = 'SQL'): HistoryEntry =>
      historyEntry(rank, null, { description, checksum, type });
    const rows = [
      row(1, 'same', 1),
      row(2, 'changed', 2),
      row(3, 'marked', null),
      row(4, 'gone', 4),
      row(5, 'gone', 4, 'DELETE'),
    ];
    const local = [
      repeatable('same', 1),
      repeatable('changed', 9),
      repeatable('marked', 3),
      repeatable('gone', 4),
      repeatable('new', 5),
    ];
    expect(foretell(rows, local).willRepeat).toEqual(['changed', 'gone', 'marked', 'new']);
  });

  it('says nothing of repeatables whose checksum only a connection could tell', () => {
    const rows = [historyEntry(1, null, { checksum: 5 })];
    expect(foretell(rows, [migrationFile(null, { checksum: null })]).willRepeat).toEqual([]);
  });

  it('refuses over what no Flyway can read, and over two files of one version', () => {
    expect(foretell([historyEntry(1, '1', { type: 'X' })], files).refuses).toContain('type X');
    expect(foretell([], [migrationFile('1'), migrationFile('1.0')]).refuses).toContain('more than one migration');
  });

  it('names at most five versions', () => {
    const many = Array.from({ length: 8 }, (_, index) => migrationFile(String(index + 1)));
    expect(foretell([], many).summary).toContain('1, 2, 3, 4, 5 and 3 more');
  });

  it('ignores undo files', () => {
    expect(foretell(rowsOf('1'), [migrationFile('1'), migrationFile('1', { kind: 'undo' })])).toMatchObject({
      willApply: [],
      refuses: undefined,
    });
  });
});
