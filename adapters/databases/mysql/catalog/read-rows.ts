import type { QueryResult, Session } from '../../../../src/adapter/database.js';
import type { QualifiedName } from '../../../../src/history/history.js';
import type { TableRows } from '../../../../src/proof/proof.js';
import { quoteIdentifier, quoteLiteral } from '../quoting.js';
import { shown, unshown } from './names.js';
import { ask, withPlainSettings } from './plain-reading.js';
import { leftOutNames, notIn } from './read-catalog.js';

/** How many tables one statement reads. */
const tablesAtOnce = 50;

/** Values of any length are replaced by their digest: a text longer than max_allowed_packet would become NULL. */
const long = /^(?:tiny|medium|long)?(?:blob|text)$|^(?:json|vector)$|^(?:var)?binary$|^varchar$/;
const spatial = /^(?:geometry|point|linestring|polygon|multi\w+|geom(?:etry)?collection)$/;

/**
 * A column's value as text of bytes in which different values look different: NULL is not '', and numbers have all their
 * digits. A float is written with six digits only, the same number as a double with as many as it needs.
 */
function valueText(column: string, type: string): string {
  const text =
    type === 'float' || type === 'double'
      ? `CAST(${column} + 0e0 AS CHAR)`
      : type === 'bit'
        ? `CAST(${column} + 0 AS CHAR)`
        : type === 'json'
          ? `SHA1(CAST(${column} AS CHAR))`
          : long.test(type) || spatial.test(type)
            ? `SHA1(${column})`
            : `CAST(${column} AS CHAR)`;
  return `IFNULL(CONCAT(LENGTH(${text}), ':', ${text}), 'N')`;
}

/** Column, and its type in lower case. */
type Column = readonly [name: string, type: string];

/** The digest of one row as 40 hexadecimal digits; columns count by name, not by place. */
export function rowDigest(columns: readonly Column[]): string {
  const ordered = [...columns].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const names = quoteLiteral(ordered.map(([name]) => quoteIdentifier(name)).join(','));
  return `SHA1(CONCAT_WS('|', ${[names, ...ordered.map(([name, type]) => valueText(quoteIdentifier(name), type))].join(', ')}))`;
}

/** 64 bits of a digest as a whole number that can be added up without end. */
function half(digest: string, from: number): string {
  return `CAST(CONV(SUBSTRING(${digest}, ${from}, 16), 16, 10) AS DECIMAL(20))`;
}

/** Tables with rows of their own and their columns; a generated column that is not stored has no value of its own. */
export async function readTableColumns(
  session: Session,
  without: readonly QualifiedName[],
  only?: readonly string[],
): Promise<ReadonlyMap<string, readonly Column[]>> {
  // Joined, the two would be read for every database there is.
  const conditions = `TABLE_SCHEMA = ${quoteLiteral(session.facts.databaseName)} AND ${notIn('TABLE_NAME', leftOutNames(session, without))}${
    only === undefined ? '' : ` AND TABLE_NAME IN (${[...only.map(unshown), ''].map(quoteLiteral).join(', ')})`
  }`;
  const [listed, answer] = await ask(session, 'The list of tables', [
    `SELECT TABLE_NAME FROM information_schema.TABLES WHERE ${conditions} AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')`,
    `SELECT TABLE_NAME, COLUMN_NAME, LOWER(DATA_TYPE) FROM information_schema.COLUMNS WHERE ${conditions} AND EXTRA NOT LIKE '%VIRTUAL GENERATED%'`,
  ]);
  const isTable = new Set((listed?.rows ?? []).map(([name]) => name));
  const tables = new Map<string, Column[]>();
  for (const [table, column, type] of answer?.rows ?? []) {
    if (!isTable.has(table ?? '')) continue;
    tables.set(table ?? '', [...(tables.get(table ?? '') ?? []), [column ?? '', type ?? '']]);
  }
  return tables;
}

/**
 * Count and digest of the rows of tables by name; empty tables are left out. `only` restricts it to tables of these names, as
 * the catalog writes them. A table's digest is the sum of its rows' digests, in two halves: their order does not matter, how
 * often each is there does.
 */
export async function readRows(
  session: Session,
  without: readonly QualifiedName[],
  only?: readonly string[],
): Promise<ReadonlyMap<string, TableRows>> {
  if (only?.length === 0) return new Map();
  return withPlainSettings(session, async () => {
    const schema = quoteIdentifier(session.facts.databaseName);
    const tables = [...(await readTableColumns(session, without, only))].sort(([a], [b]) => (a < b ? -1 : 1));
    const queries = pieces(tables, tablesAtOnce).map((some) =>
      some
        .map(
          ([table, columns]) =>
            `SELECT ${quoteLiteral(shown(table))}, COUNT(*), SUM(${half('x.d', 1)}), SUM(${half('x.d', 17)}) FROM (SELECT ${rowDigest(columns)} AS d FROM ${schema}.${quoteIdentifier(table)}) x`,
        )
        .join('\nUNION ALL\n'),
    );
    const answers: readonly QueryResult[] = await ask(session, 'Rows', queries);
    return new Map(
      answers
        .flatMap(({ rows }) => rows)
        .filter(([, count]) => count !== '0')
        .map(([table, count, one, other]) => [
          table ?? '',
          { count: Number(count), digest: `${one ?? ''}/${other ?? ''}` },
        ]),
    );
  });
}

export function pieces<T>(list: readonly T[], length: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(list.length / length) }, (_, at) => list.slice(at * length, (at + 1) * length));
}
