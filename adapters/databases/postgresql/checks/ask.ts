import type { Session } from '../../../../src/adapter/database.js';
import { postgresqlSql } from '../run-sql.js';
import { sessionError } from '../server-failure.js';

/** A question to the catalog is answered at once; whatever holds it up longer is not waited for. */
const patience = `SELECT pg_catalog.set_config('statement_timeout', '30s', true), pg_catalog.set_config('lock_timeout', '5s', true)`;

/**
 * Opens a transaction that cannot write. With the scripts' schema, names mean what they mean in the scripts; without it,
 * only the catalog's own need no schema.
 */
export function beginQuestion(session: Session, scriptSchema: string | undefined): string {
  const path = `SELECT pg_catalog.set_config('search_path', 'pg_catalog', true)`;
  const begin =
    scriptSchema === undefined ? `BEGIN READ ONLY;${path}` : postgresqlSql.beginReadOnly(session.facts, scriptSchema);
  return `${begin};${patience}`;
}

/**
 * Asks one question whose answer is one JSON value, in a transaction of its own: through a pooler, the next message may
 * meet another server process. Throws FlybackError with the server's reason.
 */
export async function askJson(session: Session, scriptSchema: string | undefined, query: string): Promise<unknown> {
  const outcome = await session.pipeline([beginQuestion(session, scriptSchema), query, 'ROLLBACK']);
  if (outcome.failure !== undefined) {
    throw sessionError(outcome.failure.error.cause, 'The server refused a question of flyback', 'connected');
  }
  const text = outcome.results[1]?.[0]?.rows[0]?.[0];
  return text === null || text === undefined ? null : JSON.parse(text);
}
