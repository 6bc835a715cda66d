import type { ObjectFacts, ObjectQuestion, Session } from '../../../src/adapter/database.js';
import type { ObjectRef } from '../../../src/risk/change.js';
import { quoteIdentifier, quoteLiteral } from './quoting.js';
import { postgresqlSql } from './run-sql.js';

const sizeWaitMs = 1000;

/** Relation kinds whose names to_regclass resolves. */
const relationKinds = new Set([
  'table',
  'view',
  'materialized view',
  'index',
  'sequence',
  'foreign table',
  'partitioned table',
]);
const routineKinds = new Set(['function', 'procedure', 'aggregate', 'routine']);
const typeKinds = new Set(['type', 'domain']);

/**
 * Asks the catalog about all objects in one query, by the session's search_path. Kinds that have no rows and no
 * dependents worth telling (comments, settings …) answer exists = null. Sizes of what somebody else has locked are null.
 */
export async function readObjectFacts(
  session: Session,
  refs: readonly ObjectRef[],
  question: ObjectQuestion,
): Promise<readonly ObjectFacts[]> {
  if (refs.length === 0) return [];
  const roots = refs.map((ref, index) => `(${index}, ${rootExpression(ref)})`).join(',\n');
  // Only a lock that is taken in this very moment can still let a size wait.
  const bound = question.sizes ? `${postgresqlSql.boundWaits(sizeWaitMs)};` : '';
  const results = await session.query(`${bound}${factsSql(roots, question)}`);
  const rows = results.at(-1)?.rows ?? [];
  const byIndex = new Map(rows.map((row) => [Number(row[0]), row]));
  return refs.map((ref, index) => {
    const row = byIndex.get(index);
    if (row === undefined || !isResolvable(ref)) {
      return { ref, exists: null, rows: null, bytes: null, alsoLocks: [], dependents: 0 };
    }
    return {
      ref,
      exists: row[1] === 't',
      rows: toNumber(row[2]),
      bytes: toNumber(row[3]),
      alsoLocks: row[6] === null || row[6] === undefined ? [] : (JSON.parse(row[6]) as string[]),
      dependents: toNumber(row[4]) ?? 0,
    };
  });
}

function toNumber(text: string | null | undefined): number | null {
  return text === null || text === undefined ? null : Number(text);
}

function isResolvable(ref: ObjectRef): boolean {
  return (
    relationKinds.has(ref.kind) ||
    routineKinds.has(ref.kind) ||
    typeKinds.has(ref.kind) ||
    ['schema', 'column', 'constraint', 'extension', 'collation'].includes(ref.kind)
  );
}

/** classid, objid, objsubid of one object as a row of scalar expressions; objid NULL when there is none. */
export function rootExpression(ref: ObjectRef): string {
  const qualified = `${ref.schema === undefined ? '' : `${quoteIdentifier(ref.schema)}.`}${quoteIdentifier(ref.name)}`;
  const name = quoteLiteral(qualified);
  const relation = `to_regclass(${name})::oid`;
  const member = quoteLiteral(ref.member ?? '');
  if (ref.kind === 'column') {
    return `'pg_class'::regclass::oid, ${relation}, (SELECT attnum::int FROM pg_catalog.pg_attribute WHERE attrelid = ${relation} AND attname = ${member} AND NOT attisdropped)`;
  }
  if (ref.kind === 'constraint') {
    return `'pg_constraint'::regclass::oid, (SELECT oid FROM pg_catalog.pg_constraint WHERE conrelid = ${relation} AND conname = ${member}), 0`;
  }
  if (relationKinds.has(ref.kind)) return `'pg_class'::regclass::oid, ${relation}, 0`;
  if (typeKinds.has(ref.kind)) return `'pg_type'::regclass::oid, to_regtype(${name})::oid, 0`;
  if (ref.kind === 'schema') {
    return `'pg_namespace'::regclass::oid, to_regnamespace(${quoteLiteral(quoteIdentifier(ref.name))})::oid, 0`;
  }
  if (ref.kind === 'extension') {
    return `'pg_extension'::regclass::oid, (SELECT oid FROM pg_catalog.pg_extension WHERE extname = ${quoteLiteral(ref.name)}), 0`;
  }
  if (ref.kind === 'collation') return `'pg_collation'::regclass::oid, to_regcollation(${name})::oid, 0`;
  if (routineKinds.has(ref.kind) && ref.signature !== undefined) {
    return `'pg_proc'::regclass::oid, to_regprocedure(${quoteLiteral(`${qualified}(${ref.signature})`)})::oid, 0`;
  }
  if (routineKinds.has(ref.kind)) {
    const schema =
      ref.schema === undefined
        ? 'pg_function_is_visible(oid)'
        : `pronamespace = to_regnamespace(${quoteLiteral(quoteIdentifier(ref.schema))})::oid`;
    return `'pg_proc'::regclass::oid, (SELECT min(oid::bigint)::oid FROM pg_catalog.pg_proc WHERE proname = ${quoteLiteral(ref.name)} AND ${schema}), 0`;
  }
  return `NULL::oid, NULL::oid, 0`;
}

