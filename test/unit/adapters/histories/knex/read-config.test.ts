import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readKnexConfig } from '../../../../../adapters/histories/knex/config/read-config.js';
import type { KnexSettings } from '../../../../../adapters/histories/knex/settings.js';
import { knexHistory } from '../../../../../adapters/histories/knex/index.js';
import { readConnection } from '../../../../../adapters/read-connection.js';
import type { FunctionCaller } from '../../../../../src/adapter/migration-functions.js';
import { Secret, type ConnectionSettings } from '../../../../../src/config/config.js';
import type { ToolConfigReading, ToolConfigRequest } from '../../../../../src/config/readers.js';

let folder: string;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'flyback-knexfile-')));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function write(name: string, text: string): void {
  mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
  writeFileSync(path.join(folder, name), text);
}

type Own = Readonly<Record<string, unknown>>;

async function read(
  own: Own = { load: true },
  changes: Partial<ToolConfigRequest> = {},
): Promise<ToolConfigReading<KnexSettings>> {
  return readKnexConfig({
    projectFolder: folder,
    homeFolder: folder,
    environment: { PATH: process.env['PATH'] },
    configFiles: [],
    workingDirectory: undefined,
    overrides: {},
    own: new Map(Object.entries(own)),
    password: undefined,
    ...changes,
  });
}

/** The connection as the session would get it. */
function settingsOf(reading: ToolConfigReading): ConnectionSettings | undefined {
  if (reading.connection === undefined) return undefined;
  return readConnection({ ...reading.connection, systemUser: 'account', baseFolder: folder }).settings;
}

const codes = (reading: ToolConfigReading): readonly string[] =>
  reading.findings.map(({ code, severity }) => `${severity} ${code}`);
const words = (reading: ToolConfigReading): string =>
  reading.findings.map(({ message, hint }) => `${message} ${hint ?? ''}`).join('\n');

const plain = `{ client: 'pg', connection: 'postgres://app:hush@db.example:6543/shop', migrations: { directory: './db', tableName: 'past', schemaName: 'meta' } }`;

