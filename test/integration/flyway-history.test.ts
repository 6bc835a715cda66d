import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { FlywaySettings } from '../../adapters/histories/flyway/settings.js';
import type { ConnectionSettings } from '../../src/config/config.js';
import type { History, QualifiedName } from '../../src/history/history.js';
import { FlybackError } from '../../src/errors/error.js';
import { postgresql } from '../../adapters/databases/postgresql/index.js';
import { flywayHistory } from '../../adapters/histories/flyway/index.js';
import { computeStates } from '../../adapters/histories/flyway/states.js';
import { validateStates } from '../../adapters/histories/flyway/validate.js';
import {
  FlywayFailure,
  flyway as flywayOf,
  forEachFlyway,
  type Flyway,
  type FlywayOptions,
} from '../harness/flyway/flyway.js';
import { flywaySettings } from '../harness/history-values.js';
import { createDatabase, newestServer, runOn, type TestDatabase } from '../harness/postgres.js';

type Files = Readonly<Record<string, string | Buffer | null>>;

/** A history made by Flyway, then changed from outside; expectations come from Flyway itself, asked afterwards. */
interface Scenario {
  readonly files: Files;
  readonly setUp?: 'migrate' | 'baseline';
  readonly setUpConfig?: Readonly<Record<string, string>>;
  /** Run on the history table, named h. */
  readonly sql?: string;
  readonly repair?: boolean;
  readonly change?: Files;
  readonly settings?: Partial<FlywaySettings>;
  /** What the facts say `migrate` does: guards against both sides being wrong in the same way. */
  readonly expected: { readonly refuses: boolean; readonly runs: readonly string[] };
  /** Needs what the open-source jars have only since Flyway 10 (below). */
  readonly since10?: true;
}

/*
 * The lines agree in everything here but this: before Flyway 10 the open-source jars neither resolve migrations that are
 * not SQL (shell, Python, PowerShell) nor take an ignore pattern for one kind of migration ("versioned:ignored").
 */

const three: Files = {
  'V1__a.sql': 'CREATE TABLE IF NOT EXISTS a (id int);\n',
  'sub/V002__b_b.sql': '\ufeffCREATE TABLE IF NOT EXISTS b (id int);\r\n-- Über\r\n',
  'V3_1__c.sql': 'CREATE TABLE IF NOT EXISTS c (id int);',
  'R__view.sql': 'CREATE OR REPLACE VIEW v AS SELECT 1 AS one;\n',
};
const remove = (where: string): string => `DELETE FROM h WHERE ${where}`;

