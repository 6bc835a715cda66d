import type { DatabaseAdapter, RecordRow, Session } from '../adapter/database.js';
import { FlybackError } from '../errors/error.js';
import type { QualifiedName } from '../history/history.js';
import type { StoredRecord } from './check-chain.js';
import { chainHash, genesisHash, type RecordEntry } from './record-entry.js';

const columns = 'id,entry,previous_hash,hash';

export interface RecordTableState {
  readonly exists: boolean;
}

/** Tells whether the record table is there; throws when it is not flyback's, or can neither be written nor created. */
export async function checkRecordTable(
  session: Session,
  database: DatabaseAdapter,
  table: QualifiedName,
): Promise<RecordTableState> {
  const [result] = await session.query(database.sql.record.describe(table));
  const [kind, found, mayCreate, mayWrite] = result?.rows[0] ?? [];
  const name = `${table.schema}.${table.name}`;
  if (kind === null || kind === undefined) {
    if (mayCreate !== 't') {
      throw new FlybackError(
        'privilege-missing',
        mayCreate === 'f'
          ? `Role ${session.facts.user} may not create the record table ${name}.`
          : `The schema ${table.schema} of the record table ${name} does not exist.`,
        {
          hint: `Grant CREATE on the schema once, or set record.table in flyback.toml to a schema where ${session.facts.user} may create it.`,
        },
      );
    }
    return { exists: false };
  }
  if (found !== columns) {
    throw new FlybackError(
      'history-malformed',
      `${name} is not a record table of this flyback: its columns are ${found ?? 'none'}.`,
      {
        hint: 'It belongs to something else or to a newer flyback: set record.table in flyback.toml to another name, or upgrade flyback.',
      },
    );
  }
  if (mayWrite !== 't') {
    throw new FlybackError(
      'privilege-missing',
      `Role ${session.facts.user} may not read, write and lock the record table ${name}.`,
      {
        hint: `GRANT SELECT, INSERT, UPDATE ON ${name} TO ${session.facts.user}; without UPDATE it may not be locked, and the record itself refuses every change.`,
      },
    );
  }
  return { exists: true };
}

/** Serialises an entry and chains it to the one before. */
export function chainEntry(entry: RecordEntry, previousHash: string): RecordRow {
  const text = JSON.stringify(entry);
  return { entry: text, previousHash, hash: chainHash(previousHash, text) };
}

/** Reads entries oldest first; undefined when there is no record table. */
export async function readRecord(
  session: Session,
  database: DatabaseAdapter,
  table: QualifiedName,
  limit?: number,
): Promise<readonly StoredRecord[] | undefined> {
  const [described] = await session.query(database.sql.record.describe(table));
  if (described?.rows[0]?.[0] === null || described?.rows[0]?.[0] === undefined) return undefined;
  const [result] = await session.query(database.sql.record.read(table, limit));
  return (result?.rows ?? []).map((row) => ({
    id: Number(row[0]),
    entry: row[1] ?? '',
    previousHash: row[2] ?? '',
    hash: row[3] ?? '',
  }));
}

/** Another run holds the record only as long as its transaction; whoever waits for it must not wait for ever. */
const longestWaitMs = 10_000;

/** Writes entries in a transaction of their own (failed and dry runs), creating the table if need be. */
export async function appendEntries(
  session: Session,
  database: DatabaseAdapter,
  table: QualifiedName,
  entries: readonly RecordEntry[],
): Promise<readonly string[]> {
  const { sql } = database;
  const { exists } = await checkRecordTable(session, database, table);
  try {
    const begin = sql.beginOwn(session.facts, longestWaitMs);
    await session.query(`${begin};${exists ? sql.record.lock(table) : sql.record.create(table)}`);
    const [last] = await session.query(sql.record.lastHash(table));
    let previous = last?.rows[0]?.[0] ?? genesisHash;
    const hashes: string[] = [];
    for (const entry of entries) {
      const row = chainEntry(entry, previous);
      await session.query(sql.record.append(table, row));
      hashes.push(row.hash);
      previous = row.hash;
    }
    await session.query(sql.commit);
    return hashes;
  } catch (error) {
    await session.query(sql.rollback).catch(() => undefined);
    throw error;
  }
}

/** The text of an entry, or undefined when it is not JSON (tampered with). */
export function parseEntry(row: StoredRecord): RecordEntry | undefined {
  try {
    return JSON.parse(row.entry) as RecordEntry;
  } catch {
    return undefined;
  }
}
