import * as fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { describeHistory, type MigrationSql } from '../../conformance/history.js';
import { createDatabase, newestServer, runOn, type TestDatabase } from '../../harness/postgres.js';
import { finished, type CommandResult } from '../../harness/project.js';
import { createSequelizeProject, moduleOf, nameOf, type SequelizeProject } from '../../harness/sequelize.js';

describe('the history of sequelize-cli', () => {
  describeHistory({
    name: 'sequelize',
    create: (database, migrations) => createSequelizeProject(database, migrations),
    ownTables: ['SequelizeMeta'],
    hasDown: true,
    holes: true,
    meanwhile: 'waits',
    onMysql: { meanwhile: 'takes no notice', halfWay: 'takes no notice' },
  });
});

const three: readonly MigrationSql[] = [
  { up: 'CREATE TABLE a (id int, note text)', down: 'DROP TABLE a' },
  { up: 'CREATE TABLE b (id int)', down: 'DROP TABLE b' },
  { up: 'CREATE TABLE c (id int)', down: 'DROP TABLE c' },
];

describe('beside sequelize-cli', () => {
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

  const create = async (options?: Parameters<typeof createSequelizeProject>[2]): Promise<void> => {
    project = await createSequelizeProject(database, three, options);
    await wentWell(project.up());
  };
  const wentWell = async (running: Promise<CommandResult>): Promise<CommandResult> => {
    const done = await running;
    expect(done, `${done.stdout}\n${done.stderr}`).toMatchObject({ code: 0 });
    return done;
  };
  const until = async (query: string): Promise<void> => {
    await expect.poll(() => runOn(database.url, query), { timeout: 20_000, interval: 25 }).not.toEqual([]);
  };
  const tables = async (): Promise<readonly unknown[]> =>
    (await runOn(database.url, `SELECT relname FROM pg_class WHERE relname IN ('a', 'b', 'c') ORDER BY 1`)).map(
      ({ relname }) => relname,
    );
  const waitsForHistory = `SELECT 1 FROM pg_locks WHERE relation = '"SequelizeMeta"'::regclass AND NOT granted`;

  /** Starts a rollback that holds the history until the command waits for it. */
  const during = async (
    commandLine: readonly string[],
    rollbackOptions: readonly string[] = [],
  ): Promise<CommandResult> => {
    await project.writeRollback(3, `SELECT pg_sleep(0.1) FROM generate_series(1, 30);\nDROP TABLE c;\n`);
    const rollback = finished(project.start(['rollback', '--yes', ...rollbackOptions]));
    await until(`SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(0.1)%' AND state = 'active'`);
    const tool = finished(project.tool(...commandLine));
    await until(waitsForHistory);
    await wentWell(rollback);
    return tool;
  };

  test('an undo that begins during a rollback waits, and then takes back the next lower migration', async () => {
    await create();
    const undone = await during(['db:migrate:undo']);
    expect(undone, undone.stderr).toMatchObject({ code: 0 });
    expect(undone.stdout).toContain(`${nameOf(2)}: reverted`);
    expect(await project.applied()).toEqual([1]);
    expect(await tables()).toEqual(['a']);
  });

  test('a migrate that begins during a rollback waits, and then applies again what went', async () => {
    await create();
    const migrated = await during(['db:migrate']);
    expect(migrated, migrated.stderr).toMatchObject({ code: 0 });
    expect(migrated.stdout).toContain(`${nameOf(3)}: migrated`);
    expect(await project.applied()).toEqual([1, 2, 3]);
    expect(await tables()).toEqual(['a', 'b', 'c']);
  });

  test('a tool that waits during a rollback of several versions has no turn between them in a single transaction', async () => {
    await create();
    const migrated = await during(['db:migrate'], ['--all', '--single-transaction']);
    expect(migrated, migrated.stderr).toMatchObject({ code: 0 });
    expect(migrated.stdout.match(/: migrated/g)).toHaveLength(3);
    expect(await project.applied()).toEqual([1, 2, 3]);
    expect(await tables()).toEqual(['a', 'b', 'c']);
  });

  test('without it, it may have one; what it did shows, and nothing is told that is not so', async () => {
    await create();
    await project.writeRollback(3, `SELECT pg_sleep(0.1) FROM generate_series(1, 30);\nDROP TABLE c;\n`);
    const rollback = finished(project.start(['rollback', '--all', '--yes']));
    await until(`SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(0.1)%' AND state = 'active'`);
    const tool = finished(project.tool('db:migrate'));
    await until(waitsForHistory);
    const [done] = await Promise.all([rollback, tool]);
    if (done.code !== 0) expect(done.stderr).toContain('history-changed');
    const applied = await project.applied();
    expect(await tables()).toEqual(['a', 'b', 'c'].filter((_, index) => applied.includes(index + 1)));
  });

  test('two rollbacks exclude each other', async () => {
    await create();
    await project.writeRollback(3, `SELECT pg_sleep(0.1) FROM generate_series(1, 40);\nDROP TABLE c;\n`);
    const first = finished(project.start(['rollback', '--yes']));
    await until(`SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(0.1)%' AND state = 'active'`);
    const second = await project.run(['rollback', '--yes', '--tool-lock-wait', '0s', '--lock-timeout', '500ms']);
    expect(second.code).not.toBe(0);
    expect(second.stderr).toContain('lock-unavailable');
    await wentWell(first);
    expect(await project.applied()).toEqual([1, 2]);
  });

  test('the plan says what the tool would do next, and so it does', async () => {
    await create();
    const plan = JSON.parse((await wentWell(project.run(['plan', '--only', nameOf(2), '--json']))).stdout) as {
      readonly after: { readonly willApply: readonly string[]; readonly forecast: string };
    };
    expect(plan.after.willApply).toEqual([nameOf(2)]);
    expect(plan.after.forecast).toContain(`it takes back ${nameOf(3)}.js`);
    // The digits alone say which one is meant.
    await wentWell(project.run(['rollback', '--only', nameOf(2).slice(0, 14), '--yes']));
    expect(await project.applied()).toEqual([1, 3]);
    await wentWell(project.up());
    expect(await project.applied()).toEqual([1, 2, 3]);
    await wentWell(project.run(['rollback', '--only', nameOf(2), '--yes']));
    const undone = await wentWell(finished(project.tool('db:migrate:undo')));
    expect(undone.stdout).toContain(`${nameOf(3)}: reverted`);
  });

  test('a file renamed after it was applied pairs with its row, and the warning is true', async () => {
    await create();
    await fs.rename(
      path.join(project.migrationsFolder, `${nameOf(3)}.js`),
      path.join(project.migrationsFolder, `${nameOf(3)}.cjs`),
    );
    const status = await wentWell(project.run(['status', '--json']));
    expect(status.stdout).toContain('migration-renamed');
    expect(status.stdout).not.toContain('rollback-missing');
    const undo = await finished(project.tool('db:migrate:undo'));
    expect(`${undo.stdout}${undo.stderr}`).toContain('Unable to find migration');
    await wentWell(project.run(['rollback', '--yes']));
    expect(await tables()).toEqual(['a', 'b']);
    await wentWell(project.up());
    expect(await runOn(database.url, 'SELECT max(name) AS name FROM "SequelizeMeta"')).toEqual([
      { name: `${nameOf(3)}.cjs` },
    ]);
  });

  test('a row whose file is gone: the newest can be taken back, which the tool cannot', async () => {
    await create();
    await fs.rm(path.join(project.migrationsFolder, `${nameOf(3)}.js`));
    expect((await project.run(['status', '--json'])).stdout).toContain('migration-missing');
    const undo = await finished(project.tool('db:migrate:undo'));
    expect(`${undo.stdout}${undo.stderr}`).toContain('Unable to find migration');
    await wentWell(project.run(['rollback', '--yes']));
    expect(await project.applied()).toEqual([1, 2]);
  });

  test('.sequelizerc and a configuration in code lead both to the same place', async () => {
    project = await createSequelizeProject(database, three, { flyback: '[sequelize]\nload = true\n' });
    await fs.rename(project.migrationsFolder, path.join(project.folder, 'steps'));
    await project.write(
      '.sequelizerc',
      `const path = require('node:path');
module.exports = { config: path.resolve('settings.js'), 'migrations-path': path.resolve('steps') };`,
    );
    await project.write(
      'settings.js',
      `const made = require('./config/config.json');
Object.assign(made.production, { migrationStorageTableSchema: 'ops', migrationStorageTableName: 'Done', logging: false });
module.exports = async () => made;`,
    );
    await wentWell(project.up());
    expect(await runOn(database.url, 'SELECT count(*)::int AS n FROM ops."Done"')).toEqual([{ n: 3 }]);
    await wentWell(project.run(['rollback', '--yes']));
    expect(await project.applied()).toEqual([1, 2]);
    await project.write('flyback.toml', '');
    const refused = await project.run(['status']);
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.stderr).toContain('load = true');
  });

  test('Sequelize puts its history into the schema of all models, and flyback looks there', async () => {
    await runOn(database.url, 'CREATE SCHEMA ops');
    await create({ config: { schema: 'ops' } });
    expect(await runOn(database.url, 'SELECT count(*)::int AS n FROM ops."SequelizeMeta"')).toEqual([{ n: 3 }]);
    await wentWell(project.run(['rollback', '--yes']));
    expect(await project.applied()).toEqual([1, 2]);
  });

  test('timestamps in the history are no problem', async () => {
    await create({ config: { migrationTimestamps: true } });
    expect(await runOn(database.url, 'SELECT count("createdAt")::int AS n FROM "SequelizeMeta"')).toEqual([{ n: 3 }]);
    await wentWell(project.run(['rollback', '--yes']));
    expect(await project.applied()).toEqual([1, 2]);
  });

  test('doctor, audit, stub and log work', async () => {
    await create();
    await wentWell(project.run(['audit']));
    await project.write(`migrations/${nameOf(4)}.js`, moduleOf({ up: 'SELECT 1', down: 'SELECT 1' }));
    expect(await project.run(['audit'])).toMatchObject({ code: 1 });
    await wentWell(project.run(['stub', '--missing']));
    expect(await fs.readdir(path.join(project.folder, 'rollbacks'))).toContain(
      `R${nameOf(4).replace(/-.*/, '')}__step.sql`,
    );
    await wentWell(project.run(['rollback', '--yes', '--reason', 'because']));
    expect((await wentWell(project.run(['log']))).stdout).toContain(nameOf(3));
    const doctor = await project.run(['doctor', '--json']);
    expect(doctor.stdout).not.toContain('Flyway');
  });

  describe('stopped between statements', () => {
    const interrupted = async (): Promise<void> => {
      await create();
      await runOn(database.url, 'CREATE INDEX apart ON a (note)');
      await project.writeRollback(3, 'DROP INDEX CONCURRENTLY apart;\nDROP TABLE no_such_table;\n');
      const stopped = await project.run(['rollback', '--yes']);
      expect(stopped, stopped.stderr).toMatchObject({ code: 4 });
      expect(stopped.stderr).toContain('for Sequelize the version is applied until this is finished');
      // Nothing stops the tool: the history has no way to say it.
      expect((await wentWell(project.up())).stdout).toContain('already up to date');
      expect(await project.run(['rollback', '--yes'])).toMatchObject({ code: 4 });
      await project.writeRollback(3, 'DROP INDEX CONCURRENTLY apart;\nDROP TABLE c;\n');
    };

    test('resume finishes, and takes out its own row, also when others have gone or come', async () => {
      await interrupted();
      await runOn(
        database.url,
        `DELETE FROM "SequelizeMeta" WHERE name LIKE '%001-step.js'; INSERT INTO "SequelizeMeta" VALUES ('2027-later.js')`,
      );
      await wentWell(project.run(['resume', '--changed-script', '--yes']));
      expect(await runOn(database.url, 'SELECT name FROM "SequelizeMeta" ORDER BY name')).toEqual([
        { name: `${nameOf(2)}.js` },
        { name: '2027-later.js' },
      ]);
      expect(await tables()).toEqual(['a', 'b']);
    });

    test('resume finishes when the row is gone, and touches no other', async () => {
      await interrupted();
      await runOn(
        database.url,
        `DELETE FROM "SequelizeMeta" WHERE name LIKE '%003-step.js'; INSERT INTO "SequelizeMeta" VALUES ('2027-later.js')`,
      );
      const done = await wentWell(project.run(['resume', '--changed-script', '--yes']));
      expect(`${done.stdout}${done.stderr}`).toContain('its row is gone');
      expect(await runOn(database.url, 'SELECT name FROM "SequelizeMeta" ORDER BY name')).toEqual([
        { name: `${nameOf(1)}.js` },
        { name: `${nameOf(2)}.js` },
        { name: '2027-later.js' },
      ]);
    });
  });
});
