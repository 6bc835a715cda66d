import type { ColumnValue, Command, DatabaseAdapter, QueryResult } from '../../../src/adapter/database.js';
import type { Condition } from '../../../src/adapter/history.js';
import type { FlywaySettings } from './settings.js';
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

/** The columns of the table, and of tables that could be meant: Flyway's usual names. */
export function describeTable(database: DatabaseAdapter, table: QualifiedName): string {
  return database.sql.describeTable(table, usualTableNames);
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
  if (own[0]?.[2] !== 'table') {
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

/** Reads every row by rank, the columns in Flyway's order. */
export function readRows(database: DatabaseAdapter, table: QualifiedName): string {
  return database.sql.rows.select(
    table,
    columns.map(({ name }) => name),
    { timestamps: ['installed_on'], orderBy: 'installed_rank' },
  );
}

/** Rows of readRows → entries, in the order in which they came. */
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

/** As many rows, and the same highest rank: Flyway only ever appends. */
export function expectRows(database: DatabaseAdapter, entries: readonly HistoryEntry[]): Condition {
  const newest = entries.reduce<number | null>((highest, { rank }) => Math.max(rank, highest ?? rank), null);
  return database.sql.rows.expect(entries.length, [{ aggregate: 'max', column: 'installed_rank', value: newest }]);
}

/**
 * Deletes exactly one row: found by rank, guarded by everything that tells which migration it stands for, so that a
 * rank that Flyway reused for another migration matches nothing.
 */
export function removeRowValues(database: DatabaseAdapter, table: QualifiedName, entry: HistoryEntry): Command {
  return database.sql.rows.remove(table, identity(entry));
}

/** removeRowValues with its values in the text. */
export function removeRow(database: DatabaseAdapter, table: QualifiedName, entry: HistoryEntry): string {
  return database.sql.rows.inline(removeRowValues(database, table, entry));
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
  const { rows } = database.sql;
  return rows.inline(rows.update(table, [{ column: 'success', value: success }], identity(entry)));
}

/** installedBy, when it is set, replaces the role's name in every row: nothing can be told from it then. */
export function writers(entries: readonly HistoryEntry[], settings: FlywaySettings): readonly string[] {
  return settings.installedBy === undefined ? [...new Set(entries.map(({ installedBy }) => installedBy))] : [];
}

function identity(entry: HistoryEntry): readonly ColumnValue[] {
  const { rank, versionText, type, description, script, checksum, success } = entry;
  return [
    { column: 'installed_rank', value: requireWhole(rank) },
    { column: 'version', value: versionText, nullable: true },
    { column: 'type', value: type, ignoreCase: true },
    { column: 'description', value: description },
    { column: 'script', value: script },
    { column: 'checksum', value: checksum === null ? null : requireWhole(checksum), nullable: true },
    { column: 'success', value: success },
  ];
}

function requireWhole(value: number): number {
  if (!Number.isSafeInteger(value)) {
    throw new FlybackError('internal', `Not a whole number in a history row: ${value}.`);
  }
  return value;
}
