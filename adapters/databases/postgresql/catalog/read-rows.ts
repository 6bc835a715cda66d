import type { Session } from '../../../../src/adapter/database.js';
import type { QualifiedName } from '../../../../src/history/history.js';
import type { TableRows } from '../../../../src/proof/proof.js';
import { qualified, quoteLiteral } from '../quoting.js';

/** Tables with rows of their own: partitions, not the partitioned table; no foreign tables, whose rows lie elsewhere. */
function tablesSql(without: readonly QualifiedName[]): string {
  const names = without.map((name) => `coalesce(pg_catalog.to_regclass(${quoteLiteral(qualified(name))})::oid, 0)`);
  return `SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND (c.relkind = 'r' OR c.relispopulated) AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'${names.length === 0 ? '' : ` AND c.oid NOT IN (${names.join(', ')})`}
 AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND x.objid = c.oid AND x.deptype = 'e') ORDER BY 1`;
}

/**
 * Count and digest of every table's rows, by the table's name; empty tables are left out. A row's digest is that of its
 * values by column name, so the order of columns does not matter; the table's is the sum of its rows', so theirs does not.
 */
export async function readRows(
  session: Session,
  without: readonly QualifiedName[],
): Promise<ReadonlyMap<string, TableRows>> {
  const [listed] = await session.query(tablesSql(without));
  const tables = (listed?.rows ?? []).map((row) => row[0] ?? '');
  if (tables.length === 0) return new Map();
  const counted = await session.query(
    tables
      .map(
        (table) =>
          `SELECT ${quoteLiteral(table)}, pg_catalog.count(*), pg_catalog.sum(('x' || pg_catalog.substr(pg_catalog.md5(pg_catalog.to_jsonb(t)::text), 1, 15))::bit(60)::bigint) FROM ONLY ${table} t`,
      )
      .join('\nUNION ALL\n'),
  );
  return new Map(
    (counted[0]?.rows ?? [])
      .filter((row) => row[1] !== '0')
      .map(([table, count, digest]) => [table ?? '', { count: Number(count), digest: digest ?? '' }]),
  );
}
