import type { LockQueries } from '../../../src/adapter/locks.js';

/** Who is in the way on MySQL and MariaDB. */
export const mysqlLocks: LockQueries = {
  ownNeeds: () => [],
  concurrentWait: () => undefined,
  survey: async () => ({ obstacles: [], snapshots: [], hidden: null }),
  waitOf: async () => undefined,
  end: async (_session, holders) => holders.map(() => 'gone'),
  endingStatement: ({ pid }) => `KILL ${String(pid)}`,
};
