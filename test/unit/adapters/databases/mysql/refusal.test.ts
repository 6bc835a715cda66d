import { expect, it } from 'vitest';
import { readFacts } from '../../../../../adapters/databases/mysql/facts.js';
import { refusalOf } from '../../../../../adapters/databases/mysql/refusal.js';
import type { ServerFacts } from '../../../../../src/adapter/database.js';

function factsOf(variables: Readonly<Record<string, string>>): ServerFacts {
  return readFacts(
    Object.entries({ version: '8.4.3', autocommit: 'ON', sql_safe_updates: 'OFF', ...variables }),
    ['shop', 'app@%', '17'],
    17,
  );
}

it('an ordinary server is fit, a replica with read_only off and GTIDs too', () => {
  expect(refusalOf(factsOf({}))).toBeUndefined();
  expect(
    refusalOf(factsOf({ gtid_mode: 'ON', read_only: 'OFF', super_read_only: 'OFF', wsrep_on: 'OFF' })),
  ).toBeUndefined();
  expect(refusalOf(factsOf({ pxc_strict_mode: 'PERMISSIVE' }))).toBeUndefined();
});

it.each([
  [{ wsrep_on: 'ON' }, /Galera cluster \(wsrep_on is ON\)/, /by hand/],
  [{ wsrep_on: 'ON', pxc_strict_mode: 'ENFORCING' }, /pxc_strict_mode is ENFORCING/, /by hand/],
  [{ wsrep_on: 'OFF', pxc_strict_mode: 'MASTER' }, /pxc_strict_mode is MASTER/, /by hand/],
  [{ read_only: 'ON', super_read_only: 'ON' }, /read-only \(read_only, super_read_only is ON\)/, /primary/],
  [{ transaction_read_only: 'ON' }, /session cannot write: transaction_read_only is ON/, /sessionVariables/],
  [{ tx_read_only: '1' }, /session cannot write: tx_read_only is ON/, /sessionVariables/],
  [{ autocommit: 'OFF' }, /autocommit is off/, /sessionVariables=autocommit=1/],
  [{ sql_safe_updates: 'ON' }, /sql_safe_updates is on/, /sessionVariables=sql_safe_updates=0/],
])('%j is refused with the reason', (variables, message, hint) => {
  const refusal = refusalOf(factsOf(variables));
  expect(refusal?.message).toMatch(message);
  expect(refusal?.hint).toMatch(hint);
});

it('PostgreSQL has no such facts', () => {
  expect(refusalOf({ ...factsOf({ wsrep_on: 'ON' }), mysql: undefined })).toBeUndefined();
});
