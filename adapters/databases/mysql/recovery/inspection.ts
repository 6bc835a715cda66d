import type { Inspection, StatementRecovery } from '../../../../src/adapter/database.js';

/** Answer to an inspection: text values exactly as the server sent them, or as the journal kept them. */
export type Rows = readonly (readonly (string | null)[])[];

export function done(words: string): Inspection {
  return { state: 'done', words };
}

export function notDone(words: string): Inspection {
  return { state: 'not-done', words };
}

export function unknown(words: string): Inspection {
  return { state: 'unknown', words };
}

export function partly(words: string, repair: readonly string[], afterRepair: 'run-again' | 'done'): Inspection {
  return { state: 'partly', words, repair, afterRepair };
}

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
