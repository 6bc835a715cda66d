import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDatabase, forEachMajor, runOn, type TestDatabase } from '../harness/postgres.js';
import {
  createProject,
  snapshot,
  storedVersions,
  takeBack,
  type TakeBackOptions,
  type TakenBack,
  type TestProject,
} from '../harness/project.js';

/*
 * The checks that must say no, each beside a twin where they say yes. Every case works in a schema of its own name in
 * one database: `up` is applied by hand, the history says version 1, and version 1 is taken back.
 */

/** A database and a project of its own, used by one case after the other. */
function useProject(serverUrl: string): () => { readonly database: TestDatabase; readonly project: TestProject } {
  let database: TestDatabase;
  let project: TestProject;
  beforeAll(async () => {
    database = await createDatabase(serverUrl);
    project = await createProject({ database, flyback: '[run]\nlockTimeout = "1s"\nlockRetries = 0\n' });
  });
  afterAll(async () => {
    await project.remove();
    await database.drop();
  });
  return () => ({ database, project });
}

/** Applies version 1 in an empty schema public and takes it back. */
async function attempt(
  { database, project }: { readonly database: TestDatabase; readonly project: TestProject },
  up: string,
  down: string,
  options: TakeBackOptions = {},
): Promise<TakenBack & { readonly changed: boolean }> {
  await runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  await project.apply([{ version: '1', up, down }]);
  const before = await snapshot(database);
  const outcome = await takeBack(project, options);
  return { ...outcome, changed: (await snapshot(database)) !== before };
}

interface KeyCase {
  readonly name: string;
  readonly up: string;
  /** Leaves a row without its partner. */
  readonly violating: string;
  /** The same work done properly. */
  readonly clean: string;
  /** The constraint that the message must name. */
  readonly constraint: string;
}

const simple = `CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int CONSTRAINT c_p REFERENCES p);
INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (1, 1), (2, 2), (3, NULL)`;

