import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readConnection } from '../../../adapters/databases/postgresql/jdbc-url.js';
import { tools } from '../../../adapters/index.js';
import type { Config } from '../../../src/config/config.js';
import type { FlywaySettings } from '../../../adapters/histories/flyway/settings.js';
import { type ConfigFlags, loadConfig } from '../../../src/config/load-config.js';
import { options } from '../../../src/config/options.js';
import { FlybackError } from '../../../src/errors/error.js';

let root: string;
let project: string;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'flyback-load-'));
  project = path.join(root, 'project');
  await mkdir(project);
});
afterEach(() => rm(root, { recursive: true }));

function put(name: string, text: string | Buffer): Promise<void> {
  return writeFile(path.join(project, name), text);
}

function load(
  flags: ConfigFlags = {},
  environment: Record<string, string> = {},
  currentFolder?: string,
): Promise<Config> {
  return loadConfig({
    projectFolder: project,
    flags,
    environment,
    homeFolder: path.join(root, 'home'),
    currentFolder,
    systemUser: 'me',
    tools,
    readConnection,
  });
}

async function refusal(flags: ConfigFlags = {}, environment: Record<string, string> = {}): Promise<FlybackError> {
  const error: unknown = await load(flags, environment).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof FlybackError)) throw new Error(`expected a FlybackError, got ${inspect(error)}`);
  return error;
}

describe('defaults', () => {
  it('need no file at all', async () => {
    const config = await load();
    expect(config).toMatchObject({
      projectFolder: project,
      connection: undefined,
      rollbacksFolder: path.join(project, 'rollbacks'),
      templatesFolder: undefined,
      record: { schema: undefined },
      run: {
        lockTimeoutMs: 5000,
        statementTimeoutMs: 0,
        lockRetries: 3,
        lockRetryPauseMs: 2000,
        concurrentWaitMs: 600_000,
        toolLockWaitMs: 50_000,
        triggers: undefined,
      },
      audit: { ignore: [], maxRisk: 'critical' },
      secrets: [],
      findings: [],
    });
    expect(config.sources['run.lockTimeout']).toBe('default');
  });
});

