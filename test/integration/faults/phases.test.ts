import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createDatabase, newestServer, runOn, type TestDatabase } from '../../harness/postgres.js';
import {
  carryOn,
  createProject,
  recordEntries,
  snapshot,
  storedVersions,
  takeBack,
  type TestProject,
  type VersionFiles,
} from '../../harness/project.js';
import { startProxy } from '../../harness/proxy.js';

/*
 * The connection breaks in each phase of a rollback without a transaction, once on the way to the server and once on the
 * way back. What must come of each is known: the code, what is done, and that the rest is done once.
 */

const up = `CREATE TABLE log (what text); CREATE TABLE t (id int); CREATE INDEX t_id ON t (id);
CREATE PROCEDURE note(what text) LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (what); COMMIT; END $$`;
const version: VersionFiles = {
  version: '2',
  up,
  down: `INSERT INTO log VALUES ('in a transaction');
DROP INDEX CONCURRENTLY t_id;
INSERT INTO log VALUES ('at the end');
-- flyback: verify logged
SELECT count(*) FROM log;
-- expect: 2
`,
};
/** Fails at once: the beginning is withdrawn. */
const failing: VersionFiles = { ...version, down: `INSERT INTO nowhere VALUES (1);\n${version.down ?? ''}` };

interface Phase {
  readonly name: string;
  /** The message of the client around which it breaks: the first that holds these texts, each in a message of its own, in order. */
  readonly at: readonly string[];
  readonly script?: VersionFiles;
  /** Outcome when the message is lost, and when its answer is. */
  readonly lost: Outcome;
  readonly unanswered: Outcome;
}
/** The code of the failure, undefined for success; and how many rows are in the log then. */
type Outcome = readonly [string | undefined, number];

const commit = 'COMMIT\0';
const phases: readonly Phase[] = [
  {
    name: 'the lock is asked for',
    at: ['pg_try_advisory_lock'],
    lost: ['connection-lost', 0],
    unanswered: ['connection-lost', 0],
  },
  {
    name: 'the beginning is prepared',
    at: ['LOCK TABLE'],
    lost: ['connection-lost', 0],
    unanswered: ['connection-lost', 0],
  },
  {
    name: 'the beginning is written',
    at: ['"event":"begun"'],
    lost: ['connection-lost', 0],
    unanswered: ['connection-lost', 0],
  },
  {
    name: 'the beginning is committed',
    at: ['"event":"begun"', commit],
    lost: ['connection-lost', 0],
    unanswered: ['run-interrupted', 0],
  },
  {
    name: 'the first statement is announced',
    at: ['"event":"started"'],
    lost: ['run-interrupted', 0],
    unanswered: ['run-interrupted', 0],
  },
  {
    name: 'a statement runs in its transaction',
    at: [`INSERT INTO log VALUES ('in a`],
    lost: ['run-interrupted', 0],
    unanswered: ['run-interrupted', 0],
  },
  {
    name: 'a statement and its end are committed',
    at: ['"event":"finished"'],
    lost: ['run-interrupted', 0],
    unanswered: ['run-interrupted', 1],
  },
  {
    name: 'the second statement is announced',
    at: ['"event":"started"', '"event":"started"'],
    lost: ['run-interrupted', 1],
    unanswered: ['run-interrupted', 1],
  },
  {
    name: 'a statement runs alone',
    at: ['DROP INDEX CONCURRENTLY'],
    lost: ['run-interrupted', 1],
    unanswered: ['run-interrupted', 1],
  },
  {
    name: 'the end of a statement that ran alone is written',
    at: ['"event":"finished"', '"event":"finished"'],
    lost: ['run-interrupted', 1],
    unanswered: ['run-interrupted', 1],
  },
  {
    name: 'the end is prepared',
    at: ['"statement":2', '"statement":2', 'LOCK TABLE'],
    lost: ['run-interrupted', 2],
    unanswered: ['run-interrupted', 2],
  },
  {
    name: 'it is verified',
    at: ['SELECT count(*) FROM log'],
    lost: ['run-interrupted', 2],
    unanswered: ['run-interrupted', 2],
  },
  {
    name: 'the journal is cleared',
    at: ['DELETE FROM "public"."flyback_record_journal"'],
    lost: ['run-interrupted', 2],
    unanswered: ['run-interrupted', 2],
  },
  {
    name: 'the end is committed',
    at: ['DELETE FROM "public"."flyback_record_journal"', commit],
    lost: ['run-interrupted', 2],
    unanswered: [undefined, 2],
  },
  {
    name: 'a failure is written',
    script: failing,
    at: ['"event":"failed"'],
    lost: ['run-interrupted', 0],
    unanswered: ['run-interrupted', 0],
  },
  {
    name: 'the beginning is being withdrawn',
    script: failing,
    at: ['"event":"failed"', 'DELETE FROM "public"."flyback_record_journal"'],
    lost: ['run-interrupted', 0],
    unanswered: ['run-interrupted', 0],
  },
  {
    name: 'the withdrawal is committed',
    script: failing,
    at: ['"event":"failed"', commit],
    lost: ['run-interrupted', 0],
    unanswered: ['script-failed', 0],
  },
];

