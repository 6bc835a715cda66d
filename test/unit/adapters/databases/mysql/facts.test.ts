import { expect, it } from 'vitest';
import { isSupported, readFacts } from '../../../../../adapters/databases/mysql/facts.js';

const who = ['shop', 'app@%', '17'];

/** As SHOW SESSION VARIABLES answers: only what the server has. */
function factsOf(variables: Readonly<Record<string, string>>): ReturnType<typeof readFacts> {
  return readFacts(Object.entries(variables), who, 17);
}

it('reads what MySQL tells', () => {
  const facts = factsOf({
    version: '8.4.3',
    version_comment: 'MySQL Community Server - GPL',
    autocommit: 'ON',
    sql_mode: 'STRICT_TRANS_TABLES,NO_ZERO_DATE',
    sql_safe_updates: 'OFF',
    foreign_key_checks: 'ON',
    lower_case_table_names: '0',
    read_only: 'ON',
    super_read_only: 'ON',
    transaction_read_only: 'OFF',
    gtid_mode: 'ON',
    lock_wait_timeout: '31536000',
    innodb_lock_wait_timeout: '50',
    max_execution_time: '0',
    server_uuid: '3e11fa47',
  });
  expect(facts).toMatchObject({
    majorVersion: 8,
    databaseName: 'shop',
    currentSchema: 'shop',
    backendId: 17,
    proxied: false,
    readOnly: true,
    statementTimeout: '0',
    identity: { database: '3e11fa47/shop', timeline: null, walPosition: null },
    mysql: {
      product: 'MySQL',
      autocommit: true,
      sqlModes: ['STRICT_TRANS_TABLES', 'NO_ZERO_DATE'],
      readOnlyBy: ['read_only', 'super_read_only'],
      gtidMode: 'ON',
      galera: false,
      pxcStrictMode: undefined,
      lockWaitTimeout: 31_536_000,
      innodbLockWaitTimeout: 50,
    },
  });
});

it.each([
  ['OFF', []],
  ['0', []],
  ['ON', ['read_only']],
  ['NO_LOCK', ['read_only']],
  ['NO_LOCK_NO_ADMIN', ['read_only']],
])('takes read_only = %s for %j', (value, by) => {
  expect(factsOf({ version: '12.0.2-MariaDB', read_only: value }).mysql.readOnlyBy).toEqual(by);
});

it('reads what members of a Galera cluster tell, and those behind a proxy', () => {
  expect(factsOf({ version: '11.4.2-MariaDB', wsrep_on: 'ON', server_uid: 'x' }).mysql).toMatchObject({
    product: 'MariaDB',
    galera: true,
  });
  const percona = factsOf({ version: '8.0.36', wsrep_on: 'ON', pxc_strict_mode: 'ENFORCING' });
  expect(percona.mysql).toMatchObject({ product: 'MySQL', galera: true, pxcStrictMode: 'ENFORCING' });
  expect(percona.identity.database).toBeNull();
  expect(readFacts([['version', '8.4.3']], who, 4711).proxied).toBe(true);
});

it.each([
  ['8.0.11', true],
  ['9.1.0', true],
  ['5.7.44', false],
  ['10.6.0-MariaDB', true],
  ['11.4.2-MariaDB', true],
  ['10.5.28-MariaDB', false],
])('%s is supported: %s', (version, supported) => {
  expect(isSupported(factsOf({ version }))).toBe(supported);
});
