import type { Session } from '../../../../src/adapter/database.js';
import type { ServerNeeds } from '../../../../src/adapter/server-checks.js';
import type { QualifiedName } from '../../../../src/history/history.js';
import { qualified, quoteLiteral } from '../quoting.js';
import { askJson } from './ask.js';

/** What the role may do with one of flyback's or the tool's tables; `exists` false: only the schema's rights count. */
export interface TableRights {
  readonly exists: boolean;
  readonly schemaExists: boolean;
  /** Whether the role may make it. */
  readonly mayCreate: boolean;
  readonly owner: string | null;
  readonly select: boolean;
  readonly insert: boolean;
  readonly update: boolean;
  readonly delete: boolean;
  /** LOCK TABLE in any mode. */
  readonly lock: boolean;
  /** Row-level security hides rows from this role. */
  readonly rowSecurity: boolean;
}

export interface Setting {
  readonly value: string;
  /** What the session itself, its role or its database was given beside the server's own. */
  readonly source: string;
}

export interface PreparedTransaction {
  readonly gid: string;
  readonly owner: string;
  readonly ageSeconds: number;
  /** Tables that it holds locks on, with their schema. */
  readonly tables: readonly string[];
}

/** Everything about connection, role and server that one message can ask. */
export interface ServerState {
  readonly backendId: number;
  readonly timeMs: number;
  readonly tls: { readonly on: boolean; readonly version: string | null } | null;
  /** Where the server sees the connection come from; null: a Unix socket. */
  readonly clientAddress: string | null;
  readonly inRecovery: boolean;
  readonly superuser: boolean;
  readonly readsAllStats: boolean;
  readonly signalsBackends: boolean;
  /** Of those who wrote the history: roles whose sessions are not shown to this role. */
  readonly hiddenWriters: readonly string[];
  readonly knownWriters: readonly string[];
  readonly mayReload: boolean;
  readonly settings: Readonly<Record<string, Setting | undefined>>;
  readonly standbys: { readonly seen: number; readonly readable: number; readonly synchronous: number };
  readonly heldLocks: number;
  readonly prepared: readonly PreparedTransaction[];
  readonly history: TableRights;
  readonly record: TableRights;
  readonly journal: TableRights;
}

const settingNames = [
  'allow_alter_system',
  'default_transaction_read_only',
  'fsync',
  'idle_in_transaction_session_timeout',
  'idle_session_timeout',
  'max_locks_per_transaction',
  'statement_timeout',
  'synchronous_commit',
  'synchronous_standby_names',
  'track_activities',
  'transaction_timeout',
  'wal_level',
];

/** One message. Throws FlybackError. */
export async function readServerState(session: Session, needs: ServerNeeds): Promise<ServerState> {
  return (await askJson(session, undefined, stateQuery(session.facts.majorVersion, needs))) as ServerState;
}

function stateQuery(majorVersion: number, needs: ServerNeeds): string {
  const writers = needs.writers.length === 0 ? 'NULL' : needs.writers.map(quoteLiteral).join(', ');
  const pairs = {
    backendId: 'pg_backend_pid()',
    timeMs: 'extract(epoch FROM clock_timestamp()) * 1000',
    tls: `(SELECT json_build_object('on', s.ssl, 'version', s.version) FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid())`,
    clientAddress: 'host(inet_client_addr())',
    inRecovery: 'pg_is_in_recovery()',
    superuser: '(SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user)',
    readsAllStats: `pg_has_role('pg_read_all_stats', 'USAGE')`,
    signalsBackends: `pg_has_role('pg_signal_backend', 'USAGE')`,
    hiddenWriters: `(SELECT coalesce(json_agg(r.rolname), '[]') FROM pg_roles r WHERE r.rolname IN (${writers}) AND NOT pg_has_role(r.oid, 'USAGE'))`,
    knownWriters: `(SELECT coalesce(json_agg(r.rolname), '[]') FROM pg_roles r WHERE r.rolname IN (${writers}))`,
    mayReload: `has_function_privilege('pg_catalog.pg_reload_conf()', 'EXECUTE')`,
    // The question itself runs under a timeout of its own, which is not what the role has.
    settings: `(SELECT json_object_agg(s.name, json_build_object('value', CASE s.name WHEN 'statement_timeout' THEN s.reset_val ELSE s.setting END, 'source', s.source))
 FROM pg_settings s WHERE s.name IN (${settingNames.map(quoteLiteral).join(', ')}))`,
    standbys: `(SELECT json_build_object('seen', count(*), 'readable', count(r.sync_state), 'synchronous', count(*) FILTER (WHERE r.sync_state IN ('sync', 'quorum'))) FROM pg_stat_replication r)`,
    heldLocks: '(SELECT count(*) FROM pg_locks l WHERE NOT l.fastpath)',
    prepared: preparedTransactions,
    history: tableRights(needs.history, majorVersion),
    record: tableRights(needs.record, majorVersion),
    journal: tableRights(needs.journal, majorVersion),
  };
  return `SELECT json_build_object(${Object.entries(pairs)
    .map(([name, sql]) => `'${name}', ${sql}`)
    .join(', ')})`;
}

/** A prepared transaction is no process; its locks are found by the one on its own number. */
const preparedTransactions = `(SELECT coalesce(json_agg(json_build_object('gid', p.gid, 'owner', p.owner, 'ageSeconds', extract(epoch FROM clock_timestamp() - p.prepared)::bigint,
 'tables', (SELECT coalesce(json_agg(DISTINCT h.relation::regclass::text), '[]') FROM pg_locks x JOIN pg_locks h ON h.virtualtransaction = x.virtualtransaction AND h.pid IS NULL
  JOIN pg_class c ON c.oid = h.relation AND c.relkind IN ('r', 'p', 'm')
  WHERE x.locktype = 'transactionid' AND x.pid IS NULL AND x.transactionid = p.transaction AND h.locktype = 'relation')) ORDER BY p.prepared), '[]')
 FROM pg_prepared_xacts p WHERE p.database = current_database())`;

/**
 * What allows LOCK TABLE in every mode: UPDATE, DELETE or TRUNCATE, and from 17 on MAINTAIN (PostgreSQL manual, "LOCK");
 * SELECT and INSERT allow weak modes only.
 */
function tableRights(table: QualifiedName, majorVersion: number): string {
  const oid = `to_regclass(${quoteLiteral(qualified(table))})`;
  const schema = `(SELECT n.oid FROM pg_namespace n WHERE n.nspname = ${quoteLiteral(table.schema)})`;
  const may = (right: string): string => `coalesce(has_table_privilege(${oid}, '${right}'), false)`;
  const pairs = {
    exists: `${oid} IS NOT NULL`,
    schemaExists: `${schema} IS NOT NULL`,
    mayCreate: `coalesce(has_schema_privilege(${schema}, 'CREATE'), false)`,
    owner: `(SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = ${oid})`,
    select: may('SELECT'),
    insert: may('INSERT'),
    update: may('UPDATE'),
    delete: may('DELETE'),
    lock: may(majorVersion >= 17 ? 'UPDATE, DELETE, TRUNCATE, MAINTAIN' : 'UPDATE, DELETE, TRUNCATE'),
    rowSecurity: `coalesce(row_security_active(${oid}), false)`,
  };
  return `json_build_object(${Object.entries(pairs)
    .map(([name, sql]) => `'${name}', ${sql}`)
    .join(', ')})`;
}