const keyCases: readonly KeyCase[] = [
  {
    name: 'a referenced row that is deleted',
    up: simple,
    violating: 'DELETE FROM p WHERE id = 2;',
    clean: 'DELETE FROM c WHERE p = 2; DELETE FROM p WHERE id = 2;',
    constraint: 'c_p',
  },
  {
    name: 'a referencing row that is inserted',
    up: simple,
    violating: 'INSERT INTO c VALUES (4, 99);',
    clean: 'INSERT INTO p VALUES (99); INSERT INTO c VALUES (4, 99);',
    constraint: 'c_p',
  },
  {
    name: 'a key that is updated on one side only',
    up: simple,
    violating: 'UPDATE p SET id = 20 WHERE id = 2;',
    clean: 'UPDATE p SET id = 20 WHERE id = 2; UPDATE c SET p = 20 WHERE p = 2;',
    constraint: 'c_p',
  },
  {
    name: 'rows that COPY brings',
    up: simple,
    violating: 'COPY c (id, p) FROM STDIN;\n7\t77\n\\.\n',
    clean: 'COPY c (id, p) FROM STDIN;\n7\t2\n\\.\n',
    constraint: 'c_p',
  },
  {
    name: 'a composite key',
    up: `CREATE TABLE p (a int, b text, PRIMARY KEY (a, b)); CREATE TABLE c (x int, y text, CONSTRAINT c_xy FOREIGN KEY (x, y) REFERENCES p);
INSERT INTO p VALUES (1, 'a'), (1, 'b'); INSERT INTO c VALUES (1, 'a'), (1, NULL)`,
    violating: `DELETE FROM p WHERE b = 'a';`,
    clean: `DELETE FROM p WHERE b = 'b'; INSERT INTO c VALUES (NULL, 'z');`,
    constraint: 'c_xy',
  },
  {
    name: 'a composite key that is half null under MATCH FULL',
    up: `CREATE TABLE p (a int, b int, PRIMARY KEY (a, b)); CREATE TABLE c (x int, y int, CONSTRAINT c_xy FOREIGN KEY (x, y) REFERENCES p MATCH FULL);
INSERT INTO p VALUES (1, 1)`,
    violating: 'INSERT INTO c VALUES (1, NULL);',
    clean: 'INSERT INTO c VALUES (NULL, NULL), (1, 1);',
    constraint: 'c_xy',
  },
  {
    name: 'a partitioned referencing table, written through its partition',
    up: `CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int, p int CONSTRAINT c_p REFERENCES p) PARTITION BY RANGE (id);
CREATE TABLE c1 PARTITION OF c FOR VALUES FROM (0) TO (10); CREATE TABLE c2 PARTITION OF c FOR VALUES FROM (10) TO (20); INSERT INTO p VALUES (1)`,
    violating: 'INSERT INTO c2 VALUES (11, 5);',
    clean: 'INSERT INTO c2 VALUES (11, 1);',
    constraint: 'c_p',
  },
  {
    name: 'a partitioned referenced table, written through its partition',
    up: `CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20); CREATE TABLE c (p int CONSTRAINT c_p REFERENCES p);
INSERT INTO p VALUES (1), (11); INSERT INTO c VALUES (11)`,
    violating: 'DELETE FROM p2;',
    clean: 'DELETE FROM p1;',
    constraint: 'c_p',
  },
  {
    name: 'a deferrable key',
    up: `CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (p int CONSTRAINT c_p REFERENCES p DEFERRABLE INITIALLY DEFERRED); INSERT INTO p VALUES (1); INSERT INTO c VALUES (1)`,
    violating: 'DELETE FROM p;',
    clean: 'DELETE FROM c; DELETE FROM p;',
    constraint: 'c_p',
  },
  {
    name: 'a table that refers to itself',
    up: `CREATE TABLE t (id int PRIMARY KEY, parent int CONSTRAINT t_parent REFERENCES t); INSERT INTO t VALUES (1, NULL), (2, 1)`,
    violating: 'DELETE FROM t WHERE id = 1;',
    clean: 'DELETE FROM t WHERE id = 2;',
    constraint: 't_parent',
  },
  {
    name: 'rows written by a function that the script calls',
    up: `${simple}; CREATE FUNCTION prune(which int) RETURNS void LANGUAGE sql AS 'DELETE FROM p WHERE id = which'; INSERT INTO p VALUES (3)`,
    violating: 'SELECT prune(2);',
    clean: 'SELECT prune(3);',
    constraint: 'c_p',
  },
  {
    name: 'rows written while the statistics collector does not count',
    up: simple,
    violating: 'SET LOCAL track_counts = off; DELETE FROM p WHERE id = 2;',
    clean: 'SET LOCAL track_counts = off; DELETE FROM c WHERE id = 2;',
    constraint: 'c_p',
  },
  {
    name: 'names that need quotes, in another schema',
    up: `CREATE SCHEMA IF NOT EXISTS "Od d"; DROP TABLE IF EXISTS "Od d"."C""c", "Od d"."P p"; CREATE TABLE "Od d"."P p" ("I d" int PRIMARY KEY);
CREATE TABLE "Od d"."C""c" ("Ref%s" int CONSTRAINT "k'ey" REFERENCES "Od d"."P p"); INSERT INTO "Od d"."P p" VALUES (1), (2); INSERT INTO "Od d"."C""c" VALUES (1)`,
    violating: 'DELETE FROM "Od d"."P p" WHERE "I d" = 1;',
    clean: 'DELETE FROM "Od d"."P p" WHERE "I d" = 2;',
    constraint: "k'ey",
  },
  {
    name: 'a deferrable unique key, whose index takes equal rows',
    up: `CREATE TABLE t (a int, b text, CONSTRAINT t_key UNIQUE (a, b) DEFERRABLE); INSERT INTO t VALUES (1, 'x'), (1, NULL)`,
    violating: `INSERT INTO t VALUES (1, 'x');`,
    clean: `INSERT INTO t VALUES (1, 'y'), (1, NULL), (NULL, 'x'), (NULL, 'x');`,
    constraint: 't_key',
  },
  {
    name: 'a deferrable primary key of a partitioned table',
    up: `CREATE TABLE t (a int, CONSTRAINT t_key PRIMARY KEY (a) DEFERRABLE INITIALLY DEFERRED) PARTITION BY RANGE (a);
CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10); INSERT INTO t VALUES (1)`,
    violating: 'INSERT INTO t1 VALUES (1);',
    clean: 'INSERT INTO t1 VALUES (2);',
    constraint: 't_key',
  },
  {
    name: 'a deferrable exclusion constraint',
    up: `CREATE TABLE t (during int4range, CONSTRAINT t_key EXCLUDE USING gist (during WITH &&) DEFERRABLE); INSERT INTO t VALUES ('[1,5)')`,
    violating: `INSERT INTO t VALUES ('[4,9)');`,
    clean: `INSERT INTO t VALUES ('[5,9)');`,
    constraint: 't_key',
  },
  {
    name: 'a key whose operator is not the plain one',
    up: `CREATE TABLE p (id bigint PRIMARY KEY); CREATE TABLE c (p smallint CONSTRAINT c_p REFERENCES p); INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (1)`,
    violating: 'DELETE FROM p WHERE id = 1;',
    clean: 'DELETE FROM p WHERE id = 2;',
    constraint: 'c_p',
  },
];

