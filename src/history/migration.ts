import type { Version } from './version.js';

export type MigrationKind = 'versioned' | 'repeatable' | 'baseline' | 'undo';

/** A migration file of the user's project, as the migration tool would resolve it. */
export interface Migration {
  readonly kind: MigrationKind;
  /** Undefined for repeatable migrations only. */
  readonly version: Version | undefined;
  readonly description: string;
  /** Path relative to its location with "/" separators: what the tool stores in its script column. */
  readonly script: string;
  /** Absolute path. */
  readonly file: string;
  /** False for files that flyback cannot read as SQL (shell scripts, Java classes). */
  readonly isSql: boolean;
  /** The tool's checksum of the file; null where the tool keeps none. */
  readonly checksum: number | null;
  /** Text after decoding, before placeholder replacement; empty when not SQL. */
  readonly sql: string;
  /** What the file's own configuration says about a transaction around it; absent: the project's setting holds. */
  readonly executeInTransaction?: boolean | undefined;
  /** What the file's own configuration says about placeholders in it; absent: the project's setting holds. */
  readonly placeholderReplacement?: boolean | undefined;
}
