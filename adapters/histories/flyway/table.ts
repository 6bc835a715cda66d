import type { Command, DatabaseAdapter, QueryResult } from '../../../src/adapter/database.js';
import type { FlywaySettings } from '../../../src/config/config.js';
import { FlybackError } from '../../../src/errors/error.js';
import type { HistoryEntry, QualifiedName } from '../../../src/history/history.js';

/** The columns of Flyway's table in its own order, with the server types that may hold each (documented per database). */
const columns = [
  { name: 'installed_rank', types: ['integer', 'bigint', 'smallint'] },
  { name: 'version', types: ['character varying', 'text'] },
  { name: 'description', types: ['character varying', 'text'] },
  { name: 'type', types: ['character varying', 'text'] },
  { name: 'script', types: ['character varying', 'text'] },
  { name: 'checksum', types: ['integer', 'bigint'] },
  { name: 'installed_by', types: ['character varying', 'text'] },
  { name: 'installed_on', types: ['timestamp without time zone', 'timestamp with time zone'] },
  { name: 'execution_time', types: ['integer', 'bigint', 'smallint'] },
  { name: 'success', types: ['boolean'] },
] as const;

/** Other names under which a history may have been left: Flyway's default, and its default before version 5. */
const usualTableNames = ['flyway_schema_history', 'schema_version'] as const;

/**
 * Where Flyway keeps its history (SchemaHistoryFactory): defaultSchema, else the first of schemas, else the
 * connection's current schema. Names are exact; Flyway quotes them. Throws FlybackError history-missing when none of
 * the three is there.
 */
export function tableName(settings: FlywaySettings, currentSchema: string | null): QualifiedName {
  const schema = settings.defaultSchema ?? settings.schemas[0] ?? currentSchema;
  if (schema === null) {
    throw new FlybackError(
      'history-missing',
      `Cannot tell in which schema the history table ${settings.table} is: the connection has no current schema.`,
      { hint: 'Set flyway.defaultSchema, or currentSchema in the URL.' },
    );
  }
  return { schema, name: settings.table };
}

/** The schema that Flyway puts first in the search path before each script: the one of its history. */
export function scriptSchema(_settings: FlywaySettings, table: QualifiedName): string {
  return table.schema;
}

/**
 * One query for the columns of the table, and of tables elsewhere that could be meant (same name in another schema or
 * in other case, Flyway's usual names), so that a miss can say where to look. Columns: schema, table, kind, column, type.
 */
export function describeTable(database: DatabaseAdapter, table: QualifiedName): string {
  const quoteLiteral = (text: string): string => database.dialect.quoteLiteral(text);
  const names = [...new Set([table.name, ...usualTableNames])].map((name) => `lower(${quoteLiteral(name)})`);
  // Only a miss looks through all names: a schema may hold thousands of tables.
  const exact = `to_regclass(${quoteLiteral(database.sql.qualified(table))})`;
  return `SELECT n.nspname, c.relname, c.relkind, a.attname, format_type(a.atttypid, NULL)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE CASE WHEN ${exact} IS NULL THEN lower(c.relname) IN (${names.join(', ')}) ELSE c.oid = ${exact} END AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY n.nspname = ${quoteLiteral(table.schema)} DESC, n.nspname, c.relname, a.attnum`;
}

/**
 * Checks that the described table is a Flyway history. Further columns are no problem. Throws FlybackError
 * history-missing (the hint names tables that look like one) or history-malformed (naming every column that is wrong).
 */
export function checkTable(table: QualifiedName, described: QueryResult): void {
  const own = described.rows.filter(([schema, name]) => schema === table.schema && name === table.name);
  if (own.length === 0) {
    throw new FlybackError('history-missing', `The schema history table ${display(table)} does not exist.`, {
      hint: hintForMissing(described),
    });
  }
  const kind = own[0]?.[2];
  if (kind !== 'r' && kind !== 'p') {
    throw new FlybackError('history-malformed', `${display(table)} is not a table, so it cannot be Flyway's history.`, {
      hint: 'Set flyway.table and flyway.defaultSchema to the table that Flyway itself uses.',
    });
  }
  const types = new Map(own.map(([, , , column, type]) => [column ?? '', type ?? '']));
  const problems: string[] = [];
  for (const column of columns) {
    const type = types.get(column.name);
    if (type === undefined) {
      problems.push(`column ${column.name} is missing`);
    } else if (!(column.types as readonly string[]).includes(type)) {
      problems.push(`column ${column.name} is ${type} instead of ${column.types[0]}`);
    }
  }
  if (problems.length > 0) {
    throw new FlybackError('history-malformed', `${display(table)} is not a Flyway history: ${problems.join(', ')}.`, {
      hint: 'Check flyway.table and flyway.defaultSchema; tables older than Flyway 4 need one run of a later Flyway first.',
    });
  }
}

