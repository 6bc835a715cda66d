import type { Inspection, StatementRecovery } from '../../../../src/adapter/database.js';
import { done, notDone, partly, unknown, type Rows } from '../../inspection.js';

export { done, notDone, partly, unknown, type Rows };

/** Upkeep changes no content, and what is set is set: whatever was done of it already makes no difference. */
export const repeatable: StatementRecovery = {
  kind: 'repeatable',
  waitsAside: false,
  failsCleanly: true,
  inspect: undefined,
  judge: () => notDone('How far it came does not matter: running it again does no harm and ends in the same state.'),
};

export const unclear: StatementRecovery = {
  kind: 'unknown',
  waitsAside: false,
  failsCleanly: false,
  inspect: undefined,
  judge: () => unknown('It may have committed a part of its work; nothing in the catalog tells how far it came.'),
};

/** The same, where an error of the server means that nothing was done. */
export const unclearUnlessRefused: StatementRecovery = { ...unclear, failsCleanly: true };

/** What the catalog tells. Without an answer from before the statement nothing can be compared. */
export function inspectable(
  inspect: string,
  judge: (before: Rows, now: Rows) => Inspection,
  failsCleanly = true,
): StatementRecovery {
  return {
    kind: 'inspectable',
    waitsAside: false,
    failsCleanly,
    inspect,
    judge: (before, now) =>
      before === null ? unknown('It is not known how things were before the statement.') : judge(before, now),
  };
}