describe('a knexfile', () => {
  it.each([
    ['knexfile.js', `module.exports = ${plain};`],
    ['knexfile.js', `module.exports = async () => (${plain});`],
    ['knexfile.js', `exports.default = ${plain};`],
    ['knexfile.mjs', `export default ${plain};`],
    ['knexfile.mjs', `export default () => (${plain});`],
  ])('%s is loaded with consent, in each form that it may have: %s', async (name, text) => {
    write(name, text);
    const reading = await read();
    expect(reading.findings).toEqual([]);
    expect(reading.settings).toEqual({
      tool: 'knex',
      table: 'past',
      schema: 'meta',
      directories: [path.join(folder, 'db')],
      loadExtensions: ['.co', '.coffee', '.eg', '.iced', '.js', '.cjs', '.litcoffee', '.ls', '.ts'],
      sortDirsSeparately: false,
      disableTransactions: false,
      disableMigrationsListValidation: false,
      hasOwnSource: false,
      workingDirectory: folder,
      knexfile: { file: path.join(folder, name), environment: null },
      runsFunctions: false,
    });
    expect(settingsOf(reading)).toMatchObject({
      hosts: [{ host: 'db.example', port: 6543 }],
      databaseName: 'shop',
      user: 'app',
    });
  });

  it('is not run without consent, and the hint says how to give it', async () => {
    write('knexfile.js', `require('node:fs').writeFileSync('ran', ''); module.exports = ${plain};`);
    const reading = await read({});
    expect(codes(reading)).toEqual(['error config-code-not-run']);
    expect(words(reading)).toContain('load = true');
    expect(() => realpathSync(path.join(folder, 'ran'))).toThrow();
  });

  it.each([
    ['true', []],
    ['false', []],
    ['yes', ['error config-value-invalid']],
  ])('consent by flag or variable, %s, beats the file', async (value, expected) => {
    write('knexfile.js', `module.exports = ${plain};`);
    const reading = await read(
      { load: value !== 'true' },
      { overrides: { loadCode: { value, source: 'FLYBACK_LOAD_CODE' } } },
    );
    expect(codes(reading)).toEqual(expected);
    expect(reading.connection === undefined).toBe(value !== 'true');
  });

  it('need not be loaded where flyback.toml says what is in it', async () => {
    write('knexfile.js', 'throw new Error();');
    const reading = await read(
      { directory: ['a', 'b'], tableName: 'past' },
      { overrides: { url: { value: 'postgres://h/d', source: '--url' } } },
    );
    expect(reading.findings).toEqual([]);
    expect(reading.settings).toMatchObject({
      directories: [path.join(folder, 'a'), path.join(folder, 'b')],
      table: 'past',
    });
    expect(reading.connection?.url.value).toBe('postgres://h/d');
  });

  it('is looked for upwards; what is relative in it then starts at the project', async () => {
    write('knexfile.js', `module.exports = ${plain};`);
    mkdirSync(path.join(folder, 'packages', 'app'), { recursive: true });
    const projectFolder = path.join(folder, 'packages', 'app');
    const reading = await read({ load: true }, { projectFolder });
    expect(reading.settings.directories).toEqual([path.join(projectFolder, 'db')]);
  });

  it('that is named may lie anywhere; what is relative in it then starts at its folder', async () => {
    write('conf/knexfile.cjs', `module.exports = ${plain};`);
    const reading = await read({ load: true, knexfile: 'conf/knexfile.cjs' });
    expect(reading.findings).toEqual([]);
    expect(reading.settings.directories).toEqual([path.join(folder, 'conf', 'db')]);
    expect(codes(await read({ load: true, knexfile: 'nowhere.js' }))).toEqual(['error config-file-missing']);
  });

  it.each([
    ['throws a secret', `throw new Error('hush: ' + process.env.DB_PASSWORD);`, 'Error in line 1'],
    [
      'throws a secret in a function',
      `module.exports = () => {\n  throw new TypeError('hush');\n};`,
      'TypeError in line 2',
    ],
    ['throws what is no error', `throw 'hush';`, 'no error'],
    [
      'throws later',
      `setTimeout(() => { throw new Error('hush'); }, 1);\nmodule.exports = () => new Promise(() => setInterval(() => {}, 50));`,
      'Error',
    ],
    ['rejects', `module.exports = () => Promise.reject(new RangeError('hush'));`, 'RangeError'],
    [
      'gives a connection that fails',
      `module.exports = { client: 'pg', connection: async () => { throw new Error('hush'); } };`,
      'gives no connection: Error',
    ],
    ['does not parse', `module.exports = { password: 'hush' hush };`, 'SyntaxError'],
    [
      'needs a module that is not there',
      `require('no-such-module-at-all');`,
      `Cannot find module 'no-such-module-at-all'`,
    ],
    ['exports nothing of use', `module.exports = 7;`, 'exports no object'],
    ['ends the process', `process.exit(3);`, 'exit code 3'],
  ])('that %s is refused without a word of what it says', async (_, text, expected) => {
    write('knexfile.js', text);
    const reading = await read({ load: true }, { environment: { PATH: process.env['PATH'], DB_PASSWORD: 'hush-env' } });
    expect(codes(reading)).toEqual(['error config-code-failed']);
    expect(words(reading)).toContain(expected);
    expect(words(reading)).not.toContain('hush');
    expect(reading.connection).toBeUndefined();
  });

  it('that never resolves is stopped', async () => {
    write('knexfile.js', 'module.exports = () => new Promise(() => setInterval(() => {}, 1000));');
    const reading = await read({ load: true, loadTimeout: '700ms' });
    expect(codes(reading)).toEqual(['error config-code-failed']);
    expect(words(reading)).toContain('within 0.7 s');
  });

  it('that prints, prints to nobody', async () => {
    write('knexfile.js', `console.log('hush'); console.error('hush'); module.exports = ${plain};`);
    expect((await read()).findings).toEqual([]);
  });

  it('in TypeScript is loaded where Node can, and refused with the reason where it cannot', async () => {
    write(
      'knexfile.ts',
      `const port: number = 6543;\nexport default { client: 'pg', connection: { host: 'db.example', port, database: 'shop' } };`,
    );
    const reading = await read();
    const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
    if (major > 22 || (major === 22 && minor >= 6)) {
      expect(settingsOf(reading)).toMatchObject({ hosts: [{ host: 'db.example', port: 6543 }] });
    } else {
      expect(codes(reading)).toEqual(['error config-code-failed']);
      expect(words(reading)).toContain('runs no TypeScript');
    }
  });

  it('in another language is refused', async () => {
    write('knexfile.coffee', 'module.exports = {}');
    expect(codes(await read())).toEqual(['error config-code-failed']);
  });
});

