import { afterEach, describe, expect, it } from 'vitest';
import { compareCatalogs, readCatalog, type CatalogText } from '../../../../harness/catalog-text.js';
import { createDatabase, forEachMajor, type TestDatabase } from '../../../../harness/postgres.js';
import { Bench, Observed, Running } from './recovery-bench.js';

/*
 * Every half-way state is really produced: another session stands in the way, and the statement is cancelled, its server
 * process ended, or its patience over. After the repair the catalog must be what an undisturbed run makes of it.
 */

const searchPath = '"Shop", public';
const fixture = `
  CREATE SCHEMA "Shop";
  SET search_path = ${searchPath};
  CREATE TABLE public.t (a int);
  CREATE INDEX "t A" ON public.t (a);
  CREATE TABLE t (id int PRIMARY KEY, a int, b text CONSTRAINT "b once" UNIQUE, c text);
  INSERT INTO t SELECT n, n, 'b' || n, 'c' FROM generate_series(1, 100) n;
  CREATE INDEX "t A" ON t (a);
  COMMENT ON INDEX "t A" IS 'by a';
  CREATE TABLE u (id int PRIMARY KEY, t_id int REFERENCES t);
  CREATE INDEX u_t ON u (t_id);
  CREATE TABLE elsewhere (id int);
  CREATE TABLE event (at date NOT NULL, what text, PRIMARY KEY (at)) PARTITION BY RANGE (at);
  CREATE TABLE "event 1" PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
  CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
  CREATE INDEX event_what ON event (what);
  INSERT INTO event VALUES ('2024-05-05', 'x'), ('2025-05-05', 'y');
  CREATE MATERIALIZED VIEW tally AS SELECT id, a FROM t;
  CREATE UNIQUE INDEX tally_key ON tally (id);
`;

const databases: TestDatabase[] = [];
const benches: Bench[] = [];

async function fresh(serverUrl: string, ...more: readonly string[]): Promise<{ bench: Bench; url: string }> {
  const database = await createDatabase(serverUrl);
  databases.push(database);
  const bench = new Bench(database.url, searchPath);
  benches.push(bench);
  await bench.run(fixture, ...more);
  return { bench, url: database.url };
}

afterEach(async () => {
  await Promise.all(benches.splice(0).map((bench) => bench.close()));
  await Promise.all(databases.splice(0).map((database) => database.drop()));
});

const noSpoiltIndex = `NOT EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
  WHERE NOT i.indisvalid OR NOT i.indislive OR NOT i.indisready OR c.relname ~ '_cc(new|old)')`;

/** Brings the statement to where it is interrupted; returns the SQLSTATE. */
type Disturbance = (bench: Bench, statement: string) => Promise<string>;

const writer = ['BEGIN', 'INSERT INTO t VALUES (1001, 1, $$x$$, $$x$$)'];
const reader = ['BEGIN', 'SELECT FROM t LIMIT 1'];
const oldSnapshot = ['BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT FROM elsewhere'];

/** Another session stands in the way until the statement has been interrupted. */
function stopped(
  by: readonly string[],
  state: { readonly phase: string } | { readonly condition: string },
  how: 'cancel' | 'terminate' = 'cancel',
): Disturbance {
  return async (bench, statement) => {
    const blocker = await bench.hold(...by);
    const running = await Running.start(bench, statement);
    await running.reaches(state);
    const code = await running.interrupt(how);
    await blocker.query('ROLLBACK');
    return code;
  };
}

/** A second session comes while the statement waits for the first, and is what it waits for next. */
function stoppedLater(
  by: readonly string[],
  first: { readonly phase: string } | { readonly condition: string },
  second: { readonly phase: string } | { readonly condition: string },
): Disturbance {
  return async (bench, statement) => {
    const blocker = await bench.hold(...by);
    const running = await Running.start(bench, statement);
    await running.reaches(first);
    const next = await bench.hold(...by);
    await blocker.query('ROLLBACK');
    await running.reaches(second);
    const code = await running.interrupt('cancel');
    await next.query('ROLLBACK');
    return code;
  };
}

