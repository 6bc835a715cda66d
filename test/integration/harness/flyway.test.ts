import * as fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  describeWithFlyway,
  flyway,
  FlywayFailure,
  forEachFlyway,
  startFlyway,
  type Flyway,
} from '../../harness/flyway/flyway.js';
import { createDatabase, newestServer, runOn, type TestDatabase } from '../../harness/postgres.js';

forEachFlyway('a line of Flyway', (major) => {
  test('is the release that its tests believe to have', async () => {
    const process = startFlyway(major);
    expect(await process.version()).toBe({ 9: '9.22.3', 10: '10.22.0', 13: '13.0.0' }[major]);
    process.kill();
  });
});

describeWithFlyway('the harness around the real Flyway', () => {
  let folder: string;
  let database: TestDatabase;
  let project: Flyway;

  beforeAll(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), 'flyback-flyway-'));
    await fs.writeFile(path.join(folder, 'V1__first.sql'), 'CREATE TABLE t (id INT);\n');
    await fs.writeFile(path.join(folder, 'V2__second.sql'), 'CREATE TABLE u (id INT);\n');
    database = await createDatabase(newestServer().url);
    project = flyway({ database, locations: [folder] });
  });

  afterAll(async () => {
    await database.drop();
    await fs.rm(folder, { recursive: true });
  });

  const states = async () => (await project.info()).map(({ version, state }) => `${version ?? '-'} ${state}`);

  test('migrate applies the files, and info tells of them as Flyway does', async () => {
    expect(await project.validate()).toMatchObject({ successful: false });
    expect(await project.migrate()).toMatchObject({ success: true, migrationsExecuted: 2, targetVersion: '2' });
    expect(await states()).toEqual(['1 Success', '2 Success']);
    expect((await project.info())[0]).toMatchObject({ script: 'V1__first.sql', checksum: 1556295178, type: 'SQL' });
    expect(await project.validate()).toMatchObject({ successful: true, invalid: [] });
  });

  test('deleting the newest history row makes its version pending', async () => {
    await runOn(database.url, 'DROP TABLE u; DELETE FROM flyway_schema_history WHERE installed_rank = 2');
    expect(await states()).toEqual(['1 Success', '2 Pending']);
    expect(await project.migrate()).toMatchObject({ migrationsExecuted: 1 });
  });

  test('a row of a type that Flyway does not know makes info fail', async () => {
    const changeType = (type: string) =>
      runOn(database.url, `UPDATE flyway_schema_history SET type = '${type}' WHERE installed_rank = 2`);
    await changeType('FLYBACK');
    const failure: unknown = await project.info().catch((error: unknown) => error);
    await changeType('SQL');
    expect(failure).toBeInstanceOf(FlywayFailure);
    expect(String(failure)).toContain("Unknown migration type 'FLYBACK' found in schema history");
    expect(await states()).toEqual(['1 Success', '2 Success']);
  });

  test('settings reach Flyway, and what a migration does wrong comes back as a failure', async () => {
    await fs.writeFile(path.join(folder, 'V3__third.sql'), 'SELECT 1/0;\n');
    await expect(project.migrate()).rejects.toThrow('division by zero');
    await fs.rm(path.join(folder, 'V3__third.sql'));
    const other = flyway({ database, locations: [folder], config: { table: 'other_history', baselineVersion: '7' } });
    expect(await other.baseline()).toMatchObject({ successful: true, version: '7' });
    const rows = await runOn(database.url, 'SELECT version, type FROM other_history');
    expect(rows).toEqual([{ version: '7', type: 'BASELINE' }]);
  });

  test('repair records the row of a file that is gone as deleted', async () => {
    await fs.rm(path.join(folder, 'V1__first.sql'));
    expect(await project.repair()).toMatchObject({ deleted: ['1'] });
    expect(await states()).toContain('1 Deleted');
  });

  test('two processes really run at once, and a killed one says so', async () => {
    const [one, two] = [startFlyway(), startFlyway()];
    expect(one.processId).not.toBe(two.processId);
    const results = await Promise.all(
      [one, two].map((process) => process.open({ database, locations: [folder] }).info()),
    );
    expect(results[0]).toEqual(results[1]);
    for (const process of [one, two]) process.kill();
    await expect(one.open({ database, locations: [folder] }).info()).rejects.toThrow('Flyway ended with SIGKILL');
  });
});
