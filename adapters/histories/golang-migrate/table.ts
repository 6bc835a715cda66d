import type { ColumnValue, Command, DatabaseAdapter, QueryResult } from '../../../src/adapter/database.js';
import type { Condition } from '../../../src/adapter/history.js';
import { FlybackError } from '../../../src/errors/error.js';
import type { HistoryEntry, QualifiedName } from '../../../src/history/history.js';
import type { Migration } from '../../../src/history/migration.js';
import type { Version } from '../../../src/history/version.js';
import type { GolangMigrateSettings } from './settings.js';
import { golangMigrateVersions } from './versions.js';

export const usualTable = 'schema_migrations';

/** What the column version holds when no migration is applied and the tool is in the middle of something. */
const nilVersion = '-1';

/** The type of the one entry that stands for a row without a version. */
export const nilType = 'NIL';

/** The table lies in the schema that a quoted name gives, else in the current one (database/postgres/postgres.go). */
export function tableName({ schema, table }: GolangMigrateSettings, currentSchema: string | null): QualifiedName {
  const found = schema ?? currentSchema;
  if (found === null) {
    throw new FlybackError(
      'history-missing',
      `Cannot tell in which schema the table ${table} is: the connection has no current schema.`,
      { hint: 'Set search_path in the URL.' },
    );
  }
  return { schema: found, name: table };
}

export function describeTable(database: DatabaseAdapter, table: QualifiedName): string {
  return database.sql.describeTable(table, [usualTable]);
}

const versionTypes = ['bigint', 'integer', 'numeric'];

/**
 * Tells the table by its columns, never by its name, which Rails and dbmate use too. Throws FlybackError history-missing or
 * history-malformed.
 */
export function checkTable(table: QualifiedName, described: QueryResult): void {
  const own = described.rows.filter(([schema, name]) => schema === table.schema && name === table.name);
  const shown = `"${table.schema}"."${table.name}"`;
  if (own.length === 0) {
    const elsewhere = [...new Set(described.rows.map(([schema, name]) => `"${schema ?? ''}"."${name ?? ''}"`))];
    throw new FlybackError('history-missing', `The table ${shown} does not exist.`, {
      hint:
        elsewhere.length === 0
          ? 'Check the database in the URL, search_path and x-migrations-table; before the first migrate up there is none.'
          : `Found in this database: ${elsewhere.join(', ')}. Set search_path or x-migrations-table in the URL, or --table.`,
    });
  }
  const types = new Map(own.map(([, , , column, type]) => [column ?? '', type ?? '']));
  const isTable = own[0]?.[2] === 'table';
  if (isTable && versionTypes.includes(types.get('version') ?? '') && types.get('dirty') === 'boolean') return;
  const hasVersionText = /^(?:character varying|text|varchar)/.test(types.get('version') ?? '');
  throw new FlybackError(
    'history-malformed',
    hasVersionText && !types.has('dirty')
      ? `${shown} is the history of another tool: Rails and dbmate keep one column version with text.`
      : `${shown} is not the table of golang-migrate, which has a whole number version and a boolean dirty.`,
    {
      hint: hasVersionText
        ? 'Say which tool keeps the history: tool in flyback.toml.'
        : 'Set x-migrations-table in the URL, or --table, to the table that migrate itself uses.',
    },
  );
}

export function readRows(database: DatabaseAdapter, table: QualifiedName): string {
  return database.sql.rows.select(table, ['version', 'dirty'], { orderBy: 'version' });
}

/**
 * The table has one row, with the newest version; everything below it in the folder counts as applied. One entry for each, by
 * rank from 1, each with what is the newest once it has gone. A dirty row makes the newest entry a failed one.
 */
export function parseRows(result: QueryResult, migrations: readonly Migration[]): readonly HistoryEntry[] {
  if (result.rows.length > 1) {
    throw new FlybackError(
      'history-malformed',
      `The history has ${result.rows.length} rows (${result.rows.map(([version]) => version ?? 'NULL').join(', ')}); golang-migrate keeps one, and reads whichever comes first.`,
      { hint: 'Find out which version the schema is at, then set it with migrate force.' },
    );
  }
  const [row] = result.rows;
  if (row === undefined) return [];
  const [current = '', dirty] = row;
  const isDirty = dirty === 't' || dirty === 'true' || dirty === '1';
  if (current === nilVersion) {
    return isDirty ? [{ ...entryOf(undefined, []), rank: 1, versionText: null, type: nilType, success: false }] : [];
  }
  const newest = golangMigrateVersions.parse(current ?? '');
  if (newest === undefined) {
    throw new FlybackError('history-malformed', `The history has "${current ?? 'NULL'}" where a version should be.`, {
      hint: 'Set the version that the schema is at with migrate force.',
    });
  }
  const versions = new Map<string, Version>(
    migrations.flatMap(({ version }) => (version === undefined ? [] : [[version.key, version]])),
  );
  versions.set(newest.key, newest);
  const applied = [...versions.values()]
    .filter((version) => golangMigrateVersions.compare(version, newest) <= 0)
    .sort((a, b) => golangMigrateVersions.compare(a, b));
  return applied.map((version, index) => ({
    ...entryOf(version, migrations),
    rank: index + 1,
    success: !(isDirty && version.key === newest.key),
    below: applied[index - 1]?.text ?? null,
  }));
}

function entryOf(version: Version | undefined, migrations: readonly Migration[]): HistoryEntry {
  const files = migrations.filter((migration) => migration.version?.key === version?.key);
  const file = files.find(({ kind }) => kind === 'versioned') ?? files[0];
  return {
    rank: 0,
    versionText: version?.text ?? null,
    description: file?.description ?? '',
    type: 'SQL',
    script: file?.script ?? '',
    checksum: null,
    installedBy: '',
    installedOn: '',
    executionTimeMs: 0,
    success: true,
  };
}

/** One row with the newest version, or none. */
export function expectRows(database: DatabaseAdapter, entries: readonly HistoryEntry[]): Condition {
  const newest = entries.at(-1);
  return database.sql.rows.expect(
    newest === undefined ? 0 : 1,
    newest === undefined ? [] : [{ aggregate: 'max', column: 'version', value: newest.versionText ?? nilVersion }],
  );
}

/** The row moves on to the version below; the last one leaves an empty table, the tool's clean state without a version. */
export function removeRowValues(database: DatabaseAdapter, table: QualifiedName, entry: HistoryEntry): Command {
  const { rows } = database.sql;
  const below = entry.below ?? null;
  return below === null
    ? rows.remove(table, identity(entry))
    : rows.update(
        table,
        [
          { column: 'version', value: below },
          { column: 'dirty', value: false },
        ],
        identity(entry),
      );
}

export function removeRow(database: DatabaseAdapter, table: QualifiedName, entry: HistoryEntry): string {
  return database.sql.rows.inline(removeRowValues(database, table, entry));
}

/** A dirty row stops up, down and goto ("Dirty database version"). */
export function setSuccess(
  database: DatabaseAdapter,
  table: QualifiedName,
  entry: HistoryEntry,
  success: boolean,
): string {
  const { rows } = database.sql;
  return rows.inline(rows.update(table, [{ column: 'dirty', value: !success }], identity(entry)));
}

function identity({ versionText, success }: HistoryEntry): readonly ColumnValue[] {
  return [
    { column: 'version', value: versionText ?? nilVersion },
    { column: 'dirty', value: !success },
  ];
}
