import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readFlywayConfig } from '../../../../../../adapters/histories/flyway/config/read-config.js';
import { Secret } from '../../../../../../src/config/config.js';
import type { FlywaySettings } from '../../../../../../adapters/histories/flyway/settings.js';
import type { ToolConfigReading, ToolConfigRequest } from '../../../../../../src/config/readers.js';

let root: string;
let project: string;
let home: string;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'flyback-config-'));
  project = path.join(root, 'project');
  home = path.join(root, 'home');
  await mkdir(project);
  await mkdir(home);
});
afterEach(() => rm(root, { recursive: true }));

async function put(name: string, text: string | Buffer): Promise<string> {
  const file = path.join(root, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, text);
  return file;
}

function read(
  environment: Record<string, string> = {},
  more: Partial<ToolConfigRequest> = {},
): Promise<ToolConfigReading<FlywaySettings>> {
  return readFlywayConfig({
    projectFolder: project,
    homeFolder: home,
    environment,
    configFiles: [],
    workingDirectory: undefined,
    overrides: {},
    own: new Map(),
    password: undefined,
    ...more,
  });
}

function errorsOf({ findings }: ToolConfigReading): readonly string[] {
  return findings.filter(({ severity }) => severity === 'error').map(({ code }) => code);
}

describe('defaults', () => {
  it('are those of Flyway when nothing is configured', async () => {
    const reading = await read();
    expect(reading.findings).toEqual([]);
    expect(reading.connection).toBeUndefined();
    expect(reading.settings).toMatchObject({
      environment: 'default',
      table: 'flyway_schema_history',
      defaultSchema: undefined,
      schemas: [],
      locations: ['classpath:db/migration'],
      sqlMigrationPrefix: 'V',
      repeatableSqlMigrationPrefix: 'R',
      undoSqlMigrationPrefix: 'U',
      baselineMigrationPrefix: 'B',
      sqlMigrationSeparator: '__',
      sqlMigrationSuffixes: ['.sql'],
      encoding: 'UTF-8',
      placeholderReplacement: true,
      placeholderPrefix: '${',
      placeholderSuffix: '}',
      outOfOrder: false,
      validateOnMigrate: true,
      ignoreMigrationPatterns: ['*:future'],
      validateMigrationNaming: false,
      group: false,
      mixed: false,
      executeInTransaction: true,
      lockRetryCount: 50,
      transactionalLock: true,
      workingDirectory: project,
    });
    expect(reading.sources['table']).toBe('default');
  });

  it('take the sql folder where there is one, and ask when the class-path folder is there too', async () => {
    await mkdir(path.join(project, 'sql'));
    expect((await read()).settings.locations).toEqual([`filesystem:${path.join(project, 'sql')}`]);
    await mkdir(path.join(project, 'src/main/resources/db/migration'), { recursive: true });
    expect(errorsOf(await read())).toEqual(['config-locations-ambiguous']);
    expect(errorsOf(await read({ FLYWAY_LOCATIONS: 'filesystem:sql' }))).toEqual([]);
  });
});