function factsSql(roots: string, question: ObjectQuestion): string {
  const sizes = `CASE WHEN r.classid = 'pg_class'::regclass THEN
  (SELECT coalesce(sum(greatest(c.reltuples, 0)) FILTER (WHERE c.reltuples >= 0), NULL)::bigint::text FROM members m JOIN pg_catalog.pg_class c ON c.oid = m.oid WHERE m.i = r.i AND c.relkind IN ('r','m')) END,
 CASE WHEN r.classid = 'pg_class'::regclass THEN
  (SELECT CASE WHEN bool_and(m.oid NOT IN (SELECT k.oid FROM locked k)) THEN sum(CASE WHEN m.oid NOT IN (SELECT k.oid FROM locked k) THEN pg_catalog.pg_total_relation_size(m.oid) END)::text END
   FROM members m JOIN pg_catalog.pg_class c ON c.oid = m.oid WHERE m.i = r.i AND c.relkind IN ('r','m','i','S','t')) END`;
  return `WITH RECURSIVE roots(i, classid, objid, objsubid) AS (VALUES ${roots})
${
  question.sizes
    ? `, members(i, oid) AS (
 SELECT i, objid FROM roots WHERE classid = 'pg_class'::regclass AND objid IS NOT NULL
 UNION SELECT m.i, h.inhrelid FROM members m JOIN pg_catalog.pg_inherits h ON h.inhparent = m.oid), ${locked}`
    : ''
}${question.dependents ? closure : ''}
SELECT r.i, r.objid IS NOT NULL AND r.objsubid IS NOT NULL, ${question.sizes ? sizes : 'NULL, NULL'}, ${question.dependents ? '(SELECT count(*) FROM closure c WHERE c.i = r.i)' : 'NULL'},
 (SELECT x.indrelid::regclass::text FROM pg_catalog.pg_index x WHERE r.classid = 'pg_class'::regclass AND x.indexrelid = r.objid) FROM roots r ORDER BY r.i`;
}

/** Whose size cannot be looked at now: to open the file, the server waits for whoever has the table or an index for itself. */
const locked = `exclusive AS MATERIALIZED (SELECT l.relation FROM pg_catalog.pg_locks l
 WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.relation IS NOT NULL AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
  AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())),
locked(oid) AS MATERIALIZED (SELECT e.relation FROM exclusive e
 UNION ALL SELECT x.indrelid FROM exclusive e JOIN pg_catalog.pg_index x ON x.indexrelid = e.relation
 UNION ALL SELECT t.oid FROM exclusive e JOIN pg_catalog.pg_class t ON t.reltoastrelid = e.relation)`;

/**
 * Everything that goes when the roots of number i go, by the rules of DROP … CASCADE (PostgreSQL manual, "pg_depend"):
 * what refers to an object goes with it, and a part that cannot go alone (deptype i) takes its whole with it, as a rule
 * takes its view. A column takes the inherited columns of that name with it.
 */
const closure = `, starts(i, classid, objid, objsubid) AS (
 SELECT i, classid, objid, objsubid FROM roots WHERE objid IS NOT NULL AND objsubid IS NOT NULL
 UNION
 SELECT s.i, s.classid, h.inhrelid, a.attnum::int FROM starts s JOIN pg_catalog.pg_inherits h ON h.inhparent = s.objid
  JOIN pg_catalog.pg_attribute o ON o.attrelid = s.objid AND o.attnum = s.objsubid
  JOIN pg_catalog.pg_attribute a ON a.attrelid = h.inhrelid AND a.attname = o.attname AND NOT a.attislocal AND a.attinhcount = 1
  WHERE s.classid = 'pg_class'::regclass AND s.objsubid > 0)
, closure(i, classid, objid, objsubid) AS (
 SELECT i, classid, objid, objsubid FROM starts
 UNION
 SELECT c.i, n.classid, n.objid, n.objsubid FROM closure c CROSS JOIN LATERAL (
  SELECT d.classid, d.objid, d.objsubid FROM pg_catalog.pg_depend d
   WHERE d.refclassid = c.classid AND d.refobjid = c.objid AND (c.objsubid = 0 OR d.refobjsubid = c.objsubid) AND d.deptype IN ('n','a','i','P','S','e')
  UNION ALL
  SELECT d.refclassid, d.refobjid, d.refobjsubid FROM pg_catalog.pg_depend d
   WHERE d.classid = c.classid AND d.objid = c.objid AND d.objsubid = c.objsubid AND d.deptype = 'i') n)`;

/**
 * What DROP … CASCADE of each list, taken together, would remove besides what it names, in the words of the server's own
 * NOTICE; by the session's search_path. Parts that go with their owner without CASCADE (indexes, partitions, defaults)
 * are not told, as the server does not tell them.
 */
export async function readCascadeVictims(
  session: Session,
  drops: readonly (readonly ObjectRef[])[],
): Promise<readonly (readonly string[])[]> {
  const roots = drops.flatMap((refs, index) => refs.map((ref) => `(${index}, ${rootExpression(ref)})`));
  if (roots.length === 0) return drops.map(() => []);
  const [result] =
    await session.query(`WITH RECURSIVE roots(i, classid, objid, objsubid) AS (VALUES ${roots.join(',\n')})
${closure}
SELECT DISTINCT c.i, pg_catalog.pg_describe_object(c.classid, c.objid, c.objsubid) FROM closure c
WHERE NOT EXISTS (SELECT FROM starts s WHERE s.i = c.i AND s.classid = c.classid AND s.objid = c.objid AND s.objsubid IN (0, c.objsubid))
 AND NOT (c.objsubid > 0 AND EXISTS (SELECT FROM closure o WHERE o.i = c.i AND o.classid = c.classid AND o.objid = c.objid AND o.objsubid = 0))
 AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d JOIN closure o ON o.i = c.i AND o.classid = d.refclassid AND o.objid = d.refobjid AND (o.objsubid = 0 OR o.objsubid = d.refobjsubid)
  WHERE d.classid = c.classid AND d.objid = c.objid AND d.objsubid = c.objsubid AND d.deptype IN ('a','i','P','S','e')) ORDER BY 1, 2`);
  const rows = result?.rows ?? [];
  return drops.map((_refs, index) => rows.flatMap(([i, victim]) => (i === String(index) ? [victim ?? ''] : [])));
}
