import type { QueryResult, ServerFailure, Session } from '../../../../src/adapter/database.js';
import { FlybackError } from '../../../../src/errors/error.js';
import { quoteLiteral } from '../quoting.js';

/**
 * Settings under which the same database is always written the same: names in backquotes, times in UTC, strict values, and
 * no statistics from yesterday (MySQL keeps what information_schema says of a table for a day).
 */
const plainSettings: Readonly<Record<string, string>> = {
  sql_mode: 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO',
  sql_quote_show_create: '1',
  time_zone: '+00:00',
  sql_safe_updates: '0',
};
const mysqlSettings: Readonly<Record<string, string>> = { ...plainSettings, information_schema_stats_expiry: '0' };

/** Runs work in a session with plain settings, in its own database, and puts settings and database back, also when it throws. */
export async function withPlainSettings<T>(session: Session, work: () => Promise<T>): Promise<T> {
  const settings = session.facts.mysql?.product === 'MySQL' ? mysqlSettings : plainSettings;
  const names = Object.keys(settings);
  const [were] = await ask(session, 'The settings of the session', [
    `SELECT DATABASE(), ${names.map((name) => `@@SESSION.${name}`).join(', ')}`,
  ]);
  const [database, ...values] = were?.rows[0] ?? [];
  const own = quoted(session.facts.databaseName);
  await ask(session, 'Plain settings', [
    ...(database === session.facts.databaseName ? [] : [`USE ${own}`]),
    setting(names.map((name) => [name, settings[name] ?? ''])),
  ]);
  try {
    return await work();
  } finally {
    const back = [
      setting(names.map((name, at) => [name, values[at] ?? ''])),
      ...(database === session.facts.databaseName || database === null || database === undefined
        ? []
        : [`USE ${quoted(database)}`]),
    ];
    // When the connection is gone, the work has said so.
    for (const statement of back) await session.pipeline([statement]);
  }
}

function setting(values: readonly (readonly [name: string, value: string])[]): string {
  const assignments = values.map(
    ([name, value]) => `SESSION ${name} = ${/^\d+$/.test(value) ? value : quoteLiteral(value)}`,
  );
  return `SET ${assignments.join(', ')}`;
}

function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

/** One answer for each statement. Throws FlybackError that says what could not be read. */
export async function ask(
  session: Session,
  what: string,
  statements: readonly string[],
): Promise<readonly QueryResult[]> {
  const { results, failure } = await session.pipeline(statements);
  if (failure !== undefined) throw unreadable(what, failure.error);
  return results.flatMap((answers) => answers.slice(-1));
}

function unreadable(what: string, error: ServerFailure): FlybackError {
  const code = error.connectionLost ? 'connection-lost' : error.condition === 'cancelled' ? 'cancelled' : 'internal';
  return new FlybackError(code, `${what} cannot be read: ${error.message}`, {
    hint: error.hint,
    serverCode: error.serverCode,
    condition: error.condition,
  });
}
