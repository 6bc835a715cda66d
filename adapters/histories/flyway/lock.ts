import type { DatabaseAdapter, ToolLock } from '../../../src/adapter/database.js';
import type { QualifiedName } from '../../../src/history/history.js';

/** The bytes "Flyway" as a number: the base of Flyway's advisory lock keys (PostgreSQLAdvisoryLockTemplate). */
const advisoryLockBase = 77431708279161n;

/**
 * The lock that Flyway takes around every migration: an advisory lock whose key is derived from the quoted name of the
 * history table. Transaction and session locks share the key and block each other. On MySQL a named lock
 * (MySQLNamedLockTemplate), unless the server belongs to a Galera cluster.
 */
export function toolLock(database: DatabaseAdapter, table: QualifiedName): ToolLock {
  if (database.name === 'mysql') return namedLock(table);
  const quoted = [table.schema, table.name].map((name) => `"${name.replaceAll('"', '""')}"`).join('.');
  const key = String(advisoryLockBase + BigInt(javaHashCode(quoted)));
  return {
    kind: 'advisory',
    keys: [key],
    approach: {
      asks: String.raw`^SELECT pg_try_advisory_(?:xact_)?lock\(${key}\)`,
      own: [`FROM ${escapePattern(quoted)} WHERE "installed_rank" >`, ...ownTexts],
      common: commonTexts,
    },
  };
}

/** A migrate that has read the history and waits asks again every ten seconds, for ever; before that nothing tells of it. */
function namedLock(table: QualifiedName): ToolLock {
  const quoted = [table.schema, table.name].map((name) => `\`${name.replaceAll('`', '``')}\``).join('.');
  const key = `Flyway-${javaHashCode(quoted)}`;
  const asks = String.raw`^SELECT GET_LOCK\('${key}', ?[0-9]+\)`;
  return { kind: 'named', keys: [key], approach: { asks, own: [], common: [] } };
}

/*
 * migrate reads the history when it validates, and keeps in mind what it has read; only then does it ask for the lock. In
 * between, its main connection (the one that will ask) has been seen to show these statements, in 9.22, 10.22 and 13.0: its
 * own for as long as it takes to open a second connection and to run callbacks there, the common ones for a moment.
 */
const ownTexts = [
  String.raw`^SELECT EXISTS \(\s*SELECT 1\s+FROM\s+pg_catalog\.pg_class c\s`,
  String.raw`^SELECT COUNT\(\*\) FROM pg_namespace WHERE nspname=\$1$`,
];
const commonTexts = ['^(?:BEGIN|COMMIT)$', '^SET ROLE '];

function escapePattern(text: string): string {
  return text.replaceAll(/[\\^$.|?*+()[\]{}]/g, String.raw`\$&`);
}

/** Java's String.hashCode: 31 * h + each UTF-16 unit, as a signed 32-bit number. */
export function javaHashCode(text: string): number {
  let hash = 0;
  for (let index = 0; index < text.length; index++) {
    hash = (Math.imul(31, hash) + text.charCodeAt(index)) | 0;
  }
  return hash;
}
