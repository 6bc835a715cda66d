import type { CatalogWatch, Reading, ScopedObject, Touched } from '../../../../src/adapter/catalog-watch.js';
import type { Command, QueryResult, Session } from '../../../../src/adapter/database.js';
import { FlybackError } from '../../../../src/errors/error.js';
import type { QualifiedName } from '../../../../src/history/history.js';
import type { CatalogQuery } from './parts.js';
import { catalogQueries, catalogSql, toObject, unionSql } from './read-catalog.js';

/** Catalogs that the scopes do not name, but that tell what else has to be looked at. */
const telling = ['pg_class', 'pg_attribute', 'pg_proc', 'pg_type', 'pg_enum', 'pg_largeobject'];

/**
 * A reader needs `search_path = pg_catalog` and plans that do not depend on values. Ids are given as one array each, so
 * that a plan serves every transaction: made when the database is small, it has to be good when it has grown, so it finds
 * by index what it was given.
 */
const settings = `SET search_path = pg_catalog; SET plan_cache_mode = force_generic_plan; SET jit = off; ${joins('off')}`;

/** How the planner may read much at once. */
function joins(state: 'on' | 'off', local = ''): string {
  return ['enable_seqscan', 'enable_hashjoin', 'enable_mergejoin']
    .map((name) => `SET ${local}${name} = ${state}`)
    .join('; ');
}

/** A table that has not a single page has no rows; a sequence without a last value is fresh. */
const filledSql = `SELECT c.oid::regclass::text, c.relkind FROM pg_class c WHERE c.oid = ANY ($1::text::oid[])
 AND (c.relkind IN ('r', 'm') AND pg_relation_size(c.oid) > 0 OR c.relkind = 'S' AND pg_sequence_last_value(c.oid) IS NOT NULL)`;

export function createCatalogWatch(major: number, without: readonly QualifiedName[]): CatalogWatch {
  const queries = catalogQueries(major);
  const watched = [...new Set([...telling, ...queries.flatMap(({ scope }) => ('oid' in scope ? [] : scope.catalogs))])];
  const readers = new WeakSet<Session>();
  let touchedSql: string | undefined;

  const prepare = async (reader: Session): Promise<void> => {
    if (readers.has(reader)) return;
    const names = `SELECT pg_catalog.string_agg(format('(%L, %s)', name, ('pg_catalog.' || name)::regclass::oid), ', ') FROM unnest('{${watched.join(',')}}'::text[]) name`;
    const [answer] = (await reader.query(`${settings}; ${names}`)).slice(-1);
    touchedSql = touchedSqlFor(answer?.rows[0]?.[0] ?? '');
    readers.add(reader);
  };

  return {
    get touchedSql() {
      if (touchedSql === undefined)
        throw new FlybackError('internal', 'A transaction is watched before the first look.');
      return touchedSql;
    },
    readTouched,
    readAll: async (reader) => {
      await prepare(reader);
      const answers = await reader.query(`BEGIN; ${joins('on', 'LOCAL ')}; ${catalogSql(major, without)}; COMMIT`);
      return (answers.at(-2)?.rows ?? []).map(toScoped);
    },
    readChanged: async (reader, touched, { grants }) => {
      await prepare(reader);
      return readChanged(reader, queries, without, touched, grants);
    },
  };
}

/** Modes of locks under which rows are written, or a table is. */
const rewriting = `'RowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'`;

/** `catalogs`: rows of VALUES with name and oid. */
function touchedSqlFor(catalogs: string): string {
  return `SELECT pg_catalog.pg_current_xact_id_if_assigned()::xid::text,
 (SELECT pg_catalog.string_agg(q.id, ' ') FROM (SELECT CASE l.locktype WHEN 'relation' THEN l.relation::text || CASE WHEN pg_catalog.bool_or(l.mode IN (${rewriting})) THEN '!' ELSE '' END ELSE l.classid::regclass::text || '/' || l.objid END AS id
  FROM pg_catalog.pg_locks l WHERE l.pid = pg_catalog.pg_backend_pid()
  AND (l.locktype = 'relation' AND l.relation >= 16384 AND l.mode NOT IN ('AccessShareLock', 'RowShareLock') OR l.locktype = 'object' AND l.objid >= 16384) GROUP BY l.locktype, l.relation, l.classid, l.objid) q),
 (SELECT pg_catalog.string_agg(c.name || CASE WHEN pg_catalog.pg_stat_get_xact_tuples_updated(c.id) > 0 THEN '/updated' ELSE '' END, ' ')
  FROM (VALUES ${catalogs}) c(name, id)
  WHERE pg_catalog.pg_stat_get_xact_tuples_inserted(c.id) + pg_catalog.pg_stat_get_xact_tuples_updated(c.id) + pg_catalog.pg_stat_get_xact_tuples_deleted(c.id) > 0)`;
}

