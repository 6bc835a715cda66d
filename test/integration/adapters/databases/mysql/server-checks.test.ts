import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadClassifier } from '../../../../../adapters/databases/mysql/classifier.js';
import { mysqlDialect } from '../../../../../adapters/databases/mysql/dialect.js';
import { mysqlChecks } from '../../../../../adapters/databases/mysql/server-checks.js';
import { connectMysql, type MysqlSession } from '../../../../../adapters/databases/mysql/session.js';
import type { NeededScript, ServerNeeds } from '../../../../../src/adapter/server-checks.js';
import { areas, catalogue, type Check } from '../../../../../src/doctor/check.js';
import {
  createDatabase,
  describeWithLocalMysql,
  forEachMysql,
  type MysqlDatabase,
  runOn,
} from '../../../../harness/mysql.js';
import { mysqlSettings } from '../../../../harness/mysql-settings.js';
import { startLocal } from '../../../../harness/mysql-servers.js';

const sessions: MysqlSession[] = [];

async function connect(url: string, initSql?: string): Promise<MysqlSession> {
  const session = await connectMysql(mysqlSettings(url, { initSql }));
  sessions.push(session);
  return session;
}
afterEach(async () => {
  await Promise.all(sessions.splice(0).map((session) => session.close()));
});

async function scriptOf(version: string, sql: string): Promise<NeededScript> {
  const classifier = await loadClassifier();
  const statements = mysqlDialect.split(sql).statements.map(({ text, line }) => {
    const impact = classifier.classify(text);
    return { text, line, impact: 'changes' in impact ? impact : undefined };
  });
  return { version, transaction: 'on', triggers: undefined, statements };
}

async function needsOf(schema: string, ...scripts: readonly string[]): Promise<ServerNeeds> {
  return {
    tool: 'flyway',
    history: { schema, name: 'history' },
    record: { schema, name: 'flyback_record' },
    journal: { schema, name: 'flyback_journal' },
    scriptSchema: schema,
    scripts: await Promise.all(scripts.map((sql, index) => scriptOf(String(index + 1), sql))),
    writers: [],
    run: {
      lockTimeoutMs: 5000,
      statementTimeoutMs: 0,
      lockRetries: 0,
      lockRetryPauseMs: 0,
      concurrentWaitMs: 0,
      toolLockWaitMs: 0,
      triggers: undefined,
    },
    tls: { mode: 'prefer' },
    now: () => new Date(),
  };
}

async function checkOf(session: MysqlSession, needs: ServerNeeds, name: string): Promise<Check> {
  const checks = await mysqlChecks.run(session, needs);
  const found = checks.find(({ check }) => check === name);
  if (found === undefined) throw new Error(`There is no check ${name}.`);
  return found;
}

