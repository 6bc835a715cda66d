import type { Command, DatabaseAdapter, QueryResult, ToolLock } from '../../../src/adapter/database.js';
import type { Condition } from '../../../src/adapter/history.js';
import { FlybackError } from '../../../src/errors/error.js';
import type { HistoryEntry, QualifiedName } from '../../../src/history/history.js';
import type { Migration } from '../../../src/history/migration.js';
import { ownLock } from '../own-lock.js';
import type { DbmateSettings } from './settings.js';

export const usualTable = 'schema_migrations';

export function tableName({ schema, table }: DbmateSettings, currentSchema: string | null): QualifiedName {
  const found = schema ?? currentSchema;
  if (found === null) {
    throw new FlybackError(
      'history-missing',
      `Cannot tell in which schema the table ${table} is: the connection has no current schema.`,
      { hint: 'Set search_path in the URL, or DBMATE_MIGRATIONS_TABLE with a schema.' },
    );
  }
  return { schema: found, name: table };
}

export function describeTable(database: DatabaseAdapter, table: QualifiedName): string {
  return database.sql.describeTable(table, [usualTable]);
}

/** Other tools with a column version, and a column by which their tables are known. */
const others = [
  ['golang-migrate', 'dirty'],
  ['Flyway', 'installed_rank'],
] as const;

/** One column version with text. Throws FlybackError history-missing or history-malformed. */
export function checkTable(table: QualifiedName, described: QueryResult): void {
  const own = described.rows.filter(([schema, name]) => schema === table.schema && name === table.name);
  const shown = `"${table.schema}"."${table.name}"`;
  if (own.length === 0) {
    const elsewhere = [...new Set(described.rows.map(([schema, name]) => `"${schema ?? ''}"."${name ?? ''}"`))];
    throw new FlybackError('history-missing', `The table ${shown} does not exist.`, {
      hint:
        elsewhere.length === 0
          ? 'Check the database in DATABASE_URL; before the first dbmate migrate there is none.'
          : `Found in this database: ${elsewhere.join(', ')}. Set DBMATE_MIGRATIONS_TABLE.`,
    });
  }
  const types = new Map(own.map(([, , , column, type]) => [column ?? '', type ?? '']));
  const isText = /^(?:character varying|text|varchar)/.test(types.get('version') ?? '');
  const [other, mark] = others.find(([, column]) => types.has(column)) ?? [];
  if (own[0]?.[2] === 'table' && isText && other === undefined) return;
  throw new FlybackError(
    'history-malformed',
    other !== undefined
      ? `${shown} is the history of ${other}: it has a column ${mark}.`
      : `${shown} is not the table of dbmate, which has a column version with text.`,
    { hint: 'Say which tool keeps the history: tool in flyback.toml; or set DBMATE_MIGRATIONS_TABLE.' },
  );
}

export function readRows(database: DatabaseAdapter, table: QualifiedName): string {
  return database.sql.rows.select(table, ['version'], { orderBy: 'version' });
}

/** One entry for each row. Nothing tells when it was applied, so ranks follow the order of versions. */
export function parseRows(result: QueryResult, migrations: readonly Migration[]): readonly HistoryEntry[] {
  const files = new Map(
    migrations.filter(({ kind }) => kind === 'versioned').map((migration) => [migration.version?.key, migration]),
  );
  return result.rows
    .map(([version]) => version ?? '')
    .sort()
    .map((version, index) => ({
      rank: index + 1,
      versionText: version,
      description: files.get(version)?.description ?? '',
      type: 'SQL',
      script: files.get(version)?.script ?? '',
      checksum: null,
      installedBy: '',
      installedOn: '',
      executionTimeMs: 0,
      success: true,
    }));
}

export function expectRows(database: DatabaseAdapter, entries: readonly HistoryEntry[]): Condition {
  return database.sql.rows.expect(entries.length, []);
}

export function removeRowValues(database: DatabaseAdapter, table: QualifiedName, entry: HistoryEntry): Command {
  return database.sql.rows.remove(table, [{ column: 'version', value: entry.versionText }]);
}

export function removeRow(database: DatabaseAdapter, table: QualifiedName, entry: HistoryEntry): string {
  return database.sql.rows.inline(removeRowValues(database, table, entry));
}

/**
 * dbmate takes no lock. The key is flyback's own, so that two rollbacks exclude each other; a dbmate that begins later waits at
 * its first look at the history, which is locked.
 */
export function toolLock(database: DatabaseAdapter, table: QualifiedName): ToolLock {
  const text = `flyback dbmate ${JSON.stringify([table.schema, table.name])}`;
  return { ...ownLock(database, text), approach: undefined };
}
