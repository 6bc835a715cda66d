import type { ColumnValue, Command, RowSql } from '../../../src/adapter/database.js';
import type { QualifiedName } from '../../../src/history/history.js';
import { qualified, quoteIdentifier, quoteLiteral } from './quoting.js';

/** The text of a timestamp follows the session's DateStyle; what is read twice and compared must not. */
const timestampFormat = 'YYYY-MM-DD HH24:MI:SS.US';

/** Statements about single rows of a table. */
export const rowSql: RowSql = {
  select: (table: QualifiedName, columns: readonly string[], { timestamps = [], orderBy }) => {
    const list = columns.map((column) =>
      timestamps.includes(column)
        ? `to_char(${quoteIdentifier(column)}, '${timestampFormat}')`
        : quoteIdentifier(column),
    );
    const order = orderBy === undefined ? '' : ` ORDER BY ${quoteIdentifier(orderBy)}`;
    return `SELECT ${list.join(', ')} FROM ${qualified(table)}${order}`;
  },

  remove: (table: QualifiedName, where: readonly ColumnValue[]) => ({
    sql: `DELETE FROM ${qualified(table)} WHERE ${conditions(where, 0)}`,
    values: where.map(textOf),
  }),

  update: (table: QualifiedName, set: readonly ColumnValue[], where: readonly ColumnValue[]) => ({
    sql: `UPDATE ${qualified(table)} SET ${set.map(({ column }, index) => `${quoteIdentifier(column)} = $${index + 1}`).join(', ')} WHERE ${conditions(where, set.length)}`,
    values: [...set, ...where].map(textOf),
  }),

  inline: ({ sql, values = [] }: Command) =>
    sql.replaceAll(/\$(\d+)/g, (_, position: string) => {
      const value = values[Number(position) - 1];
      return value === null || value === undefined ? 'NULL' : quoteLiteral(value);
    }),

  expect: (rowCount, aggregates) => ({
    sql: [
      'count(*) = $1',
      ...aggregates.map(
        ({ aggregate, column }, index) => `${aggregate}(${quoteIdentifier(column)}) IS NOT DISTINCT FROM $${index + 2}`,
      ),
    ].join(' AND '),
    values: [String(rowCount), ...aggregates.map(({ value }) => (value === null ? null : String(value)))],
  }),
};

function conditions(where: readonly ColumnValue[], before: number): string {
  return where
    .map(({ column, ignoreCase, nullable }, index) => {
      const name = ignoreCase === true ? `upper(${quoteIdentifier(column)})` : quoteIdentifier(column);
      return `${name} ${nullable === true ? 'IS NOT DISTINCT FROM' : '='} $${before + index + 1}`;
    })
    .join(' AND ');
}

function textOf({ value }: ColumnValue): string | null {
  return value === null ? null : String(value);
}

/**
 * One query for the columns of a table and, where there is none, of tables elsewhere that could be meant (the same name in
 * another schema or in other case, or one of these names), so that a miss can say where to look.
 */
export function describeTable(table: QualifiedName, otherNames: readonly string[]): string {
  const names = [...new Set([table.name, ...otherNames])].map((name) => `lower(${quoteLiteral(name)})`);
  // Only a miss looks through all names: a schema may hold thousands of tables.
  const exact = `pg_catalog.to_regclass(${quoteLiteral(qualified(table))})`;
  return `SELECT n.nspname, c.relname, CASE WHEN c.relkind IN ('r', 'p') THEN 'table' ELSE 'other' END, a.attname, format_type(a.atttypid, NULL)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.oid = ANY (ARRAY(SELECT ${exact}::oid
 UNION ALL SELECT other.oid FROM pg_catalog.pg_class other WHERE ${exact} IS NULL AND lower(other.relname) IN (${names.join(', ')}))) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY n.nspname = ${quoteLiteral(table.schema)} DESC, n.nspname, c.relname, a.attnum`;
}