describe('precedence', () => {
  const cases = [
    [
      'lockTimeout',
      'run.lockTimeout',
      ['"1s"', '2s', '3s'],
      (config: Config) => config.run.lockTimeoutMs,
      [1000, 2000, 3000],
    ],
    [
      'statementTimeout',
      'run.statementTimeout',
      ['"1min"', '500ms', '0'],
      (config: Config) => config.run.statementTimeoutMs,
      [60_000, 500, 0],
    ],
    [
      'lockRetryPause',
      'run.lockRetryPause',
      ['"1s"', '2s', '3s'],
      (config: Config) => config.run.lockRetryPauseMs,
      [1000, 2000, 3000],
    ],
    [
      'concurrentWait',
      'run.concurrentWait',
      ['"1h"', '2s', '0'],
      (config: Config) => config.run.concurrentWaitMs,
      [3_600_000, 2000, 0],
    ],
    [
      'toolLockWait',
      'run.toolLockWait',
      ['"1h"', '2s', '1.5s'],
      (config: Config) => config.run.toolLockWaitMs,
      [3_600_000, 2000, 1500],
    ],
    ['lockRetries', 'run.lockRetries', ['1', '2', '0'], (config: Config) => config.run.lockRetries, [1, 2, 0]],
    [
      'triggers',
      'run.triggers',
      ['"replica"', 'disable', 'keep'],
      (config: Config) => config.run.triggers,
      ['replica', 'disable', 'keep'],
    ],
    [
      'maxRisk',
      'audit.maxRisk',
      ['"none"', 'low', 'high'],
      (config: Config) => config.audit.maxRisk,
      ['none', 'low', 'high'],
    ],
    [
      'ignore',
      'audit.ignore',
      ['["a-b"]', 'c-d,e-f', 'g-h'],
      (config: Config) => config.audit.ignore.join(),
      ['a-b', 'c-d,e-f', 'g-h'],
    ],
    [
      'passes',
      'prove.passes',
      ['["residue", "exact"]', 'data-lost, exact', 'exact'],
      (config: Config) => config.prove.passes.join(),
      ['exact,residue', 'exact,data-lost', 'exact'],
    ],
    [
      'requireProof',
      'prove.requireProof',
      ['"stop"', 'warn', 'off'],
      (config: Config) => config.prove.requireProof,
      ['stop', 'warn', 'off'],
    ],
    [
      'sameMajor',
      'prove.sameMajor',
      ['true', 'false', 'true'],
      (config: Config) => config.prove.sameMajor,
      [true, false, true],
    ],
    [
      'drift',
      'prove.drift',
      ['"stop"', 'warn', 'off'],
      (config: Config) => config.prove.drift,
      ['stop', 'warn', 'off'],
    ],
    ['recordSchema', 'record.schema', ['"a"', 'b', 'c'], (config: Config) => config.record.schema, ['a', 'b', 'c']],
    ['recordTable', 'record.table', ['"a"', 'b', 'c'], (config: Config) => config.record.table, ['a', 'b', 'c']],
    [
      'tool',
      'tool',
      ['"flyway"', 'flyway', 'flyway'],
      (config: Config) => config.tool.tool,
      ['flyway', 'flyway', 'flyway'],
    ],
  ] as const;

  it.each(cases)(
    '%s: flyback.toml, then its variable, then its flag',
    async (name, key, [inFile, inVariable, inFlag], valueOf, expected) => {
      const { variable, flag } = options[name];
      const dot = key.indexOf('.');
      await put(
        'flyback.toml',
        dot === -1 ? `${key} = ${inFile}\n` : `[${key.slice(0, dot)}]\n${key.slice(dot + 1)} = ${inFile}\n`,
      );
      const configs = [
        await load(),
        await load({}, { [variable]: inVariable }),
        await load({ [name]: inFlag }, { [variable]: inVariable }),
      ];
      expect(configs.map((config) => valueOf(config))).toEqual(expected);
      expect(configs.map((config) => config.sources[key])).toEqual([`flyback.toml ${key}`, variable, flag]);
    },
  );

  it('resolves paths of flyback.toml against its folder, of flags and variables against the current one', async () => {
    await put('flyback.toml', 'rollbacks = "db/back"\ntemplates = "../shared"\n');
    const current = path.join(root, 'elsewhere');
    expect((await load({}, {}, current)).rollbacksFolder).toBe(path.join(project, 'db/back'));
    expect((await load({}, {}, current)).templatesFolder).toBe(path.join(root, 'shared'));
    expect((await load({ rollbacks: 'x' }, {}, current)).rollbacksFolder).toBe(path.join(current, 'x'));
    expect((await load({}, { FLYBACK_ROLLBACKS: 'y' }, current)).rollbacksFolder).toBe(path.join(current, 'y'));
  });

  it("flags and FLYBACK_ variables beat every source of Flyway's", async () => {
    await put(
      'flyway.toml',
      '[flyway]\ntable = "t0"\n[environments.default]\nurl = "jdbc:postgresql://h0/d"\nuser = "u0"\npassword = "p0"\nschemas = ["s0"]\n',
    );
    const seen = async (flags: ConfigFlags, environment: Record<string, string>): Promise<unknown> => {
      const { connection, tool } = await load(flags, environment);
      const flyway = tool as FlywaySettings;
      return [
        connection?.hosts[0]?.host,
        connection?.user,
        connection?.password?.reveal(),
        flyway.table,
        flyway.schemas,
      ];
    };
    const flywayVariables = {
      FLYWAY_URL: 'jdbc:postgresql://h1/d',
      FLYWAY_USER: 'u1',
      FLYWAY_PASSWORD: 'p1',
      FLYWAY_TABLE: 't1',
      FLYWAY_SCHEMAS: 's1',
    };
    const own = {
      FLYBACK_URL: 'postgres://h2/d',
      FLYBACK_USER: 'u2',
      FLYBACK_PASSWORD: 'p2',
      FLYBACK_TABLE: 't2',
      FLYBACK_SCHEMAS: 's2',
      PW: 'p3',
    };
    expect(await seen({}, {})).toEqual(['h0', 'u0', 'p0', 't0', ['s0']]);
    expect(await seen({}, flywayVariables)).toEqual(['h1', 'u1', 'p1', 't1', ['s1']]);
    expect(await seen({}, { ...flywayVariables, ...own })).toEqual(['h2', 'u2', 'p2', 't2', ['s2']]);
    expect(
      await seen(
        { url: 'postgres://h3/d', user: 'u3', passwordEnv: 'PW', table: 't3', schemas: 's3' },
        { ...flywayVariables, ...own },
      ),
    ).toEqual(['h3', 'u3', 'p3', 't3', ['s3']]);
  });
});

