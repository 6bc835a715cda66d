import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ServerIdentity, Session } from '../../../src/adapter/database.js';
import { connect, loadProjectConfig, withProject } from '../../../src/compose/open-project.js';
import { FlybackError } from '../../../src/errors/error.js';
import { abandon } from '../../../src/run/resume.js';
import { takeOverData } from '../../harness/copy-server.js';
import { startCrashable, type CrashableServer } from '../../harness/crashable-server.js';
import { createDatabase, forEachMajor, newestServer, runOn, type TestDatabase } from '../../harness/postgres.js';
import {
  carryOn,
  createProject,
  historyTable,
  recordEntries,
  snapshot,
  storedVersions,
  takeBack,
  type TestProject,
  type VersionFiles,
} from '../../harness/project.js';
import { startProxy, type Proxy } from '../../harness/proxy.js';

/* Another server answers under the same address than the one that a run began on. */

const first: VersionFiles = { version: '1', up: 'CREATE TABLE kept (id int)', down: 'DROP TABLE kept;' };
const inTransaction: VersionFiles = { version: '2', up: 'CREATE TABLE gone (id int)', down: 'DROP TABLE gone;' };
const oneByOne: VersionFiles = {
  version: '2',
  up: 'CREATE TABLE gone (id int); CREATE INDEX gone_id ON gone (id)',
  down: 'DROP INDEX CONCURRENTLY gone_id;\nDROP TABLE gone;',
};

const commit = 'COMMIT\0';

/** As a server tells that it gives up (PostgreSQL manual, "Message Formats", ErrorResponse). */
const panic = ((fields) => {
  const length = Buffer.alloc(4);
  length.writeInt32BE(fields.length + 4);
  return Buffer.concat([Buffer.from('E'), length, fields]);
})(Buffer.from('SPANIC\0VPANIC\0C53100\0Mcould not write to file "pg_wal/xlogtemp.1": No space left on device\0\0'));

