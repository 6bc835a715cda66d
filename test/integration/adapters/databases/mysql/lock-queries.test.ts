import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { mysqlLocks } from '../../../../../adapters/databases/mysql/lock-queries.js';
import { connectMysql, type MysqlSession } from '../../../../../adapters/databases/mysql/session.js';
import type { ToolLock } from '../../../../../src/adapter/database.js';
import type { LockHolder, LockNeed, LockSurvey, LockWait } from '../../../../../src/adapter/locks.js';
import {
  createDatabase,
  describeWithLocalMysql,
  forEachMysql,
  type MysqlDatabase,
  runOn,
} from '../../../../harness/mysql.js';
import { mysqlSettings } from '../../../../harness/mysql-settings.js';
import { type LocalServer, startLocal } from '../../../../harness/mysql-servers.js';

const noLock: ToolLock = { kind: 'named', keys: [], approach: undefined };

/** Sessions of one database that stand in each other's way. */
class Arena {
  readonly #connections: Connection[] = [];
  readonly #sessions: MysqlSession[] = [];
  readonly #running: Promise<unknown>[] = [];

  constructor(readonly database: MysqlDatabase) {}

  async other(url = this.database.url, programName?: string): Promise<Connection> {
    const connection = await createConnection({
      uri: url,
      ...(programName === undefined ? {} : { connectAttributes: { program_name: programName } }),
    });
    connection.on('error', () => undefined);
    this.#connections.push(connection);
    return connection;
  }

  async session(url = this.database.rootUrl, applicationName = 'flyback'): Promise<MysqlSession> {
    const session = await connectMysql(mysqlSettings(url, { applicationName }));
    this.#sessions.push(session);
    return session;
  }

  /** Lets a session of its own run a statement that has to wait, and waits until it does. */
  async waiting(sql: string, watcher: MysqlSession, lock = noLock): Promise<{ id: number; done: Promise<unknown> }> {
    const session = await this.session(this.database.url);
    for (const key of lock.keys) await session.query(`SELECT GET_LOCK('${key}', 0)`);
    const done = session.pipeline([sql]);
    this.#running.push(done);
    const id = session.facts.backendId;
    await expect.poll(() => mysqlLocks.waitOf(watcher, id, lock), { timeout: 10_000 }).toBeDefined();
    return { id, done };
  }

