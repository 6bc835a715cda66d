import type { Classifier, DatabaseAdapter } from '../../../src/adapter/database.js';
import type { ConnectionSettings } from '../../../src/config/config.js';
import { postgresqlDialect } from './dialect.js';
import { readCascadeVictims, readObjectFacts } from './object-facts.js';
import { postgresqlSql } from './run-sql.js';
import { connectPostgresql } from './session.js';

/** PostgreSQL 14 and newer. */
export const postgresql: DatabaseAdapter = {
  name: 'postgresql',
  dialect: postgresqlDialect,
  connect: (settings: ConnectionSettings) => connectPostgresql(settings),
  loadClassifier: async (): Promise<Classifier> => (await import('./classifier.js')).loadClassifier(),
  objectFacts: readObjectFacts,
  cascadeVictims: readCascadeVictims,
  sql: postgresqlSql,
};
