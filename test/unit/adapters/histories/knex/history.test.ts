import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mysql } from '../../../../../adapters/databases/mysql/index.js';
import { postgresql } from '../../../../../adapters/databases/postgresql/index.js';
import { knexHistory } from '../../../../../adapters/histories/knex/index.js';
import { flybackMark, toolLock } from '../../../../../adapters/histories/knex/lock.js';
import { defaultLoadExtensions, type KnexSettings } from '../../../../../adapters/histories/knex/settings.js';
import { knexVersions } from '../../../../../adapters/histories/knex/versions.js';
import type { QueryResult } from '../../../../../src/adapter/database.js';
import type { History, HistoryEntry } from '../../../../../src/history/history.js';
import type { Migration } from '../../../../../src/history/migration.js';
import type { Version } from '../../../../../src/history/version.js';

const table = { schema: 'public', name: 'knex_migrations' };

function settings(changes: Partial<KnexSettings> = {}): KnexSettings {
  return {
    tool: 'knex',
    table: 'knex_migrations',
    schema: undefined,
    directories: ['/project/migrations'],
    loadExtensions: defaultLoadExtensions,
    sortDirsSeparately: false,
    disableTransactions: false,
    disableMigrationsListValidation: false,
    hasOwnSource: false,
    workingDirectory: '/project',
    knexfile: undefined,
    runsFunctions: false,
    ...changes,
  };
}

/** Rows as they come from the server: id, name, batch. */
function entries(...rows: readonly (readonly [number, string | null, number | null])[]): readonly HistoryEntry[] {
  const result: QueryResult = {
    command: 'SELECT',
    rowCount: rows.length,
    columns: ['id', 'name', 'batch', 'migration_time'],
    rows: rows.map(([id, name, batch]) => [String(id), name, batch === null ? null : String(batch), '2026-01-01']),
  };
  return knexHistory.parseRows(result, []);
}

const history = (...rows: readonly (readonly [number, string | null, number | null])[]): History =>
  knexHistory.interpret(table, entries(...rows));

function file(name: string): Migration {
  return {
    kind: 'versioned',
    version: knexVersions.parse(name),
    description: '',
    script: name,
    file: `/project/migrations/${name}`,
    isSql: false,
    checksum: null,
    sql: '',
  };
}

const versions = (...names: readonly string[]): readonly Version[] =>
  names.flatMap((name) => knexVersions.parse(name) ?? []);

describe('a version of Knex', () => {
  it.each([
    ['20240101_a.js', '20240101_a'],
    ['20240101_a.ts', '20240101_a'],
    ['a.b.cjs', 'a.b'],
    ['v1.2', 'v1.2'],
    ['über_tabelle.js', 'über_tabelle'],
  ])('%s is %s', (text, key) => {
    expect(knexVersions.parse(text)?.key).toBe(key);
  });

  it.each(['', ' ', '.js', 'a/b.js', 'a\\b.js', 'a\nb'])('%j is none', (text) => {
    expect(knexVersions.parse(text)).toBeUndefined();
  });

  it.each([
    ['1', ['1_a', '10_b'], '1_a'],
    ['1', ['001_a', '010_b'], '001_a'],
    ['001', ['1_a', '001_b'], '001_b'],
    ['001_b', ['1_a', '001_b'], '001_b'],
    ['001_b.js', ['001_b'], '001_b'],
    // Two begin with these digits: nobody is meant.
    ['1', ['1_a', '1_b'], '1'],
    ['2', ['1_a'], '2'],
    ['7', ['7', '7_a'], '7'],
  ] as const)('%s among %j means %s', (text, known, key) => {
    expect(knexVersions.finder(versions(...known))(text)?.key).toBe(key);
  });

  it('orders as Knex orders its files: by characters, in a total order', () => {
    expect(
      versions('2_c', '10_b', '1_a')
        .toSorted(knexVersions.compare.bind(knexVersions))
        .map(({ key }) => key),
    ).toEqual(['10_b', '1_a', '2_c']);
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (a, b) => {
        const [left, right] = [knexVersions.parse(a), knexVersions.parse(b)];
        if (left === undefined || right === undefined) return;
        const order = knexVersions.compare(left, right);
        expect(order === 0).toBe(left.key === right.key);
        expect(knexVersions.compare(right, left)).toBe(order === 0 ? 0 : -order);
      }),
    );
  });
});