forEachMajor((server) => {
  describe('foreign keys that replica mode let through', () => {
    const use = useProject(server.url);
    for (const { name, up, violating, clean, constraint } of keyCases) {
      test(`${name}: caught, and the clean twin passes`, async () => {
        const caught = await attempt(use(), up, violating);
        expect(caught.failure).toMatchObject({ code: 'integrity-violated', exitCode: 3 });
        expect(caught.failure?.message).toContain(`constraint ${constraint}`);
        expect(caught.changed).toBe(false);
        const passed = await attempt(use(), up, clean);
        expect(passed.failure).toBeUndefined();
        expect(await storedVersions(use().database)).toEqual([]);
      });
    }

    test('a key that cannot be checked is told as a warning', async () => {
      const notValid = `CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (p int); ALTER TABLE c ADD CONSTRAINT c_p FOREIGN KEY (p) REFERENCES p NOT VALID`;
      const { result } = await attempt(use(), notValid, 'INSERT INTO c VALUES (5);');
      expect(result).toMatchObject({ outcome: 'committed' });
      expect(result?.warnings).toEqual(['foreign key c_p of c was not checked: it is NOT VALID']);
    });

    test('the same rows are refused by the server itself when triggers are kept', async () => {
      const kept = await attempt(use(), simple, 'DELETE FROM p WHERE id = 2;', { triggers: 'keep' });
      expect(kept.failure).toMatchObject({ code: 'script-failed', serverCode: '23503' });
      expect(kept.changed).toBe(false);
    });

    test('a script that switches the keys off by itself is checked in every mode', async () => {
      const down = 'ALTER TABLE p DISABLE TRIGGER ALL; DELETE FROM p WHERE id = 2; ALTER TABLE p ENABLE TRIGGER ALL;';
      for (const triggers of ['keep', 'disable', 'replica'] as const) {
        const caught = await attempt(use(), simple, down, { triggers });
        expect(caught.failure, triggers).toMatchObject({ code: 'integrity-violated' });
        expect(caught.changed).toBe(false);
      }
      const hidden = `DO $$ BEGIN EXECUTE 'SET LOCAL session_' || 'replication_role = replica'; DELETE FROM p WHERE id = 2; END $$;`;
      const caught = await attempt(use(), simple, hidden, { triggers: 'keep' });
      expect(caught.failure).toMatchObject({ code: 'integrity-violated' });
    });
  });

  describe('a sequence that a script sets, which no transaction takes back', () => {
    const use = useProject(server.url);
    const up = `CREATE SEQUENCE numbers; SELECT setval('numbers', 50)`;
    const last = async (): Promise<unknown> =>
      (await runOn(use().database.url, 'SELECT last_value::int AS n FROM numbers'))[0]?.['n'];

    test.each([
      ['in the open', `SELECT pg_catalog.setval('numbers', 7);`, 1],
      ['in an expression', `DO $$ BEGIN END $$;\nSELECT 1 WHERE\n setval ('numbers', 7) > 0;`, 2],
      ['in a DO block', `DO $$ BEGIN PERFORM setval('numbers', 7); END $$;`, 1],
      ['in a query that fills a table', `CREATE TABLE t AS SELECT setval('numbers', 7);`, 1],
      ['in a verification query', `CREATE TABLE t (id int);\n\nSELECT setval('numbers', 7);\n-- expect: 7\n`, 3],
    ])('is not touched by a dry run, which is refused: %s', async (_title, down, line) => {
      const { failure, plan } = await attempt(use(), up, down, { mode: 'dry-run' });
      expect(plan).toBeUndefined();
      expect(failure).toMatchObject({
        code: 'plan-refused',
        message: expect.stringContaining(`line ${String(line)}: setval`) as unknown,
        hint: expect.stringContaining('ALTER SEQUENCE') as unknown,
      });
      expect(await last()).toBe(50);
    });

    test('is warned of; what the hint says instead can be rehearsed', async () => {
      const hazards = (outcome: TakenBack): readonly unknown[] =>
        outcome.plan?.hazards.filter(({ code }) => code === 'sequence-stays').map(({ subject }) => subject) ?? [];
      const moved = await attempt(use(), up, `SELECT setval('numbers', 7);`);
      expect(moved.result).toMatchObject({ outcome: 'committed' });
      expect(hazards(moved)).toEqual(['1, line 1']);
      const rehearsed = await attempt(use(), up, 'ALTER SEQUENCE numbers RESTART WITH 7;', { mode: 'dry-run' });
      expect(rehearsed.result).toMatchObject({ outcome: 'dry-run' });
      expect(hazards(rehearsed)).toEqual([]);
      expect(await last()).toBe(50);
    });

    test('is none of that where a function that sets it is only made', async () => {
      const body = `CREATE FUNCTION later() RETURNS bigint LANGUAGE sql AS $$ SELECT setval('numbers', 7) $$;`;
      expect((await attempt(use(), up, body, { mode: 'dry-run' })).result).toMatchObject({ outcome: 'dry-run' });
      expect(await last()).toBe(50);
    });
  });

  describe('triggers', () => {
    const use = useProject(server.url);
    const up = `CREATE TABLE t (id int); CREATE TABLE seen (what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES (TG_NAME); RETURN NULL; END $$;
CREATE TRIGGER plain AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER always AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER replica AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER off AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE t ENABLE ALWAYS TRIGGER always, ENABLE REPLICA TRIGGER replica, DISABLE TRIGGER off`;
    const states = `SELECT string_agg(tgname || tgenabled::text, ' ' ORDER BY tgname) AS states, (SELECT coalesce(string_agg(what, ' ' ORDER BY what), '') FROM seen) AS seen FROM pg_trigger WHERE NOT tgisinternal AND tgrelid = 't'::regclass`;

    // PostgreSQL manual, ALTER TABLE … ENABLE TRIGGER: ALWAYS fires in both roles, REPLICA in the replica role only.
    test.each([
      ['replica', 'always replica'],
      ['disable', ''],
      ['keep', 'always plain'],
    ] as const)('in %s mode exactly "%s" fire, and all states are as before', async (triggers, seen) => {
      const { failure } = await attempt(use(), up, 'INSERT INTO t VALUES (1);', { triggers });
      expect(failure).toBeUndefined();
      const [row] = await runOn(use().database.url, states);
      expect(row).toEqual({ states: 'alwaysA offD plainO replicaR', seen });
    });

    // PostgreSQL manual, ALTER EVENT TRIGGER: an enabled one fires in the ordinary role, not in the replica role.
    test('an event trigger does not fire in replica mode, though the script writes no row; kept, it does', async () => {
      const withEvents = `CREATE TABLE t (id int);
CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no drops here'; END $$;
CREATE EVENT TRIGGER no_drops ON sql_drop EXECUTE FUNCTION refuse()`;
      const removeTrigger = (): Promise<unknown> => runOn(use().database.url, 'DROP EVENT TRIGGER IF EXISTS no_drops');
      try {
        const replica = await attempt(use(), withEvents, 'DROP TABLE t;');
        expect(replica.failure).toBeUndefined();
        await removeTrigger();
        const kept = await attempt(use(), withEvents, 'DROP TABLE t;', { triggers: 'keep' });
        expect(kept.failure?.message).toContain('no drops here');
        expect(kept.changed).toBe(false);
      } finally {
        await removeTrigger();
      }
    });

    test('triggers of partitions, each in its own state, are switched off and come back', async () => {
      const partitioned = `CREATE TABLE t (id int) PARTITION BY RANGE (id); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10);
CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10) TO (20); CREATE TABLE seen (what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES (TG_NAME); RETURN NULL; END $$;
CREATE TRIGGER everywhere AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER own AFTER INSERT ON t2 FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE t1 DISABLE TRIGGER everywhere; ALTER TABLE t2 ENABLE ALWAYS TRIGGER own`;
      const { failure } = await attempt(use(), partitioned, 'INSERT INTO t VALUES (1), (11);', { triggers: 'disable' });
      expect(failure).toBeUndefined();
      const rows = await runOn(
        use().database.url,
        `SELECT tgrelid::regclass || '.' || tgname || ' ' || tgenabled::text AS state, (SELECT string_agg(what, ' ') FROM seen) AS fired FROM pg_trigger WHERE tgname IN ('everywhere', 'own') ORDER BY 1`,
      );
      expect(rows).toEqual(
        ['t.everywhere O', 't1.everywhere D', 't2.everywhere O', 't2.own A'].map((state) => ({ state, fired: null })),
      );
    });

    test.each(['per-version', 'single'] as const)('several versions in disable mode (%s)', async (transaction) => {
      const { database, project } = use();
      await runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
      await project.apply([
        { version: '1', up, down: 'INSERT INTO t VALUES (1);' },
        { version: '2', up: 'SELECT 2', down: 'INSERT INTO t VALUES (2);' },
        { version: '3', up: 'SELECT 3', down: 'INSERT INTO t VALUES (3);' },
      ]);
      const outcome = await takeBack(project, { target: { kind: 'all' }, triggers: 'disable', transaction });
      expect(outcome.failure).toBeUndefined();
      expect(outcome.result?.steps.map((step) => step.outcome)).toEqual(['committed', 'committed', 'committed']);
      const [row] = await runOn(database.url, states);
      expect(row).toEqual({ states: 'alwaysA offD plainO replicaR', seen: '' });
    });

    test('a script that drops the table whose triggers were disabled goes through', async () => {
      const { failure } = await attempt(use(), up, 'DELETE FROM t; DROP TABLE t;', { triggers: 'disable' });
      expect(failure).toBeUndefined();
    });

    test('a script that drops one of the triggers, or renames the table, goes through', async () => {
      const first = await attempt(use(), up, 'DELETE FROM t; DROP TRIGGER plain ON t;', { triggers: 'disable' });
      expect(first.failure).toBeUndefined();
      const second = await attempt(use(), up, 'INSERT INTO t VALUES (1); ALTER TABLE t RENAME TO u;', {
        triggers: 'disable',
      });
      expect(second.failure).toBeUndefined();
      const [row] = await runOn(use().database.url, states.replace(`'t'`, `'u'`));
      expect(row).toEqual({ states: 'alwaysA offD plainO replicaR', seen: '' });
    });
  });
});
