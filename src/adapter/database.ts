import type { ConnectionSettings } from '../config/config.js';
import type { ServerCondition } from '../errors/server-condition.js';
import type { QualifiedName } from '../history/history.js';
import type { ObjectRef, ParseProblem, StatementImpact } from '../risk/change.js';
import type { Statement } from '../scripts/statement.js';
import type { Condition } from './history.js';
import type { LentSession } from './lent-session.js';
import type { LockQueries } from './locks.js';
import type { ProofQueries } from './proof-queries.js';
import type { ScratchServers } from './scratch-servers.js';
import type { ServerChecks } from './server-checks.js';

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
  /** True when something between us and the server (a pooler) answers with a backend id of its own. */
  readonly proxied: boolean;
  /** True if the database has event triggers that fire in the ordinary or in replica mode. */
  readonly hasEventTriggers: boolean;
  /** How many object locks the server can hold at once, over all its sessions. */
  readonly lockTableSize: number;
  /** The role in effect after connecting ("none" for the login role), and the search_path setting. */
  readonly role: string;
  readonly searchPath: string;
  /** The connection's own setting, to which each step returns. */
  readonly statementTimeout: string;
  /** Tells this server from another one that answers under the same address. */
  readonly identity: ServerIdentity;
  /** What only MySQL and MariaDB have; undefined on PostgreSQL. */
  readonly mysql?: MysqlFacts | undefined;
}

/** Settings of the session as they were right after connecting. Undefined where this server has none of that name. */
export interface MysqlFacts {
  readonly product: 'MySQL' | 'MariaDB';
  /** Whether each statement commits by itself. */
  readonly autocommit: boolean;
  /** In upper case. */
  readonly sqlModes: readonly string[];
  /** sql_safe_updates: UPDATE and DELETE need a key or a LIMIT. */
  readonly safeUpdates: boolean;
  readonly foreignKeyChecks: boolean;
  /** 0: names of tables depend on case; 1: stored in lower case; 2: compared so. */
  readonly lowerCaseTableNames: number;
  /** Why the session cannot write: the names of the variables that are on (read_only, super_read_only, tx_read_only …). */
  readonly readOnlyBy: readonly string[];
  /** MySQL's gtid_mode. */
  readonly gtidMode: string | undefined;
  /** Member of a Galera cluster: named locks do not reach the other members. */
  readonly galera: boolean;
  /** Percona XtraDB Cluster's pxc_strict_mode. */
  readonly pxcStrictMode: string | undefined;
  /** Seconds that DDL and DML wait for a metadata lock, and DML for a row. */
  readonly lockWaitTimeout: number;
  readonly innodbLockWaitTimeout: number;
}

/** Where a database is and how far its server has come; each null where the server does not tell. */
export interface ServerIdentity {
  /** The cluster (its copies and standbys share it) and the database in it. */
  readonly database: string | null;
  /** Grows when a standby is promoted or a backup restored; null on a standby. */
  readonly timeline: number | null;
  /** Bytes of write-ahead log that were safe when the session began: never less later on the same server. */
  readonly walPosition: number | null;
}

/** One connection. Not safe for overlapping calls; a stage owns it from open to close. */
export interface Session {
  readonly facts: ServerFacts;
  /** One message with one or more statements; one result for each. Throws FlybackError with serverCode. */
  query(sql: string): Promise<readonly QueryResult[]>;
  /**
   * Sends several messages without waiting between them. Settles when the last has been answered. Inside an explicit
   * transaction the server refuses every message after the first that fails, so nothing runs after an error.
   * `onAnswer` is called as each answer arrives, in order, with the results of that message; not for the one that fails.
   */
  pipeline(messages: readonly string[], onAnswer?: OnAnswer): Promise<PipelineOutcome>;
  /**
   * Sends several statements as one unit, without waiting between them. Settles when the last has been answered. After an
   * error the server skips all that follow, whatever became of the transaction: none of them runs because one before it
   * did not. COPY … FROM STDIN has no place here. `onAnswer` as in pipeline.
   */
  batch(commands: readonly Command[], onAnswer?: OnCommandAnswer): Promise<BatchOutcome>;
  /**
   * Writes down what a later `batch` will send of these very objects, for callers who wait for the server at the moment. What is
   * learnt meanwhile of the plans that the server keeps makes it void by itself.
   */
  draft?(commands: readonly Command[]): void;
  /** Plans that were kept for this session are not relied on any more: a script may have ended them. */
  forgetPlans(): void;
  /** Runs COPY … FROM STDIN with its data. */
  copyIn(statement: string, data: string): Promise<QueryResult | { readonly failure: ServerFailure }>;
  /** Server messages (NOTICE, WARNING) since the last call, oldest first. */
  takeNotices(): readonly string[];
  /** Asks the server to cancel what this session is running; resolves when the request was delivered. */
  cancel(): Promise<void>;
  /** Never throws. */
  close(): Promise<void>;
}

