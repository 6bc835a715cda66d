import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { mysqlChecks } from '../../adapters/databases/mysql/server-checks.js';
import { diagnoseProject } from '../../src/compose/diagnose-project.js';
import { areas, catalogue } from '../../src/doctor/check.js';
import { createDatabase, forEachMysql, type MysqlDatabase, runOn } from '../harness/mysql.js';
import { createMysqlProject, emptyDatabase, mysqlHistory } from '../harness/mysql-project.js';
import { carryOn, takeBack, type TestProject, type VersionFiles } from '../harness/project.js';

/* Rollbacks on MySQL and MariaDB that lose their connection, and what doctor says of a project there. */

const first: VersionFiles = {
  version: '1',
  up: 'CREATE TABLE orders (id INT PRIMARY KEY)',
  down: 'DROP TABLE orders;',
};
const second: VersionFiles = {
  version: '2',
  up: 'CREATE TABLE notes (id INT PRIMARY KEY); ALTER TABLE orders ADD COLUMN state INT, ADD COLUMN more INT',
  down: `DROP TABLE notes;
ALTER TABLE orders DROP COLUMN more, ALGORITHM = COPY;
ALTER TABLE orders DROP COLUMN state;
`,
};

forEachMysql('a rollback that loses its connection', (server) => {
  let database: MysqlDatabase;
  let project: TestProject;

  beforeAll(async () => {
    database = await createDatabase(server);
    project = await createMysqlProject({ database, flyback: '[run]\nlockTimeout = "30s"\n' });
  });
  afterAll(async () => {
    await project.remove();
    await database.drop();
  });
  beforeEach(async () => {
    await emptyDatabase(database);
    await project.apply([first, second]);
  });

  test('while a statement waited is carried on with that statement, which then runs once', async () => {
    const reader = await createConnection(database.url);
    try {
      await reader.query('BEGIN');
      await reader.query('SELECT * FROM orders');
      const running = takeBack(project);
      const waiting = `SELECT id FROM information_schema.processlist WHERE db = '${database.name}' AND state LIKE 'Waiting for table metadata lock%'`;
      await expect.poll(() => runOn(server.url, waiting), { timeout: 10_000 }).toHaveLength(1);
      const [session] = await runOn(server.url, waiting);
      await runOn(server.url, `KILL CONNECTION ${String(session?.['id'])}`);
      expect((await running).failure?.code).toBe('run-interrupted');
      await reader.query('COMMIT');
      expect(await runOn(database.url, "SHOW TABLES LIKE 'notes'")).toEqual([]);
      expect(await runOn(database.url, 'SHOW COLUMNS FROM orders')).toHaveLength(3);
      const resumed = await carryOn(project);
      expect(resumed.failure).toBeUndefined();
      expect(resumed.plan?.interrupted).toMatchObject({ state: 'not-done' });
      expect(resumed.plan?.statements.map(({ state }) => state)).toEqual(['finished', 'interrupted', 'to-run']);
      expect(await runOn(database.url, 'SHOW COLUMNS FROM orders')).toHaveLength(1);
      expect(await mysqlHistory(database)).toHaveLength(1);
    } finally {
      await reader.end();
    }
  });

  test('doctor has a line for every check that means something there, and no problem', async () => {
    const { checks } = await diagnoseProject({ folder: project.folder, environment: {} });
    expect(checks.map(({ check }) => check)).toEqual(
      areas.flatMap((area) => catalogue[area]).filter((name) => !mysqlChecks.without.has(name)),
    );
    expect(checks.filter(({ result }) => result === 'problem')).toEqual([]);
  });
});
