import {
  guardMarks,
  type DatabaseSql,
  type OwnWrites,
  type ServerFacts,
  type StepSettings,
  type ToolLock,
} from '../../../src/adapter/database.js';
import type { Condition } from '../../../src/adapter/history.js';
import type { QualifiedName } from '../../../src/history/history.js';
import { describeTable } from './describe-table.js';
import { guardItem } from './guard.js';
import { constraintChecks, touchedConstraints } from './integrity-sql.js';
import { journalSql } from './journal-sql.js';
import { qualified, quoteIdentifier, quoteLiteral } from './quoting.js';
import { recordSql } from './record-sql.js';
import { rowSql } from './row-sql.js';

/** A statement that gives no row. */
const nothing = (columns: number): string =>
  `SELECT ${Array.from({ length: columns }, () => 'NULL').join(', ')} FROM DUAL WHERE FALSE`;

/** This session has every lock, or got it at once, in this order. Taking one that is this session's already would count twice. */
function hasOrGets(keys: readonly string[]): string {
  if (keys.length === 0) return 'TRUE';
  return keys
    .map(quoteLiteral)
    .map((key) => `(COALESCE(IS_USED_LOCK(${key}), 0) = CONNECTION_ID() OR GET_LOCK(${key}, 0) = 1)`)
    .join(' AND ');
}

/** The tool's lock row says that flyback has it. */
function holdsFlag({ flag }: ToolLock): string {
  if (flag === undefined) return '';
  const column = quoteIdentifier(flag.column);
  return ` AND (SELECT COUNT(*) = 1 AND MAX(${column}) = ${flag.own} FROM ${qualified(flag.table)})`;
}

/**
 * Sessions that wait for the tool's lock: whatever they know of the history, they read before. Others show only to an account
 * with the privilege PROCESS.
 */
function approaching({ approach }: ToolLock): string {
  if (approach === undefined) return nothing(2);
  return `SELECT 'waits' AS how, p.id FROM information_schema.processlist p WHERE p.id <> CONNECTION_ID() AND p.info REGEXP ${quoteLiteral(approach.asks)}`;
}

const longestWaitS = 31_536_000;

/** Both waits are bounded in whole seconds: for the lock on a table's definition, and for a row. */
function waits(lockTimeoutMs: number): string {
  const seconds = lockTimeoutMs === 0 ? longestWaitS : Math.max(1, Math.ceil(lockTimeoutMs / 1000));
  return `lock_wait_timeout = ${seconds}, innodb_lock_wait_timeout = ${seconds}`;
}

/** MariaDB bounds every statement, in seconds; MySQL only SELECT, in milliseconds. Each reads its own half. */
function statementBound(mariadbSeconds: string, mysqlMs: string): string {
  return `/*M! max_statement_time = ${mariadbSeconds} *//*!80000 max_execution_time = ${mysqlMs} */`;
}

function timeBound({ statementTimeout }: ServerFacts, statementTimeoutMs: number): string {
  return statementTimeoutMs > 0
    ? statementBound(String(statementTimeoutMs / 1000), String(statementTimeoutMs))
    : statementBound(statementTimeout, statementTimeout);
}

/** The session as it was right after connecting, but for the bounds; a script may have changed any of it. */
function ownSettings(session: ServerFacts, lockTimeoutMs: number, statementTimeoutMs: number): string {
  const { mysql } = session;
  const modes = mysql === undefined ? [] : [`sql_mode = ${quoteLiteral(mysql.sqlModes.join(','))}`];
  const checks = mysql?.foreignKeyChecks === false ? 0 : 1;
  return `SET SESSION ${[...modes, `foreign_key_checks = ${checks}`, 'unique_checks = 1', waits(lockTimeoutMs), timeBound(session, statementTimeoutMs)].join(', ')}`;
}

/** Gaps between rows are locked with them only from this level on: nobody may add to a history that is locked. */
const isolation = 'SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ';

/** Whoever looks for it when the transaction has ended does not find it (error 1305). */
const stillOpen = quoteIdentifier(guardMarks.transactionEnded);

function begin(): string {
  return `${isolation};START TRANSACTION;SAVEPOINT ${stillOpen}`;
}

function stepSetting(session: ServerFacts, { lockTimeoutMs, statementTimeoutMs, scriptSchema }: StepSettings): string {
  return `${ownSettings(session, lockTimeoutMs, statementTimeoutMs)};USE ${quoteIdentifier(scriptSchema)}`;
}

function countOf(table: QualifiedName): string {
  return `(SELECT COUNT(*) FROM ${qualified(table)})`;
}