/** One statement of a batch. */
export interface Command {
  readonly sql: string;
  /** What $1, $2 … stand for, as text or NULL; the server tells their types from the statement. */
  readonly values?: readonly (string | null)[] | undefined;
  /**
   * true: comes again with the same text, so the server keeps its plan; only where every batch reaches the same server
   * process. false: comes again with the same text, but in another run. undefined: a text for once.
   */
  readonly keepsPlan?: boolean | undefined;
  /** Without it the result tells no columns. */
  readonly tellsColumns?: boolean | undefined;
  /** The answer leaves the server when the statement has ended, not together with those that follow. */
  readonly answersAtOnce?: boolean | undefined;
}

export type OnAnswer = (index: number, results: readonly QueryResult[]) => void;

export interface PipelineOutcome {
  /** Results of the messages before the failing one, or of all. */
  readonly results: readonly (readonly QueryResult[])[];
  readonly failure: { readonly index: number; readonly error: ServerFailure } | undefined;
}

export type OnCommandAnswer = (index: number, result: QueryResult) => void;

export interface BatchOutcome {
  /** Results of the statements before the failing one, or of all. */
  readonly results: readonly QueryResult[];
  readonly failure: PipelineOutcome['failure'];
}

/** What a server said when it refused a statement. Text may hold user data but no connection secrets. */
export interface ServerFailure {
  readonly message: string;
  /** SQLSTATE, or MySQL's error number; undefined when the connection broke. */
  readonly serverCode: string | undefined;
  /** What that code comes down to, where anything depends on it. */
  readonly condition: ServerCondition | undefined;
  readonly detail: string | undefined;
  readonly hint: string | undefined;
  /** 1-based position in code points of the message sent, when the server gave one. */
  readonly position: number | undefined;
  readonly connectionLost: boolean;
  readonly cause: unknown;
}

/** Splitting and quoting: synchronous, without a parser, always loaded. */
export interface SqlDialect {
  /**
   * Splits a script into statements at top-level semicolons. Comments and quotes of every form are understood; client
   * meta-commands (psql backslash lines) are returned apart. Never throws: what cannot be split is a problem.
   */
  split(text: string): SplitScript;
  /** The first `limit` tokens of one statement, without comments; enough to recognise it by its key words. */
  tokenize(statement: string, limit?: number): readonly Token[];
  /**
   * What becomes of DDL in a transaction: it belongs to it like anything else; or it commits what is open, and then itself. A
   * script that holds such a statement then runs statement by statement without having to ask for it.
   */
  readonly ddl: 'transactional' | 'commits';
  /**
   * The words by which a statement is known that the server refuses inside a transaction, or before which it commits the open
   * one; else undefined.
   */
  notTransactional(statement: string): string | undefined;
  quoteIdentifier(name: string): string;
  quoteLiteral(text: string): string;
}

