import { runOn as runOnMysql } from './mysql.js';
import { runOn as runOnPostgres, type TestDatabase } from './postgres.js';

/** Whether a database of the harness is one of MariaDB or MySQL. */
export function isMysql({ url }: Pick<TestDatabase, 'url'>): boolean {
  return url.startsWith('mysql:');
}

/** Runs SQL on a connection of its own and returns the last statement's rows, whatever the database is. */
export function runOn(url: string, sql: string): Promise<readonly Record<string, unknown>[]> {
  return isMysql({ url }) ? runOnMysql(url, sql) : runOnPostgres(url, sql);
}

/** The URL's parts as most drivers for JavaScript take them, with leave to send several statements at once. */
export function mysqlKeys(database: Pick<TestDatabase, 'url'>): Readonly<Record<string, string | number | boolean>> {
  const { hostname, port, username, password, pathname } = new URL(database.url);
  return {
    host: hostname,
    port: Number(port),
    user: username,
    password,
    database: pathname.slice(1),
    multipleStatements: true,
  };
}

/** The URL in the form of the Go driver, as golang-migrate takes it. */
export function goUrl(database: Pick<TestDatabase, 'url'>): string {
  const { host, username, password, pathname } = new URL(database.url);
  return `mysql://${username}:${password}@tcp(${host})${pathname}`;
}
