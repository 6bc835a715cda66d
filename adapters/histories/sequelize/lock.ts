import { createHash } from 'node:crypto';
import type { DatabaseAdapter, ToolLock } from '../../../src/adapter/database.js';
import type { QualifiedName } from '../../../src/history/history.js';

/**
 * Neither tool takes a lock, in any version. The key is flyback's own, so that two rollbacks exclude each other; against the
 * tool itself only the lock on its table helps: a run that begins later waits at its first look at the history.
 */
export function toolLock(_database: DatabaseAdapter, table: QualifiedName): ToolLock {
  const digest = createHash('sha256')
    .update(`flyback history ${JSON.stringify([table.schema, table.name])}`)
    .digest();
  return { kind: 'advisory', keys: [String(digest.readBigInt64BE(0))], approach: undefined };
}
