import type { CatalogWatch, Reading, ScopedObject, Touched } from '../../../../src/adapter/catalog-watch.js';
import type { Command, QueryResult, Session } from '../../../../src/adapter/database.js';
import { FlybackError } from '../../../../src/errors/error.js';
import type { QualifiedName } from '../../../../src/history/history.js';
import { relationParts, type CatalogQuery } from './parts.js';
import { qualified, quoteLiteral } from '../quoting.js';
import { catalogQueries, catalogSql, toObject, unionSql } from './read-catalog.js';

/** Catalogs that the scopes do not name, but that tell what else has to be looked at. */
const telling = ['pg_class', 'pg_attribute', 'pg_proc', 'pg_type', 'pg_enum', 'pg_largeobject', ...relationParts];

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

/**
 * Id, name when it is filled, kind, and whether it belongs to a table that is left out. A table that has not a single page
 * has no rows; a sequence without a last value is fresh.
 */
function filledSql(without: readonly QualifiedName[]): string {
  const named = without.map((name) => `to_regclass(${quoteLiteral(qualified(name))})`);
  return `WITH without(oid) AS MATERIALIZED (SELECT unnest(ARRAY[${named.join(', ')}]::oid[]))
SELECT c.oid::text, CASE WHEN c.relkind IN ('r', 'm') AND pg_relation_size(c.oid) > 0 OR c.relkind = 'S' AND pg_sequence_last_value(c.oid) IS NOT NULL THEN c.oid::regclass::text END,
 c.relkind::text, coalesce((SELECT bool_or(o.oid = c.oid OR o.oid = (SELECT i.indrelid FROM pg_index i WHERE i.indexrelid = c.oid)
  OR o.oid = ANY (ARRAY(SELECT d.refobjid FROM pg_depend d WHERE c.relkind = 'S' AND d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')))) FROM without o), false)
 FROM pg_class c WHERE c.oid = ANY ($1::text::oid[])`;
}

export function createCatalogWatch(major: number, without: readonly QualifiedName[]): CatalogWatch {
  const queries = catalogQueries(major);
  const watched = [...new Set([...telling, ...queries.flatMap(({ scope }) => ('oid' in scope ? [] : scope.catalogs))])];
  const looking: Looking = { queries, without, filledSql: filledSql(without), leftOut: new Set() };
  const readers = new WeakSet<Session>();
  let touchedSql: string | undefined;
  /** Every type with a higher id is new since the last answer. Undefined: new ones do not tell themselves by their id. */
  let newestType: number | undefined;

  const prepare = async (reader: Session): Promise<void> => {
    if (readers.has(reader)) return;
    const names = `SELECT pg_catalog.string_agg(format('(%L, %s)', name, ('pg_catalog.' || name)::regclass::oid), ', ') FROM unnest('{${watched.join(',')}}'::text[]) name`;
    const [answer] = (await reader.query(`${settings}; ${names}`)).slice(-1);
    if (touchedSql === undefined) newestType = await nextId(reader);
    touchedSql ??= touchedSqlFor(answer?.rows[0]?.[0] ?? '');
    readers.add(reader);
  };
  const known = (): string => {
    if (touchedSql === undefined) throw new FlybackError('internal', 'A transaction is watched before the first look.');
    return touchedSql;
  };
  /** The ids of types between which new ones are. */
  const bounds = (): readonly [string, string] => [`${newestType ?? maximalId}`, `${maximalId}`];

  return {
    get question() {
      return { sql: known(), values: bounds(), keepsPlan: true };
    },
    get questionSql() {
      const [above, upTo] = bounds();
      return known().replaceAll('$1', above).replaceAll('$2', upTo);
    },
    readTouched: (result) => {
      const newest = Number(result.rows[0]?.[4] ?? 0);
      if (newestType !== undefined) newestType = Math.max(newestType, newest);
      return readTouched(result);
    },
    readAll: async (reader) => {
      await prepare(reader);
      const answers = await reader.query(`BEGIN; ${joins('on', 'LOCAL ')}; ${catalogSql(major, without)}; COMMIT`);
      return (answers.at(-2)?.rows ?? []).map(toScoped);
    },
    readChanged: async (reader, touched, { grants }) => {
      await prepare(reader);
      return readChanged(reader, looking, touched, { grants, typesByAge: newestType === undefined });
    },
  };
}

