import type { Finding } from '../errors/finding.js';
import type { HistoryEntry, QualifiedName } from '../history/history.js';
import type { ChangeType, DataLoss, LockImpact, ObjectRef, OnlineChange, Risk } from '../risk/change.js';
import type { ScriptSource, TakenOver, TriggersMode } from '../scripts/rollback-script.js';
import type { Expectation } from '../verify/verification.js';

/** What the user asked to take back. */
export type Target =
  | { readonly kind: 'steps'; readonly steps: number }
  | { readonly kind: 'to'; readonly version: string }
  | { readonly kind: 'only'; readonly version: string }
  | { readonly kind: 'all' };

/** One transaction for each version, or one for all of them. */
export type TransactionMode = 'per-version' | 'single';

/** What the catalog said when the plan was made, for a person to read. */
export interface Estimate {
  /** Planner's estimate of the rows concerned; null when the table was never analyzed. */
  readonly rows: number | null;
  readonly bytes: number | null;
  /** Tables that the statement does not name but locks too: of a dropped index, on the other side of a foreign key. */
  readonly alsoLocks: readonly string[];
}

/** One statement that will run, with what it will do. */
export interface PlannedStatement {
  /** 1-based line in the script's text. */
  readonly line: number;
  readonly sql: string;
  readonly changes: readonly ChangeType[];
  readonly risk: Risk;
  readonly dataLoss: DataLoss;
  readonly locks: readonly LockImpact[];
  readonly work: 'none' | 'scan' | 'rewrite';
  /** How MySQL or MariaDB changes the table while others use it; null for what is no such change, and on PostgreSQL. */
  readonly online: OnlineChange | null;
  /** Objects that CASCADE will remove besides those named, as the server describes them. */
  readonly cascade: readonly string[];
  readonly drops: readonly ObjectRef[];
  readonly writes: readonly ObjectRef[];
  /** In a step without a transaction: why the server runs this statement alone; null: it gets a transaction of its own. */
  readonly alone: string | null;
  /** Planner's estimates when the plan was made; not part of the plan's hash. Null when not asked or not known. */
  readonly estimate: Estimate | null;
}

export interface PlannedVerification {
  readonly name: string;
  readonly line: number;
  readonly sql: string;
  readonly expectation: Expectation;
}

/** Taking one version back. */
export interface PlanStep {
  readonly version: string;
  readonly description: string;
  /** The history row that will be removed, whole. */
  readonly entry: HistoryEntry;
  readonly script: {
    /** Path as it was found, relative to the project folder where it lies inside. */
    readonly file: string;
    readonly source: ScriptSource;
    /** SHA-256 of the file's bytes, and of its text after placeholder replacement. */
    readonly checksum: string;
    readonly textChecksum: string;
  };
  readonly triggers: TriggersMode;
  /** off: statement by statement, each journalled before and after; nothing is taken back when one fails. */
  readonly transaction: 'on' | 'off';
  readonly risk: Risk;
  readonly dataLoss: DataLoss;
  readonly statements: readonly PlannedStatement[];
  readonly verifications: readonly PlannedVerification[];
  readonly takenOver: readonly TakenOver[];
  readonly allowLoss: readonly string[];
  readonly approval: string | undefined;
}

/** What a rollback will do: plain JSON that can be stored, reviewed and run later. */
export interface Plan {
  readonly format: 'flyback-plan/1';
  readonly createdAt: string;
  readonly target: Target;
  readonly transaction: TransactionMode;
  readonly triggers: { readonly mode: TriggersMode; readonly reason: string };
  readonly tool: string;
  readonly database: {
    readonly name: string;
    readonly serverVersion: string;
    readonly databaseName: string;
    readonly user: string;
  };
  readonly history: {
    readonly table: QualifiedName;
    /** Fingerprint of every row when the plan was made. */
    readonly fingerprint: string;
    readonly rowCount: number;
    readonly maxRank: number;
  };
  readonly recordTable: QualifiedName;
  /** Newest first, in the order in which they will run. */
  readonly steps: readonly PlanStep[];
  /** Versions that stay applied, oldest first, and what the migration tool will do next. */
  readonly after: {
    readonly applied: readonly string[];
    readonly forecast: string;
    readonly willApply: readonly string[];
  };
  /** Repeatable migrations that ran after a version that goes, and may need to run again. */
  readonly repeatables: readonly string[];
  /** Version of each step → its proof in a word: a grade, "stale", "unproven". Absent where the project keeps none. */
  readonly proofs?: Readonly<Record<string, string>> | undefined;
  /** What a person should know before saying yes. */
  readonly hazards: readonly Finding[];
  /** SHA-256 over everything above except createdAt, the proofs, the hazards and the estimates. */
  readonly hash: string;
}
