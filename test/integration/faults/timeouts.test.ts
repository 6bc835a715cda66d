import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createDatabase, forEachMajor, runOn, type TestDatabase } from '../../harness/postgres.js';
import {
  carryOn,
  createProject,
  recordEntries,
  snapshot,
  storedVersions,
  takeBack,
  type TestProject,
} from '../../harness/project.js';

/* Limits that the role brings along (ALTER ROLE … SET …) end a statement, or the whole session. */

const up = 'CREATE TABLE t (id int); CREATE INDEX t_id ON t (id)';
const sleeping = { version: '1', up, down: 'DROP TABLE t;\nSELECT pg_sleep(3600);' };
const oneByOne = { version: '1', up, down: 'DROP INDEX CONCURRENTLY t_id;\nSELECT pg_sleep(3600);\nDROP TABLE t;' };
const awake = { ...oneByOne, down: oneByOne.down.replace('3600', '0') };

forEachMajor((server) => {
  const role = `flyback_limited_${randomUUID().slice(0, 8)}`;
  let database: TestDatabase;
  let project: TestProject;

  beforeAll(async () => {
    database = await createDatabase(server.url);
    await runOn(server.url, `CREATE ROLE ${role} LOGIN SUPERUSER PASSWORD 'x'`);
    project = await createProject({ database, connection: { url: database.jdbcUrl, user: role, password: 'x' } });
  });
  afterAll(async () => {
    await project.remove();
    await database.drop();
    await runOn(server.url, `DROP ROLE ${role}`);
  });
  beforeEach(async () => {
    await runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
    await project.apply([sleeping]);
  });
  afterEach(() => runOn(server.url, `ALTER ROLE ${role} RESET ALL`));

  const limit = (setting: string, value: string): Promise<unknown> =>
    runOn(server.url, `ALTER ROLE ${role} SET ${setting} = '${value}'`);

  describe('statement_timeout', () => {
    beforeEach(() => limit('statement_timeout', '2s'));

    test('ends a statement: told with the line and the setting that helps, nothing done', async () => {
      const before = await snapshot(database);
      const { failure } = await takeBack(project);
      expect(failure).toMatchObject({ code: 'script-failed', exitCode: 3, serverCode: '57014' });
      expect(failure?.message).toContain('statement timeout');
      expect(failure?.hint).toContain('run.statementTimeout');
      expect(failure?.location?.line).toBe(2);
      expect(await snapshot(database)).toBe(before);
      expect((await recordEntries(database)).map(({ outcome }) => outcome)).toEqual(['failed']);
    });

    test('ends one of several statements without a transaction: interrupted, told alike, and resumed', async () => {
      await project.write(oneByOne);
      const { failure } = await takeBack(project);
      expect(failure).toMatchObject({ code: 'run-interrupted', exitCode: 4, serverCode: '57014' });
      expect(failure?.message).toContain('statement timeout');
      expect(failure?.hint).toContain('run.statementTimeout');
      expect(failure?.hint).toContain('flyback resume');
      await project.write(awake);
      expect((await carryOn(project, { changedScript: true })).failure).toBeUndefined();
      expect(await storedVersions(database)).toEqual([]);
    });

    test('is replaced by run.statementTimeout', async () => {
      const own = await createProject({
        database,
        connection: { url: database.jdbcUrl, user: role, password: 'x' },
        flyback: '[run]\nstatementTimeout = "1h"\n',
      });
      try {
        for (const down of [
          'SELECT pg_sleep(2.2);\nDROP TABLE t;',
          'VACUUM t;\nSELECT pg_sleep(2.2);\nDROP TABLE t;',
        ]) {
          await runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
          await own.apply([{ version: '1', up, down }]);
          expect((await takeBack(own)).failure).toBeUndefined();
        }
      } finally {
        await own.remove();
      }
    });
  });

  test('idle_session_timeout ends a session that was kept open: a clear error, nothing done', async () => {
    await limit('idle_session_timeout', '300ms');
    const before = await snapshot(database);
    const { failure } = await takeBack(project, { between: () => untilAlone(database, role) });
    expect(failure).toMatchObject({ code: 'connection-lost', exitCode: 3, serverCode: '57P05' });
    expect(failure?.hint).toContain('idle_session_timeout');
    expect(await snapshot(database)).toBe(before);
    expect((await recordEntries(database)).map(({ outcome }) => outcome)).toEqual(['failed']);
  });

  if (server.major >= 17) {
    describe('transaction_timeout', () => {
      beforeEach(() => limit('transaction_timeout', '2s'));

      test('ends the session in the middle of a script: told with the setting, nothing done', async () => {
        const before = await snapshot(database);
        const { failure } = await takeBack(project);
        expect(failure).toMatchObject({ code: 'connection-lost', exitCode: 3, serverCode: '25P04' });
        expect(failure?.message).toContain('transaction timeout');
        expect(failure?.hint).toContain('transaction_timeout');
        expect(await snapshot(database)).toBe(before);
        expect((await recordEntries(database)).map(({ outcome }) => outcome)).toEqual(['failed']);
      });

      test('ends one of several statements without a transaction: interrupted, and resumed', async () => {
        await project.write(oneByOne);
        const { failure } = await takeBack(project);
        expect(failure).toMatchObject({ code: 'run-interrupted', exitCode: 4, serverCode: '25P04' });
        expect(failure?.hint).toContain('transaction_timeout');
        await project.write(awake);
        expect((await carryOn(project, { changedScript: true })).failure).toBeUndefined();
        expect(await storedVersions(database)).toEqual([]);
      });
    });
  }
});

async function untilAlone(database: TestDatabase, role: string): Promise<void> {
  for (;;) {
    const rows = await runOn(database.url, `SELECT FROM pg_stat_activity WHERE usename = '${role}'`);
    if (rows.length === 0) return;
    await delay(20);
  }
}