/** Modes of locks under which rows are written, or a table is. */
const rewriting = `'RowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'`;

/** Ids are unsigned numbers of 32 bits. */
const maximalId = 2 ** 32 - 1;

/** So far below the end of all ids that no proof comes to it. */
const farFromEnd = 4_000_000_000;

/**
 * The server gives ids in ascending order, and begins anew after the last one (PostgreSQL manual, "Object Identifier Types"
 * and "Routine Vacuuming"; varsup.c). Undefined when ids that are given next may be lower than ones in use. A large object
 * that is taken back at once is the only way to be told one.
 */
async function nextId(reader: Session): Promise<number | undefined> {
  const answers = await reader.query(
    `BEGIN; SELECT next, EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.oid > next) FROM pg_catalog.lo_create(0) next; ROLLBACK`,
  );
  const [next, isPassed] = answers[1]?.rows[0] ?? [];
  const id = Number(next);
  return isPassed === 'f' && id < farFromEnd ? id : undefined;
}

/**
 * `catalogs`: rows of VALUES with name and oid. New types are those with an id above $1 and up to $2 (always the same: a plan
 * for any values takes it for a narrow range, and looks there by index), but for rows of tables and their arrays. Subqueries
 * give a value instead of being asked whether they are empty, and ask catalogs that are large from the beginning only: else
 * the planner might read a whole catalog, which takes longer with every version.
 */
function touchedSqlFor(catalogs: string): string {
  return `SELECT pg_catalog.pg_current_xact_id_if_assigned()::xid::text,
 (SELECT pg_catalog.string_agg(q.id, ' ') FROM (SELECT CASE l.locktype WHEN 'relation'
   THEN l.relation::text || coalesce((SELECT c.relkind::text FROM pg_catalog.pg_class c WHERE c.oid = l.relation), '-') || CASE WHEN pg_catalog.bool_or(l.mode IN (${rewriting})) THEN '!' ELSE '' END
   ELSE l.classid::regclass::text || '/' || l.objid || CASE WHEN l.classid = 'pg_catalog.pg_type'::regclass AND (SELECT t.oid FROM pg_catalog.pg_type t WHERE t.oid = l.objid) IS NULL THEN '-' ELSE '' END END AS id
  FROM pg_catalog.pg_locks l WHERE l.pid = pg_catalog.pg_backend_pid()
  AND (l.locktype = 'relation' AND l.relation >= 16384 AND l.mode NOT IN ('AccessShareLock', 'RowShareLock') OR l.locktype = 'object' AND l.objid >= 16384) GROUP BY l.locktype, l.relation, l.classid, l.objid) q),
 (SELECT pg_catalog.string_agg(c.name || CASE WHEN pg_catalog.pg_stat_get_xact_tuples_updated(c.id) > 0 THEN '/updated' ELSE '' END, ' ')
  FROM (VALUES ${catalogs}) c(name, id)
  WHERE pg_catalog.pg_stat_get_xact_tuples_inserted(c.id) + pg_catalog.pg_stat_get_xact_tuples_updated(c.id) + pg_catalog.pg_stat_get_xact_tuples_deleted(c.id) > 0),
 (SELECT pg_catalog.string_agg(t.oid::text, ' ') FROM pg_catalog.pg_type t WHERE t.oid > $1 AND t.oid <= $2
  AND CASE t.typtype WHEN 'c' THEN coalesce((SELECT c.relkind FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid), 'c') = 'c'
   WHEN 'b' THEN t.typelem = 0 OR (SELECT e.typarray FROM pg_catalog.pg_type e WHERE e.oid = t.typelem) IS DISTINCT FROM t.oid ELSE true END),
 (SELECT pg_catalog.max(t.oid)::text FROM pg_catalog.pg_type t)`;
}