describe('the rows of Knex', () => {
  it('are in effect in the order of their ids, whatever their names', () => {
    const read = history([1, 'a.js', 1], [3, 'c.js', 1], [4, 'b.js', 2]);
    expect(read.applied.map(({ version, outOfOrder }) => [version?.key, outOfOrder])).toEqual([
      ['a', false],
      ['c', false],
      ['b', true],
    ]);
    expect(read.findings).toEqual([]);
  });

  it.each([
    [
      'two rows of one name',
      [
        [1, 'a.js', 1],
        [2, 'a.js', 2],
      ],
      'history-version-repeated',
    ],
    [
      'two rows that differ in the extension',
      [
        [1, 'a.js', 1],
        [2, 'a.ts', 2],
      ],
      'history-version-repeated',
    ],
    ['a row without a name', [[1, null, 1]], 'history-corrupt'],
    ['a name that is a path', [[1, '../a.js', 1]], 'history-corrupt'],
    [
      'two rows of one id',
      [
        [1, 'a.js', 1],
        [1, 'b.js', 1],
      ],
      'history-rank-repeated',
    ],
  ] as const)('%s: no plan is made', (_, rows, code) => {
    expect(history(...rows).findings.map((finding) => [finding.code, finding.severity])).toEqual([[code, 'error']]);
  });

  it.each([
    ['another id', [2, 'a.js', 1]],
    ['another name', [1, 'b.js', 1]],
    ['another batch', [1, 'a.js', 2]],
    ['no batch', [1, 'a.js', null]],
  ] as const)('%s changes the fingerprint', (_, row) => {
    expect(history(row).fingerprint).not.toBe(history([1, 'a.js', 1]).fingerprint);
    expect(history([1, 'a.js', 1]).fingerprint).toBe(history([1, 'a.js', 1]).fingerprint);
  });

  it('are deleted by all that tells one from another', () => {
    const [entry] = entries([7, "it's.js", 3]);
    if (entry === undefined) throw new Error('no entry');
    expect(knexHistory.removeRow(postgresql, table, entry)).toBe(
      `DELETE FROM "public"."knex_migrations" WHERE "id" = '7' AND "name" IS NOT DISTINCT FROM 'it''s.js' AND "batch" IS NOT DISTINCT FROM '3'`,
    );
  });

  it('lie where Knex looks for them', () => {
    expect(knexHistory.tableName(settings({ schema: 'meta' }), 'public')).toEqual({
      schema: 'meta',
      name: 'knex_migrations',
    });
    expect(knexHistory.tableName(settings({ table: 'meta.past' }), 'public')).toEqual({ schema: 'meta', name: 'past' });
    expect(knexHistory.tableName(settings(), 'app')).toEqual({ schema: 'app', name: 'knex_migrations' });
    expect(() => knexHistory.tableName(settings(), null)).toThrow(expect.objectContaining({ code: 'history-missing' }));
  });

  const described = (...columns: readonly (readonly [string, string])[]): QueryResult => ({
    command: 'SELECT',
    rowCount: columns.length,
    columns: [],
    rows: columns.map(([column, type]) => ['public', 'knex_migrations', 'table', column, type]),
  });
  const own = [
    ['id', 'integer'],
    ['name', 'character varying'],
    ['batch', 'integer'],
    ['migration_time', 'timestamp with time zone'],
  ] as const;

  it('are recognised by their columns', () => {
    expect(() => knexHistory.checkTable(table, described(...own))).not.toThrow();
    expect(() => knexHistory.checkTable(table, described(...own.slice(0, 3)))).toThrow(
      expect.objectContaining({
        code: 'history-malformed',
        message: expect.stringContaining('migration_time is missing') as string,
      }),
    );
    expect(() => knexHistory.checkTable(table, described(...own.slice(1), ['id', 'uuid']))).toThrow(
      expect.objectContaining({ code: 'history-malformed', message: expect.stringContaining('id is uuid') as string }),
    );
    expect(() => knexHistory.checkTable(table, described())).toThrow(
      expect.objectContaining({ code: 'history-missing' }),
    );
  });
});

describe('what Knex will do', () => {
  const files = [file('1_a.js'), file('2_b.js'), file('3_c.js')];

  it('applies what has no row, also below newer ones', () => {
    const { willApply, refuses } = knexHistory.forecast(history([1, '1_a.js', 1], [3, '3_c.js', 2]), files, settings());
    expect({ willApply, refuses }).toEqual({ willApply: ['2_b'], refuses: undefined });
  });

  it('refuses everything while a row has no file, unless it is told not to look', () => {
    const read = history([1, '1_a.js', 1], [2, 'gone.js', 1]);
    expect(knexHistory.forecast(read, files, settings()).refuses).toContain('gone.js');
    expect(
      knexHistory.forecast(read, files, settings({ disableMigrationsListValidation: true })).refuses,
    ).toBeUndefined();
    expect(
      knexHistory.checkMigrations(read, files, settings()).map(({ finding }) => [finding.code, finding.severity]),
    ).toEqual([['migration-missing', 'error']]);
  });

  it('takes a compiled file for another one', () => {
    const read = history([1, '1_a.ts', 1]);
    expect(
      knexHistory.checkMigrations(read, files, settings()).map(({ finding }) => [finding.code, finding.subject]),
    ).toEqual([['migration-type-changed', '1_a']]);
    expect(knexHistory.checkMigrations(history([1, '1_a.js', 1]), files, settings())).toEqual([]);
  });

  it('rolls an older release back out of habit when the last batch has gone', () => {
    const before = history([1, '1_a.js', 1], [2, '2_b.js', 2], [3, '3_c.js', 2]);
    const habits = (after: History): readonly string[] =>
      (knexHistory.habits?.(before, after) ?? []).map(({ code, message }) => `${code}: ${message}`);
    expect(habits(history([1, '1_a.js', 1]))).toEqual([
      expect.stringMatching(/^last-batch-changes: .*batch 1 with 1_a\.js/),
    ]);
    expect(habits(history([1, '1_a.js', 1], [2, '2_b.js', 2]))).toEqual([]);
    expect(habits(history())).toEqual([]);
  });

  it('cannot be told where the project has a source of its own', () => {
    const read = history([1, 'whatever', 1]);
    expect(knexHistory.forecast(read, [], settings({ hasOwnSource: true }))).toMatchObject({
      willApply: [],
      refuses: undefined,
    });
    expect(knexHistory.checkMigrations(read, [], settings({ hasOwnSource: true }))).toEqual([]);
  });
});

