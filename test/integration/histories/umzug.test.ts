import * as fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { describeHistory, type MigrationSql } from '../../conformance/history.js';
import { createDatabase, newestServer, runOn, type TestDatabase } from '../../harness/postgres.js';
import { finished, type CommandResult } from '../../harness/project.js';
import { createUmzugProject, nameOf, type SequelizeProject, type UmzugOptions } from '../../harness/sequelize.js';

describe('the history of Umzug 3', () => {
  describeHistory({
    name: 'umzug',
    create: (database, migrations) => createUmzugProject(database, migrations),
    ownTables: ['SequelizeMeta'],
    hasDown: true,
    holes: true,
    meanwhile: 'waits',
    onMysql: { meanwhile: 'takes no notice', halfWay: 'takes no notice' },
  });
});

const three: readonly MigrationSql[] = [
  { up: 'CREATE TABLE a (id int)', down: 'DROP TABLE a' },
  { up: 'CREATE TABLE b (id int)', down: 'DROP TABLE b' },
  { up: 'CREATE TABLE c (id int)', down: 'DROP TABLE c' },
];

describe('beside Umzug 3', () => {
  let database: TestDatabase;
  let project: SequelizeProject;

  beforeAll(async () => {
    database = await createDatabase(newestServer().url);
  });
  afterAll(() => database.drop());
  beforeEach(async () => {
    await runOn(database.url, 'DROP SCHEMA IF EXISTS ops CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  });
  afterEach(() => project.remove());

  const wentWell = async (running: Promise<CommandResult>): Promise<CommandResult> => {
    const done = await running;
    expect(done, `${done.stdout}\n${done.stderr}`).toMatchObject({ code: 0 });
    return done;
  };
  const create = async (options?: UmzugOptions): Promise<void> => {
    project = await createUmzugProject(database, three, options);
    await wentWell(project.up());
  };
  const forgetScripts = async (): Promise<void> => {
    await fs.rm(path.join(project.folder, 'rollbacks'), { recursive: true });
    await fs.mkdir(path.join(project.folder, 'rollbacks'));
  };
  const tables = async (): Promise<readonly unknown[]> =>
    (await runOn(database.url, `SELECT relname FROM pg_class WHERE relname IN ('a', 'b', 'c') ORDER BY 1`)).map(
      ({ relname }) => relname,
    );

  test.each(['down-folder', 'up-down'] as const)('its own SQL downs are rollback scripts: %s', async (files) => {
    await create({ files });
    await forgetScripts();
    expect((await wentWell(project.run(['status']))).stdout).toContain('ready (undo)');
    await wentWell(project.run(['rollback', '--to', nameOf(1), '--yes']));
    expect(await project.applied()).toEqual([1]);
    expect(await tables()).toEqual(['a']);
    await wentWell(project.up());
    expect(await project.applied()).toEqual([1, 2, 3]);
  });

  test('a down that is only a comment is an error, where Umzug would take the row out all the same', async () => {
    await create();
    await forgetScripts();
    await project.write(`migrations/down/${nameOf(3)}.sql`, '-- nothing to do\n');
    const refused = await project.run(['rollback', '--yes']);
    expect(refused.code).toBe(1);
    expect(await project.applied()).toEqual([1, 2, 3]);
  });

  test('migrations in JavaScript have no other source than R scripts', async () => {
    await create({ files: 'modules' });
    await wentWell(project.run(['rollback', '--yes']));
    expect(await project.applied()).toEqual([1, 2]);
    await forgetScripts();
    const refused = await project.run(['rollback', '--yes']);
    expect(refused).toMatchObject({ code: 1 });
    expect(await project.applied()).toEqual([1, 2]);
  });

  test('table, schema and column may have other names, and times beside them', async () => {
    await runOn(database.url, 'CREATE SCHEMA ops');
    await create({
      storage: `tableName: 'Done', schema: 'ops', columnName: 'file', modelName: 'Done', timestamps: true`,
      flyback: '[umzug]\nmigrations = "migrations/*.sql"\ntable = "Done"\nschema = "ops"\ncolumn = "file"\n',
    });
    await wentWell(project.run(['rollback', '--yes']));
    expect(await runOn(database.url, 'SELECT file FROM ops."Done" ORDER BY file')).toEqual([
      { file: `${nameOf(1)}.sql` },
      { file: `${nameOf(2)}.sql` },
    ]);
    expect(await project.applied()).toEqual([1, 2]);
    await project.write('flyback.toml', '[umzug]\nmigrations = "migrations/*.sql"\ntable = "Done"\nschema = "ops"\n');
    const refused = await project.run(['status']);
    expect(refused.stderr).toContain('column = "file"');
  });

  test('scripts where the pattern finds them are refused, for Umzug would run them', async () => {
    await create();
    await fs.cp(path.join(project.folder, 'rollbacks'), project.migrationsFolder, { recursive: true });
    await project.write('flyback.toml', '[umzug]\nmigrations = "migrations/*.sql"\n');
    const planned = await project.run(['plan']);
    expect(planned.code).not.toBe(0);
    expect(planned.stderr + planned.stdout).toContain('rollbacks-folder-scanned');
  });

  test('a history in umzug.json is refused with the reason', async () => {
    await create();
    await project.write('umzug.json', '[]');
    const refused = await project.run(['status']);
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.stderr).toContain('a file cannot be rolled back together with the database');
  });

  test('the next down after a rollback is what the plan said', async () => {
    await create();
    const planned = await wentWell(project.run(['plan']));
    expect(planned.stdout).toContain(`it takes back ${nameOf(2)}.sql`);
    await wentWell(project.run(['rollback', '--yes']));
    await wentWell(finished(project.tool('down')));
    expect(await project.applied()).toEqual([1]);
    expect(await tables()).toEqual(['a']);
  });
});
