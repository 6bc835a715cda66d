import type { FlywaySettings } from '../config/config.js';
import type { Finding } from '../errors/finding.js';
import type { History, HistoryEntry, QualifiedName } from '../history/history.js';
import type { Migration } from '../history/migration.js';
import type { Version, VersionScheme } from '../history/version.js';
import type { Command, DatabaseAdapter, QueryResult, ToolLock } from './database.js';

/*
 * The history axis. Adding a tool: copy adapters/histories/flyway, fill in the same files, add a line in
 * adapters/index.ts, call the conformance kit from one test, add the row in docs/adapters.md.
 */

/** The migration files that the tool would find, and what is wrong with them. */
export interface MigrationSet {
  readonly migrations: readonly Migration[];
  /** Absolute folders that the tool scans: the rollbacks folder must lie in none of them. */
  readonly scannedFolders: readonly string[];
  readonly findings: readonly Finding[];
}

/** What the migration tool will do the next time it runs. */
export interface Forecast {
  /** Versioned migrations that it will apply, in its order. */
  readonly willApply: readonly string[];
  /** Repeatable migrations (descriptions) that it will run again by itself. */
  readonly willRepeat: readonly string[];
  /** Why it would refuse, when it would. */
  readonly refuses: string | undefined;
  /** Two or three sentences for a person. */
  readonly summary: string;
}

/** What the rows tell of who wrote them. */
export interface HistoryOrigin {
  /** One or two sentences. */
  readonly words: string;
  /** True when another edition of the tool may not be able to read them. */
  readonly isDoubtful: boolean;
  readonly hint: string | undefined;
}

export interface HistoryAdapter {
  readonly tool: 'flyway';
  readonly versions: VersionScheme;
  /** Reads the migration files under the configured locations. No database. */
  loadMigrations(settings: FlywaySettings): Promise<MigrationSet>;
  /** The history table's name when the connection's current schema is `currentSchema`. */
  tableName(settings: FlywaySettings, currentSchema: string | null): QualifiedName;
  /** SQL that tells which columns the table has, for checkTable; it may also tell of tables that could be meant instead. */
  describeTable(database: DatabaseAdapter, table: QualifiedName): string;
  /** Checks the described columns; throws FlybackError history-missing or history-malformed. */
  checkTable(table: QualifiedName, described: QueryResult): void;
  /** SQL that reads all rows by rank. */
  readRows(database: DatabaseAdapter, table: QualifiedName): string;
  /** Rows of readRows, or those that removeRow returned → entries. */
  parseRows(result: QueryResult): readonly HistoryEntry[];
  /** The whole meaning of the table. Pure. */
  interpret(table: QualifiedName, entries: readonly HistoryEntry[]): History;
  /** Which versions and editions of the tool could have written these rows. Pure. */
  origin(history: History): HistoryOrigin;
  /** The lock that the tool itself takes around a migration. */
  toolLock(database: DatabaseAdapter, table: QualifiedName): ToolLock;
  /** DELETE of exactly this row, guarded by every stored column that identifies it, returning what was deleted. */
  removeRow(database: DatabaseAdapter, table: QualifiedName, entry: HistoryEntry): string;
  /** The same, the values apart from a text that is the same for every row; returns no row. */
  removeRowValues(database: DatabaseAdapter, table: QualifiedName, entry: HistoryEntry): Command;
  /**
   * UPDATE of exactly this row, guarded like removeRow, that sets its mark of success; returns the row as it is then.
   * A row marked as failed stops the tool's own migrate.
   */
  setSuccess(database: DatabaseAdapter, table: QualifiedName, entry: HistoryEntry, success: boolean): string;
  /** search_path entries (unquoted) that the tool puts in front before each script. */
  scriptSchema(settings: FlywaySettings, table: QualifiedName): string;
  /** Replaces placeholders in a rollback script as the tool does in a migration. Throws FlybackError script-refused for an unknown one. */
  replacePlaceholders(text: string, settings: FlywaySettings, context: PlaceholderContext): string;
  /** What the tool does next, given the history as it will be. */
  forecast(history: History, migrations: readonly Migration[], settings: FlywaySettings): Forecast;
  /** Writes a history as the tool would, in a scratch database where the tool itself is not at hand. */
  readonly scratch: ScratchHistory;
  /** Where rows in effect and migration files disagree (edited, missing, renamed), one finding each. Pure. */
  checkMigrations(
    history: History,
    migrations: readonly Migration[],
    settings: FlywaySettings,
  ): readonly MigrationFinding[];
}

/** SQL that keeps a history in a scratch database. Never used on a database of the user's. */
export interface ScratchHistory {
  createTable(database: DatabaseAdapter, table: QualifiedName): string;
  /** The row that the tool appends after it has applied a migration. */
  insertRow(database: DatabaseAdapter, table: QualifiedName, migration: Migration, executionTimeMs: number): string;
  /** Removes all rows, for a proof that is about one version alone. */
  clearTable(database: DatabaseAdapter, table: QualifiedName): string;
}

/** A finding about one migration; undefined version: a repeatable one. */
export interface MigrationFinding {
  readonly version: Version | undefined;
  readonly finding: Finding;
}

export interface PlaceholderContext {
  readonly file: string;
  readonly defaultSchema: string;
  readonly user: string;
  readonly databaseName: string;
  readonly table: string;
  /** "yyyy-MM-dd HH:mm:ss" in local time. */
  readonly timestamp: string;
}

export type { Version };
