import type { ColumnValue, Command, DatabaseAdapter, QueryResult } from '../../../src/adapter/database.js';
import type { Condition } from '../../../src/adapter/history.js';
import { FlybackError } from '../../../src/errors/error.js';
import type { HistoryEntry, QualifiedName } from '../../../src/history/history.js';
import type { KnexSettings } from './settings.js';
import { splitName } from './versions.js';

const wholeNumbers = ['integer', 'bigint', 'smallint', 'int', 'int unsigned', 'bigint unsigned'];
const texts = ['character varying', 'text', 'varchar'];

/** The columns that Knex makes (table-creator.js of 3.3), in its order, with the server types that may hold each. */
const columns = [
  { name: 'id', types: wholeNumbers },
  { name: 'name', types: texts },
  { name: 'batch', types: wholeNumbers },
  {
    name: 'migration_time',
    types: ['timestamp with time zone', 'timestamp without time zone', 'timestamp', 'datetime'],
  },
] as const;

const usualTableNames = ['knex_migrations'] as const;

/**
 * Where Knex keeps its history: migrations.schemaName, else whatever schema the unqualified name resolves to, which is the
 * connection's current one. Throws FlybackError history-missing when there is neither.
 */
export function tableName(settings: KnexSettings, currentSchema: string | null): QualifiedName {
  const dot = settings.table.indexOf('.');
  // Knex takes a dot in a name for the end of a schema.
  if (settings.schema === undefined && dot > 0) {
    return { schema: settings.table.slice(0, dot), name: settings.table.slice(dot + 1) };
  }
  const schema = settings.schema ?? currentSchema;
  if (schema === null) {
    throw new FlybackError(
      'history-missing',
      `Cannot tell in which schema the history table ${settings.table} is: the connection has no current schema.`,
      { hint: 'Set schemaName under [knex] in flyback.toml, or searchPath in the knexfile.' },
    );
  }
  return { schema, name: settings.table };
}

/** Knex makes what a migration names without a schema in the first schema of the search path, wherever the history is. */
export function scriptSchema(_settings: KnexSettings, table: QualifiedName, currentSchema: string | null): string {
  return currentSchema ?? table.schema;
}

export function describeTable(database: DatabaseAdapter, table: QualifiedName): string {
  return database.sql.describeTable(table, usualTableNames);
}

/** Recognised by its columns. Throws FlybackError history-missing or history-malformed. */
export function checkTable(table: QualifiedName, described: QueryResult): void {
  const own = described.rows.filter(([schema, name]) => schema === table.schema && name === table.name);
  if (own.length === 0) {
    const elsewhere = [...new Set(described.rows.map(([schema, name]) => `"${schema ?? ''}"."${name ?? ''}"`))];
    throw new FlybackError('history-missing', `The table ${display(table)} does not exist.`, {
      hint:
        elsewhere.length === 0
          ? 'Check the database in the URL and the settings tableName and schemaName of Knex; before the first knex migrate:latest there is no table.'
          : `Set tableName and schemaName; found in this database: ${elsewhere.join(', ')}.`,
    });
  }
  const types = new Map(own.map(([, , , column, type]) => [column ?? '', type ?? '']));
  const problems =
    own[0]?.[2] === 'table'
      ? columns.flatMap(({ name, types: allowed }) => {
          const type = types.get(name);
          if (type === undefined) return [`column ${name} is missing`];
          return (allowed as readonly string[]).includes(type) ? [] : [`column ${name} is ${type}`];
        })
      : ['it is not a table'];
  if (problems.length === 0) return;
  throw new FlybackError('history-malformed', `${display(table)} is not a history of Knex: ${problems.join(', ')}.`, {
    hint: 'Check tableName and schemaName: another migration tool may keep its history there.',
  });
}

function display({ schema, name }: QualifiedName): string {
  return `"${schema}"."${name}"`;
}

export function readRows(database: DatabaseAdapter, table: QualifiedName): string {
  return database.sql.rows.select(
    table,
    columns.map(({ name }) => name),
    { timestamps: ['migration_time'], orderBy: 'id' },
  );
}

/** The rank is the id: Knex numbers rows in the order in which it applied them. */
export function parseRows(result: QueryResult): readonly HistoryEntry[] {
  return result.rows.map(([id, name, batch, time]) => ({
    rank: Number(id),
    versionText: name ?? null,
    description: splitName(name ?? '').words,
    type: /\.([^.]+)$/.exec(name ?? '')?.[1]?.toUpperCase() ?? '',
    script: name ?? '',
    checksum: null,
    installedBy: '',
    installedOn: time ?? '',
    executionTimeMs: 0,
    success: true,
    batch: batch === null || batch === undefined ? null : Number(batch),
  }));
}

/** As many rows, and the same highest id: Knex only ever appends. */
export function expectRows(database: DatabaseAdapter, entries: readonly HistoryEntry[]): Condition {
  const newest = entries.reduce<number | null>((highest, { rank }) => Math.max(rank, highest ?? rank), null);
  return database.sql.rows.expect(entries.length, [{ aggregate: 'max', column: 'id', value: newest }]);
}

/** Knex deletes by name, and with it every row of that name; here it is one row, guarded by all that tells it from others. */
export function removeRowValues(database: DatabaseAdapter, table: QualifiedName, entry: HistoryEntry): Command {
  const where: readonly ColumnValue[] = [
    { column: 'id', value: entry.rank },
    { column: 'name', value: entry.versionText, nullable: true },
    { column: 'batch', value: entry.batch ?? null, nullable: true },
  ];
  return database.sql.rows.remove(table, where);
}

export function removeRow(database: DatabaseAdapter, table: QualifiedName, entry: HistoryEntry): string {
  return database.sql.rows.inline(removeRowValues(database, table, entry));
}
