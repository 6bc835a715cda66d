import type { DatabaseAdapter } from '../../../src/adapter/database.js';
import type { ConnectionSettings } from '../../../src/config/config.js';
import { mysqlDialect } from './dialect.js';
import { untransactionalTables } from './engines.js';
import { mysqlLocks } from './lock-queries.js';
import { readObjectFacts } from './object-facts.js';
import { refusalOf } from './refusal.js';
import { mysqlSql } from './run-sql.js';
import { connectMysql } from './session.js';

/** MySQL 8.0 and MariaDB 10.6, and newer. */
export const mysql: DatabaseAdapter = {
  name: 'mysql',
  dialect: mysqlDialect,
  connect: (settings: ConnectionSettings) => connectMysql(settings),
  refusal: refusalOf,
  loadClassifier: async () => (await import('./classifier.js')).loadClassifier(),
  classifierFor: async () => (await import('./classifier.js')).loadClassifier(),
  objectFacts: readObjectFacts,
  untransactionalTables,
  // CASCADE is read and means nothing (MySQL manual, "DROP TABLE").
  cascadeVictims: async (_session, drops) => drops.map(() => []),
  pendingActions: async () => [],
  recovery: async (statement: string) => (await import('./recovery.js')).recovery(statement),
  locks: mysqlLocks,
  loadServerChecks: async () => (await import('./server-checks.js')).mysqlChecks,
  loadProofQueries: async () => (await import('./catalog/proof-queries.js')).mysqlProofQueries,
  loadScratchServers: async () => (await import('./scratch-servers.js')).mysqlScratch,
  sql: mysqlSql,
};
