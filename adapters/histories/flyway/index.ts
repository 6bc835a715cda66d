import type { HistoryAdapter } from '../../../src/adapter/history.js';
import type { MigrationTool } from '../../../src/adapter/migration-tool.js';
import { checkMigrations } from './check-migrations.js';
import { readFlywayConfig } from './config/read-config.js';
import { forecast, holeAt } from './forecast.js';
import { interpret } from './interpret.js';
import { toolLock } from './lock.js';
import { loadMigrations } from './migrations.js';
import { origin } from './origin.js';
import { replacePlaceholders } from './placeholders.js';
import { scratchHistory } from './scratch-history.js';
import {
  checkTable,
  describeTable,
  expectRows,
  parseRows,
  readRows,
  removeRow,
  removeRowValues,
  scriptSchema,
  setSuccess,
  tableName,
  writers,
} from './table.js';
import type { FlywaySettings } from './settings.js';
import { flywayVersions } from './versions.js';

/** Flyway's schema history table, files and lock, by the rules of 13.0.0, which hold for 7.15 and newer. */
export const flywayHistory: HistoryAdapter<FlywaySettings> = {
  tool: 'flyway',
  words: {
    name: 'Flyway',
    migrate: 'flyway migrate',
    repair: 'flyway repair may help',
    connection:
      'Set url in flyway.toml or flyway.conf, or FLYWAY_URL, or give --url jdbc:postgresql://host/database (jdbc:mysql:, jdbc:mariadb:).',
  },
  applied: 'known',
  versions: flywayVersions,
  loadMigrations,
  tableName,
  describeTable,
  checkTable,
  readRows,
  parseRows,
  interpret,
  origin,
  writers,
  toolLock,
  expectRows,
  removeRow,
  removeRowValues,
  setSuccess,
  holeAt,
  scriptSchema,
  replacePlaceholders,
  opensTransaction: (migration, settings) => migration.executeInTransaction ?? settings.executeInTransaction,
  forecast,
  scratch: scratchHistory,
  checkMigrations,
};

/** Flyway with its files flyway.toml and flyway.conf. */
export const flyway: MigrationTool = {
  history: flywayHistory,
  readConfig: readFlywayConfig,
  marks: ['flyway.toml', 'flyway.user.toml', 'flyway.conf'],
};