forEachMysql('what rollbacks need', (server) => {
  let database: MysqlDatabase;
  let account: string;

  beforeAll(async () => {
    database = await createDatabase(server);
  });
  afterAll(() => database.drop());
  beforeEach(async () => {
    await runOn(
      server.url,
      `DROP DATABASE \`${database.name}\`; CREATE DATABASE \`${database.name}\` CHARACTER SET utf8mb4`,
    );
    await runOn(
      database.url,
      'CREATE TABLE history (id INT PRIMARY KEY); CREATE TABLE t (id INT PRIMARY KEY, a INT, KEY ia (a)) ENGINE = InnoDB; CREATE TABLE u (id INT)',
    );
    account = `a_${database.user}`;
    await runOn(server.url, `CREATE USER ${account}@'%' IDENTIFIED BY 'x'`);
  });
  afterEach(() => runOn(server.url, `DROP USER IF EXISTS ${account}@'%'`));

  async function as(grants: string): Promise<MysqlSession> {
    await runOn(server.url, grants.replaceAll('TO me', `TO ${account}@'%'`).replaceAll('db.', `\`${database.name}\`.`));
    const url = new URL(database.url);
    url.username = account;
    url.password = 'x';
    return connect(url.href);
  }

  it('every check of the catalogue that a server answers is there once, and a healthy set-up has no problem', async () => {
    const session = await connect(database.rootUrl);
    const checks = await mysqlChecks.run(session, await needsOf(database.name, 'DROP TABLE t; DELETE FROM u'));
    const asked = (['connection', 'role', 'server', 'replication'] as const)
      .flatMap((area) => catalogue[area])
      .filter((name) => !mysqlChecks.without.has(name) && name !== 'connection' && name !== 'pooler');
    expect(checks.map(({ check }) => check).toSorted()).toEqual([...asked, 'cascade'].toSorted());
    expect(checks.filter(({ result }) => result === 'problem' || result === 'not-checked')).toEqual([]);
    const known = new Set(areas.flatMap((area) => catalogue[area]));
    expect([...mysqlChecks.without].filter((name) => !known.has(name))).toEqual([]);
    expect(await mysqlChecks.pooling(session, () => connect(database.url))).toBe('direct');
    expect(mysqlChecks.judgePooling('direct', [])).toMatchObject({ result: 'ok' });
  });

  describe('rights', () => {
    it('of an account that may do little are told one by one', async () => {
      const session = await as('GRANT SELECT ON db.* TO me');
      const needs = await needsOf(database.name, 'DROP TABLE t; DROP INDEX ia ON u; UPDATE u SET id = 2');
      expect(await checkOf(session, needs, 'history-rights')).toMatchObject({
        result: 'problem',
        message: expect.stringContaining('lacks DELETE, UPDATE on the history') as string,
      });
      expect(await checkOf(session, needs, 'record-rights')).toMatchObject({
        result: 'problem',
        message: expect.stringContaining('lacks CREATE, INSERT') as string,
      });
      const objects = await checkOf(session, needs, 'object-rights');
      expect(objects.result).toBe('problem');
      expect(objects.details).toEqual([
        `DROP on ${database.name}.t: version 1`,
        `INDEX on ${database.name}.u: version 1`,
        `UPDATE on ${database.name}.u: version 1`,
      ]);
      expect(await checkOf(session, needs, 'other-sessions')).toMatchObject({ result: 'warning' });
      expect(await checkOf(session, needs, 'cancel-blockers')).toMatchObject({ result: 'warning' });
    });

    it('that the hints give are enough, for the server too', async () => {
      const needs = await needsOf(database.name, 'DELETE FROM u');
      const names = ['history-rights', 'record-rights', 'object-rights', 'other-sessions', 'cancel-blockers'];
      const session = await as('GRANT SELECT ON db.u TO me');
      // Each hint may uncover the next.
      for (let round = 0; round < 6; round++) {
        const checks = await mysqlChecks.run(session, needs);
        const open = checks.filter(({ check, result }) => names.includes(check) && result !== 'ok');
        if (open.length === 0) break;
        for (const { hint } of open) await runOn(server.url, (hint ?? '').replace(/;.*$/, ''));
      }
      const checks = await mysqlChecks.run(session, needs);
      expect(checks.filter(({ check, result }) => names.includes(check) && result !== 'ok')).toEqual([]);
      await session.query(
        'START TRANSACTION;SELECT COUNT(*) FROM history FOR UPDATE;DELETE FROM history;DELETE FROM u;ROLLBACK;CREATE TABLE flyback_record (id INT)',
      );
      await session.query('START TRANSACTION;SELECT id FROM flyback_record FOR UPDATE;ROLLBACK');
    });

    it('that a role may give are not said to be missing', async () => {
      const role = `r_${database.user}`;
      await runOn(server.url, `CREATE ROLE ${role}`);
      try {
        const session = await as(`GRANT SELECT ON db.* TO me; GRANT ${role} TO me`);
        const needs = await needsOf(database.name, 'DROP TABLE t');
        expect(await checkOf(session, needs, 'object-rights')).toMatchObject({
          result: 'not-checked',
          message: expect.stringContaining('unless a role') as string,
        });
      } finally {
        await runOn(server.url, `DROP ROLE ${role}`);
      }
    });
  });

  it('triggers of written tables and events that run are told, others not', async () => {
    await runOn(
      database.url,
      'CREATE TRIGGER tr BEFORE DELETE ON t FOR EACH ROW SET @x = 1; CREATE TRIGGER ur BEFORE DELETE ON u FOR EACH ROW SET @x = 1',
    );
    const session = await connect(database.rootUrl);
    const written = await checkOf(session, await needsOf(database.name, 'DELETE FROM t'), 'triggers');
    expect(written).toMatchObject({ result: 'warning', details: ['tr on t: BEFORE DELETE'] });
    expect(await checkOf(session, await needsOf(database.name, 'CREATE TABLE x (id INT)'), 'triggers')).toMatchObject({
      result: 'ok',
    });
  });

  it('settings of the session that would spoil a rollback are told', async () => {
    const needs = await needsOf(database.name);
    const init = "SET sql_mode = 'ANSI_QUOTES,STRICT_TRANS_TABLES', sql_safe_updates = 1, wait_timeout = 20";
    const session = await connect(database.rootUrl, init);
    expect(await checkOf(session, needs, 'set-up')).toMatchObject({
      result: 'problem',
      message: expect.stringContaining('sql_safe_updates') as string,
    });
    expect(await checkOf(session, needs, 'sql-mode')).toMatchObject({
      result: 'warning',
      message: expect.stringContaining('ANSI_QUOTES') as string,
    });
    expect(await checkOf(session, needs, 'timeouts')).toMatchObject({
      result: 'warning',
      details: [expect.stringContaining('wait_timeout')],
    });
    const lax = await connect(database.rootUrl, "SET sql_mode = ''");
    expect(await checkOf(lax, needs, 'sql-mode')).toMatchObject({
      result: 'warning',
      message: expect.stringContaining('not strict') as string,
    });
    const readOnly = await connect(database.rootUrl, 'SET SESSION TRANSACTION READ ONLY');
    expect(await checkOf(readOnly, needs, 'writable')).toMatchObject({ result: 'problem' });
    expect(await checkOf(readOnly, needs, 'set-up')).toMatchObject({ result: 'ok' });
    const ahead = { ...needs, now: () => new Date(Date.now() + 3_600_000) };
    expect(await checkOf(lax, ahead, 'clock')).toMatchObject({ result: 'warning' });
  });

  it('a transaction that was prepared and left alone is told', async () => {
    const session = await connect(database.rootUrl);
    const needs = await needsOf(database.name);
    const gone = await connect(database.rootUrl);
    const xid = `x_${database.user}`;
    await gone.query(`XA START '${xid}';INSERT INTO u VALUES (1);XA END '${xid}';XA PREPARE '${xid}'`);
    await gone.close();
    try {
      const found = await checkOf(session, needs, 'prepared-transactions');
      expect(found.result).toBe('warning');
      expect(found.details).toContain(xid);
    } finally {
      await runOn(server.url, `XA ROLLBACK '${xid}'`);
    }
  });

  it('a proxy is judged by what the scripts need', async () => {
    const rows = await scriptOf('1', 'DELETE FROM t');
    const ddl = await scriptOf('2', 'DROP TABLE t');
    expect(mysqlChecks.judgePooling('session', [rows])).toMatchObject({ result: 'warning' });
    expect(mysqlChecks.judgePooling('session', [rows, ddl])).toMatchObject({
      result: 'problem',
      message: expect.stringContaining('version 2') as string,
    });
    expect(mysqlChecks.judgePooling('transaction', [rows])).toMatchObject({ result: 'problem' });
    const session = await connect(database.url);
    // What a greeting with another number than the server's own comes to.
    const proxied = Object.assign(Object.create(session) as MysqlSession, {});
    Object.defineProperty(proxied, 'facts', { value: { ...session.facts, proxied: true } });
    proxied.query = (sql) => session.query(sql);
    expect(await mysqlChecks.pooling(proxied, () => connect(database.url))).toBe('session');
  });
});