/** One token of a statement. Signs come one character at a time. */
export interface Token {
  /** word: key word or name, folded; name: quoted identifier; code: dollar-quoted text; sign: anything else. */
  readonly kind: 'word' | 'name' | 'string' | 'code' | 'number' | 'sign';
  /** Folded word, or the text between the quotes. */
  readonly value: string;
  /** UTF-16 index into the statement's text, and length there. */
  readonly offset: number;
  readonly length: number;
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

/** Something for the client, not for the server: a psql backslash command or the use of a psql variable. */
export interface MetaCommand {
  /** Whole text from the backslash to the end of the line, or the variable with its colon. */
  readonly text: string;
  readonly line: number;
  readonly offset: number;
  readonly afterStatement: number;
  /** True when a statement had begun and had not ended before it. */
  readonly inside: boolean;
}

/** A real parser behind one function; loaded only when something must be classified. */
export interface Classifier {
  /** What one statement does, or why it cannot be parsed. */
  classify(statement: string): StatementImpact | ParseProblem;
  /** For each statement of a migration a hint how to take it back, one or more lines of SQL or prose. */
  inverseHints(statement: string): readonly string[];
}

/** How the migration tool's own lock is taken on a database. */
export interface ToolLock {
  /**
   * - advisory: keys are signed 64-bit numbers as decimal text (PostgreSQL)
   * - named: keys are names, for the whole server (MySQL's GET_LOCK)
   */
  readonly kind: 'advisory' | 'named';
  /** In the order in which they are taken; none where the tool has no lock. */
  readonly keys: readonly string[];
  /**
   * Of a tool that reads the history before it asks for the lock: what a session of it shows as its latest statement from that
   * moment on, as regular expressions: while it asks for the lock; before that, statements that only the tool sends, and ones
   * that anybody sends. Undefined: it reads under its lock, or cannot be told from others. `newerThanSeconds`: a session
   * that is older shows the statements of its own for other reasons, as an application does that lists its migrations.
   */
  readonly approach:
    | {
        readonly asks: string;
        readonly own: readonly string[];
        readonly common: readonly string[];
        readonly newerThanSeconds?: number | undefined;
      }
    | undefined;
  /** Of a tool that locks by a row which it commits: the keys are flyback's own then. Undefined: the keys are the tool's lock. */
  readonly flag?: ToolFlag | undefined;
}

/** The one row of a table by which a tool locks: whoever changes its value from `free` has the lock. */
export interface ToolFlag {
  readonly table: QualifiedName;
  readonly column: string;
  readonly free: number;
  /** What flyback sets: a value that the tool never writes, and takes for locked. */
  readonly own: number;
  /** The tool's command that frees the lock whoever has it, and the one that makes table and row where they are missing. */
  readonly unlock: string;
  readonly restore: string;
}

/** What the catalog says about an object that a statement is about to drop or to write. */
export interface ObjectFacts {
  readonly ref: ObjectRef;
  /** Null for kinds that the catalog query does not resolve. */
  readonly exists: boolean | null;
  /** Planner's estimate of rows, and bytes including indexes and TOAST; partitions summed. Null where unknown. */
  readonly rows: number | null;
  readonly bytes: number | null;
  /** Other tables that dropping it locks too: the table of an index, the other side of a foreign key. */
  readonly alsoLocks: readonly string[];
  /** How many objects go with it in all, itself and its own parts included: each needs a lock. */
  readonly dependents: number;
}

/** A table whose rows stay as a transaction left them, also when it was rolled back. */
export interface UntransactionalTable {
  readonly ref: ObjectRef;
  /** As the server calls what stores it. */
  readonly engine: string;
}

/** What to ask: sizes touch every file, dependents walk pg_depend; neither is free over thousands of objects. */
export interface ObjectQuestion {
  readonly sizes: boolean;
  readonly dependents: boolean;
}

/** Why nothing may be run in a session, and what to do about it, as sentences. */
export interface Refusal {
  readonly message: string;
  readonly hint: string;
}

export interface DatabaseAdapter {
  readonly name: 'postgresql' | 'mysql';
  readonly dialect: SqlDialect;
  connect(settings: ConnectionSettings): Promise<Session>;
  /** Set-ups of a server or session under which no plan is made. Pure. Undefined, or undefined itself: nothing speaks against it. */
  readonly refusal?: ((facts: ServerFacts) => Refusal | undefined) | undefined;
  loadClassifier(): Promise<Classifier>;
  /** The same answers for exactly these statements, but the parser is loaded only if one of them needs it. */
  classifierFor(statements: readonly string[]): Promise<Pick<Classifier, 'classify'>>;
  /** One query for all of them, names resolved by the session's search_path. */
  objectFacts(session: Session, refs: readonly ObjectRef[], question: ObjectQuestion): Promise<readonly ObjectFacts[]>;
  /** Which of these tables keep no transactions, names resolved as for objectFacts; undefined where all do. */
  readonly untransactionalTables?:
    ((session: Session, tables: readonly ObjectRef[]) => Promise<readonly UntransactionalTable[]>) | undefined;
  /**
   * For each list: what DROP … CASCADE of all of it together would remove besides what is named and its own parts, as the
   * server describes each.
   */
  cascadeVictims(session: Session, drops: readonly (readonly ObjectRef[])[]): Promise<readonly (readonly string[])[]>;
  /** What a person still has to do for these statements to take effect (a restart, a reload), one sentence each. */
  pendingActions(session: Session, statements: readonly string[]): Promise<readonly string[]>;
  /** What can be found out about a statement that runs without a transaction and was interrupted. Loads the parser. */
  recovery(statement: string): Promise<StatementRecovery>;
  /** Opens a door through which a program uses this session. Undefined where that cannot be done. */
  readonly lend?: ((session: Session) => Promise<LentSession>) | undefined;
  readonly locks: LockQueries;
  /** What `doctor` asks; loaded only there. */
  loadServerChecks(): Promise<ServerChecks>;
  /** What a proof compares; asked only of scratch databases. */
  loadProofQueries(): Promise<ProofQueries>;
  /** Where scratch databases are made. */
  loadScratchServers(): Promise<ScratchServers>;
  readonly sql: DatabaseSql;
}

/** What is known of a statement that runs alone, outside of any transaction. */
export interface StatementRecovery {
  /**
   * - repeatable: running it again does no harm and ends in the same state (ALTER SYSTEM, VACUUM)
   * - inspectable: the catalog tells how far it came (CREATE INDEX CONCURRENTLY)
   * - unknown: nothing tells (a procedure that commits)
   */
  readonly kind: 'repeatable' | 'inspectable' | 'unknown';
  /** Nobody has to wait behind it while it waits for a lock (CONCURRENTLY), so it may wait longer. */
  readonly waitsAside: boolean;
  /** When the server answers with an error, nothing of it has happened. */
  readonly failsCleanly: boolean;
  /** One query, asked before the statement and after an interruption with the script's search_path; undefined unless inspectable. */
  readonly inspect: string | undefined;
  /** Compares the two answers. Pure. */
  judge(
    before: readonly (readonly (string | null)[])[] | null,
    now: readonly (readonly (string | null)[])[],
  ): Inspection;
}

/** How far an interrupted statement came. `words` is a sentence for a person. */
export type Inspection =
  | { readonly state: 'done' | 'not-done' | 'unknown'; readonly words: string }
  /**
   * It left something behind. The repairs are statements, each to be sent alone; then it is `run-again` or `done`.
   * `words` names the objects.
   */
  | {
      readonly state: 'partly';
      readonly words: string;
      readonly repair: readonly string[];
      readonly afterRepair: 'run-again' | 'done';
    };

/** How each step's transaction is set up; the same for every step of a run. */
export interface StepSettings {
  readonly lockTimeoutMs: number;
  readonly statementTimeoutMs: number;
  /** The schema that the migration tool puts in front of the search_path, unquoted. */
  readonly scriptSchema: string;
}

/** Rows that flyback itself removed from the history and appended to the record in this transaction. */
export interface OwnWrites {
  readonly removed: number;
  readonly appended: number;
}

/** What the guards of a step throw: the server raises an error whose text holds this mark. */
export const guardMarks = {
  lockLost: 'flyback.tool_lock_lost',
  historyChanged: 'flyback.history_changed',
  transactionEnded: 'flyback.transaction_ended',
  backendChanged: 'flyback.backend_changed',
  tablesWritten: 'flyback.tables_written',
  encodingChanged: 'flyback.encoding_changed',
  toolNear: 'flyback.tool_near',
} as const;

/**
 * SQL texts whose form depends on the database, not on the history tool. Each is one or more statements without a
 * trailing semicolon. Guards raise an error, so that the server runs nothing that follows in the pipeline, and the failure
 * that the session makes of it holds their mark.
 */
export interface DatabaseSql {
  qualified(name: QualifiedName): string;
  /** Makes unqualified names mean for the whole session what they will mean in the scripts. */
  useScriptPath(session: ServerFacts, scriptSchema: string): string;
  /** Opens a transaction that cannot write, with the scripts' search_path. */
  beginReadOnly(session: ServerFacts, scriptSchema: string): string;
  /** Bounds each wait for a lock (0: no bound) until the transaction ends; outside of any, for the message it stands in. */
  boundWaits(lockTimeoutMs: number): string;
  /** Bounds each statement (0: no bound), until the transaction ends or it is set again. */
  boundStatements(milliseconds: number, scope: 'transaction' | 'session'): string;
  /** Opens a transaction for flyback's own statements, whatever a script has left behind in the session. */
  beginOwn(session: ServerFacts, lockTimeoutMs: number): string;
  /** Opens the transaction of a step and applies its settings (timeouts, role, search_path). */
  beginStep(session: ServerFacts, settings: StepSettings): string;
  /** What has to end for the tool's lock to be free again when nobody releases it. */
  readonly toolLockEndsWith: 'transaction' | 'session';
  /** One row, one column: 't' when the migration tool's lock was got, or was this session's already. See toolLockEndsWith. */
  tryToolLock(lock: ToolLock): string;
  /** The same lock held by the session, so that no other process slips in between two transactions of one run. */
  keepToolLock(lock: ToolLock): string;
  releaseToolLock(lock: ToolLock): string;
  /** Raises lockLost unless the lock can be taken at once, and backendChanged on another backend. */
  guardToolLock(session: ServerFacts, lock: ToolLock): string;
  /** Rows (who, what, since) of the sessions that hold the lock, or that wait for it as the tool waits. */
  toolLockSessions(lock: ToolLock): string;
  /**
   * Rows (how, process) of sessions of the tool that were there when this transaction began and may have read the history
   * before it was locked: `waits` for the lock; `nears` it; `passes` by, with a statement that says little. The last result
   * is the answer.
   */
  toolApproach(lock: ToolLock): string;
  /** Raises toolNear unless toolApproach has no row. For a transaction that has not asked for sessions before. */
  guardApproach(lock: ToolLock): string;
  /**
   * Raises toolNear wherever guardApproach does and may raise it for others too, at less cost where a server can do that:
   * whether anybody is near must then be asked with toolApproach.
   */
  suspectApproach(session: ServerFacts, lock: ToolLock): string;
  /** Shuts others out of the history (whom: historyLock), and other writers out of the record. */
  lockTables(history: QualifiedName, record: QualifiedName | undefined): string;
  /** Whether lockTables keeps readers of the history waiting too. Where it does not, a tool may read it at any moment of a run. */
  readonly historyLock: 'readers' | 'writers';
  /** Remembers, for guardWrites, how much this session has written to the two tables. */
  noteWrites(history: QualifiedName, record: QualifiedName | undefined): string;
  /** beginStep, guardToolLock, lockTables and noteWrites, in as few statements as they can be. */
  openStep(
    session: ServerFacts,
    settings: StepSettings,
    lock: ToolLock,
    tables: { readonly history: QualifiedName; readonly record: QualifiedName | undefined },
  ): string;
  /**
   * Raises tablesWritten when more was written to them since than these rows of flyback's own: by a function or by
   * dynamic SQL, where reading the script cannot see it.
   */
  guardWrites(history: QualifiedName, record: QualifiedName | undefined, own: OwnWrites): string;
  /** Raises tablesWritten when the record no longer guards itself against changes. */
  guardRecord(record: QualifiedName): string;
  /**
   * Raises historyChanged unless the statement before it, in the same message, met exactly one row. Undefined where plain SQL
   * cannot ask.
   */
  readonly guardOneRow?: string | undefined;
  /** Raises historyChanged unless the condition, which may use aggregates, holds over the whole table. */
  guardHistory(history: QualifiedName, expected: Condition): Command;
  /** Columns of this table, or, where there is none, of tables elsewhere that have one of these names in whatever case. Rows: schema, table, kind (table, other), column, type in the words of the SQL standard (character varying, boolean). The table meant comes first. */
  describeTable(table: QualifiedName, otherNames: readonly string[]): string;
  readonly rows: RowSql;
  /** What enterReplicaMode switches off: foreign keys alone where triggers fire whatever anybody sets. */
  readonly replicaMode: 'triggers-and-keys' | 'foreign-keys';
  /** Switches triggers off for the script that follows, in replica mode. */
  enterReplicaMode(): string;
  /**
   * Ends the script's influence: original role, search_path and replication role; raises transactionEnded when the
   * script ended the transaction; fires deferred constraints now.
   */
  afterScript(session: ServerFacts, settings: StepSettings): string;
  /**
   * One row, one column: the ids, comma separated, of the constraints that triggers enforce (foreign keys, deferrable
   * unique and exclusion constraints) on tables that the transaction wrote rows to; or null.
   */
  touchedConstraints(): string;
  /** For those ids, rows: what is violated in words, SQL that counts violations with a sample (or null), why it cannot. */
  constraintChecks(constraintIds: string): string;
  /** User triggers that would fire on these tables and their partitions: rows (id, state, SQL that disables it). */
  tableTriggers(tables: readonly ObjectRef[]): string;
  /** Puts those of them that still exist back into their states, whatever they are called by then. */
  restoreTriggers(triggers: readonly { readonly id: string; readonly state: string }[]): string;
  readonly commit: string;
  readonly rollback: string;
  /** Whether the open transaction has written anything: one row, one boolean. */
  readonly hasWritten: string;
  readonly record: RecordSql;
  readonly journal: JournalSql;
  /**
   * For the whole session, outside of a transaction: role, search_path and timeouts as beginStep sets them for one, and
   * commits that are on disk before they are answered. Ends what a script left in the session.
   */
  setUpSession(session: ServerFacts, settings: StepSettings): string;
  /** Opens a transaction around one statement, under the settings of setUpSession; afterScript ends it as in a step. */
  beginStatement(): string;
  /** Inside a transaction: its commit is on disk before it is answered, whatever the session's setting says. */
  readonly durably: string;
}

/** A column and the value that it has or is to have. */
export interface ColumnValue {
  readonly column: string;
  readonly value: string | number | bigint | boolean | null;
  /** Compare the stored text without regard to case; the value is in upper case. */
  readonly ignoreCase?: boolean | undefined;
  /** The column may hold NULL, and NULL is then equal to NULL. */
  readonly nullable?: boolean | undefined;
}

/** Statements about single rows of a table, for the history adapters. Names are unquoted. */
export interface RowSql {
  /** Columns as text; those in `timestamps` in a form that no setting of the session changes. Ordered by one column. */
  select(
    table: QualifiedName,
    columns: readonly string[],
    options: {
      readonly timestamps?: readonly string[] | undefined;
      readonly orderBy?: string | undefined;
    },
  ): string;
  remove(table: QualifiedName, where: readonly ColumnValue[]): Command;
  update(table: QualifiedName, set: readonly ColumnValue[], where: readonly ColumnValue[]): Command;
  /** The same command with its values written into the text. */
  inline(command: Command): string;
  /** A condition for guardHistory: so many rows, and these values of aggregates. */
  expect(
    rowCount: number,
    aggregates: readonly {
      readonly aggregate: 'min' | 'max';
      readonly column: string;
      readonly value: string | number | null;
    }[],
  ): Condition;
}

/** The journal of rollbacks without a transaction: rows (id, run, entry), in the order of id. */
export interface JournalSql {
  /** One row, one column: whether the table exists. */
  describe(table: QualifiedName): string;
  create(table: QualifiedName): string;
  append(table: QualifiedName, run: string, entry: string): string;
  /** Rows (id, run, entry), oldest first. */
  read(table: QualifiedName): string;
  /** Removes every entry of the run. */
  clear(table: QualifiedName, run: string): string;
}

/** The record table: append-only, one row an entry, chained by hash. */
export interface RecordSql {
  /** One row, one column: the table's kind, or null when it does not exist; and whether the role may create it. */
  describe(table: QualifiedName): string;
  create(table: QualifiedName): string;
  /** A condition: the table still refuses changes of what was written. */
  isGuarded(table: QualifiedName): string;
  /** One row (hash, format) of the newest entry, or none; the format as its text says at its beginning, else null. */
  head(table: QualifiedName): string;
  append(table: QualifiedName, row: RecordRow): string;
  /** The same, the values apart from a text that is the same for every row. */
  appendValues(table: QualifiedName, row: RecordRow): Command;
  /** Rows (id, entry, previous_hash, hash) by id, oldest first; the last `limit` of them when given. */
  read(table: QualifiedName, limit?: number): string;
  /** Shuts out other writers until the transaction ends; readers go on. */
  lock(table: QualifiedName): string;
  /** One row when an entry with this hash is there. */
  find(table: QualifiedName, hash: string): string;
}

export interface RecordRow {
  /** JSON text, exactly as hashed. */
  readonly entry: string;
  readonly previousHash: string;
  readonly hash: string;
}
