import type pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { RunEvent } from '../../src/run/run-result.js';
import { isAlive, startLockArena, until, type LockArena } from '../harness/lock-arena.js';
import { forEachMajor, runOn, type TestDatabase } from '../harness/postgres.js';
import { recordEntries, takeBack, type TestProject } from '../harness/project.js';

type Blocked = Extract<RunEvent, { kind: 'blocked' }>;

function blockedEvents(events: readonly RunEvent[]): readonly Blocked[] {
  return events.filter((event) => event.kind === 'blocked');
}

const orders = {
  version: '1',
  up: 'CREATE TABLE orders (id int PRIMARY KEY, note text); INSERT INTO orders VALUES (1)',
};
const dropOrders = { ...orders, down: 'DROP TABLE orders;' };
const widen = {
  version: '2',
  up: 'ALTER TABLE orders ADD COLUMN gift text',
  down: 'ALTER TABLE orders DROP COLUMN gift;',
};
/** A statement that waits for a row, not for a table. */
const touch = { version: '2', up: 'SELECT 1', down: "UPDATE orders SET note = 'back' WHERE id = 1;" };

forEachMajor(({ major }) => {
  let arena: LockArena;
  let database: TestDatabase;
  let project: TestProject;

  beforeAll(async () => {
    arena = await startLockArena(major);
    ({ database, project } = arena);
  });
  afterAll(() => arena.stop());
  afterEach(() => arena.dismiss());

  const impatient = { flags: { lockTimeout: '2s', lockRetries: '0' } };

  describe('before the run', () => {
    test('the plan tells who is in the way, and no longer when they have gone; its hash stays the same', async () => {
      await arena.start(dropOrders, widen);
      const reader = await arena.other('SELECT id FROM orders', { application: 'reporting' });
      await arena.other('SELECT 1', { application: 'bystander' });
      await arena.grown();
      const before = await takeBack(project, { ...impatient, mode: 'dry-run' });
      await reader.query('COMMIT');
      const after = await takeBack(project, { ...impatient, mode: 'dry-run' });
      const held = (plan = before.plan): readonly unknown[] | undefined =>
        plan?.hazards.filter(({ code }) => code === 'lock-held');
      expect(held()).toHaveLength(1);
      expect(held()).toMatchObject([{ severity: 'warning', subject: '2, line 1' }]);
      expect(JSON.stringify(held())).toMatch(
        /Process \d+ \(reporting, postgres, 127\.0\.0\.1, idle in transaction for \d s\) holds ACCESS SHARE on public\.orders, which must end first: SELECT id FROM orders\./,
      );
      expect(held(after.plan)).toEqual([]);
      expect(after.plan?.hash).toBe(before.plan?.hash);
    });

    test('a role that cannot see the others is told so', async () => {
      await arena.start(dropOrders);
      await runOn(database.url, 'ALTER TABLE orders OWNER TO app; ALTER TABLE flyway_schema_history OWNER TO app');
      const reader = await arena.other('SELECT FROM orders');
      const flags = { ...impatient.flags, user: 'app' };
      const { plan } = await takeBack(project, { flags, mode: 'dry-run' });
      expect(plan?.hazards.map(({ code }) => code)).toEqual(['data-will-go', 'lock-held', 'sessions-hidden']);
      await reader.query('COMMIT');
      const alone = await takeBack(project, { flags, mode: 'dry-run' });
      expect(alone.plan?.hazards.map(({ code }) => code)).toEqual(['data-will-go']);
    });

    test('planning never waits for a table that somebody has locked, only leaves out its size', async () => {
      await arena.start(dropOrders);
      const holder = await arena.other('LOCK TABLE orders IN ACCESS EXCLUSIVE MODE');
      const started = performance.now();
      const locked = await takeBack(project, { ...impatient, mode: 'dry-run' });
      expect(performance.now() - started).toBeLessThan(10_000);
      expect(locked.plan?.steps[0]?.statements[0]?.estimate?.bytes ?? null).toBeNull();
      expect(locked.failure?.code).toBe('lock-unavailable');
      await holder.query('COMMIT');
      const free = await takeBack(project, { ...impatient, mode: 'dry-run' });
      expect(free.plan?.steps[0]?.statements[0]?.estimate?.bytes).toBeGreaterThan(0);
    });
  });

  describe('while it waits', () => {
    test('the progress names the blocker, the lock and the time, and ends with the wait', async () => {
      await arena.start(dropOrders, widen);
      const reader = await arena.other("SELECT id, 'token=abc' FROM orders", { application: 'reporting' });
      const { result, events } = await takeBack(project, {
        observe: (event) => {
          if (event.kind === 'blocked') void reader.query('COMMIT');
        },
      });
      expect(result?.outcome).toBe('committed');
      const [blocked, ...more] = blockedEvents(events);
      expect(more).toEqual([]);
      expect(blocked).toMatchObject({
        version: '2',
        line: 1,
        wait: {
          level: 'ACCESS EXCLUSIVE',
          on: 'public.orders',
          blockers: [
            {
              holds: true,
              holder: {
                application: 'reporting',
                state: 'idle in transaction',
                query: "SELECT id, 'token=***' FROM orders",
              },
            },
          ],
        },
      });
      expect(blocked?.wait.waitedMs).toBeGreaterThan(500);
      expect(blocked?.wait.waitedMs).toBeLessThan(8000);
      expect(result?.warnings).toEqual([]);
    });

    test('a prepared transaction is named, for it has no process', async () => {
      await arena.start(dropOrders);
      const preparing = await arena.other("UPDATE orders SET note = 'x'");
      await preparing.query("PREPARE TRANSACTION 'payment 7'");
      const { failure, events, plan } = await takeBack(project, impatient);
      await runOn(database.url, "ROLLBACK PREPARED 'payment 7'");
      expect(failure?.code).toBe('lock-unavailable');
      expect(blockedEvents(events)[0]?.wait).toMatchObject({
        level: 'ACCESS EXCLUSIVE',
        on: 'public.orders',
        blockers: [{ holder: { kind: 'prepared-transaction', gid: 'payment 7', pid: null } }],
      });
      expect(plan?.hazards.map(({ code }) => code)).toContain('prepared-transaction-holds-lock');
      expect((await takeBack(project)).result?.outcome).toBe('committed');
    });

    test.each([
      ['a session', async (session: pg.Client) => session],
      [
        'a prepared transaction',
        async (session: pg.Client) => {
          await session.query("PREPARE TRANSACTION 'row'");
          return session;
        },
      ],
    ])('a row that %s has changed', async (_who, finish) => {
      await arena.start(orders, touch);
      await finish(await arena.other("UPDATE orders SET note = 'mine' WHERE id = 1"));
      const { failure, events } = await takeBack(project, { ...impatient, triggers: 'keep' });
      await runOn(database.url, "ROLLBACK PREPARED 'row'").catch(() => undefined);
      expect(failure?.code).toBe('lock-unavailable');
      const [blocked] = blockedEvents(events);
      expect(blocked?.wait).toMatchObject({ level: null, on: 'a row of public.orders' });
      expect(blocked?.wait.blockers).toHaveLength(1);
    });

    test('whoever stands in the queue ahead of us is told apart from who holds the lock', async () => {
      await arena.start(dropOrders);
      const first = await arena.other('SELECT FROM orders', { application: 'first' });
      const second = await arena.other('SELECT 1', { application: 'second' });
      const waiting = second.query('LOCK TABLE orders IN ACCESS EXCLUSIVE MODE').catch(() => undefined);
      await until(
        () => runOn(database.url, `SELECT FROM pg_locks WHERE NOT granted`),
        (rows) => rows.length > 0,
      );
      const { events } = await takeBack(project, impatient);
      await first.query('COMMIT');
      await waiting;
      const blockers = blockedEvents(events)[0]?.wait.blockers ?? [];
      expect(blockers.map(({ holder, holds }) => `${holder.application} ${holds}`).toSorted()).toEqual([
        'first true',
        'second false',
      ]);
    });
  });

  describe('--cancel-blockers', () => {
    test('before the run: cancels what is running, terminates what idles, spares who is not in the way', async () => {
      await arena.start(dropOrders, widen);
      await runOn(database.url, 'CREATE TABLE elsewhere (id int)');
      const idle = await arena.other('SELECT id FROM orders', { application: 'idle one' });
      const running = await arena.other('SELECT id FROM orders', { application: 'running one' });
      const answer = running.query('SELECT pg_sleep(120)').catch((error: unknown) => error as { code: string });
      const bystander = await arena.other('SELECT id FROM elsewhere', { application: 'bystander' });
      const harmless = await arena.other('SELECT 1', { application: 'busy elsewhere' });
      const harmlessAnswer = harmless.query('SELECT pg_sleep(3)');
      await arena.grown();
      const { result, events } = await takeBack(project, { cancelBlockers: true });
      expect(result?.outcome).toBe('committed');
      expect(events.filter(({ kind }) => kind === 'lock-timeout' || kind === 'blocked')).toEqual([]);
      const ended = events.filter((event) => event.kind === 'session-ended');
      expect(ended.map(({ holder, how }) => `${holder.application} ${how}`).toSorted()).toEqual([
        'idle one terminated',
        'running one cancelled',
      ]);
      expect(await answer).toMatchObject({ code: '57014' });
      await running.query('ROLLBACK');
      expect(await isAlive(running)).toBe(true);
      expect(await isAlive(idle)).toBe(false);
      expect(await isAlive(bystander)).toBe(true);
      await harmlessAnswer;
      expect(result?.warnings).toHaveLength(2);
      expect(result?.warnings.join('\n')).toMatch(
        /Process \d+ \(idle one, .*\) was terminated: it holds ACCESS SHARE on public\.orders\./,
      );
      const [entry] = await recordEntries(database);
      expect(entry?.['endedSessions']).toEqual(result?.warnings);
    });
  });

  describe('autovacuum', () => {
    /** So slow that it is still at work when the test ends. */
    const slowly = 'autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1';
    const filled = {
      ...dropOrders,
      up: `${orders.up}; INSERT INTO orders SELECT n, repeat('x', 500) FROM generate_series(2, 20000) n`,
    };

    afterEach(async () => {
      // It holds on to its table, and a new one would come: whatever it is about goes with it.
      await until(
        async () => {
          await runOn(
            database.url,
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'`,
          );
          return runOn(database.url, `SET lock_timeout = '50ms'; DROP TABLE IF EXISTS orders; SELECT 1 AS done`).catch(
            () => [],
          );
        },
        (rows) => rows.length > 0,
      );
    });

    /** Resolves when autovacuum has been at the table for a second. */
    async function comes(text: string): Promise<void> {
      const atWork = `SELECT FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid AND l.relation = 'orders'::regclass
        WHERE a.backend_type = 'autovacuum worker' AND a.query LIKE '${text}' AND clock_timestamp() - a.xact_start > interval '1.2 seconds'`;
      await until(
        () => runOn(database.url, atWork),
        (rows) => rows.length > 0,
      );
    }

    test('gives way by itself: told, waited for, and left alone', async () => {
      await arena.start(filled);
      await runOn(
        database.url,
        `ALTER TABLE orders SET (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0, ${slowly}); DELETE FROM orders WHERE id > 10000`,
      );
      await comes('autovacuum: VACUUM %public.orders');
      const { plan, result, events } = await takeBack(project, { cancelBlockers: true });
      expect(plan?.hazards.find(({ code }) => code === 'autovacuum-holds-lock')).toMatchObject({ severity: 'info' });
      expect(result?.outcome).toBe('committed');
      expect(events.filter(({ kind }) => kind === 'session-ended' || kind === 'lock-timeout')).toEqual([]);
    });

    test('to prevent wraparound does not: named, waited for in bounded time, and left alone', async () => {
      await arena.start(filled);
      // A row version counts as old after 100,000 transactions, the least that may be set: as many follow now.
      await runOn(
        database.url,
        `ALTER TABLE orders SET (autovacuum_freeze_max_age = 100000, ${slowly}); CREATE TABLE ids (id int);
         DO $$ BEGIN FOR n IN 1..100100 LOOP BEGIN INSERT INTO ids VALUES (n); EXCEPTION WHEN unique_violation THEN NULL; END; END LOOP; END $$`,
      );
      await comes('%public.orders (to prevent wraparound)');
      const { plan, failure, events } = await takeBack(project, { ...impatient, cancelBlockers: true });
      expect(plan?.hazards.find(({ code }) => code === 'wraparound-vacuum')).toMatchObject({ severity: 'warning' });
      expect(failure?.code).toBe('lock-unavailable');
      expect(blockedEvents(events)[0]?.wait.blockers).toMatchObject([{ holder: { kind: 'autovacuum-wraparound' } }]);
      const [left] = events.filter((event) => event.kind === 'session-left');
      expect(left).toMatchObject({ byHand: `SELECT pg_cancel_backend(${left?.holder.pid ?? 0})` });
      expect(events.filter(({ kind }) => kind === 'session-ended')).toEqual([]);
    });
  });
});
