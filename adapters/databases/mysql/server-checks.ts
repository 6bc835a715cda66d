import type { ServerChecks } from '../../../src/adapter/server-checks.js';
import { FlybackError } from '../../../src/errors/error.js';

/** What rollbacks need from a MySQL or MariaDB server. */
export const mysqlChecks: ServerChecks = {
  pooling: async () => 'direct',
  judgePooling: () => {
    throw new FlybackError('internal', 'Not asked on MySQL yet.');
  },
  run: async () => [],
};