  async close(): Promise<void> {
    const ids = [
      ...this.#connections.map(({ threadId }) => threadId),
      ...this.#sessions.map(({ facts }) => facts.backendId),
    ];
    // Whoever waits is let go by the server, whatever it waits for.
    for (const id of ids) await runOn(this.database.rootUrl, `KILL CONNECTION ${id}`).catch(() => undefined);
    await Promise.all(this.#running);
    for (const connection of this.#connections) connection.destroy();
    await Promise.all(this.#sessions.map((session) => session.close()));
  }
}

function surveyOf(session: MysqlSession, needs: readonly LockNeed[], schema: string): Promise<LockSurvey> {
  return mysqlLocks.survey(session, { needs, scriptSchema: schema, toolLock: noLock, snapshots: 'ask' });
}

function known(wait: LockWait | undefined): LockWait {
  if (wait === undefined) throw new Error('It does not wait.');
  return wait;
}

const table = (name: string): LockNeed['on'] => ({ kind: 'table', name });

function suite(of: () => { database: MysqlDatabase; tellsTables: boolean }): void {
  let arena: Arena;
  let watcher: MysqlSession;

  beforeEach(async () => {
    const { database } = of();
    await runOn(
      database.url,
      'DROP TABLE IF EXISTS t, u; CREATE TABLE t (id INT PRIMARY KEY, v INT) ENGINE = InnoDB; CREATE TABLE u (id INT) ENGINE = InnoDB; INSERT INTO t VALUES (1, 1), (2, 2); INSERT INTO u VALUES (1)',
    );
    arena = new Arena(database);
    watcher = await arena.session();
  });
  afterEach(() => arena.close());

  it('a reader that is idle in a transaction keeps an ALTER TABLE waiting, is named, and is ended', async () => {
    const { database, tellsTables } = of();
    const reader = await arena.other();
    await reader.query('BEGIN');
    await reader.query('SELECT * FROM t');
    const { id, done } = await arena.waiting('ALTER TABLE t ADD c INT', watcher);
    const wait = known(await mysqlLocks.waitOf(watcher, id, noLock));
    expect(wait).toMatchObject({ level: 'EXCLUSIVE', on: `${database.name}.t` });
    expect(wait.blockers).toMatchObject([
      {
        holds: tellsTables,
        holder: {
          kind: 'session',
          belongsTo: 'others',
          pid: reader.threadId,
          user: database.user,
          state: 'idle in transaction',
          lacking: tellsTables ? null : (expect.stringContaining('may be another one') as string),
        },
      },
    ]);
    const [holder] = wait.blockers.map((blocker) => blocker.holder);
    expect(await mysqlLocks.end(watcher, holder === undefined ? [] : [holder])).toEqual(['terminated']);
    await done;
    await expect.poll(() => mysqlLocks.waitOf(watcher, id, noLock)).toBeUndefined();
    expect(await runOn(database.url, "SHOW COLUMNS FROM t LIKE 'c'")).toHaveLength(1);
  });

  it('a statement that runs on the table is known to be in the way, and is cancelled', async () => {
    const { database } = of();
    const reader = await arena.other(database.rootUrl, 'reports');
    const slow = reader.query('SELECT SLEEP(60), v FROM t').then(
      () => 'ended',
      () => 'cancelled',
    );
    await expect
      .poll(async () => (await surveyOf(watcher, [{ on: table('t'), level: null }], database.name)).obstacles)
      .toMatchObject([
        { level: 'SHARED READ', granted: true, on: `${database.name}.t`, need: 0, holder: { pid: reader.threadId } },
      ]);
    const ofOthers = await surveyOf(
      watcher,
      [
        { on: table('u'), level: null },
        { on: table('t'), level: 'SHARED WRITE' },
      ],
      database.name,
    );
    expect(ofOthers.obstacles).toEqual([]);
    const { id, done } = await arena.waiting('ALTER TABLE t ADD c INT, ALGORITHM = COPY', watcher);
    const [blocker] = known(await mysqlLocks.waitOf(watcher, id, noLock)).blockers;
    expect(blocker).toMatchObject({
      holds: true,
      holder: { state: 'running', lacking: null, query: 'SELECT SLEEP(60), v FROM t' },
    });
    expect(blocker?.holder.openMs).not.toBeNull();
    expect(await mysqlLocks.end(watcher, blocker === undefined ? [] : [blocker.holder])).toEqual(['cancelled']);
    await done;
    // SLEEP that is cancelled gives 1 and no error.
    expect(['ended', 'cancelled']).toContain(await slow);
  });

  it('a row that another transaction has changed is told with its table and that transaction', async () => {
    const { database } = of();
    const writer = await arena.other();
    await writer.query('BEGIN');
    await writer.query('UPDATE t SET v = 5 WHERE id = 1');
    const { id, done } = await arena.waiting('UPDATE t SET v = 6 WHERE id = 1', watcher);
    const wait = known(await mysqlLocks.waitOf(watcher, id, noLock));
    expect(wait).toMatchObject({
      level: null,
      on: `a row of ${database.name}.t`,
      blockers: [{ holds: true, holder: { pid: writer.threadId, state: 'idle in transaction', lacking: null } }],
    });
    await writer.query('COMMIT');
    await done;
    expect(await mysqlLocks.waitOf(watcher, id, noLock)).toBeUndefined();
  });

  it('a transaction that was prepared and left alone is told as what it is', async () => {
    const { database } = of();
    const xid = `x_${database.user}`;
    const gone = await arena.other(database.rootUrl);
    await gone.query(`XA START '${xid}'`);
    await gone.query('UPDATE t SET v = 5 WHERE id = 1');
    await gone.query(`XA END '${xid}'`);
    await gone.query(`XA PREPARE '${xid}'`);
    await gone.end();
    try {
      const { id, done } = await arena.waiting('UPDATE t SET v = 6 WHERE id = 1', watcher);
      const wait = known(await mysqlLocks.waitOf(watcher, id, noLock));
      expect(wait.blockers).toMatchObject([{ holds: true, holder: { kind: 'prepared-transaction', pid: null } }]);
      expect(
        await mysqlLocks.end(
          watcher,
          wait.blockers.map(({ holder }) => holder),
        ),
      ).toEqual(['gone']);
      await runOn(database.rootUrl, `XA ROLLBACK '${xid}'`);
      await done;
    } finally {
      await runOn(database.rootUrl, `XA ROLLBACK '${xid}'`).catch(() => undefined);
    }
  });

  it('a transaction that is over is gone, also when its session has begun another', async () => {
    const reader = await arena.other();
    await reader.query('BEGIN');
    await reader.query('SELECT * FROM t');
    const before = (await surveyOf(watcher, [], of().database.name)).snapshots.filter(
      ({ pid }) => pid === reader.threadId,
    );
    expect(before).toHaveLength(1);
    await reader.query('COMMIT');
    expect(await mysqlLocks.end(watcher, before)).toEqual(['gone']);
    // The server tells the beginning of a transaction in seconds.
    const later = async (): Promise<readonly LockHolder[]> => {
      await reader.query('COMMIT');
      await reader.query('BEGIN');
      await reader.query('SELECT * FROM t');
      const { snapshots } = await surveyOf(watcher, [], of().database.name);
      return snapshots.filter(({ pid }) => pid === reader.threadId);
    };
    await expect.poll(async () => (await later())[0]?.identity).not.toBe(before[0]?.identity);
    expect(await mysqlLocks.end(watcher, before)).toEqual(['gone']);
    await reader.query('SELECT 1');
  });

  it('whoever holds the named lock of the tool belongs to it, and a flyback does where programs are told', async () => {
    const { database, tellsTables } = of();
    const lock: ToolLock = { kind: 'named', keys: [`tool.${database.name}`], approach: undefined };
    const tool = await arena.other(undefined, 'migrator');
    await tool.query(`SELECT GET_LOCK('${lock.keys[0]}', 0)`);
    const worker = await arena.other(undefined, 'migrator');
    await worker.query('BEGIN');
    await worker.query('SELECT * FROM t');
    const stranger = await arena.other(database.rootUrl, 'reports');
    await stranger.query('BEGIN');
    await stranger.query('SELECT * FROM t');
    const own = await arena.session(database.url);
    await own.query('BEGIN;SELECT * FROM t');
    const { snapshots } = await mysqlLocks.survey(watcher, {
      needs: [],
      scriptSchema: database.name,
      toolLock: lock,
      snapshots: 'ask',
    });
    const ownerOf = (id: number): string | undefined => snapshots.find(({ pid }) => pid === id)?.belongsTo;
    expect(ownerOf(worker.threadId)).toBe('migration-tool');
    expect(ownerOf(stranger.threadId)).toBe('others');
    // Without performance_schema it looks just like the tool, whose account and address it has.
    expect(ownerOf(own.facts.backendId)).toBe(tellsTables ? 'flyback' : 'migration-tool');
    // A wait is told of the session that has the lock, and of no other.
    const { id } = await arena.waiting('DROP TABLE t', watcher);
    expect(await mysqlLocks.waitOf(watcher, id, lock)).toBeUndefined();
    // By a row the tool locks, by a name flyback does.
    const flag = { table: { schema: database.name, name: 'l' }, column: 'c', free: 0, own: 2, unlock: '', restore: '' };
    const again = await mysqlLocks.survey(watcher, {
      needs: [],
      scriptSchema: database.name,
      toolLock: { ...lock, flag },
      snapshots: 'ask',
    });
    expect(again.snapshots.find(({ pid }) => pid === worker.threadId)?.belongsTo).toBe('flyback');
  });

  it('an account without PROCESS is told so, and what it may not end', async () => {
    const { database } = of();
    const stranger = await arena.other(database.rootUrl);
    await stranger.query('BEGIN');
    await stranger.query('SELECT * FROM t');
    const blind = await arena.session(database.url);
    const found = await surveyOf(blind, [{ on: table('t'), level: null }], database.name);
    expect(found).toMatchObject({ obstacles: [], snapshots: [] });
    expect(found.hidden).toContain(`lacks the privilege PROCESS`);
    expect((await surveyOf(watcher, [], database.name)).hidden ?? 'nothing').not.toContain('PROCESS');
    const [seen] = (await surveyOf(watcher, [], database.name)).snapshots.filter(
      ({ pid }) => pid === stranger.threadId,
    );
    if (seen === undefined) throw new Error('It is not seen.');
    // Not seen by the blind one, so gone for it; whoever sees it without the right to end it says so.
    expect(await mysqlLocks.end(blind, [seen])).toEqual(['gone']);
    const name = `p_${database.user}`;
    await runOn(
      database.rootUrl,
      `CREATE USER ${name}@'%' IDENTIFIED BY 'x'; GRANT PROCESS ON *.* TO ${name}@'%'; GRANT ALL ON ${database.name}.* TO ${name}@'%'`,
    );
    try {
      const url = new URL(database.url);
      url.username = name;
      url.password = 'x';
      const seeing = await arena.session(url.href);
      const [held] = (await surveyOf(seeing, [], database.name)).snapshots.filter(
        ({ pid }) => pid === stranger.threadId,
      );
      expect(held?.lacking).toContain('may end its own sessions only');
      await expect(mysqlLocks.end(seeing, [seen])).rejects.toMatchObject({ code: 'privilege-missing' });
      await stranger.query('SELECT 1');
    } finally {
      await runOn(database.rootUrl, `DROP USER ${name}@'%'`);
    }
  });
}

forEachMysql('who is in the way', (server) => {
  let database: MysqlDatabase;
  beforeAll(async () => {
    database = await createDatabase(server);
  });
  afterAll(() => database.drop());
  suite(() => ({ database, tellsTables: server.product === 'MySQL' }));

  it.skipIf(server.product === 'MySQL')(
    'where nobody tells who holds locks on tables, this is said while transactions are open',
    async () => {
      const arena = new Arena(database);
      try {
        const watcher = await arena.session();
        const reader = await arena.other();
        await reader.query('BEGIN');
        await reader.query('SELECT * FROM t');
        const { hidden, obstacles } = await surveyOf(watcher, [{ on: table('t'), level: null }], database.name);
        expect(obstacles).toEqual([]);
        expect(hidden).toContain('metadata_lock_info');
      } finally {
        await arena.close();
      }
    },
  );
});

describeWithLocalMysql('who is in the way, with performance_schema', () => {
  let own: LocalServer;
  let database: MysqlDatabase;
  beforeAll(async () => {
    own = await startLocal({
      settings: { 'performance-schema': 'ON', 'performance-schema-instrument': 'wait/lock/metadata/sql/mdl=ON' },
    });
    database = await createDatabase(own);
  }, 60_000);
  afterAll(() => own.stop());
  suite(() => ({ database, tellsTables: true }));

  it('a survey names who holds a lock on a table, and who waits for one', async () => {
    const arena = new Arena(database);
    try {
      const watcher = await arena.session();
      const reader = await arena.other();
      await reader.query('BEGIN');
      await reader.query('SELECT * FROM t');
      const { id } = await arena.waiting('ALTER TABLE t ADD c INT', watcher);
      const needs = [
        { on: table('t'), level: 'SHARED WRITE' },
        { on: { kind: 'column', name: 't', member: 'v' }, level: null },
        { on: { kind: 'table', schema: 'elsewhere', name: 't' }, level: null },
        { on: { kind: 'schema', name: database.name }, level: null },
      ] as const satisfies readonly LockNeed[];
      const { obstacles, hidden } = await surveyOf(watcher, needs, database.name);
      expect(hidden).toBeNull();
      const held = obstacles.filter(({ holder }) => holder.pid === reader.threadId);
      expect(held.map(({ need, level, granted }) => [need, level, granted])).toEqual([
        [1, 'SHARED READ', true],
        [3, 'SHARED READ', true],
      ]);
      const waiting = obstacles.filter(({ holder, granted }) => holder.pid === id && !granted);
      expect(waiting.map(({ need, level }) => [need, level])).toEqual([
        [0, 'EXCLUSIVE'],
        [1, 'EXCLUSIVE'],
        [3, 'EXCLUSIVE'],
      ]);
    } finally {
      await arena.close();
    }
  });
});
