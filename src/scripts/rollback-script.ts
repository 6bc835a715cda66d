import type { Finding } from '../errors/finding.js';
import type { Version } from '../history/version.js';
import type { Risk } from '../risk/change.js';
import type { Verification } from '../verify/verification.js';
import type { Statement } from './statement.js';

/**
 * Where a rollback comes from: an R file of flyback, the migration tool's own undo file, or the down function of a migration
 * that is a program. What such a function sends is known once it was called: until then there is no text.
 */
export type ScriptSource = 'rollback' | 'undo' | 'function';

export type TriggersMode = 'replica' | 'disable' | 'keep';

/** What `-- flyback: …` comments in a script ask for. Absent means: not said. */
export interface Directives {
  readonly transaction?: 'on' | 'off' | undefined;
  readonly triggers?: TriggersMode | undefined;
  readonly risk?: Risk | undefined;
  /** Names of what may be lost (`-- flyback: allow-loss orders.note`). */
  readonly allowLoss: readonly string[];
  /** What the script leaves behind on purpose, by name (`-- flyback: leaves kept_by_r001`): a schema, or an object with its schema. */
  readonly leaves: readonly string[];
  readonly approval?: string | undefined;
  /** A stub carries `-- flyback: stub`; it is never run and never passes an audit until the line is removed. */
  readonly stub: boolean;
  /** The tool's checksum of the migration this script was written against, or undefined. */
  readonly migrationChecksum?: number | undefined;
}

/** A part of a seed-form script that flyback recognised and does itself (BEGIN, replica mode, history delete, COMMIT …). */
export interface TakenOver {
  readonly part: 'begin' | 'commit' | 'rollback' | 'replica-on' | 'replica-off' | 'history-delete' | 'psql';
  readonly line: number;
  readonly text: string;
  /** One sentence: what flyback does instead. */
  readonly instead: string;
  /** Of a history-delete: the version text that it names, or the rank, where it names one. */
  readonly versionText?: string | undefined;
  readonly rank?: number | undefined;
}

/** A rollback script, read and understood, nothing run. */
export interface RollbackScript {
  readonly version: Version;
  readonly description: string;
  /** Absolute path. */
  readonly file: string;
  readonly source: ScriptSource;
  /** SHA-256 (hex) of the file's bytes. */
  readonly checksum: string;
  /** Decoded text after placeholder replacement. */
  readonly text: string;
  /** off: run statement by statement, journalled, because a statement of it refuses a transaction or a directive says so. */
  readonly transaction: 'on' | 'off';
  /** What runs, in order: without the parts that flyback takes over and without verification queries. */
  readonly statements: readonly Statement[];
  readonly verifications: readonly Verification[];
  readonly directives: Directives;
  readonly takenOver: readonly TakenOver[];
  /** Problems of this file: empty, comment-only, refused statements, unknown directives … */
  readonly findings: readonly Finding[];
}

/** A down function of which nobody knows yet what it sends. */
export function isUnread({ source, text }: Pick<RollbackScript, 'source' | 'text'>): boolean {
  return source === 'function' && text === '';
}