const scenarios: Readonly<Record<string, Scenario>> = {
  'nothing changed': { files: three, expected: { refuses: false, runs: [] } },
  'newest row deleted': {
    files: three,
    sql: remove(`version = '3.1'`),
    expected: { refuses: false, runs: ['3.1'] },
  },
  'two newest rows deleted': {
    files: three,
    sql: remove(`version IN ('002', '3.1')`),
    expected: { refuses: false, runs: ['002', '3.1'] },
  },
  'middle row deleted': {
    files: three,
    sql: remove(`version = '002'`),
    expected: { refuses: true, runs: [] },
  },
  'middle row deleted, outOfOrder': {
    files: three,
    sql: remove(`version = '002'`),
    settings: { outOfOrder: true },
    expected: { refuses: false, runs: ['002'] },
  },
  'middle row deleted, validateOnMigrate off': {
    files: three,
    sql: remove(`version = '002'`),
    settings: { validateOnMigrate: false },
    expected: { refuses: false, runs: [] },
  },
  'middle row deleted, ignored migrations ignored': {
    files: three,
    sql: remove(`version = '002'`),
    settings: { ignoreMigrationPatterns: ['*:future', 'versioned:ignored'] },
    expected: { refuses: false, runs: [] },
    since10: true,
  },
  'all rows deleted': {
    files: three,
    sql: remove('true'),
    expected: { refuses: false, runs: ['1', '002', '3.1', 'view'] },
  },
  'row deleted and file removed': {
    files: three,
    sql: remove(`version = '3.1'`),
    change: { 'V3_1__c.sql': null },
    expected: { refuses: false, runs: [] },
  },
  'newest file removed': {
    files: three,
    change: { 'V3_1__c.sql': null },
    expected: { refuses: false, runs: [] },
  },
  'newest file removed, future not ignored': {
    files: three,
    change: { 'V3_1__c.sql': null },
    settings: { ignoreMigrationPatterns: [] },
    expected: { refuses: true, runs: [] },
  },
  'middle file removed': {
    files: three,
    change: { 'sub/V002__b_b.sql': null },
    expected: { refuses: true, runs: [] },
  },
  'middle file removed, missing ignored': {
    files: three,
    change: { 'sub/V002__b_b.sql': null },
    settings: { ignoreMigrationPatterns: ['*:missing'] },
    expected: { refuses: false, runs: [] },
  },
  'file edited': {
    files: three,
    change: { 'V1__a.sql': 'CREATE TABLE a (id bigint);' },
    expected: { refuses: true, runs: [] },
  },
  'file edited in its line endings only': {
    files: three,
    change: { 'V1__a.sql': 'CREATE TABLE IF NOT EXISTS a (id int);\r\n\r\n' },
    expected: { refuses: false, runs: [] },
  },
  'file renamed': {
    files: three,
    change: { 'V1__a.sql': null, 'V1.0__other.sql': 'CREATE TABLE IF NOT EXISTS a (id int);\n' },
    expected: { refuses: true, runs: [] },
  },
  'SQL migration replaced by a shell script': {
    files: three,
    change: { 'V3_1__c.sql': null, 'V3_1__c.sh': 'true\n' },
    settings: { validateOnMigrate: false },
    expected: { refuses: false, runs: ['3.1'] },
    since10: true,
  },
  'failed row': {
    files: three,
    sql: `UPDATE h SET success = false WHERE version = '3.1'`,
    expected: { refuses: true, runs: [] },
  },
  'failed row deleted': {
    files: three,
    sql: `UPDATE h SET success = false WHERE version = '3.1'; ${remove(`version = '3.1'`)}`,
    expected: { refuses: false, runs: ['3.1'] },
  },
  'failed row, validateOnMigrate off': {
    files: three,
    sql: `UPDATE h SET success = false WHERE version = '3.1'`,
    settings: { validateOnMigrate: false },
    expected: { refuses: true, runs: [] },
  },
  'failed row of a future version': {
    files: three,
    sql: `UPDATE h SET success = false WHERE version = '3.1'`,
    change: { 'V3_1__c.sql': null },
    expected: { refuses: false, runs: [] },
  },
  'failed row of a missing version': {
    files: three,
    sql: `UPDATE h SET success = false WHERE version = '002'`,
    change: { 'sub/V002__b_b.sql': null },
    settings: { ignoreMigrationPatterns: ['*:missing'] },
    expected: { refuses: true, runs: [] },
  },
  'repeatable changed': {
    files: three,
    change: { 'R__view.sql': 'CREATE OR REPLACE VIEW v AS SELECT 2 AS one;\n' },
    expected: { refuses: false, runs: ['view'] },
  },
  'repeatable marked for another run': {
    files: three,
    sql: 'UPDATE h SET checksum = NULL WHERE version IS NULL',
    expected: { refuses: false, runs: ['view'] },
  },
  'repeatable row deleted': {
    files: three,
    sql: remove('version IS NULL'),
    expected: { refuses: false, runs: ['view'] },
  },
  'repeatable file removed': {
    files: three,
    change: { 'R__view.sql': null },
    expected: { refuses: true, runs: [] },
  },
  'repeatable with placeholders': {
    files: { ...three, 'R__view.sql': 'CREATE OR REPLACE VIEW v AS SELECT ${number} AS one; -- ${flyway:filename}\n' },
    setUpConfig: { 'placeholders.number': '7' },
    settings: { placeholders: { number: '7' } },
    expected: { refuses: false, runs: [] },
  },
  'repeatable with another value of its placeholder': {
    files: { ...three, 'R__view.sql': 'CREATE OR REPLACE VIEW v AS SELECT ${number} AS one;\n' },
    setUpConfig: { 'placeholders.number': '7' },
    settings: { placeholders: { number: '8' } },
    expected: { refuses: false, runs: ['view'] },
  },
  'deleted by repair': {
    files: three,
    repair: true,
    change: { 'sub/V002__b_b.sql': null },
    expected: { refuses: false, runs: [] },
  },
  'lower version added, outOfOrder': {
    files: three,
    change: { 'V2_5__late.sql': 'SELECT 1;' },
    settings: { outOfOrder: true },
    expected: { refuses: false, runs: ['2.5'] },
  },
  baseline: {
    files: three,
    setUp: 'baseline',
    setUpConfig: { baselineVersion: '2' },
    expected: { refuses: false, runs: ['3.1', 'view'] },
  },
  'baseline row deleted': {
    files: three,
    setUp: 'baseline',
    setUpConfig: { baselineVersion: '2' },
    sql: remove('true'),
    expected: { refuses: false, runs: ['1', '002', '3.1', 'view'] },
  },
  'baseline migration on a fresh schema': {
    files: { ...three, 'B2__base.sql': 'SELECT 1;' },
    expected: { refuses: false, runs: [] },
  },
  'baseline migration and everything deleted': {
    files: { ...three, 'B2__base.sql': 'SELECT 1;' },
    sql: remove('true'),
    expected: { refuses: false, runs: ['2', '3.1', 'view'] },
  },
  'baseline migration that came too late': {
    files: three,
    change: { 'B4__base.sql': 'SELECT 1;' },
    expected: { refuses: false, runs: [] },
  },
  'unknown type': {
    files: three,
    sql: `UPDATE h SET type = 'SURPRISE' WHERE version = '1'`,
    expected: { refuses: true, runs: [] },
  },
  'two files of one version': {
    files: three,
    change: { 'V1.0.0__again.sql': 'SELECT 1;' },
    expected: { refuses: true, runs: [] },
  },
  'script in another encoding by its .conf': {
    files: {
      'V1__latin.sql': Buffer.from('-- Über\nSELECT 1;\n', 'latin1'),
      'V1__latin.sql.conf': 'encoding=ISO-8859-1\n',
    },
    expected: { refuses: false, runs: [] },
  },
};

