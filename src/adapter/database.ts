import type { ConnectionSettings } from '../config/config.js';
import type { QualifiedName } from '../history/history.js';
import type { ObjectRef, ParseProblem, StatementImpact } from '../risk/change.js';
import type { Statement } from '../scripts/statement.js';

/*
 * The database axis. Adding a database: copy adapters/databases/postgresql, fill in the same files, add a line in
 * adapters/index.ts, call the conformance kit from one test, add the row in docs/adapters.md.
 */

/** Result of one statement: text values exactly as the server sends them, NULL as null. */
export interface QueryResult {
  /** Command tag without counts: SELECT, DELETE, CREATE TABLE … */
  readonly command: string;
  readonly rowCount: number | null;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | null)[])[];
}

export interface ServerFacts {
  /** Text as the server names itself ("16.4"). */
  readonly version: string;
  readonly majorVersion: number;
  readonly databaseName: string;
  readonly user: string;
  readonly currentSchema: string | null;
  /** True on a replica or when default_transaction_read_only is on. */
  readonly readOnly: boolean;
  /** True if the role may set session_replication_role. */
  readonly mayUseReplicaMode: boolean;
  /** Identifies this connection on the server. */
  readonly backendId: number;
  /** max_locks_per_transaction × (max_connections + max_prepared_transactions). */
  readonly lockTableSize: number;
  /** Identity of the cluster where readable, else null. */
  readonly systemId: string | null;
}

/** One connection. Not safe for overlapping calls; a stage owns it from open to close. */
export interface Session {
  readonly facts: ServerFacts;
  /** One message with one or more statements; one result for each. Throws FlybackError with serverCode. */
  query(sql: string): Promise<readonly QueryResult[]>;
  /**
   * Sends several messages without waiting between them. Settles when the last has been answered. Inside an explicit
   * transaction the server refuses every message after the first that fails, so nothing runs after an error.
   * `onAnswer` is called as each answer arrives.
   */
  pipeline(messages: readonly string[], onAnswer?: (index: number) => void): Promise<PipelineOutcome>;
  /** Runs COPY … FROM STDIN with its data. */
  copyIn(statement: string, data: string): Promise<QueryResult>;
  /** Server messages (NOTICE, WARNING) since the last call, oldest first. */
  takeNotices(): readonly string[];
  /** Asks the server to cancel what this session is running; resolves when the request was delivered. */
  cancel(): Promise<void>;
  /** Never throws. */
  close(): Promise<void>;
}

export interface PipelineOutcome {
  /** Results of the messages before the failing one, or of all. */
  readonly results: readonly (readonly QueryResult[])[];
  readonly failure: { readonly index: number; readonly error: ServerFailure } | undefined;
}

/** What a server said when it refused a statement. Text may hold user data but no connection secrets. */
export interface ServerFailure {
  readonly message: string;
  /** SQLSTATE; undefined when the connection broke. */
  readonly serverCode: string | undefined;
  readonly detail: string | undefined;
  readonly hint: string | undefined;
  /** 1-based position in code points of the message sent, when the server gave one. */
  readonly position: number | undefined;
  readonly connectionLost: boolean;
}

/** Splitting and quoting: synchronous, without a parser, always loaded. */
export interface SqlDialect {
  /**
   * Splits a script into statements at top-level semicolons. Comments and quotes of every form are understood; client
   * meta-commands (psql backslash lines) are returned apart. Never throws: what cannot be split is a problem.
   */
  split(text: string): SplitScript;
  quoteIdentifier(name: string): string;
  quoteLiteral(text: string): string;
}

export interface SplitScript {
  readonly statements: readonly Statement[];
  readonly comments: readonly Comment[];
  readonly metaCommands: readonly MetaCommand[];
  /** Unterminated quote or comment and the like, with the place where it began. */
  readonly problems: readonly {
    readonly message: string;
    readonly line: number;
    readonly column: number;
    readonly offset: number;
  }[];
}

export interface Comment {
  /** Text without the comment markers, trimmed. */
  readonly text: string;
  readonly line: number;
  readonly offset: number;
  /** Index of the statement that ends before this comment begins, or -1: the comment belongs after it. */
  readonly afterStatement: number;
  /** True when the comment lies inside a statement rather than between two. */
  readonly inside: boolean;
}

export interface MetaCommand {
  /** Whole text from the backslash to the end of the line. */
  readonly text: string;
  readonly line: number;
  readonly offset: number;
  readonly afterStatement: number;
}

/** A real parser behind one function; loaded only when something must be classified. */
export interface Classifier {
  /** What one statement does, or why it cannot be parsed. */
  classify(statement: string): StatementImpact | ParseProblem;
  /** For each statement of a migration a hint how to take it back, one or more lines of SQL or prose. */
  inverseHints(statement: string): readonly string[];
}

/** How the migration tool's own lock is taken on a database. */
export type ToolLock = {
  readonly kind: 'advisory';
  /** Signed 64-bit key as decimal text. */
  readonly key: string;
};

/** What the catalog says about an object that a statement is about to drop or to write. */
export interface ObjectFacts {
  readonly ref: ObjectRef;
  readonly exists: boolean;
  /** Planner's estimate of rows, and bytes including indexes and TOAST; partitions summed. Null where it holds none. */
  readonly rows: number | null;
  readonly bytes: number | null;
  /** Everything that DROP … CASCADE of it would remove besides itself, as the server describes each. */
  readonly cascade: readonly string[];
}

export interface DatabaseAdapter {
  readonly name: 'postgresql';
  readonly dialect: SqlDialect;
  connect(settings: ConnectionSettings): Promise<Session>;
  loadClassifier(): Promise<Classifier>;
  /** One query for all of them. */
  objectFacts(session: Session, refs: readonly ObjectRef[]): Promise<readonly ObjectFacts[]>;
  readonly sql: DatabaseSql;
}

/** SQL texts whose form depends on the database, not on the history tool. */
export interface DatabaseSql {
  qualified(name: QualifiedName): string;
  /** Returns one row with one column, 't' when the lock was got. Held until the transaction ends. */
  tryToolLock(lock: ToolLock): string;
}
