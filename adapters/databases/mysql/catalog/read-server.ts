import type { Session } from '../../../../src/adapter/database.js';
import type { QualifiedName } from '../../../../src/history/history.js';
import type { CatalogObject } from '../../../../src/proof/catalog.js';
import { quoteLiteral } from '../quoting.js';
import { ask } from './plain-reading.js';
import { leftOutNames, notIn } from './read-catalog.js';

const systemSchemas = `'mysql', 'information_schema', 'performance_schema', 'sys'`;

/** Databases that are made for proofs, beside which other proofs may run. */
const scratchNames = `SCHEMA_NAME LIKE 'flyback\\_proof\\_%'`;

/**
 * Kinds that say nothing about another server: the defaults of the database, privileges on it and on what is in it, accounts
 * and roles. Other databases are left out: other proofs may run beside this one. Read with plain settings.
 */
export async function readServerPart(
  session: Session,
  without: readonly QualifiedName[],
): Promise<readonly CatalogObject[]> {
  const schema = quoteLiteral(session.facts.databaseName);
  const isMariadb = session.facts.mysql?.product === 'MariaDB';
  const tables = notIn('TABLE_NAME', leftOutNames(session, without));
  const [own, grants, accounts, memberships] = await ask(session, 'What belongs to the server', [
    `SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME${isMariadb ? ', SCHEMA_COMMENT' : ''} FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ${schema}`,
    `SELECT GRANTEE, 'the database', PRIVILEGE_TYPE, IS_GRANTABLE FROM information_schema.SCHEMA_PRIVILEGES WHERE ${schema} LIKE TABLE_SCHEMA
UNION ALL SELECT GRANTEE, CONCAT('table ', TABLE_NAME), PRIVILEGE_TYPE, IS_GRANTABLE FROM information_schema.TABLE_PRIVILEGES WHERE TABLE_SCHEMA = ${schema} AND ${tables}
UNION ALL SELECT GRANTEE, CONCAT('column ', TABLE_NAME, '.', COLUMN_NAME), PRIVILEGE_TYPE, IS_GRANTABLE FROM information_schema.COLUMN_PRIVILEGES WHERE TABLE_SCHEMA = ${schema} AND ${tables}
UNION ALL SELECT CONCAT('''', User, '''@''', Host, ''''), CONCAT(LOWER(Routine_type), ' ', Routine_name), UPPER(Proc_priv), 'NO' FROM mysql.procs_priv WHERE Db = ${schema}`,
    `SELECT CONCAT('''', User, '''@''', Host, ''''), plugin, (SELECT GROUP_CONCAT(CONCAT(PRIVILEGE_TYPE, IF(IS_GRANTABLE = 'YES', ' with grant option', '')) ORDER BY PRIVILEGE_TYPE SEPARATOR ', ') FROM information_schema.USER_PRIVILEGES WHERE GRANTEE = CONCAT('''', User, '''@''', Host, '''')) FROM mysql.user`,
    isMariadb
      ? `SELECT CONCAT('''', User, '''@''', Host, ''''), Role, Admin_option FROM mysql.roles_mapping`
      : `SELECT CONCAT('''', TO_USER, '''@''', TO_HOST, ''''), CONCAT('''', FROM_USER, '''@''', FROM_HOST, ''''), WITH_ADMIN_OPTION FROM mysql.role_edges`,
  ]);
  const [charset, collation, comment] = own?.rows[0] ?? [];
  const privileges = new Map<string, string[]>();
  for (const [grantee, on, privilege, grantable] of grants?.rows ?? []) {
    const key = `${grantee ?? ''} on ${on ?? ''}`;
    const words = `${privilege ?? ''}${grantable === 'YES' ? ' with grant option' : ''}`;
    privileges.set(key, [...(privileges.get(key) ?? []), words]);
  }
  return [
    {
      kind: 'database',
      name: 'of the project',
      properties: {
        'character set': charset ?? '',
        collation: collation ?? '',
        ...(comment === null || comment === undefined || comment === '' ? {} : { comment }),
      },
    },
    ...[...privileges].map(([name, words]): CatalogObject => {
      return { kind: 'grant', name, properties: { privileges: words.sort().join(', ') } };
    }),
    ...(accounts?.rows ?? []).map(([name, plugin, granted]): CatalogObject => {
      const roles = (memberships?.rows ?? [])
        .filter(([member]) => member === name)
        .map(([, role, admin]) => `${role ?? ''}${admin === 'Y' ? ' with admin option' : ''}`)
        .sort();
      return {
        kind: 'role',
        name: name ?? '',
        properties: {
          ...(plugin === null || plugin === undefined || plugin === '' ? {} : { plugin }),
          ...(granted === null || granted === undefined ? {} : { privileges: granted }),
          ...(roles.length === 0 ? {} : { roles: roles.join(', ') }),
        },
      };
    }),
  ];
}

/** What belongs to the server, each with the statement that removes it: databases before accounts. */
export async function readServerObjects(session: Session): Promise<ReadonlyMap<string, string>> {
  const isMariadb = session.facts.mysql?.product === 'MariaDB';
  const role = isMariadb ? `is_role = 'Y'` : 'FALSE';
  const [databases, accounts] = await ask(session, 'What belongs to the server', [
    `SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN (${systemSchemas}) AND NOT ${scratchNames}`,
    `SELECT User, Host, ${role} FROM mysql.user`,
  ]);
  return new Map([
    ...(databases?.rows ?? []).map(([name]) => {
      return [`database ${name ?? ''}`, `DROP DATABASE ${backquoted(name)}`] as const;
    }),
    ...(accounts?.rows ?? []).map(([user, host, isRole]) => {
      const account = `${quoteLiteral(user ?? '')}@${quoteLiteral(host ?? '')}`;
      return isRole === '1'
        ? ([`role ${user ?? ''}`, `DROP ROLE ${backquoted(user)}`] as const)
        : ([`account ${account}`, `DROP USER ${account}`] as const);
    }),
  ]);
}

function backquoted(name: string | null | undefined): string {
  return `\`${(name ?? '').replaceAll('`', '``')}\``;
}