describe('the password', () => {
  it('comes from the variable that flyback.toml names', async () => {
    await put('flyback.toml', 'passwordEnv = "DB_PW"\n');
    const config = await load({ url: 'postgres://h/d' }, { DB_PW: 'p @%d', FLYWAY_PASSWORD: 'other' });
    expect(config.connection?.password?.reveal()).toBe('p @%d');
    expect(config.sources['password']).toBe('DB_PW (flyback.toml passwordEnv)');
    expect((await refusal({ url: 'postgres://h/d' })).message).toContain('DB_PW');
  });

  it('is not repeated when someone writes it where the name of a variable belongs, or into the file', async () => {
    const flag = await refusal({ passwordEnv: 'hunter2!' });
    expect(flag.message).toContain('--password-env');
    expect(inspect(flag, { depth: 9 })).not.toContain('hunter2');
    await put('flyback.toml', 'password = "hunter2!"\n');
    const file = await refusal();
    expect(file.hint).toContain('passwordEnv');
    expect(inspect(file, { depth: 9 })).not.toContain('hunter2');
  });

  it('survives every way in, letter for letter', async () => {
    // What a TOML text may hold and Flyway does not interpret: no control characters, no blanks at the ends, no reference.
    const password = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 30 })
      .map((text) => text.trim())
      .filter((text) => text !== '' && !/[\p{C}$]|^!\{/u.test(text));
    await fc.assert(
      fc.asyncProperty(password, async (text) => {
        await put(
          'flyway.toml',
          `[environments.default]\nurl = "jdbc:postgresql://h/d"\nuser = "u"\npassword = ${JSON.stringify(text)}\n`,
        );
        const ways = [
          await load(),
          await load({}, { FLYWAY_PASSWORD: text }),
          await load({}, { FLYBACK_PASSWORD: text }),
          await load({ url: `postgres://u:${encodeURIComponent(text)}@h/d` }),
          await load({ url: `jdbc:postgresql://h/d?password=${encodeURIComponent(text)}` }),
        ];
        expect(ways.map((config) => config.connection?.password?.reveal())).toEqual(ways.map(() => text));
        expect(ways.every((config) => config.secrets.some((secret) => secret.reveal() === text))).toBe(true);
      }),
      { numRuns: 25 },
    );
  });

  it('does not show when the configuration is printed', async () => {
    const config = await load(
      { url: 'postgres://u:geheim99@h/d?sslpassword=schluessel' },
      { FLYWAY_PLACEHOLDERS_API_TOKEN: 'tok-12345' },
    );
    const { tool, ...rest } = config;
    expect((tool as FlywaySettings).placeholders).toEqual({ api_token: 'tok-12345' });
    expect(JSON.stringify(rest) + inspect(rest, { depth: 9 })).not.toMatch(/geheim99|schluessel|tok-12345/);
    expect(config.secrets.map((secret) => secret.reveal())).toEqual(
      expect.arrayContaining(['geheim99', 'schluessel', 'tok-12345']),
    );
  });
});

