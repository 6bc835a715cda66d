import * as fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mysql } from '../../../../../adapters/databases/mysql/index.js';
import { postgresql } from '../../../../../adapters/databases/postgresql/index.js';
import { golangMigrateHistory } from '../../../../../adapters/histories/golang-migrate/index.js';
import { lockId, toolLock } from '../../../../../adapters/histories/golang-migrate/lock.js';
import { golangMigrateVersions } from '../../../../../adapters/histories/golang-migrate/versions.js';
import type { QueryResult } from '../../../../../src/adapter/database.js';
import type { Migration } from '../../../../../src/history/migration.js';

const table = { schema: 'public', name: 'schema_migrations' };

function rowsOf(...rows: readonly (readonly [string, boolean])[]): QueryResult {
  return {
    command: 'SELECT',
    rowCount: rows.length,
    columns: ['version', 'dirty'],
    rows: rows.map(([version, dirty]) => [version, dirty ? 't' : 'f']),
  };
}

function up(version: string): Migration {
  return {
    kind: 'versioned',
    version: golangMigrateVersions.parse(version),
    description: `step ${version}`,
    script: `${version}_step_${version}.up.sql`,
    file: `/m/${version}_step_${version}.up.sql`,
    isSql: true,
    checksum: null,
    sql: 'SELECT 1',
  };
}

describe('versions of golang-migrate', () => {
  it.each([
    ['001', '1'],
    ['0', '0'],
    ['20251122083000', '20251122083000'],
    ['9223372036854775807', '9223372036854775807'],
  ])('%s is stored as %s', (text, stored) => {
    expect(golangMigrateVersions.parse(text)).toEqual({ text: stored, key: stored });
  });

  it.each(['', '-1', '1.2', '1_2', 'x', '9223372036854775808', ' 1', '١'])('"%s" is none', (text) => {
    expect(golangMigrateVersions.parse(text)).toBeUndefined();
  });

  it('are ordered as numbers', () => {
    const number = fc.bigInt({ min: 0n, max: 9_223_372_036_854_775_807n });
    fc.assert(
      fc.property(number, number, (a, b) => {
        const [left, right] = [a, b].map((value) => golangMigrateVersions.parse(String(value)));
        if (left === undefined || right === undefined) throw new Error('Not parsed.');
        expect(Math.sign(golangMigrateVersions.compare(left, right))).toBe(a < b ? -1 : a > b ? 1 : 0);
      }),
    );
  });
});

/* The vectors of database/util_test.go, and ids that the real command was seen to take. */
describe('the lock of golang-migrate', () => {
  it.each([
    ['1764327054', ['database_name']],
    ['2453313553', ['database_name', 'schema_name_1']],
    ['1726534663', ['/app', 'public', 'schema_migrations']],
    ['1787120056', ['app', 'public', 'schema_migrations']],
    ['2621266710', ['/app', 'public']],
    ['2802248011', ['app', 'public']],
    ['198434227', ['/app']],
    ['620236277', ['app']],
  ])('has the id %s for %j', (id, [database = '', ...names]) => {
    expect(lockId(database, ...names)).toBe(id);
  });

  it('on MySQL has a name made of the database and the table', () => {
    const place = { schema: 'app', name: 'schema_migrations' };
    expect(toolLock(mysql, place, { databaseName: 'app' })).toMatchObject({ kind: 'named', keys: ['2938252834'] });
  });

  it('is taken under both names of the database, the lower id first', () => {
    expect(toolLock(postgresql, table, { databaseName: 'app' }).keys).toEqual(['1726534663', '1787120056']);
  });
});

