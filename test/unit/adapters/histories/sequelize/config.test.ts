import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { functions } from '../../../../../adapters/histories/sequelize/functions.js';
import type { SequelizeSettings } from '../../../../../adapters/histories/sequelize/settings.js';
import { tools } from '../../../../../adapters/index.js';
import { readConnection } from '../../../../../adapters/read-connection.js';
import type { FunctionCaller } from '../../../../../src/adapter/migration-functions.js';
import type { Config } from '../../../../../src/config/config.js';
import { type ConfigFlags, loadConfig } from '../../../../../src/config/load-config.js';
import { FlybackError } from '../../../../../src/errors/error.js';

const secret = 'pa55word-of-nobody';
let project: string;

beforeEach(async () => {
  project = await mkdtemp(path.join(tmpdir(), 'flyback-sequelize-'));
});
afterEach(() => rm(project, { recursive: true }));

async function put(name: string, text: string): Promise<void> {
  await mkdir(path.dirname(path.join(project, name)), { recursive: true });
  await writeFile(path.join(project, name), text);
}

interface Loaded extends Omit<Config, 'tool'> {
  readonly tool: SequelizeSettings;
}

async function load(flags: ConfigFlags = {}, environment: Record<string, string> = {}): Promise<Loaded> {
  const config = await loadConfig({
    projectFolder: project,
    flags: { tool: 'sequelize', ...flags },
    environment: { PATH: process.env['PATH'] ?? '', ...environment },
    homeFolder: project,
    systemUser: 'me',
    tools,
    readConnection,
  });
  return config as Loaded;
}

async function refusal(flags: ConfigFlags = {}, environment: Record<string, string> = {}): Promise<FlybackError> {
  const error: unknown = await load(flags, environment).then(
    (config) => config,
    (reason: unknown) => reason,
  );
  if (!(error instanceof FlybackError)) throw new Error(`expected a FlybackError, got ${inspect(error)}`);
  expect(inspect(error, { depth: 9 })).not.toContain(secret);
  return error;
}

const codesOf = (error: FlybackError): readonly string[] => error.findings.map(({ code }) => code);

const production = {
  dialect: 'postgres',
  host: 'db.example',
  port: 6543,
  database: 'shop',
  username: 'app',
  password: secret,
};

