import type { Session } from '../adapter/database.js';
import type { RecordEntry } from '../record/record-entry.js';
import { appendEntries } from '../record/record-store.js';
import type { RunRequest } from './run-request.js';

/** How long to wait for a broken session's transaction to end before its outcome is called unknown. */
const undecidedWaitMs = 30_000;

/** Does something on a session of its own; undefined when none can be had or it broke too. */
export async function elsewhere<T>(
  request: Pick<RunRequest, 'reconnect'>,
  work: (session: Session) => Promise<T>,
): Promise<T | undefined> {
  const { reconnect } = request;
  if (reconnect === undefined) return undefined;
  try {
    const session = await reconnect();
    try {
      return await work(session);
    } finally {
      await session.close();
    }
  } catch {
    return undefined;
  }
}

/** Whether the record entry with this hash was committed by a session that broke meanwhile; undefined: nobody can tell. */
export async function wasCommitted(request: RunRequest, hash: string): Promise<boolean | undefined> {
  return elsewhere(request, async (session) => {
    const { toolbox, plan } = request;
    const [described] = await session.query(toolbox.database.sql.record.describe(plan.recordTable));
    if (described?.rows[0]?.[0] === null) return false;
    // Waits for the broken session's transaction, if the server has not noticed yet that its client is gone.
    const answers = await session.query(
      [
        toolbox.database.sql.beginOwn(session.facts, undecidedWaitMs),
        toolbox.database.sql.record.lock(plan.recordTable),
        toolbox.database.sql.record.find(plan.recordTable, hash),
        toolbox.database.sql.rollback,
      ].join(';'),
    );
    return (answers.at(-2)?.rows.length ?? 0) > 0;
  });
}

/**
 * Writes entries of runs that came to nothing, or not to their end, after their transaction. That they cannot be written
 * is a warning, never a second failure.
 */
export async function writeAfterwards(
  request: RunRequest,
  entries: readonly RecordEntry[],
): Promise<{ readonly hash: string } | { readonly warning: string }> {
  const { session, toolbox, plan } = request;
  const write = (on: Session): Promise<readonly string[]> =>
    appendEntries(on, toolbox.database, plan.recordTable, entries);
  let hashes: readonly string[] | undefined;
  let why = '';
  try {
    hashes = await write(session);
  } catch (error) {
    why = error instanceof Error ? error.message : String(error);
    hashes = await elsewhere(request, write);
  }
  const hash = hashes?.at(-1);
  if (hash === undefined) return { warning: `This run could not be written to the record: ${why}` };
  request.onEvent?.({ kind: 'recorded', hash });
  return { hash };
}
