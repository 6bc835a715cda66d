import type { ToolSettings } from '../../../src/config/config.js';

/** What flyback needs to know of a Knex project's configuration. */
export interface KnexSettings extends ToolSettings {
  readonly tool: 'knex';
  /** migrations.tableName; the lock table is named after it. */
  readonly table: string;
  /** migrations.schemaName; undefined: the connection's current schema. */
  readonly schema: string | undefined;
  /** Absolute folders of migrations.directory, in their order. */
  readonly directories: readonly string[];
  /** Extensions with their dot. */
  readonly loadExtensions: readonly string[];
  readonly sortDirsSeparately: boolean;
  readonly disableTransactions: boolean;
  /** Knex then does not mind rows without a file. */
  readonly disableMigrationsListValidation: boolean;
  /** migrationSource is an object of the project's own: only Knex can list its migrations. */
  readonly hasOwnSource: boolean;
  /** Absolute: where Knex would be at work, and finds its modules. */
  readonly workingDirectory: string;
  /** The knexfile, where it may be loaded, and its environment: null for one that has none. */
  readonly knexfile: { readonly file: string; readonly environment: string | null } | undefined;
  /** down() functions of migrations roll back versions that have no script. */
  readonly runsFunctions: boolean;
}

/** Names of migrations that Knex loads unless it is told others (MigrationsLoader.js of 3.3); .mjs is not among them. */
export const defaultLoadExtensions: readonly string[] = [
  '.co',
  '.coffee',
  '.eg',
  '.iced',
  '.js',
  '.cjs',
  '.litcoffee',
  '.ls',
  '.ts',
];
