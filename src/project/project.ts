import type { Session } from '../adapter/database.js';
import type { MigrationSet, PlaceholderContext } from '../adapter/history.js';
import type { Toolbox } from '../adapter/toolbox.js';
import type { Config } from '../config/config.js';
import type { Finding } from '../errors/finding.js';
import type { FunctionRunner } from '../functions/function-runner.js';
import type { History, HistoryEntry, QualifiedName } from '../history/history.js';
import type { JournalRow } from '../journal/journal.js';
import type { Pair } from '../pairing/pair.js';
import type { ProofBook } from '../receipt/proof-book.js';

/** A project as it was read at one moment: files, and the history where a session was given. */
export interface Project {
  readonly config: Config;
  readonly toolbox: Toolbox;
  readonly table: QualifiedName;
  readonly recordTable: QualifiedName;
  /** Undefined without a session: nothing is known of what is applied. */
  readonly history: History | undefined;
  readonly entries: readonly HistoryEntry[];
  readonly migrations: MigrationSet;
  /** Where scripts make what they name without a schema. */
  readonly scriptSchema: string;
  /** What placeholders in scripts and migrations stand for here, the file's own name apart. */
  readonly placeholders: Omit<PlaceholderContext, 'file'>;
  /** Calls the functions of migrations that are programs; undefined where that is not asked for, or not possible. */
  readonly functions: FunctionRunner | undefined;
  /** In ascending version order. */
  readonly pairs: readonly Pair[];
  /** What belongs to no single version. */
  readonly findings: readonly Finding[];
}

export interface ConnectedProject extends Project {
  readonly session: Session;
  readonly history: History;
  /** Rollbacks without a transaction that were begun and have not ended; empty as a rule. */
  readonly journal: readonly JournalRow[];
  /** What is known of proofs. Undefined: nobody asks, as in a proof itself. */
  readonly proofs?: ProofBook | undefined;
}
