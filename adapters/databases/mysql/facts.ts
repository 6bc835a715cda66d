import type { MysqlFacts, ServerFacts } from '../../../src/adapter/database.js';

/** Everything flyback asks about a server. SHOW leaves out what a server does not have; SELECT @@… would fail. */
export const variablesQuery = `SHOW SESSION VARIABLES WHERE Variable_name IN ('version', 'version_comment', 'autocommit', 'sql_mode', 'sql_safe_updates', 'foreign_key_checks', 'lower_case_table_names', 'read_only', 'super_read_only', 'innodb_read_only', 'transaction_read_only', 'tx_read_only', 'gtid_mode', 'wsrep_on', 'pxc_strict_mode', 'lock_wait_timeout', 'innodb_lock_wait_timeout', 'max_statement_time', 'max_execution_time', 'server_uuid', 'server_uid')`;

export const whoQuery = 'SELECT DATABASE(), CURRENT_USER(), CONNECTION_ID()';

const readOnlyVariables = ['read_only', 'super_read_only', 'innodb_read_only', 'transaction_read_only', 'tx_read_only'];

/** Puts the answers of the two queries together. `threadId` is what the handshake called this connection. */
export function readFacts(
  variables: readonly (readonly (string | null)[])[],
  who: readonly (string | null)[],
  threadId: number,
): ServerFacts & { readonly mysql: MysqlFacts } {
  const values = new Map(variables.map(([name, value]) => [(name ?? '').toLowerCase(), value ?? '']));
  const isOn = (name: string): boolean => /^(?:on|1|yes)$/i.test(values.get(name) ?? '');
  const [databaseName, user, connectionId] = who;
  const version = values.get('version') ?? '';
  // Newer MariaDB knows several ways to be read-only (NO_LOCK, NO_LOCK_NO_ADMIN): whatever is not off is on.
  const readOnlyBy = readOnlyVariables.filter((name) => !/^(?:|off|0|no)$/i.test(values.get(name) ?? ''));
  const server = values.get('server_uuid') ?? values.get('server_uid');
  return {
    version,
    majorVersion: Number.parseInt(version, 10),
    databaseName: databaseName ?? '',
    user: user ?? '',
    currentSchema: databaseName ?? null,
    readOnly: readOnlyBy.length > 0,
    mayUseReplicaMode: false,
    backendId: Number(connectionId),
    proxied: Number(connectionId) !== threadId,
    hasEventTriggers: false,
    // Metadata locks are bounded by memory only.
    lockTableSize: Number.MAX_SAFE_INTEGER,
    role: 'none',
    searchPath: '',
    statementTimeout: values.get('max_statement_time') ?? values.get('max_execution_time') ?? '0',
    identity: {
      database: server === undefined || server === '' ? null : `${server}/${databaseName ?? ''}`,
      timeline: null,
      walPosition: null,
    },
    mysql: {
      product: /mariadb/i.test(`${version} ${values.get('version_comment') ?? ''}`) ? 'MariaDB' : 'MySQL',
      autocommit: isOn('autocommit'),
      sqlModes: (values.get('sql_mode') ?? '').split(',').filter((mode) => mode !== ''),
      safeUpdates: isOn('sql_safe_updates'),
      foreignKeyChecks: isOn('foreign_key_checks'),
      lowerCaseTableNames: Number(values.get('lower_case_table_names') ?? 0),
      readOnlyBy,
      gtidMode: values.get('gtid_mode'),
      galera: isOn('wsrep_on'),
      pxcStrictMode: values.get('pxc_strict_mode'),
      lockWaitTimeout: Number(values.get('lock_wait_timeout') ?? 0),
      innodbLockWaitTimeout: Number(values.get('innodb_lock_wait_timeout') ?? 0),
    },
  };
}

/** The oldest versions whose rules the adapter follows. */
export function isSupported({ mysql, version }: ReturnType<typeof readFacts>): boolean {
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  return mysql.product === 'MariaDB' ? major > 10 || (major === 10 && minor >= 6) : major >= 8;
}

/** Names of tables as this server tells them apart: comparing in SQL ignores case, whether names do is a setting (lower_case_table_names). */
export function foldNames({ mysql }: ServerFacts): (name: string) => string {
  return mysql?.lowerCaseTableNames === 0 ? (name) => name : (name) => name.toLowerCase();
}
