import type { Finding } from '../errors/finding.js';
import type { Version } from './version.js';

export interface QualifiedName {
  readonly schema: string;
  readonly name: string;
}

/** One row of the schema history table, column by column, as the tool stored it. */
export interface HistoryEntry {
  readonly rank: number;
  /** The version column as stored; null for repeatable migrations and schema markers. */
  readonly versionText: string | null;
  readonly description: string;
  /** The type column in upper case. */
  readonly type: string;
  readonly script: string;
  readonly checksum: number | null;
  readonly installedBy: string;
  /** The server's own text of the timestamp: informative only, never compared or ordered by. */
  readonly installedOn: string;
  readonly executionTimeMs: number;
  readonly success: boolean;
  /** Where the history keeps its newest version alone: the version that it keeps once this one has gone; null: none. */
  readonly below?: string | null | undefined;
  /** Which run of the tool applied it, where the tool counts its runs; null where its row has no number. */
  readonly batch?: number | null | undefined;
}

/**
 * What a row means once the whole table has been read in rank order.
 * - applied: a versioned migration that is in effect
 * - failed: a versioned migration that the tool marked as failed
 * - undone / deleted: an earlier application that a later undo or delete row took back
 * - repeatable / repeatable-superseded: the newest, or an older, run of a repeatable migration
 * - baseline: a row that raises the floor
 * - marker: rows that only describe others (SCHEMA, DELETE, UNDO_*)
 * - unknown: a type that the tool's open-source edition would not read
 */
export type EntryState =
  | 'applied'
  | 'failed'
  | 'undone'
  | 'deleted'
  | 'repeatable'
  | 'repeatable-superseded'
  | 'baseline'
  | 'marker'
  | 'unknown';

export interface InterpretedEntry {
  readonly entry: HistoryEntry;
  readonly version: Version | undefined;
  readonly state: EntryState;
  /** Applied after a higher version had been applied (Flyway: "Out of Order"). */
  readonly outOfOrder: boolean;
}

/** The schema history table, read whole and interpreted. */
export interface History {
  readonly tool: string;
  readonly table: QualifiedName;
  /** All rows by rank. */
  readonly rows: readonly InterpretedEntry[];
  /** Rows in state applied or failed, in ascending version order: what could be rolled back. */
  readonly applied: readonly InterpretedEntry[];
  /** The highest baseline version: nothing at or below it can be rolled back. */
  readonly floor: Version | undefined;
  /** Problems of the table as a whole (corrupt, unknown types, failed undo). Errors block every plan. */
  readonly findings: readonly Finding[];
  /** SHA-256 over every column of every row; changes exactly if a row changed. */
  readonly fingerprint: string;
}