describeWithLocalMysql('what rollbacks need of a server that is set up otherwise', () => {
  it('commits that may be lost, and events that run, are told', async () => {
    const own = await startLocal({
      settings: { 'event-scheduler': 'ON', 'innodb-flush-log-at-trx-commit': '2', 'lower-case-table-names': '1' },
    });
    try {
      await runOn(
        own.url,
        'CREATE DATABASE d; CREATE TABLE d.history (id INT); CREATE EVENT d.e ON SCHEDULE EVERY 1 DAY DO SELECT 1; CREATE EVENT d.off ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1',
      );
      const session = await connect(`${own.url}d`);
      const needs = await needsOf('d');
      expect(await checkOf(session, needs, 'commits')).toMatchObject({
        result: 'warning',
        message: expect.stringContaining('is 2') as string,
      });
      expect(await checkOf(session, needs, 'event-scheduler')).toMatchObject({ result: 'warning', details: ['e'] });
      expect((await checkOf(session, needs, 'name-case')).message).toContain('do not depend on case');
      await runOn(own.url, 'SET GLOBAL innodb_flush_log_at_trx_commit = 1; SET GLOBAL event_scheduler = OFF');
      const later = await connect(`${own.url}d`);
      expect(await checkOf(later, needs, 'commits')).toMatchObject({ result: 'ok' });
      expect(await checkOf(later, needs, 'event-scheduler')).toMatchObject({ result: 'ok' });
      expect(await checkOf(later, needs, 'replica')).toMatchObject({ result: 'ok' });
      await runOn(own.url, "CHANGE MASTER TO MASTER_HOST = 'db.example', MASTER_USER = 'repl'");
      expect(await checkOf(later, needs, 'replica')).toMatchObject({
        result: 'warning',
        message: expect.stringContaining('db.example') as string,
      });
    } finally {
      await own.stop();
    }
  }, 60_000);
});
