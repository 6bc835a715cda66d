import type { DatabaseAdapter, QueryResult, RecordRow, Session } from '../adapter/database.js';
import { FlybackError } from '../errors/error.js';
import type { QualifiedName } from '../history/history.js';
import type { StoredRecord } from './check-chain.js';
import { chainHash, entryFormat, genesisHash, type RecordEntry } from './record-entry.js';

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
  if (found?.startsWith(`${columns},`) === true) {
    throw recordNewer(table, `has further columns (${found.slice(columns.length + 1)})`);
  }
  if (found !== columns) {
    throw new FlybackError(
      'history-malformed',
      `${name} is not a record table of this flyback: its columns are ${found ?? 'none'}.`,
      {
        hint: 'It belongs to something else: set record.table in flyback.toml to another name.',
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

/**
 * The hash that the next entry follows, from the answer to the record's `head`. Throws FlybackError record-newer when the
 * newest entry is of a later format: whoever wrote it may rely on rules that are not known here.
 */
export function headHash(answer: QueryResult | undefined, table: QualifiedName): string {
  const [hash, format] = answer?.rows[0] ?? [];
  if (Number(format ?? entryFormat) > entryFormat) {
    throw recordNewer(
      table,
      `ends with an entry of format ${format ?? ''}, and this flyback knows format ${entryFormat}`,
    );
  }
  return hash ?? genesisHash;
}

function recordNewer(table: QualifiedName, words: string): FlybackError {
  return new FlybackError(
    'record-newer',
    `A newer flyback works on this database: its record ${table.schema}.${table.name} ${words}. Nothing was run.`,
    { hint: 'Use the flyback that the others use, or a newer one.' },
  );
}

/**
 * Another process created the record between the look for it and its creation (which the server notices by the table, or
 * by an index of its own catalog): with a new look the same can be tried again.
 */
export function isCreatedMeanwhile(error: unknown): boolean {
  return error instanceof FlybackError && (error.condition === 'object-exists' || error.condition === 'key-taken');
}

/** Creates the table in a transaction of its own: where DDL commits what is open, nothing else may be. */
export async function createRecord(session: Session, database: DatabaseAdapter, table: QualifiedName): Promise<void> {
  try {
    await session.query(database.sql.record.create(table));
  } catch (error) {
    if (!isCreatedMeanwhile(error)) throw error;
  }
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
  let { exists } = await checkRecordTable(session, database, table);
  if (!exists && database.dialect.ddl === 'commits') {
    await createRecord(session, database, table);
    exists = true;
  }
  try {
    const begin = sql.beginOwn(session.facts, longestWaitMs);
    await session.query(`${begin};${exists ? sql.record.lock(table) : sql.record.create(table)}`);
    let previous = headHash((await session.query(sql.record.head(table)))[0], table);
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
    if (!exists && isCreatedMeanwhile(error)) return appendEntries(session, database, table, entries);
    throw error;
  }
}

/** What an entry says, or undefined when it is not one of this flyback's format (see isNewer), or was tampered with. */
export function parseEntry(row: StoredRecord): RecordEntry | undefined {
  const entry = parseObject(row.entry);
  const isWhole =
    entry?.['format'] === entryFormat &&
    Array.isArray(entry['verifications']) &&
    typeof entry['who'] === 'object' &&
    ['run', 'outcome', 'version', 'startedAt', 'finishedAt'].every((key) => typeof entry[key] === 'string');
  return isWhole ? (entry as unknown as RecordEntry) : undefined;
}

/** Written by a newer flyback: the chain can be checked, the meaning is not known. */
export function isNewer(row: StoredRecord): boolean {
  const format = parseObject(row.entry)?.['format'];
  return typeof format === 'number' && format > entryFormat;
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}
