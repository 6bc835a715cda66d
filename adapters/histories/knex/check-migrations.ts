import type { MigrationFinding } from '../../../src/adapter/history.js';
import type { History } from '../../../src/history/history.js';
import type { Migration } from '../../../src/history/migration.js';
import type { KnexSettings } from './settings.js';

/** Rows whose file is gone or has another extension by now: Knex looks for the very name, and fails in every command. */
export function checkMigrations(
  history: History,
  migrations: readonly Migration[],
  settings: KnexSettings,
): readonly MigrationFinding[] {
  if (settings.hasOwnSource) return [];
  const names = new Set(migrations.map(({ script }) => script));
  const byKey = new Map(migrations.map((migration) => [migration.version?.key, migration]));
  const severity = settings.disableMigrationsListValidation ? 'warning' : 'error';
  const consequence = settings.disableMigrationsListValidation
    ? 'Knex does not mind, until it is to take it back'
    : 'every command of Knex fails ("The migration directory is corrupt")';
  return history.applied.flatMap(({ entry, version }): readonly MigrationFinding[] => {
    if (version === undefined || names.has(entry.script)) return [];
    const other = byKey.get(version.key);
    return [
      {
        version,
        finding:
          other === undefined
            ? {
                code: 'migration-missing',
                severity,
                subject: version.text,
                message: `The migration ${entry.script} was applied, but its file is gone; ${consequence}.`,
                hint: 'Restore the file from version control, or take the migration back: without its row Knex works again.',
              }
            : {
                code: 'migration-type-changed',
                severity,
                subject: version.text,
                message: `${entry.script} was applied, and ${other.script} is there now; ${consequence}.`,
                hint: 'Use the folder that the deployment uses (of compiled files, or of their sources), or set loadExtensions as it is there.',
              },
      },
    ];
  });
}
