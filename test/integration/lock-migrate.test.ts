import { afterAll, beforeAll, expect, test } from 'vitest';
import { forEachFlyway, startFlyway, type FlywayProcess } from '../harness/flyway/flyway.js';
import { until } from '../harness/lock-arena.js';
import { createDatabase, newestServer, runOn, type TestDatabase } from '../harness/postgres.js';
import { createProject, storedVersions, takeBack, type TestProject } from '../harness/project.js';

forEachFlyway('A migrate in progress', (major) => {
  let database: TestDatabase;
  let project: TestProject;
  let migrating: FlywayProcess;

  beforeAll(async () => {
    database = await createDatabase(newestServer().url);
    migrating = startFlyway(major);
    project = await createProject({ database, flyback: '[run]\ntoolLockWait = "1s"\n' });
  });
  afterAll(async () => {
    migrating.kill();
    await project.remove();
    await database.drop();
  });

  test('is told as being in the way, and not ended by --cancel-blockers', async () => {
    await project.apply([{ version: '1', up: 'CREATE TABLE t1 (id int);\n', down: 'DROP TABLE t1;\n' }]);
    await project.write({ version: '2', up: 'ALTER TABLE t1 ADD COLUMN n int;\nSELECT pg_sleep(6);\n' });
    const migrate = migrating.open({ database, locations: [`${project.folder}/migrations`] }).migrate();
    await until(
      () =>
        runOn(
          database.url,
          `SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.relation = to_regclass('t1') AND l.mode = 'AccessExclusiveLock' AND a.xact_start < clock_timestamp() - interval '1.2 seconds'`,
        ),
      (rows) => rows.length > 0,
    );
    const { plan, failure, events } = await takeBack(project, { cancelBlockers: true });
    // Both of its connections: the one with the lock has read the history, the other migrates.
    const told = plan?.hazards.filter(({ code }) => code === 'lock-held') ?? [];
    expect(told.map(({ subject }) => subject)).toEqual(['public.flyway_schema_history', '1, line 1']);
    for (const { hint } of told) expect(hint).toContain('a migration in progress');
    expect(failure?.code).toBe('lock-unavailable');
    expect(events.filter(({ kind }) => kind === 'session-ended')).toEqual([]);
    expect(await migrate).toMatchObject({ success: true, migrationsExecuted: 1 });
    expect(await storedVersions(database)).toEqual(['1', '2']);
  });
});
