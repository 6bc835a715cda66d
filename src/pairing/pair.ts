import type { Finding } from '../errors/finding.js';
import type { InterpretedEntry } from '../history/history.js';
import type { Migration } from '../history/migration.js';
import type { Version } from '../history/version.js';
import type { ChangeType, DataLoss, Risk } from '../risk/change.js';
import type { RollbackScript } from '../scripts/rollback-script.js';

/** Risk of taking one version back, from its migration's and its rollback's statements. */
export interface RiskAssessment {
  readonly risk: Risk;
  /** What the matrix recommends for the riskiest change. */
  readonly action: string;
  readonly dataLoss: DataLoss;
  /** Change types of the migration, without repetition, riskiest first. */
  readonly migrationChanges: readonly ChangeType[];
  readonly rollbackChanges: readonly ChangeType[];
}

/**
 * - applied / failed: in the history
 * - pending: a migration file that the history does not have
 * - baseline: at or below the floor, nothing to roll back
 * - orphan: only a rollback script; neither row nor migration file
 */
export type PairState = 'applied' | 'failed' | 'pending' | 'baseline' | 'orphan';

/** One version with everything that belongs to it. */
export interface Pair {
  readonly version: Version;
  readonly description: string;
  readonly state: PairState;
  readonly row: InterpretedEntry | undefined;
  readonly migration: Migration | undefined;
  readonly script: RollbackScript | undefined;
  /** Undefined until statements were classified. */
  readonly risk: RiskAssessment | undefined;
  readonly findings: readonly Finding[];
}
