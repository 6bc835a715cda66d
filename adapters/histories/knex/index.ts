import type { HistoryAdapter } from '../../../src/adapter/history.js';
import type { MigrationTool } from '../../../src/adapter/migration-tool.js';
import { checkMigrations } from './check-migrations.js';
import { readKnexConfig } from './config/read-config.js';
import { functions } from './functions.js';
import { forecast, habits, holeAt } from './forecast.js';
import { interpret, origin } from './interpret.js';
import { toolLock } from './lock.js';
import { loadMigrations } from './migrations.js';
import { scratchHistory } from './scratch-history.js';
import type { KnexSettings } from './settings.js';
import {
  checkTable,
  describeTable,
  expectRows,
  parseRows,
  readRows,
  removeRow,
  removeRowValues,
  scriptSchema,
  tableName,
} from './table.js';
import { knexVersions } from './versions.js';

/** Knex's table of applied migrations, its files and its lock row, by the rules of 3.3, which hold for 1.0 and newer. */
export const knexHistory: HistoryAdapter<KnexSettings> = {
  tool: 'knex',
  words: {
    name: 'Knex',
    migrate: 'knex migrate:latest',
    repair: 'knex migrate:list says what it makes of it',
    connection:
      'Let flyback load the knexfile ([knex] load = true in flyback.toml, or --load-code true), or give --url postgres://user@host/database, or mysql://.',
  },
  applied: 'known',
  versions: knexVersions,
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
  // The rows have no mark of success: the flag of the lock stops Knex while a rollback is half-way.
  setSuccess: () => undefined,
  holeAt,
  scriptSchema,
  replacePlaceholders: (text) => text,
  opensTransaction: (_migration, settings) => !settings.disableTransactions,
  forecast,
  habits,
  scratch: scratchHistory,
  functions,
  checkMigrations,
};

/** Knex with its knexfile, or with what flyback.toml says in its place. */
export const knex: MigrationTool = {
  history: knexHistory,
  readConfig: readKnexConfig,
  marks: ['knexfile.*'],
};