describe('failover', () => {
  const { major } = newestServer();
  let original: CrashableServer;
  let standIn: CrashableServer;
  /** Of another cluster, and never a copy. */
  let unrelated: CrashableServer;
  let database: TestDatabase;
  let project: TestProject;
  let proxy: Proxy | undefined;

  beforeAll(async () => {
    [original, standIn, unrelated] = await Promise.all([
      startCrashable(major),
      startCrashable(major),
      startCrashable(major === 18 ? 17 : 18),
    ]);
  });
  afterAll(async () => {
    await Promise.all([original, standIn, unrelated].map((server) => server.stop()));
  });
  beforeEach(async () => {
    database = await createDatabase(original.url);
    project = await createProject({ database });
  });
  afterEach(async () => {
    await proxy?.stop();
    proxy = undefined;
    await project.remove();
    await database.drop();
  });

  /** The same database, as it stands under this name on another server. */
  const on = (server: CrashableServer): TestDatabase => ({
    ...database,
    url: database.url.replace(new URL(original.url).host, new URL(server.url).host),
    jdbcUrl: database.jdbcUrl.replace(new URL(original.url).host, new URL(server.url).host),
  });

  /** The same migrations, applied on the unrelated cluster. */
  async function applyOnUnrelated(versions: readonly VersionFiles[]): Promise<TestDatabase> {
    const twin = await createDatabase(unrelated.url, database.name);
    const other = await createProject({ database: twin });
    await other.apply(versions);
    await other.remove();
    return twin;
  }

  interface Change {
    /** A message of the client that holds this text is where it happens. */
    readonly at: string;
    /** The connection is cut before this message arrives, or before its answer does. */
    readonly cut: 'request' | 'answer';
    /** Resolves to the server that answers from then on. */
    readonly successor: () => Promise<CrashableServer>;
  }

  /** The URL of an address at which one server stands in for the other from some message on. */
  async function changing({ at, cut, successor }: Change): Promise<Readonly<Record<string, string>>> {
    let asked: number | undefined;
    let next: Promise<CrashableServer> | undefined;
    proxy = await startProxy({
      serverUrl: async () => (next === undefined ? original : await next).url,
      onMessage: ({ from, connection, bytes }) => {
        if (next !== undefined) return 'pass';
        if (from === 'client' && bytes.includes(at)) asked ??= connection;
        if (asked !== connection || from !== (cut === 'request' ? 'client' : 'server')) return 'pass';
        next = successor();
        return 'cut-before';
      },
    });
    return { url: `jdbc:postgresql://127.0.0.1:${String(proxy.port)}/${database.name}` };
  }

  const olderCopy = async (): Promise<() => Promise<CrashableServer>> => {
    await takeOverData(original, standIn, 'copy');
    // What the copy lacks.
    await runOn(database.url, 'CREATE TABLE filler AS SELECT generate_series(1, 20000); DROP TABLE filler');
    return () => Promise.resolve(standIn);
  };
  const promotedBefore = async (): Promise<() => Promise<CrashableServer>> => {
    await takeOverData(original, standIn, 'promoted');
    return () => Promise.resolve(standIn);
  };

  describe('while a version is being committed', () => {
    beforeEach(() => project.apply([first, inTransaction]));

    test.each([
      ['an older copy', 'request', olderCopy, /older copy/],
      ['an older copy', 'answer', olderCopy, /older copy/],
      ['a standby that lacks it', 'request', promotedBefore, /promoted.*timeline 2 instead of 1/],
      ['a standby that lacks it', 'answer', promotedBefore, /promoted.*timeline 2 instead of 1/],
    ] as const)('%s takes over (%s lost): unknown, and why is said', async (_name, cut, prepare, why) => {
      const flags = await changing({ at: 'COMMIT\0', cut, successor: await prepare() });
      const before = await snapshot(on(standIn));
      const { failure, result } = await takeBack(project, { flags });
      expect(failure).toMatchObject({ code: 'commit-unknown', exitCode: 4 });
      expect(failure?.message).toMatch(why);
      expect(result?.steps.map(({ outcome }) => outcome)).toEqual(['unknown']);
      expect(await snapshot(on(standIn))).toBe(before);
      expect(await recordEntries(on(standIn))).toEqual([]);
      expect(await storedVersions(database)).toEqual(cut === 'answer' ? ['1'] : ['1', '2']);
    });

    test('a standby that has it takes over: committed, and the change is told', async () => {
      const flags = await changing({
        at: 'COMMIT\0',
        cut: 'answer',
        successor: async () => {
          await takeOverData(original, standIn, 'promoted');
          return standIn;
        },
      });
      const { failure, result } = await takeBack(project, { flags });
      expect(failure).toBeUndefined();
      expect(result?.outcome).toBe('committed');
      expect(result?.warnings.join()).toMatch(/it was committed, and .*promoted/);
      expect(await storedVersions(on(standIn))).toEqual(['1']);
    });

    test('the same server comes back: it is asked, and believed', async () => {
      const flags = await changing({
        at: 'COMMIT\0',
        cut: 'request',
        successor: async () => {
          await original.crash();
          await original.restart();
          return original;
        },
      });
      const { failure } = await takeBack(project, { flags });
      expect(failure).toMatchObject({ code: 'connection-lost', exitCode: 3 });
      expect(await storedVersions(database)).toEqual(['1', '2']);
      expect((await recordEntries(database)).map(({ outcome }) => outcome)).toEqual(['failed']);
    });

    test.each(['request', 'answer'] as const)(
      'an unrelated cluster answers (%s lost): unknown, and nothing is written there',
      async (cut) => {
        const twin = await applyOnUnrelated([first, inTransaction]);
        try {
          const before = await snapshot(twin);
          const flags = await changing({ at: 'COMMIT\0', cut, successor: () => Promise.resolve(unrelated) });
          const { failure } = await takeBack(project, { flags });
          expect(failure).toMatchObject({ code: 'commit-unknown', exitCode: 4 });
          expect(failure?.message).toContain('another database answers at this address');
          expect(await snapshot(twin)).toBe(before);
          expect(await recordEntries(twin)).toEqual([]);
        } finally {
          await twin.drop();
        }
      },
    );
  });

  test.each([
    ['a transaction', inTransaction, commit],
    ['the end of one without', oneByOne, 'DELETE FROM "public"."flyback_record_journal"'],
  ])('the server gives up with an error as it commits %s: it is asked what it did', async (_name, files, at) => {
    await project.apply([first, files]);
    let asked: number | undefined;
    let isOver = false;
    proxy = await startProxy({
      serverUrl: original.url,
      onMessage: ({ from, connection, bytes }) => {
        if (isOver) return connection === asked ? 'cut-before' : 'pass';
        if (from === 'client' && asked === undefined && bytes.includes(at)) asked = -connection;
        if (from === 'client' && asked === -connection && bytes.includes(commit)) asked = connection;
        if (from !== 'server' || connection !== asked) return 'pass';
        isOver = true;
        return panic;
      },
    });
    const flags = { url: `jdbc:postgresql://127.0.0.1:${String(proxy.port)}/${database.name}` };
    const { failure, result } = await takeBack(project, { flags });
    expect(isOver).toBe(true);
    expect(failure).toBeUndefined();
    expect(result?.warnings.join()).toContain('the server confirms that it was committed');
    expect(await storedVersions(database)).toEqual(['1']);
  });

  test('in the middle of a script, to an unrelated cluster: failed, and not recorded in a foreign record', async () => {
    await project.apply([first, inTransaction]);
    const twin = await applyOnUnrelated([first, inTransaction]);
    try {
      const flags = await changing({
        at: 'DROP TABLE gone',
        cut: 'answer',
        successor: () => Promise.resolve(unrelated),
      });
      const { failure, result } = await takeBack(project, { flags });
      expect(failure).toMatchObject({ code: 'connection-lost', exitCode: 3 });
      expect(result?.warnings.join()).toMatch(/could not be written to the record: .*another database answers/);
      expect(await recordEntries(twin)).toEqual([]);
      expect(await storedVersions(database)).toEqual(['1', '2']);
    } finally {
      await twin.drop();
    }
  });

  describe('while a version is rolled back statement by statement', () => {
    beforeEach(() => project.apply([first, oneByOne]));

    test.each([
      ['begun', '"event":"begun"', /was being begun/],
      ['finished', 'DELETE FROM "public"."flyback_record_journal"', /was being finished/],
    ])('and is being %s, to an unrelated cluster: unknown', async (_name, before, words) => {
      const twin = await applyOnUnrelated([first, oneByOne]);
      try {
        let isNear = false;
        let isOver = false;
        proxy = await startProxy({
          serverUrl: () => (isOver ? unrelated : original).url,
          onMessage: ({ from, bytes }) => {
            if (from === 'client' && bytes.includes(before)) isNear = true;
            if (isOver || !isNear || from !== 'client' || !bytes.includes('COMMIT\0')) return 'pass';
            isOver = true;
            return 'cut-before';
          },
        });
        const flags = { url: `jdbc:postgresql://127.0.0.1:${String(proxy.port)}/${database.name}` };
        const { failure, result } = await takeBack(project, { flags });
        expect(failure).toMatchObject({ code: 'commit-unknown', exitCode: 4 });
        expect(failure?.message).toMatch(words);
        expect(failure?.message).toContain('another database answers');
        expect(result?.outcome).toBe('unknown');
        expect(await recordEntries(twin)).toEqual([]);
        const done = await carryOn(project);
        expect(done.failure).toBeUndefined();
        expect(await storedVersions(database)).toEqual(_name === 'begun' ? ['1', '2'] : ['1']);
      } finally {
        await twin.drop();
      }
    });

    test('a promoted standby can carry it on', async () => {
      const flags = await changing({
        at: 'DROP TABLE gone',
        cut: 'request',
        successor: async () => {
          await takeOverData(original, standIn, 'promoted');
          return standIn;
        },
      });
      const { failure } = await takeBack(project, { flags });
      expect(failure).toMatchObject({ code: 'run-interrupted', exitCode: 4 });
      const done = await carryOn(project, { flags });
      expect(done.failure).toBeUndefined();
      expect(await storedVersions(on(standIn))).toEqual(['1']);
      expect((await recordEntries(on(standIn))).map(({ outcome }) => outcome)).toEqual(['interrupted', 'committed']);
    });

    test('a journal that came along with a copy of the data is not resumed; it can be closed', async () => {
      await project.write({ ...oneByOne, down: `${oneByOne.down ?? ''}\nINSERT INTO nowhere VALUES (1);` });
      expect((await takeBack(project)).failure?.code).toBe('run-interrupted');
      const twin = await createDatabase(unrelated.url, database.name);
      try {
        await runOn(
          twin.url,
          `${historyTable}; CREATE TABLE flyback_record_journal (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, run text NOT NULL, entry text NOT NULL)`,
        );
        await copyRows(database, twin, ['flyway_schema_history', 'flyback_record_journal']);
        await project.write(oneByOne);
        const flags = { url: twin.jdbcUrl };
        const refused = await carryOn(project, { changedScript: true, flags });
        expect(refused.failure).toMatchObject({ code: 'journal-mismatch', exitCode: 4 });
        expect(refused.failure?.message).toContain('was begun in another database');
        const closed = await withProject({ folder: project.folder, flags, environment: {} }, (opened) =>
          abandon(opened, { reason: 'a copy' }),
        );
        expect(closed?.version).toBe('2');
      } finally {
        await twin.drop();
      }
    });
  });

  test.each([
    ['the same server', true],
    ['another server', false],
  ])('a session that keeps the run waiting is ended only by way of the same server: %s', async (_name, isSame) => {
    const patient = await createProject({ database, flyback: '[run]\nlockTimeout = "4s"\nlockRetries = 0\n' });
    await patient.apply([first, { ...inTransaction, down: 'SELECT pg_sleep(0.5);\nDROP TABLE gone;' }]);
    const holder = new pg.Client({ connectionString: database.url });
    holder.on('error', () => undefined);
    await holder.connect();
    try {
      const { failure, events } = await takeBack(patient, {
        cancelBlockers: true,
        reconnect: () => connectAs(patient, isSame ? undefined : 'another/1'),
        observe: ({ kind }) => {
          if (kind === 'step-started') void holder.query('BEGIN; SELECT * FROM gone').catch(() => undefined);
        },
      });
      expect(failure?.code).toBe(isSame ? undefined : 'lock-unavailable');
      expect(events.some(({ kind }) => kind === 'session-ended')).toBe(isSame);
    } finally {
      await holder.end().catch(() => undefined);
      await patient.remove();
    }
  });

  describe('between plan and run', () => {
    beforeEach(() => project.apply([first, inTransaction]));

    async function storedPlan(): Promise<string> {
      const { stdout } = await project.run(['plan', '--json']);
      const file = path.join(project.folder, 'plan.json');
      await fs.writeFile(file, stdout);
      return file;
    }

    test('an unrelated cluster does not run the stored plan', async () => {
      const twin = await applyOnUnrelated([first, inTransaction]);
      try {
        const file = await storedPlan();
        const { code, stderr } = await project.run(['rollback', '--plan', file, '--yes', '--url', twin.jdbcUrl]);
        expect(code, stderr).toBe(1);
        expect(stderr).toContain('plan-outdated');
        expect(await storedVersions(twin)).toEqual(['1', '2']);
      } finally {
        await twin.drop();
      }
    });

    test('a promoted standby, where all is as planned, runs it', async () => {
      const file = await storedPlan();
      await takeOverData(original, standIn, 'promoted');
      const { code, stderr } = await project.run(['rollback', '--plan', file, '--yes', '--url', on(standIn).jdbcUrl]);
      expect(code, stderr).toBe(0);
      expect(await storedVersions(on(standIn))).toEqual(['1']);
    });

    test('a session that was opened before ends with the connection, and nothing runs elsewhere', async () => {
      const { failure } = await takeBack(project, {
        between: () => takeOverData(original, standIn, 'promoted'),
      });
      expect(failure).toBeInstanceOf(FlybackError);
      expect(failure).toMatchObject({ code: 'connection-lost', exitCode: 3 });
      expect(await storedVersions(on(standIn))).toEqual(['1', '2']);
      expect(await storedVersions(database)).toEqual(['1', '2']);
    });
  });
});

