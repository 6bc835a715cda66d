import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { describe, inject } from 'vitest';
import type { TestServer } from './servers.js';

/** A database of one test file's own. */
export interface TestDatabase {
  readonly name: string;
  /** libpq URL. */
  readonly url: string;
  /** The same for Java, without the user. */
  readonly jdbcUrl: string;
  readonly user: string;
  /** Empty where the server asks for none. */
  readonly password: string;
  /** Ends every connection to it and removes it. */
  drop(): Promise<void>;
}

/** The servers of this run, oldest major first. */
export function testServers(): readonly TestServer[] {
  return [...inject('servers')].sort((a, b) => a.major - b.major);
}

/** For tests whose subject does not depend on the server's version. */
export function newestServer(): TestServer {
  const server = testServers().at(-1);
  if (server === undefined) throw new Error('The global setup has started no PostgreSQL server.');
  return server;
}

/** Defines the same suite once for each server of this run. */
export function forEachMajor(define: (server: TestServer) => void): void {
  for (const server of testServers()) {
    describe(`PostgreSQL ${String(server.major)}`, () => {
      define(server);
    });
  }
}

/** Creates an empty database, from template0 with UTF-8 and the C locale whatever the server's own default. */
export async function createDatabase(
  serverUrl: string,
  name = `flyback_test_${randomUUID().replaceAll('-', '').slice(0, 12)}`,
): Promise<TestDatabase> {
  const quoted = `"${name.replaceAll('"', '""')}"`;
  await runOn(serverUrl, `CREATE DATABASE ${quoted} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'`);
  const url = new URL(serverUrl);
  url.pathname = `/${encodeURIComponent(name)}`;
  return {
    name,
    url: url.href,
    jdbcUrl: `jdbc:postgresql://${url.host}${url.pathname}`,
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    drop: async () => {
      await runOn(serverUrl, `DROP DATABASE IF EXISTS ${quoted} WITH (FORCE)`);
    },
  };
}

/** Runs SQL on a connection of its own and returns the last statement's rows. */
export async function runOn(url: string, sql: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    // With several statements there are several results; the types of pg know of one only.
    const result: pg.QueryResult<Record<string, unknown>> | pg.QueryResult<Record<string, unknown>>[] =
      await client.query<Record<string, unknown>>(sql);
    return [result].flat().at(-1)?.rows ?? [];
  } finally {
    await client.end();
  }
}
