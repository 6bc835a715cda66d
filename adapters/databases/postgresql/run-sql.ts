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
import type { ObjectRef } from '../../../src/risk/change.js';
import { constraintChecks, touchedConstraints } from './integrity-sql.js';
import { journalSql } from './journal-sql.js';
import { qualified, quoteIdentifier, quoteLiteral } from './quoting.js';
import { recordSql } from './record-sql.js';
import { describeTable, rowSql } from './row-sql.js';

/**
 * An expression that is true, or raises an error whose text holds the mark: current_setting of an unknown name fails,
 * and being stable rather than immutable it is not evaluated before its branch is taken.
 */
function require(condition: string, mark: string): string {
  return `CASE WHEN ${condition} THEN 't' ELSE pg_catalog.current_setting('${mark}') END`;
}

function anyOf(patterns: readonly string[]): string {
  return quoteLiteral(patterns.map((pattern) => `(?:${pattern})`).join('|'));
}

/** Within a transaction the server shows other sessions as they were at the first look, unless told to forget it. */
const currentSessions = 'SELECT pg_catalog.pg_stat_clear_snapshot()';

/** The advisory lock `l` has one of these keys. */
function isOneOf(keys: readonly string[]): string {
  return keys.length === 0 ? 'false' : `((l.classid::bigint << 32) | l.objid::bigint) IN (${keys.join(', ')})`;
}

/** True when every lock was got, in this order. Those of a transaction that were got in vain end with it. */
function tryForTransaction(keys: readonly string[]): string {
  return keys.length === 0
    ? 'true'
    : keys.reduceRight(
        (inner, key) =>
          inner === ''
            ? `pg_catalog.pg_try_advisory_xact_lock(${key})`
            : `CASE WHEN pg_catalog.pg_try_advisory_xact_lock(${key}) THEN ${inner} ELSE false END`,
        '',
      );
}

/** The tool's lock row says that flyback has it. */
function holdsFlag({ flag }: ToolLock): string {
  if (flag === undefined) return '';
  const column = quoteIdentifier(flag.column);
  return ` AND (SELECT count(*) = 1 AND max(${column}) = ${flag.own} FROM ${qualified(flag.table)})`;
}

/** The same for the session; those that were got in vain are given back at once. */
function tryForSession(keys: readonly string[]): string {
  const [first, ...others] = keys;
  if (first === undefined) return 'true';
  const take = `pg_catalog.pg_try_advisory_lock(${first})`;
  if (others.length === 0) return take;
  return `CASE WHEN ${take} THEN ${tryForSession(others)} OR NOT pg_catalog.pg_advisory_unlock(${first}) ELSE false END`;
}

/** Whoever is about to read the history waits for the table, and reads it after us. */
function approaching({ keys, approach }: ToolLock): string {
  if (approach === undefined) return `(SELECT NULL::text, NULL::text WHERE false) about(how, pid)`;
  const { newerThanSeconds } = approach;
  const isNew =
    newerThanSeconds === undefined
      ? ''
      : ` AND a.backend_start > pg_catalog.now() - interval '${newerThanSeconds} seconds'`;
  return `(SELECT CASE WHEN a.query ~ ${quoteLiteral(approach.asks)} THEN
   CASE WHEN s.seconds < 5 AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory' AND l.granted AND ${isOneOf(keys)}) THEN 'waits' END
  WHEN a.query ~ ${anyOf(approach.own)} THEN CASE WHEN s.seconds < 30${isNew} AND a.wait_event_type IS DISTINCT FROM 'Lock' THEN 'nears' END
  WHEN a.query ~ ${anyOf(approach.common)} AND s.seconds < 0.25 AND a.backend_start > pg_catalog.now() - interval '1 minute' THEN 'passes' END, a.pid::text
 FROM pg_catalog.pg_stat_activity a, LATERAL (SELECT extract(epoch FROM pg_catalog.clock_timestamp() - a.state_change) AS seconds) s
 WHERE a.datname = pg_catalog.current_database() AND a.backend_type = 'client backend' AND a.pid <> pg_catalog.pg_backend_pid()
  AND a.backend_start < pg_catalog.now() AND a.state IN ('active', 'idle', 'idle in transaction')) about(how, pid) WHERE about.how IS NOT NULL`;
}

