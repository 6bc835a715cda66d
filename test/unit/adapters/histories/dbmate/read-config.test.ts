import { describe, expect, it } from 'vitest';
import { readDbmateConfig } from '../../../../../adapters/histories/dbmate/read-config.js';
import type { DbmateSettings } from '../../../../../adapters/histories/dbmate/settings.js';
import { readConnection } from '../../../../../adapters/read-connection.js';
import type { ConnectionSettings } from '../../../../../src/config/config.js';
import type { ToolConfigReading } from '../../../../../src/config/readers.js';

function read(environment: Readonly<Record<string, string>>): Promise<ToolConfigReading<DbmateSettings>> {
  return readDbmateConfig({
    projectFolder: '/nowhere',
    homeFolder: '/home',
    environment,
    configFiles: [],
    workingDirectory: undefined,
    overrides: {},
    own: new Map(),
    password: undefined,
  });
}

async function connectionOf(url: string): Promise<ConnectionSettings | undefined> {
  const { connection, findings } = await read({ DATABASE_URL: url });
  expect(findings).toEqual([]);
  if (connection === undefined) return undefined;
  const reading = readConnection({ ...connection, systemUser: 'me', baseFolder: '/nowhere' });
  expect(reading.findings.filter(({ severity }) => severity !== 'info')).toEqual([]);
  return reading.settings;
}

describe("dbmate's URL for MySQL", () => {
  it.each([
    ['mysql://u:p%40@h:7/app', { hosts: [{ host: 'h', port: 7 }], tls: { mode: 'prefer' } }],
    ['mysql://u:p%40@h/app', { hosts: [{ host: 'h', port: 3306 }] }],
    ['mysql://u:p%40@[::1]:7/app', { hosts: [{ host: '::1', port: 7 }] }],
    ['mysql://u:p%40@/app?socket=/run/my.sock', { hosts: [{ host: '/run/my.sock', port: 0 }] }],
    ['mysql://u:p%40@h/app?tls=true&timeout=5s', { tls: { mode: 'verify-full' }, connectTimeoutMs: 5000 }],
    ['mysql://u:p%40@h/app?tls=skip-verify', { tls: { mode: 'require' } }],
  ])('%s means what it means to its driver', async (url, expected) => {
    const connection = await connectionOf(url);
    expect(connection).toMatchObject({ database: 'mysql', databaseName: 'app', user: 'u', ...expected });
    expect(connection?.password?.reveal()).toBe('p@');
  });

  it('leaves a dot in the name of the table alone; on PostgreSQL it ends a schema', async () => {
    const table = { DBMATE_MIGRATIONS_TABLE: 'ops.done' };
    expect((await read({ ...table, DATABASE_URL: 'mysql://h/app' })).settings).toMatchObject({
      table: 'ops.done',
      schema: undefined,
    });
    expect((await read({ ...table, DATABASE_URL: 'postgres://h/app' })).settings).toMatchObject({
      table: 'done',
      schema: 'ops',
    });
  });
});