function outOfPatience(by: readonly string[]): Disturbance {
  return async (bench, statement) => {
    const blocker = await bench.hold(...by);
    const running = await Running.start(bench, statement, `SET lock_timeout = '150ms'`);
    const code = await running.ended();
    await blocker.query('ROLLBACK');
    return code;
  };
}

const failing: Disturbance = async (bench, statement) => (await Running.start(bench, statement)).ended();

const indexIs = (name: string, condition: string): string =>
  `EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass('${name}') AND ${condition})`;

interface HalfWay {
  readonly title: string;
  readonly setUp?: readonly string[];
  readonly statement: string;
  readonly disturb: Disturbance;
  readonly code: string;
  readonly words: readonly string[];
  /** $1, $2 … stand for names that the server chose. */
  readonly repair: readonly string[];
  readonly afterRepair: 'run-again' | 'done';
  /** What has to be put right before the statement can succeed. */
  readonly cure?: readonly string[];
  readonly withoutBefore?: 'unknown' | 'partly';
}

const freshIndex = {
  statement: 'CREATE INDEX CONCURRENTLY fresh ON t (a)',
  words: ['"Shop".fresh is INVALID'],
  repair: ['DROP INDEX CONCURRENTLY "Shop"."fresh"'],
  afterRepair: 'run-again',
} as const;
const dropped = {
  statement: 'DROP INDEX CONCURRENTLY "t A"',
  repair: ['DROP INDEX CONCURRENTLY "Shop"."t A"'],
  afterRepair: 'done',
  withoutBefore: 'unknown',
} as const;
const detached = {
  statement: 'ALTER TABLE event DETACH PARTITION "event 1" CONCURRENTLY',
  words: ['"Shop"."event 1" is half detached from "Shop".event'],
  repair: ['ALTER TABLE "Shop"."event" DETACH PARTITION "Shop"."event 1" FINALIZE'],
  afterRepair: 'done',
  withoutBefore: 'partly',
} as const;
const detachPending = 'EXISTS (SELECT FROM pg_inherits WHERE inhdetachpending)';

