import type { Inspection, QueryResult, StatementRecovery } from '../adapter/database.js';
import type { OpenRun } from '../journal/journal-state.js';

/** How far the open statement of an interrupted run came, as far as anything tells. Pure. */
export function judgeOpenStatement(
  open: OpenRun,
  recovery: StatementRecovery | undefined,
  now: QueryResult['rows'] | null,
): Inspection {
  const started = open.open;
  if (started === undefined) return { state: 'not-done', words: 'No statement was under way.' };
  const where = `The statement in line ${started.line}`;
  if (started.mode === 'transaction') {
    return { state: 'not-done', words: `${where} ran in a transaction that was not committed: nothing of it remains.` };
  }
  if (recovery === undefined) {
    return { state: 'unknown', words: `${where} was changed in the script since, so its traces cannot be looked for.` };
  }
  if (open.failure !== undefined && recovery.failsCleanly) {
    return { state: 'not-done', words: `${where} was refused by the server: nothing of it remains.` };
  }
  if (recovery.kind === 'repeatable') {
    return { state: 'not-done', words: `${where} does no harm when it runs again.` };
  }
  if (recovery.kind === 'inspectable' && now !== null) return recovery.judge(started.before, now);
  return { state: 'unknown', words: `${where} ran outside of a transaction, and nothing tells how far it came.` };
}
