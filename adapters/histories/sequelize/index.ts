import type { HistoryAdapter, HistoryOrigin, ToolWords } from '../../../src/adapter/history.js';
import type { MigrationTool } from '../../../src/adapter/migration-tool.js';
import { checkMigrations } from './check-migrations.js';
import { readSequelizeConfig } from './config/read-sequelize.js';
import { readUmzugConfig } from './config/read-umzug.js';
import { functions } from './functions.js';
import { forecast, holeAt } from './forecast.js';
import { interpret } from './interpret.js';
import { toolLock } from './lock.js';
import { loadMigrations } from './migrations.js';
import { scratchHistory } from './scratch-history.js';
import type { SequelizeSettings, ToolName } from './settings.js';
import {
  checkTable,
  defaultColumn,
  describeTable,
  expectRows,
  parseRows,
  readRows,
  removeRowValues,
  scriptSchema,
  tableName,
} from './table.js';
import { sequelizeVersions } from './versions.js';

const words = {
  sequelize: {
    name: 'Sequelize',
    migrate: 'sequelize-cli db:migrate',
    repair: 'correct the names in the table by hand',
    connection:
      "Configure it in sequelize-cli's config file, or give --url postgres://user@host/database, or mysql:// (FLYBACK_URL), with the password in FLYBACK_PASSWORD.",
  },
  umzug: {
    name: 'Umzug',
    migrate: 'umzug.up()',
    repair: 'correct the names in the table by hand',
    connection:
      'Umzug has no configuration of its own: give --url postgres://user@host/database, or mysql:// (FLYBACK_URL), with the password in FLYBACK_PASSWORD.',
  },
} as const satisfies Record<ToolName, ToolWords>;

/** The history of sequelize-cli 6 or Umzug 3 with names in this column. */
function createHistory(tool: ToolName, column: string): HistoryAdapter<SequelizeSettings> {
  return {
    tool,
    words: words[tool],
    applied: 'known',
    versions: sequelizeVersions,
    loadMigrations,
    tableName,
    describeTable,
    checkTable: (table, described) => {
      checkTable(tool, column, table, described);
    },
    readRows: (database, table) => readRows(database, table, column),
    parseRows,
    interpret: (table, entries) => interpret(tool, table, entries),
    origin: () => origin(tool),
    writers: () => [],
    toolLock,
    expectRows: (database, entries) => expectRows(database, column, entries),
    removeRow: (database, table, entry) => database.sql.rows.inline(removeRowValues(database, table, column, entry)),
    removeRowValues: (database, table, entry) => removeRowValues(database, table, column, entry),
    // A name is there or not: there is no way to tell the tool that something is half done.
    setSuccess: () => undefined,
    holeAt: (version) => holeAt(tool, version),
    scriptSchema,
    replacePlaceholders: (text) => text,
    opensTransaction: () => false,
    forecast: (history, migrations) => forecast(tool, history, migrations),
    scratch: scratchHistory(column),
    functions,
    checkMigrations: (history, migrations) => checkMigrations(tool, history, migrations),
  };
}

function origin(tool: ToolName): HistoryOrigin {
  return {
    words: `Its rows are names of files alone; ${words[tool].name} leaves no mark of its version, nor of who applied them and when.`,
    isDoubtful: false,
    hint: undefined,
  };
}

/** sequelize-cli 6, which keeps its history by Umzug 2.3. */
export const sequelize: MigrationTool = {
  history: createHistory('sequelize', defaultColumn),
  readConfig: readSequelizeConfig,
  marks: ['.sequelizerc'],
};

/** Umzug 3 with SequelizeStorage. */
export const umzug: MigrationTool = {
  history: createHistory('umzug', defaultColumn),
  historyFor: (settings) => createHistory('umzug', (settings as SequelizeSettings).column),
  readConfig: readUmzugConfig,
  marks: ['umzug.js', 'umzug.cjs', 'umzug.mjs', 'umzug.ts', 'umzug.json'],
};