describe('config/config.json', () => {
  it('needs no consent, and one environment needs no name', async () => {
    await put('config/config.json', JSON.stringify({ production }));
    const { connection, tool, secrets } = await load();
    expect(connection).toMatchObject({
      hosts: [{ host: 'db.example', port: 6543 }],
      databaseName: 'shop',
      user: 'app',
      display: expect.not.stringContaining(secret) as string,
    });
    expect(connection?.password?.reveal()).toBe(secret);
    expect(secrets.map((value) => value.reveal())).toContain(secret);
    expect(tool).toMatchObject({
      table: 'SequelizeMeta',
      schema: undefined,
      column: 'name',
      migrations: ['migrations'],
    });
  });

  it('may be one connection without environments', async () => {
    await put('config/config.json', JSON.stringify(production));
    expect((await load({}, { NODE_ENV: 'production' })).connection?.databaseName).toBe('shop');
  });

  it('with several environments, none named: refused instead of taking development', async () => {
    await put('config/config.json', JSON.stringify({ development: production, test: production, production }));
    const error = await refusal();
    expect(codesOf(error)).toEqual(['config-environment-missing']);
    expect(error.message).toContain('development, test, production');
  });

  it.each([
    [{ environment: 'staging' }, {}],
    [{}, { NODE_ENV: 'staging' }],
    [{}, { FLYBACK_ENVIRONMENT: 'staging', NODE_ENV: 'development' }],
  ])('the environment is named by %o %o', async (flags, environment) => {
    const staging = { ...production, database: 'stage' };
    await put('config/config.json', JSON.stringify({ development: production, staging }));
    expect((await load(flags, environment)).connection?.databaseName).toBe('stage');
  });

  it('does not have every environment', async () => {
    await put('config/config.json', JSON.stringify({ development: production, production }));
    expect(codesOf(await refusal({ environment: 'prod' }))).toEqual(['config-environment-unknown']);
  });

  it.each([
    [{ url: `postgres://u:${secret}@h/d?sslmode=require` }, { databaseName: 'd', tls: { mode: 'require' }, user: 'u' }],
    [{ use_env_variable: 'DB' }, { databaseName: 'fromenv' }],
    [{ ...production, dialectOptions: { ssl: { rejectUnauthorized: false } } }, { tls: { mode: 'require' } }],
    [{ ...production, dialectOptions: { ssl: true } }, { tls: { mode: 'verify-full' } }],
    [{ ...production, dialectOptions: { options: '-c search_path=a' } }, { options: '-c search_path=a' }],
    [{ ...production, host: '/run/pg' }, { hosts: [{ host: '/run/pg', port: 6543 }] }],
    [{ ...production, host: '::1' }, { hosts: [{ host: '::1', port: 6543 }] }],
    [
      { ...production, replication: { read: [{ host: 'r' }], write: { host: 'w', username: 'writer' } } },
      { hosts: [{ host: 'w', port: 6543 }], user: 'writer' },
    ],
    [
      { ...production, searchPath: 'shop, public', dialectOptions: { prependSearchPath: true } },
      { searchPath: ['shop', 'public'] },
    ],
    [{ ...production, searchPath: 'shop' }, { searchPath: [] }],
    [
      { ...production, dialect: 'mysql' },
      { database: 'mysql', hosts: [{ host: 'db.example', port: 6543 }], user: 'app' },
    ],
    [
      { dialect: 'mariadb', database: 'shop', dialectOptions: { socketPath: '/run/my.sock', options: 'x' } },
      { database: 'mysql', hosts: [{ host: '/run/my.sock', port: 0 }], databaseName: 'shop' },
    ],
    [{ ...production, dialect: 'mysql', dialectOptions: { ssl: {} } }, { tls: { mode: 'verify-ca' } }],
    [
      { ...production, dialect: 'mysql', dialectOptions: { ssl: { verifyIdentity: true } } },
      { tls: { mode: 'verify-full' } },
    ],
    [{ ...production, dialect: 'mariadb', dialectOptions: { ssl: {} } }, { tls: { mode: 'verify-full' } }],
    [{ url: `mariadb://u:${secret}@h/d` }, { database: 'mysql', hosts: [{ host: 'h', port: 3306 }], user: 'u' }],
  ])('connects by %o', async (fields, expected) => {
    await put('config/config.json', JSON.stringify({ production: fields }));
    const { connection } = await load({}, { DB: 'postgres://x@y/fromenv' });
    expect(connection).toMatchObject(expected);
  });

  it.each([
    [{ use_env_variable: 'NOT_THERE' }, 'config-unresolved'],
    [{ ...production, dialect: 'sqlite' }, 'config-value-invalid'],
    [{ ...production, dialectOptions: { ssl: { ca: secret } } }, 'config-key-refused'],
    [{ ...production, dialectOptions: { ssl: secret } }, 'config-value-invalid'],
    [{ ...production, migrationStorage: 'json' }, 'config-storage-unsupported'],
    [{ ...production, migrationStorage: 'none' }, 'config-storage-unsupported'],
    [{ ...production, migrationStorage: './mine.js' }, 'config-storage-unsupported'],
  ])('refuses %o', async (fields, code) => {
    await put('config/config.json', JSON.stringify({ production: fields }));
    const error = await refusal();
    expect(codesOf(error)).toEqual([code]);
  });

  it.each([
    ['{ "production": ', 'config-file-invalid'],
    [`[ "${secret}" ]`, 'config-file-invalid'],
    [`not json: ${secret}`, 'config-file-invalid'],
  ])('must be JSON and an object: %s', async (text, code) => {
    await put('config/config.json', text);
    expect(codesOf(await refusal())).toEqual([code]);
  });

  it.each([
    [
      { migrationStorageTableName: 'Meta', migrationStorageTableSchema: 'ops' },
      { table: 'Meta', schema: 'ops' },
    ],
    [{ schema: 'shop' }, { schema: 'shop' }],
    [{ schema: 'shop', define: { schema: 'defined' } }, { schema: 'defined' }],
  ])('says where the history is: %o', async (fields, expected) => {
    await put('config/config.json', JSON.stringify({ production: { ...production, ...fields } }));
    expect((await load()).tool).toMatchObject(expected);
    expect((await load({ table: 'T', defaultSchema: 's' })).tool).toMatchObject({ table: 'T', schema: 's' });
  });

  it('on MySQL a schema is no place, but the first part of the name', async () => {
    const fields = { ...production, dialect: 'mysql', migrationStorageTableSchema: 'ops' };
    await put('config/config.json', JSON.stringify({ production: fields }));
    expect((await load()).tool).toMatchObject({ table: 'ops.SequelizeMeta', schema: undefined });
  });

  it('is not asked when the URL is given', async () => {
    await put('config/config.json', JSON.stringify({ development: production, production }));
    const { connection, tool } = await load({ url: 'postgres://a@b/c' });
    expect(connection).toMatchObject({ databaseName: 'c', user: 'a' });
    expect(connection?.password).toBeUndefined();
    expect(tool.table).toBe('SequelizeMeta');
  });
});