describe('precedence, weakest first, in TOML mode', () => {
  const toml = (value: string): string =>
    `[flyway]\ntable = "${value}"\n[environments.default]\nurl = "jdbc:postgresql:${value}"\n`;

  it('each source beats all before it', async () => {
    const seen: (string | undefined)[] = [];
    let environment: Record<string, string> = {};
    let more: Partial<ToolConfigRequest> = {};
    const look = async (): Promise<void> => {
      const { settings, connection } = await read(environment, more);
      expect(connection?.url.value).toBe(`jdbc:postgresql:${settings.table}`);
      seen.push(settings.table);
    };
    await put('home/flyway.toml', toml('home'));
    await look();
    await put('home/flyway.user.toml', toml('home_user'));
    await look();
    await put('project/flyway.toml', toml('project'));
    await look();
    await put('project/flyway.user.toml', toml('project_user'));
    await look();
    await put('project/inner/flyway.toml', toml('inner'));
    more = { workingDirectory: 'inner' };
    await look();
    await put('project/inner/env.toml', toml('by_variable'));
    environment = { FLYWAY_CONFIG_FILES: 'env.toml' };
    await look();
    await put('project/inner/flag.toml', toml('by_flag'));
    more = { ...more, configFiles: ['flag.toml'] };
    await look();
    environment = { ...environment, FLYWAY_TABLE: 'variable', FLYWAY_URL: 'jdbc:postgresql:variable' };
    await look();
    environment = { ...environment, flyway_table: 'lower', flyway_url: 'jdbc:postgresql:lower' };
    await look();
    more = {
      ...more,
      overrides: {
        table: { value: 'override', source: '--table' },
        url: { value: 'jdbc:postgresql:override', source: '--url' },
      },
    };
    await look();
    expect(seen).toEqual([
      'home',
      'home_user',
      'project',
      'project_user',
      'inner',
      'by_variable',
      'by_flag',
      'variable',
      'lower',
      'override',
    ]);
  });

  it('merges key by key, and placeholders name by name', async () => {
    await put(
      'home/flyway.toml',
      '[flyway]\noutOfOrder = true\n[flyway.placeholders]\na = "1"\nb = "1"\n[flyway.postgresql]\ntransactional.lock = false\n',
    );
    await put('project/flyway.toml', '[flyway]\ngroup = true\n[flyway.placeholders]\nb = "2"\n');
    const { settings } = await read({ FLYWAY_PLACEHOLDERS_NEW_ONE: '3' });
    expect(settings).toMatchObject({
      outOfOrder: true,
      group: true,
      transactionalLock: false,
      placeholders: { a: '1', b: '2', new_one: '3' },
    });
  });

  it('an environment overrides [flyway] by whole values, even those from variables, but not keys that it cannot have', async () => {
    await put(
      'project/flyway.toml',
      `[flyway]
environment = "prod"
locations = ["filesystem:a"]
baselineMigrationPrefix = "BASE"
[flyway.placeholders]
x = "1"
[environments.prod]
url = "jdbc:postgresql:prod"
[environments.prod.flyway]
locations = ["filesystem:b", "filesystem:c"]
baselineMigrationPrefix = "NO"
postgresql.transactional.lock = false
[environments.prod.flyway.placeholders]
y = "2"
`,
    );
    const { settings, connection } = await read({ FLYWAY_LOCATIONS: 'filesystem:d' });
    expect(connection?.url.value).toBe('jdbc:postgresql:prod');
    expect(settings).toMatchObject({
      environment: 'prod',
      locations: ['filesystem:b', 'filesystem:c'],
      baselineMigrationPrefix: 'BASE',
      transactionalLock: true,
    });
    expect(settings.placeholders).toEqual({ y: '2' });
    const overridden = await read(
      {},
      { overrides: { locations: { value: 'filesystem:e, filesystem:f', source: '--locations' } } },
    );
    expect(overridden.settings.locations).toEqual(['filesystem:e', 'filesystem:f']);
  });

  it('an empty list overrides nothing', async () => {
    await put('home/flyway.toml', '[flyway]\nlocations = ["filesystem:a"]\n');
    await put('project/flyway.toml', '[flyway]\nlocations = []\n');
    expect((await read()).settings.locations).toEqual(['filesystem:a']);
  });

  it('connection variables count for the active environment only', async () => {
    await put(
      'project/flyway.toml',
      '[environments.default]\nurl = "u0"\nuser = "a"\n[environments.prod]\nurl = "u1"\nuser = "b"\n',
    );
    const prod = await read({
      flyway_environment: 'prod',
      FLYWAY_USER: 'c',
      environments_default_user: 'd',
      environments_prod_password: 'e',
    });
    expect([
      prod.connection?.url.value,
      prod.connection?.user?.value,
      prod.connection?.password?.value.reveal(),
    ]).toEqual(['u1', 'c', 'e']);
    expect([prod.sources['user'], prod.sources['password'], prod.sources['environment']]).toEqual([
      'FLYWAY_USER',
      'environments_prod_password',
      'flyway_environment',
    ]);
    expect((await read({ environments_default_user: 'd' })).connection?.user?.value).toBe('d');
    expect((await read({ environments_default_user: 'd', FLYWAY_USER: 'c' })).connection?.user?.value).toBe('c');
  });

  it('reads every FLYWAY_ variable that matters, lists by comma', async () => {
    const { settings, connection, findings } = await read({
      FLYWAY_URL: 'jdbc:postgresql:x',
      FLYWAY_SCHEMAS: 'a, b',
      FLYWAY_DEFAULT_SCHEMA: 'd',
      FLYWAY_SQL_MIGRATION_SUFFIXES: '.sql,.pks',
      FLYWAY_IGNORE_MIGRATION_PATTERNS: '*:missing',
      FLYWAY_LOCK_RETRY_COUNT: '-1',
      FLYWAY_OUT_OF_ORDER: 'TRUE',
      FLYWAY_POSTGRESQL_TRANSACTIONAL_LOCK: 'false',
      FLYWAY_BASELINE_MIGRATION_PREFIX: 'BL',
      FLYWAY_INIT_SQL: 'SET ROLE app',
      FLYWAY_JDBC_PROPERTIES_SSLMODE: 'require',
      FLYWAY_INSTALLED_BY: 'ci',
      FLYWAY_CALLBACK_LOCATIONS: 'filesystem:cb',
    });
    expect(findings).toEqual([]);
    expect(settings).toMatchObject({
      schemas: ['a', 'b'],
      defaultSchema: 'd',
      sqlMigrationSuffixes: ['.sql', '.pks'],
      ignoreMigrationPatterns: ['*:missing'],
      lockRetryCount: -1,
      outOfOrder: true,
      transactionalLock: false,
      baselineMigrationPrefix: 'BL',
      installedBy: 'ci',
      callbackLocations: ['filesystem:cb'],
    });
    expect(connection).toMatchObject({
      initSql: 'SET ROLE app',
      properties: { sslmode: { value: 'require', source: 'FLYWAY_JDBC_PROPERTIES_SSLMODE' } },
    });
  });
});

