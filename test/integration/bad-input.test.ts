import * as fs from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startEmbedded, type EmbeddedServer } from '../../adapters/databases/postgresql/embedded.js';
import { createDatabase, newestServer, runOn, type TestDatabase } from '../harness/postgres.js';
import {
  createProject,
  snapshot,
  storedVersions,
  takeBack,
  type TestProject,
  type VersionFiles,
} from '../harness/project.js';

/* What people give us by mistake: each gets a message that says what and what next, and nothing changes. */

const good: VersionFiles = { version: '1', up: 'CREATE TABLE t1 (id int)', down: 'DROP TABLE t1;' };

describe('an address where no PostgreSQL answers', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase(newestServer().url);
  });
  afterAll(() => database.drop());

  async function attempt(url: string): Promise<{ readonly code: number | string; readonly stderr: string }> {
    const project = await createProject({ database, versions: [good], connection: { url, user: 'someone' } });
    try {
      return await project.run(['rollback', '--yes']);
    } finally {
      await project.remove();
    }
  }

  async function listen(server: Server): Promise<number> {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  }

  test('a web server', async () => {
    const server = createHttpServer((_request, response) => response.end('hello'));
    const { code, stderr } = await attempt(`jdbc:postgresql://127.0.0.1:${String(await listen(server))}/db`);
    server.close();
    expect(code).toBe(2);
    expect(stderr).toMatch(/connection-failed: Cannot connect to db on 127\.0\.0\.1/);
    expect(stderr).toContain('not a PostgreSQL server');
  });

  test('a listener that never says a word', async () => {
    const sockets: { destroy(): void }[] = [];
    const server = createServer((socket) => sockets.push(socket));
    const started = performance.now();
    const { code, stderr } = await attempt(
      `jdbc:postgresql://127.0.0.1:${String(await listen(server))}/db?connectTimeout=1`,
    );
    for (const socket of sockets) socket.destroy();
    server.close();
    expect(code).toBe(2);
    expect(stderr).toContain('did not answer in time');
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  test('nothing at all', async () => {
    const server = createServer();
    const port = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    const { code, stderr } = await attempt(`jdbc:postgresql://127.0.0.1:${String(port)}/db`);
    expect(code).toBe(2);
    expect(stderr).toContain('Nothing listens there');
  });

  test('a host that does not exist', async () => {
    const { code, stderr } = await attempt('jdbc:postgresql://no-such-host.invalid/db');
    expect(code).toBe(2);
    expect(stderr).toContain('does not resolve');
  });

  test('a database that does not exist', async () => {
    const { code, stderr } = await attempt(
      database.jdbcUrl.replace(database.name, 'no_such_db').concat('?user=postgres'),
    );
    expect(code).toBe(2);
    expect(stderr).toContain('no_such_db');
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});

/** A server of these tests' own, which asks for passwords and holds few locks. */
describe('a server that is strict', () => {
  let server: EmbeddedServer;
  let database: TestDatabase;
  let project: TestProject;
  const password = `p%40 s@w/o:r'd?&#ü`;

  beforeAll(async () => {
    server = await startEmbedded({
      listen: 'tcp',
      settings: { max_locks_per_transaction: '64', max_connections: '12', autovacuum: 'off' },
    });
    database = await createDatabase(server.url);
    const hba = path.join(server.dataFolder, 'pg_hba.conf');
    await fs.writeFile(hba, 'host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n');
    await runOn(
      server.url,
      `SELECT pg_reload_conf(); SET password_encryption = 'scram-sha-256';
CREATE ROLE strict LOGIN PASSWORD '${password.replaceAll("'", "''")}'; CREATE ROLE reader LOGIN PASSWORD 'reading-only'; CREATE ROLE fixed LOGIN PASSWORD 'no-writing'; ALTER ROLE fixed SET default_transaction_read_only = on`,
    );
    project = await createProject({ database });
  });
  afterAll(async () => {
    await project.remove();
    await server.stop();
  });

  let before = '';
  /** The same project over another connection. */
  async function as(user: string, secret: string, versions: readonly VersionFiles[] = [good]): Promise<TestProject> {
    return createProject({ database, versions, connection: { url: database.jdbcUrl, user, password: secret } });
  }

  beforeEach(async () => {
    await runOn(
      database.url,
      'DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO public',
    );
    await project.apply([good]);
    await runOn(database.url, 'GRANT ALL ON flyway_schema_history TO strict; ALTER TABLE t1 OWNER TO strict');
    before = await snapshot(database);
  });

  test('a password with every special character is taken letter for letter, and shown nowhere', async () => {
    const other = await as('strict', password);
    const outputs = [
      await other.run(['status', '--json']),
      await other.run(['plan', '--json']),
      await other.run(['rollback', '--dry-run', '--json']),
      await other.run(['rollback', '--yes', '--reason', `because ${password}`]),
      await other.run(['log', '--json']),
    ];
    await other.remove();
    for (const { code, stdout, stderr } of outputs) {
      expect(code, stderr).toBe(0);
      expect(stdout + stderr).not.toContain(password);
    }
    expect(JSON.stringify(await runOn(database.url, 'SELECT * FROM flyback_record'))).not.toContain(password);
  });

  test('a wrong password', async () => {
    const other = await as('strict', 'wrong-password');
    const { code, stderr } = await other.run(['rollback', '--yes']);
    await other.remove();
    expect(code).toBe(2);
    expect(stderr).toMatch(/authentication-failed/);
    expect(stderr).not.toContain('wrong-password');
    expect(await snapshot(database)).toBe(before);
  });

  test('no password where one is asked for', async () => {
    const other = await as('strict', '');
    const { code, stderr } = await other.run(['status']);
    await other.remove();
    expect({ code, stderr }).toMatchObject({ code: 2 });
    expect(stderr).toContain('authentication-failed');
  });

  test('a role that may not use replica mode gets disable, said aloud; asked for explicitly it is refused', async () => {
    const other = await as('strict', password);
    const planned = await other.run(['plan']);
    expect(planned.stdout).toMatch(/triggers +disable \(role strict may not set session_replication_role/);
    const refused = await other.run(['rollback', '--yes', '--triggers', 'replica']);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('privilege-missing');
    expect(refused.stderr).toContain('GRANT SET ON PARAMETER');
    expect(await snapshot(database)).toBe(before);
    expect(await other.run(['rollback', '--yes'])).toMatchObject({ code: 0 });
    await other.remove();
  });

  test.each([
    [
      'the history cannot be read',
      'REVOKE ALL ON flyway_schema_history FROM strict',
      2,
      /flyway_schema_history.*cannot be read/,
    ],
    [
      'history rows cannot be deleted',
      'REVOKE DELETE, TRUNCATE, UPDATE ON flyway_schema_history FROM strict',
      2,
      /privilege-missing/,
    ],
    [
      'the record cannot be created',
      'REVOKE CREATE ON SCHEMA public FROM public, strict',
      2,
      /may not create the record table public\.flyback_record/,
    ],
    ['an object belongs to someone else', 'ALTER TABLE t1 OWNER TO postgres', 2, /must be owner of table t1/],
  ] as const)('no privilege: %s', async (_name, sql, exitCode, words) => {
    await runOn(database.url, sql);
    before = await snapshot(database);
    const other = await as('strict', password);
    const { code, stderr } = await other.run(['rollback', '--yes']);
    await other.remove();
    expect(stderr).toMatch(words);
    expect(stderr).toMatch(/→ .+/);
    expect(code).toBe(exitCode);
    expect(await snapshot(database)).toBe(before);
  });

  test('a role whose transactions are read-only', async () => {
    await runOn(database.url, 'GRANT ALL ON flyway_schema_history TO fixed');
    const other = await as('fixed', 'no-writing');
    for (const mode of [['--yes'], ['--dry-run']]) {
      const { code, stderr } = await other.run(['rollback', ...mode]);
      expect(code).toBe(2);
      expect(stderr).toContain('server-read-only');
    }
    await other.remove();
  });

  test('more locks in one transaction than the server bears are foreseen, with the numbers', async () => {
    const versions = Array.from({ length: 700 }, (_, index) => ({
      version: String(index + 1),
      up: `CREATE TABLE IF NOT EXISTS t${String(index + 1)} (id int PRIMARY KEY, note text)`,
      down: `DROP TABLE t${String(index + 1)};`,
    }));
    await runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
    for (let from = 0; from < versions.length; from += 50) await project.apply(versions.slice(from, from + 50));
    const tables = `SELECT count(*)::int AS n FROM pg_class WHERE relkind = 'r' AND relname ~ '^t[0-9]'`;
    for (const options of [{ transaction: 'single' }, { mode: 'dry-run' }] as const) {
      const { failure, result } = await takeBack(project, { target: { kind: 'all' }, ...options });
      expect(failure).toMatchObject({ code: 'plan-refused', exitCode: 1 });
      expect(failure?.message).toMatch(
        /over 700 versions would need about \d+ locks; this server has room for about \d+/,
      );
      expect(failure?.hint).toMatch(/about \d+ fit/);
      expect(result).toBeUndefined();
    }
    expect(await runOn(database.url, tables)).toEqual([{ n: 700 }]);
    expect(await storedVersions(database)).toHaveLength(700);
    // The server itself says how many fit; the estimate stays below, by no more than a quarter.
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query('BEGIN');
    let bearable = 0;
    const dropNext = async (): Promise<boolean> =>
      client.query(`DROP TABLE t${String(bearable + 1)}`).then(
        () => true,
        () => false,
      );
    while (await dropNext()) bearable += 1;
    await client.end();
    // As many as the hint says do fit.
    const { failure } = await takeBack(project, { target: { kind: 'all' }, transaction: 'single' });
    const fitting = Number(/about (\d+) fit/.exec(failure?.hint ?? '')?.[1]);
    expect(fitting).toBeGreaterThan(bearable * 0.75);
    expect(fitting).toBeLessThan(bearable);
    const passed = await takeBack(project, { target: { kind: 'steps', steps: fitting }, transaction: 'single' });
    expect(passed.failure).toBeUndefined();
    // A transaction for each version needs no such room.
    expect((await takeBack(project, { target: { kind: 'all' } })).failure).toBeUndefined();
  });
});

describe('a history that is none', () => {
  let database: TestDatabase;
  let project: TestProject;
  beforeAll(async () => {
    database = await createDatabase(newestServer().url);
    project = await createProject({ database, versions: [good] });
  });
  afterAll(async () => {
    await project.remove();
    await database.drop();
  });

  test.each([
    [
      'missing',
      'SELECT 1',
      /history-missing: The schema history table "public"\."flyway_schema_history" does not exist/,
    ],
    ['a view', 'CREATE VIEW flyway_schema_history AS SELECT 1 AS installed_rank', /history-malformed.*is not a table/],
    [
      'with other columns',
      'CREATE TABLE flyway_schema_history (installed_rank text, version varchar(50))',
      /history-malformed.*column installed_rank is text instead of integer.*column description is missing/,
    ],
    ['elsewhere', 'CREATE SCHEMA other; CREATE TABLE other.flyway_schema_history (id int)', /other/],
  ])('%s', async (_name, sql, words) => {
    await runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public; DROP SCHEMA IF EXISTS other CASCADE');
    await runOn(database.url, sql);
    const before = await snapshot(database);
    const { code, stderr } = await project.run(['rollback', '--yes']);
    expect(stderr).toMatch(words);
    expect(code).toBe(2);
    expect(await snapshot(database)).toBe(before);
  });
});

describe('a script that is none', () => {
  let database: TestDatabase;
  let project: TestProject;
  let before: string;
  beforeAll(async () => {
    database = await createDatabase(newestServer().url);
    project = await createProject({ database });
    await project.apply([good, { version: '2', up: 'CREATE TABLE t2 (id int)', down: 'DROP TABLE t2;' }]);
    before = await snapshot(database);
  });
  afterAll(async () => {
    await project.remove();
    await database.drop();
  });

  const script = (): string => path.join(project.folder, 'rollbacks', 'R2__step.sql');

  test.each<[string, string | Uint8Array, number, RegExp]>([
    [
      'has a syntax error',
      '-- first line\nDROP TABLE t2;\nDROP TABEL t1;\n',
      1,
      /R2__step\.sql:3:6\n +3 \| DROP TABEL t1;\n +\| {6}\^/,
    ],
    ['is not UTF-8', Buffer.from('DROP TABLE t2; -- \xff\xfe', 'latin1'), 1, /UTF-8/],
    ['holds NUL', 'DROP TABLE t2;\0', 1, /NUL/],
    ['is UTF-16', Buffer.from('\ufeffDROP TABLE t2;', 'utf16le'), 1, /UTF-16/],
    ['is empty', '', 1, /empty/i],
    ['holds only comments', '-- nothing\n/* to do */\n', 1, /comment/i],
    ['ends the transaction', 'DROP TABLE t2; COMMIT; DROP TABLE t1;', 1, /COMMIT would end the transaction/],
    ['drops the history', 'DROP TABLE t2; DROP TABLE flyway_schema_history;', 1, /flyway_schema_history/],
    ['alters the history', 'ALTER TABLE public.flyway_schema_history ADD x int;', 1, /flyway_schema_history/],
    ['changes the record', 'DELETE FROM flyback_record; DROP TABLE t2;', 1, /flyback_record/],
    ['drops the schema of the history', 'DROP SCHEMA public CASCADE;', 1, /schema/i],
    ['names a placeholder without a value', 'DROP TABLE ${table};', 1, /table/],
    ['is a stub', '-- flyback: stub\nDROP TABLE t2;', 1, /stub/],
    ['refuses its transaction', '-- flyback: transaction on\nDROP TABLE t2; VACUUM t1;', 1, /VACUUM/],
    ['has an open quote', `DROP TABLE t2; SELECT 'x;`, 1, /R2__step\.sql:1:23/],
  ])('%s', async (_name, content, exitCode, words) => {
    await fs.writeFile(script(), content);
    const { code, stderr, stdout } = await project.run(['rollback', '--yes']);
    expect(stderr).toMatch(words);
    expect(stderr).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
    expect({ code, stdout }).toEqual({ code: exitCode, stdout: '' });
    expect(await snapshot(database)).toBe(before);
  });

  test('line and column point into the file, behind other characters than ASCII and with any line ending', async () => {
    await fs.writeFile(
      script(),
      `\ufeff-- Überschrift 😀\r\nDROP TABLE t2;\r\nSELECT '😀', nowhere;\r\nDROP TABLE t1;\r\n`,
    );
    const { failure } = await takeBack(project);
    expect(failure).toMatchObject({ serverCode: '42703', location: { line: 3, column: 14 } });
    expect(await snapshot(database)).toBe(before);
  });

  test('BOM and CRLF alone are no fault', async () => {
    await fs.writeFile(script(), '\ufeffDROP TABLE t2;\r\n');
    const { failure } = await takeBack(project, { mode: 'dry-run' });
    expect(failure).toBeUndefined();
  });

  test('50 MB run; more than the limit is refused', { timeout: 120_000 }, async () => {
    const line = `INSERT INTO t2 SELECT length('${'x'.repeat(5000)}');\n`;
    await fs.writeFile(script(), line.repeat(Math.ceil((50 * 1024 * 1024) / line.length)));
    const { failure } = await takeBack(project, { mode: 'dry-run' });
    expect(failure).toBeUndefined();
    await fs.writeFile(script(), line.repeat(Math.ceil((65 * 1024 * 1024) / line.length)));
    const refused = await takeBack(project, { mode: 'dry-run' });
    expect(refused.failure).toMatchObject({ code: 'plan-refused' });
    expect(await snapshot(database)).toBe(before);
  });

  test.each([
    [['--to', '7'], 2, /Version 7 is not applied/],
    [['--to', '1a'], 2, /"1a" is not a version/],
    [['--to', '-1'], 2, /-1/],
    [['--only', '9'.repeat(60)], 2, /is not applied/],
    [['--steps', '3'], 1, /--steps 3 is more than the 2 versions/],
    [['--steps', '0'], 2, /--steps 0/],
    [['--steps=-1'], 2, /--steps -1/],
    [['--steps', 'two'], 2, /--steps two/],
    [['--to', '2'], 1, /already the newest applied version/],
    [['--to', '1', '--all'], 2, /cannot be used with/],
  ] as const)('target %j', async (flags, exitCode, words) => {
    await fs.writeFile(script(), 'DROP TABLE t2;');
    const { code, stderr } = await project.run(['rollback', '--yes', ...flags]);
    expect(stderr).toMatch(words);
    expect(code).toBe(exitCode);
    expect(await snapshot(database)).toBe(before);
  });

  test('without --yes nobody is asked where there is no terminal', async () => {
    const { code, stderr } = await project.run(['rollback']);
    expect(code).toBe(2);
    expect(stderr).toContain('confirmation-missing');
    expect(await snapshot(database)).toBe(before);
  });
});