describe('problems', () => {
  it('a folder that is not there has its own error', async () => {
    project = path.join(root, 'gone');
    expect((await refusal()).code).toBe('project-not-found');
  });

  it.each([
    ['[run]\nlockTimout = "5s"\n', 'run.lockTimout', 'run.lockTimeout'],
    ['lockTimeout = "5s"\n', 'lockTimeout', 'run.lockTimeout'],
    ['rolbacks = "x"\n', 'rolbacks', 'rollbacks'],
    ['lock-timeout = "5s"\n', 'lock-timeout', 'run.lockTimeout'],
    ['url = "jdbc:postgresql:x"\n', 'url', "migration tool's own configuration"],
    ['run = 3\n', 'run', '[run]'],
    ['zzzzzzzz = 1\n', 'zzzzzzzz', 'Known keys'],
  ])('%j: an unknown key is named, with the likely one', async (text, key, hint) => {
    await put('flyback.toml', text);
    const error = await refusal();
    expect(error.code).toBe('config-invalid');
    expect(error.message).toContain(`unknown key ${key}.`);
    expect(error.message).toContain('flyback.toml');
    expect(error.hint).toContain(hint);
  });

  it.each([
    ['[run]\nlockTimeout = 5\n', 'run.lockTimeout'],
    ['[run]\nlockTimeout = "5"\n', 'run.lockTimeout'],
    ['[run]\nlockTimeout = "5 parsecs"\n', 'run.lockTimeout'],
    ['[run]\nlockTimeout = "-5s"\n', 'run.lockTimeout'],
    ['[run]\nlockTimeout = "9999h"\n', 'run.lockTimeout'],
    ['[run]\nlockRetries = "3"\n', 'run.lockRetries'],
    ['[run]\nlockRetries = -1\n', 'run.lockRetries'],
    ['[run]\nlockRetries = 1.5\n', 'run.lockRetries'],
    ['[run]\ntriggers = "off"\n', 'run.triggers'],
    ['[audit]\nmaxRisk = "huge"\n', 'audit.maxRisk'],
    ['[audit]\nignore = "a-b"\n', 'audit.ignore'],
    ['[audit]\nignore = ["Not A Code"]\n', 'audit.ignore'],
    ['[prove]\npasses = "exact"\n', 'prove.passes'],
    ['[prove]\npasses = []\n', 'prove.passes'],
    ['[prove]\npasses = ["exakt"]\n', 'prove.passes'],
    ['[prove]\nrequireProof = "yes"\n', 'prove.requireProof'],
    ['[prove]\nrequireProof = true\n', 'prove.requireProof'],
    ['[prove]\nsameMajor = "true"\n', 'prove.sameMajor'],
    ['[prove]\ndrift = "maybe"\n', 'prove.drift'],
    ['tool = "liquibase"\n', 'tool'],
    ['rollbacks = ""\n', 'rollbacks'],
    ['rollbacks = 3\n', 'rollbacks'],
    ['[record]\ntable = ["x"]\n', 'record.table'],
  ])('%j is refused, naming the key', async (text, key) => {
    await put('flyback.toml', text);
    const error = await refusal();
    expect(error.message).toContain(`flyback.toml ${key}`);
    expect(error.hint).toBeTruthy();
    expect(error.findings).toHaveLength(1);
  });

  it('a grade that there is not is named, with the likely one', async () => {
    await put('flyback.toml', '[prove]\npasses = ["exact", "colum-order", "green"]\n');
    const { findings } = await refusal();
    expect(findings.map(({ message, hint }) => [message, hint])).toEqual([
      [expect.stringContaining('"colum-order", which is not a grade'), 'Perhaps column-order was meant.'],
      [expect.stringContaining('"green", which is not a grade'), expect.stringContaining('Choose among exact')],
    ]);
  });

  it('bad TOML comes with line and column', async () => {
    await put('flyback.toml', 'tool = "flyway"\nrollbacks = oops\n');
    const error = await refusal();
    expect(error.location).toMatchObject({
      file: path.join(project, 'flyback.toml'),
      line: 2,
      lineText: 'rollbacks = oops',
    });
  });

  it('bytes that are no UTF-8, and a folder named flyback.toml, are refused', async () => {
    await put('flyback.toml', Buffer.from([0xff, 0xfe, 0x00]));
    expect((await refusal()).message).toContain('UTF-8');
    await rm(path.join(project, 'flyback.toml'));
    await mkdir(path.join(project, 'flyback.toml'));
    expect((await refusal()).message).toContain('Cannot read flyback.toml');
  });

  it('all are reported at once, each with its source', async () => {
    await put('flyback.toml', 'nonsense = 1\n[run]\nlockTimeout = 5\n');
    await put(
      'flyway.toml',
      '[flyway]\noutOfOrder = "perhaps"\n[environments.default]\nurl = "jdbc:postgresql://h/d?socketFactory=a.B&sslmode=no"\npassword = "${vault.x}"\n',
    );
    const error = await refusal({ triggers: 'off', user: '' }, { FLYBACK_MAX_RISK: 'x' });
    expect(error.code).toBe('config-invalid');
    expect(error.message).toContain(String(error.findings.length));
    expect(error.findings.map(({ subject }) => subject).sort()).toEqual(
      [
        '--triggers',
        '--user',
        'FLYBACK_MAX_RISK',
        'flyback.toml nonsense',
        'flyback.toml run.lockTimeout',
        'flyway.toml environments.default.password',
        'flyway.toml environments.default.url',
        'flyway.toml environments.default.url',
        'flyway.toml flyway.outOfOrder',
      ].sort(),
    );
  });

  it('no finding repeats a secret, whatever a file makes of it', async () => {
    await put(
      'flyway.toml',
      '[flyway]\ntable = "t"\n[environments.default]\nurl = "jdbc:postgresql://h/d?geheim99=1"\npassword = "geheim99"\n',
    );
    const { findings } = await load();
    expect(findings).toHaveLength(1);
    expect(JSON.stringify(findings)).not.toContain('geheim99');
  });

  it('a misspelt FLYBACK_ variable is a warning with the likely name', async () => {
    const { findings } = await load({}, { FLYBACK_LOCK_TIMEOUTS: '1s' });
    expect(findings).toMatchObject([
      { severity: 'warning', subject: 'FLYBACK_LOCK_TIMEOUTS', hint: 'Perhaps FLYBACK_LOCK_TIMEOUT was meant.' },
    ]);
  });
});
