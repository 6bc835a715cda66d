import type { Session } from '../../../../src/adapter/database.js';
import { FlybackError } from '../../../../src/errors/error.js';
import type { QualifiedName } from '../../../../src/history/history.js';
import type { Catalog, CatalogObject } from '../../../../src/proof/catalog.js';
import { qualified, quoteLiteral } from '../quoting.js';
import { objectQueries } from './objects.js';
import type { CatalogQuery } from './parts.js';
import { relationQueries } from './relations.js';
import { sharedQueries } from './shared.js';

/** Every query for this major. */
export function catalogQueries(major: number): readonly CatalogQuery[] {
  return [...relationQueries, ...objectQueries, ...sharedQueries].filter(
    ({ from = 0, until = Infinity }) => from <= major && major <= until,
  );
}

/**
 * These queries as one; `without` names tables that are left out with all that belongs to them. `chosen`: the query of the
 * ids that the queries find as "SELECT id FROM chosen".
 */
export function unionSql(queries: readonly string[], without: readonly QualifiedName[], chosen?: string): string {
  const names = without.map((name) => `(to_regclass(${quoteLiteral(qualified(name))}))`);
  const leftOut =
    names.length === 0
      ? 'SELECT NULL::regclass::oid WHERE false'
      : `WITH named(oid) AS (VALUES ${names.join(', ')}) SELECT oid::oid FROM named WHERE oid IS NOT NULL
 UNION ALL SELECT i.indexrelid FROM pg_index i JOIN named ON i.indrelid = named.oid`;
  const ids = chosen === undefined ? '' : `chosen(id) AS MATERIALIZED (${chosen}), `;
  return `WITH ${ids}without(left_out) AS MATERIALIZED (${leftOut})\n${queries.join('\nUNION ALL\n')}`;
}

/** The whole catalog in one query. */
export function catalogSql(major: number, without: readonly QualifiedName[]): string {
  return unionSql(
    catalogQueries(major).map(({ sql }) => sql()),
    without,
  );
}

/**
 * Reads the whole catalog inside an open transaction, whose search_path is another one meanwhile.
 */
export async function readCatalog(session: Session, without: readonly QualifiedName[]): Promise<Catalog> {
  const sent = await session.pipeline([
    `SELECT pg_catalog.set_config('flyback.path', pg_catalog.current_setting('search_path'), true), pg_catalog.set_config('search_path', 'pg_catalog', true)`,
    catalogSql(session.facts.majorVersion, without),
    `SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('flyback.path'), true)`,
  ]);
  if (sent.failure !== undefined) {
    throw new FlybackError('internal', `The catalog cannot be read: ${sent.failure.error.message}`, {
      hint: sent.failure.error.hint,
      serverCode: sent.failure.error.serverCode,
      condition: sent.failure.error.condition,
    });
  }
  return { objects: toObjects(sent.results[1]?.[0]?.rows ?? []) };
}

function toObjects(rows: readonly (readonly (string | null)[])[]): readonly CatalogObject[] {
  return rows.map(toObject).sort(byKindAndName);
}

export function toObject([kind, name, properties]: readonly (string | null)[]): CatalogObject {
  return {
    kind: kind ?? '',
    name: name ?? '',
    properties: sorted(JSON.parse(properties ?? '{}') as Record<string, unknown>),
  };
}

function byKindAndName(a: CatalogObject, b: CatalogObject): number {
  return compare(a.kind, b.kind) || compare(a.name, b.name);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function sorted(properties: Record<string, unknown>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.keys(properties)
      .sort(compare)
      .map((key) => [key, String(properties[key])]),
  );
}
