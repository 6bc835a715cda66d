import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { postgresqlDialect } from '../../../adapters/databases/postgresql/dialect.js';
import { flywayVersions } from '../../../adapters/histories/flyway/versions.js';
import type { Migration } from '../../../src/history/migration.js';
import { loadRollbackScripts, type LoadedScripts } from '../../../src/scripts/script-files.js';
import { versionOf } from './read-script.js';

const root = mkdtempSync(join(tmpdir(), 'flyback-scripts-'));
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});
let projects = 0;

function load(
  files: Readonly<Record<string, string | Buffer>>,
  more: { readonly migrations?: readonly Migration[]; readonly stored?: ReadonlyMap<string, string> } = {},
): LoadedScripts {
  const folder = join(root, String(++projects));
  mkdirSync(folder);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return loadRollbackScripts({
    folder,
    dialect: postgresqlDialect,
    versions: flywayVersions,
    known: [],
    historyTable: { name: 'flyway_schema_history' },
    recordTable: { name: 'flyback_record' },
    migrations: more.migrations ?? [],
    functions: 'leave',
    storedVersions: more.stored,
  });
}

function undo(version: string, sql: string): Migration {
  const file = join(root, `U${version}__undo.sql`);
  writeFileSync(file, sql);
  return {
    kind: 'undo',
    version: versionOf(version),
    description: 'undo',
    script: `U${version}__undo.sql`,
    file,
    isSql: true,
    checksum: null,
    sql,
  };
}

const found = ({ findings }: LoadedScripts): readonly string[] =>
  findings.map(({ code, severity }) => `${code} ${severity}`);

describe('loadRollbackScripts', () => {
  test('reads R files of all folders in version order', () => {
    const loaded = load({
      'R10__ten.sql': 'DROP TABLE j;',
      'R2025.11.22.001__dotted_version.sql': 'DROP TABLE d;',
      'sub/R2_1__two_and_one.sql': 'DROP TABLE b;',
      'R002__two.sql': 'DROP TABLE a;',
      'README.md': 'words',
      '.hidden.sql': 'DROP TABLE h;',
    });
    expect(found(loaded)).toEqual([]);
    expect(loaded.scripts.map(({ version, description }) => [version.text, description])).toEqual([
      ['002', 'two'],
      ['2.1', 'two and one'],
      ['10', 'ten'],
      ['2025.11.22.001', 'dotted version'],
    ]);
    expect(
      loaded.scripts.every(({ source, checksum }) => source === 'rollback' && /^[0-9a-f]{64}$/.test(checksum)),
    ).toBe(true);
  });

  test.each([
    ['R__views.sql', 'script-without-version error'],
    ['V1__create.sql', 'script-name-invalid warning'],
    ['R1.sql', 'script-name-invalid warning'],
    ['R1_x.sql', 'script-name-invalid warning'],
    ['Rone__x.sql', 'script-name-invalid warning'],
    ['r1__x.sql', 'script-name-invalid warning'],
    ['R1__x.SQL', 'script-name-invalid warning'],
    ['R-1__x.sql', 'script-name-invalid warning'],
  ])('reports the name %s', (name, finding) => {
    const loaded = load({ [name]: 'DROP TABLE a;' });
    expect(found(loaded)).toEqual([finding]);
    expect(loaded.scripts).toEqual([]);
  });

  test('reports two files of one version, however it is written, and blocks the version', () => {
    const loaded = load({ 'R001__a.sql': 'DROP TABLE a;', 'R1_0__b.sql': 'DROP TABLE b;' });
    expect(found(loaded)).toEqual(['script-duplicate error']);
    expect(loaded.scripts).toHaveLength(1);
    expect(loaded.scripts[0]?.findings.map(({ code }) => code)).toEqual(['script-duplicate']);
  });

  test('takes undo files where there is no R file', () => {
    const loaded = load(
      { 'R1__a.sql': 'DROP TABLE a;' },
      { migrations: [undo('1', 'DROP TABLE u1;'), undo('2', 'DROP TABLE u2;')] },
    );
    expect(found(loaded)).toEqual(['script-shadows-undo info']);
    expect(loaded.scripts.map(({ source, statements }) => [source, statements[0]?.text])).toEqual([
      ['rollback', 'DROP TABLE a'],
      ['undo', 'DROP TABLE u2'],
    ]);
  });

  test('reports two undo files of one version', () => {
    expect(found(load({}, { migrations: [undo('3', 'DROP TABLE a;'), undo('3.0', 'DROP TABLE b;')] }))).toEqual([
      'script-duplicate error',
    ]);
  });

  test('turns files that are no text into findings of their version', () => {
    const loaded = load({
      'R1__latin.sql': Buffer.from('-- caf\xe9', 'latin1'),
      'R2__nul.sql': 'a\0',
      'R3__fine.sql': 'DROP TABLE a;',
    });
    expect(loaded.scripts.map(({ findings }) => findings.map(({ code }) => code))).toEqual([
      ['script-unreadable'],
      ['script-unreadable'],
      [],
    ]);
    expect(loaded.scripts[0]?.findings[0]?.message).toContain('0xE9');
  });

  test('passes the stored version on', () => {
    const files = { 'R1__a.sql': "DROP TABLE a; DELETE FROM flyway_schema_history WHERE version = '1';" };
    expect(
      load(files, { stored: new Map([[versionOf('1').key, '001']]) }).scripts[0]?.findings.map(({ code }) => code),
    ).toEqual(['history-delete-text']);
    expect(load(files, { stored: new Map([[versionOf('1').key, '1']]) }).scripts[0]?.findings).toEqual([]);
  });

  test('reports a folder that is not there', () => {
    const loaded = loadRollbackScripts({
      ...{
        folder: join(root, 'nowhere'),
        dialect: postgresqlDialect,
        versions: flywayVersions,
        migrations: [],
        functions: 'leave',
      },
      ...{ known: [], historyTable: { name: 'h' }, recordTable: { name: 'r' } },
    });
    expect(found(loaded)).toEqual(['rollbacks-folder-missing warning']);
  });
});
