import type { Session } from '../../../../src/adapter/database.js';
import type { QualifiedName } from '../../../../src/history/history.js';
import type { TableRows } from '../../../../src/proof/proof.js';
import { quoteLiteral } from '../quoting.js';
import { ownRelation, pieces, readPlainly } from './plain-reading.js';

/** How many tables one statement reads. */
const tablesAtOnce = 100;

/**
 * Tables with rows of their own: partitions, not the partitioned table; no foreign tables, whose rows lie elsewhere; nothing
 * that has not a single page. With their columns in the order of their names; a virtual column has no value of its own.
 */
function tablesSql(without: readonly QualifiedName[], only: readonly string[] | undefined): string {
  return `SELECT format('%I.%I', n.nspname, c.relname), (SELECT string_agg(format('t.%I', a.attname), ', ' ORDER BY a.attname COLLATE "C") FROM pg_attribute a
 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_am m ON m.oid = c.relam
WHERE c.relkind IN ('r', 'm') AND (c.relkind = 'r' OR c.relispopulated) AND ${ownRelation(without, only)}
 AND (m.amname <> 'heap' OR pg_relation_size(c.oid) > 0) ORDER BY 1`;
}

/**
 * The digest of one row, as two independent halves of 64 bits. A row's text is that of the server's own output functions,
 * in which numerics keep their scale, floats all their digits, and NULL is not ''. Columns count by name, not by place.
 */
function rowHalves(columns: string): readonly [string, string] {
  const text = `${quoteLiteral(`${columns} `)} || ROW(${columns})::text COLLATE "C"`;
  return [`hashtextextended(${text}, 0)`, `hashtextextended(${text}, 7046029254386353131)`];
}

/** The digest of a row "t" as one text; `columns`: as for the digest of its table. */
export function rowDigest(columns: string): string {
  return rowHalves(columns).join(` || '/' || `);
}

/** An expression for the digest of a row "t" of each of the named tables that has rows. */
export async function readDigests(session: Session, names: readonly string[]): Promise<ReadonlyMap<string, string>> {
  if (names.length === 0) return new Map();
  const [listed] = await readPlainly(session, 'The list of tables', [tablesSql([], names)]);
  return new Map((listed?.rows ?? []).map(([table, columns]) => [table ?? '', rowDigest(columns ?? '')]));
}

/**
 * Count and digest of the rows of tables by name; empty tables are left out. `only` restricts it to tables of these names, as
 * the catalog writes them. A table's digest is the sum of its rows' digests: their order does not matter, how often each is
 * there does.
 */
export async function readRows(
  session: Session,
  without: readonly QualifiedName[],
  only?: readonly string[],
): Promise<ReadonlyMap<string, TableRows>> {
  if (only?.length === 0) return new Map();
  const [listed] = await readPlainly(session, 'The list of tables', [tablesSql(without, only)]);
  const queries = pieces(listed?.rows ?? [], tablesAtOnce).map((tables) =>
    tables
      .map(([table, columns]) => {
        const [one, other] = rowHalves(columns ?? '');
        return `SELECT ${quoteLiteral(table ?? '')}, count(*), sum(${one}), sum(${other}) FROM ONLY ${table ?? ''} t`;
      })
      .join('\nUNION ALL\n'),
  );
  const answers = await readPlainly(session, 'Rows', queries);
  return new Map(
    answers
      .flatMap(({ rows }) => rows)
      .filter(([, count]) => count !== '0')
      .map(([table, count, one, other]) => [
        table ?? '',
        { count: Number(count), digest: `${one ?? ''}/${other ?? ''}` },
      ]),
  );
}
