import * as fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { withProject } from '../../../src/compose/open-project.js';
import type { FlybackError } from '../../../src/errors/error.js';
import type { ConnectedProject } from '../../../src/project/project.js';
import { applyFixture, digestOfFixtures, readFixtures } from '../../../src/scratch/fixtures.js';
import { createDatabase, newestServer, runOn, type TestDatabase } from '../../harness/postgres.js';
import { createProject, type TestProject } from '../../harness/project.js';

/*
 * Rows that a user gives for proofs: which files count, and what they do.
 */

let database: TestDatabase;
let project: TestProject;

beforeAll(async () => {
  database = await createDatabase(newestServer().url);
});
afterAll(() => database.drop());
beforeEach(async () => {
  project = await createProject({
    database,
    flyback: '[prove]\nfixtures = "rows for proofs"\n',
    flyway: 'placeholders.who = "Zoë"',
  });
  await project.apply([
    { version: '1', up: 'CREATE TABLE a (id int PRIMARY KEY, name text)' },
    { version: '2_1', up: 'ALTER TABLE a ADD COLUMN more int' },
    { version: '010', up: 'SELECT 1' },
  ]);
  await fs.mkdir(path.join(project.folder, 'rows for proofs'));
});
afterEach(async () => {
  await runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  await project.remove();
});

async function put(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(project.folder, 'rows for proofs', name);
    await fs.mkdir(path.dirname(file), { recursive: true });
    await fs.writeFile(file, text);
  }
}

function opened<T>(work: (open: ConnectedProject) => T | Promise<T>): Promise<T> {
  return withProject({ folder: project.folder, flags: {}, environment: {} }, async (open) => work(open));
}

/** Runs the fixture of a version. */
function apply(version: string): Promise<void> {
  return opened(async (open) => {
    const parsed = open.toolbox.history.versions.parse(version);
    if (parsed === undefined) throw new Error(`${version} is no version`);
    const { session, toolbox, table, config } = open;
    await applyFixture({ session, toolbox, table, settings: config.tool, fixtures: readFixtures(open) }, parsed);
  });
}

describe('reading', () => {
  test('finds each version by its key, in folders too, and passes over what is no SQL', async () => {
    await put({
      'F001__first rows.sql': 'SELECT 1;',
      'later/F2.1__more.sql': '\uFEFFSELECT 1;\r\n',
      'README.md': 'not a fixture',
      '.hidden.sql': 'SELECT 1',
    });
    const fixtures = await opened(readFixtures);
    expect([...fixtures.keys()]).toEqual(['1', '2.1']);
    expect([...fixtures.values()].map(({ file }) => path.basename(file))).toEqual([
      'F001__first rows.sql',
      'F2.1__more.sql',
    ]);
  });

  test('gives none where no folder is configured', async () => {
    await fs.writeFile(path.join(project.folder, 'flyback.toml'), '');
    expect(await opened(readFixtures)).toEqual(new Map());
  });

  const refusals: readonly (readonly [string, Readonly<Record<string, string>>, string, string, string])[] = [
    [
      'a version that no migration has',
      { 'F3__x.sql': 'SELECT 1' },
      'fixture-version-unknown',
      'The fixture F3__x.sql is for version 3, which no migration has: it would never run.',
      'Name it after the version whose tables it fills, or remove it.',
    ],
    [
      'two files for one version',
      { 'F1__a.sql': 'SELECT 1', 'F01__b.sql': 'SELECT 1' },
      'fixture-duplicate',
      'The fixtures F1__a.sql and F01__b.sql are both for version 1.',
      'Put both into one file.',
    ],
    [
      'a file without a statement',
      { 'F1__a.sql': '-- later\n;' },
      'fixture-empty',
      'The fixture F1__a.sql holds no statement.',
      'Write the INSERTs into it, or remove it.',
    ],
    [
      'a name without a version',
      { 'rows.sql': 'SELECT 1' },
      'fixture-name-invalid',
      'The fixture rows.sql is not named F<version>__<description>.sql: it would never run.',
      'Rename it, or move it out of the folder.',
    ],
    [
      'a name that is no version',
      { 'Fone__x.sql': 'SELECT 1' },
      'fixture-name-invalid',
      'The fixture Fone__x.sql is not named F<version>__<description>.sql: it would never run.',
      'Rename it, or move it out of the folder.',
    ],
  ];
  test.each(refusals)('refuses %s', async (_, files, code, message, hint) => {
    await put(files);
    await expect(opened(readFixtures)).rejects.toMatchObject({
      code: 'fixtures-invalid',
      exitCode: 2,
      message,
      hint,
      findings: [{ code, severity: 'error', message, hint }],
    });
  });

  test('names all problems at once', async () => {
    await put({ 'F3__x.sql': 'SELECT 1', 'rows.sql': 'SELECT 1' });
    const error = await opened(readFixtures).catch((reason: unknown) => reason as FlybackError);
    expect(error).toMatchObject({
      code: 'fixtures-invalid',
      findings: [{ subject: 'F3__x.sql' }, { subject: 'rows.sql' }],
    });
  });

  test('refuses a folder that is not there', async () => {
    await fs.rm(path.join(project.folder, 'rows for proofs'), { recursive: true });
    await expect(opened(readFixtures)).rejects.toMatchObject({
      code: 'fixtures-invalid',
      hint: 'Create it, or correct prove.fixtures in flyback.toml.',
    });
  });
});

