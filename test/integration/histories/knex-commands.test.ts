import { readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createKnexProject, tableMigration, type KnexProject, type KnexProjectOptions } from '../../harness/knex.js';
import { createDatabase, newestServer, runOn, type TestDatabase } from '../../harness/postgres.js';
import type { CommandResult } from '../../harness/project.js';

let database: TestDatabase;
let project: KnexProject;

beforeAll(async () => {
  database = await createDatabase(newestServer().url);
});
afterAll(() => database.drop());
beforeEach(async () => {
  await runOn(database.url, 'DROP SCHEMA IF EXISTS meta CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public');
});
afterEach(() => project.remove());

const [one, two, three] = [tableMigration(1, 'one'), tableMigration(2, 'two'), tableMigration(3, 'three')];

async function migrated(options: Partial<KnexProjectOptions> = {}): Promise<void> {
  project = await createKnexProject({ database, migrations: [one, two, three], ...options });
  await wentWell(project.knex('migrate:latest'));
}

async function wentWell(running: Promise<CommandResult>): Promise<string> {
  const done = await running;
  expect(done, `${done.stdout}\n${done.stderr}`).toMatchObject({ code: 0 });
  return done.stdout + done.stderr;
}

const run = (...commandLine: readonly string[]): Promise<string> => wentWell(project.run(commandLine));

async function names(table = 'knex_migrations'): Promise<readonly string[]> {
  return (await runOn(database.url, `SELECT name FROM ${table} ORDER BY id`)).map((row) => String(row['name']));
}

describe('every command on a project of Knex', () => {
  test('status, audit, plan, verify, rollback, log and doctor', async () => {
    await migrated();
    expect(await run('status')).toContain('20240103000000_three');
    expect(await run('audit')).toBeDefined();
    const plan = await run('plan', '--steps', '2');
    expect(plan).toContain('knex migrate:latest will apply 20240102000000_two.js, 20240103000000_three.js');
    const doctor = await project.run(['doctor', '--json']);
    const { checks } = JSON.parse(doctor.stdout) as { checks: readonly { check: string; result: string }[] };
    expect(
      checks.filter(({ check }) => ['history', 'tool-lock', 'connection', 'configuration'].includes(check)),
    ).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ check: 'history', result: 'ok' }),
        expect.objectContaining({ check: 'tool-lock', result: 'ok' }),
      ]),
    );
    await run('rollback', '--to', '20240101000000', '--yes', '--reason', 'wrong release');
    expect(await run('verify', '20240103000000')).toContain('three is gone');
    expect(await names()).toEqual([one.name]);
    const log = await run('log', '--json');
    expect(log).toContain('20240102000000_two');
    expect(log).toContain('"tool": "knex"');
    expect(await wentWell(project.knex('migrate:status'))).toContain('Found 1 Completed');
  });

  test('stub: the digits are enough for its name, and flyback finds it again', async () => {
    await migrated({
      migrations: [one, { name: '20240102000000_add__two-words.js', up: 'CREATE TABLE two (id int)' }],
    });
    await run('stub', '20240102000000');
    const text = await readFile(path.join(project.folder, 'rollbacks', 'R20240102000000__add_two_words.sql'), 'utf8');
    expect(text).toContain('20240102000000_add__two-words.js');
    const status = await run('status', '--json');
    expect(status).not.toContain('rollback-orphan');
  });

  test('a name without digits of its own, with two underscores in it, pairs by the whole name', async () => {
    await migrated({
      migrations: [
        { name: '1_a__b.js', up: 'CREATE TABLE x (id int)', rollback: 'DROP TABLE x', script: 'R1_a__b__back.sql' },
        { name: '1_c.js', up: 'CREATE TABLE y (id int)', rollback: 'DROP TABLE y', script: 'R1_c__back.sql' },
      ],
    });
    await run('rollback', '--all', '--yes');
    expect(await names()).toEqual([]);
  });

  test('a plan warns when nothing is left of the last batch, and not when something is', async () => {
    await migrated({ migrations: [one] });
    await project.write(two);
    await project.write(three);
    await wentWell(project.knex('migrate:latest'));
    expect(await run('plan')).not.toContain('last-batch-changes');
    expect(await run('plan', '--steps', '2')).toContain('last-batch-changes');
    await run('rollback', '--steps', '2', '--yes');
    // As the warning says.
    await wentWell(project.knex('migrate:rollback'));
    expect(await names()).toEqual([]);
  });

  test('versions go in the order of their ids, when names and ids disagree', async () => {
    await migrated({ migrations: [one, three] });
    await project.write(two);
    await wentWell(project.knex('migrate:latest'));
    expect(await names()).toEqual([one.name, three.name, two.name]);
    await run('rollback', '--yes');
    expect(await names()).toEqual([one.name, three.name]);
  });

  test('a script written for psql, with its own DELETE, runs as it is', async () => {
    await migrated({
      migrations: [
        one,
        {
          ...two,
          rollback: `BEGIN;\nDROP TABLE two;\nDELETE FROM knex_migrations WHERE name = '${two.name}';\nCOMMIT;\n`,
        },
      ],
    });
    await run('rollback', '--yes');
    expect(await names()).toEqual([one.name]);
  });

  test('a version without a transaction between two with one: the lock is freed at the end', async () => {
    await migrated({
      migrations: [one, { ...two, rollback: '-- flyback: transaction off\nDROP TABLE two;\n' }, three],
    });
    await run('rollback', '--all', '--yes');
    expect(await names()).toEqual([]);
    expect(await runOn(database.url, 'SELECT is_locked FROM knex_migrations_lock')).toEqual([{ is_locked: 0 }]);
    await wentWell(project.knex('migrate:latest'));
  });

  test('two flybacks at once: one goes first, and both know what they did', async () => {
    await migrated();
    const both = await Promise.all([
      project.run(['rollback', '--only', '20240103000000', '--yes']),
      project.run(['rollback', '--only', '20240103000000', '--yes']),
    ]);
    const [late] = both.filter(({ code }) => code !== 0);
    expect(both.filter(({ code }) => code === 0).length).toBe(1);
    // By when it came: at planning, or under the lock.
    expect(late?.stderr).toMatch(/version-unknown|history-changed/);
    expect(await names()).toEqual([one.name, two.name]);
    expect(await runOn(database.url, 'SELECT is_locked FROM knex_migrations_lock')).toEqual([{ is_locked: 0 }]);
  });
});

