import type { Session } from '../../../../src/adapter/database.js';
import type { CatalogPart, PartReading } from '../../../../src/adapter/proof-queries.js';
import { FlybackError } from '../../../../src/errors/error.js';
import type { QualifiedName } from '../../../../src/history/history.js';
import { qualified, quoteIdentifier, quoteLiteral } from '../quoting.js';
import { made, notLeftOut, notMember, ours } from './parts.js';
import { catalogQueries, toObject, unionSql } from './read-catalog.js';

/** Only a superuser may read some of these; none of them says anything about another database. */
const ofServer: ReadonlySet<string> = new Set([
  'pg_authid',
  'pg_database',
  'pg_default_acl',
  'pg_largeobject_metadata',
  'pg_parameter_acl',
  'pg_subscription',
  'pg_tablespace',
  'pg_user_mapping',
]);

/** There may be one for each column, and each costs a look at what it is on. */
const remarks: ReadonlySet<string> = new Set(['pg_description', 'pg_shdescription', 'pg_seclabel', 'pg_shseclabel']);

const savepoint = 'flyback_part';

/**
 * Reads a part of the catalog inside an open transaction, and leaves that as it was, also when it cannot be read. `known`:
 * ids that an earlier reading found, whatever their objects are called by now.
 */
export async function readPart(
  session: Session,
  without: readonly QualifiedName[],
  part: CatalogPart,
  known: readonly string[],
): Promise<PartReading> {
  await session.query(`SAVEPOINT ${savepoint}`);
  try {
    const [resolved] = (await session.query(idsSql(part))).slice(-1);
    const ids = [...new Set([...known, ...(resolved?.rows ?? []).flatMap(([id]) => id ?? [])])];
    // Compiling a query of this length would take longer than running it.
    const settings = `SET LOCAL search_path = pg_catalog; SET LOCAL jit = off`;
    const answers = await session.query(
      [settings, partSql(session.facts.majorVersion, without, part, ids), namesSql(without)].join(';\n'),
    );
    const [objects, names] = answers.slice(-2);
    return {
      catalog: { objects: (objects?.rows ?? []).map(toObject) },
      names: (names?.rows ?? []).flatMap(([name]) => name ?? []),
      ids,
    };
  } catch (error) {
    if (!(error instanceof FlybackError)) throw error;
    throw new FlybackError(error.code, `The catalog cannot be read: ${error.message}`, {
      hint: error.hint,
      serverCode: error.serverCode,
      condition: error.condition,
    });
  } finally {
    // The settings go with the savepoint. Where there is none left, the transaction has ended, and that shows elsewhere.
    await session.query(`ROLLBACK TO SAVEPOINT ${savepoint}; RELEASE SAVEPOINT ${savepoint}`).catch(() => undefined);
  }
}

/** The ids of the relations that the part names, by the search_path of the moment. */
function idsSql({ relations, tables }: CatalogPart): string {
  const named = [
    ...relations.map((name) => `pg_catalog.to_regclass(${quoteLiteral(name)})::oid`),
    ...tables.map(
      ({ schema, name }) =>
        `pg_catalog.to_regclass(${quoteLiteral(schema === undefined ? quoteIdentifier(name) : qualified({ schema, name }))})::oid`,
    ),
  ];
  if (named.length === 0) return 'SELECT NULL::text WHERE false';
  return `SELECT DISTINCT id::text FROM (VALUES (${named.join('), (')})) v(id) WHERE id IS NOT NULL`;
}

function partSql(major: number, without: readonly QualifiedName[], part: CatalogPart, ids: readonly string[]): string {
  const list = `'{${ids.join(',')}}'::oid[]`;
  const chosen = catalogQueries(major).flatMap(({ scope, sql }) => {
    if ('oid' in scope) return [sql(`${scope.oid} IN (SELECT id FROM chosen)`)];
    const isLeftOut =
      scope.catalogs.length === 0 ||
      scope.catalogs.some((catalog) => ofServer.has(catalog) || (remarks.has(catalog) && !part.remarks));
    return isLeftOut ? [] : [sql()];
  });
  const members = [
    `SELECT unnest(${list})`,
    // Asked for by name, a routine is an error in some versions when the type of an argument is gone.
    ...byName('pg_proc', 'regprocedure', part.routines),
    ...byName('pg_type', 'regtype', part.types),
    `SELECT i.indexrelid FROM pg_index i WHERE i.indrelid = ANY (${list})`,
    `SELECT d.objid FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY (${list}) AND d.deptype IN ('a', 'i')`,
  ];
  return unionSql(chosen, without, members.join(' UNION '));
}

function byName(catalog: string, type: string, names: readonly string[]): readonly string[] {
  if (names.length === 0) return [];
  return [
    `SELECT x.oid FROM ${catalog} x WHERE ${made('x.oid')} AND x.oid::${type}::text IN (${names.map(quoteLiteral).join(', ')})`,
  ];
}

/** "table public.t": every relation, routine and type but those that belong to a table left out. */
function namesSql(without: readonly QualifiedName[]): string {
  const relationWord = `CASE c.relkind WHEN 'i' THEN 'index' WHEN 'I' THEN 'index' WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' WHEN 'c' THEN 'composite type' ELSE 'table' END`;
  const typeWord = `CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'r' THEN 'range type' ELSE 'multirange type' END`;
  const routineWord = `CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END`;
  return unionSql(
    [
      `SELECT ${relationWord} || ' ' || c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'c', 'i', 'I', 'S') AND ${ours('n')} AND ${notMember('pg_class', 'c.oid')} AND ${notLeftOut('c.oid')}
 AND NOT (c.relkind = 'S' AND EXISTS (SELECT FROM pg_depend d JOIN without ON d.refobjid = left_out WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass))`,
      `SELECT ${routineWord} || ' ' || p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE ${ours('n')} AND ${notMember('pg_proc', 'p.oid')}
 AND NOT EXISTS (SELECT FROM pg_trigger t JOIN without ON t.tgrelid = left_out WHERE t.tgfoid = p.oid)`,
      `SELECT ${typeWord} || ' ' || t.oid::regtype::text FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype IN ('e', 'd', 'r', 'm') AND ${ours('n')} AND ${notMember('pg_type', 't.oid')}`,
    ],
    without,
  );
}