forEachMajor((server) => {
  describe('a session', () => {
    let database: TestDatabase;
    let project: TestProject;
    const role = `flyback_plain_${randomUUID().slice(0, 8)}`;

    beforeAll(async () => {
      database = await createDatabase(server.url);
      await runOn(server.url, `CREATE ROLE ${role} LOGIN`);
      project = await createProject({ database, connection: { url: database.jdbcUrl, user: role } });
    });
    afterAll(async () => {
      await runOn(database.url, `DROP OWNED BY ${role}`);
      await project.remove();
      await database.drop();
      await runOn(server.url, `DROP ROLE ${role}`);
    });

    async function identity(): Promise<ServerIdentity> {
      const session = await connectAs(project, undefined);
      await session.close();
      return session.facts.identity;
    }

    test('of an ordinary role knows which server it is on', async () => {
      const [expected] = await runOn(
        database.url,
        `SELECT system_identifier || '/' || oid AS database, timeline_id AS timeline FROM pg_control_system(), pg_control_checkpoint(), pg_database WHERE datname = current_database()`,
      );
      const found = await identity();
      expect(found).toMatchObject(expected ?? {});
      // The position is that of what is written, and the test servers write a commit when they come to it.
      await runOn(database.url, 'SET synchronous_commit = on; CREATE TABLE filler AS SELECT generate_series(1, 1000)');
      expect((await identity()).walPosition).toBeGreaterThan(found.walPosition ?? Infinity);
    });

    test('where these functions may not be called is opened all the same', async () => {
      await runOn(database.url, 'REVOKE EXECUTE ON FUNCTION pg_control_system() FROM public');
      expect(await identity()).toEqual({ database: null, timeline: null, walPosition: null });
    });
  });
});

