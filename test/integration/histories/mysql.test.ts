import * as fs from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { mysql } from '../../../adapters/databases/mysql/index.js';
import { flywayHistory } from '../../../adapters/histories/flyway/index.js';
import { golangMigrateHistory } from '../../../adapters/histories/golang-migrate/index.js';
import { knexHistory } from '../../../adapters/histories/knex/index.js';
import { sequelize } from '../../../adapters/histories/sequelize/index.js';
import { dbmateHistory } from '../../../adapters/histories/dbmate/index.js';
import type { ToolLock } from '../../../src/adapter/database.js';
import type { HistoryAdapter } from '../../../src/adapter/history.js';
import type { HistoryEntry } from '../../../src/history/history.js';
import type { ToolSettings } from '../../../src/config/config.js';
import { mysqlGrounds, until } from '../../conformance/grounds.js';
import { goUrl } from '../../harness/databases.js';
import { describeWithDbmate, startDbmate } from '../../harness/dbmate.js';
import { forEachFlyway } from '../../harness/flyway/flyway.js';
import { describeWithGolangMigrate, golangMigrate } from '../../harness/golang-migrate.js';
import { createKnexProject, tableMigration } from '../../harness/knex.js';
import { createDatabase, forEachMysql, runOn, type MysqlDatabase } from '../../harness/mysql.js';
import { migrationFile } from '../../harness/history-values.js';
import { createProject, finished, type CommandResult } from '../../harness/project.js';
import { mysqlSettings } from '../../harness/mysql-settings.js';
import { createSequelizeProject, createUmzugProject, type SequelizeProject } from '../../harness/sequelize.js';

/** Sequelize takes the driver of its dialect by this path. */
const require = createRequire(import.meta.url);
const mariadbDriver = require.resolve('mariadb');

/*
 * What the tools do on MariaDB besides what test/conformance/history.ts asks of all of them.
 */

