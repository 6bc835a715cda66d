import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  forEachFlyway,
  startFlyway,
  type Flyway,
  type FlywayProcess,
  type MigrateResult,
} from '../harness/flyway/flyway.js';
import { createDatabase, newestServer, runOn, type TestDatabase } from '../harness/postgres.js';
import {
  createProject,
  storedVersions,
  takeBack,
  type TakenBack,
  type TestProject,
  type VersionFiles,
} from '../harness/project.js';

/*
 * migrate keeps in mind what it has read of the history. One that read it before flyback locked it, and asks for the lock
 * afterwards, would migrate on top of a version that is gone.
 */

const versions: readonly VersionFiles[] = ['1', '2', '3'].map((version) => ({
  version,
  up: `CREATE TABLE t${version} (id int);\n`,
  down: `DROP TABLE t${version};\n`,
}));
const pending: VersionFiles = { version: '4', up: 'CREATE TABLE t4 (id int);\n', down: 'DROP TABLE t4;\n' };

forEachFlyway('A migrate that remembers', (major) => {
  let database: TestDatabase;
  let project: TestProject;
  let other: FlywayProcess;
  let gate: pg.Client;

  beforeAll(async () => {
    database = await createDatabase(newestServer().url);
    other = startFlyway(major);
    gate = new pg.Client({ connectionString: database.url });
    await gate.connect();
  });
  afterAll(async () => {
    other.kill();
    await gate.end();
    await database.drop();
  });

  beforeEach(async () => {
    await runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
    project = await createProject({ database, flyback: '[run]\ntoolLockWait = "1s"\n' });
    await project.apply(versions);
    await project.write(pending);
    return () => project.remove();
  });

  const open = (config: Readonly<Record<string, string>> = {}): Flyway =>
    other.open({ database, locations: [path.join(project.folder, 'migrations')], config });

  // Its callback waits for a lock of ours: the history is read, and the tool's own lock not yet asked for.
  const migrateUpToItsCallback = async (transactionalLock: string): Promise<{ ended: Promise<MigrateResult> }> => {
    const callback = 'SELECT pg_advisory_xact_lock_shared(1);\n';
    await writeFile(path.join(project.folder, 'migrations', 'beforeMigrate.sql'), callback);
    await gate.query('SELECT pg_advisory_lock(1)');
    const ended = open({ 'postgresql.transactional.lock': transactionalLock }).migrate();
    await waitFor(`query LIKE '%pg_advisory_xact_lock_shared(1)%'`);
    return { ended };
  };

  /** Until a session that fits waits for a lock. */
  const waitFor = async (condition: string): Promise<void> => {
    for (;;) {
      const { rowCount } = await gate.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND ${condition}`,
      );
      if (rowCount !== 0) return;
    }
  };

  const tables = async (): Promise<readonly unknown[]> =>
    (await runOn(database.url, `SELECT relname FROM pg_class WHERE relname ~ '^t[0-9]$' ORDER BY 1`)).map(
      (row) => row['relname'],
    );

  test.each(['true', 'false'])(
    'is seen before it asks for the lock, with transactional.lock=%s: nothing is rolled back under it',
    async (transactionalLock) => {
      const { ended } = await migrateUpToItsCallback(transactionalLock);
      const refused = await takeBack(project);
      expect(refused.failure).toMatchObject({ code: 'lock-unavailable', exitCode: 3 });
      expect(refused.failure?.message).toMatch(/has read the history already \(process \d+\)/);
      expect(await storedVersions(database)).toEqual(['1', '2', '3']);
      await gate.query('SELECT pg_advisory_unlock(1)');
      expect(await ended).toMatchObject({ migrationsExecuted: 1, targetVersion: '4' });
      expect((await takeBack(project)).result).toMatchObject({ outcome: 'committed', warnings: [] });
    },
  );

  test('is let through first; what it has changed is not what was planned against', async () => {
    const { ended } = await migrateUpToItsCallback('true');
    const { failure, events } = await takeBack(project, {
      observe: ({ kind }) => {
        if (kind === 'waiting-for-tool-lock') void gate.query('SELECT pg_advisory_unlock(1)');
      },
    });
    expect(failure).toMatchObject({ code: 'history-changed' });
    const [waited] = events.filter((event) => event.kind === 'waiting-for-tool-lock');
    expect(waited?.holders.join()).toMatch(/process \d+, which is about to take it/);
    expect(await ended).toMatchObject({ migrationsExecuted: 1 });
    expect(await storedVersions(database)).toEqual(['1', '2', '3', '4']);
  });

  test('is let through first; when it has nothing to do, the rollback goes on', async () => {
    await rm(path.join(project.folder, 'migrations', 'V4__step.sql'));
    const { ended } = await migrateUpToItsCallback('true');
    const { result } = await takeBack(project, {
      observe: ({ kind }) => {
        if (kind === 'waiting-for-tool-lock') void gate.query('SELECT pg_advisory_unlock(1)');
      },
    });
    expect(result).toMatchObject({ outcome: 'committed', warnings: [] });
    expect(await ended).toMatchObject({ migrationsExecuted: 0 });
    expect(await storedVersions(database)).toEqual(['1', '2']);
  });

  describe('between two versions of one rollback', () => {
    // The rollback of version 3 stops at a lock of ours; whoever wants to read the history queues behind it.
    const queued = async (work: () => Promise<unknown>): Promise<TakenBack> => {
      await project.write({
        version: '3',
        up: versions[2]?.up ?? '',
        down: 'DROP TABLE t3;\nSELECT pg_advisory_xact_lock_shared(2);\n',
      });
      await gate.query('SELECT pg_advisory_lock(2)');
      const running = takeBack(project, { target: { kind: 'steps', steps: 2 } });
      await waitFor(`query LIKE '%pg_advisory_xact_lock_shared(2)%'`);
      const working = work();
      await waitFor(`query LIKE '%"installed_rank" > $1%'`);
      await gate.query('SELECT pg_advisory_unlock(2)');
      await working;
      return running;
    };

    test('whoever reads the history in order to migrate stops it, and migrates what is right', async () => {
      const { result, failure } = await queued(() => open().migrate());
      expect(failure).toMatchObject({ code: 'history-changed' });
      expect(result?.steps.map(({ outcome }) => outcome)).toEqual(['committed', 'not-run']);
      expect(await storedVersions(database)).toEqual(['1', '2', '3', '4']);
      expect(await tables()).toEqual(['t1', 't2', 't3', 't4']);
    });

    test('whoever reads it for information does not', async () => {
      const { result } = await queued(() => open().info());
      expect(result).toMatchObject({ outcome: 'committed', warnings: [] });
      expect(await storedVersions(database)).toEqual(['1']);
    });
  });
});
