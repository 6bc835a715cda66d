import type { ColumnValue, Command, RowSql } from '../../../src/adapter/database.js';
import type { QualifiedName } from '../../../src/history/history.js';
import { qualified, quoteIdentifier, quoteLiteral } from './quoting.js';

/** A TIMESTAMP is told in the session's time zone; what is read twice and compared must not depend on it. */
function timestampText(column: string): string {
  return `DATE_FORMAT(CONVERT_TZ(${column}, @@session.time_zone, '+00:00'), '%Y-%m-%d %H:%i:%s.%f')`;
}

/** Text to the character: the collation of a column may take other case and accents for the same. */
function exactText(expression: string): string {
  return `CONVERT(${expression} USING utf8mb4) COLLATE utf8mb4_bin`;
}

/** Statements about single rows of a table. */
export const rowSql: RowSql = {
  select: (table: QualifiedName, columns: readonly string[], { timestamps = [], orderBy }) => {
    const list = columns.map((column) =>
      timestamps.includes(column) ? timestampText(quoteIdentifier(column)) : quoteIdentifier(column),
    );
    const order = orderBy === undefined ? '' : ` ORDER BY ${quoteIdentifier(orderBy)}`;
    return `SELECT ${list.join(', ')} FROM ${qualified(table)}${order}`;
  },

  remove: (table: QualifiedName, where: readonly ColumnValue[]) => {
    const values: string[] = [];
    return { sql: `DELETE FROM ${qualified(table)} WHERE ${conditions(where, values)}`, values };
  },

  update: (table: QualifiedName, set: readonly ColumnValue[], where: readonly ColumnValue[]) => {
    const values: string[] = [];
    const assignments = set.map(({ column, value }) => `${quoteIdentifier(column)} = ${valueOf(value, values)}`);
    return {
      sql: `UPDATE ${qualified(table)} SET ${assignments.join(', ')} WHERE ${conditions(where, values)}`,
      values,
    };
  },

  inline: ({ sql, values = [] }: Command) =>
    sql.replaceAll(/\$(\d+)/g, (_, position: string) => {
      const value = values[Number(position) - 1];
      return value === null || value === undefined ? 'NULL' : quoteLiteral(value);
    }),

  expect: (rowCount, aggregates) => {
    const values: string[] = [];
    const parts = aggregates.map(({ aggregate, column, value }) => {
      const found = `${aggregate.toUpperCase()}(${quoteIdentifier(column)})`;
      return value === null ? `${found} IS NULL` : `${exactText(found)} <=> ${placeholder(String(value), values)}`;
    });
    return { sql: [`COUNT(*) = ${rowCount}`, ...parts].join(' AND '), values };
  },
};

function placeholder(value: string, values: string[]): string {
  values.push(value);
  return `$${values.length}`;
}

/** Numbers go into the text: a quoted one would be compared as a floating-point number where a column is no integer. */
function valueOf(value: ColumnValue['value'], values: string[]): string {
  if (value === null) return 'NULL';
  if (typeof value === 'boolean') return value ? '1' : '0';
  return typeof value === 'string' ? placeholder(value, values) : String(value);
}

function conditions(where: readonly ColumnValue[], values: string[]): string {
  return where
    .map(({ column, value, ignoreCase, nullable }) => {
      const name = quoteIdentifier(column);
      if (value === null) return `${name} IS NULL`;
      const equal = nullable === true ? '<=>' : '=';
      if (typeof value !== 'string') return `${name} ${equal} ${valueOf(value, values)}`;
      return `${exactText(ignoreCase === true ? `UPPER(${name})` : name)} ${equal} ${placeholder(value, values)}`;
    })
    .join(' AND ');
}