describe('the files of Knex', () => {
  const load = async (
    names: readonly string[],
    changes: Partial<KnexSettings> = {},
  ): Promise<{ readonly scripts: readonly string[]; readonly codes: readonly string[] }> => {
    const root = mkdtempSync(path.join(os.tmpdir(), 'flyback-knex-files-'));
    try {
      for (const name of names) {
        mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
        writeFileSync(path.join(root, name), 'never read');
      }
      const directories = (changes.directories ?? ['.']).map((folder) => path.join(root, folder));
      const set = await knexHistory.loadMigrations(settings({ ...changes, directories }));
      return {
        scripts: set.migrations.map(({ script }) => script),
        codes: set.findings.map(({ code, severity }) => `${severity} ${code}`),
      };
    } finally {
      rmSync(root, { recursive: true });
    }
  };

  it('are those with an extension that it loads, in no folder below', async () => {
    const found = await load(['2_b.js', '1_a.ts', '3_c.mjs', 'R1__x.sql', 'readme.md', 'sub/4_d.js']);
    expect(found).toEqual({ scripts: ['1_a.ts', '2_b.js'], codes: [] });
    expect((await load(['1_a.mjs', '2_b.js'], { loadExtensions: ['.mjs'] })).scripts).toEqual(['1_a.mjs']);
  });

  it('are ordered over all folders, or folder by folder', async () => {
    const names = ['x/2_b.js', 'y/1_a.js', 'x/3_c.js'];
    expect((await load(names, { directories: ['x', 'y'] })).scripts).toEqual(['1_a.js', '2_b.js', '3_c.js']);
    expect((await load(names, { directories: ['x', 'y'], sortDirsSeparately: true })).scripts).toEqual([
      '2_b.js',
      '3_c.js',
      '1_a.js',
    ]);
  });

  it('two of one name, or with their compiled form beside them, are told', async () => {
    expect((await load(['x/1_a.js', 'y/1_a.js'], { directories: ['x', 'y'] })).codes).toEqual([
      'error migration-duplicate',
    ]);
    expect((await load(['1_a.js', '1_a.ts'])).codes).toEqual(['error migration-duplicate']);
    expect((await load([], { directories: ['nowhere'] })).codes).toEqual(['error location-missing']);
  });
});

describe('the lock of Knex', () => {
  it('is a row beside the history; the key is of this table alone', () => {
    const lock = toolLock(postgresql, table);
    expect(lock.flag).toMatchObject({
      table: { schema: 'public', name: 'knex_migrations_lock' },
      column: 'is_locked',
      free: 0,
      own: flybackMark,
    });
    expect([0, 1]).not.toContain(flybackMark);
    const [key] = lock.keys;
    expect(BigInt.asIntN(64, BigInt(key ?? ''))).toBe(BigInt(key ?? ''));
    expect(toolLock(postgresql, { schema: 'other', name: table.name }).keys).not.toEqual(lock.keys);
    expect(toolLock(postgresql, { ...table }).keys).toEqual(lock.keys);
  });

  it('on MySQL its name, which is the whole server’s, is of this database alone', () => {
    const [name = ''] = toolLock(mysql, table).keys;
    expect(name).toMatch(/^flyback-[0-9a-f]{40}$/);
    expect(toolLock(mysql, { schema: 'other', name: table.name }).keys).not.toEqual([name]);
  });

  it.each([
    ['select "name" from "knex_migrations" order by "id" asc', true],
    ['select "name" from "public"."knex_migrations" order by "id" asc', true],
    ['select "name" from "knex_migrations_lock" order by "id" asc', false],
    ['select * from "knex_migrations_lock"', true],
    ['select * from "orders"', false],
  ])('%s is read shortly before it: %s', (query, expected) => {
    const { approach } = toolLock(postgresql, table);
    expect(approach?.own.some((text) => new RegExp(text).test(query))).toBe(expected);
    expect(
      new RegExp(approach?.asks ?? '').test(
        'update "knex_migrations_lock" set "is_locked" = $1 where "is_locked" = $2',
      ),
    ).toBe(true);
  });
});
