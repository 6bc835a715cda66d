import type { ToolSettings } from '../../../src/config/config.js';

/** What flyback needs to know of Flyway's own configuration. */
export interface FlywaySettings extends ToolSettings {
  readonly tool: 'flyway';
  readonly environment: string;
  readonly defaultSchema: string | undefined;
  readonly schemas: readonly string[];
  readonly table: string;
  /** As configured, e.g. filesystem:sql; resolved by the migration loader. */
  readonly locations: readonly string[];
  readonly callbackLocations: readonly string[];
  /** Relative filesystem: locations resolve against this folder. */
  readonly workingDirectory: string;
  readonly sqlMigrationPrefix: string;
  readonly repeatableSqlMigrationPrefix: string;
  readonly undoSqlMigrationPrefix: string;
  readonly baselineMigrationPrefix: string;
  readonly sqlMigrationSeparator: string;
  readonly sqlMigrationSuffixes: readonly string[];
  readonly encoding: string;
  readonly placeholders: Readonly<Record<string, string>>;
  readonly placeholderReplacement: boolean;
  readonly placeholderPrefix: string;
  readonly placeholderSuffix: string;
  /** Stands between "flyway" and the name of a built-in placeholder; undefined means ":". */
  readonly placeholderSeparator?: string | undefined;
  readonly outOfOrder: boolean;
  readonly validateOnMigrate: boolean;
  readonly ignoreMigrationPatterns: readonly string[];
  readonly validateMigrationNaming: boolean;
  readonly group: boolean;
  readonly mixed: boolean;
  readonly executeInTransaction: boolean;
  readonly lockRetryCount: number;
  readonly transactionalLock: boolean;
  readonly installedBy: string | undefined;
}