const halfWays: readonly HalfWay[] = [
  {
    ...freshIndex,
    title: 'a unique index over rows that are not',
    setUp: ['INSERT INTO t VALUES (101, 1, NULL, NULL)'],
    statement: 'CREATE UNIQUE INDEX CONCURRENTLY fresh ON t (a)',
    disturb: failing,
    code: '23505',
    cure: ['DELETE FROM t WHERE id = 101'],
  },
  {
    ...freshIndex,
    title: 'an index cancelled while it waits for a writer, before anything is built',
    disturb: stopped(writer, { phase: 'waiting for writers before build' }),
    code: '57014',
  },
  {
    ...freshIndex,
    title: 'an index cancelled while it waits for an old snapshot',
    statement: 'CREATE INDEX CONCURRENTLY IF NOT EXISTS fresh ON "Shop".t (a)',
    disturb: stopped(oldSnapshot, { phase: 'waiting for old snapshots' }),
    code: '57014',
  },
  {
    ...freshIndex,
    title: 'an index whose server process ended',
    disturb: stopped(oldSnapshot, { phase: 'waiting for old snapshots' }, 'terminate'),
    code: '57P01',
  },
  {
    ...freshIndex,
    title: 'an index whose lock_timeout came first',
    disturb: outOfPatience(oldSnapshot),
    code: '55P03',
  },
  {
    ...freshIndex,
    title: 'an index of every trimming',
    statement:
      'CREATE UNIQUE INDEX CONCURRENTLY fresh ON t USING btree ((a), lower(b) DESC, c COLLATE "C" text_pattern_ops) INCLUDE (id) WHERE a > 1',
    disturb: stopped(writer, { phase: 'waiting for writers before build' }),
    code: '57014',
  },
  {
    ...freshIndex,
    title: 'an index on a materialized view',
    statement: 'CREATE INDEX CONCURRENTLY fresh ON tally (a)',
    disturb: stopped(oldSnapshot, { phase: 'waiting for old snapshots' }),
    code: '57014',
  },
  {
    title: 'an index on a partition',
    statement: 'CREATE INDEX CONCURRENTLY "fresh Idx" ON "event 1" (what, at)',
    disturb: stopped(oldSnapshot, { phase: 'waiting for old snapshots' }),
    code: '57014',
    words: ['"Shop"."fresh Idx" is INVALID'],
    repair: ['DROP INDEX CONCURRENTLY "Shop"."fresh Idx"'],
    afterRepair: 'run-again',
  },
  {
    title: 'an index without a name',
    setUp: ['CREATE INDEX t_a_idx ON t (a) WHERE a > 5'],
    statement: 'CREATE INDEX CONCURRENTLY ON t (a)',
    disturb: stopped(oldSnapshot, { phase: 'waiting for old snapshots' }),
    code: '57014',
    words: ['"Shop".t_a_idx1 is INVALID'],
    repair: ['DROP INDEX CONCURRENTLY "Shop"."t_a_idx1"'],
    afterRepair: 'run-again',
  },
  {
    ...dropped,
    title: 'a removal cancelled while it waits for a reader',
    disturb: stopped(reader, { condition: indexIs('"Shop"."t A"', 'NOT indisvalid') }),
    code: '57014',
    words: ['"Shop"."t A" is INVALID'],
  },
  {
    ...dropped,
    title: 'a removal whose server process ended',
    disturb: stopped(reader, { condition: indexIs('"Shop"."t A"', 'NOT indisvalid') }, 'terminate'),
    code: '57P01',
    words: ['"Shop"."t A" is INVALID'],
  },
  {
    ...dropped,
    title: 'a removal whose lock_timeout came first',
    statement: 'DROP INDEX CONCURRENTLY IF EXISTS "t A"',
    disturb: outOfPatience(reader),
    code: '55P03',
    words: ['"Shop"."t A" is INVALID'],
  },
  {
    ...dropped,
    title: 'a removal of an index that is dead already',
    disturb: stoppedLater(
      reader,
      { condition: indexIs('"Shop"."t A"', 'NOT indisvalid AND indislive') },
      { condition: indexIs('"Shop"."t A"', 'NOT indislive') },
    ),
    code: '57014',
    words: ['"Shop"."t A" is no longer in use'],
  },
  {
    title: 'a rebuilding of an index, cancelled before anything is built',
    statement: 'REINDEX INDEX CONCURRENTLY "t A"',
    disturb: stopped(writer, { phase: 'waiting for writers before build' }),
    code: '57014',
    words: ['"Shop"."t A_ccnew"'],
    repair: ['DROP INDEX CONCURRENTLY "Shop"."t A_ccnew"'],
    afterRepair: 'run-again',
  },
  {
    title: 'a rebuilding whose server process ended beside left-overs of an earlier one',
    setUp: ['CREATE INDEX "t A_ccnew" ON t (a) WHERE a > 7'],
    statement: 'REINDEX (CONCURRENTLY) INDEX "t A"',
    disturb: stopped(oldSnapshot, { phase: 'waiting for old snapshots' }, 'terminate'),
    code: '57P01',
    words: ['"Shop"."t A_ccnew1"'],
    repair: ['DROP INDEX CONCURRENTLY "Shop"."t A_ccnew1"'],
    afterRepair: 'run-again',
    cure: ['DROP INDEX "t A_ccnew"'],
  },
  {
    title: 'a rebuilding cancelled when the new index had taken over',
    statement: 'REINDEX INDEX CONCURRENTLY t_pkey',
    disturb: stopped(reader, { phase: 'waiting for readers before marking dead' }),
    code: '57014',
    words: ['"Shop".t_pkey_ccold'],
    repair: ['DROP INDEX CONCURRENTLY "Shop"."t_pkey_ccold"'],
    afterRepair: 'done',
  },
  {
    title: 'a rebuilding cancelled when the old index was dead',
    statement: 'REINDEX INDEX CONCURRENTLY "t A"',
    disturb: stoppedLater(
      reader,
      { phase: 'waiting for readers before marking dead' },
      { phase: 'waiting for readers before dropping' },
    ),
    code: '57014',
    words: ['"Shop"."t A_ccold"'],
    repair: ['DROP INDEX CONCURRENTLY "Shop"."t A_ccold"'],
    afterRepair: 'done',
  },
  {
    title: 'a rebuilding of all indexes of a table, its TOAST table included, before anything is built',
    statement: 'REINDEX TABLE CONCURRENTLY t',
    disturb: stopped(writer, { phase: 'waiting for writers before build' }),
    code: '57014',
    words: ['"Shop".t_pkey_ccnew', '"Shop"."b once_ccnew"', '"Shop"."t A_ccnew"', 'pg_toast.'],
    repair: [
      'DROP INDEX CONCURRENTLY "Shop"."b once_ccnew"',
      'DROP INDEX CONCURRENTLY "Shop"."t A_ccnew"',
      'DROP INDEX CONCURRENTLY "Shop"."t_pkey_ccnew"',
      'DROP INDEX CONCURRENTLY "pg_toast"."$1_ccnew"',
    ],
    afterRepair: 'run-again',
  },
  {
    title: 'a rebuilding of all indexes of a table when the new ones had taken over',
    statement: 'REINDEX TABLE CONCURRENTLY t',
    disturb: stopped(reader, { phase: 'waiting for readers before marking dead' }, 'terminate'),
    code: '57P01',
    words: ['"Shop".t_pkey_ccold', '"Shop"."b once_ccold"', '"Shop"."t A_ccold"', 'pg_toast.'],
    repair: [
      'DROP INDEX CONCURRENTLY "Shop"."b once_ccold"',
      'DROP INDEX CONCURRENTLY "Shop"."t A_ccold"',
      'DROP INDEX CONCURRENTLY "Shop"."t_pkey_ccold"',
      'DROP INDEX CONCURRENTLY "pg_toast"."$1_ccold"',
    ],
    afterRepair: 'done',
  },
  {
    title: 'a rebuilding of a partitioned index, interrupted at the second partition',
    statement: 'REINDEX INDEX CONCURRENTLY event_what',
    disturb: stopped(['BEGIN', 'SELECT FROM event_2'], { phase: 'waiting for readers before marking dead' }),
    code: '57014',
    words: ['"Shop".event_2_what_idx_ccold'],
    repair: ['DROP INDEX CONCURRENTLY "Shop"."event_2_what_idx_ccold"'],
    afterRepair: 'done',
  },
  {
    title: 'a rebuilding of a partitioned table, interrupted at the first partition',
    statement: 'REINDEX TABLE CONCURRENTLY event',
    disturb: stopped(['BEGIN', 'SELECT FROM "event 1"'], { phase: 'waiting for readers before marking dead' }),
    code: '57014',
    words: ['"Shop"."event 1_pkey_ccold"', '"Shop"."event 1_what_idx_ccold"', 'pg_toast.'],
    repair: [
      'DROP INDEX CONCURRENTLY "Shop"."event 1_pkey_ccold"',
      'DROP INDEX CONCURRENTLY "Shop"."event 1_what_idx_ccold"',
      'DROP INDEX CONCURRENTLY "pg_toast"."$1_ccold"',
    ],
    afterRepair: 'run-again',
  },
  {
    title: 'a rebuilding of a schema',
    statement: 'REINDEX SCHEMA CONCURRENTLY "Shop"',
    disturb: stopped(['BEGIN', 'LOCK TABLE u IN ROW EXCLUSIVE MODE'], { phase: 'waiting for writers before build' }),
    code: '57014',
    words: ['"Shop".u_pkey_ccnew', '"Shop".u_t_ccnew'],
    repair: ['DROP INDEX CONCURRENTLY "Shop"."u_pkey_ccnew"', 'DROP INDEX CONCURRENTLY "Shop"."u_t_ccnew"'],
    afterRepair: 'run-again',
  },
  {
    title: 'a rebuilding of the database',
    statement: 'REINDEX DATABASE CONCURRENTLY $database',
    disturb: stopped(['BEGIN', 'LOCK TABLE u IN ROW EXCLUSIVE MODE'], { phase: 'waiting for writers before build' }),
    code: '57014',
    words: ['"Shop".u_pkey_ccnew', '"Shop".u_t_ccnew'],
    repair: ['DROP INDEX CONCURRENTLY "Shop"."u_pkey_ccnew"', 'DROP INDEX CONCURRENTLY "Shop"."u_t_ccnew"'],
    afterRepair: 'run-again',
  },
  {
    ...detached,
    title: 'a partition whose detaching was cancelled',
    disturb: stopped(['BEGIN', 'SELECT FROM event'], { condition: detachPending }),
    code: '57014',
  },
  {
    ...detached,
    title: 'a partition whose detaching lost its server process',
    disturb: stopped(['BEGIN', 'SELECT FROM event'], { condition: detachPending }, 'terminate'),
    code: '57P01',
  },
  {
    ...detached,
    title: 'a partition that is still being read when the whole no longer is',
    disturb: stopped(['BEGIN', 'SELECT FROM "event 1"'], { condition: detachPending }),
    code: '57014',
  },
];

