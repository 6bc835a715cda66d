import { describe, expect, it } from 'vitest';
import { readGolangMigrateConfig } from '../../../../../adapters/histories/golang-migrate/config/read-config.js';
import type { GolangMigrateSettings } from '../../../../../adapters/histories/golang-migrate/settings.js';
import { readConnection } from '../../../../../adapters/read-connection.js';
import type { ConnectionSettings } from '../../../../../src/config/config.js';
import type { ToolConfigReading, ToolConfigRequest } from '../../../../../src/config/readers.js';

function read(
  own: Readonly<Record<string, unknown>>,
  more: Partial<ToolConfigRequest> = {},
): Promise<ToolConfigReading<GolangMigrateSettings>> {
  return readGolangMigrateConfig({
    projectFolder: '/p',
    homeFolder: '/home',
    environment: {},
    configFiles: [],
    workingDirectory: undefined,
    overrides: {},
    own: new Map(Object.entries(own)),
    password: undefined,
    ...more,
  });
}

/** The connection that a URL comes to, by way of the variable that holds it. */
async function connectionOf(
  url: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<{ readonly settings: GolangMigrateSettings; readonly connection: ConnectionSettings | undefined }> {
  const reading = await read(
    { path: 'm', databaseEnv: 'DATABASE_URL' },
    { environment: { DATABASE_URL: url, ...environment } },
  );
  expect(reading.findings).toEqual([]);
  if (reading.connection === undefined) throw new Error('No connection.');
  const { settings } = readConnection({ ...reading.connection, systemUser: 'me', baseFolder: '/p' });
  return { settings: reading.settings, connection: settings };
}

describe('what golang-migrate is told', () => {
  it('is the folder, as -path or as a file URL', async () => {
    const folders = await Promise.all(
      ['db/m', '/abs/m', 'file://db/m', 'file:///abs/m', 'file:rel%20ative'].map(
        async (path) => (await read({ path })).settings.folder,
      ),
    );
    expect(folders).toEqual(['/p/db/m', '/abs/m', '/p/db/m', '/abs/m', '/p/rel ative']);
  });

  it('is needed: without a folder, or with one that is no folder, nothing can be done', async () => {
    for (const own of [{}, { path: 'github://mattes/migrate' }]) {
      const { findings } = await read(own);
      expect(findings).toMatchObject([{ code: 'config-value-invalid', severity: 'error' }]);
    }
  });

  it('is checked key by key, all problems at once', async () => {
    const { findings } = await read({ path: 7, databaseEvn: 'X' });
    expect(findings.map(({ code, hint }) => `${code}: ${hint ?? ''}`)).toEqual([
      'config-value-invalid: Write path = "…".',
      'config-key-unknown: Perhaps databaseEnv was meant.',
      expect.stringContaining('config-value-invalid') as string,
    ]);
  });

  it.each([
    ['postgres://u:p@h:6/app', 'require'],
    ['pgx5://u:p@h:6/app', 'prefer'],
    ['postgresql://u:p@h:6/app?sslmode=disable', 'disable'],
  ])('is the URL %s, whose driver uses TLS as %s', async (url, mode) => {
    const { connection } = await connectionOf(url);
    expect(connection).toMatchObject({
      hosts: [{ host: 'h', port: 6 }],
      databaseName: 'app',
      user: 'u',
      tls: { mode },
    });
    expect(connection?.password?.reveal()).toBe('p');
  });

  it('has PGSSLMODE where the URL says nothing', async () => {
    const { connection } = await connectionOf('postgres://h/app', { PGSSLMODE: 'disable' });
    expect(connection?.tls.mode).toBe('disable');
  });

  it('has search_path and the table among the parameters', async () => {
    const { settings, connection } = await connectionOf(
      'postgres://h/app?sslmode=disable&search_path=own,public&x-migrations-table=done&x-multi-statement=true',
    );
    expect(connection?.searchPath).toEqual(['own', 'public']);
    expect(settings).toMatchObject({ table: 'done', schema: undefined });
    const quoted = await connectionOf(
      'postgres://h/app?x-migrations-table=%22s.1%22.%22t%22&x-migrations-table-quoted=1',
    );
    expect(quoted.settings).toMatchObject({ table: 't', schema: 's.1' });
  });

  it.each([
    ['mysql://u:p%40@tcp(h:6)/app', { hosts: [{ host: 'h', port: 6 }], user: 'u' }],
    ['mysql://u:p%40@tcp(h)/app?parseTime=true', { hosts: [{ host: 'h', port: 3306 }], user: 'u' }],
    ['mysql://u:p%40@unix(/run/my.sock)/app', { hosts: [{ host: '/run/my.sock', port: 0 }] }],
    ['mysql://u:p%40@(h:6)/app?tls=skip-verify', { tls: { mode: 'require' } }],
    ['mysql://u:p%40@tcp(h:6)/app?tls=own&x-tls-ca=ca.pem', { tls: { rootCertificateFile: '/p/ca.pem' } }],
  ])('is the DSN of the Go driver for MySQL: %s', async (url, expected) => {
    const { settings, connection } = await connectionOf(
      `${url}${url.includes('?') ? '&' : '?'}x-migrations-table=done`,
    );
    expect(settings).toMatchObject({ table: 'done', schema: undefined });
    expect(connection).toMatchObject({ database: 'mysql', databaseName: 'app', ...expected });
    expect(connection?.password?.reveal()).toBe('p@');
  });

  it('warns where migrate takes no lock, and of a parameter that is none', async () => {
    const url = 'mysql://tcp(h)/app?x-no-lock=true&x-migration-table=done';
    const reading = await read({ path: 'm' }, { overrides: { url: { value: url, source: '--url' } } });
    expect(reading.settings.table).toBe('schema_migrations');
    expect(reading.findings.map(({ code, severity }) => `${severity} ${code}`)).toEqual([
      'warning url-key-unknown',
      'warning tool-lock-off',
    ]);
  });

  it.each([
    ['mysql://u:geheim@tcp(h)/app?socket=/run/my.sock', /a host and a socket/],
    ['mongodb://u:geheim@h/db', /mongodb/],
    ['no url with geheim', /no scheme/],
    ['pgx4://u:geheim@h/db?x-lock-strategy=table', /x-lock-strategy/],
    ['postgres://u:geheim@h/db?x-migrations-table=t&x-migrations-table-quoted=true', /quoted/],
  ])('is refused where it cannot be honoured: %s', async (url, words) => {
    const reading = await read({ path: 'm' }, { overrides: { url: { value: url, source: '--url' } } });
    expect(reading.connection).toBeUndefined();
    expect(reading.findings).toMatchObject([{ severity: 'error', subject: '--url' }]);
    expect(reading.findings[0]?.message).toMatch(words);
    expect(JSON.stringify(reading.findings)).not.toContain('geheim');
  });

  it('may lack the variable with the URL: the files can be audited', async () => {
    const reading = await read({ path: 'm', databaseEnv: 'DATABASE_URL' });
    expect(reading.connection).toBeUndefined();
    expect(reading.findings).toMatchObject([{ code: 'config-variable-unset', severity: 'warning' }]);
  });
});