function readTouched(result: QueryResult): Touched {
  const [transaction, locked, written, types] = result.rows[0] ?? [];
  const words = (text: string | null | undefined): readonly string[] => (text ?? '').split(' ').filter(Boolean);
  return {
    transaction: transaction ?? undefined,
    relations: words(locked).flatMap((word) => {
      const [, id, relkind, rewritten] = /^(\d+)(.)(!?)$/.exec(word) ?? [];
      if (id === undefined) return [];
      const kind = relkind === '-' ? 'gone' : relkind === 'S' ? 'sequence' : 'other';
      return [{ id, kind, hasNewRows: rewritten === '!' }];
    }),
    objects: [
      ...words(locked).flatMap((word) => {
        const [, catalog, id, gone] = /^(?:pg_catalog\.)?(.+)\/(\d+)(-?)$/.exec(word) ?? [];
        return catalog === undefined || id === undefined ? [] : [{ catalog, id, isGone: gone === '-' }];
      }),
      ...words(types).map((id) => ({ catalog: 'pg_type', id, isGone: false })),
    ],
    written: words(written).map((word) => {
      const [catalog = '', how] = word.split('/');
      return { catalog, isUpdated: how === 'updated' };
    }),
  };
}

/** Ids of which something was said, and those of them that are still there. */
interface Ids {
  readonly all: readonly string[];
  readonly there: readonly string[];
}

function idsOf(said: readonly { readonly id: string; readonly isGone: boolean }[]): Ids {
  const gone = new Set(said.flatMap(({ id, isGone }) => (isGone ? [id] : [])));
  const all = [...new Set(said.map(({ id }) => id))];
  return { all, there: all.filter((id) => !gone.has(id)) };
}

/** What is the same for every look. */
interface Looking {
  readonly queries: readonly CatalogQuery[];
  readonly without: readonly QualifiedName[];
  readonly filledSql: string;
  /** Ids of tables left out, and of what belongs to them, as far as they were met. */
  readonly leftOut: Set<string>;
}

