import { expect, it } from 'vitest';
import { connectionChecks } from '../../../../../adapters/databases/mysql/checks/connection.js';
import type { ServerState } from '../../../../../adapters/databases/mysql/checks/server-state.js';
import { settingChecks } from '../../../../../adapters/databases/mysql/checks/server.js';
import { readFacts } from '../../../../../adapters/databases/mysql/facts.js';
import { parseGrants } from '../../../../../adapters/databases/mysql/privileges.js';
import type { ServerNeeds } from '../../../../../src/adapter/server-checks.js';
import type { Check } from '../../../../../src/doctor/check.js';

/* What no server of the tests is: MySQL with global transaction ids, a cluster, a server far away. */

function check(name: string, variables: Readonly<Record<string, string>>, state: Partial<ServerState> = {}): Check {
  const all = { version: '8.4.3', autocommit: 'ON', sql_mode: 'STRICT_TRANS_TABLES', ...variables };
  const facts = readFacts(Object.entries(all), ['shop', 'app@%', '17'], 17);
  const needs = {
    scripts: [
      {
        version: '3',
        transaction: 'on',
        triggers: undefined,
        statements: [{ line: 1, text: 'CREATE TEMPORARY TABLE x (id INT)', impact: undefined }],
      },
    ],
    run: { lockTimeoutMs: 0, statementTimeoutMs: 0 },
  } as unknown as ServerNeeds;
  const whole: ServerState = {
    timeMs: 1000,
    tlsVersion: '',
    client: '10.0.0.5',
    privileges: parseGrants([]),
    variables: new Map(Object.entries(all)),
    historyExists: true,
    recordExists: true,
    journalExists: true,
    schemas: new Set(['shop']),
    ...state,
  };
  const found = [
    ...connectionChecks(whole, facts, { mode: 'prefer' }, { sentMs: 1000, answeredMs: 1000 }),
    ...settingChecks(whole, facts, needs),
  ].find((each) => each.check === name);
  if (found === undefined) throw new Error(`There is no check ${name}.`);
  return found;
}

it.each([
  ['set-up', {}, 'ok'],
  ['set-up', { wsrep_on: 'ON' }, 'problem'],
  ['set-up', { autocommit: 'OFF' }, 'problem'],
  ['writable', {}, 'ok'],
  ['writable', { super_read_only: 'ON' }, 'problem'],
  ['encryption', {}, 'warning'],
  ['clock', {}, 'ok'],
  ['gtid', { gtid_mode: 'OFF' }, 'ok'],
  ['gtid', { gtid_mode: 'ON', enforce_gtid_consistency: 'ON', binlog_format: 'ROW' }, 'ok'],
  ['gtid', { gtid_mode: 'ON', enforce_gtid_consistency: 'ON', binlog_format: 'STATEMENT' }, 'problem'],
  ['timeouts', {}, 'ok'],
  ['timeouts', { max_execution_time: '500' }, 'warning'],
  ['commits', { innodb_flush_log_at_trx_commit: '1', log_bin: 'ON', sync_binlog: '1' }, 'ok'],
  ['commits', { innodb_flush_log_at_trx_commit: '1', log_bin: 'ON', sync_binlog: '0' }, 'warning'],
  ['sql-mode', { sql_mode: 'NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES' }, 'warning'],
] as const)('%s with %j is %s', (name, variables, result) => {
  expect(check(name, variables).result).toBe(result);
});

it('what is encrypted, or stays on the machine, is in order', () => {
  expect(check('encryption', {}, { tlsVersion: 'TLSv1.3' }).message).toContain('does not check the certificate');
  expect(check('encryption', {}, { client: '127.0.0.1' }).result).toBe('ok');
  expect(check('encryption', {}, { client: null }).result).toBe('ok');
});