describe('the row of golang-migrate', () => {
  const migrations = ['1', '3', '10', '12'].map(up);
  const parse = (...rows: readonly (readonly [string, boolean])[]): readonly string[] =>
    golangMigrateHistory
      .parseRows(rowsOf(...rows), migrations)
      .map(
        ({ rank, versionText, below, success }) =>
          `${String(rank)}: ${versionText ?? 'nil'} → ${below ?? 'nil'}${success ? '' : ' dirty'}`,
      );

  it('stands for every file at or below it', () => {
    expect(parse(['10', false])).toEqual(['1: 1 → nil', '2: 3 → 1', '3: 10 → 3']);
  });

  it('may name a version without a file, or zero', () => {
    expect(parse(['7', false])).toEqual(['1: 1 → nil', '2: 3 → 1', '3: 7 → 3']);
    expect(parse(['0', false])).toEqual(['1: 0 → nil']);
  });

  it('is absent, or -1, when nothing is applied', () => {
    expect(parse()).toEqual([]);
    expect(parse(['-1', false])).toEqual([]);
  });

  it('that is dirty makes its version a failed one, and is an error that tells both stories', () => {
    const entries = golangMigrateHistory.parseRows(rowsOf(['3', true]), migrations);
    const history = golangMigrateHistory.interpret(table, entries);
    expect(history.applied.map(({ version, state }) => `${version?.text ?? ''} ${state}`)).toEqual([
      '1 applied',
      '3 failed',
    ]);
    expect(history.findings).toMatchObject([{ code: 'history-dirty', severity: 'error', subject: '3' }]);
    expect(history.findings[0]?.message).toMatch(/migrate up.*migrate down/);
  });

  it('that is dirty without a version is an error too', () => {
    const entries = golangMigrateHistory.parseRows(rowsOf(['-1', true]), migrations);
    const history = golangMigrateHistory.interpret(table, entries);
    expect(history.applied).toEqual([]);
    expect(history.findings).toMatchObject([{ code: 'history-dirty', severity: 'error' }]);
  });

  it('must be the only one', () => {
    expect(() => parse(['3', false], ['1', false])).toThrow(/2 rows/);
  });

  it('must name a version', () => {
    expect(() => parse(['-5', false])).toThrow(/-5/);
  });

  it('moves to the version below, guarded by what it says, or goes', () => {
    const [lowest, middle] = golangMigrateHistory.parseRows(rowsOf(['3', false]), migrations);
    if (lowest === undefined || middle === undefined) throw new Error('No entries.');
    expect(golangMigrateHistory.removeRow(postgresql, table, middle)).toBe(
      `UPDATE "public"."schema_migrations" SET "version" = '1', "dirty" = 'false' WHERE "version" = '3' AND "dirty" = 'false'`,
    );
    expect(golangMigrateHistory.removeRow(postgresql, table, lowest)).toBe(
      `DELETE FROM "public"."schema_migrations" WHERE "version" = '1' AND "dirty" = 'false'`,
    );
  });

  it('foretells what up does, and that it refuses without the file of the newest version', () => {
    const forecastAt = (version: string): string => {
      const entries = golangMigrateHistory.parseRows(rowsOf([version, false]), migrations);
      return golangMigrateHistory.forecast(golangMigrateHistory.interpret(table, entries), migrations, {
        tool: 'golang-migrate',
        folder: '/m',
        table: 'schema_migrations',
        schema: undefined,
      }).summary;
    };
    expect(forecastAt('3')).toBe('migrate up will apply 10, 12.');
    expect(forecastAt('12')).toBe('migrate up will find nothing to do.');
    expect(forecastAt('11')).toMatch(/^migrate up will refuse\. There is no file of version 11/);
  });
});

describe('the table of golang-migrate', () => {
  const described = (...columns: readonly (readonly [string, string])[]): QueryResult => {
    const rows = columns.map(([column, type]) => ['public', 'schema_migrations', 'table', column, type]);
    return { command: 'SELECT', rowCount: rows.length, columns: [], rows };
  };
  const check =
    (...columns: readonly (readonly [string, string])[]) =>
    (): void => {
      golangMigrateHistory.checkTable(table, described(...columns));
    };

  it('is told by its columns', () => {
    expect(check(['version', 'bigint'], ['dirty', 'boolean'])).not.toThrow();
    expect(check(['version', 'bigint'])).toThrow(/not the table of golang-migrate/);
    expect(check(['version', 'character varying'])).toThrow(/Rails and dbmate/);
    expect(check()).toThrow(/does not exist/);
  });
});

describe('the files of golang-migrate', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), 'flyback-files-'));
  });
  afterEach(() => fs.rm(folder, { recursive: true }));

  const load = async (names: readonly string[]): ReturnType<typeof golangMigrateHistory.loadMigrations> => {
    for (const name of names) await fs.writeFile(path.join(folder, name), 'SELECT 1;');
    return golangMigrateHistory.loadMigrations({
      tool: 'golang-migrate',
      folder,
      table: 'schema_migrations',
      schema: undefined,
    });
  };

  it('are pairs by number; the last direction in a name decides, and other names are passed over', async () => {
    const { migrations, findings } = await load([
      '000002_b.up.sql',
      '000002_b.down.sql',
      '1_a.down.up.sql',
      '10_.up.pgsql',
      'R1__a.sql',
      '3_c.Up.sql',
      'x4_d.up.sql',
    ]);
    expect(
      migrations.map(({ kind, version, description }) => `${version?.text ?? ''} ${kind} "${description}"`),
    ).toEqual(['1 versioned "a.down"', '2 undo "b"', '2 versioned "b"', '10 versioned ""']);
    expect(findings).toEqual([]);
  });

  it('must not share a number and a direction: a copy of an editor counts', async () => {
    const { findings } = await load(['3_b.up.sql', '3_b.up.sql~']);
    expect(findings).toMatchObject([{ code: 'migration-duplicate', severity: 'error', subject: '3' }]);
  });

  it('must have numbers that fit', async () => {
    const { findings } = await load(['9223372036854775808_b.up.sql']);
    expect(findings).toMatchObject([{ code: 'migration-misnamed', severity: 'error' }]);
  });

  it('must be there', async () => {
    await fs.rm(folder, { recursive: true });
    await fs.mkdir(path.dirname(folder), { recursive: true });
    const { findings } = await golangMigrateHistory.loadMigrations({
      tool: 'golang-migrate',
      folder: `${folder}/gone`,
      table: 'schema_migrations',
      schema: undefined,
    });
    expect(findings).toMatchObject([{ code: 'location-missing', severity: 'error' }]);
    await fs.mkdir(folder);
  });
});