function readTouched(result: QueryResult): Touched {
  const [transaction, locked, written] = result.rows[0] ?? [];
  const words = (text: string | null | undefined): readonly string[] => (text ?? '').split(' ').filter(Boolean);
  return {
    transaction: transaction ?? undefined,
    relations: words(locked).flatMap((word) =>
      word.includes('/') ? [] : [{ id: word.replace('!', ''), hasNewRows: word.endsWith('!') }],
    ),
    objects: words(locked).flatMap((word) => {
      const [catalog, id] = word.split('/');
      return catalog === undefined || id === undefined ? [] : [{ catalog: catalog.replace('pg_catalog.', ''), id }];
    }),
    written: words(written).map((word) => {
      const [catalog = '', how] = word.split('/');
      return { catalog, isUpdated: how === 'updated' };
    }),
  };
}

async function readChanged(
  reader: Session,
  queries: readonly CatalogQuery[],
  without: readonly QualifiedName[],
  touched: readonly Touched[],
  grants: boolean,
): Promise<Reading> {
  const transactions = touched.flatMap(({ transaction }) => transaction ?? []);
  const first = transactions[0];
  if (first === undefined) return { scopes: [], objects: [], filled: [], advanced: [] };
  const isWritten = (catalog: string): boolean =>
    touched.some(({ written }) => written.some((candidate) => candidate.catalog === catalog));
  const isUpdated = (catalog: string): boolean =>
    touched.some(({ written }) => written.some((candidate) => candidate.catalog === catalog && candidate.isUpdated));
  const locked = (catalog: string): readonly string[] =>
    touched.flatMap(({ objects }) => objects.flatMap((object) => (object.catalog === catalog ? [object.id] : [])));
  // What these transactions wrote: nobody else writes here, so everything since the first of them.
  const recent = 'age(x.xmin) <= age($2::text::xid)';

  const relations = [...new Set(touched.flatMap((one) => one.relations.map(({ id }) => id)))];
  const granted = [
    ...(grants && isUpdated('pg_class') ? [`SELECT x.oid FROM pg_class x WHERE ${recent}`] : []),
    ...(grants && isUpdated('pg_attribute') ? [`SELECT x.attrelid FROM pg_attribute x WHERE ${recent}`] : []),
  ];
  const sources = {
    pg_class: { ids: relations, found: granted },
    pg_proc: {
      ids: locked('pg_proc'),
      found: isWritten('pg_proc') ? [`SELECT x.oid FROM pg_proc x WHERE ${recent}`] : [],
    },
    pg_type: {
      ids: locked('pg_type'),
      found: [
        ...(isWritten('pg_type') ? [`SELECT x.oid FROM pg_type x WHERE ${recent}`] : []),
        ...(isWritten('pg_enum') ? [`SELECT x.enumtypid FROM pg_enum x WHERE ${recent}`] : []),
      ],
    },
  } as const;

  const scopes: string[] = [];
  const commands: Command[] = [{ sql: filledSql, values: [`{${relations.join(',')}}`], keepsPlan: true }];
  for (const [catalog, { ids, found }] of Object.entries(sources)) {
    scopes.push(...ids.map((id) => `${catalog}/${id}`));
    if (ids.length === 0 && found.length === 0) continue;
    const chosen = queries.flatMap(({ scope, sql }) =>
      'oid' in scope && scope.catalog === catalog ? [sql(`${scope.oid} IN (SELECT id FROM chosen)`)] : [],
    );
    const members = [`SELECT pg_catalog.unnest($1::text::oid[])`, ...found];
    // What is said of an index through its table (the one to cluster on, the replica identity) does not lock the index.
    if (catalog === 'pg_class')
      members.push('SELECT i.indexrelid FROM pg_index i WHERE i.indrelid = ANY ($1::text::oid[])');
    commands.push({
      sql: unionSql(chosen, without, members.join(' UNION ')),
      values: [`{${ids.join(',')}}`, ...(found.length > 0 ? [first] : [])],
      keepsPlan: true,
    });
  }
  const whole = queries.filter(({ scope }) => 'catalogs' in scope && scope.catalogs.some(isWritten));
  for (const { scope, sql } of whole) {
    if ('catalogs' in scope) scopes.push(scope.catalogs.join(' '));
    commands.push({ sql: unionSql([sql()], without), keepsPlan: true });
  }
  const answered = await reader.batch(commands);
  if (answered.failure !== undefined) {
    throw new FlybackError('internal', `The catalog cannot be read: ${answered.failure.error.message}`, {
      serverCode: answered.failure.error.serverCode,
      condition: answered.failure.error.condition,
    });
  }
  const [filled, ...read] = answered.results;
  const objects = read.flatMap(({ rows }) => rows.map(toScoped));
  return {
    scopes: [...new Set([...scopes, ...objects.map(({ scope }) => scope)])],
    objects,
    filled: (filled?.rows ?? []).flatMap(([name, kind]) =>
      name === null || name === undefined || kind === 'S' ? [] : [name],
    ),
    advanced: (filled?.rows ?? []).flatMap(([name, kind]) =>
      name === null || name === undefined || kind !== 'S' ? [] : [name],
    ),
  };
}

function toScoped(row: readonly (string | null)[]): ScopedObject {
  return { scope: row[3] ?? '', object: toObject(row) };
}
