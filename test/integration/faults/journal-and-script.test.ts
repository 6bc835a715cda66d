import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import * as fs from 'node:fs/promises';
import path from 'node:path';
import { createDatabase, newestServer, runOn, type TestDatabase } from '../../harness/postgres.js';
import { carryOn, createProject, storedVersions, takeBack, type TestProject } from '../../harness/project.js';

/* The script on disk is not the one that was interrupted any more. What has finished never runs again. */

const up =
  'CREATE TABLE log (what text); CREATE TABLE t (id int); CREATE INDEX t_id ON t (id); CREATE INDEX t_old ON t (id)';
/** Interrupted in line 4; lines 1 and 3 in a transaction each, line 2 without. */
const lines: readonly string[] = [
  `INSERT INTO log VALUES ('\${first}');`,
  'DROP INDEX CONCURRENTLY t_id;',
  `INSERT INTO log VALUES ('second');`,
  'INSERT INTO nowhere VALUES (1);',
  `INSERT INTO log VALUES ('\${last}');`,
  `INSERT INTO log VALUES ('end');`,
];
const mended = lines.map((line) => (line.includes('nowhere') ? 'SELECT 1;' : line));

let database: TestDatabase;
let project: TestProject;

beforeAll(async () => {
  database = await createDatabase(newestServer().url);
  project = await createProject({ database });
});
afterAll(async () => {
  await project.remove();
  await database.drop();
});