describe('.conf mode', () => {
  it('merges home, project, variable and flag files, then variables, and resolves ${env.X} in the connection only', async () => {
    await put(
      'home/flyway.conf',
      'flyway.url=jdbc:postgresql:home\nflyway.table=${env.T}\nflyway.placeholders.keepCase=1\n',
    );
    await put('project/flyway.conf', 'flyway.user=proj\nflyway.password=${env.PW}\nflyway.schemas=a, b ,c\n');
    await put('project/more.conf', 'flyway.user=more\nflyway.jdbcProperties.sslmode=require\n');
    const { settings, connection, sources } = await read({
      PW: ' 100% @ ',
      FLYWAY_CONFIG_FILES: 'more.conf',
      FLYWAY_PLACEHOLDERS_X: '2',
    });
    expect(settings).toMatchObject({
      table: '${env.T}',
      schemas: ['a', 'b', 'c'],
      placeholders: { keepCase: '1', x: '2' },
    });
    expect(connection).toMatchObject({
      url: { value: 'jdbc:postgresql:home' },
      user: { value: 'more' },
      properties: { sslmode: { value: 'require' } },
    });
    expect(connection?.password?.value.reveal()).toBe(' 100% @ ');
    expect(sources['user']).toBe('more.conf flyway.user');
    expect((await read({ FLYWAY_USER: 'v' })).connection?.user?.value).toBe('v');
  });

  it('counts for nothing as soon as there is a TOML file, which is said', async () => {
    await put('home/flyway.conf', 'flyway.table=conf\n');
    expect((await read()).settings.table).toBe('conf');
    await put('project/flyway.user.toml', '[flyway]\n');
    const reading = await read();
    expect(reading.settings.table).toBe('flyway_schema_history');
    expect(reading.findings.map(({ code, severity }) => [code, severity])).toEqual([['config-file-shadowed', 'info']]);
  });

  it('a .conf named by hand beats TOML files in the usual places', async () => {
    await put('project/flyway.toml', '[flyway]\ntable = "toml"\n');
    await put('project/own.conf', 'flyway.table=own\n');
    expect((await read({ FLYWAY_CONFIG_FILES: 'own.conf' })).settings.table).toBe('own');
    expect((await read({ FLYWAY_CONFIG_FILES: 'flyway.toml' }, { configFiles: ['own.conf'] })).settings.table).toBe(
      'own',
    );
    expect((await read({ FLYWAY_CONFIG_FILES: 'own.conf' }, { configFiles: ['flyway.toml'] })).settings.table).toBe(
      'toml',
    );
  });

  it('refuses both kinds named by hand, a missing .conf, and an environment', async () => {
    await put('project/a.toml', '');
    await put('project/b.conf', 'flyway.table=b\n');
    expect(errorsOf(await read({ FLYWAY_CONFIG_FILES: 'a.toml,b.conf' }))).toEqual(['config-mixed']);
    expect(errorsOf(await read({}, { configFiles: ['b.conf', 'gone.conf'] }))).toEqual(['config-file-missing']);
    expect(
      errorsOf(
        await read(
          {},
          { configFiles: ['b.conf'], overrides: { environment: { value: 'prod', source: '--environment' } } },
        ),
      ),
    ).toEqual(['config-value-invalid']);
  });

  it('only warns of a missing TOML file, as Flyway goes on without it', async () => {
    const { findings } = await read({ FLYWAY_CONFIG_FILES: 'gone.toml' });
    expect(findings.map(({ code, severity }) => [code, severity])).toEqual([['config-file-missing', 'warning']]);
  });
});

