import type { HistoryAdapter } from '../../../src/adapter/history.js';
import type { MigrationTool } from '../../../src/adapter/migration-tool.js';
import { readDbmateConfig } from './read-config.js';
import { checkMigrations, forecast, holeAt, interpret } from './forecast.js';
import { loadMigrations } from './migrations.js';
import type { DbmateSettings } from './settings.js';
import {
  checkTable,
  describeTable,
  expectRows,
  parseRows,
  readRows,
  removeRow,
  removeRowValues,
  tableName,
  toolLock,
} from './table.js';
import { dbmateVersions } from './versions.js';

/** dbmate's table of versions and its files with an up and a down block, by the rules of 2.28. */
export const dbmateHistory: HistoryAdapter<DbmateSettings> = {
  tool: 'dbmate',
  words: {
    name: 'dbmate',
    migrate: 'dbmate migrate',
    repair: 'by hand, after a look at the schema',
    connection: 'Set DATABASE_URL, as for dbmate itself, or give --url.',
  },
  applied: 'known',
  versions: dbmateVersions,
  loadMigrations,
  tableName,
  describeTable,
  checkTable,
  readRows,
  parseRows,
  interpret,
  origin: ({ rows }) => ({
    isDoubtful: false,
    words:
      rows.length === 0 ? 'It has no rows yet.' : 'A row for each version, and nothing else: Rails writes the same.',
    hint: undefined,
  }),
  writers: () => [],
  toolLock,
  expectRows,
  removeRow,
  removeRowValues,
  setSuccess: () => undefined,
  holeAt,
  scriptSchema: (_settings, table, currentSchema) => currentSchema ?? table.schema,
  replacePlaceholders: (text) => text,
  opensTransaction: () => true,
  forecast,
  scratch: {
    createTable: (database, table) => {
      const type = database.name === 'mysql' ? 'varchar(128)' : 'varchar';
      return `CREATE TABLE IF NOT EXISTS ${database.sql.qualified(table)} (version ${type} PRIMARY KEY)`;
    },
    clearTable: (database, table) => `DELETE FROM ${database.sql.qualified(table)}`,
    insertRow: (database, table, migration) =>
      `INSERT INTO ${database.sql.qualified(table)} (version) VALUES (${database.dialect.quoteLiteral(migration.version?.text ?? '')})`,
  },
  checkMigrations,
};

/** dbmate, with its variables, its .env file and its folder. */
export const dbmate: MigrationTool = {
  history: dbmateHistory,
  readConfig: readDbmateConfig,
  marks: [],
};
