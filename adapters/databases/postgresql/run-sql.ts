import {
  guardMarks,
  type DatabaseSql,
  type ServerFacts,
  type StepSettings,
  type ToolLock,
} from '../../../src/adapter/database.js';
import type { QualifiedName } from '../../../src/history/history.js';
import type { ObjectRef } from '../../../src/risk/change.js';
import { foreignKeyChecks, touchedForeignKeys } from './integrity-sql.js';
import { quoteIdentifier, quoteLiteral } from './quoting.js';
import { recordSql } from './record-sql.js';

/**
 * An expression that is true, or raises an error whose text holds the mark: current_setting of an unknown name fails,
 * and being stable rather than immutable it is not evaluated before its branch is taken.
 */
function require(condition: string, mark: string): string {
  return `CASE WHEN ${condition} THEN 't' ELSE pg_catalog.current_setting('${mark}') END`;
}

function qualified(name: QualifiedName): string {
  return `${quoteIdentifier(name.schema)}.${quoteIdentifier(name.name)}`;
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

function identity(session: ServerFacts, settings: StepSettings): readonly string[] {
  return [setting('role', session.role), setting('search_path', scriptSearchPath(session, settings.scriptSchema))];
}

/** SQL texts of the transactional runner for PostgreSQL. */
export const postgresqlSql: DatabaseSql = {
  qualified,

  useScriptPath: (session: ServerFacts, scriptSchema: string) =>
    `SELECT pg_catalog.set_config('search_path', ${quoteLiteral(scriptSearchPath(session, scriptSchema))}, false)`,

  beginReadOnly: (session: ServerFacts, scriptSchema: string) =>
    `BEGIN READ ONLY;SELECT ${setting('search_path', scriptSearchPath(session, scriptSchema))}`,

  beginStep: (session: ServerFacts, settings: StepSettings) => {
    const values = [
      ...identity(session, settings),
      // Quoting in scripts and in flyback's own texts relies on the standard meaning of '…'.
      setting('standard_conforming_strings', 'on'),
      ...(settings.lockTimeoutMs > 0 ? [setting('lock_timeout', `${settings.lockTimeoutMs}ms`)] : []),
      ...(settings.statementTimeoutMs > 0 ? [setting('statement_timeout', `${settings.statementTimeoutMs}ms`)] : []),
      `pg_catalog.set_config('flyback.xid', pg_catalog.pg_current_xact_id()::text, true)`,
    ];
    return `BEGIN;SELECT ${values.join(', ')}`;
  },

  tryToolLock: (lock: ToolLock) => `SELECT pg_catalog.pg_try_advisory_xact_lock(${lock.key})`,
  keepToolLock: (lock: ToolLock) => `SELECT pg_catalog.pg_try_advisory_lock(${lock.key})`,
  releaseToolLock: (lock: ToolLock) => `SELECT pg_catalog.pg_advisory_unlock(${lock.key})`,

  guardToolLock: (session: ServerFacts, lock: ToolLock) =>
    `SELECT ${require(`pg_catalog.pg_try_advisory_xact_lock(${lock.key})`, guardMarks.lockLost)}` +
    (session.proxied
      ? ''
      : `, ${require(`pg_catalog.pg_backend_pid() = ${session.backendId}`, guardMarks.backendChanged)}`),

  // Waiting Flyways poll, so they hold nothing: they show as idle sessions whose last query asks for this key.
  toolLockSessions: (
    lock: ToolLock,
  ) => `SELECT 'holds', a.pid::text, coalesce(a.usename, ''), coalesce(a.application_name, ''), coalesce(a.state_change::text, '')
FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) AND l.objsubid = 1 AND l.granted
 AND ((l.classid::bigint << 32) | l.objid::bigint) = ${lock.key} AND l.pid <> pg_catalog.pg_backend_pid()
UNION ALL
SELECT 'waits', a.pid::text, coalesce(a.usename, ''), coalesce(a.application_name, ''), coalesce(a.state_change::text, '')
FROM pg_catalog.pg_stat_activity a
WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid() AND a.query ~ ('pg_try_advisory_(xact_)?lock\\(' || ${quoteLiteral(lock.key)} || '\\)')
 AND a.state IN ('idle in transaction', 'idle', 'active') AND pg_catalog.clock_timestamp() - a.state_change < interval '5 seconds'
 AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory' AND l.granted AND ((l.classid::bigint << 32) | l.objid::bigint) = ${lock.key})`,

  lockTables: (history: QualifiedName, record: QualifiedName | undefined) =>
    `LOCK TABLE ${qualified(history)} IN ACCESS EXCLUSIVE MODE` +
    (record === undefined ? '' : `;${recordSql.lock(record)}`),

  guardHistory: (history: QualifiedName, rowCount: number, maxRank: number) =>
    `SELECT ${require(`count(*) = ${rowCount} AND coalesce(max(installed_rank), 0) = ${maxRank}`, guardMarks.historyChanged)} FROM ${qualified(history)}`,

  enterReplicaMode: () => `SET LOCAL session_replication_role = replica`,

  afterScript: (session: ServerFacts, settings: StepSettings) =>
    `RESET SESSION AUTHORIZATION;SELECT ${[
      require(`pg_catalog.pg_current_xact_id()::text = pg_catalog.current_setting('flyback.xid', true)`, guardMarks.transactionEnded),
      ...(settings.replicaMode ? [setting('session_replication_role', 'origin')] : []),
      ...identity(session, settings),
    ].join(', ')};SET CONSTRAINTS ALL IMMEDIATE`,

  touchedForeignKeys,
  foreignKeyChecks,

  tableTriggers: (tables: readonly ObjectRef[]) => `SELECT t.tgrelid::regclass::text, t.tgname, t.tgenabled::text,
 format('ALTER TABLE %s DISABLE TRIGGER %I', t.tgrelid::regclass, t.tgname),
 format('ALTER TABLE %s ENABLE %sTRIGGER %I', t.tgrelid::regclass, CASE t.tgenabled WHEN 'A' THEN 'ALWAYS ' ELSE '' END, t.tgname), t.oid::text
FROM pg_catalog.pg_trigger t WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND t.tgrelid IN (${
    tables.length === 0
      ? 'NULL'
      : tables
          .map((table) => {
            const name = `${table.schema === undefined ? '' : `${quoteIdentifier(table.schema)}.`}${quoteIdentifier(table.name)}`;
            return `pg_catalog.to_regclass(${quoteLiteral(name)})::oid`;
          })
          .join(', ')
  }) ORDER BY 1, 2`,

  commit: 'COMMIT',
  rollback: 'ROLLBACK',
  record: recordSql,
};