/** Sorted, with the numbers of TOAST tables taken out. */
function comparable(repair: readonly string[]): readonly string[] {
  return repair.map((sql) => sql.replace(/pg_toast_\d+_index/, '$1')).sort();
}

forEachMajor((server) => {
  const undisturbed = async (halfWay: HalfWay): Promise<CatalogText> => {
    const { bench, url } = await fresh(server.url, ...(halfWay.setUp ?? []), ...(halfWay.cure ?? []));
    const statement = halfWay.statement.replace('$database', new URL(url).pathname.slice(1));
    const observed = await Observed.before(bench, statement);
    await bench.run(statement);
    expect(await observed.now()).toMatchObject({ state: 'done' });
    return readCatalog(url);
  };

  describe('finds what is half done, repairs it, and ends where an undisturbed run ends', () => {
    it.each(halfWays.map((halfWay) => [halfWay.title, halfWay] as const))('%s', async (_title, halfWay) => {
      const { bench, url } = await fresh(server.url, ...(halfWay.setUp ?? []));
      const statement = halfWay.statement.replace('$database', new URL(url).pathname.slice(1));
      const observed = await Observed.before(bench, statement);
      expect(observed.recovery).toMatchObject({ kind: 'inspectable', waitsAside: true, failsCleanly: false });
      expect(await observed.now()).toMatchObject({ state: 'not-done' });

      expect(await halfWay.disturb(bench, statement)).toBe(halfWay.code);

      const found = await observed.now();
      if (found.state !== 'partly') throw new Error(`${found.state}: ${found.words}`);
      for (const words of halfWay.words) expect(found.words).toContain(words);
      expect(comparable(found.repair)).toEqual(comparable(halfWay.repair));
      expect(found.afterRepair).toBe(halfWay.afterRepair);
      expect((await observed.nowWithoutBefore()).state).toBe(halfWay.withoutBefore ?? 'unknown');

      await bench.run(...found.repair, ...(halfWay.cure ?? []));
      if (halfWay.afterRepair === 'run-again') {
        expect(await observed.now()).toMatchObject({ state: 'not-done' });
        await bench.run(statement);
      }
      expect(await observed.now()).toMatchObject({ state: 'done' });
      expect(compareCatalogs(await undisturbed(halfWay), await readCatalog(url))).toEqual({
        objects: [],
        columnOrders: [],
        rows: [],
      });
      expect(await bench.holds(noSpoiltIndex)).toBe(true);
    });
  });

  it('says that an index was not begun when the lock of its table was never got', async () => {
    const { bench } = await fresh(server.url);
    const observed = await Observed.before(bench, freshIndex.statement);
    const code = await outOfPatience(['BEGIN', 'LOCK TABLE t'])(bench, freshIndex.statement);
    expect(code).toBe('55P03');
    expect(await observed.now()).toMatchObject({ state: 'not-done' });
  });

  describe('touches nothing that is not its own', () => {
    const spoil = async (bench: Bench, name: string): Promise<void> => {
      const sql = `CREATE INDEX CONCURRENTLY ${name} ON t (a)`;
      expect(await stopped(writer, { phase: 'waiting for writers before build' })(bench, sql)).toBe('57014');
    };

    it('an INVALID index of the name that was there before the statement', async () => {
      const { bench } = await fresh(server.url);
      await spoil(bench, 'fresh');
      const observed = await Observed.before(bench, freshIndex.statement);
      expect(await failing(bench, freshIndex.statement)).toBe('42P07');
      const found = await observed.now();
      expect(found).toMatchObject({ state: 'not-done' });
      expect(found.words).toContain('was there before the statement');
    });

    it('the same with IF NOT EXISTS, which the server leaves INVALID', async () => {
      const { bench } = await fresh(server.url);
      await spoil(bench, 'fresh');
      const statement = 'CREATE INDEX CONCURRENTLY IF NOT EXISTS fresh ON t (a)';
      const observed = await Observed.before(bench, statement);
      expect(await failing(bench, statement)).toBe('00000');
      const found = await observed.now();
      expect(found).toMatchObject({ state: 'done' });
      expect(found.words).toContain('as it is: INVALID');
    });

    it('an index of the name that somebody has made on another table', async () => {
      const { bench } = await fresh(server.url);
      const observed = await Observed.before(bench, freshIndex.statement);
      await bench.run('CREATE INDEX fresh ON u (t_id)');
      const found = await observed.now();
      expect(found).toMatchObject({ state: 'not-done' });
      expect(found.words).toContain('"Shop".fresh is another object');
    });

    it('an index of the name that is not like the one wanted', async () => {
      const { bench } = await fresh(server.url);
      const observed = await Observed.before(bench, freshIndex.statement);
      for (const sql of [
        'CREATE INDEX fresh ON t (b)',
        'CREATE INDEX fresh ON t (a, b)',
        'CREATE INDEX fresh ON t (a) INCLUDE (b)',
        'CREATE INDEX fresh ON t (a) WHERE a > 5',
        'CREATE INDEX fresh ON t USING hash (a)',
        'CREATE UNIQUE INDEX fresh ON t (a)',
      ]) {
        await bench.run(sql);
        expect(await observed.now(), sql).toMatchObject({ state: 'unknown' });
        await bench.run('DROP INDEX fresh');
      }
      await bench.run('CREATE INDEX fresh ON t (a)');
      expect(await observed.now()).toMatchObject({ state: 'done' });
    });

    it('an index on a table that has been made anew', async () => {
      const { bench } = await fresh(server.url);
      const observed = await Observed.before(bench, freshIndex.statement);
      await bench.run('ALTER TABLE t RENAME TO was_t', 'CREATE TABLE t (a int)', 'CREATE INDEX fresh ON t (a)');
      expect(await observed.now()).toMatchObject({ state: 'unknown' });
      await bench.run('DROP TABLE t');
      expect(await observed.now()).toMatchObject({ state: 'not-done' });
    });

    it('one of two new indexes without a name', async () => {
      const { bench } = await fresh(server.url);
      const statement = 'CREATE INDEX CONCURRENTLY ON t (a)';
      const observed = await Observed.before(bench, statement);
      await spoil(bench, 'one');
      expect(await observed.now()).toMatchObject({ state: 'partly' });
      await bench.run('CREATE INDEX different ON t (c)');
      expect(await observed.now()).toMatchObject({ state: 'partly' });
      await bench.run('CREATE INDEX alike ON t (a)');
      const found = await observed.now();
      expect(found).toMatchObject({ state: 'unknown' });
      expect(found.words).toContain('"Shop".alike');
    });

    it('an INVALID index that somebody is still building', async () => {
      const { bench } = await fresh(server.url);
      const observed = await Observed.before(bench, freshIndex.statement);
      const blocker = await bench.hold(...writer);
      const other = await Running.start(bench, freshIndex.statement);
      await other.reaches({ phase: 'waiting for writers before build' });
      const found = await observed.now();
      expect(found).toMatchObject({ state: 'unknown' });
      expect(found.words).toContain(`process ${other.processId}`);
      await blocker.query('ROLLBACK');
      expect(await other.ended()).toBe('00000');
      expect(await observed.now()).toMatchObject({ state: 'done' });
    });

    it('the index that the name means once the first of that name has gone', async () => {
      const { bench } = await fresh(server.url);
      const observed = await Observed.before(bench, dropped.statement);
      await bench.run(dropped.statement);
      const found = await observed.now();
      expect(found).toMatchObject({ state: 'done', words: 'Index "Shop"."t A" is gone.' });
      // The name now means the one in public, which nothing may call unfinished.
      expect(await observed.nowWithoutBefore()).toMatchObject({ state: 'unknown' });
    });

    it('an index that has come between the name and the one it meant', async () => {
      const { bench } = await fresh(server.url, 'DROP INDEX "Shop"."t A"');
      const observed = await Observed.before(bench, dropped.statement);
      await bench.run('CREATE INDEX "t A" ON t (b)');
      expect(await observed.now()).toMatchObject({ state: 'unknown' });
    });

    it('an index that was INVALID before it was to be dropped', async () => {
      const { bench } = await fresh(server.url);
      await spoil(bench, 'fresh');
      const statement = 'DROP INDEX CONCURRENTLY fresh';
      const observed = await Observed.before(bench, statement);
      expect(await observed.now()).toMatchObject({ state: 'not-done' });
      await bench.run(statement);
      expect(await observed.now()).toMatchObject({ state: 'done' });
      expect(await bench.holds(noSpoiltIndex)).toBe(true);
    });

    it('what cannot be done at all', async () => {
      const { bench } = await fresh(server.url);
      for (const [statement, code, state] of [
        ['DROP INDEX CONCURRENTLY nowhere', '42704', 'not-done'],
        ['DROP INDEX CONCURRENTLY IF EXISTS nowhere', '00000', 'done'],
        ['DROP INDEX CONCURRENTLY event_what', '0A000', 'not-done'],
        ['CREATE INDEX CONCURRENTLY fresh ON event (what)', '0A000', 'not-done'],
        ['CREATE INDEX CONCURRENTLY fresh ON nowhere (what)', '42P01', 'not-done'],
        ['REINDEX INDEX CONCURRENTLY nowhere', '42P01', 'not-done'],
        ['ALTER TABLE event DETACH PARTITION t CONCURRENTLY', '42P01', 'not-done'],
      ] as const) {
        const observed = await Observed.before(bench, statement);
        expect(await failing(bench, statement), statement).toBe(code);
        expect(await observed.now(), statement).toMatchObject({ state });
      }
    });

    it('left-overs of a rebuilding that ended before the statement', async () => {
      const { bench } = await fresh(server.url);
      const statement = 'REINDEX TABLE CONCURRENTLY t';
      const before = stopped(reader, { phase: 'waiting for readers before marking dead' });
      expect(await before(bench, 'REINDEX INDEX CONCURRENTLY "t A"')).toBe('57014');
      const earlier = stopped(writer, { phase: 'waiting for writers before build' });
      expect(await earlier(bench, 'REINDEX INDEX CONCURRENTLY t_pkey')).toBe('57014');
      const observed = await Observed.before(bench, statement);
      expect(await observed.now()).toMatchObject({ state: 'not-done' });
      expect(await observed.nowWithoutBefore()).toMatchObject({ state: 'unknown' });
      const ofLeftOver = await Observed.before(bench, 'REINDEX INDEX CONCURRENTLY "t A_ccold"');
      expect(await ofLeftOver.now()).toMatchObject({ state: 'not-done' });

      expect(await stopped(oldSnapshot, { phase: 'waiting for old snapshots' })(bench, statement)).toBe('57014');
      const found = await observed.now();
      if (found.state !== 'partly') throw new Error(`${found.state}: ${found.words}`);
      expect(found.repair).toContain('DROP INDEX CONCURRENTLY "Shop"."t_pkey_ccnew1"');
      expect(found.repair).not.toContain('DROP INDEX CONCURRENTLY "Shop"."t_pkey_ccnew"');
      expect(found.repair).not.toContain('DROP INDEX CONCURRENTLY "Shop"."t A_ccold"');
    });

    it('a rebuilding that somebody else has under way', async () => {
      const { bench } = await fresh(server.url);
      const statement = 'REINDEX INDEX CONCURRENTLY "t A"';
      const observed = await Observed.before(bench, statement);
      const blocker = await bench.hold(...writer);
      const other = await Running.start(bench, statement);
      await other.reaches({ phase: 'waiting for writers before build' });
      expect(await observed.now()).toMatchObject({ state: 'unknown' });
      await blocker.query('ROLLBACK');
      expect(await other.ended()).toBe('00000');
    });

    it('a partition that was half detached before the statement', async () => {
      const { bench } = await fresh(server.url);
      const disturb = stopped(['BEGIN', 'SELECT FROM event'], { condition: detachPending });
      expect(await disturb(bench, detached.statement)).toBe('57014');
      const observed = await Observed.before(bench, detached.statement);
      expect(await failing(bench, detached.statement)).toBe('55000');
      expect(await observed.now()).toMatchObject({ state: 'not-done' });
    });

    it('a table that was no partition before, and one that is gone', async () => {
      const { bench } = await fresh(server.url);
      const apart = await Observed.before(bench, 'ALTER TABLE event DETACH PARTITION u CONCURRENTLY');
      expect(await apart.now()).toMatchObject({ state: 'not-done' });
      expect(await apart.nowWithoutBefore()).toMatchObject({ state: 'unknown' });
      const gone = await Observed.before(bench, detached.statement);
      await bench.run('DROP TABLE "event 1"');
      expect(await gone.now()).toMatchObject({ state: 'unknown' });
    });
  });

  it('without an answer from before, says only what is certain', async () => {
    const { bench } = await fresh(server.url);
    const judge = async (statement: string): Promise<string> => {
      const observed = await Observed.before(bench, statement);
      return (await observed.nowWithoutBefore()).state;
    };
    expect(await judge('CREATE INDEX CONCURRENTLY fresh ON t (a)')).toBe('not-done');
    expect(await judge('CREATE INDEX CONCURRENTLY "t A" ON t (a)')).toBe('unknown');
    expect(await judge('CREATE INDEX CONCURRENTLY IF NOT EXISTS "t A" ON t (a)')).toBe('done');
    expect(await judge('CREATE INDEX CONCURRENTLY IF NOT EXISTS "t A" ON t (b)')).toBe('unknown');
    expect(await judge('CREATE INDEX CONCURRENTLY ON t (a)')).toBe('unknown');
    expect(await judge('CREATE INDEX CONCURRENTLY ON t (c)')).toBe('not-done');
    expect(await judge('DROP INDEX CONCURRENTLY "t A"')).toBe('unknown');
    expect(await judge('DROP INDEX CONCURRENTLY "Shop"."t A"')).toBe('not-done');
    expect(await judge('DROP INDEX CONCURRENTLY nowhere')).toBe('unknown');
    expect(await judge('DROP INDEX CONCURRENTLY IF EXISTS nowhere')).toBe('done');
    expect(await judge('REINDEX TABLE CONCURRENTLY t')).toBe('not-done');
    expect(await judge('ALTER TABLE event DETACH PARTITION "event 1" CONCURRENTLY')).toBe('not-done');
  });
});
