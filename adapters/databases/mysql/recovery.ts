import type { StatementRecovery } from '../../../src/adapter/database.js';

/** What can be found out about a statement that commits by itself and was interrupted. */
export function recovery(_statement: string): StatementRecovery {
  return {
    kind: 'unknown',
    waitsAside: false,
    failsCleanly: true,
    inspect: undefined,
    judge: () => ({ state: 'unknown', words: 'Nothing tells how far the statement came.' }),
  };
}