forEachMysql('the tools on their own tables', (server) => {
  let database: MysqlDatabase;
  const cleanUp: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    database = await createDatabase(server);
  });
  afterAll(() => database.drop());
  beforeEach(() => mysqlGrounds()[0]?.empty(database));
  afterEach(async () => {
    for (const remove of cleanUp.splice(0)) await remove();
  });

  const wentWell = async (running: Promise<CommandResult>): Promise<CommandResult> => {
    const done = await running;
    expect(done, `${done.stdout}\n${done.stderr}`).toMatchObject({ code: 0 });
    return done;
  };
  const becomes = (sql: string): Promise<void> => until((text) => runOn(database.url, text), sql);
  const shown = async (table: string): Promise<string> => {
    const [row] = await runOn(database.url, `SHOW CREATE TABLE \`${table}\``);
    // What has been counted so far is no part of the layout.
    return String(row?.['Create Table']).replace(/ AUTO_INCREMENT=\d+/, '');
  };
  /** Compares the table that the tool has made with the one that a scratch database gets in its place, and fills that one. */
  const expectSameLayout = async (history: HistoryAdapter<never>, table: string, file: string): Promise<void> => {
    const { scratch } = history;
    const own = await shown(table);
    const place = { schema: database.name, name: table };
    await runOn(database.url, `DROP TABLE \`${table}\``);
    await runOn(database.url, scratch.createTable(mysql, place));
    expect(await shown(table)).toBe(own);
    const version = history.versions.parse(file) ?? history.versions.parse('1');
    const migration = { ...migrationFile('1'), version, script: file };
    await runOn(database.url, scratch.insertRow(mysql, place, migration, 1));
    const session = await mysql.connect(mysqlSettings(database.url));
    try {
      const read = async (): Promise<readonly HistoryEntry[]> => {
        const [rows] = await session.query(history.readRows(mysql, place));
        if (rows === undefined) throw new Error('No answer.');
        return history.parseRows(rows, [migration]);
      };
      const entries = await read();
      expect(entries).toMatchObject([{ rank: 1, success: true }]);
      expect(history.versions.parse(entries[0]?.versionText ?? '')).toEqual(version);
      await runOn(database.url, scratch.clearTable(mysql, place));
      expect(await read()).toEqual([]);
    } finally {
      await session.close();
    }
  };
  const lockOf = <Settings extends ToolSettings>(history: HistoryAdapter<Settings>, table: string): ToolLock =>
    history.toolLock(mysql, { schema: database.name, name: table }, { databaseName: database.name });

  /** While somebody holds the tool's lock by the name that flyback knows it by, `work` waits for it. */
  const expectToWait = async (lock: ToolLock, work: () => Promise<unknown>): Promise<string> => {
    const [name = ''] = lock.keys;
    const { createConnection } = await import('mysql2/promise');
    const holder = await createConnection({ uri: database.url });
    try {
      await holder.query('SELECT GET_LOCK(?, 0)', [name]);
      const working = work();
      await becomes(`SELECT 1 FROM information_schema.processlist WHERE db = DATABASE() AND state = 'User lock'`);
      const [waiting] = await runOn(
        database.url,
        `SELECT info FROM information_schema.processlist WHERE db = DATABASE() AND state = 'User lock'`,
      );
      await holder.query('SELECT RELEASE_LOCK(?)', [name]);
      await working;
      return String(waiting?.['info']);
    } finally {
      await holder.end();
    }
  };

  test('no tool takes the table of another for its own', async () => {
    const tools = [flywayHistory, golangMigrateHistory, knexHistory, sequelize.history, dbmateHistory];
    for (const { tool, scratch } of tools)
      await runOn(database.url, scratch.createTable(mysql, { schema: database.name, name: tool }));
    const session = await mysql.connect(mysqlSettings(database.url));
    try {
      for (const history of tools) {
        for (const { tool: name } of tools) {
          const place = { schema: database.name, name };
          const [described] = await session.query(history.describeTable(mysql, place));
          const check = (): void =>
            history.checkTable(place, described ?? { command: '', rowCount: 0, columns: [], rows: [] });
          if (name === history.tool) expect(check, name).not.toThrow();
          else expect(check, `${history.tool} on the table of ${name}`).toThrow();
        }
      }
    } finally {
      await session.close();
    }
  });

  forEachFlyway('Flyway', (flywayMajor) => {
    const create = async (): Promise<Awaited<ReturnType<typeof createProject>>> => {
      const project = await createProject({
        database,
        flywayMajor,
        versions: [
          { version: '1', up: 'CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1)', down: 'DROP TABLE a;' },
          { version: '2', up: 'INSERT INTO a VALUES (2)', down: 'SELECT SLEEP(2);\nDELETE FROM a WHERE id = 2;' },
        ],
      });
      cleanUp.push(() => project.remove());
      await project.flyway().migrate();
      return project;
    };

    test('the layout of its table', async () => {
      await create();
      await expectSameLayout(flywayHistory, 'flyway_schema_history', 'V1__step.sql');
    });

    test('it waits for the lock of the name that flyback takes, and shows as one that does', async () => {
      const project = await create();
      const lock = lockOf(flywayHistory, 'flyway_schema_history');
      await project.write({ version: '3', up: 'CREATE TABLE c (id int)' });
      const info = await expectToWait(lock, () => project.flyway().migrate());
      expect(info).toMatch(new RegExp(lock.approach?.asks ?? ''));
      expect(await runOn(database.url, 'SHOW TABLES LIKE "c"')).toHaveLength(1);
    });

    test('one that has read the history and waits for the lock stops a rollback of data before its commit', async () => {
      const project = await create();
      await project.write({ version: '3', up: 'CREATE TABLE c (id int)', down: 'DROP TABLE c;' });
      const rollback = finished(project.start(['rollback', '--yes', '--lock-retries', '0']));
      await becomes(`SELECT 1 FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(2)%'`);
      const migrated = project.flyway().migrate();
      const done = await rollback;
      await migrated;
      expect(done, `${done.stdout}${done.stderr}`).not.toMatchObject({ code: 0 });
      // Version 3 went on top of a version 2 that is still there.
      expect((await project.flyway().info()).map(({ version, state }) => `${String(version)} ${state}`)).toEqual([
        '1 Success',
        '2 Success',
        '3 Success',
      ]);
      expect(await runOn(database.url, 'SELECT id FROM a')).toEqual([{ id: 1 }, { id: 2 }]);
    });

    test('its default schema is another database, in which scripts work too', async () => {
      const other = await createDatabase(server);
      cleanUp.push(() => other.drop());
      const { username, password } = new URL(other.rootUrl);
      const root = { ...database, user: username, password };
      const project = await createProject({
        database: root,
        flywayMajor,
        versions: [{ version: '1', up: 'CREATE TABLE inside (id int)', down: 'DROP TABLE inside;' }],
        flyway: `defaultSchema = "${other.name}"`,
      });
      cleanUp.push(() => project.remove());
      await project.flyway({ defaultSchema: other.name }).migrate();
      expect(await runOn(other.url, 'SHOW TABLES LIKE "inside"')).toHaveLength(1);
      await wentWell(project.run(['rollback', '--yes']));
      expect(await runOn(other.url, 'SHOW TABLES LIKE "inside"')).toEqual([]);
      expect(await runOn(other.url, 'SELECT * FROM flyway_schema_history WHERE type = "SQL"')).toEqual([]);
    });
  });

  describeWithGolangMigrate('golang-migrate', () => {
    const create = async (): Promise<{ readonly folder: string; readonly tool: ReturnType<typeof golangMigrate> }> => {
      const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'flyback-golang-migrate-'));
      cleanUp.push(() => fs.rm(folder, { recursive: true, force: true }));
      await fs.writeFile(path.join(folder, '1_a.up.sql'), 'CREATE TABLE a (id int)');
      const tool = golangMigrate(folder, goUrl(database));
      await wentWell(tool.run('up'));
      return { folder, tool };
    };

    test('the layout of its table', async () => {
      await create();
      await expectSameLayout(golangMigrateHistory, 'schema_migrations', '1_a.up.sql');
    });

    test('it waits for the lock of the name that flyback takes', async () => {
      const { tool } = await create();
      await expectToWait(lockOf(golangMigrateHistory, 'schema_migrations'), () => wentWell(tool.run('version')));
    });
  });

  describeWithDbmate('dbmate', () => {
    test('the layout of its table', async () => {
      const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'flyback-dbmate-'));
      cleanUp.push(() => fs.rm(folder, { recursive: true, force: true }));
      await fs.writeFile(path.join(folder, '1_a.sql'), '-- migrate:up\nCREATE TABLE a (id int);\n-- migrate:down\n');
      await wentWell(finished(startDbmate('migrate', folder, database.url)));
      await expectSameLayout(dbmateHistory, 'schema_migrations', '1_a.sql');
    });
  });

  describe('Knex', () => {
    test('the layout of its table', async () => {
      const project = await createKnexProject({ database, migrations: [tableMigration(1, 'a')] });
      cleanUp.push(() => project.remove());
      await wentWell(project.knex('migrate:latest'));
      await expectSameLayout(knexHistory, 'knex_migrations', '1_a.js');
    });

    test('a table in another database, as schemaName names one', async () => {
      const project = await createKnexProject({
        database,
        migrations: [{ ...tableMigration(1, 'a'), rollback: 'DROP TABLE a;\n' }],
        settings: `{ schemaName: '${database.name}', tableName: 'past' }`,
      });
      cleanUp.push(() => project.remove());
      await wentWell(project.knex('migrate:latest'));
      await wentWell(project.run(['rollback', '--yes']));
      expect(await runOn(database.url, 'SELECT * FROM past')).toEqual([]);
      expect(await runOn(database.url, 'SELECT is_locked FROM past_lock')).toEqual([{ is_locked: 0 }]);
    });
  });

  describe('Sequelize', () => {
    const one = [{ up: 'CREATE TABLE a (id int)', down: 'DROP TABLE a' }];
    const created = async (creating: Promise<SequelizeProject>): Promise<SequelizeProject> => {
      const project = await creating;
      cleanUp.push(() => project.remove());
      await wentWell(project.up());
      return project;
    };

    test('the layout of its table', async () => {
      await created(createSequelizeProject(database, one));
      await expectSameLayout(sequelize.history, 'SequelizeMeta', '1-a.js');
    });

    test('by its dialect mariadb, with the driver of that name', async () => {
      const project = await created(
        createSequelizeProject(database, one, { config: { dialect: 'mariadb', dialectModulePath: mariadbDriver } }),
      );
      await wentWell(project.run(['rollback', '--yes']));
      expect(await project.applied()).toEqual([]);
      expect(await runOn(database.url, 'SHOW TABLES LIKE "a"')).toEqual([]);
    });

    test('a schema is the first part of the name of its table', async () => {
      const config = { migrationStorageTableSchema: 'ops', migrationStorageTableName: 'Done' };
      const project = await created(createSequelizeProject(database, one, { config }));
      expect(await runOn(database.url, 'SELECT COUNT(*) AS n FROM `ops.Done`')).toEqual([{ n: 1 }]);
      await wentWell(project.run(['rollback', '--yes']));
      expect(await project.applied()).toEqual([]);
    });

    test('and so it is for Umzug', async () => {
      const project = await created(
        createUmzugProject(database, one, {
          storage: `tableName: 'Done', schema: 'ops', modelName: 'Done'`,
          flyback: '[umzug]\nmigrations = "migrations/*.sql"\ntable = "Done"\nschema = "ops"\n',
        }),
      );
      await wentWell(project.run(['rollback', '--yes']));
      expect(await runOn(database.url, 'SELECT * FROM `ops.Done`')).toEqual([]);
      expect(await project.applied()).toEqual([]);
    });
  });
});
