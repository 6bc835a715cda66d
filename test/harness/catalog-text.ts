import pg from 'pg';

/*
 * What a database holds, as text, asked of the server's catalogs: the tests' own judge of whether a rollback restored
 * everything. It shares nothing with the product, so that the two cannot be wrong in the same way.
 */

/** One database at one moment. */
export interface CatalogText {
  /** A line for each object and property, sorted; columns without their position. */
  readonly objects: readonly string[];
  /** A line for each table: the order of its columns. */
  readonly columnOrders: readonly string[];
  /** A line for each row of each table, sorted. */
  readonly rows: readonly string[];
}

/** How two databases compare. Lines begin with "- " (missing afterwards) or "+ " (left over). */
export interface CatalogComparison {
  readonly objects: readonly string[];
  readonly columnOrders: readonly string[];
  readonly rows: readonly string[];
}

export interface CatalogOptions {
  /** Relations, with their indexes, constraints and rows, that are left out: the migration tool's own tables. */
  readonly without?: readonly string[];
}

const defaultWithout = ['flyway_schema_history', 'flyback_record', 'flyback_record_journal'];

/** Reads everything in the database's schemas but the system's; rows of all tables too, which must be few. */
export async function readCatalog(url: string, options: CatalogOptions = {}): Promise<CatalogText> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    return await readCatalogIn(client, options);
  } finally {
    await client.end();
  }
}

/** The same within an open transaction, whose search_path it changes. */
export async function readCatalogIn(
  client: pg.Client,
  { without = defaultWithout }: CatalogOptions = {},
): Promise<CatalogText> {
  // With pg_catalog alone on the path the server writes every other name with its schema.
  await client.query('SET LOCAL search_path = pg_catalog');
  // By a name, so that who reads again and again on one connection has them planned once.
  const lines = async (name: string, text: string): Promise<string[]> => {
    const { rows } = await client.query<{ readonly line: string }>({ name, text, values: [without] });
    return rows.map(({ line }) => line);
  };
  const objects = await lines('catalog objects', objectQueries.map((query) => `(${query})`).join(' UNION ALL '));
  const columnOrders = await lines('catalog columns', columnOrderQuery);
  const tables = await lines('catalog tables', tablesQuery);
  // jsonb sorts its keys: the order of the columns does not matter here.
  const ofTable = (table: string): string =>
    `SELECT ${pg.escapeLiteral(`${table} `)} || to_jsonb(t)::text AS line FROM ONLY ${table} t`;
  const found =
    tables.length === 0 ? [] : (await client.query<{ line: string }>(tables.map(ofTable).join(' UNION ALL '))).rows;
  const rows = found.map(({ line }) => line);
  return { objects: objects.sort(), columnOrders: columnOrders.sort(), rows: rows.sort() };
}

/** What differs, with nothing explained away. */
export function compareCatalogs(before: CatalogText, after: CatalogText): CatalogComparison {
  return {
    objects: differences(before.objects, after.objects),
    columnOrders: differences(before.columnOrders, after.columnOrders),
    rows: differences(before.rows, after.rows),
  };
}

function differences(before: readonly string[], after: readonly string[]): readonly string[] {
  const remaining = countLines(after);
  const missing: string[] = [];
  for (const line of before) {
    const count = remaining.get(line) ?? 0;
    if (count === 0) missing.push(`- ${line}`);
    else remaining.set(line, count - 1);
  }
  const added = [...remaining].flatMap(([line, count]) => Array.from({ length: count }, () => `+ ${line}`));
  return [...missing, ...added];
}

function countLines(lines: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1);
  return counts;
}

/** Schemas that are neither the server's nor temporary. */
const ourSchema = (alias: string): string => `${alias}.nspname <> 'information_schema' AND ${alias}.nspname !~ '^pg_'`;

const ourRelation = `${ourSchema('n')} AND NOT (c.relname = ANY ($1::text[]))
  AND NOT EXISTS (SELECT FROM pg_index h JOIN pg_class t ON t.oid = h.indrelid WHERE h.indexrelid = c.oid AND t.relname = ANY ($1::text[]))`;

/** Every query has one parameter, the names left out; those that need none mention it all the same. */
const unused = `cardinality($1::text[]) >= 0`;

const columnOrderQuery = `
SELECT format('columns of %s: %s', c.oid::regclass, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)) AS line
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p', 'f', 'c') AND ${ourRelation}
GROUP BY c.oid`;

const tablesQuery = `
SELECT c.oid::regclass::text AS line
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND ${ourRelation}
ORDER BY 1`;