let database: TestDatabase;
let folder: string;

beforeAll(async () => {
  database = await createDatabase(newestServer().url);
});
afterAll(() => database.drop());

beforeEach(async () => {
  await runOn(database.url, 'DROP SCHEMA IF EXISTS public, "My ""App""" CASCADE; CREATE SCHEMA public');
  folder = mkdtempSync(path.join(os.tmpdir(), 'flyback-history-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function write(files: Files): void {
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(folder, name);
    if (content === null) rmSync(file);
    else {
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, content);
    }
  }
}

function connection(): ConnectionSettings {
  const url = new URL(database.url);
  return {
    database: 'postgresql',
    hosts: [{ host: url.hostname, port: Number(url.port) }],
    databaseName: database.name,
    user: database.user,
    password: undefined,
    tls: { mode: 'disable' },
    targetServer: 'any',
    searchPath: [],
    options: undefined,
    applicationName: 'flyback-test',
    connectTimeoutMs: 10_000,
    initSql: undefined,
    display: 'test',
  };
}

/** Reads the history as a run would: describe, check, read, parse, interpret. */
async function readHistory(settings: FlywaySettings): Promise<History> {
  const session = await postgresql.connect(connection());
  try {
    const table = flywayHistory.tableName(settings, session.facts.currentSchema);
    const [described] = await session.query(flywayHistory.describeTable(postgresql, table));
    if (described === undefined) throw new Error('No answer.');
    flywayHistory.checkTable(table, described);
    const [rows] = await session.query(flywayHistory.readRows(postgresql, table));
    if (rows === undefined) throw new Error('No answer.');
    return flywayHistory.interpret(table, flywayHistory.parseRows(rows, []));
  } finally {
    await session.close();
  }
}

/** The settings that both sides must agree on, by Flyway's names. */
function configFor({ settings = {} }: Scenario): Readonly<Record<string, string>> {
  return {
    outOfOrder: String(settings.outOfOrder ?? false),
    validateOnMigrate: String(settings.validateOnMigrate ?? true),
    ignoreMigrationPatterns: (settings.ignoreMigrationPatterns ?? ['*:future']).join(','),
    ...Object.fromEntries(
      Object.entries(settings.placeholders ?? {}).map(([name, value]) => [`placeholders.${name}`, value]),
    ),
  };
}

async function outcome<T>(run: Promise<T>): Promise<T | FlywayFailure> {
  return run.catch((error: unknown) => {
    if (error instanceof FlywayFailure) return error;
    throw error;
  });
}

async function prepare(
  flyway: (options: FlywayOptions) => Flyway,
  scenario: Scenario,
): Promise<{ readonly tool: Flyway; readonly settings: FlywaySettings }> {
  write(scenario.files);
  const setUp = flyway({ database, locations: [folder], config: scenario.setUpConfig ?? {} });
  await (scenario.setUp === 'baseline' ? setUp.baseline() : setUp.migrate());
  if (scenario.sql !== undefined) {
    await runOn(database.url, `CREATE TEMPORARY VIEW h AS SELECT * FROM public.flyway_schema_history; ${scenario.sql}`);
  }
  write(scenario.change ?? {});
  const tool = flyway({ database, locations: [folder], config: configFor(scenario) });
  if (scenario.repair === true) await tool.repair();
  const settings = flywaySettings({
    ...scenario.settings,
    locations: [`filesystem:${folder}`],
    workingDirectory: folder,
  });
  return { tool, settings };
}

forEachFlyway('Reading a history as the real Flyway does', (major) => {
  const flyway = (options: FlywayOptions): Flyway => flywayOf(options, major);

  for (const [title, scenario] of Object.entries(scenarios)) {
    if (scenario.since10 === true && major < 10) continue;
    it(`agrees with info, validate and migrate: ${title}`, async () => {
      const { tool, settings } = await prepare(flyway, scenario);
      const { migrations } = await flywayHistory.loadMigrations(settings);
      const history = await readHistory(settings);
      const states = computeStates(history, migrations, settings);
      const forecast = flywayHistory.forecast(history, migrations, settings);

      const info = await outcome(tool.info());
      if (info instanceof FlywayFailure) {
        expect(scenario.expected.refuses).toBe(true);
      } else {
        const shown = info
          .filter(({ type, installedRank }) => !['DELETE', 'SCHEMA'].includes(type) || installedRank === null)
          .map(({ version, description, state }) => `${version ?? description} ${state}`);
        expect(
          states.infos.map(({ version, description, state }) => `${version?.text ?? description} ${state}`).sort(),
        ).toEqual(shown.sort());

        const validation = await tool.validate();
        const complaints = validateStates(states, settings.ignoreMigrationPatterns);
        expect(complaints.map(({ info: { version, description } }) => version?.text ?? description).sort()).toEqual(
          validation.invalid.map(({ version, description }) => version || description).sort(),
        );
      }

      const migrated = await outcome(tool.migrate());
      expect(forecast.refuses !== undefined).toBe(migrated instanceof FlywayFailure);
      expect(forecast.refuses !== undefined).toBe(scenario.expected.refuses);
      const runs = [...forecast.willApply, ...forecast.willRepeat];
      expect(runs).toEqual(scenario.expected.runs);
      if (!(migrated instanceof FlywayFailure)) {
        expect(migrated.migrations.map(({ version, description }) => version || description)).toEqual(runs);
      }
    });
  }

  if (major < 10) {
    it('knows neither shell migrations nor ignore patterns for one kind of migration', async () => {
      const { tool } = await prepare(flyway, {
        files: three,
        change: { 'V4__d.sh': 'true\n' },
        expected: { refuses: false, runs: [] },
      });
      expect((await tool.info()).map(({ version }) => version)).not.toContain('4');
      expect(await tool.migrate()).toMatchObject({ migrationsExecuted: 0 });
      const patterns = { ignoreMigrationPatterns: 'versioned:ignored' };
      const strict = flyway({ database, locations: [folder], config: patterns });
      await expect(strict.validate()).rejects.toThrow('not supported by Flyway Community Edition');
    });
  }

  it('computes the checksums that Flyway stores, for every file', async () => {
    const { settings } = await prepare(flyway, {
      files: {
        ...three,
        'V4__empty.sql': '',
        'V5__long.sql': `-- ${'ä€😀'.repeat(5000)}\n`,
        'V6__bom_inside.sql': 'SELECT 1;\n\ufeff-- b\n',
        'V7__odd.sql': '-- a\u2028b\u0085c\vd\fe\rSELECT 1;\n\r',
      },
      expected: { refuses: false, runs: [] },
    });
    const { migrations, findings } = await flywayHistory.loadMigrations(settings);
    const history = await readHistory(settings);
    expect(findings).toEqual([]);
    expect(history.rows.map(({ entry }) => [entry.script, entry.checksum, entry.type]).sort()).toEqual(
      migrations.map(({ script, checksum }) => [script, checksum, 'SQL']).sort(),
    );
  });

  it('resolves the same files by their names', async () => {
    const names = [
      ...['V1__a.sql', 'V1_1__b.SQL', 'V02.0.sql', 'V3__.sql', 'V4__x__y_z.sql', 'V5__a.b.sql', 'V6_0_1__c.sql'],
      ...['R__view.sql', 'R__notes', 'R__tool.sh', 'V7__tool.py', 'V8__TOOL.PS1', 'V9.1', 'V10__dotted.name'],
      ...['R999__Rollback_x.sql', 'U1__x.sql', 'V1a__x.sql', 'v6__x.sql', 'V 4__x.sql', 'V__x.sql', 'V11_x.sql'],
      ...['beforeMigrate.sql', 'afterMigrate__x.sql', 'beforeMigrateX.sql', 'notes.sql', 'README', 'V12__x.sql.bak'],
      ...[
        'V13__x.txt',
        'V14.__x.sql',
        'V15__x.sql.conf',
        'V16__x.',
        'Vx.sql',
        '.hidden/V17__x.sql',
        'deep/er/V18__x.sql',
      ],
      ...['.V19__x.sql', 'B20__base.sql', 'V1234567890123456789012345678901234567890__huge.sql', 'R.sql', 'RR__x.sql'],
    ];
    write(Object.fromEntries(names.map((name) => [name, name.endsWith('.conf') ? '' : `-- ${name}\n`])));
    const settings = flywaySettings({ locations: [`filesystem:${folder}`] });
    const { migrations } = await flywayHistory.loadMigrations(settings);
    const info = await flyway({ database, locations: [folder] }).info();
    // The open-source edition does not know undo files, and only since Flyway 10 migrations that are not SQL.
    const own = migrations.filter(({ kind, isSql }) => kind !== 'undo' && (major >= 10 || isSql));
    const line = (...parts: readonly unknown[]): string => JSON.stringify(parts);
    expect(own.map((m) => line(m.version?.text ?? null, m.description, m.script, m.checksum)).sort()).toEqual(
      info.map((row) => line(row.version, row.description, row.script, row.checksum)).sort(),
    );
  });

  it.each([
    ['m/n*'],
    ['m/n?/sub'],
    ['m/**/sub'],
    ['m/**'],
    ['m/**/V*.sql'],
    ['m/n*/**/V?__*.sql'],
    ['m/*.sql'],
    ['m/x*'],
    ['m/n1/sub', 'm/n1'],
    ['m/n1', 'm/n1/sub', 'm/n2/'],
  ])('finds the same files under the locations %s %s', async (...patterns: readonly (string | undefined)[]) => {
    write({
      'm/V9__top.sql': '-- 9',
      'm/n1/V1__a.sql': '-- 1',
      'm/n1/sub/V2__b.sql': '-- 2',
      'm/n1/sub/sub/V3__c.sql': '-- 3',
      'm/n2/V4__d.sql': '-- 4',
      'm/n2/other/V55__e.sql': '-- 55',
    });
    const locations = patterns.filter((pattern) => pattern !== undefined).map((pattern) => `${folder}/${pattern}`);
    const settings = flywaySettings({ locations: locations.map((location) => `filesystem:${location}`) });
    const { migrations } = await flywayHistory.loadMigrations(settings);
    const info = await flyway({ database, locations }).info();
    expect(migrations.map(({ script }) => script).sort()).toEqual(info.map(({ script }) => script).sort());
  });

  it('replaces placeholders in the same places, as the checksums of repeatables show', async () => {
    const texts = [
      '${x}',
      '$${x}',
      '$$${x}$$',
      '${X}${x}',
      "'${x}' -- ${x}",
      '${empty}|',
      '$ {x}',
      '$',
      '{${x}}',
      '${flyway:table}',
    ];
    write(Object.fromEntries(texts.map((text, index) => [`R__${index}.sql`, `-- ${text}\n`])));
    const placeholders = { x: 'SELECT\n1', empty: '' };
    const settings = flywaySettings({ locations: [`filesystem:${folder}`], placeholders });
    const { migrations, findings } = await flywayHistory.loadMigrations(settings);
    const info = await flyway({
      database,
      locations: [folder],
      config: { 'placeholders.x': placeholders.x, 'placeholders.empty': '' },
    }).info();
    expect(findings).toEqual([]);
    expect(migrations.map(({ script, checksum }) => [script, checksum])).toEqual(
      info.map(({ script, checksum }) => [script, checksum]),
    );
  });

  it('deletes exactly the row that it was asked to, and nothing when the row has changed', async () => {
    const { tool, settings } = await prepare(flyway, { files: three, expected: { refuses: false, runs: [] } });
    const history = await readHistory(settings);
    const newest = history.applied.at(-1);
    if (newest === undefined) throw new Error('Nothing applied.');
    const sql = flywayHistory.removeRow(postgresql, history.table, newest.entry);

    const session = await postgresql.connect(connection());
    try {
      for (const change of [`checksum = 1`, `version = '9'`, `script = 'x'`, `success = false`, `description = 'x'`]) {
        const [, , changed] = await session.query(
          `BEGIN; UPDATE flyway_schema_history SET ${change} WHERE version = '3.1'; ${sql}; ROLLBACK`,
        );
        expect(changed?.rowCount).toBe(0);
      }
      const [deleted] = await session.query(sql);
      expect(deleted?.rowCount).toBe(1);
      const [rows] = await session.query(flywayHistory.readRows(postgresql, history.table));
      const left = rows === undefined ? [] : flywayHistory.parseRows(rows, []);
      expect(left).toEqual(history.rows.map(({ entry }) => entry).filter(({ rank }) => rank !== newest.entry.rank));
    } finally {
      await session.close();
    }
    const after = await readHistory(settings);
    expect(after.fingerprint).not.toBe(history.fingerprint);
    expect((await tool.info()).map(({ version, state }) => [version, state])).toContainEqual(['3.1', 'Pending']);
  });

  it("keeps Flyway out while it holds Flyway's own lock", async () => {
    const { settings } = await prepare(flyway, {
      files: three,
      change: { 'V4__d.sql': 'SELECT 1;' },
      expected: { refuses: false, runs: [] },
    });
    const table: QualifiedName = (await readHistory(settings)).table;
    const tool = flyway({ database, locations: [folder], config: { lockRetryCount: '0' } });
    const session = await postgresql.connect(connection());
    try {
      await session.query('BEGIN');
      const [got] = await session.query(
        postgresql.sql.tryToolLock(flywayHistory.toolLock(postgresql, table, session.facts)),
      );
      expect(got?.rows).toEqual([['t']]);
      const refused = await outcome(tool.migrate());
      expect(refused).toBeInstanceOf(FlywayFailure);
      expect(refused instanceof FlywayFailure ? refused.message : '').toContain('Number of retries exceeded');
      await session.query('ROLLBACK');
    } finally {
      await session.close();
    }
    expect((await tool.migrate()).migrationsExecuted).toBe(1);
  });

  it('says where the history is when it is not where the configuration says', async () => {
    const { settings } = await prepare(flyway, { files: three, expected: { refuses: false, runs: [] } });
    const failure = await readHistory({ ...settings, defaultSchema: 'elsewhere' }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(FlybackError);
    expect(failure).toMatchObject({ code: 'history-missing' });
    expect((failure as FlybackError).hint).toContain('"public"."flyway_schema_history"');
  });

  it('reads a history that Flyway keeps under an odd name in a schema with quotes', async () => {
    write(three);
    const config = { defaultSchema: 'My "App"', table: 'Hist', createSchemas: 'true' };
    await flyway({ database, locations: [folder], config }).migrate();
    const settings = flywaySettings({ defaultSchema: 'My "App"', table: 'Hist' });
    const history = await readHistory(settings);
    expect(history.rows[0]).toMatchObject({ state: 'marker', entry: { rank: 0, type: 'SCHEMA', versionText: null } });
    expect(history.applied.map(({ version }) => version?.text)).toEqual(['1', '002', '3.1']);
    expect(history.findings).toEqual([]);
  });
});
