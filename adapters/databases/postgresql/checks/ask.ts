import type { Session } from '../../../../src/adapter/database.js';
import { notChecked, type Check } from '../../../../src/doctor/check.js';
import { FlybackError } from '../../../../src/errors/error.js';
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

/** The checks that `ask` gives, or all of these not checked, for the reason that the server gave. */
export async function orNotChecked(
  names: readonly string[],
  ask: () => Promise<readonly Check[]>,
): Promise<readonly Check[]> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof FlybackError)) throw error;
    return names.map((name) => notChecked(name, error.message));
  }
}

/** "a, b, c and 4 more". */
export function listed(names: readonly string[], shown = 5): string {
  const first = names.slice(0, shown).join(', ');
  return names.length > shown ? `${first} and ${names.length - shown} more` : first;
}
