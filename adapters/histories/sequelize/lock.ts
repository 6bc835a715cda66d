import type { DatabaseAdapter, ToolLock } from '../../../src/adapter/database.js';
import type { QualifiedName } from '../../../src/history/history.js';
import { ownLock } from '../own-lock.js';

/**
 * Neither tool takes a lock, in any version. The key is flyback's own, so that two rollbacks exclude each other; against the
 * tool itself only the lock on its table helps: a run that begins later waits at its first look at the history.
 */
export function toolLock(database: DatabaseAdapter, table: QualifiedName): ToolLock {
  const text = `flyback history ${JSON.stringify([table.schema, table.name])}`;
  return { ...ownLock(database, text), approach: undefined };
}
