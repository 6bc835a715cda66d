import type { StatementRecovery } from '../../../src/adapter/database.js';

/** What can be found out about a statement that ran alone and was interrupted. */
export async function recovery(_statement: string): Promise<StatementRecovery> {
  return Promise.resolve({
    kind: 'unknown',
    failsCleanly: false,
    inspect: undefined,
    judge: () => ({ state: 'unknown', words: 'Nothing tells how far it came.' }),
  });
}