async function setPlaceholders(values: Readonly<Record<'first' | 'last', string>>): Promise<void> {
  const file = path.join(project.folder, 'flyway.toml');
  const text = (await fs.readFile(file, 'utf8')).replace(/\[flyway\.placeholders\][^[]*/, '');
  await fs.writeFile(file, `${text}\n[flyway.placeholders]\nfirst = "${values.first}"\nlast = "${values.last}"\n`);
}

const write = (script: readonly string[]): Promise<void> =>
  project.write({ version: '1', up, down: script.join('\n') });

async function logged(): Promise<readonly string[]> {
  const rows = await runOn(database.url, 'SELECT what FROM log');
  return rows.map((row) => String(row['what']));
}

beforeEach(async () => {
  await runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  await setPlaceholders({ first: 'first', last: 'last' });
  await project.apply([{ version: '1', up, down: lines.join('\n') }]);
  expect((await takeBack(project)).failure).toMatchObject({ code: 'run-interrupted' });
  expect(await logged()).toEqual(['first', 'second']);
});

describe('is refused whatever is said, and nothing runs, when', () => {
  test.each([
    ['a finished statement is gone', lines.toSpliced(2, 1), /statement 3.* is another one now/],
    ['nothing is left of the script but its beginning', lines.slice(0, 2), /statement 3.* is gone/],
    ['finished statements have changed places', [...lines.slice(0, 3).toReversed(), ...lines.slice(3)], /statement 1/],
    ['a statement was put in front', ['SELECT 1;', ...lines], /statement 1/],
    ['a finished statement was changed', lines.with(2, `INSERT INTO log VALUES ('third');`), /statement 3/],
  ])('%s', async (_name, script, words) => {
    await write(script);
    const { failure } = await carryOn(project, { changedScript: true });
    expect(failure).toMatchObject({ code: 'journal-mismatch', exitCode: 4 });
    expect(failure?.message).toMatch(words);
    expect(await logged()).toEqual(['first', 'second']);
    expect(await storedVersions(database)).toEqual(['1']);
    await write(mended);
    expect((await carryOn(project, { changedScript: true })).failure).toBeUndefined();
    expect(await logged()).toEqual(['first', 'second', 'last', 'end']);
  });

  test('the value of a placeholder in a finished statement was changed', async () => {
    await setPlaceholders({ first: 'another', last: 'last' });
    expect((await carryOn(project, { changedScript: true })).failure).toMatchObject({ code: 'journal-mismatch' });
    expect(await logged()).toEqual(['first', 'second']);
  });

  test('the script is gone', async () => {
    await project.write({ version: '1', up });
    const { failure } = await carryOn(project, { changedScript: true });
    expect(failure).toMatchObject({ code: 'journal-mismatch', exitCode: 4 });
    expect(failure?.message).toContain('R1__step.sql');
  });
});

describe('must be confirmed, and then runs what is left, when', () => {
  test.each([
    ['the statement that failed was corrected', mended, ['last', 'end']],
    ['it is shorter', [...mended.slice(0, 3), mended[5] ?? ''], ['end']],
    ['it is longer', [...mended, `INSERT INTO log VALUES ('more');`], ['last', 'end', 'more']],
    ['what has not run changed places', [...mended.slice(0, 4), mended[5] ?? '', mended[4] ?? ''], ['end', 'last']],
  ])('%s', async (_name, script, rest) => {
    await write(script);
    const unconfirmed = await carryOn(project);
    expect(unconfirmed.failure).toMatchObject({ code: 'journal-mismatch', exitCode: 4 });
    expect(unconfirmed.failure?.hint).toContain('--changed-script');
    expect(unconfirmed.plan?.scriptChanged).toBe(true);
    expect(await logged()).toEqual(['first', 'second']);
    expect((await carryOn(project, { changedScript: true })).failure).toBeUndefined();
    expect(await logged()).toEqual(['first', 'second', ...rest]);
    expect(await storedVersions(database)).toEqual([]);
  });

  test('the value of a placeholder in what is left was changed', async () => {
    await runOn(database.url, 'CREATE TABLE nowhere (id int)');
    await setPlaceholders({ first: 'first', last: 'another' });
    const unconfirmed = await carryOn(project);
    expect(unconfirmed.failure).toMatchObject({ code: 'journal-mismatch' });
    expect(unconfirmed.failure?.message).toContain('placeholder');
    expect((await carryOn(project, { changedScript: true })).failure).toBeUndefined();
    expect(await logged()).toEqual(['first', 'second', 'another', 'end']);
  });

  test('nothing was changed: no question', async () => {
    await runOn(database.url, 'CREATE TABLE nowhere (id int)');
    expect((await carryOn(project)).failure).toBeUndefined();
    expect(await logged()).toEqual(['first', 'second', 'last', 'end']);
  });
});

describe('a statement under way of which nobody can tell how far it came', () => {
  const log = 'CREATE TABLE log (what text)';
  const call = 'CALL half_way();';
  const script = [
    '-- flyback: transaction off',
    `INSERT INTO log VALUES ('one');`,
    call,
    `INSERT INTO log VALUES ('two');`,
  ];

  beforeEach(async () => {
    await runOn(
      database.url,
      `DROP SCHEMA public CASCADE; CREATE SCHEMA public;
CREATE PROCEDURE half_way() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES ('called'); COMMIT; IF to_regclass('ready') IS NULL THEN RAISE 'not ready'; END IF; END $$`,
    );
    await project.apply([{ version: '1', up: log, down: script.join('\n') }]);
    expect((await takeBack(project)).failure).toMatchObject({ code: 'run-interrupted' });
    expect(await logged()).toEqual(['one', 'called']);
  });

  test('may not be moved: the answer would be taken for another one', async () => {
    await project.write({ version: '1', up: log, down: script.toSpliced(2, 0, 'ANALYZE log;').join('\n') });
    for (const assume of ['done', 'not-done'] as const) {
      const { failure } = await carryOn(project, { changedScript: true, assume });
      expect(failure).toMatchObject({ code: 'journal-mismatch', exitCode: 4 });
      expect(failure?.message).toContain('has moved to line 4');
    }
    expect(await logged()).toEqual(['one', 'called']);
  });

  test('may be corrected, and is asked about all the same', async () => {
    const corrected = script.with(2, `INSERT INTO log VALUES ('instead');`);
    await project.write({ version: '1', up: log, down: corrected.join('\n') });
    expect((await carryOn(project, { changedScript: true })).failure).toMatchObject({ code: 'resume-unclear' });
    expect((await carryOn(project, { changedScript: true, assume: 'done' })).failure).toBeUndefined();
    expect(await logged()).toEqual(['one', 'called', 'two']);
  });
});
