import { sha256 } from '../fingerprint/fingerprint.js';
import type { HistoryEntry } from '../history/history.js';
import type { ScriptSource, TriggersMode } from '../scripts/rollback-script.js';
import type { VerificationResult } from '../verify/verification.js';

/**
 * How a step ended. `committed` changed everything, `interrupted` a part, `abandoned` is an interrupted run that a person
 * has closed; the others changed nothing.
 */
export type RecordOutcome = 'committed' | 'dry-run' | 'failed' | 'cancelled' | 'interrupted' | 'abandoned';

export interface RecordedStatement {
  readonly line: number;
  /** The statement's text, cut after 1,000 characters; the script's checksum pins the rest. */
  readonly sql: string;
  readonly rows: number | null;
  readonly durationMs: number;
}

/** The format of the entries that this flyback writes. An entry's text begins with it. */
export const entryFormat = 1;

/** One entry of the record: a version that was, or was not, taken back. Everything a report needs, no secret. */
export interface RecordEntry {
  readonly format: typeof entryFormat;
  readonly flyback: string;
  /** Identifies one call of flyback; its steps share it. */
  readonly run: string;
  readonly step: { readonly number: number; readonly of: number };
  readonly outcome: RecordOutcome;
  readonly tool: string;
  readonly version: string;
  readonly description: string;
  readonly script: { readonly file: string; readonly source: ScriptSource; readonly checksum: string };
  /** The history row that was removed (committed) or would have been. */
  readonly historyRow: HistoryEntry;
  readonly planHash: string;
  readonly triggers: TriggersMode;
  /** none: statement by statement. */
  readonly transaction: 'per-version' | 'single' | 'none';
  /** The run that this one carried on or closed. */
  readonly resumes?: string | undefined;
  readonly reason: string | null;
  readonly approval: string | null;
  readonly who: { readonly databaseUser: string; readonly systemUser: string; readonly host: string };
  readonly database: { readonly name: string; readonly serverVersion: string };
  /** ISO 8601, UTC, by the clock of the machine that ran flyback. */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly statements: readonly RecordedStatement[];
  readonly verifications: readonly VerificationResult[];
  /** Sentences about other sessions that this run has ended, up to this entry, to get its locks. */
  readonly endedSessions?: readonly string[] | undefined;
  /** Sentences about what was not as the version's proof had seen it. */
  readonly drift?: readonly string[] | undefined;
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** The previous hash of the very first entry. */
export const genesisHash = '0'.repeat(64);

/** The hash that chains an entry to the one before it. */
export function chainHash(previousHash: string, entryText: string): string {
  return sha256(`${previousHash}\n${entryText}`);
}