describe('environments', () => {
  const several = `module.exports = { development: { client: 'pg', connection: 'postgres://dev/d' }, production: { client: 'pg', connection: 'postgres://prod/p' } };`;

  it('none is taken by itself where there are several', async () => {
    write('knexfile.js', several);
    const reading = await read();
    expect(codes(reading)).toEqual(['error config-environment-ambiguous']);
    expect(words(reading)).toContain('development, production');
    expect(reading.connection).toBeUndefined();
  });

  it.each<[string, Own, Partial<ToolConfigRequest>, string]>([
    [
      '--environment',
      { load: true, environment: 'development' },
      { overrides: { environment: { value: 'production', source: '--environment' } } },
      'prod',
    ],
    ['flyback.toml', { load: true, environment: 'development' }, { environment: { NODE_ENV: 'production' } }, 'dev'],
    ['NODE_ENV', { load: true }, { environment: { NODE_ENV: 'production' } }, 'prod'],
  ])('named by %s', async (_, own, changes, host) => {
    write('knexfile.js', several);
    const reading = await read(own, changes);
    expect(reading.findings).toEqual([]);
    expect(settingsOf(reading)?.hosts[0]?.host).toBe(host);
  });

  it('one that is not there', async () => {
    write('knexfile.js', several);
    const reading = await read({ load: true, environment: 'staging' });
    expect(codes(reading)).toEqual(['error config-environment-unknown']);
    expect(words(reading)).toContain('development, production');
  });

  it('development alone leaves no choice, and a file without environments has none', async () => {
    write('knexfile.js', `module.exports = { development: { client: 'pg', connection: 'postgres://dev/d' } };`);
    expect(settingsOf(await read())?.hosts[0]?.host).toBe('dev');
    write('knexfile.js', `module.exports = ${plain};`);
    expect(settingsOf(await read({ load: true }, { environment: { NODE_ENV: 'test' } }))?.hosts[0]?.host).toBe(
      'db.example',
    );
  });

  it('production alone is not taken by itself either', async () => {
    write('knexfile.js', `module.exports = { production: { client: 'pg', connection: 'postgres://prod/d' } };`);
    expect(codes(await read())).toEqual(['error config-environment-ambiguous']);
  });
});