/** Another session of this project; one that says so of itself is in another database. */
async function connectAs(project: TestProject, identity: string | undefined): Promise<Session> {
  const session = await connect(await loadProjectConfig({ folder: project.folder, environment: {} }));
  const { facts } = session;
  return {
    facts: { ...facts, identity: { ...facts.identity, database: identity ?? facts.identity.database } },
    query: (sql) => session.query(sql),
    pipeline: (messages, onAnswer) => session.pipeline(messages, onAnswer),
    batch: (commands, onAnswer) => session.batch(commands, onAnswer),
    forgetPlans: () => session.forgetPlans(),
    copyIn: (statement, data) => session.copyIn(statement, data),
    takeNotices: () => session.takeNotices(),
    cancel: () => session.cancel(),
    close: () => session.close(),
  };
}

/** As a logical copy of the database carries them over. */
async function copyRows(from: TestDatabase, to: TestDatabase, tables: readonly string[]): Promise<void> {
  for (const table of tables) {
    const [row] = await runOn(from.url, `SELECT json_agg(t)::text AS rows FROM ${table} t`);
    await runOn(
      to.url,
      `DELETE FROM ${table};
INSERT INTO ${table} OVERRIDING SYSTEM VALUE SELECT * FROM json_populate_recordset(NULL::${table}, $json$${String(row?.['rows'])}$json$)`,
    );
  }
}