/**
 * True when a session may be one that `approaching` tells of: its state and how long it has been in it are left out. The
 * functions of the server for single values of its sessions cost a third of a look at pg_stat_activity, which makes thirty
 * columns of each; they hide the same from roles that may not see it (PostgreSQL manual, "Per-Backend Statistics Functions").
 */
function mayApproach(
  database: string,
  { asks, own, common, newerThanSeconds }: NonNullable<ToolLock['approach']>,
): string {
  const of = (what: string): string => `pg_catalog.pg_stat_get_backend_${what}(s.id)`;
  const shows = (patterns: readonly string[]): string => `${of('activity')} ~ ${anyOf(patterns)}`;
  const isNewer = (seconds: number): string => `${of('start')} > pg_catalog.now() - interval '${seconds} seconds'`;
  const signs =
    newerThanSeconds === undefined
      ? [shows([asks, ...own])]
      : [shows([asks]), `${isNewer(newerThanSeconds)} AND ${shows(own)}`];
  return `EXISTS (SELECT FROM pg_catalog.pg_stat_get_backend_idset() s(id)
 WHERE ${of('dbid')} = ${quoteLiteral(database)}::oid AND ${of('pid')} <> pg_catalog.pg_backend_pid() AND ${of('start')} < pg_catalog.now()
  AND (${[...signs, `${isNewer(60)} AND ${shows(common)}`].join(' OR ')}))`;
}

/** Flyway prepends the default schema to the path unless it already stands first (PostgreSQLConnection). */
function scriptSearchPath(session: ServerFacts, schema: string): string {
  const quoted = quoteIdentifier(schema);
  const { searchPath } = session;
  const first = searchPath.split(',')[0]?.trim();
  if (first === quoted || first === schema) return searchPath;
  return searchPath.trim() === '' || searchPath.trim() === '""' ? quoted : `${quoted}, ${searchPath}`;
}

function setting(name: string, value: string): string {
  return `pg_catalog.set_config('${name}', ${quoteLiteral(value)}, true)`;
}

/** A script may have left replica mode on, in dynamic SQL too; only who may switch it can have done so. */
function originRole(session: ServerFacts): readonly string[] {
  return session.mayUseReplicaMode ? [setting('session_replication_role', 'origin')] : [];
}

function timeouts(session: ServerFacts, settings: StepSettings): readonly string[] {
  const { lockTimeoutMs, statementTimeoutMs } = settings;
  return [
    setting('lock_timeout', `${lockTimeoutMs}ms`),
    setting('statement_timeout', statementTimeoutMs > 0 ? `${statementTimeoutMs}ms` : session.statementTimeout),
  ];
}

/** How many rows this session has written to a table, in the units of its own statistics (never reset within a transaction). */
function writes(table: QualifiedName): string {
  const oid = `${quoteLiteral(qualified(table))}::regclass`;
  const counts = ['inserted', 'updated', 'deleted'].map((what) => `pg_catalog.pg_stat_get_xact_tuples_${what}(${oid})`);
  return `(${counts.join(' + ')})`;
}

function writesText(history: QualifiedName, record: QualifiedName | undefined, own: OwnWrites): string {
  const ofRecord = record === undefined ? '0' : writes(record);
  return `pg_catalog.concat(${writes(history)} - ${own.removed}, ',', ${ofRecord} - ${own.appended})`;
}

function regclassOf(table: ObjectRef): string {
  const schema = table.schema === undefined ? '' : `${quoteIdentifier(table.schema)}.`;
  return `pg_catalog.to_regclass(${quoteLiteral(`${schema}${quoteIdentifier(table.name)}`)})::oid`;
}

