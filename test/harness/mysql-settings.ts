import { type ConnectionSettings, Secret } from '../../src/config/config.js';

/** Connection settings for a mysql:// URL of the harness, without TLS unless a test says otherwise. */
export function mysqlSettings(url: string, changes: Partial<ConnectionSettings> = {}): ConnectionSettings {
  const { hostname, port, username, password, pathname } = new URL(url);
  return {
    database: 'mysql',
    hosts: [{ host: hostname, port: Number(port) }],
    databaseName: decodeURIComponent(pathname.slice(1)),
    user: decodeURIComponent(username),
    password: password === '' ? undefined : new Secret(decodeURIComponent(password)),
    tls: { mode: 'disable' },
    targetServer: 'any',
    searchPath: [],
    options: undefined,
    applicationName: 'flyback',
    connectTimeoutMs: 5000,
    initSql: undefined,
    display: `mysql://${hostname}:${port}${pathname}`,
    ...changes,
  };
}