/** SQL texts of the runner for MySQL and MariaDB. */
export const mysqlSql: DatabaseSql = {
  qualified,

  useScriptPath: (_session: ServerFacts, scriptSchema: string) => `USE ${quoteIdentifier(scriptSchema)}`,

  beginReadOnly: (_session: ServerFacts, scriptSchema: string) =>
    `USE ${quoteIdentifier(scriptSchema)};START TRANSACTION READ ONLY`,

  boundWaits: (lockTimeoutMs: number) => `SET SESSION ${waits(lockTimeoutMs)}`,

  boundStatements: (milliseconds: number) =>
    `SET SESSION ${statementBound(String(milliseconds / 1000), String(milliseconds))}`,

  beginOwn: (session: ServerFacts, lockTimeoutMs: number) =>
    `ROLLBACK;SET SESSION autocommit = 1;${ownSettings(session, lockTimeoutMs, 0)};${isolation};START TRANSACTION`,

  beginStep: (session: ServerFacts, settings: StepSettings) => `${stepSetting(session, settings)};${begin()}`,

  toolLockEndsWith: 'session',
  tryToolLock: ({ keys }: ToolLock) => `SELECT IF(${hasOrGets(keys)}, 't', 'f')`,
  keepToolLock: ({ keys }: ToolLock) => `SELECT IF(${hasOrGets(keys)}, 't', 'f')`,
  releaseToolLock: ({ keys }: ToolLock) =>
    `SELECT ${keys.length === 0 ? 'TRUE' : keys.map((key) => `RELEASE_LOCK(${quoteLiteral(key)})`).join(', ')}`,

  guardToolLock: (session: ServerFacts, lock: ToolLock) =>
    `SELECT ${guardItem(`CONNECTION_ID() = ${session.backendId}`, guardMarks.backendChanged)};SELECT ${guardItem(`${hasOrGets(lock.keys)}${holdsFlag(lock)}`, guardMarks.lockLost)}`,

  toolLockSessions: ({ keys, approach }: ToolLock) => {
    const held = keys.map(
      (key) =>
        `SELECT 'holds', h.id, COALESCE(p.user, ''), COALESCE(p.host, ''), COALESCE(DATE_SUB(NOW(), INTERVAL p.time SECOND), '') FROM (SELECT IS_USED_LOCK(${quoteLiteral(key)}) AS id) h LEFT JOIN information_schema.processlist p ON p.id = h.id WHERE h.id <> CONNECTION_ID()`,
    );
    const waiting =
      approach === undefined
        ? []
        : [
            `SELECT 'waits', p.id, p.user, p.host, DATE_SUB(NOW(), INTERVAL p.time SECOND) FROM information_schema.processlist p WHERE p.id <> CONNECTION_ID() AND p.info REGEXP ${quoteLiteral(approach.asks)}`,
          ];
    const all = [...held, ...waiting];
    return all.length === 0 ? nothing(5) : all.join(' UNION ALL ');
  },

  toolApproach: (lock: ToolLock) => approaching(lock),
  guardApproach: (lock: ToolLock) =>
    lock.approach === undefined
      ? 'DO 0'
      : `SELECT ${guardItem(`NOT EXISTS (${approaching(lock)})`, guardMarks.toolNear)}`,

  suspectApproach: (_session: ServerFacts, lock: ToolLock) => mysqlSql.guardApproach(lock),

  // Readers go on: nothing on these servers shuts them out within a transaction.
  historyLock: 'writers',
  lockTables: (history: QualifiedName, record: QualifiedName | undefined) =>
    `SELECT COUNT(*) FROM ${qualified(history)} FOR UPDATE${record === undefined ? '' : `;${recordSql.lock(record)}`}`,

  noteWrites: (history: QualifiedName, record: QualifiedName | undefined) =>
    `SET @flyback_history = ${countOf(history)}, @flyback_record = ${record === undefined ? '0' : `(SELECT COALESCE(MAX(id), 0) FROM ${qualified(record)})`}`,

  openStep: (session: ServerFacts, settings: StepSettings, lock: ToolLock, { history, record }) =>
    [
      mysqlSql.beginStep(session, settings),
      mysqlSql.guardToolLock(session, lock),
      mysqlSql.lockTables(history, record),
      mysqlSql.noteWrites(history, record),
    ].join(';'),

  // What a script changes in a row and leaves in its place shows in the guard of the next step only.
  guardWrites: (history: QualifiedName, record: QualifiedName | undefined, own: OwnWrites) => {
    const ofRecord =
      record === undefined
        ? ''
        : ` AND (SELECT COUNT(*) FROM ${qualified(record)} WHERE id > @flyback_record) = ${own.appended}`;
    return `SELECT ${guardItem(`${countOf(history)} BETWEEN @flyback_history - ${own.removed} AND @flyback_history${ofRecord}`, guardMarks.tablesWritten)}`;
  },

  guardRecord: () => 'DO 0',

  guardOneRow: `SELECT ${guardItem('ROW_COUNT() = 1', guardMarks.historyChanged)}`,

  guardHistory: (history: QualifiedName, expected: Condition) => ({
    sql: `SELECT ${guardItem(`(SELECT ${expected.sql} FROM ${qualified(history)})`, guardMarks.historyChanged)}`,
    values: expected.values,
  }),
  describeTable,
  rows: rowSql,

  replicaMode: 'foreign-keys',
  enterReplicaMode: () => 'SET SESSION foreign_key_checks = 0',

  afterScript: (session: ServerFacts, settings: StepSettings) =>
    `RELEASE SAVEPOINT ${stillOpen};SELECT ${guardItem('@@session.autocommit = 1', guardMarks.transactionEnded)};${stepSetting(session, settings)};SAVEPOINT ${stillOpen}`,

  touchedConstraints,
  constraintChecks,
  tableTriggers: () => nothing(3),
  restoreTriggers: () => 'DO 0',

  commit: 'COMMIT',
  rollback: 'ROLLBACK',
  // The table is a copy that the server renews a tenth of a second after it was last read, by whomever.
  hasWritten:
    "DO SLEEP(0.12);SELECT IF(EXISTS (SELECT 1 FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = CONNECTION_ID() AND trx_rows_modified > 0), 't', 'f')",
  record: recordSql,
  journal: journalSql,

  setUpSession: (session: ServerFacts, settings: StepSettings) =>
    `ROLLBACK;SET SESSION autocommit = 1;${stepSetting(session, settings)}`,
  beginStatement: () => begin(),
  // innodb_flush_log_at_trx_commit is the whole server's.
  durably: 'DO 0',
};
