import type { QualifiedName } from '../../../src/history/history.js';
import { quoteLiteral } from './quoting.js';

/** Types as the SQL standard calls them, so that the history adapters know one name for one thing. */
const standardType = `CASE
 WHEN c.column_type = 'tinyint(1)' THEN 'boolean'
 WHEN c.data_type IN ('tinyint', 'smallint') THEN 'smallint'
 WHEN c.data_type IN ('int', 'mediumint') THEN 'integer'
 WHEN c.data_type = 'varchar' THEN 'character varying'
 WHEN c.data_type = 'char' THEN 'character'
 WHEN c.data_type IN ('tinytext', 'text', 'mediumtext', 'longtext') THEN 'text'
 WHEN c.data_type = 'decimal' THEN 'numeric'
 WHEN c.data_type IN ('timestamp', 'datetime') THEN 'timestamp without time zone'
 ELSE c.data_type END`;

const kind = `IF(t.table_type = 'BASE TABLE', 'table', 'other')`;

/**
 * One query for the columns of a table and, where there is none, of tables elsewhere that could be meant (the same name in
 * another database or in other case, or one of these names), so that a miss can say where to look.
 */
export function describeTable(table: QualifiedName, otherNames: readonly string[]): string {
  const names = [...new Set([table.name, ...otherNames])].map((name) => `LOWER(${quoteLiteral(name)})`);
  const exact = (of: string): string =>
    `${of}.table_schema = ${quoteLiteral(table.schema)} AND ${of}.table_name = ${quoteLiteral(table.name)}`;
  const columns = `c.table_schema AS table_schema, c.table_name AS table_name, ${kind} AS kind, c.column_name AS column_name, ${standardType} AS type, c.ordinal_position AS position`;
  const tables = `information_schema.columns c JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name`;
  return `SELECT d.table_schema, d.table_name, d.kind, d.column_name, d.type FROM (
SELECT ${columns} FROM ${tables} WHERE ${exact('c')} AND ${exact('t')}
UNION ALL
SELECT ${columns} FROM ${tables} WHERE LOWER(c.table_name) IN (${names.join(', ')}) AND c.table_schema NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')
 AND NOT EXISTS (SELECT 1 FROM information_schema.tables e WHERE ${exact('e')})
) d ORDER BY d.table_schema = ${quoteLiteral(table.schema)} DESC, d.table_schema, d.table_name, d.position`;
}