describe('configuration that is code', () => {
  const rc = `const path = require('node:path');
console.log('${secret}');
module.exports = { config: path.resolve('db', 'config.js'), 'migrations-path': path.resolve('db', 'migrations') };`;
  const config = `console.error('${secret}');
module.exports = { development: {}, production: { use_env_variable: 'DB', logging: () => {} } };`;
  const environment = { DB: `postgres://u:${secret}@h/d`, NODE_ENV: 'production' };

  beforeEach(async () => {
    await put('.sequelizerc', rc);
    await put('db/config.js', config);
  });

  it('is not run unasked, and says how it is', async () => {
    await put('db/config.js', 'require("node:fs").writeFileSync("ran", "")');
    const error = await refusal();
    expect(codesOf(error)).toEqual(['config-code-not-run']);
    expect(error.hint).toMatch(/load = true.*--load-code true.*FLYBACK_LOAD_CODE=true/);
  });

  it.each([
    ['flyback.toml', {}, {}],
    ['the flag', { loadCode: 'true' }, {}],
    ['the variable', {}, { FLYBACK_LOAD_CODE: 'true' }],
  ])('is run when %s allows it', async (where, flags, variables) => {
    if (where === 'flyback.toml') await put('flyback.toml', '[sequelize]\nload = true\n');
    const loaded = await load(flags, { ...environment, ...variables });
    expect(loaded.connection).toMatchObject({ databaseName: 'd', user: 'u' });
    expect(loaded.tool.migrations.map((place) => path.relative(project, place))).toEqual([
      path.join('db', 'migrations'),
    ]);
    expect(inspect(loaded, { depth: 9 })).not.toContain(secret);
  });

  it('is recognised by .sequelizerc alone', async () => {
    await put('flyback.toml', '[sequelize]\nload = true\n');
    const config = await loadConfig({
      projectFolder: project,
      flags: {},
      environment: { PATH: process.env['PATH'] ?? '', ...environment },
      homeFolder: project,
      tools,
      readConnection,
    });
    expect(config.tool.tool).toBe('sequelize');
  });

  it('can be passed over, when flyback.toml says the same', async () => {
    await put('config/other.json', JSON.stringify(production));
    await put(
      'flyback.toml',
      '[sequelize]\nload = false\nconfig = "config/other.json"\nmigrations = "db/migrations"\n',
    );
    const { tool, connection } = await load();
    expect(tool.migrations).toEqual(['db/migrations']);
    expect(connection?.databaseName).toBe('shop');
  });

  it.each([
    [`throw new Error('${secret}')`, /failed with Error in line 1/],
    [`module.exports = new Promise(() => {})`, /waits for something that never comes/],
    [`module.exports = '${secret}'`, /gives no object/],
    [`module.exports = { config: '${secret}'`, /failed with SyntaxError/],
  ])('that goes wrong is told without its words: %s', async (text, message) => {
    await put('.sequelizerc', text);
    const error = await refusal({ loadCode: 'true' }, environment);
    expect(error.message).toMatch(message);
  });

  it('needs true or false', async () => {
    expect(codesOf(await refusal({ loadCode: 'yes' }, environment))).toContain('config-value-invalid');
  });
});

describe('functions of migrations', () => {
  const functionsOf = async (flags: ConfigFlags = {}): Promise<FunctionCaller | undefined> =>
    functions((await load({ environment: 'production', ...flags })).tool);

  it('are run only with consent', async () => {
    await put('config/config.json', JSON.stringify({ production }));
    expect(await functionsOf()).toBeUndefined();
    await put('flyback.toml', '[sequelize]\ndown = false\n');
    expect(await functionsOf()).toBeUndefined();
    await put('flyback.toml', '[sequelize]\ndown = true\n');
    expect(await functionsOf()).toMatchObject({ folder: project, options: { sequelize: {} } });
    await put('flyback.toml', '[sequelize]\ndown = "true"\n');
    expect(codesOf(await refusal())).toEqual(['config-value-invalid']);
  });

  it('get the options of Sequelize that change what they do, and nothing of the connection', async () => {
    const passed = {
      define: { underscored: true, timestamps: false },
      timezone: '+02:00',
      quoteIdentifiers: false,
      dialectOptions: { statement_timeout: 1000 },
    };
    await put('flyback.toml', '[sequelize]\ndown = true\n');
    await put(
      'config/config.json',
      JSON.stringify({
        production: {
          ...production,
          ...passed,
          dialectOptions: { ...passed.dialectOptions, ssl: { rejectUnauthorized: false } },
          pool: { max: 1 },
          migrationStorageTableName: 'm',
          timezone: passed.timezone,
          schema: null,
        },
      }),
    );
    expect((await functionsOf())?.options).toEqual({ sequelize: passed, context: 'queryInterface' });
  });

  it('get nothing that only code can say', async () => {
    await put('flyback.toml', '[sequelize]\nload = true\ndown = true\n');
    await put(
      'config/config.js',
      `module.exports = { production: { dialect: 'postgres', host: 'h', database: 'd', logging: console.log,
  define: { hooks: { beforeCreate() {} }, paranoid: true }, query: new (class Query { raw = true; })() } };`,
    );
    expect((await functionsOf())?.options).toMatchObject({ sequelize: { define: { hooks: {}, paranoid: true } } });
    expect(JSON.stringify((await functionsOf())?.options)).not.toMatch(/Query|kind/);
  });

  it('of Umzug get the context that is named', async () => {
    const write = (context: string): Promise<void> =>
      put('flyback.toml', `[umzug]\nmigrations = "a/*.js"\ndown = true\n${context}`);
    await write('');
    expect((await functionsOf({ tool: 'umzug' }))?.options).toMatchObject({ context: 'queryInterface' });
    await write('context = "sequelize"\n');
    expect((await functionsOf({ tool: 'umzug' }))?.options).toMatchObject({ context: 'sequelize' });
    await write('context = "pool"\n');
    expect(codesOf(await refusal({ tool: 'umzug' }))).toEqual(['config-value-invalid']);
  });
});