function identity(session: ServerFacts, settings: StepSettings): readonly string[] {
  return [setting('role', session.role), setting('search_path', scriptSearchPath(session, settings.scriptSchema))];
}

/**
 * What is told as done must be on disk: after a crash of the server nobody could tell how far a script came. Stricter
 * settings (remote_apply) stay as they are.
 */
const durableCommit = `CASE pg_catalog.current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE pg_catalog.current_setting('synchronous_commit') END`;

/**
 * Above READ COMMITTED, which a role or a database may have for its default, a transaction goes on seeing what it saw before it
 * had waited for the history: not what was applied meanwhile (PostgreSQL manual, "LOCK").
 */
const begin = 'BEGIN ISOLATION LEVEL READ COMMITTED';

/** With which a step begins, as items of a SELECT. */
function stepValues(session: ServerFacts, settings: StepSettings): readonly string[] {
  return [
    ...identity(session, settings),
    // Quoting in scripts and in flyback's own texts relies on the standard meaning of '…'.
    setting('standard_conforming_strings', 'on'),
    setting('client_encoding', 'UTF8'),
    // Always, because the script of the step before may have changed them for the session.
    ...originRole(session),
    ...timeouts(session, settings),
    `pg_catalog.set_config('flyback.xid', pg_catalog.pg_current_xact_id()::text, true)`,
  ];
}

function toolLockGuards(session: ServerFacts, lock: ToolLock): readonly string[] {
  return [
    require(`${tryForTransaction(lock.keys)}${holdsFlag(lock)}`, guardMarks.lockLost),
    ...(session.proxied
      ? []
      : [require(`pg_catalog.pg_backend_pid() = ${session.backendId}`, guardMarks.backendChanged)]),
  ];
}

function notedWrites(history: QualifiedName, record: QualifiedName | undefined): string {
  return `pg_catalog.set_config('flyback.writes', ${writesText(history, record, { removed: 0, appended: 0 })}, true)`;
}