const objectQueries: readonly string[] = [
  `SELECT format('schema %I owner %s acl %s', n.nspname, n.nspowner::regrole, n.nspacl) AS line
   FROM pg_namespace n WHERE ${ourSchema('n')} AND ${unused}`,

  `SELECT format('extension %I %s in %s', e.extname, e.extversion, e.extnamespace::regnamespace) AS line
   FROM pg_extension e WHERE ${unused}`,

  `SELECT format('relation %s kind %s persistence %s owner %s acl %s options %s am %s space %s rls %s/%s identity %s key %s bound %s parents %s of %s',
     c.oid::regclass, c.relkind, c.relpersistence, c.relowner::regrole, c.relacl, c.reloptions,
     (SELECT amname FROM pg_am WHERE oid = c.relam), c.reltablespace, c.relrowsecurity, c.relforcerowsecurity, c.relreplident,
     pg_get_partkeydef(c.oid), pg_get_expr(c.relpartbound, c.oid),
     (SELECT string_agg(i.inhparent::regclass::text, ',' ORDER BY i.inhseqno) FROM pg_inherits i WHERE i.inhrelid = c.oid),
     nullif(c.reloftype, 0)::regtype) AS line
   FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${ourRelation}`,

  `SELECT format('column %s.%I type %s collation %s notnull %s default %s identity %s generated %s storage %s compression %s statistics %s options %s acl %s',
     c.oid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), nullif(a.attcollation, 0)::regcollation, a.attnotnull,
     pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated, a.attstorage, a.attcompression,
     nullif(a.attstattarget, -1), a.attoptions, a.attacl) AS line
   FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
   LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
   WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND ${ourRelation}`,

  `SELECT format('constraint %I on %s %s validated %s local %s', k.conname, k.conrelid::regclass,
     pg_get_constraintdef(k.oid), k.convalidated, k.conislocal) AS line
   FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE ${ourRelation}`,

  `SELECT format('index %s valid %s ready %s clustered %s identity %s', pg_get_indexdef(i.indexrelid),
     i.indisvalid, i.indisready, i.indisclustered, i.indisreplident) AS line
   FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE ${ourRelation}`,

  `SELECT format('view %s as %s', c.oid::regclass, pg_get_viewdef(c.oid)) AS line
   FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('v', 'm') AND ${ourRelation}`,

  `SELECT format('sequence %s %s start %s by %s from %s to %s cache %s cycle %s owned by %s', c.oid::regclass,
     s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle,
     (SELECT format('%s.%I', d.refobjid::regclass, a.attname) FROM pg_depend d
      JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i'))) AS line
   FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE ${ourRelation}`,

  `SELECT format('routine %s kind %s owner %s acl %s: %s', p.oid::regprocedure, p.prokind, p.proowner::regrole, p.proacl,
     CASE WHEN p.prokind = 'a' THEN (SELECT to_jsonb(g) - 'aggfnoid' FROM pg_aggregate g WHERE g.aggfnoid = p.oid)::text
       ELSE pg_get_functiondef(p.oid) END) AS line
   FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE ${ourSchema('n')} AND ${unused}`,

  `SELECT format('trigger %s enabled %s', pg_get_triggerdef(t.oid), t.tgenabled) AS line
   FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE NOT t.tgisinternal AND ${ourRelation}`,

  // Internal triggers carry no name worth comparing, but they can be switched off.
  `SELECT format('internal triggers of %s enabled %s: %s', c.oid::regclass, t.tgenabled, count(*)) AS line
   FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE t.tgisinternal AND ${ourRelation} GROUP BY c.oid, t.tgenabled`,

  `SELECT format('type %s kind %s owner %s acl %s base %s notnull %s default %s labels %s checks %s', t.oid::regtype, t.typtype,
     t.typowner::regrole, t.typacl, format_type(nullif(t.typbasetype, 0), t.typtypmod), t.typnotnull, t.typdefault,
     (SELECT string_agg(quote_literal(e.enumlabel), ',' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
     (SELECT string_agg(format('%I %s', k.conname, pg_get_constraintdef(k.oid)), ',' ORDER BY k.conname)
      FROM pg_constraint k WHERE k.contypid = t.oid)) AS line
   FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
   WHERE ${ourSchema('n')} AND ${unused} AND (t.typtype IN ('e', 'd', 'r', 'm')
     OR t.typtype = 'c' AND EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))`,

  `SELECT format('policy %I on %s for %s permissive %s to %s using %s check %s', p.polname, c.oid::regclass, p.polcmd, p.polpermissive,
     (SELECT string_agg(r::regrole::text, ',' ORDER BY r::regrole::text) FROM unnest(p.polroles) r),
     pg_get_expr(p.polqual, c.oid), pg_get_expr(p.polwithcheck, c.oid)) AS line
   FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${ourRelation}`,

  `SELECT format('rule %s enabled %s', pg_get_ruledef(r.oid), r.ev_enabled) AS line
   FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE r.rulename <> '_RETURN' AND ${ourRelation}`,

  `SELECT format('statistics %s', pg_get_statisticsobjdef(s.oid)) AS line
   FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace WHERE ${ourSchema('n')} AND ${unused}`,

  `SELECT format('comment on %s %s: %s', i.type, i.identity, d.description) AS line
   FROM pg_description d, pg_identify_object(d.classoid, d.objoid, d.objsubid) i
   WHERE d.objoid >= 16384 AND ${unused} AND i.identity IS NOT NULL`,

  `SELECT format('default privileges of %s in %s for %s: %s', d.defaclrole::regrole, nullif(d.defaclnamespace, 0)::regnamespace, d.defaclobjtype, d.defaclacl) AS line
   FROM pg_default_acl d WHERE ${unused}`,

  `SELECT format('setting %s', s) AS line
   FROM pg_db_role_setting r, unnest(r.setconfig) s
   WHERE r.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) AND ${unused}`,
];