async function readChanged(
  reader: Session,
  { queries, without, filledSql, leftOut }: Looking,
  touched: readonly Touched[],
  { grants, typesByAge }: { readonly grants: boolean; readonly typesByAge: boolean },
): Promise<Reading> {
  const transactions = touched.flatMap(({ transaction }) => transaction ?? []);
  const first = transactions[0];
  if (first === undefined) return { scopes: [], objects: [], filled: [], advanced: [] };
  const isWritten = (catalog: string): boolean =>
    touched.some(({ written }) => written.some((candidate) => candidate.catalog === catalog));
  const isUpdated = (catalog: string): boolean =>
    touched.some(({ written }) => written.some((candidate) => candidate.catalog === catalog && candidate.isUpdated));
  const objectsIn = (catalog: string): Ids =>
    idsOf(touched.flatMap(({ objects }) => objects.filter((object) => object.catalog === catalog)));
  // What these transactions wrote: nobody else writes here, so everything since the first of them.
  const recent = 'age(x.xmin) <= age($2::text::xid)';

  const saidOfRelations = touched.flatMap(({ relations }) => relations.filter(({ id }) => !leftOut.has(id)));
  const relations = idsOf(saidOfRelations.map(({ id, kind }) => ({ id, isGone: kind === 'gone' })));
  const hasSequences = saidOfRelations.some(({ kind }) => kind === 'sequence');
  const granted = [
    ...(grants && isUpdated('pg_class') ? [`SELECT x.oid FROM pg_class x WHERE ${recent}`] : []),
    ...(grants && isUpdated('pg_attribute') ? [`SELECT x.attrelid FROM pg_attribute x WHERE ${recent}`] : []),
  ];
  const changedTypes = isUpdated('pg_type') || (typesByAge && isWritten('pg_type'));
  const sources = {
    pg_class: { ids: relations, found: granted },
    pg_proc: {
      ids: objectsIn('pg_proc'),
      found: isWritten('pg_proc') ? [`SELECT x.oid FROM pg_proc x WHERE ${recent}`] : [],
    },
    pg_type: {
      ids: objectsIn('pg_type'),
      found: [
        ...(changedTypes ? [`SELECT x.oid FROM pg_type x WHERE ${recent}`] : []),
        ...(isWritten('pg_enum') ? [`SELECT x.enumtypid FROM pg_enum x WHERE ${recent}`] : []),
      ],
    },
  } as const;

  const scopes: string[] = [];
  const filledCommand: Command = { sql: filledSql, values: [`{${relations.there.join(',')}}`], keepsPlan: true };
  const commands: Command[] = relations.there.length === 0 ? [] : [filledCommand];
  for (const [catalog, { ids, found }] of Object.entries(sources)) {
    scopes.push(...ids.all.map((id) => `${catalog}/${id}`));
    const own = queries.flatMap(({ scope, sql }) =>
      'oid' in scope && scope.catalog === catalog
        ? [{ scope, sql: sql(`${scope.oid} IN (SELECT id FROM chosen)`) }]
        : [],
    );
    const find = (of: Ids, chosen: readonly { readonly sql: string }[], others: readonly string[]): void => {
      if (of.there.length === 0 && found.length === 0) return;
      const members = [`SELECT pg_catalog.unnest($1::text::oid[])`, ...found, ...others];
      commands.push({
        sql: unionSql(
          chosen.map(({ sql }) => sql),
          without,
          members.join(' UNION '),
        ),
        values: [`{${of.there.join(',')}}`, ...(found.length > 0 ? [first] : [])],
        keepsPlan: true,
      });
    };
    // What is said of an index through its table (the one to cluster on, the replica identity) does not lock the index.
    const indexes = 'SELECT i.indexrelid FROM pg_index i WHERE i.indrelid = ANY ($1::text::oid[])';
    find(
      ids,
      own.filter(({ scope }) => scope.part === undefined && scope.relkind === undefined),
      catalog === 'pg_class' ? [indexes] : [],
    );
    if (catalog !== 'pg_class') continue;
    const ofSequences = own.filter(({ scope }) => scope.relkind !== undefined);
    if (hasSequences || found.length > 0) find(ids, ofSequences, []);
    for (const part of relationParts) {
      if (!isWritten(part)) continue;
      scopes.push(...ids.all.map((id) => `${catalog}/${id}/${part}`));
      find(
        ids,
        own.filter(({ scope }) => scope.part === part),
        [],
      );
    }
  }
  const whole = queries.filter(({ scope }) => 'catalogs' in scope && scope.catalogs.some(isWritten));
  for (const { scope, sql } of whole) {
    if ('catalogs' in scope) scopes.push(scope.catalogs.join(' '));
    commands.push({ sql: unionSql([sql()], without), keepsPlan: true });
  }
  const answered = commands.length === 0 ? { results: [], failure: undefined } : await reader.batch(commands);
  if (answered.failure !== undefined) {
    throw new FlybackError('internal', `The catalog cannot be read: ${answered.failure.error.message}`, {
      serverCode: answered.failure.error.serverCode,
      condition: answered.failure.error.condition,
    });
  }
  const hasFilled = commands[0] === filledCommand;
  const read = hasFilled ? answered.results.slice(1) : answered.results;
  const named: { readonly name: string; readonly relkind: string }[] = [];
  for (const [id, name, relkind, isLeftOut] of hasFilled ? (answered.results[0]?.rows ?? []) : []) {
    if (isLeftOut === 't') leftOut.add(id ?? '');
    else if (name !== null && name !== undefined) named.push({ name, relkind: relkind ?? '' });
  }
  const objects = read.flatMap(({ rows }) => rows.map(toScoped));
  return {
    scopes: [...new Set([...scopes, ...objects.map(({ scope }) => scope)])],
    objects,
    filled: named.flatMap(({ name, relkind }) => (relkind === 'S' ? [] : [name])),
    advanced: named.flatMap(({ name, relkind }) => (relkind === 'S' ? [name] : [])),
  };
}

function toScoped(row: readonly (string | null)[]): ScopedObject {
  return { scope: row[3] ?? '', object: toObject(row) };
}
