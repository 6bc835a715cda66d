import type { QueryResult, Session } from '../../../../src/adapter/database.js';
import { FlybackError } from '../../../../src/errors/error.js';
import type { QualifiedName } from '../../../../src/history/history.js';
import { qualified, quoteLiteral } from '../quoting.js';
import { notMember, ours } from './parts.js';

/**
 * Every setting on which the text of a value depends (PostgreSQL manual, "Client Connection Defaults"), and row security,
 * which would hide rows: with it off the server refuses instead.
 */
export const plainSettings: Readonly<Record<string, string>> = {
  search_path: 'pg_catalog',
  datestyle: 'ISO, YMD',
  intervalstyle: 'postgres',
  timezone: 'GMT',
  bytea_output: 'hex',
  extra_float_digits: '1',
  lc_monetary: 'C',
  quote_all_identifiers: 'off',
  row_security: 'off',
};

/** Statement that sets the settings until the transaction, or the savepoint, ends. */
export const usePlainSettings = `SELECT ${Object.entries(plainSettings)
  .map(([name, value]) => `pg_catalog.set_config(${quoteLiteral(name)}, ${quoteLiteral(value)}, true)`)
  .join(', ')}`;

/**
 * Asks queries inside an open transaction so that equal values have equal texts whatever the session's settings are. Leaves
 * settings, locks and the transaction's state as they were, also when it fails. Throws FlybackError script-failed that
 * says what could not be read.
 */
export async function readPlainly(
  session: Session,
  what: string,
  queries: readonly string[],
): Promise<readonly QueryResult[]> {
  if (queries.length === 0) return [];
  const sent = await session.pipeline(
    queries.map(
      (query) =>
        `SAVEPOINT flyback_reading; ${usePlainSettings}; ${query}; ROLLBACK TO SAVEPOINT flyback_reading; RELEASE SAVEPOINT flyback_reading`,
    ),
  );
  if (sent.failure !== undefined) {
    const { message, hint, serverCode, condition } = sent.failure.error;
    await session.query('ROLLBACK TO SAVEPOINT flyback_reading; RELEASE SAVEPOINT flyback_reading');
    throw new FlybackError('script-failed', `${what} cannot be read: ${message}`, {
      hint: hint ?? 'Prove in a database whose role may read everything in it.',
      serverCode,
      condition,
    });
  }
  return sent.results.map((results) => results[2] ?? noRows);
}

const noRows: QueryResult = { command: 'SELECT', rowCount: 0, columns: [], rows: [] };

/** A list of object ids of those of the named relations that exist, for "= ANY". */
export function oidsOf(names: readonly string[]): string {
  return `ARRAY[${names.map((name) => `pg_catalog.to_regclass(${quoteLiteral(name)})::oid`).join(', ')}]::oid[]`;
}

/** Condition on pg_class c and pg_namespace n: made by a person, in no extension, among `only`, none of `without`. */
export function ownRelation(without: readonly QualifiedName[], only: readonly string[] | undefined): string {
  return [
    ours('n'),
    notMember('pg_class', 'c.oid'),
    ...(only === undefined ? [] : [`c.oid = ANY (${oidsOf(only)})`]),
    ...(without.length === 0 ? [] : [`(c.oid = ANY (${oidsOf(without.map(qualified))})) IS NOT TRUE`]),
  ].join(' AND ');
}

/** Lists cut into pieces, so that one statement neither grows without bound nor holds a lock for each of 5,000 tables. */
export function pieces<T>(list: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, at) => list.slice(at * size, (at + 1) * size));
}
