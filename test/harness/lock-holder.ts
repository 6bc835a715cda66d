import type { LockHolder } from '../../src/adapter/locks.js';

/** A session that reads and idles, with these changes. */
export function lockHolder(changes: Partial<LockHolder> = {}): LockHolder {
  return {
    kind: 'session',
    belongsTo: 'others',
    pid: 4711,
    gid: null,
    user: 'app',
    application: 'reporting',
    client: '10.0.0.5',
    state: 'idle in transaction',
    openMs: 12 * 60_000,
    query: 'SELECT * FROM orders',
    lacking: null,
    identity: `session ${changes.pid ?? changes.gid ?? 4711}`,
    ...changes,
  };
}
