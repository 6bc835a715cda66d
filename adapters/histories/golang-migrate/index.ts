import type { HistoryAdapter } from '../../../src/adapter/history.js';
import type { MigrationTool } from '../../../src/adapter/migration-tool.js';
import type { Migration } from '../../../src/history/migration.js';
import { readGolangMigrateConfig } from './config/read-config.js';
import { checkMigrations, forecast, holeAt } from './forecast.js';
import { interpret, origin } from './interpret.js';
import { toolLock } from './lock.js';
import { loadMigrations } from './migrations.js';
import { scratchHistory } from './scratch-history.js';
import type { GolangMigrateSettings } from './settings.js';
import {
  checkTable,
  describeTable,
  expectRows,
  parseRows,
  readRows,
  removeRow,
  removeRowValues,
  setSuccess,
  tableName,
} from './table.js';
import { golangMigrateVersions } from './versions.js';

/** golang-migrate's table of one row, its pairs of files and its lock, by the rules of 4.18.3 and 4.19. */
export const golangMigrateHistory: HistoryAdapter<GolangMigrateSettings> = {
  tool: 'golang-migrate',
  words: {
    name: 'golang-migrate',
    migrate: 'migrate up',
    repair: 'migrate force, once you know what is true',
    connection:
      'Give the URL that migrate -database gets: --url, FLYBACK_URL, or under [golang-migrate] in flyback.toml databaseEnv, the variable that holds it.',
  },
  applied: 'inferred',
  versions: golangMigrateVersions,
  loadMigrations,
  tableName,
  describeTable,
  checkTable,
  readRows,
  parseRows,
  interpret,
  origin,
  writers: () => [],
  toolLock,
  expectRows,
  removeRow,
  removeRowValues,
  setSuccess,
  holeAt,
  scriptSchema: (_settings, table, currentSchema) => currentSchema ?? table.schema,
  replacePlaceholders: (text) => text,
  opensTransaction,
  forecast,
  scratch: scratchHistory,
  checkMigrations,
};

/** A file goes to the server in one message, which is a transaction unless the file has its own. */
function opensTransaction({ sql }: Migration): boolean {
  return !/\b(?:commit|rollback|start\s+transaction)\b/i.test(sql);
}

/** golang-migrate, which is told everything by flags: flyback.toml has a table for them. */
export const golangMigrate: MigrationTool = {
  history: golangMigrateHistory,
  readConfig: readGolangMigrateConfig,
  marks: [],
  guess: {
    migrations: /^\d+_.*\.up\.\w+$/,
    settings: (folder) => `
[golang-migrate]
path = ${JSON.stringify(folder)}
# The variable with the URL that migrate -database gets.
databaseEnv = "DATABASE_URL"
`,
  },
};
