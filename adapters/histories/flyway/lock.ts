import type { DatabaseAdapter, ToolLock } from '../../../src/adapter/database.js';
import type { QualifiedName } from '../../../src/history/history.js';

/** The bytes "Flyway" as a number: the base of Flyway's advisory lock keys (PostgreSQLAdvisoryLockTemplate). */
const advisoryLockBase = 77431708279161n;

/**
 * The lock that Flyway takes around every migration: an advisory lock whose key is derived from the quoted name of the
 * history table. Transaction and session locks share the key and block each other.
 */
export function toolLock(_database: DatabaseAdapter, table: QualifiedName): ToolLock {
  const quoted = [table.schema, table.name].map((name) => `"${name.replaceAll('"', '""')}"`).join('.');
  return { kind: 'advisory', key: String(advisoryLockBase + BigInt(javaHashCode(quoted))) };
}

/** Java's String.hashCode: 31 * h + each UTF-16 unit, as a signed 32-bit number. */
export function javaHashCode(text: string): number {
  let hash = 0;
  for (let index = 0; index < text.length; index++) {
    hash = (Math.imul(31, hash) + text.charCodeAt(index)) | 0;
  }
  return hash;
}
