import { describe, expect, it } from 'vitest';
import type { FlywaySettings } from '../../../../../adapters/histories/flyway/settings.js';
import type { HistoryEntry } from '../../../../../src/history/history.js';
import type { Migration } from '../../../../../src/history/migration.js';
import { checkMigrations } from '../../../../../adapters/histories/flyway/check-migrations.js';
import { interpret } from '../../../../../adapters/histories/flyway/interpret.js';
import { flywaySettings, historyEntry, migrationFile } from '../../../../harness/history-values.js';

function check(
  rows: readonly HistoryEntry[],
  files: readonly Migration[],
  settings: Partial<FlywaySettings> = {},
): readonly string[] {
  const history = interpret({ schema: 'public', name: 'h' }, rows);
  return checkMigrations(history, files, flywaySettings(settings)).map(
    ({ version, finding }) => `${version?.text ?? 'repeatable'} ${finding.code} ${finding.severity}`,
  );
}

describe('comparing rows in effect with the files', () => {
  it('finds nothing when they agree, in whatever way a version is written', () => {
    expect(check([historyEntry(1, '001')], [migrationFile('1.0')])).toEqual([]);
  });

  it('reports a file that was edited after it had been applied', () => {
    expect(check([historyEntry(1, '1')], [migrationFile('1', { checksum: 1 })])).toEqual(['1 migration-edited error']);
  });

  it('takes 0 and NULL for the same, and NULL for edited otherwise', () => {
    const row = historyEntry(1, '1', { checksum: null });
    expect(check([row], [migrationFile('1', { checksum: 0 })])).toEqual([]);
    expect(check([row], [migrationFile('1')])).toEqual(['1 migration-edited error']);
  });

  it('reports a file that is gone: an error in the middle, a warning above all others', () => {
    const rows = [historyEntry(1, '1'), historyEntry(2, '2')];
    expect(check(rows, [migrationFile('2')])).toEqual(['1 migration-missing error']);
    expect(check(rows, [migrationFile('1')])).toEqual(['2 migration-missing warning']);
    expect(check(rows, [migrationFile('2')], { ignoreMigrationPatterns: ['*:missing'] })).toEqual([
      '1 migration-missing warning',
    ]);
  });

  it('reports another description, and another kind of file', () => {
    expect(check([historyEntry(1, '1')], [migrationFile('1', { description: 'other' })])).toEqual([
      '1 migration-description-changed error',
    ]);
    expect(check([historyEntry(1, '1')], [migrationFile('1', { isSql: false }), migrationFile('2')])).toEqual([
      '1 migration-type-changed error',
    ]);
  });

  it('compares a long description as far as the column holds it', () => {
    const long = 'x'.repeat(250);
    const row = historyEntry(1, '1', { description: `${'x'.repeat(197)}...` });
    expect(check([row], [migrationFile('1', { description: long })])).toEqual([]);
    expect(check([row], [migrationFile('1', { description: 'x'.repeat(199) })])).toHaveLength(1);
  });

  it('compares nothing at or below the baseline', () => {
    const rows = [historyEntry(1, '1'), historyEntry(2, '2', { type: 'BASELINE', checksum: null })];
    expect(check(rows, [migrationFile('1', { checksum: 1 })])).toEqual([]);
  });

  it('compares nothing that is deleted, undone, or a Java migration', () => {
    const rows = [
      historyEntry(1, '1'),
      historyEntry(2, '1', { type: 'DELETE' }),
      historyEntry(3, '2'),
      historyEntry(4, '2', { type: 'UNDO_SQL' }),
      historyEntry(5, '3', { type: 'JDBC', checksum: null }),
    ];
    expect(check(rows, [migrationFile('1', { checksum: 1 }), migrationFile('4')])).toEqual([]);
  });

  it('lets repeatables change, and reports one whose file is gone', () => {
    expect(check([historyEntry(1, null)], [migrationFile(null, { checksum: 1 })])).toEqual([]);
    expect(check([historyEntry(1, null)], [])).toEqual(['repeatable migration-missing error']);
  });
});
