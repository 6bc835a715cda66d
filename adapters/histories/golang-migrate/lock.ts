import { crc32 } from 'node:zlib';
import type { DatabaseAdapter, ToolLock } from '../../../src/adapter/database.js';
import type { LockFacts } from '../../../src/adapter/history.js';
import type { QualifiedName } from '../../../src/history/history.js';

const salt = 1_486_364_155;

/**
 * The number that golang-migrate makes of a database and what else names the lock (database/util.go,
 * GenerateAdvisoryLockId): CRC-32 of the names with NUL between them, the database last, times a constant, as 32 bits.
 */
export function lockId(databaseName: string, ...names: readonly string[]): string {
  return String(Math.imul(crc32(Buffer.from([...names, databaseName].join('\0'), 'utf8')), salt) >>> 0);
}

/**
 * golang-migrate holds a lock of its session while it migrates, and reads the version under it. On MySQL it is named by the
 * number of "database:table" (database/mysql/mysql.go), and a migrate that has waited 10 s for it gives up. On PostgreSQL what
 * it calls the database depends on how it was started: the command line takes the path of the URL with its slash, a program
 * that hands over a connection the bare name. Both are taken, in ascending order.
 */
export function toolLock(database: DatabaseAdapter, table: QualifiedName, { databaseName }: LockFacts): ToolLock {
  if (database.name === 'mysql') {
    return { kind: 'named', keys: [lockId(`${databaseName}:${table.name}`)], approach: undefined };
  }
  const keys = [`/${databaseName}`, databaseName].map((name) => lockId(name, table.schema, table.name));
  return { kind: 'advisory', keys: keys.sort((a, b) => Number(a) - Number(b)), approach: undefined };
}
