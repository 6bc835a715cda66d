import type { HistoryAdapter } from '../../../src/adapter/history.js';
import { checkMigrations } from './check-migrations.js';
import { forecast } from './forecast.js';
import { interpret } from './interpret.js';
import { toolLock } from './lock.js';
import { loadMigrations } from './migrations.js';
import { origin } from './origin.js';
import { replacePlaceholders } from './placeholders.js';
import { scratchHistory } from './scratch-history.js';
import {
  checkTable,
  describeTable,
  parseRows,
  readRows,
  removeRow,
  removeRowValues,
  scriptSchema,
  setSuccess,
  tableName,
} from './table.js';
import { flywayVersions } from './versions.js';

/** Flyway's schema history table, files and lock, by the rules of 13.0.0, which hold for 7.15 and newer. */
export const flywayHistory: HistoryAdapter = {
  tool: 'flyway',
  versions: flywayVersions,
  loadMigrations,
  tableName,
  describeTable,
  checkTable,
  readRows,
  parseRows,
  interpret,
  origin,
  toolLock,
  removeRow,
  removeRowValues,
  setSuccess,
  scriptSchema,
  replacePlaceholders,
  forecast,
  scratch: scratchHistory,
  checkMigrations,
};