describe('running', () => {
  test('fills tables, with placeholders and COPY, and only for its own version', async () => {
    await put({
      'F1__rows.sql': `INSERT INTO a VALUES (1, '\${who}');\nCOPY a (id, name) FROM stdin;\n2\tcopied\n\\.\nINSERT INTO a VALUES (3, 'x');`,
    });
    await apply('2.1');
    expect(await runOn(database.url, 'SELECT * FROM a')).toEqual([]);
    await apply('1');
    expect(await runOn(database.url, 'SELECT id, name FROM a ORDER BY id')).toEqual([
      { id: 1, name: 'Zoë' },
      { id: 2, name: 'copied' },
      { id: 3, name: 'x' },
    ]);
  });

  test('names file and line of what fails, and leaves nothing of it', async () => {
    await put({ 'F1__rows.sql': `INSERT INTO a VALUES (1, 'x');\nINSERT INTO a\n  VALUES (1, 'again');` });
    await expect(apply('1')).rejects.toMatchObject({
      code: 'script-failed',
      message: 'The fixture F1__rows.sql failed in line 2: duplicate key value violates unique constraint "a_pkey"',
      hint: 'Correct it: it runs directly after version 1 was applied.',
    });
    expect(await runOn(database.url, 'SELECT * FROM a')).toEqual([]);
  });
});

test('the digest is that of the fixtures of lower versions, line endings apart', async () => {
  const digest = (before: string): Promise<string | undefined> =>
    opened((open) => {
      const version = open.toolbox.history.versions.parse(before);
      return version && digestOfFixtures(readFixtures(open), version, open.toolbox);
    });
  await put({ 'F1__a.sql': 'SELECT 1;\nSELECT 2;', 'F010__b.sql': 'SELECT 3;' });
  expect(await digest('1')).toBeUndefined();
  const first = await digest('2.1');
  expect(first).toMatch(/^[0-9a-f]{64}$/);
  expect(await digest('10')).toBe(first);
  expect(await digest('11')).not.toBe(first);
  await put({ 'F1__a.sql': 'SELECT 1;\r\nSELECT 2;' });
  expect(await digest('2.1')).toBe(first);
  await put({ 'F1__a.sql': 'SELECT 1;\nSELECT 3;' });
  expect(await digest('2.1')).not.toBe(first);
});
