import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createDatabase, forEachMajor, runOn, type TestDatabase } from '../harness/postgres.js';
import { createProject, historyRow, storedVersions, takeBack, type TestProject } from '../harness/project.js';

/*
 * Above READ COMMITTED a transaction goes on seeing what it saw first. Whoever has waited for the lock of the history must
 * see what was committed meanwhile, whatever the role or the database has for a default.
 */

const versions = ['1', '2', '3'].map((version) => ({
  version,
  up: `CREATE TABLE t${version} (id int);\n`,
  down: `DROP TABLE t${version};\n`,
}));
const newer = { version: '4', up: 'CREATE TABLE t4 (id int);\n', down: 'DROP TABLE t4;\n' };

forEachMajor((server) => {
  describe.each(['repeatable read', 'serializable'])('in a database whose default is %s', (isolation) => {
    let database: TestDatabase;
    let project: TestProject;
    let other: pg.Client;
    beforeEach(async () => {
      database = await createDatabase(server.url);
      project = await createProject({ database });
      await project.apply(versions);
      await project.write(newer);
      await runOn(database.url, `ALTER DATABASE ${database.name} SET default_transaction_isolation = '${isolation}'`);
      other = new pg.Client({ connectionString: database.url });
      await other.connect();
    });
    afterEach(async () => {
      await other.end();
      await project.remove();
      await database.drop();
    });

    /** Until a session that fits waits for a lock. */
    const waits = async (condition: string): Promise<void> => {
      await expect
        .poll(
          () =>
            runOn(
              server.url,
              `SELECT FROM pg_stat_activity WHERE datname = '${database.name}' AND wait_event_type = 'Lock' AND ${condition}`,
            ),
          { timeout: 10_000 },
        )
        .toHaveLength(1);
    };

    test('a version that is committed while the rollback waits for the history stops it', async () => {
      await other.query(`BEGIN; ${newer.up}; ${historyRow(newer)}`);
      const running = takeBack(project);
      await waits(`query LIKE '%LOCK TABLE%'`);
      await other.query('COMMIT');
      const { failure } = await running;
      expect(failure).toMatchObject({ code: 'history-changed' });
      expect(await storedVersions(database)).toEqual(['1', '2', '3', '4']);
    });

    test('so does one that is committed between two versions', async () => {
      await project.write({
        ...newer,
        version: '3',
        up: versions[2]?.up ?? '',
        down: 'DROP TABLE t3;\nSELECT pg_advisory_xact_lock(7);\n',
      });
      await other.query('SELECT pg_advisory_lock(7)');
      const running = takeBack(project, { target: { kind: 'steps', steps: 2 } });
      await waits(`query LIKE '%pg_advisory_xact_lock(7)%'`);
      const writing = runOn(database.url, `BEGIN; SELECT 1 AS late; ${historyRow(newer)}; COMMIT`);
      await waits(`query LIKE '%late%'`);
      await other.query('SELECT pg_advisory_unlock(7)');
      await writing;
      const { failure, result } = await running;
      expect(failure).toMatchObject({ code: 'history-changed' });
      expect(result?.steps.map(({ outcome }) => outcome)).toEqual(['committed', 'failed']);
      expect(await storedVersions(database)).toEqual(['1', '2', '4']);
    });

    test('a script runs as at the usual one', async () => {
      await project.write({
        ...newer,
        version: '3',
        up: versions[2]?.up ?? '',
        down: `DROP TABLE t3;\n\nSELECT current_setting('transaction_isolation');\n-- expect: 'read committed'\n`,
      });
      expect((await takeBack(project)).result).toMatchObject({ outcome: 'committed' });
    });
  });
});
