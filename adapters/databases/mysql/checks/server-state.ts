import type { ServerFacts, Session } from '../../../../src/adapter/database.js';
import type { ServerNeeds } from '../../../../src/adapter/server-checks.js';
import type { QualifiedName } from '../../../../src/history/history.js';
import { type Privileges, readPrivileges } from '../privileges.js';
import { quoteLiteral } from '../quoting.js';

/** Everything about connection, account and server that one may ask without rights of one's own. */
export interface ServerState {
  /** Milliseconds since 1970 by the server's clock. */
  readonly timeMs: number;
  /** "TLSv1.3", or empty without TLS. */
  readonly tlsVersion: string;
  /** Where the server sees the connection come from; null: a socket of the machine itself. */
  readonly client: string | null;
  readonly privileges: Privileges;
  /** Global and session variables, in lower case; what this server does not have is missing. */
  readonly variables: ReadonlyMap<string, string>;
  readonly historyExists: boolean;
  readonly recordExists: boolean;
  readonly journalExists: boolean;
  readonly schemas: ReadonlySet<string>;
}

const variableNames = [
  'binlog_format',
  'enforce_gtid_consistency',
  'event_scheduler',
  'gtid_mode',
  'idle_transaction_timeout',
  'innodb_flush_log_at_trx_commit',
  'log_bin',
  'sync_binlog',
  'wait_timeout',
];

/** Throws FlybackError. */
export async function readServerState(session: Session, needs: ServerNeeds): Promise<ServerState> {
  const tables = [needs.history, needs.record, needs.journal];
  const privileges = await readPrivileges(session);
  const answers = await session.query(
    [
      'SELECT ROUND(UNIX_TIMESTAMP(NOW(6)) * 1000)',
      "SHOW SESSION STATUS LIKE 'Ssl_version'",
      'SELECT p.HOST FROM information_schema.PROCESSLIST p WHERE p.ID = CONNECTION_ID()',
      `SHOW SESSION VARIABLES WHERE Variable_name IN (${variableNames.map(quoteLiteral).join(', ')})`,
      tables.map(countTable).join(' UNION ALL '),
      `SELECT s.SCHEMA_NAME FROM information_schema.SCHEMATA s WHERE s.SCHEMA_NAME IN (${tables.map(({ schema }) => quoteLiteral(schema)).join(', ')})`,
    ].join(';'),
  );
  const [time, tls, host, variables, counts, schemas] = answers.map(({ rows }) => rows);
  const client = host?.[0]?.[0] ?? 'localhost';
  const [history, record, journal] = (counts ?? []).map(([count]) => count !== '0');
  return {
    timeMs: Number(time?.[0]?.[0] ?? 0),
    tlsVersion: tls?.[0]?.[1] ?? '',
    client: client === 'localhost' ? null : client.replace(/:\d+$/, ''),
    privileges,
    variables: new Map((variables ?? []).map(([name, value]) => [(name ?? '').toLowerCase(), value ?? ''])),
    historyExists: history === true,
    recordExists: record === true,
    journalExists: journal === true,
    schemas: new Set((schemas ?? []).map(([name]) => name ?? '')),
  };
}

function countTable({ schema, name }: QualifiedName): string {
  return `SELECT COUNT(*) FROM information_schema.TABLES t WHERE t.TABLE_SCHEMA = ${quoteLiteral(schema)} AND t.TABLE_NAME = ${quoteLiteral(name)}`;
}

/** "app@%" as a statement names it. */
export function accountOf({ user }: Pick<ServerFacts, 'user'>): string {
  const at = user.lastIndexOf('@');
  return at === -1 ? quoteLiteral(user) : `${quoteLiteral(user.slice(0, at))}@${quoteLiteral(user.slice(at + 1))}`;
}
