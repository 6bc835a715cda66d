import type { HistoryEntry, QualifiedName } from '../history/history.js';
import type { ScriptSource, TriggersMode } from '../scripts/rollback-script.js';

/**
 * What is written down about a rollback that runs without a transaction, before and after each statement, each entry
 * committed on its own. Empty when nothing is interrupted: the entries of a run go in the very transaction that ends it
 * (taken back, withdrawn, abandoned), and what they told goes into the record.
 */
export type JournalEntry =
  | JournalBegun
  | JournalStarted
  | JournalFinished
  | JournalFailed
  /** A later call of flyback took the run over. */
  | { readonly event: 'resumed'; readonly at: string; readonly by: string }
  /** All statements ran, and what must hold afterwards did not. */
  | { readonly event: 'unverified'; readonly at: string; readonly message: string };

/** Written together with the mark "failed" on the history row, before the first statement. */
export interface JournalBegun {
  readonly event: 'begun';
  readonly format: 1;
  readonly flyback: string;
  readonly at: string;
  readonly tool: string;
  readonly version: string;
  readonly description: string;
  /** The row as it was: its mark is what changed. */
  readonly historyRow: HistoryEntry;
  readonly planHash: string;
  readonly triggers: TriggersMode;
  readonly reason: string | null;
  readonly approval: string | null;
  readonly who: { readonly databaseUser: string; readonly systemUser: string; readonly host: string };
  /** The cluster and the database in it (ServerIdentity); null where the server does not tell. */
  readonly database: string | null;
  readonly script: { readonly file: string; readonly source: ScriptSource; readonly checksum: string };
  /** SHA-256 of each statement's text after placeholder replacement, in order: no secret is kept. */
  readonly statements: readonly string[];
}

export interface JournalStarted {
  readonly event: 'started';
  readonly at: string;
  /** Index of the statement in the script. */
  readonly statement: number;
  readonly line: number;
  /** SHA-256 of its text. */
  readonly hash: string;
  /** In a transaction of its own, together with `finished`; or alone, because the server allows no transaction. */
  readonly mode: 'transaction' | 'alone';
  /** What an inspection said before it ran; null where there is nothing to inspect. */
  readonly before: readonly (readonly (string | null)[])[] | null;
}

export interface JournalFinished {
  readonly event: 'finished';
  readonly at: string;
  readonly statement: number;
  readonly line: number;
  readonly hash: string;
  /** Secrets taken out, cut like in the record. */
  readonly sql: string;
  readonly rows: number | null;
  readonly durationMs: number;
}

export interface JournalFailed {
  readonly event: 'failed';
  readonly at: string;
  readonly statement: number;
  readonly line: number;
  readonly code: string;
  readonly message: string;
}

export interface JournalRow {
  readonly id: number;
  /** The run that began; entries of later calls that resume it carry the same. */
  readonly run: string;
  readonly entry: JournalEntry;
}

/** The name of the journal beside a record of this name. */
export function journalName(record: string): string {
  return `${record}_journal`;
}

/** The journal lies beside the record, under its name. */
export function journalTableOf(record: QualifiedName): QualifiedName {
  return { schema: record.schema, name: journalName(record.name) };
}