/** SQL texts of the transactional runner for PostgreSQL. */
export const postgresqlSql: DatabaseSql = {
  qualified,

  useScriptPath: (session: ServerFacts, scriptSchema: string) =>
    `SELECT pg_catalog.set_config('search_path', ${quoteLiteral(scriptSearchPath(session, scriptSchema))}, false)`,

  beginReadOnly: (session: ServerFacts, scriptSchema: string) =>
    `BEGIN READ ONLY;SELECT ${setting('search_path', scriptSearchPath(session, scriptSchema))}`,

  boundWaits: (lockTimeoutMs: number) => `SELECT ${setting('lock_timeout', `${lockTimeoutMs}ms`)}`,

  boundStatements: (milliseconds: number, scope: 'transaction' | 'session') =>
    `SET ${scope === 'transaction' ? 'LOCAL' : 'SESSION'} statement_timeout = ${milliseconds}`,

  beginOwn: (session: ServerFacts, lockTimeoutMs: number) => {
    const values = [
      ...originRole(session),
      setting('role', session.role),
      setting('standard_conforming_strings', 'on'),
      setting('client_encoding', 'UTF8'),
      setting('lock_timeout', `${lockTimeoutMs}ms`),
      setting('statement_timeout', session.statementTimeout),
    ];
    return `${begin};RESET SESSION AUTHORIZATION;SELECT ${values.join(', ')}`;
  },

  beginStep: (session: ServerFacts, settings: StepSettings) =>
    `${begin};SELECT ${stepValues(session, settings).join(', ')}`,

  toolLockEndsWith: 'transaction',
  tryToolLock: ({ keys }: ToolLock) => `SELECT ${tryForTransaction(keys)}`,
  keepToolLock: ({ keys }: ToolLock) => `SELECT ${tryForSession(keys)}`,
  releaseToolLock: ({ keys }: ToolLock) =>
    `SELECT ${keys.length === 0 ? 'true' : keys.map((key) => `pg_catalog.pg_advisory_unlock(${key})`).join(', ')}`,

  guardToolLock: (session: ServerFacts, lock: ToolLock) => `SELECT ${toolLockGuards(session, lock).join(', ')}`,

  // Waiting Flyways poll, so they hold nothing: they show as idle sessions whose last query asks for this key.
  toolLockSessions: ({
    keys,
    approach,
  }: ToolLock) => `SELECT CASE WHEN l.granted THEN 'holds' ELSE 'waits' END, a.pid::text, coalesce(a.usename, ''), coalesce(a.application_name, ''), coalesce(a.state_change::text, '')
FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) AND l.objsubid = 1
 AND ${isOneOf(keys)} AND l.pid <> pg_catalog.pg_backend_pid()${
   approach === undefined
     ? ''
     : `
UNION ALL
SELECT 'waits', a.pid::text, coalesce(a.usename, ''), coalesce(a.application_name, ''), coalesce(a.state_change::text, '')
FROM pg_catalog.pg_stat_activity a
WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid() AND a.query ~ ${quoteLiteral(approach.asks)}
 AND a.state IN ('idle in transaction', 'idle', 'active') AND pg_catalog.clock_timestamp() - a.state_change < interval '5 seconds'
 AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory' AND l.granted AND ${isOneOf(keys)})`
 }`,

  toolApproach: (lock: ToolLock) => `${currentSessions};SELECT * FROM ${approaching(lock)}`,
  // A transaction's first look is at the present.
  guardApproach: (lock: ToolLock) =>
    `SELECT ${require(`NOT EXISTS (SELECT FROM ${approaching(lock)})`, guardMarks.toolNear)}`,

  suspectApproach: (session: ServerFacts, lock: ToolLock) => {
    const database = session.identity.database?.split('/').at(-1);
    // Through a pooler the next transaction may be on another server.
    if (lock.approach === undefined || database === undefined || session.proxied) {
      return postgresqlSql.guardApproach(lock);
    }
    return `SELECT ${require(`NOT ${mayApproach(database, lock.approach)}`, guardMarks.toolNear)}`;
  },

  historyLock: 'readers',
  lockTables: (history: QualifiedName, record: QualifiedName | undefined) =>
    `LOCK TABLE ${qualified(history)} IN ACCESS EXCLUSIVE MODE` +
    (record === undefined ? '' : `;${recordSql.lock(record)}`),

  guardHistory: (history: QualifiedName, expected: Condition) => ({
    sql: `SELECT ${require(expected.sql, guardMarks.historyChanged)} FROM ${qualified(history)}`,
    values: expected.values,
  }),
  describeTable,
  rows: rowSql,

  noteWrites: (history: QualifiedName, record: QualifiedName | undefined) => `SELECT ${notedWrites(history, record)}`,

  openStep: (session: ServerFacts, settings: StepSettings, lock: ToolLock, { history, record }) => {
    // Who may read a flag is settled before its statement begins, so the role must have been set by then.
    const values = stepValues(session, settings).join(', ') + (lock.flag === undefined ? ', ' : ';SELECT ');
    const guards = [...toolLockGuards(session, lock), notedWrites(history, record)].join(', ');
    return `${begin};SELECT ${values}${guards};${postgresqlSql.lockTables(history, record)}`;
  },

  // A partitioned history (nobody has one) counts in its partitions; its rows are guarded by number and by the next step.
  guardWrites: (history: QualifiedName, record: QualifiedName | undefined, own: OwnWrites) =>
    `SELECT ${require([
      `pg_catalog.current_setting('flyback.writes', true) = ${writesText(history, record, own)}`,
      `pg_catalog.current_setting('track_counts') = 'off'`,
      `pg_catalog.pg_partition_root(${quoteLiteral(qualified(history))}::regclass) IS NOT NULL`,
    ].join(' OR '), guardMarks.tablesWritten)}`,

  guardRecord: (record: QualifiedName) => `SELECT ${require(recordSql.isGuarded(record), guardMarks.tablesWritten)}`,

  replicaMode: 'triggers-and-keys',
  enterReplicaMode: () => `SET LOCAL session_replication_role = replica`,

  afterScript: (session: ServerFacts, settings: StepSettings) =>
    `RESET SESSION AUTHORIZATION;SELECT ${[
      require(`pg_catalog.pg_current_xact_id()::text = pg_catalog.current_setting('flyback.xid', true)`, guardMarks.transactionEnded),
      // The driver sends UTF-8 whatever the session believes, so the script's own text was misread by then.
      require(`pg_catalog.current_setting('client_encoding') = 'UTF8'`, guardMarks.encodingChanged),
      ...originRole(session),
      ...timeouts(session, settings),
      ...identity(session, settings),
    ].join(', ')};SET CONSTRAINTS ALL IMMEDIATE`,

  touchedConstraints,
  constraintChecks,

  // PostgreSQL 14 calls the copies of a trigger in partitions internal; only a super-user may switch them there.
  tableTriggers: (tables: readonly ObjectRef[]) => `WITH RECURSIVE tables(oid) AS (
 SELECT DISTINCT named.oid FROM (VALUES ${tables.map((table) => `(${regclassOf(table)})`).join(', ')}) named(oid) WHERE named.oid IS NOT NULL
 UNION SELECT i.inhrelid FROM tables t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid)
