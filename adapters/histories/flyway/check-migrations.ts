import type { MigrationFinding } from '../../../src/adapter/history.js';
import type { FlywaySettings } from './settings.js';
import type { Finding } from '../../../src/errors/finding.js';
import type { History } from '../../../src/history/history.js';
import type { Migration } from '../../../src/history/migration.js';
import type { Version } from '../../../src/history/version.js';
import { flywayVersions } from './versions.js';
import { checksumMatches, computeStates, typeOfMigration, type MigrationInfo } from './states.js';
import { validateStates } from './validate.js';

/**
 * Where rows in effect and local files disagree: file edited after it was applied, file gone, another description or
 * another type. An error where `flyway validate` fails over it, else a warning. Nothing at or below the baseline is
 * compared, as Flyway compares nothing there.
 */
export function checkMigrations(
  history: History,
  migrations: readonly Migration[],
  settings: FlywaySettings,
): readonly MigrationFinding[] {
  const states = computeStates(history, migrations, settings);
  const rejected = new Set(validateStates(states, settings.ignoreMigrationPatterns).map(({ info }) => info));
  const byVersion = new Map(
    migrations.filter(({ kind }) => kind === 'versioned').map((migration) => [migration.version?.key, migration]),
  );
  const result: MigrationFinding[] = [];
  for (const info of states.infos) {
    if (info.row === undefined || isCovered(info, states.baseline)) {
      continue;
    }
    const finding = compare(info, byVersion, rejected.has(info) ? 'error' : 'warning');
    if (finding !== undefined) {
      result.push({ version: info.version, finding });
    }
  }
  return result;
}

function isCovered({ version }: MigrationInfo, baseline: Version | undefined): boolean {
  return version !== undefined && baseline !== undefined && flywayVersions.compare(version, baseline) <= 0;
}

function compare(
  { state, row, migration, version, description }: MigrationInfo,
  byVersion: ReadonlyMap<string | undefined, Migration>,
  severity: Finding['severity'],
): Finding | undefined {
  if (row === undefined || state === 'Deleted' || state === 'Undone' || state === 'Superseded') {
    return undefined;
  }
  const subject = version?.text ?? description;
  const consequence = severity === 'error' ? 'flyway validate fails over it' : 'flyway validate does not mind';
  if (migration === undefined) {
    if (!['Missing', 'Failed (Missing)', 'Future', 'Failed (Future)'].includes(state)) {
      return undefined;
    }
    const other = version === undefined ? undefined : byVersion.get(version.key);
    return other === undefined
      ? {
          code: 'migration-missing',
          severity,
          subject,
          message: `The migration ${row.entry.script} was applied, but its file is gone; ${consequence}.`,
          hint: 'Restore the file from version control, or let flyway repair mark it as deleted.',
        }
      : {
          code: 'migration-type-changed',
          severity,
          subject,
          message: `Version ${subject} was applied as ${row.entry.type} (${row.entry.script}) and is ${typeOfMigration(other)} now (${other.script}); ${consequence}.`,
          hint: 'Restore the migration as it was applied.',
        };
  }
  if (version === undefined) {
    // A repeatable migration is meant to change.
    return undefined;
  }
  if (!checksumMatches(row, migration)) {
    return {
      code: 'migration-edited',
      severity,
      subject,
      message: `${migration.script} was edited after it had been applied: its checksum is ${String(migration.checksum)}, the history has ${String(row.entry.checksum)}; ${consequence}.`,
      hint: 'Restore the file from version control, or accept it with flyway repair, and check its rollback script again.',
    };
  }
  if (severity === 'error' && state !== 'Failed') {
    return {
      code: 'migration-description-changed',
      severity,
      subject,
      message: `Version ${subject} is described as "${migration.description}" here and as "${row.entry.description}" in the history; ${consequence}.`,
      hint: 'Rename the file back, or run flyway repair.',
    };
  }
  return undefined;
}