describe('a rollback without a transaction whose connection breaks', () => {
  const server = newestServer();
  let database: TestDatabase;
  let project: TestProject;

  beforeAll(async () => {
    database = await createDatabase(server.url);
    project = await createProject({ database });
  });
  afterAll(async () => {
    await project.remove();
    await database.drop();
  });
  beforeEach(async () => {
    await runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
    await project.apply([{ version: '1', up: 'SELECT 1' }, version]);
  });

  async function logged(): Promise<readonly string[]> {
    const rows = await runOn(database.url, 'SELECT what FROM log');
    return rows.map((row) => String(row['what']));
  }

  /** Everything as far as it is known, to the end. */
  async function bringToEnd(): Promise<void> {
    await project.write(version);
    const resumed = await carryOn(project, { changedScript: true });
    expect(resumed.failure).toBeUndefined();
    if ((await storedVersions(database)).includes('2')) expect((await takeBack(project)).failure).toBeUndefined();
    expect(await storedVersions(database)).toEqual(['1']);
    expect(await logged()).toEqual(['in a transaction', 'at the end']);
    expect(await runOn(database.url, 'SELECT FROM flyback_record_journal')).toEqual([]);
    expect(await runOn(database.url, `SELECT FROM pg_class WHERE relname = 't_id'`)).toEqual([]);
    const record = await recordEntries(database);
    expect(record.filter(({ outcome }) => outcome === 'committed')).toHaveLength(1);
    expect(await project.run(['log', '--verify'])).toMatchObject({ code: 0 });
  }

  describe.each(phases)('while $name', ({ at, script, lost, unanswered }) => {
    test.each([
      ['message', lost],
      ['answer', unanswered],
    ] as const)('the %s is lost', async (what, [code, rows]) => {
      if (script !== undefined) await project.write(script);
      const before = await snapshot(database);
      const left = [...at];
      let asked: number | undefined;
      let cuts = 0;
      const proxy = await startProxy({
        serverUrl: server.url,
        onMessage: ({ from, connection, bytes }) => {
          if (cuts > 0) return 'pass';
          if (from === 'client' && left.length > 0 && bytes.includes(left[0] ?? '')) {
            left.shift();
            if (left.length === 0) asked = connection;
          }
          if (asked !== connection || from !== (what === 'message' ? 'client' : 'server')) return 'pass';
          cuts += 1;
          return 'cut-before';
        },
      });
      try {
        const flags = { url: `jdbc:postgresql://127.0.0.1:${String(proxy.port)}/${database.name}` };
        const { failure, result } = await takeBack(project, { flags });
        expect(cuts).toBe(1);
        expect(failure?.code).toBe(code);
        expect((await logged()).length).toBe(rows);
        const isOpen = code === 'run-interrupted';
        expect(await runOn(database.url, 'SELECT FROM flyway_schema_history WHERE NOT success')).toHaveLength(
          isOpen ? 1 : 0,
        );
        if (code === 'connection-lost' || code === 'script-failed') expect(await snapshot(database)).toBe(before);
        if (code === undefined || code === 'script-failed') {
          expect(result?.warnings.join()).toContain('the server confirms that it was committed');
        }
        expect((await recordEntries(database)).at(-1)?.['outcome']).toBe(
          code === undefined ? 'committed' : isOpen ? 'interrupted' : 'failed',
        );
      } finally {
        await proxy.stop();
      }
      await bringToEnd();
    });
  });

  describe('the server ends the session', () => {
    const end = 'pg_terminate_backend(pg_backend_pid())';
    test.each([
      ['within a statement in its transaction', `DROP INDEX CONCURRENTLY t_id;\nSELECT ${end};`],
      ['within a statement that runs alone', 'DROP INDEX CONCURRENTLY t_id;\nCALL gone();'],
      [
        'within a verification',
        `DROP INDEX CONCURRENTLY t_id;\n-- flyback: verify it\nSELECT ${end};\n-- expect: true`,
      ],
    ])('%s: interrupted, told as a lost connection, and carried on', async (_name, down) => {
      await runOn(database.url, `CREATE PROCEDURE gone() LANGUAGE plpgsql AS $$ BEGIN COMMIT; PERFORM ${end}; END $$`);
      await project.write({ ...version, down: `-- flyback: transaction off\n${down}` });
      const { failure } = await takeBack(project);
      expect(failure).toMatchObject({ code: 'run-interrupted', exitCode: 4, serverCode: '57P01' });
      expect(failure?.message).toContain('connection to the server was lost');
      const mended = down.replace(/ pg_terminate_backend\(.*\)/, ' true').replace('CALL gone()', 'CALL note(NULL)');
      await project.write({ ...version, down: `-- flyback: transaction off\n${mended}` });
      const done = await carryOn(project, {
        changedScript: true,
        ...(down.includes('CALL') ? { assume: 'not-done' } : {}),
      });
      expect(done.failure).toBeUndefined();
      expect(done.plan?.statements[0]?.state).toBe('finished');
      expect(await storedVersions(database)).toEqual(['1']);
    });
  });
});