describe('the connection', () => {
  const connect = async (
    config: string,
    changes: Partial<ToolConfigRequest> = {},
  ): Promise<ToolConfigReading<KnexSettings>> => {
    write('knexfile.js', `module.exports = { client: 'pg', ${config} };`);
    return read({ load: true }, changes);
  };

  it('is an object, with its password kept secret', async () => {
    const reading = await connect(
      `connection: { host: 'h', port: 7, database: 'd', user: 'u', password: 'hush-hush' }, searchPath: ['App', 'public']`,
    );
    const settings = settingsOf(reading);
    expect(settings).toMatchObject({
      hosts: [{ host: 'h', port: 7 }],
      databaseName: 'd',
      user: 'u',
      searchPath: ['App', 'public'],
      tls: { mode: 'prefer' },
    });
    expect(settings?.password?.reveal()).toBe('hush-hush');
    expect(reading.secrets.map((secret) => secret.reveal())).toEqual(['hush-hush']);
    expect(JSON.stringify(reading)).not.toContain('hush-hush');
  });

  it('is a function, and its password may be one', async () => {
    const reading = await connect(
      `connection: async () => ({ host: 'h', database: 'd', user: 'u', password: async () => 'fetched', expirationChecker: () => true })`,
    );
    expect(settingsOf(reading)?.password?.reveal()).toBe('fetched');
  });

  it('takes from the variables of libpq what it lacks, as the driver does', async () => {
    const environment = { PATH: process.env['PATH'], PGHOST: 'pgh', PGPORT: '99', PGUSER: 'pgu', PGPASSWORD: 'pgp' };
    const settings = settingsOf(await connect(`connection: { database: 'd', user: 'u' }`, { environment }));
    expect(settings).toMatchObject({ hosts: [{ host: 'pgh', port: 99 }], user: 'u' });
    expect(settings?.password?.reveal()).toBe('pgp');
  });

  it.each([
    ['ssl: true', 'verify-full'],
    ['ssl: {}', 'verify-full'],
    ['ssl: { rejectUnauthorized: false }', 'require'],
    ['ssl: false', 'prefer'],
  ])('%s', async (ssl, mode) => {
    expect(settingsOf(await connect(`connection: { host: 'h', database: 'd', ${ssl} }`))?.tls.mode).toBe(mode);
  });

  it('a socket in place of a host', async () => {
    const settings = settingsOf(await connect(`connection: { host: '/run/postgresql', database: 'd' }`));
    expect(settings?.hosts).toEqual([{ host: '/run/postgresql', port: 5432 }]);
  });

  it.each([
    ['certificates in it', `connection: { host: 'h', ssl: { ca: 'PEM', rejectUnauthorized: true } }`, 'ca'],
    ['a server of another kind', `client: 'oracledb', connection: { host: 'h' }`, 'oracledb'],
    [
      'columns with other names',
      `connection: {}, wrapIdentifier: (name, wrap) => wrap(name.toUpperCase())`,
      'migration_time as MIGRATION_TIME',
    ],
  ])('refused: %s', async (_, config, expected) => {
    const reading = await connect(config);
    expect(codes(reading)).toEqual(['error config-key-refused']);
    expect(words(reading)).toContain(expected);
  });

  it.each(['mysql', 'mysql2'])('is one of MySQL: %s', async (client) => {
    const reading = await connect(
      `client: '${client}', searchPath: ['x'], connection: { host: 'h', port: 7, database: 'd', user: 'u', password: 'hush-hush' }`,
      { environment: { PATH: process.env['PATH'], PGHOST: 'pgh', PGUSER: 'pgu', PGPASSWORD: 'pgp' } },
    );
    expect(reading.findings).toEqual([]);
    expect(settingsOf(reading)).toMatchObject({
      database: 'mysql',
      hosts: [{ host: 'h', port: 7 }],
      databaseName: 'd',
      user: 'u',
      searchPath: [],
    });
    expect(settingsOf(reading)?.password?.reveal()).toBe('hush-hush');
  });

  it.each([
    [`connection: { database: 'd' }`, { hosts: [{ host: 'localhost', port: 3306 }] }],
    [`connection: { host: '::1', database: 'a b' }`, { hosts: [{ host: '::1', port: 3306 }], databaseName: 'a b' }],
    [
      `connection: { host: 'h', socketPath: '/run/my.sock', database: 'd' }`,
      { hosts: [{ host: '/run/my.sock', port: 0 }] },
    ],
    [`connection: { uri: 'mysql://a@h:7/d' }`, { hosts: [{ host: 'h', port: 7 }], user: 'a' }],
    [`connection: 'mysql://a:b@h:7/d'`, { hosts: [{ host: 'h', port: 7 }], databaseName: 'd', user: 'a' }],
    [`connection: 'mysql2://a:b@h/d'`, { hosts: [{ host: 'h', port: 3306 }] }],
    [`connection: { host: 'h', database: 'd', ssl: {} }`, { tls: { mode: 'verify-ca' } }],
    [`connection: { host: 'h', database: 'd', ssl: { verifyIdentity: true } }`, { tls: { mode: 'verify-full' } }],
    [`connection: { host: 'h', database: 'd', ssl: { rejectUnauthorized: false } }`, { tls: { mode: 'require' } }],
  ])('of mysql2: %s', async (config, expected) => {
    const reading = await connect(`client: 'mysql2', ${config}`);
    expect(reading.findings).toEqual([]);
    expect(settingsOf(reading)).toMatchObject({ database: 'mysql', ...expected });
  });

  it.each([
    [`connection: { host: 'h', database: 'd', ssl: 'Amazon RDS' }`, 'profile'],
    [`connection: { host: 'h', database: 'd', ssl: { ca: 'PEM' } }`, 'ssl-ca=FILE'],
  ])('of mysql2 is refused: %s', async (config, expected) => {
    const reading = await connect(`client: 'mysql2', ${config}`);
    expect(codes(reading)).toEqual(['error config-key-refused']);
    expect(words(reading)).toContain(expected);
  });

  it('is none where the URL, the user and the password of flyback beat it', async () => {
    const reading = await connect(`connection: { host: 'h', ssl: { ca: 'PEM' }, password: 'hush-hush' }`, {
      overrides: { url: { value: 'postgres://own/d', source: '--url' }, user: { value: 'me', source: '--user' } },
      password: { value: new Secret('mine'), source: 'FLYBACK_PASSWORD' },
    });
    expect(reading.findings).toEqual([]);
    expect(settingsOf(reading)).toMatchObject({ hosts: [{ host: 'own', port: 5432 }], user: 'me' });
    expect(settingsOf(reading)?.password?.reveal()).toBe('mine');
  });

  it('a pool that changes sessions is told', async () => {
    expect(codes(await connect(`connection: 'postgres://h/d', pool: { afterCreate() {} }`))).toEqual([
      'warning config-key-ignored',
    ]);
  });

  it('a mapper that renames the table alone is followed', async () => {
    const reading = await connect(
      `connection: 'postgres://h/d', migrations: { tableName: 'knexMigrations' }, wrapIdentifier: (name, wrap) => wrap(name.replace(/[A-Z]/g, (letter) => '_' + letter.toLowerCase()))`,
    );
    expect(reading.findings).toEqual([]);
    expect(reading.settings.table).toBe('knex_migrations');
  });

  it('a source of migrations of the project is known', async () => {
    const reading = await connect(
      `connection: 'postgres://h/d', migrations: { migrationSource: { getMigrations() {} } }`,
    );
    expect(reading.settings.hasOwnSource).toBe(true);
  });
});

