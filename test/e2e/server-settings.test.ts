import { cp, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startCrashable, type CrashableServer } from '../harness/crashable-server.js';
import { describeWithFlyway } from '../harness/flyway/flyway.js';
import { createDatabase, runOn, testServers, type TestDatabase } from '../harness/postgres.js';
import { createProject, recordEntries, type TestProject } from '../harness/project.js';

/*
 * Settings of the server, raised by the real Flyway and taken back by the built command, on servers that are really
 * restarted in between.
 */

const worked = fileURLToPath(new URL('../../rollbacks/server-settings/', import.meta.url));

describeWithFlyway('A rollback of server settings', () => {
  describe.each(testServers())('on PostgreSQL $major', ({ major }) => {
    let server: CrashableServer;
    let database: TestDatabase;
    let project: TestProject;

    beforeEach(async () => {
      server = await startCrashable(major);
      database = await createDatabase(server.url);
      project = await createProject({ database });
    });
    afterEach(async () => {
      await project.remove();
      await server.stop();
    });

    const restart = async (): Promise<void> => {
      await server.crash();
      await server.restart();
    };
    const maxConnections = async (): Promise<unknown> =>
      (await runOn(database.url, 'SHOW max_connections'))[0]?.['max_connections'];
    const newest = async (): Promise<string | undefined> => (await project.flyway().info()).at(-1)?.state;
    const journal = async (): Promise<number> =>
      (await runOn(database.url, 'SELECT FROM flyback_record_journal')).length;
    const outcomes = async (): Promise<readonly unknown[]> =>
      (await recordEntries(database)).map((entry) => entry['outcome']);

    test('the worked set: verified before the restart, and the restart is asked for', async () => {
      for (const folder of ['migrations', 'rollbacks']) {
        await cp(path.join(worked, folder), path.join(project.folder, folder), { recursive: true });
      }
      expect(await project.flyway().migrate()).toMatchObject({ success: true, targetVersion: '999' });
      await restart();
      expect(await maxConnections()).toBe('300');

      const plan = await project.run(['plan']);
      expect(plan, plan.stderr).toMatchObject({ code: 0 });
      expect(plan.stdout).toContain('transaction  none: statement by statement');
      expect(plan.stdout).toMatch(/warning no-transaction: .*line 10, 11, 12, 13, 14/s);

      const done = await project.run(['rollback', '--yes', '--reason', 'the sale is postponed']);
      expect(done, done.stderr).toMatchObject({ code: 0 });
      expect(done.stdout).toContain('Rolled back 1 version: 999');
      expect(done.stdout).toMatch(/ok {2}999 {2}what the server will start with/);
      expect(done.stdout).toContain('max_connections takes effect only after a restart of the server.');
      expect(await newest()).toBe('Pending');
      expect(await journal()).toBe(0);
      expect(await recordEntries(database)).toMatchObject([
        { outcome: 'committed', version: '999', transaction: 'none', historyRow: { success: true } },
      ]);
      expect(await maxConnections()).toBe('300');
      await restart();
      expect(await maxConnections()).toBe('120');
    });

    test('as teams write it by hand: what cannot hold before the restart holds after it, and resume finishes', async () => {
      await project.write(byHand);
      await writeFile(path.join(project.folder, 'migrations', 'V999__step.sql.conf'), 'executeInTransaction=false\n');
      expect(await project.flyway().migrate()).toMatchObject({ success: true, targetVersion: '999' });
      await restart();
      expect(await maxConnections()).toBe('260');
      const audited = await project.run(['audit']);
      expect(audited.stdout).toMatch(/warning transaction-impossible: .*ALTER SYSTEM/);

      const stopped = await project.run(['rollback', '--yes']);
      expect(stopped, stopped.stderr).toMatchObject({ code: 4 });
      expect(stopped.stderr).toContain(
        'run-interrupted: Version 999 is not finished, although all of its statements ran',
      );
      expect(stopped.stderr).toContain('expected 200, but got (max_connections | 260)');
      expect(stopped.stderr).toMatch(/max_connections takes effect only after a restart.* flyback resume/);
      expect(stopped.stdout).toContain('The run was interrupted');
      expect(await newest()).toBe('Failed');
      await expect(project.flyway().migrate()).rejects.toThrow(/failed/i);
      expect(await project.run(['rollback', '--yes'])).toMatchObject({
        code: 4,
        stderr: expect.stringContaining('resume-needed') as unknown,
      });

      const early = await project.run(['resume', '--yes']);
      expect(early, early.stderr).toMatchObject({ code: 4 });
      expect(early.stderr).toContain('restart of the server');

      await restart();
      expect(await maxConnections()).toBe('200');
      const finished = await project.run(['resume', '--yes']);
      expect(finished, finished.stderr).toMatchObject({ code: 0 });
      expect(finished.stdout).toContain('Rolled back 1 version: 999');
      expect(finished.stdout).not.toContain('restart');
      expect(await newest()).toBe('Pending');
      expect(await journal()).toBe(0);
      expect(await outcomes()).toEqual(['interrupted', 'interrupted', 'committed']);
      expect(await runOn(database.url, `SELECT FROM pg_views WHERE viewname LIKE 'connection_usage%'`)).toEqual([]);
      expect(await project.run(['resume', '--yes'])).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('Nothing is interrupted') as unknown,
      });
    });
  });
});

/** Its transaction is impossible, its checks stand behind COMMIT, and one can hold only after a restart. */
const byHand = {
  version: '999',
  up: `ALTER SYSTEM SET max_connections = 260;
ALTER SYSTEM SET shared_buffers = '96MB';
ALTER SYSTEM SET work_mem = '2MB';
ALTER SYSTEM SET maintenance_work_mem = '128MB';
ALTER SYSTEM SET effective_cache_size = '1GB';
CREATE VIEW connection_usage_by_database AS SELECT datname, count(*) FROM pg_stat_activity GROUP BY datname;
CREATE VIEW connection_usage_by_application AS SELECT application_name, count(*) FROM pg_stat_activity GROUP BY 1;
CREATE FUNCTION check_connection_threshold() RETURNS boolean LANGUAGE sql AS 'SELECT count(*) < 200 FROM pg_stat_activity';
`,
  down: `-- ROLLBACK: the former number of connections
BEGIN;

ALTER SYSTEM SET max_connections = 200;
ALTER SYSTEM SET shared_buffers = '80MB';
ALTER SYSTEM SET work_mem = '4MB';
ALTER SYSTEM SET maintenance_work_mem = '256MB';
ALTER SYSTEM SET effective_cache_size = '6GB';

SELECT pg_reload_conf();

DROP VIEW IF EXISTS connection_usage_by_database CASCADE;
DROP VIEW IF EXISTS connection_usage_by_application CASCADE;
DROP FUNCTION IF EXISTS check_connection_threshold() CASCADE;

DELETE FROM flyway_schema_history WHERE version = '999';

COMMIT;

SELECT name, setting FROM pg_settings WHERE name = 'max_connections';
-- Expected: 200
`,
};