function hintForMissing(described: QueryResult): string {
  const elsewhere = [
    ...new Set(described.rows.map(([schema, name]) => display({ schema: schema ?? '', name: name ?? '' }))),
  ];
  return elsewhere.length === 0
    ? 'Check the database in the URL, flyway.defaultSchema and flyway.table; before the first flyway migrate there is none.'
    : `Set flyway.defaultSchema and flyway.table; found in this database: ${elsewhere.join(', ')}.`;
}

function display({ schema, name }: QualifiedName): string {
  return `"${schema}"."${name}"`;
}

/** Reads every row by rank. The columns come in Flyway's order, the timestamp independent of session settings. */
export function readRows(database: DatabaseAdapter, table: QualifiedName): string {
  return `SELECT ${columnList(database)} FROM ${database.sql.qualified(table)} ORDER BY installed_rank`;
}

/** Rows of readRows or of removeRow → entries, in the order in which they came. */
export function parseRows(result: QueryResult): readonly HistoryEntry[] {
  return result.rows.map(
    ([rank, version, description, type, script, checksum, installedBy, installedOn, executionTime, success]) => ({
      rank: Number(rank),
      versionText: version ?? null,
      description: description ?? '',
      type: (type ?? '').toUpperCase(),
      script: script ?? '',
      checksum: checksum === null || checksum === undefined ? null : Number(checksum),
      installedBy: installedBy ?? '',
      installedOn: installedOn ?? '',
      executionTimeMs: Number(executionTime ?? 0),
      success: success === 't' || success === 'true' || success === '1',
    }),
  );
}

/**
 * Deletes exactly one row: found by rank, guarded by everything that tells which migration it stands for, so that a
 * rank that Flyway reused for another migration matches nothing. Returns the deleted row in the columns of readRows.
 */
export function removeRow(database: DatabaseAdapter, table: QualifiedName, entry: HistoryEntry): string {
  return `DELETE FROM ${database.sql.qualified(table)} WHERE ${exactly(database, entry)} RETURNING ${columnList(database)}`;
}

/** removeRow with its values apart, and without the row that it returns. */
export function removeRowValues(database: DatabaseAdapter, table: QualifiedName, entry: HistoryEntry): Command {
  return {
    sql: `DELETE FROM ${database.sql.qualified(table)} WHERE ${exactCondition((position) => `$${position}`)}`,
    values: identity(entry).map((value) => (value === null ? null : String(value))),
  };
}

/**
 * Sets the mark of success of exactly one row, found as removeRow finds it. Flyway's migrate and validate stop at a row
 * marked as failed ("Detected failed migration"); its repair deletes it.
 */
export function setSuccess(
  database: DatabaseAdapter,
  table: QualifiedName,
  entry: HistoryEntry,
  success: boolean,
): string {
  return `UPDATE ${database.sql.qualified(table)} SET success = ${String(success)} WHERE ${exactly(database, entry)} RETURNING ${columnList(database)}`;
}

function exactly(database: DatabaseAdapter, entry: HistoryEntry): string {
  const written = identity(entry).map((value) =>
    typeof value === 'string' ? database.dialect.quoteLiteral(value) : String(value ?? 'NULL'),
  );
  return exactCondition((position) => written[position - 1] ?? 'NULL');
}

/** The condition that holds for one row only; `value` gives the text for each of identity's values, counted from 1. */
function exactCondition(value: (position: number) => string): string {
  return [
    `installed_rank = ${value(1)}`,
    `version IS NOT DISTINCT FROM ${value(2)}`,
    `upper("type") = ${value(3)}`,
    `description = ${value(4)}`,
    `script = ${value(5)}`,
    `checksum IS NOT DISTINCT FROM ${value(6)}`,
    `success = ${value(7)}`,
  ].join(' AND ');
}

function identity(entry: HistoryEntry): readonly (string | number | boolean | null)[] {
  const { rank, versionText, type, description, script, checksum, success } = entry;
  return [
    requireWhole(rank),
    versionText,
    type,
    description,
    script,
    checksum === null ? null : requireWhole(checksum),
    success,
  ];
}

function columnList(database: DatabaseAdapter): string {
  const quote = (name: string): string => database.dialect.quoteIdentifier(name);
  return columns
    .map(({ name }) =>
      // The text of a timestamp follows the session's DateStyle; the fingerprint must not.
      name === 'installed_on' ? `to_char(${quote(name)}, 'YYYY-MM-DD HH24:MI:SS.US')` : quote(name),
    )
    .join(', ');
}

function requireWhole(value: number): number {
  if (!Number.isSafeInteger(value)) {
    throw new FlybackError('internal', `Not a whole number in a history row: ${value}.`);
  }
  return value;
}
