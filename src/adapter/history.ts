import type { ToolSettings } from '../config/config.js';
import type { Finding } from '../errors/finding.js';
import type { History, HistoryEntry, QualifiedName } from '../history/history.js';
import type { Migration } from '../history/migration.js';
import type { Version, VersionScheme } from '../history/version.js';
import type { Command, DatabaseAdapter, QueryResult, ToolLock } from './database.js';
import type { FunctionCaller } from './migration-functions.js';

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

/** How the tool is spoken of in messages and hints. */
export interface ToolWords {
  /** As its makers write it: Flyway, golang-migrate. */
  readonly name: string;
  /** The command that applies what is pending, as typed. */
  readonly migrate: string;
  /** What puts a history right that the findings call broken; the middle of a hint. */
  readonly repair: string;
  /** Where its connection is configured; a hint. */
  readonly connection: string;
}

/** What a version that goes while higher ones stay does to the tool. */
export type HoleInHistory =
  /** What the tool does afterwards, the end of a sentence that begins with what stays. */
  | { readonly possible: true; readonly words: string }
  /** The history cannot say it; a whole sentence. */
  | { readonly possible: false; readonly words: string };

/**
 * One migration tool. `Settings` are those that the tool's own reader makes; whoever puts a project together sees to it that
 * an adapter is given no others.
 */
export interface HistoryAdapter<Settings extends ToolSettings = ToolSettings> {
  /** The value of `tool` in flyback.toml, in plans and in the record. */
  readonly tool: string;
  readonly words: ToolWords;
  /**
   * known: the table has a row for each migration in effect. inferred: it has the newest alone, and those below it are taken
   * from the files.
   */
  readonly applied: 'known' | 'inferred';
  readonly versions: VersionScheme;
  /** Reads the migration files under the configured locations. No database. */
  loadMigrations(settings: Settings): Promise<MigrationSet>;
  /** The history table's name when the connection's current schema is `currentSchema`. */
  tableName(settings: Settings, currentSchema: string | null): QualifiedName;
  /** SQL that tells which columns the table has, for checkTable; it may also tell of tables that could be meant instead. */
  describeTable(database: DatabaseAdapter, table: QualifiedName): string;
  /** Checks the described columns; throws FlybackError history-missing or history-malformed. */
  checkTable(table: QualifiedName, described: QueryResult): void;
  /** SQL that reads the whole table. */
  readRows(database: DatabaseAdapter, table: QualifiedName): string;
  /**
   * Rows of readRows → one entry for each migration, by rank. Where the list is inferred, `migrations` are the files that it is
   * inferred from, and ranks count from 1. Throws FlybackError history-malformed for a table that the tool never writes. Pure.
   */
  parseRows(result: QueryResult, migrations: readonly Migration[]): readonly HistoryEntry[];
  /** The whole meaning of the table. Pure. */
  interpret(table: QualifiedName, entries: readonly HistoryEntry[]): History;
  /** Which versions and editions of the tool could have written these rows. Pure. */
  origin(history: History): HistoryOrigin;
  /** The roles that wrote the entries, where the table tells. */
  writers(entries: readonly HistoryEntry[], settings: Settings): readonly string[];
  /** The lock that the tool itself takes around a migration. */
  toolLock(database: DatabaseAdapter, table: QualifiedName, facts: LockFacts): ToolLock;
  /** A condition over the whole table, with aggregates, that holds if these entries are what it says; enough to notice a change. */
  expectRows(database: DatabaseAdapter, entries: readonly HistoryEntry[]): Condition;
  /**
   * The statement that takes exactly this entry out of the history, guarded by every stored column that identifies it: one row
   * affected. Text with the values in it.
   */
  removeRow(database: DatabaseAdapter, table: QualifiedName, entry: HistoryEntry): string;
  /** The same, the values apart from a text that is the same for many rows. */
  removeRowValues(database: DatabaseAdapter, table: QualifiedName, entry: HistoryEntry): Command;
  /**
   * UPDATE of exactly this row, guarded like removeRow, that sets its mark of success: one row affected. A row marked as failed
   * stops the tool's own migrate. Undefined where the table has no such mark.
   */
  setSuccess(
    database: DatabaseAdapter,
    table: QualifiedName,
    entry: HistoryEntry,
    success: boolean,
  ): string | undefined;
  /** What becomes of the tool when this version goes and higher ones stay. */
  holeAt(version: Version): HoleInHistory;
  /**
   * The schema (unquoted) in which scripts of the tool make what they name without one: it comes first in their search_path.
   * `currentSchema` is that of a new connection, null where none is known.
   */
  scriptSchema(settings: Settings, table: QualifiedName, currentSchema: string | null): string;
  /**
   * Replaces placeholders in a rollback script as the tool does in a migration, where the settings have them replaced. Throws
   * FlybackError script-refused for an unknown one.
   */
  replacePlaceholders(text: string, settings: Settings, context: PlaceholderContext): string;
  /** Whether the tool opens a transaction around this migration, as far as its configuration says. */
  opensTransaction(migration: Migration, settings: Settings): boolean;
  /** What the tool does next, given the history as it will be. */
  forecast(history: History, migrations: readonly Migration[], settings: Settings): Forecast;
  /** What will be otherwise for people who use the tool out of habit, once the history is as it will be. Pure. */
  habits?(before: History, after: History): readonly Finding[];
  /** Writes a history as the tool would, in a scratch database where the tool itself is not at hand. */
  readonly scratch: ScratchHistory;
  /**
   * How the functions of migrations that are programs (`isSql: false`) are called; undefined where the tool has none, or the
   * project has not said that flyback may. Pure.
   */
  functions?(settings: Settings): FunctionCaller | undefined;
  /** Where rows in effect and migration files disagree (edited, missing, renamed), one finding each. Pure. */
  checkMigrations(history: History, migrations: readonly Migration[], settings: Settings): readonly MigrationFinding[];
}

/** What the name of a tool's lock may depend on, besides the table. */
export interface LockFacts {
  readonly databaseName: string;
}

/** SQL that holds or does not; $1, $2 … stand for the values. */
export interface Condition {
  readonly sql: string;
  readonly values: readonly (string | null)[];
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
