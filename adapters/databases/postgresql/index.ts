import type { Classifier, DatabaseAdapter, Session } from '../../../src/adapter/database.js';
import type { ConnectionSettings } from '../../../src/config/config.js';
import { plainDrop } from './classify/plain-drop.js';
import { postgresqlDialect } from './dialect.js';
import { readCascadeVictims, readObjectFacts } from './object-facts.js';
import { postgresqlLocks } from './lock-queries.js';
import { postgresqlSql } from './run-sql.js';
import { connectPostgresql } from './session.js';

async function loadClassifier(): Promise<Classifier> {
  return (await import('./classifier.js')).loadClassifier();
}

async function classifierFor(statements: readonly string[]): Promise<Pick<Classifier, 'classify'>> {
  const known = new Map(
    statements.flatMap((text) => {
      const impact = plainDrop(text);
      return impact === undefined ? [] : [[text, impact] as const];
    }),
  );
  if (!statements.every((text) => known.has(text))) return loadClassifier();
  return { classify: (text) => known.get(text) ?? { message: 'The statement was not announced.', offset: undefined } };
}

/** PostgreSQL 14 and newer. */
export const postgresql: DatabaseAdapter = {
  name: 'postgresql',
  dialect: postgresqlDialect,
  connect: (settings: ConnectionSettings) => connectPostgresql(settings),
  loadClassifier,
  classifierFor,
  objectFacts: readObjectFacts,
  cascadeVictims: readCascadeVictims,
  pendingActions: async (session: Session, statements: readonly string[]) =>
    (await import('./pending-actions.js')).readPendingActions(session, statements),
  recovery: async (statement: string) => (await import('./recovery.js')).recovery(statement),
  lend: async (session: Session) => (await import('./lent-session/door.js')).openDoor(session),
  locks: postgresqlLocks,
  loadServerChecks: async () => (await import('./server-checks.js')).postgresqlChecks,
  loadProofQueries: async () => (await import('./catalog/proof-queries.js')).postgresqlProofQueries,
  loadScratchServers: async () => (await import('./scratch-servers.js')).postgresqlScratch,
  sql: postgresqlSql,
};
