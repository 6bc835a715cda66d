import type { DatabaseAdapter, QueryResult, Session } from '../adapter/database.js';
import { FlybackError } from '../errors/error.js';
import type { QualifiedName } from '../history/history.js';
import type { JournalEntry, JournalRow } from './journal.js';

/** Every entry of the journal, oldest first; none when there is no journal table. */
export async function readJournal(
  session: Session,
  database: DatabaseAdapter,
  table: QualifiedName,
): Promise<readonly JournalRow[]> {
  const [described] = await session.query(database.sql.journal.describe(table));
  if (described?.rows[0]?.[0] !== 't') return [];
  let answer: readonly QueryResult[];
  try {
    answer = await session.query(database.sql.journal.read(table));
  } catch (error) {
    if (!(error instanceof FlybackError) || error.condition !== 'privilege-missing') throw error;
    throw new FlybackError(
      'privilege-missing',
      `Role ${session.facts.user} may not read ${table.schema}.${table.name}, which tells whether a rollback was interrupted.`,
      { hint: `GRANT SELECT, INSERT, DELETE ON ${table.schema}.${table.name} TO ${session.facts.user};`, cause: error },
    );
  }
  return parseJournal(answer[0], table);
}

/** Creates the table where DDL commits: outside of every transaction. */
export async function createJournal(session: Session, database: DatabaseAdapter, table: QualifiedName): Promise<void> {
  try {
    await session.query(database.sql.journal.create(table));
  } catch (error) {
    if (!(error instanceof FlybackError) || error.condition !== 'object-exists') throw error;
  }
}

/** Rows of the journal's read query. Throws FlybackError record-newer for what this flyback does not understand. */
export function parseJournal(result: QueryResult | undefined, table: QualifiedName): readonly JournalRow[] {
  return (result?.rows ?? []).map(([id, run, text]) => {
    const entry = parseEntry(text ?? '');
    if (entry === undefined) {
      throw new FlybackError(
        'record-newer',
        `${table.schema}.${table.name} holds an entry that this flyback does not understand (id ${id ?? 'none'}): a newer flyback wrote it, or somebody changed it.`,
        { hint: 'Finish the interrupted rollback with the flyback that began it.' },
      );
    }
    return { id: Number(id), run: run ?? '', entry };
  });
}

const events: ReadonlySet<string> = new Set([
  'begun',
  'started',
  'finished',
  'failed',
  'resumed',
  'unverified',
] satisfies readonly JournalEntry['event'][]);

function parseEntry(text: string): JournalEntry | undefined {
  try {
    const value = JSON.parse(text) as Partial<{ event: string; format: number }> | null;
    if (value === null || typeof value !== 'object' || !events.has(value.event ?? '')) return undefined;
    if (value.event === 'begun' && value.format !== 1) return undefined;
    return value as JournalEntry;
  } catch {
    return undefined;
  }
}
