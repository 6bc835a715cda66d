import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { postgresql } from '../../../../../adapters/databases/postgresql/index.js';
import { toolLock as flywayLock } from '../../../../../adapters/histories/flyway/lock.js';
import { toolLock as knexLock } from '../../../../../adapters/histories/knex/lock.js';
import { guardMarks, type Session, type ToolLock } from '../../../../../src/adapter/database.js';
import { createProject, storedVersions, takeBack } from '../../../../harness/project.js';
import { createDatabase, forEachMajor, runOn, type TestDatabase } from '../../../../harness/postgres.js';
import { connectTo } from '../../../../harness/session.js';

/* Who may have read the history before it was locked: the guard that looks closely, and the one that costs little. */

const flyway = flywayLock(postgresql, { schema: 'public', name: 'flyway_schema_history' });
const knex = knexLock(postgresql, { schema: 'public', name: 'knex_migrations' });
const asksFlyway = `SELECT pg_try_advisory_xact_lock(${flyway.keys.join()})`;

forEachMajor((server) => {
  let database: TestDatabase;
  let session: Session;
  let other: pg.Client;
  beforeEach(async () => {
    database = await createDatabase(server.url);
    other = new pg.Client({ connectionString: database.url });
    await other.connect();
    await other.query(
      `CREATE TABLE flyway_schema_history (installed_rank int); CREATE TABLE knex_migrations (id int, name text);
       CREATE TABLE knex_migrations_lock (is_locked int)`,
    );
    session = await connectTo(database);
  });
  afterEach(async () => {
    await session.close();
    await other.end();
    await database.drop();
  });

  /** Which of the two guards raise, each in a transaction of its own. */
  const seenBy = async (
    lock: ToolLock,
    own: Session = session,
  ): Promise<{ readonly closely: boolean; readonly widely: boolean }> => {
    const { sql } = postgresql;
    const raises = async (guard: string): Promise<boolean> => {
      const outcome = await own.pipeline([`BEGIN;${guard};COMMIT`, 'ROLLBACK']);
      if (outcome.failure === undefined) return false;
      expect(outcome.failure.error.message).toContain(guardMarks.toolNear);
      await own.query('ROLLBACK');
      return true;
    };
    return {
      closely: await raises(sql.guardApproach(lock)),
      widely: await raises(sql.suspectApproach(own.facts, lock)),
    };
  };

  test('the one that costs little is another one', () => {
    const { sql } = postgresql;
    expect(sql.suspectApproach(session.facts, flyway)).not.toBe(sql.guardApproach(flyway));
  });

  test.each([
    ['Flyway asks for its lock', flyway, asksFlyway],
    ['Flyway reads the history', flyway, 'SELECT 1 FROM "public"."flyway_schema_history" WHERE "installed_rank" > 0'],
    ['Flyway looks for a schema', flyway, 'SELECT EXISTS (\n SELECT 1 FROM   pg_catalog.pg_class c WHERE false)'],
    ['Flyway has set its role', flyway, 'SET ROLE none'],
    ['Flyway has committed', flyway, 'COMMIT'],
    ['Knex asks for its lock', knex, 'update "knex_migrations_lock" set "is_locked" = 0 where false'],
    ['Knex reads the history', knex, 'select "name" from "knex_migrations" order by "id" asc'],
    ['Knex has begun', knex, 'BEGIN;'],
  ])('both see that %s', async (_, lock, text) => {
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    try {
      // What anybody sends counts for a moment only.
      await expect
        .poll(async () => {
          await client.query(text);
          return seenBy(lock);
        })
        .toEqual({ closely: true, widely: true });
    } finally {
      await client.end();
    }
  });

  test('neither sees what others do, nor the session itself, nor those in another database', async () => {
    await other.query('SELECT count(*) FROM flyway_schema_history');
    const elsewhere = new pg.Client({ connectionString: server.url });
    await elsewhere.connect();
    try {
      await elsewhere.query(asksFlyway);
      expect(await seenBy(flyway)).toEqual({ closely: false, widely: false });
      expect(await seenBy(knex)).toEqual({ closely: false, widely: false });
    } finally {
      await elsewhere.end();
    }
  });

  test('both see somebody else only where the role may', async () => {
    const role = `stranger_${Math.random().toString(36).slice(2, 10)}`;
    await runOn(server.url, `CREATE ROLE ${role} LOGIN`);
    const stranger = await connectTo({ ...database, user: role });
    try {
      await other.query(asksFlyway);
      expect(await seenBy(flyway)).toEqual({ closely: true, widely: true });
      expect(await seenBy(flyway, stranger)).toEqual({ closely: false, widely: false });
    } finally {
      await stranger.close();
      await runOn(server.url, `DROP ROLE ${role}`);
    }
  });

  describe('an application that has committed some time ago', () => {
    beforeEach(async () => {
      await other.query('DROP TABLE flyway_schema_history');
      await other.query('COMMIT');
      await expect
        .poll(() =>
          runOn(
            database.url,
            `SELECT clock_timestamp() - state_change > interval '0.3 s' AS over FROM pg_stat_activity WHERE pid = ${String((other as unknown as { processID: number }).processID)}`,
          ),
        )
        .toEqual([{ over: true }]);
    });

    test('is seen by the one that costs little alone', async () => {
      expect(await seenBy(flyway)).toEqual({ closely: false, widely: true });
    });

    test('holds no run up, and is looked at once', async () => {
      const versions = ['1', '2', '3', '4', '5'];
      const project = await createProject({ database });
      try {
        await project.apply(
          versions.map((version) => ({
            version,
            up: `CREATE TABLE t${version} (id int);\n`,
            down: `DROP TABLE t${version};\n`,
          })),
        );
        const rollbacks = async (): Promise<number> => {
          const [row] = await runOn(
            server.url,
            `SELECT xact_rollback::int AS count FROM pg_stat_database WHERE datname = '${database.name}'`,
          );
          return Number(row?.['count']);
        };
        const before = await rollbacks();
        const { result, events } = await takeBack(project, { target: { kind: 'steps', steps: 5 } });
        expect(result).toMatchObject({ outcome: 'committed', warnings: [] });
        expect(events.filter(({ kind }) => kind === 'waiting-for-tool-lock')).toEqual([]);
        expect(await storedVersions(database)).toEqual([]);
        await expect.poll(rollbacks).toBe(before + 1);
      } finally {
        await project.remove();
      }
    });
  });
});
