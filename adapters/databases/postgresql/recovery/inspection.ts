import type { RangeVar } from 'libpg-query';
import type { Inspection } from '../../../../src/adapter/database.js';
import { writeIdentifier } from '../classify/identifiers.js';
import { done, notDone, partly, unknown, type Rows } from '../../inspection.js';
import { quoteIdentifier, quoteLiteral } from '../quoting.js';

export { done, notDone, partly, unknown, type Rows };

/** A relation as people write it. */
export function printName(schema: string | null | undefined, name: string): string {
  const written = writeIdentifier(name);
  return schema === null || schema === undefined ? written : `${writeIdentifier(schema)}.${written}`;
}

/** An SQL expression: the id of the relation that the name means on the session's search_path, or NULL. */
export function relationId({ schemaname, relname }: Pick<RangeVar, 'schemaname' | 'relname'>): string {
  const schema = schemaname === undefined ? '' : `${quoteIdentifier(schemaname)}.`;
  return `pg_catalog.to_regclass(${quoteLiteral(`${schema}${quoteIdentifier(relname ?? '')}`)})::oid`;
}

export interface IndexRow {
  readonly id: string;
  readonly schema: string;
  readonly name: string;
  /** dead: on its way out, no longer kept up to date (pg_index.indislive is false). */
  readonly state: 'valid' | 'invalid' | 'dead';
}

/** An SQL expression for IndexRow.state; `index` is the alias of pg_index. */
export function indexState(index: string): string {
  return `CASE WHEN ${index}.indisvalid THEN 'valid' WHEN ${index}.indislive THEN 'invalid' ELSE 'dead' END`;
}

/** Reads rows (tag, id, schema, name, state, …) of one tag. */
export function indexRows(rows: Rows, tag: string): readonly IndexRow[] {
  return rows
    .filter((row) => row[0] === tag)
    .map(([, id, schema, name, state]) => ({
      id: id ?? '',
      schema: schema ?? '',
      name: name ?? '',
      state: state === 'valid' || state === 'dead' ? state : 'invalid',
    }));
}

/** The statement that removes exactly this index. */
export function dropIndex(index: IndexRow): string {
  return `DROP INDEX CONCURRENTLY ${quoteIdentifier(index.schema)}.${quoteIdentifier(index.name)}`;
}

/**
 * Rows (builder, process id) of other sessions that are building an index on one of the tables; of some the server does
 * not tell this role on which table. `tables` is the name of a relation with a column oid.
 */
export function buildersOn(tables: string): string {
  return `SELECT 'builder', p.pid::text, NULL, NULL, NULL, NULL FROM pg_catalog.pg_stat_progress_create_index p
WHERE p.datname = pg_catalog.current_database() AND p.pid <> pg_catalog.pg_backend_pid()
 AND (p.relid IS NULL OR p.relid IN (SELECT oid FROM ${tables}))`;
}

/** What is said of an INVALID index while somebody may still be building it; undefined when nobody is. */
export function stillBuilding(rows: Rows, index: IndexRow): Inspection | undefined {
  const builders = rows.filter((row) => row[0] === 'builder').map((row) => row[1]);
  if (builders.length === 0) return undefined;
  return unknown(
    `Index ${printName(index.schema, index.name)} is INVALID, and another session (process ${builders.join(', ')}) is ` +
      'building an index right now, perhaps this one. Wait until it has ended, then look again.',
  );
}