describe('[sequelize] and [umzug] in flyback.toml', () => {
  it('Umzug has its patterns, table, schema and column there', async () => {
    await put(
      'flyback.toml',
      'tool = "umzug"\n[umzug]\nmigrations = ["a/*.js", "b/*.sql"]\ntable = "m"\nschema = "s"\ncolumn = "c"\n',
    );
    const { tool, connection } = await load({ tool: 'umzug', url: 'postgres://a@b/c' });
    expect(tool).toMatchObject({ migrations: ['a/*.js', 'b/*.sql'], table: 'm', schema: 's', column: 'c' });
    expect(connection?.databaseName).toBe('c');
  });

  it('Umzug may take the connection from the configuration of Sequelize', async () => {
    await put('config/config.json', JSON.stringify({ development: production, production }));
    await put('flyback.toml', '[umzug]\nmigrations = "a/*.js"\nconfig = "config/config.json"\n');
    expect(codesOf(await refusal({ tool: 'umzug' }))).toEqual(['config-environment-missing']);
    expect((await load({ tool: 'umzug', environment: 'production' })).connection?.databaseName).toBe('shop');
  });

  it('Umzug may take the URL from a variable', async () => {
    await put('flyback.toml', '[umzug]\nmigrations = "a/*.js"\ndatabaseEnv = "DATABASE_URL"\n');
    const url = { DATABASE_URL: `postgres://u:${secret}@h/d` };
    expect((await load({ tool: 'umzug' }, url)).connection).toMatchObject({ databaseName: 'd', user: 'u' });
    expect((await load({ tool: 'umzug', url: 'postgres://a@b/c' }, url)).connection?.databaseName).toBe('c');
    const unset = await load({ tool: 'umzug' });
    expect(unset.connection).toBeUndefined();
    expect(unset.findings).toMatchObject([{ code: 'config-variable-unset', severity: 'warning' }]);
  });

  it('refuses a history in umzug.json, unless the table is named', async () => {
    await put('umzug.json', '[]');
    await put('flyback.toml', '[umzug]\nmigrations = "a/*.js"\n');
    expect(codesOf(await refusal({ tool: 'umzug' }))).toEqual(['config-storage-unsupported']);
    await put('flyback.toml', '[umzug]\nmigrations = "a/*.js"\ntable = "SequelizeMeta"\n');
    expect((await load({ tool: 'umzug' })).tool.table).toBe('SequelizeMeta');
  });

  it('Umzug cannot do without patterns', async () => {
    const error = await refusal({ tool: 'umzug' });
    expect(error.hint).toContain('migrations = "migrations/*.js"');
    expect(codesOf(await refusal({ tool: 'umzug', locations: '!(a).js' }))).toEqual(['config-value-invalid']);
    expect((await load({ tool: 'umzug', locations: 'a/*.js,b/*.js' })).tool.migrations).toEqual(['a/*.js', 'b/*.js']);
  });

  it('reports every wrong key and value', async () => {
    await put('flyback.toml', `[sequelize]\ntabel = "x"\nload = "yes"\nmigrations = []\npassword = "${secret}"\n`);
    expect(codesOf(await refusal())).toEqual([
      'config-key-unknown',
      'config-key-unknown',
      'config-value-invalid',
      'config-value-invalid',
    ]);
  });
});
