import type pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Session } from '../../src/adapter/database.js';
import { connect, loadProjectConfig } from '../../src/compose/open-project.js';
import type { RunEvent } from '../../src/run/run-result.js';
import { isAlive, startLockArena, startReaders, until, type LockArena } from '../harness/lock-arena.js';
import { newestServer, runOn, type TestDatabase } from '../harness/postgres.js';
import { recordEntries, storedVersions, takeBack, type TestProject } from '../harness/project.js';

/*
 * What flyback makes of what a server tells about locks; the telling itself is held to every server in locks.test.ts and
 * lock-survey.test.ts.
 */

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

/** The same session, whose answers are heard of later than they are true. */
function answeringLate(session: Session, delayMs: number): Session {
  const late = async <T>(answer: Promise<T>): Promise<T> => {
    const found = await answer;
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    return found;
  };
  return {
    facts: session.facts,
    query: (sql) => late(session.query(sql)),
    pipeline: (messages, onAnswer) => late(session.pipeline(messages, onAnswer)),
    batch: (commands, onAnswer) => late(session.batch(commands, onAnswer)),
    forgetPlans: () => {
      session.forgetPlans();
    },
    copyIn: (statement, data) => session.copyIn(statement, data),
    takeNotices: () => session.takeNotices(),
    cancel: () => session.cancel(),
    close: () => session.close(),
  };
}

