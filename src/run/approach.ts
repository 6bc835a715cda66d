import type { QueryResult } from '../adapter/database.js';
import { FlybackError } from '../errors/error.js';
import { pause } from './pause.js';
import type { RunRequest } from './run-request.js';

/*
 * A migrate that read the history before it was locked goes on believing in what it read: it would migrate on top of a
 * version that was taken back meanwhile. Nothing shuts it out, but it can be seen.
 */

/** A session that says little is looked at again, for no longer than a migrate stays in such a place. */
const lookAgainMs = 25;
const looks = 10;

/**
 * Processes that have read the history before this transaction locked it and are about to migrate by what they read. To be
 * called while the history is locked, with the answer to toolApproach that was sent right after the lock.
 */
export async function rememberingProcesses(
  request: RunRequest,
  answer: readonly QueryResult[] | undefined,
): Promise<readonly string[]> {
  let rows = answer?.at(-1)?.rows ?? [];
  let passing = processes(rows, ['passes']);
  for (let look = 1; ; look += 1) {
    const remembering = processes(rows, ['waits', 'nears']);
    if (remembering.length > 0 || passing.length === 0 || look === looks) return remembering;
    await pause(lookAgainMs, request.signal);
    rows = (await request.session.query(approachQuery(request))).at(-1)?.rows ?? [];
    // Nobody new can have read the history since.
    const still = processes(rows, ['passes']);
    passing = passing.filter((process) => still.includes(process));
  }
}

export function approachQuery({ toolbox, plan, session }: RunRequest): string {
  return toolbox.database.sql.toolApproach(
    toolbox.history.toolLock(toolbox.database, plan.history.table, session.facts),
  );
}

export function aboutToMigrate(remembering: readonly string[]): FlybackError {
  return new FlybackError(
    'lock-unavailable',
    `A migration run has read the history already (process ${remembering.join(', ')}) and would migrate on top of what it remembers.`,
    { hint: 'Let it finish or stop it, then roll back.' },
  );
}

/** For a run that is about to commit: what could not be seen when it began, or undefined. */
export function staleWarning(answer: readonly QueryResult[] | undefined): string | undefined {
  const remembering = processes(answer?.at(-1)?.rows ?? [], ['waits', 'nears']);
  if (remembering.length === 0) return undefined;
  return `A migration run (process ${remembering.join(', ')}) is waiting for the lock and may have read the history before this rollback: look at flyback status when it has ended.`;
}

function processes(rows: QueryResult['rows'], how: readonly string[]): readonly string[] {
  return rows.filter(([what]) => how.includes(what ?? '')).map(([, process]) => process ?? '');
}
