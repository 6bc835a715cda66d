import type { FlywaySettings } from '../../adapters/histories/flyway/settings.js';
import type { HistoryEntry } from '../../src/history/history.js';
import type { Migration } from '../../src/history/migration.js';
import type { RollbackScript } from '../../src/scripts/rollback-script.js';
import { flywayVersions } from '../../adapters/histories/flyway/versions.js';

/** Flyway's own defaults, with some changed. */
export function flywaySettings(changes: Partial<FlywaySettings> = {}): FlywaySettings {
  return {
    tool: 'flyway',
    environment: 'default',
    defaultSchema: undefined,
    schemas: [],
    table: 'flyway_schema_history',
    locations: ['filesystem:sql'],
    callbackLocations: [],
    workingDirectory: '/project',
    sqlMigrationPrefix: 'V',
    repeatableSqlMigrationPrefix: 'R',
    undoSqlMigrationPrefix: 'U',
    baselineMigrationPrefix: 'B',
    sqlMigrationSeparator: '__',
    sqlMigrationSuffixes: ['.sql'],
    encoding: 'UTF-8',
    placeholders: {},
    placeholderReplacement: true,
    placeholderPrefix: '${',
    placeholderSuffix: '}',
    outOfOrder: false,
    validateOnMigrate: true,
    ignoreMigrationPatterns: ['*:future'],
    validateMigrationNaming: false,
    group: false,
    mixed: false,
    executeInTransaction: true,
    lockRetryCount: 50,
    transactionalLock: true,
    installedBy: undefined,
    ...changes,
  };
}

/** A row as Flyway writes it for `V<version>__step.sql`, with some columns changed. */
export function historyEntry(
  rank: number,
  versionText: string | null,
  changes: Partial<HistoryEntry> = {},
): HistoryEntry {
  return {
    rank,
    versionText,
    description: 'step',
    type: 'SQL',
    script: versionText === null ? 'R__step.sql' : `V${versionText}__step.sql`,
    checksum: 100,
    installedBy: 'app',
    installedOn: '2026-01-01 00:00:00.000000',
    executionTimeMs: 1,
    success: true,
    ...changes,
  };
}

/** The file that belongs to historyEntry, with some fields changed. A version of null makes it repeatable. */
export function migrationFile(versionText: string | null, changes: Partial<Migration> = {}): Migration {
  const version = versionText === null ? undefined : flywayVersions.parse(versionText);
  const script = versionText === null ? 'R__step.sql' : `V${versionText}__step.sql`;
  return {
    kind: versionText === null ? 'repeatable' : 'versioned',
    version,
    description: 'step',
    script,
    file: `/project/sql/${script}`,
    isSql: true,
    checksum: 100,
    sql: 'SELECT 1;',
    ...changes,
  };
}

/** A rollback script without problems, with some fields changed. Throws for text that is no version. */
export function rollbackScript(versionText: string, changes: Partial<RollbackScript> = {}): RollbackScript {
  const version = flywayVersions.parse(versionText);
  if (version === undefined) throw new Error(`Not a version: ${versionText}`);
  return {
    version,
    description: 'step',
    file: `/project/rollbacks/R${versionText}__step.sql`,
    source: 'rollback',
    checksum: '00',
    text: 'SELECT 1;',
    statements: [],
    verifications: [],
    directives: { allowLoss: [], leaves: [], stub: false },
    transaction: 'on',
    takenOver: [],
    findings: [],
    ...changes,
  };
}