describe('functions of migrations', () => {
  const functionsOf = async (own: Own): Promise<FunctionCaller | undefined> =>
    knexHistory.functions?.((await read(own)).settings);

  it('are run only with consent of their own', async () => {
    write('knexfile.js', `module.exports = ${plain};`);
    expect(await functionsOf({ load: true })).toBeUndefined();
    expect(await functionsOf({ load: true, down: false })).toBeUndefined();
    expect(await functionsOf({ load: true, down: true })).toMatchObject({
      folder,
      options: { knexfile: { file: path.join(folder, 'knexfile.js'), environment: null }, disableTransactions: false },
    });
  });

  it('get nothing of a knexfile that may not be loaded', async () => {
    write('knexfile.js', `module.exports = ${plain};`);
    expect(await functionsOf({ down: true, directory: 'db', disableTransactions: true })).toMatchObject({
      folder,
      options: { knexfile: null, disableTransactions: true },
    });
  });

  it('get the environment that was taken, and the folder of a knexfile that is named', async () => {
    write('db/knexfile.cjs', `module.exports = { development: ${plain}, production: ${plain} };`);
    const own = { load: true, down: true, knexfile: 'db/knexfile.cjs', environment: 'production' };
    expect(await functionsOf(own)).toMatchObject({
      folder: path.join(folder, 'db'),
      options: { knexfile: { file: path.join(folder, 'db/knexfile.cjs'), environment: 'production' } },
    });
  });

  it('are unknown where the project has a source of its own', async () => {
    write('knexfile.js', `module.exports = { client: 'pg', migrations: { migrationSource: { getMigrations() {} } } };`);
    expect(await functionsOf({ load: true, down: true })).toBeUndefined();
  });

  it('takes no text for a yes', async () => {
    const reading = await read({ down: 'true' });
    expect(codes(reading)).toEqual(['error config-value-invalid']);
    expect(reading.settings.runsFunctions).toBe(false);
  });
});

describe('[knex] in flyback.toml', () => {
  it('tells every problem at once', async () => {
    const reading = await read({
      laod: true,
      directory: [],
      tableName: 7,
      load: 'yes',
      loadTimeout: 'soon',
      password: 'x',
    });
    expect(codes(reading)).toEqual([
      'error config-key-unknown',
      'error config-value-invalid',
      'error config-value-invalid',
      'error config-value-invalid',
      'error config-value-invalid',
      'error config-key-unknown',
    ]);
    expect(words(reading)).toContain('knex.load was meant');
  });

  it('defaults without anything', async () => {
    const reading = await read({});
    expect(reading.findings).toEqual([]);
    expect(reading.settings).toMatchObject({
      table: 'knex_migrations',
      directories: [path.join(folder, 'migrations')],
    });
    expect(reading.connection).toBeUndefined();
  });
});