describe('a rollback among others', () => {
  let arena: LockArena;
  let database: TestDatabase;
  let project: TestProject;

  beforeAll(async () => {
    arena = await startLockArena(newestServer().major);
    ({ database, project } = arena);
  });
  afterAll(() => arena.stop());
  afterEach(() => arena.dismiss());

  const impatient = { flags: { lockTimeout: '2s', lockRetries: '0' } };

  describe('while it waits', () => {
    test('whoever reads the history for long is told as well', async () => {
      await arena.start(dropOrders);
      await arena.other('SELECT FROM flyway_schema_history');
      await arena.grown();
      const { plan } = await takeBack(project, { ...impatient, mode: 'dry-run' });
      expect(plan?.hazards).toMatchObject([
        { code: 'data-will-go' },
        { code: 'lock-held', subject: 'public.flyway_schema_history' },
      ]);
    });

    test('the history: named, and in bounded time', async () => {
      await arena.start(dropOrders);
      await arena.other('SELECT FROM flyway_schema_history', { application: 'health check' });
      const started = performance.now();
      const { failure, events } = await takeBack(project, impatient);
      expect(performance.now() - started).toBeLessThan(10_000);
      expect(failure?.code).toBe('lock-unavailable');
      expect(blockedEvents(events)[0]).toMatchObject({
        line: undefined,
        wait: { on: 'public.flyway_schema_history', blockers: [{ holder: { application: 'health check' } }] },
      });
    });

    test('a statement that only takes its time is blocked by nobody', async () => {
      await arena.start({ ...orders, down: 'SELECT pg_sleep(2.5); DROP TABLE orders;' });
      await arena.other('SELECT 1');
      const { result, events } = await takeBack(project);
      expect(result?.outcome).toBe('committed');
      expect(blockedEvents(events)).toEqual([]);
    });

    test('a second connection that cannot be had, or hangs, does not disturb the run', async () => {
      for (const reconnect of [
        () => Promise.reject(new Error('no more connections')),
        () => new Promise<never>(() => undefined),
      ]) {
        await arena.start(dropOrders);
        const reader = await arena.other('SELECT FROM orders');
        const ended = until(
          () =>
            runOn(
              database.url,
              `SELECT FROM pg_locks WHERE NOT granted AND clock_timestamp() - waitstart > interval '2 seconds'`,
            ),
          (rows) => rows.length > 0,
        ).then(() => reader.query('COMMIT'));
        const started = performance.now();
        const { result, events } = await takeBack(project, { reconnect });
        expect(result?.outcome).toBe('committed');
        expect(performance.now() - started).toBeLessThan(9000);
        expect(blockedEvents(events)).toEqual([]);
        await ended;
      }
    });
  });

  describe('every wait is bounded', () => {
    test('nor does it wait longer than lock_timeout to read the history, and names who has locked it', async () => {
      await arena.start(dropOrders);
      await arena.other('LOCK TABLE flyway_schema_history IN ACCESS EXCLUSIVE MODE', { application: 'maintenance' });
      const started = performance.now();
      const { failure, plan } = await takeBack(project, impatient);
      expect(performance.now() - started).toBeLessThan(6000);
      expect(plan).toBeUndefined();
      expect(failure).toMatchObject({ code: 'lock-unavailable', serverCode: '55P03' });
      expect(failure?.message).toContain('maintenance');
    });

    test('for the record, from the first statement to the entry about the failure', async () => {
      await arena.start(dropOrders, widen);
      expect((await takeBack(project)).result?.outcome).toBe('committed');
      const holder = await arena.other('LOCK TABLE flyback_record IN ACCESS EXCLUSIVE MODE');
      const started = performance.now();
      const { failure, result } = await takeBack(project, impatient);
      expect(failure?.code).toBe('lock-unavailable');
      expect(result?.warnings.join()).toContain('could not be written to the record');
      expect(performance.now() - started).toBeLessThan(40_000);
      await holder.query('COMMIT');
      expect(await storedVersions(database)).toEqual(['1']);
    });

    test('for a deferred constraint, which the server looks at last', async () => {
      await arena.start({
        version: '1',
        up: 'CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (p int REFERENCES p DEFERRABLE INITIALLY DEFERRED); INSERT INTO p VALUES (1)',
        down: 'INSERT INTO c VALUES (1);',
      });
      await arena.other('SELECT FROM p WHERE id = 1 FOR UPDATE');
      const { failure, events } = await takeBack(project, { ...impatient, triggers: 'keep' });
      expect(failure).toMatchObject({ code: 'lock-unavailable', serverCode: '55P03' });
      expect(blockedEvents(events)[0]).toMatchObject({ line: undefined, wait: { on: 'a row of public.p' } });
    });
  });

  describe('--cancel-blockers', () => {
    test('nobody is touched without it', async () => {
      await arena.start(dropOrders);
      const idle = await arena.other('SELECT id FROM orders');
      await arena.grown();
      const { failure, events } = await takeBack(project, impatient);
      expect(failure?.code).toBe('lock-unavailable');
      expect(events.filter(({ kind }) => kind === 'session-ended')).toEqual([]);
      expect(await isAlive(idle)).toBe(true);
      const [entry] = await recordEntries(database);
      expect(entry).not.toHaveProperty('endedSessions');
    });

    const late = 'during the run: who comes later is ended as well, and no one else; told %i ms after it was done';
    test.each([0, 400])(late, async (delayMs) => {
      const untilLate = `DO $$ BEGIN LOOP PERFORM pg_stat_clear_snapshot(); EXIT WHEN EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'late' AND state = 'idle in transaction'); PERFORM pg_sleep(0.05); END LOOP; END $$`;
      await arena.start({ ...orders, down: `${untilLate};\nDROP TABLE orders;` });
      const late: Promise<pg.Client>[] = [];
      const config = await loadProjectConfig({ folder: project.folder, environment: {} });
      const { result, events } = await takeBack(project, {
        cancelBlockers: true,
        reconnect: async () => answeringLate(await connect(config), delayMs),
        observe: (event) => {
          if (event.kind !== 'statement-started' || event.line !== 1) return;
          late.push(
            arena.other('SELECT id FROM orders', { application: 'late' }),
            arena.other('SELECT 1', { application: 'bystander' }),
          );
        },
      });
      expect(result?.outcome).toBe('committed');
      expect(blockedEvents(events)[0]?.line).toBe(2);
      expect(events.filter(({ kind }) => kind === 'session-ended')).toMatchObject([
        { how: 'terminated', holder: { application: 'late' } },
      ]);
      expect(await Promise.all((await Promise.all(late)).map(isAlive))).toEqual([false, true]);
      const [entry] = await recordEntries(database);
      expect(entry?.['endedSessions']).toEqual([
        expect.stringMatching(
          /^Process \d+ \(late, .*\) was terminated: the run waited for ACCESS EXCLUSIVE on public\.orders\.$/,
        ),
      ]);
    });

    test('never a prepared transaction: it is left, with the reason and the statement for a person', async () => {
      await arena.start(dropOrders);
      const preparing = await arena.other("UPDATE orders SET note = 'x'");
      await preparing.query("PREPARE TRANSACTION 'payment 8'");
      const { failure, events, result } = await takeBack(project, { ...impatient, cancelBlockers: true });
      expect(failure?.code).toBe('lock-unavailable');
      expect(events.filter(({ kind }) => kind === 'session-left')).toMatchObject([
        { holder: { gid: 'payment 8' }, byHand: "ROLLBACK PREPARED 'payment 8'" },
      ]);
      expect(result?.warnings.join()).toContain("ROLLBACK PREPARED 'payment 8'");
      expect(await runOn(database.url, 'SELECT gid FROM pg_prepared_xacts')).toEqual([{ gid: 'payment 8' }]);
      await runOn(database.url, "ROLLBACK PREPARED 'payment 8'");
    });

    test('never another flyback, nor a migration in progress on either of its connections', async () => {
      await arena.start(dropOrders);
      const jdbc = 'PostgreSQL JDBC Driver';
      const flyback = await arena.other('SELECT FROM orders', { application: 'flyback' });
      const main = await arena.other('SELECT pg_advisory_xact_lock(77433833903597)', { application: jdbc });
      const migrating = await arena.other('SELECT FROM orders', { application: jdbc });
      await arena.grown();
      const during = await takeBack(project, { ...impatient, cancelBlockers: true });
      expect(during.failure?.code).toBe('lock-unavailable');
      await main.query('COMMIT');
      // With the lock gone, the same session is anybody's; the other flyback stays in the way.
      const after = await takeBack(project, { ...impatient, cancelBlockers: true });
      expect(after.failure?.code).toBe('lock-unavailable');
      expect(during.events.filter(({ kind }) => kind === 'session-ended')).toEqual([]);
      expect(after.events.filter(({ kind }) => kind === 'session-ended')).toMatchObject([
        { holder: { application: jdbc } },
      ]);
      expect(await Promise.all([flyback, main, migrating].map(isAlive))).toEqual([true, true, false]);
    });

    test.each([
      ['', 'GRANT pg_signal_backend TO app'],
      ['pg_signal_backend', 'GRANT pg_read_all_stats TO app'],
    ])('without the right (having "%s") it ends nobody, and says what is missing', async (granted, hint) => {
      await arena.start(dropOrders);
      await runOn(database.url, 'ALTER TABLE orders OWNER TO app; ALTER TABLE flyway_schema_history OWNER TO app');
      await runOn(
        database.url,
        'CREATE ROLE rival LOGIN; GRANT SELECT ON orders TO rival; GRANT USAGE ON SCHEMA public TO rival',
      );
      if (granted !== '') await runOn(database.url, `GRANT ${granted} TO app`);
      const rival = await arena.other('SELECT FROM orders', { user: 'rival' });
      const own = await arena.other('SELECT FROM orders', { user: 'app' });
      await arena.grown();
      const { failure, result } = await takeBack(project, {
        flags: { ...impatient.flags, user: 'app' },
        cancelBlockers: true,
      });
      expect(failure).toMatchObject({ code: 'privilege-missing', exitCode: 2 });
      expect(failure?.hint).toContain(hint);
      expect(result).toBeUndefined();
      expect(await Promise.all([rival, own].map(isAlive))).toEqual([true, true]);
      await Promise.all([rival, own].map((session) => session.end()));
      await runOn(database.url, 'DROP OWNED BY rival; DROP ROLE rival');
      if (granted !== '') await runOn(database.url, `REVOKE ${granted} FROM app`);
    });

    test('who only waits in line is ended when nobody in it holds the lock, and not before', async () => {
      await arena.start(orders, { version: '2', up: 'SELECT 1', down: "UPDATE orders SET note = 'back';" });
      const reader = await arena.other('SELECT FROM orders', { application: 'reader' });
      const queued = await arena.other('SELECT 1', { application: 'queued' });
      const answer = queued.query('ALTER TABLE orders ADD COLUMN n int').catch((error: unknown) => error);
      await arena.grown();
      // The update goes with the reader, but not ahead of the change of the table.
      const { result, events } = await takeBack(project, { cancelBlockers: true });
      expect(result?.outcome).toBe('committed');
      expect(events.filter(({ kind }) => kind === 'session-ended')).toMatchObject([
        { how: 'cancelled', holder: { application: 'queued' } },
      ]);
      expect(events.findIndex(({ kind }) => kind === 'blocked')).toBeLessThan(
        events.findIndex(({ kind }) => kind === 'session-ended'),
      );
      expect(await answer).toMatchObject({ code: '57014' });
      expect(await isAlive(reader)).toBe(true);
    });

    test('a dry run ends nobody', async () => {
      await arena.start(dropOrders);
      const idle = await arena.other('SELECT FROM orders');
      await arena.grown();
      const { failure } = await takeBack(project, { ...impatient, mode: 'dry-run', cancelBlockers: true });
      expect(failure?.code).toBe('usage-invalid');
      expect(await isAlive(idle)).toBe(true);
    });
  });

  describe('short readers beside a long one', () => {
    /** Runs until the long reader was told to end; what the short readers lived through meanwhile. */
    async function among(
      flags: Readonly<Record<string, string>>,
      enough: (events: readonly RunEvent[], ms: number) => boolean,
    ) {
      await arena.start(dropOrders, widen);
      const long = await arena.other('SELECT FROM orders', { application: 'long reader' });
      const readers = await startReaders(database, 'SELECT count(*) FROM orders', 4);
      const events: { readonly kind: RunEvent['kind']; readonly at: number }[] = [];
      const seen: RunEvent[] = [];
      const run = takeBack(project, {
        flags,
        observe: (event) => {
          seen.push(event);
          events.push({ kind: event.kind, at: performance.now() });
        },
      });
      const began = await until(
        () => events.find(({ kind }) => kind === 'statement-started'),
        (found) => found !== undefined,
      );
      await until(
        () => enough(seen, performance.now() - (began?.at ?? 0)),
        (is) => is,
      );
      const waited = readers.longestWaitMs();
      const ended = performance.now();
      await long.query('COMMIT');
      const { result } = await run;
      await readers.stop();
      return { result, events, answers: readers.answers, waited, began: began?.at ?? 0, ended };
    }

    test('with lock_timeout they never wait longer than that, and go on between the tries', async () => {
      const lived = await among(
        { lockTimeout: '600ms', lockRetries: '50', lockRetryPause: '300ms' },
        (events) => events.filter(({ kind }) => kind === 'lock-timeout').length >= 4,
      );
      expect(lived.result?.outcome).toBe('committed');
      expect(lived.waited).toBeGreaterThan(300);
      expect(lived.waited).toBeLessThan(600 + 900);
      const pauses = lived.events.flatMap(({ kind, at }, index) =>
        kind === 'lock-timeout' ? [[at, lived.events[index + 1]?.at ?? Infinity] as const] : [],
      );
      expect(pauses.length).toBeGreaterThanOrEqual(4);
      for (const [from, to] of pauses) {
        expect(lived.answers.filter((at) => at > from && at < to).length).toBeGreaterThan(4);
      }
    });

    test('with lock_timeout 0 they all pile up behind the rollback, until the long reader ends', async () => {
      const lived = await among({ lockTimeout: '0' }, (_events, ms) => ms > 4000);
      expect(lived.result?.outcome).toBe('committed');
      expect(lived.waited).toBeGreaterThan(600 + 900);
      // A reader that was under way when the rollback got in line may still be answered.
      expect(lived.answers.filter((at) => at > lived.began + 500 && at < lived.ended)).toEqual([]);
    });
  });
});
