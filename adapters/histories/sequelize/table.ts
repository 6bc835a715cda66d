import type { ColumnValue, Command, DatabaseAdapter, QueryResult } from '../../../src/adapter/database.js';
import type { Condition } from '../../../src/adapter/history.js';
import { FlybackError } from '../../../src/errors/error.js';
import type { HistoryEntry, QualifiedName } from '../../../src/history/history.js';
import type { SequelizeSettings, ToolName } from './settings.js';
import { descriptionOf } from './versions.js';

export const defaultTable = 'SequelizeMeta';
export const defaultColumn = 'name';

const textTypes = ['character varying', 'text', 'varchar', 'character', 'char'];

/** Tables of other tools that also keep names of files, by the columns that theirs have besides. */
const others: readonly { readonly tool: string; readonly columns: readonly string[] }[] = [
  { tool: 'Knex', columns: ['name', 'batch', 'migration_time'] },
  { tool: 'TypeORM', columns: ['name', 'timestamp'] },
  { tool: 'node-pg-migrate', columns: ['name', 'run_on'] },
];

/** The table where the tool looks for it. Names are exact: Sequelize quotes them. Throws FlybackError history-missing. */
export function tableName(settings: SequelizeSettings, currentSchema: string | null): QualifiedName {
  const schema = settings.schema ?? currentSchema;
  if (schema === null) {
    throw new FlybackError(
      'history-missing',
      `Cannot tell in which schema the history table ${settings.table} is: the connection has no current schema.`,
      { hint: `Set schema under [${settings.tool}] in flyback.toml, or --default-schema.` },
    );
  }
  return { schema, name: settings.table };
}

/** Neither tool sets the search_path: scripts see what a new connection sees. */
export function scriptSchema(_settings: SequelizeSettings, table: QualifiedName, currentSchema: string | null): string {
  return currentSchema ?? table.schema;
}

export function describeTable(database: DatabaseAdapter, table: QualifiedName): string {
  return database.sql.describeTable(table, [defaultTable]);
}

/**
 * Checks that the described table is a history of file names. Further columns (createdAt, updatedAt, those of a model of the
 * project's own) are no problem. Throws FlybackError history-missing or history-malformed.
 */
export function checkTable(tool: ToolName, column: string, table: QualifiedName, described: QueryResult): void {
  const own = described.rows.filter(([schema, name]) => schema === table.schema && name === table.name);
  if (own.length === 0) {
    throw new FlybackError('history-missing', `The history table ${display(table)} does not exist.`, {
      hint: hintForMissing(tool, described),
    });
  }
  const malformed = (problem: string, hint: string): FlybackError =>
    new FlybackError('history-malformed', `${display(table)} ${problem}.`, { hint });
  const place = `[${tool}] in flyback.toml`;
  if (own[0]?.[2] !== 'table') {
    throw malformed('is not a table, so it cannot be the history', `Set table and schema under ${place}.`);
  }
  const types = new Map(own.map(([, , , name, type]) => [name ?? '', type ?? '']));
  const other = others.find(({ columns }) => columns.every((name) => types.has(name)));
  if (other !== undefined) {
    throw malformed(
      `has the columns of ${other.tool}'s history (${other.columns.join(', ')}), not those of ${nameOf(tool)}'s`,
      `Set tool in flyback.toml to the tool that keeps the history, or table under ${place}.`,
    );
  }
  const type = types.get(column);
  if (type === undefined) {
    const texts = [...types].filter(([, kind]) => textTypes.includes(kind)).map(([name]) => name);
    throw malformed(
      `is not a history of ${nameOf(tool)}: column ${column} is missing`,
      tool === 'umzug' && texts.length > 0
        ? `When the names are in another column (columnName of SequelizeStorage): column = "${texts[0] ?? ''}" under ${place}.`
        : `Set table and schema under ${place} to those that the migrations are kept in.`,
    );
  }
  if (!textTypes.includes(type)) {
    throw malformed(
      `is not a history of ${nameOf(tool)}: column ${column} is ${type} instead of character varying`,
      `Set table and schema under ${place} to those that the migrations are kept in.`,
    );
  }
}

function hintForMissing(tool: ToolName, described: QueryResult): string {
  const elsewhere = [
    ...new Set(described.rows.map(([schema, name]) => display({ schema: schema ?? '', name: name ?? '' }))),
  ];
  if (elsewhere.length > 0) {
    return `Set schema and table under [${tool}] in flyback.toml; found in this database: ${elsewhere.join(', ')}.`;
  }
  return tool === 'umzug'
    ? 'Check the database in the URL, and table and schema under [umzug] in flyback.toml. Umzug keeps its history in the file umzug.json unless it is given SequelizeStorage; flyback cannot roll such a history back together with the database.'
    : 'Check the database in the URL, migrationStorageTableName and migrationStorageTableSchema; before the first db:migrate there is none.';
}

function nameOf(tool: ToolName): string {
  return tool === 'umzug' ? 'Umzug' : 'Sequelize';
}

function display({ schema, name }: QualifiedName): string {
  return `"${schema}"."${name}"`;
}

/** Every name in the order of the database, in which the tools read them too. */
export function readRows(database: DatabaseAdapter, table: QualifiedName, column: string): string {
  return database.sql.rows.select(table, [column], { orderBy: column });
}

/** Rows of readRows → entries; the rank is the place in the order of names, counted from 1. */
export function parseRows(result: QueryResult): readonly HistoryEntry[] {
  return result.rows.map(([name], index) => {
    if (name === null || name === undefined || name === '') {
      throw new FlybackError('history-malformed', 'The history has a row without a name.', {
        hint: 'Neither Sequelize nor Umzug writes such a row: find out what did, and remove it.',
      });
    }
    return {
      rank: index + 1,
      versionText: name,
      description: descriptionOf(name),
      type: typeOf(name),
      script: name,
      checksum: null,
      installedBy: '',
      installedOn: '',
      executionTimeMs: 0,
      success: true,
    };
  });
}

function typeOf(name: string): string {
  return /\.([cm]?[jt]s|sql)$/i.exec(name)?.[1]?.toUpperCase() ?? 'NAME';
}

/** As many rows, and the same last name: enough to notice that the tool was at work in between. */
export function expectRows(database: DatabaseAdapter, column: string, entries: readonly HistoryEntry[]): Condition {
  const last = entries.reduce<HistoryEntry | undefined>(
    (highest, entry) => (highest === undefined || entry.rank > highest.rank ? entry : highest),
    undefined,
  );
  return database.sql.rows.expect(entries.length, [{ aggregate: 'max', column, value: last?.script ?? null }]);
}

/** The name is the key; compared exactly, whatever the collation. */
export function removeRowValues(
  database: DatabaseAdapter,
  table: QualifiedName,
  column: string,
  entry: HistoryEntry,
): Command {
  const where: readonly ColumnValue[] = [{ column, value: entry.script }];
  return database.sql.rows.remove(table, where);
}