describe('the settings of the knexfile', () => {
  test('a schema and a table of its own, with the lock table beside it', async () => {
    await runOn(database.url, 'CREATE SCHEMA meta');
    await migrated({ settings: `{ tableName: 'past', schemaName: 'meta' }` });
    await run('rollback', '--yes');
    expect(await names('meta.past')).toEqual([one.name, two.name]);
    expect(await runOn(database.url, 'SELECT is_locked FROM meta.past_lock')).toEqual([{ is_locked: 0 }]);
    expect(await runOn(database.url, `SELECT to_regclass('public.three') AS gone`)).toEqual([{ gone: null }]);
    await wentWell(project.knex('migrate:latest'));
  });

  test('a search path: the history and what migrations make lie in its first schema', async () => {
    await runOn(database.url, 'CREATE SCHEMA meta');
    await migrated({
      knexfile: `module.exports = { client: 'pg', connection: ${JSON.stringify(database.url)}, searchPath: ['meta', 'public'] };`,
    });
    await run('rollback', '--yes');
    expect(await names('meta.knex_migrations')).toEqual([one.name, two.name]);
    expect(await runOn(database.url, `SELECT to_regclass('meta.three') AS gone`)).toEqual([{ gone: null }]);
  });

  test('without the knexfile: flyback.toml and a URL', async () => {
    await migrated({ flyback: 'tool = "knex"\n[knex]\ndirectory = "migrations"\n' });
    await run('rollback', '--yes', '--url', database.url);
    expect(await names()).toEqual([one.name, two.name]);
  });

  test('without consent: an error with the way out, and nothing has run', async () => {
    await migrated({ flyback: '' });
    const refused = await project.run(['status']);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('load = true');
    await wentWell(project.run(['status'], { FLYBACK_LOAD_CODE: 'true' }));
    await wentWell(project.run(['status', '--load-code', 'true']));
  });

  test('init knows the project by its knexfile, and gives no consent by itself', async () => {
    await migrated();
    await rm(path.join(project.folder, 'flyback.toml'));
    await run('init');
    expect(await readFile(path.join(project.folder, 'flyback.toml'), 'utf8')).toContain('tool = "knex"');
    expect((await project.run(['status'])).stderr).toContain('load = true');
    await wentWell(project.run(['status', '--load-code', 'true']));
  });

  test('several environments: none is taken by itself', async () => {
    const config = `{ client: 'pg', connection: ${JSON.stringify(database.url)} }`;
    await migrated({ knexfile: `module.exports = { development: ${config}, production: ${config} };` });
    const refused = await project.run(['rollback', '--yes']);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('none was named');
    expect(await names()).toEqual([one.name, two.name, three.name]);
    await run('rollback', '--yes', '--environment', 'production');
    expect(await names()).toEqual([one.name, two.name]);
  });
});

describe('a history that Knex itself cannot go on from', () => {
  test('a file renamed from .js to .ts: Knex calls it corrupt, flyback says why and takes it back', async () => {
    await migrated();
    const folder = path.join(project.folder, 'migrations');
    await rename(path.join(folder, three.name), path.join(folder, three.name.replace('.js', '.ts')));
    expect((await project.knex('migrate:list')).stderr).toContain('corrupt');
    const status = await project.run(['status', '--json']);
    expect(status.stdout).toContain('migration-type-changed');
    await run('rollback', '--yes');
    expect(await names()).toEqual([one.name, two.name]);
  });

  test('a row without a file: the same, and Knex works again afterwards', async () => {
    await migrated();
    await rename(path.join(project.folder, 'migrations', three.name), path.join(project.folder, three.name));
    expect((await project.knex('migrate:latest')).code).toBe(1);
    expect((await project.run(['status', '--json'])).stdout).toContain('migration-missing');
    expect(await run('plan', '--only', '20240102000000')).toContain('migrate-will-refuse');
    await run('rollback', '--yes');
    await wentWell(project.knex('migrate:latest'));
  });

  test('two rows of one name: nothing is planned', async () => {
    await migrated();
    await runOn(database.url, `INSERT INTO knex_migrations (name, batch) VALUES ('${three.name}', 2)`);
    const refused = await project.run(['rollback', '--yes']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('history-version-repeated');
    expect((await names()).length).toBe(4);
  });

  test('a table of another tool under its name', async () => {
    await migrated();
    await runOn(database.url, 'DROP TABLE knex_migrations; CREATE TABLE knex_migrations (version text PRIMARY KEY)');
    const refused = await project.run(['status']);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('history-malformed');
  });
});

test('proofs: a migration that is a program cannot be proven here, and that is said', async () => {
  await migrated({ migrations: [one] });
  const refused = await project.run(['prove', '20240101000000']);
  expect(refused.code).not.toBe(0);
  expect(refused.stdout + refused.stderr).toMatch(/not SQL|no SQL|program/);
});
