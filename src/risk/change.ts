/** The twelve change types of the classic decision matrix, and those that it forgets. */
export const changeTypes = [
  'create-table',
  'drop-table',
  'add-column',
  'drop-column',
  'add-index',
  'drop-index',
  'add-constraint',
  'drop-constraint',
  'alter-type',
  'insert-data',
  'update-data',
  'delete-data',
  'truncate',
  'rename',
  'set-not-null',
  'drop-not-null',
  'change-default',
  'create-object',
  'drop-object',
  'replace-object',
  'create-schema',
  'drop-schema',
  'extension',
  'enum-value',
  'sequence',
  'partition',
  'privilege',
  'owner',
  'comment',
  'row-security',
  'trigger-state',
  'storage',
  'server-setting',
  'session-setting',
  'data-copy',
  'maintenance',
  'query',
  'procedural',
  'transaction-control',
  'other',
] as const;
export type ChangeType = (typeof changeTypes)[number];

export const risks = ['none', 'minimal', 'low', 'medium', 'high', 'critical'] as const;
export type Risk = (typeof risks)[number];
export type DataLoss = 'no' | 'maybe' | 'yes';

/** An object that a statement names. `schema` is undefined when the statement leaves it to the search_path. */
export interface ObjectRef {
  /** 'table', 'index', 'view', 'materialized view', 'sequence', 'function', 'type', 'schema', 'column', 'constraint', … */
  readonly kind: string;
  readonly schema?: string | undefined;
  readonly name: string;
  /** For columns and constraints: the table they belong to is `name`, and this is their own name. */
  readonly member?: string | undefined;
  /** For routines: the argument types as SQL writes them ("integer, text"); undefined when the statement leaves them out. */
  readonly signature?: string | undefined;
}

/** A lock that a statement takes until its transaction ends, in the server's own words ("ACCESS EXCLUSIVE"). */
export interface LockImpact {
  readonly level: string;
  readonly on: ObjectRef;
}

/** How a table is changed while others use it: the cheapest way that the server takes by itself. */
export interface OnlineChange {
  readonly algorithm: 'INSTANT' | 'NOCOPY' | 'INPLACE' | 'COPY';
  /** What others may still do meanwhile: everything, read, nothing. */
  readonly lock: 'NONE' | 'SHARED' | 'EXCLUSIVE';
  /** False where it depends on what the statement does not tell (version, row format, order of columns): then the worst is told. */
  readonly isCertain: boolean;
}

/** What one statement does, read from its parse tree alone; nothing was asked of a server. */
export interface StatementImpact {
  readonly changes: readonly ChangeType[];
  /** Objects that are created, altered or removed. */
  readonly objects: readonly ObjectRef[];
  /** Objects that this statement drops (each may lose rows or sweep dependents). */
  readonly drops: readonly ObjectRef[];
  /** True when the drop says CASCADE. */
  readonly cascade: boolean;
  /** Tables whose rows it inserts, updates, deletes or truncates. */
  readonly writes: readonly ObjectRef[];
  readonly locks: readonly LockImpact[];
  /** The most expensive thing done to existing rows: nothing, read all of them, or rewrite the table. */
  readonly work: 'none' | 'scan' | 'rewrite';
  /** Whether the statement can lose rows or values when it runs. */
  readonly dataLoss: DataLoss;
  /**
   * How MySQL and MariaDB change the table while it is in use, as ALGORITHM and LOCK say it; undefined for what is no such
   * change, and on PostgreSQL.
   */
  readonly online?: OnlineChange | undefined;
  /** A sentence when the server refuses this statement inside a transaction block, or commits before it; else undefined. */
  readonly notTransactional: string | undefined;
  /** BEGIN, COMMIT, ROLLBACK, SAVEPOINT … that would end or nest the surrounding transaction. */
  readonly transactionControl: boolean;
}

/** A statement that the parser refused. */
export interface ParseProblem {
  readonly message: string;
  /** UTF-16 index into the statement's text, when the parser gave a position. */
  readonly offset: number | undefined;
}
