import type { Refusal, ServerFacts } from '../../../src/adapter/database.js';

const modesThatRefuse = new Set(['ENFORCING', 'MASTER']);

/** Why nothing may be run on a server, or in a session, that is set up like this; undefined: nothing speaks against it. Pure. */
export function refusalOf({ mysql, databaseName }: ServerFacts): Refusal | undefined {
  if (mysql === undefined) return undefined;
  const { readOnlyBy, pxcStrictMode } = mysql;
  if (mysql.galera || modesThatRefuse.has((pxcStrictMode ?? '').toUpperCase())) {
    const mode = pxcStrictMode === undefined ? 'wsrep_on is ON' : `pxc_strict_mode is ${pxcStrictMode}`;
    return {
      message: `The server of ${databaseName} is a member of a Galera cluster (${mode}): the named locks that keep others out while a version is taken back hold on one member only, and a transaction can still be refused when it commits.`,
      hint: 'Take it back by hand in a maintenance window, with every other writer stopped: flyback is for single servers and their replicas.',
    };
  }
  const ofServer = readOnlyBy.filter((name) => !name.endsWith('tx_read_only') && name !== 'transaction_read_only');
  if (ofServer.length > 0) {
    return {
      message: `The server of ${databaseName} is read-only (${ofServer.join(', ')} is ON), as a replica is.`,
      hint: 'Connect to the primary server.',
    };
  }
  if (readOnlyBy.length > 0) {
    return {
      message: `The session cannot write: ${readOnlyBy.join(', ')} is ON.`,
      hint: 'Take it out of sessionVariables, initSql or init_connect, or connect as an account that they do not hold for.',
    };
  }
  if (!mysql.autocommit) {
    return {
      message:
        'autocommit is off in this session: a statement that belongs to no transaction would begin one and keep its locks, and what flyback notes at once would not be kept.',
      hint: 'Take autocommit=0 out of sessionVariables or initSql; where the server itself or its init_connect says so, add sessionVariables=autocommit=1 to the URL.',
    };
  }
  if (mysql.safeUpdates) {
    return {
      message:
        'sql_safe_updates is on in this session: the server refuses UPDATE and DELETE without a key in their WHERE, those of rollback scripts too, in the middle of a version.',
      hint: 'Take it out of sessionVariables or initSql; where the server itself says so, add sessionVariables=sql_safe_updates=0 to the URL.',
    };
  }
  return undefined;
}
