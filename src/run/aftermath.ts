import type { QueryResult, Session } from '../adapter/database.js';
import type { QualifiedName } from '../history/history.js';
import { readJournal } from '../journal/journal-store.js';
import type { RecordEntry } from '../record/record-entry.js';
import { appendEntries } from '../record/record-store.js';
import type { RunRequest } from './run-request.js';
import { successorOf, type Successor } from './same-server.js';

/** How long to wait for a broken session's transaction to end before its outcome is called unknown. */
const undecidedWaitMs = 30_000;

/** What came of something done on a session of its own; or why, as a part of a sentence, nobody could do it. */
export type Elsewhere<T> =
  | { readonly answer: T; readonly server: Exclude<Successor, { kind: 'other' }> }
  | { readonly answer: undefined; readonly why: string };

/**
 * Does something on a session of its own to the server that the run began on, or to one that has taken its place. Never
 * on another database that happens to answer at the same address.
 */
export async function elsewhere<T>(
  { reconnect, session: broken }: Pick<RunRequest, 'reconnect' | 'session'>,
  work: (session: Session) => Promise<T>,
): Promise<Elsewhere<T>> {
  if (reconnect === undefined) return { answer: undefined, why: 'no other connection can be opened to ask' };
  let session: Session;
  try {
    session = await reconnect();
  } catch (error) {
    return { answer: undefined, why: `the server cannot be reached to ask (${wordsOf(error)})` };
  }
  try {
    const server = successorOf(broken.facts, session.facts);
    if (server.kind === 'other') return { answer: undefined, why: server.words };
    return { answer: await work(session), server };
  } catch (error) {
    return { answer: undefined, why: `the server does not answer the question (${wordsOf(error)})` };
  } finally {
    await session.close();
  }
}

/**
 * Rolls the open transaction back; false when the session has ended. A server that gives up, its disk being full, says so
 * in an error like any other and is gone then: what it did to a commit is not known.
 */
export async function rollBack({ session, toolbox }: Pick<RunRequest, 'session' | 'toolbox'>): Promise<boolean> {
  try {
    await session.query(toolbox.database.sql.rollback);
    return true;
  } catch {
    return false;
  }
}

/** Whether something was committed by a session that broke meanwhile; undefined: nobody can tell, and why. */
export type Committed =
  | { readonly answer: true; readonly words: string }
  | { readonly answer: false }
  | { readonly answer: undefined; readonly why: string };

/** Whether the record entry with this hash was committed. */
export async function wasCommitted(request: RunRequest, hash: string): Promise<Committed> {
  const { toolbox, plan } = request;
  const { record } = toolbox.database.sql;
  return askCommitted(request, async (session) => {
    const describe = record.describe(plan.recordTable);
    const exists = (answer: QueryResult | undefined): boolean => typeof answer?.rows[0]?.[0] === 'string';
    // The run's own transaction may be the one that creates the table: until it has ended there is none to lock.
    const isThere =
      exists((await session.query(describe)).at(-1)) || exists(await behindRun(request, session, describe));
    if (!isThere) return false;
    const found = await inOwn(request, session, record.lock(plan.recordTable), record.find(plan.recordTable, hash));
    return (found?.rows.length ?? 0) > 0;
  });
}

/** Whether the journal of this run was begun. */
export async function wasBegun(request: RunRequest, journal: QualifiedName, run: string): Promise<Committed> {
  return askCommitted(request, async (session) => {
    const { database } = request.toolbox;
    await behindRun(request, session, database.sql.journal.describe(journal));
    const rows = await readJournal(session, database, journal);
    return rows.some((row) => row.run === run);
  });
}

async function askCommitted(request: RunRequest, find: (session: Session) => Promise<boolean>): Promise<Committed> {
  const found = await elsewhere(request, find);
  if (found.answer === undefined) return found;
  if (found.server.kind === 'same') {
    return found.answer ? { answer: true, words: 'the server confirms that it was committed' } : { answer: false };
  }
  return found.answer
    ? { answer: true, words: `it was committed, and ${found.server.words}` }
    : {
        answer: undefined,
        why: `${found.server.words}; nothing was committed there, but the first server may have done so`,
      };
}

/** Asks when the run's transaction, which has locked the history, has ended: the server may not have noticed yet that its client is gone. */
async function behindRun(
  { toolbox, plan }: RunRequest,
  session: Session,
  query: string,
): Promise<QueryResult | undefined> {
  return inOwn({ toolbox }, session, toolbox.database.sql.lockTables(plan.history.table, undefined), query);
}

async function inOwn(
  { toolbox }: Pick<RunRequest, 'toolbox'>,
  session: Session,
  lock: string,
  query: string,
): Promise<QueryResult | undefined> {
  const { sql } = toolbox.database;
  const texts = [sql.beginOwn(session.facts, undecidedWaitMs), lock, query, sql.rollback];
  return (await session.query(texts.join(';'))).at(-2);
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
  if (entries.every((entry) => entry.error?.code === 'record-newer')) {
    return { warning: 'This run is not in the record, which a newer flyback keeps.' };
  }
  const write = (on: Session): Promise<readonly string[]> =>
    appendEntries(on, toolbox.database, plan.recordTable, entries);
  let hashes: readonly string[] | undefined;
  let why = '';
  try {
    hashes = await write(session);
  } catch (error) {
    const again = await elsewhere(request, write);
    hashes = again.answer;
    why = again.answer === undefined ? `${wordsOf(error)}, then ${again.why}` : '';
  }
  const hash = hashes?.at(-1);
  if (hash === undefined) return { warning: `This run could not be written to the record: ${why}` };
  request.onEvent?.({ kind: 'recorded', hash });
  return { hash };
}

function wordsOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/\.$/, '');
}