SELECT t.oid::text, t.tgenabled::text, pg_catalog.format('ALTER TABLE ONLY %s DISABLE TRIGGER %I', t.tgrelid::regclass, t.tgname)
FROM pg_catalog.pg_trigger t JOIN tables ON tables.oid = t.tgrelid WHERE (NOT t.tgisinternal OR t.tgparentid <> 0 AND t.tgconstraint = 0) AND t.tgenabled IN ('O', 'A') ORDER BY t.oid`,

  restoreTriggers: (triggers: readonly { readonly id: string; readonly state: string }[]) =>
    `DO $restore$ DECLARE found record; BEGIN
 FOR found IN SELECT pg_catalog.format('ALTER TABLE ONLY %s ENABLE %sTRIGGER %I', t.tgrelid::regclass, CASE was.state WHEN 'A' THEN 'ALWAYS ' ELSE '' END, t.tgname) AS sql
  FROM pg_catalog.pg_trigger t JOIN (VALUES ${triggers.map(({ id, state }) => `(${id}::oid, '${state}')`).join(', ')}) was(oid, state) ON was.oid = t.oid
 LOOP EXECUTE found.sql; END LOOP; END $restore$`,

  commit: 'COMMIT',
  rollback: 'ROLLBACK',
  hasWritten: 'SELECT pg_catalog.pg_current_xact_id_if_assigned() IS NOT NULL',
  record: recordSql,
  journal: journalSql,

  setUpSession: (session: ServerFacts, settings: StepSettings) => {
    const values = [
      `role=${session.role}`,
      `search_path=${scriptSearchPath(session, settings.scriptSchema)}`,
      'standard_conforming_strings=on',
      'client_encoding=UTF8',
      `lock_timeout=${settings.lockTimeoutMs}ms`,
      `statement_timeout=${settings.statementTimeoutMs > 0 ? `${settings.statementTimeoutMs}ms` : session.statementTimeout}`,
      ...(session.mayUseReplicaMode ? ['session_replication_role=origin'] : []),
    ].map((pair) => {
      const at = pair.indexOf('=');
      return `pg_catalog.set_config('${pair.slice(0, at)}', ${quoteLiteral(pair.slice(at + 1))}, false)`;
    });
    return `RESET SESSION AUTHORIZATION;SELECT ${values.join(', ')}, pg_catalog.set_config('synchronous_commit', ${durableCommit}, false)`;
  },

  beginStatement: () =>
    `${begin};SELECT pg_catalog.set_config('flyback.xid', pg_catalog.pg_current_xact_id()::text, true)`,

  durably: `SELECT pg_catalog.set_config('synchronous_commit', ${durableCommit}, true)`,
};