describe('bad input', () => {
  it('TOML errors come with line and column, the other files still count, and no password is shown', async () => {
    const file = await put(
      'project/flyway.toml',
      '[environments.default]\nurl = "jdbc:postgresql:x"\npassword = "geheim" oops\n',
    );
    await put('home/flyway.toml', '[flyway]\nlockRetryCount = "many"\n');
    const reading = await read();
    expect(errorsOf(reading)).toEqual(['config-file-invalid', 'config-value-invalid']);
    const broken = reading.findings[0];
    expect(broken?.location).toMatchObject({ file, line: 3 });
    expect(broken?.location?.column).toBeGreaterThan(12);
    expect(broken?.message).toContain('line 3, column');
    expect(JSON.stringify(reading.findings)).not.toContain('geheim');
  });

  it('shows a harmless broken line as it is', async () => {
    await put('project/flyway.toml', '[flyway]\ntable = oops\n');
    expect((await read()).findings[0]?.location?.lineText).toBe('table = oops');
  });

  it.each([
    ['a list for a text', '[flyway]\ntable = ["a"]\n', 'flyway.table'],
    ['a text for a list', '[flyway]\nlocations = "filesystem:sql"\n', 'flyway.locations'],
    ['a number for a truth value', '[flyway]\noutOfOrder = 3\n', 'flyway.outOfOrder'],
    ['a fraction for a count', '[flyway]\nlockRetryCount = 1.5\n', 'flyway.lockRetryCount'],
    ['a count below -1', '[flyway]\nlockRetryCount = -2\n', 'flyway.lockRetryCount'],
    ['a text for a table', 'environments = "x"\n', 'environments'],
    ['a text for an environment', '[environments]\nprod = "x"\n', 'environments.prod'],
    [
      "a placeholder in Flyway's own name space",
      '[flyway.placeholders]\n"flyway:user" = "x"\n',
      'flyway.placeholders.flyway:user',
    ],
  ])('refuses %s and names file and key', async (_, text, key) => {
    await put('project/flyway.toml', text);
    const reading = await read();
    expect(errorsOf(reading)).toEqual(['config-value-invalid']);
    expect(reading.findings[0]?.subject).toBe(`flyway.toml ${key}`);
  });

  it('refuses bytes that are no UTF-8', async () => {
    await put('project/flyway.toml', Buffer.from([0x61, 0x3d, 0x22, 0xff, 0x22]));
    expect(errorsOf(await read())).toEqual(['config-file-unreadable']);
  });

  it('reads a .conf in the encoding that is named, and refuses one that nobody knows', async () => {
    await put('project/flyway.conf', Buffer.from('flyway.user=m\xfcller', 'latin1'));
    expect(errorsOf(await read())).toEqual(['config-file-unreadable']);
    expect(errorsOf(await read({ FLYWAY_CONFIG_FILE_ENCODING: 'klingon' }))).toEqual(['config-file-unreadable']);
    expect((await read({ FLYWAY_CONFIG_FILE_ENCODING: 'ISO-8859-1', FLYWAY_URL: 'u' })).connection?.user?.value).toBe(
      'müller',
    );
  });

  it('refuses resolvers that it does not have, unless the password comes another way', async () => {
    await put(
      'project/flyway.toml',
      '[environments.default]\nurl = "jdbc:postgresql:x"\npassword = "${vault.db_pw}"\n[environments.other]\npassword = "${vault.unused}"\n',
    );
    const refused = await read();
    expect(errorsOf(refused)).toEqual(['config-resolver-unsupported']);
    expect(refused.findings[0]?.message).toContain('flyway.toml environments.default.password');
    expect(errorsOf(await read({ FLYWAY_PASSWORD: 'x' }))).toEqual([]);
    const replaced = await read({}, { password: { value: new Secret('mine'), source: 'FLYBACK_PASSWORD' } });
    expect(errorsOf(replaced)).toEqual([]);
    expect(replaced.connection?.password?.value.reveal()).toBe('mine');
  });

  it('refuses an unknown environment, unless a URL makes it one', async () => {
    await put('project/flyway.toml', '[flyway]\nenvironment = "prod"\n[environments.test]\nurl = "u"\n');
    const reading = await read();
    expect(errorsOf(reading)).toEqual(['config-environment-unknown']);
    expect(reading.findings[0]?.hint).toContain('test');
    expect(errorsOf(await read({ FLYWAY_URL: 'jdbc:postgresql:x' }))).toEqual([]);
    expect(errorsOf(await read({}, { overrides: { url: { value: 'jdbc:postgresql:x', source: '--url' } } }))).toEqual(
      [],
    );
  });

  it('does not guess when FLYWAY_ENVIRONMENT, which Flyway does not read, says something else', async () => {
    await put('project/flyway.toml', '[environments.default]\nurl = "u0"\n[environments.prod]\nurl = "u1"\n');
    expect(errorsOf(await read({ FLYWAY_ENVIRONMENT: 'prod' }))).toEqual(['config-environment-ambiguous']);
    expect(errorsOf(await read({ FLYWAY_ENVIRONMENT: 'default' }))).toEqual([]);
    const chosen = await read(
      { FLYWAY_ENVIRONMENT: 'prod' },
      { overrides: { environment: { value: 'prod', source: '--environment' } } },
    );
    expect(errorsOf(chosen)).toEqual([]);
    expect(chosen.connection?.url.value).toBe('u1');
  });

  it('refuses a driver class that is not the usual one, and warns of what has no effect', async () => {
    await put(
      'project/flyway.toml',
      '[flyway]\nurl = "nowhere"\ndetectEncoding = true\n[environments.default]\nurl = "u"\ndriver = "com.example.Driver"\nprovisioner = "docker"\n[environments.default.flyway]\ninstalledBy = "${env.WHO}"\n',
    );
    const reading = await read();
    expect(errorsOf(reading)).toEqual(['config-key-refused']);
    const warned = reading.findings.filter(({ severity }) => severity === 'warning').map(({ code }) => code);
    expect(warned.sort()).toEqual([
      'config-key-ignored',
      'config-key-ignored',
      'config-key-misplaced',
      'config-unresolved',
    ]);
    expect(reading.settings.installedBy).toBe('${env.WHO}');
    await put('project/flyway.toml', '[environments.default]\nurl = "u"\ndriver = "org.mariadb.jdbc.Driver"\n');
    expect(errorsOf(await read())).toEqual([]);
    await put('project/flyway.toml', '[environments.default]\nurl = "u"\ndriver = "org.postgresql.Driver"\n');
    expect((await read()).findings).toEqual([]);
  });
});

describe('secrets', () => {
  it('are the password and placeholders named like secrets, and nothing else', async () => {
    await put(
      'project/flyway.toml',
      '[environments.default]\nurl = "u"\npassword = "p%w @d"\n[flyway.placeholders]\napi_token = "tok-123"\nappPassword = "pw-456"\nsigning_key = "key-789"\ncolour = "red-green"\n',
    );
    const { secrets, connection } = await read();
    expect(secrets.map((secret) => secret.reveal()).sort()).toEqual(['key-789', 'p%w @d', 'pw-456', 'tok-123']);
    expect(connection?.password?.value.reveal()).toBe('p%w @d');
  });
});
