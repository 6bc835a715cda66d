import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs/promises';
import { connect as connectTo, createServer, type AddressInfo, type Socket } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connectMysql, type MysqlSession } from '../../../../../adapters/databases/mysql/session.js';
import { type ConnectionSettings, Secret } from '../../../../../src/config/config.js';
import type { FlybackError } from '../../../../../src/errors/error.js';
import {
  createDatabase,
  describeWithLocalMysql,
  forEachMysql,
  type MysqlDatabase,
  runOn,
} from '../../../../harness/mysql.js';
import { mysqlSettings } from '../../../../harness/mysql-settings.js';
import { type LocalServer, startLocal } from '../../../../harness/mysql-servers.js';

const open: MysqlSession[] = [];

async function connect(settings: ConnectionSettings): Promise<MysqlSession> {
  const session = await connectMysql(settings);
  open.push(session);
  return session;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((session) => session.close()));
});

async function failureOf(settings: ConnectionSettings): Promise<FlybackError> {
  return connect(settings).then(
    () => {
      throw new Error('It connected.');
    },
    (error: unknown) => error as FlybackError,
  );
}

async function valueOf(session: MysqlSession, sql: string): Promise<string | null | undefined> {
  return (await session.query(sql)).at(-1)?.rows[0]?.[0];
}

forEachMysql('a session', (server) => {
  let database: MysqlDatabase;

  beforeAll(async () => {
    database = await createDatabase(server);
  });
  afterAll(() => database.drop());

  describe('values', () => {
    it('are text exactly as the server sends them', async () => {
      const session = await connect(mysqlSettings(database.url, { initSql: "SET sql_mode = ''" }));
      const [, , result] = await session.query(`
        CREATE TABLE v (i BIGINT UNSIGNED, d DECIMAL(30, 10), f DOUBLE, at DATETIME(6), z DATE, t TIME, s VARCHAR(20), n INT,
          b VARBINARY(10), e VARBINARY(10), bits BIT(10), j JSON, y YEAR, k SET('a', 'b'));
        INSERT INTO v VALUES (18446744073709551615, 1234567890.0100000000, 1e300, '2024-02-29 12:34:56.789012', '0000-00-00',
          '-838:59:59', 'é😀\\0x', NULL, X'00ff', '', b'101', '{"a": 1}', 2024, 'a,b');
        SELECT * FROM v`);
      expect(result?.columns).toEqual(['i', 'd', 'f', 'at', 'z', 't', 's', 'n', 'b', 'e', 'bits', 'j', 'y', 'k']);
      expect(result?.rows).toEqual([
        [
          '18446744073709551615',
          '1234567890.0100000000',
          '1e300',
          '2024-02-29 12:34:56.789012',
          '0000-00-00',
          '-838:59:59',
          'é😀\0x',
          null,
          '0x00ff',
          '0x',
          '0x0005',
          '{"a": 1}',
          '2024',
          'a,b',
        ],
      ]);
    });

    it('may be megabytes long', async () => {
      const session = await connect(mysqlSettings(database.url));
      expect((await valueOf(session, "SELECT REPEAT('é', 6000000)"))?.length).toBe(6_000_000);
      const text = 'x'.repeat(9_000_000);
      expect(await valueOf(session, `SELECT MD5('${text}')`)).toHaveLength(32);
    });

    it('keep their text when a script changes the character set of the answers', async () => {
      const session = await connect(mysqlSettings(database.url));
      expect(await valueOf(session, "SET NAMES latin1; SELECT 'é'")).toBe('é');
    });

    it('of a procedure are its last rows', async () => {
      const session = await connect(mysqlSettings(database.url));
      await session.query('CREATE PROCEDURE two() BEGIN SELECT 1; SELECT 2 AS b, 3 AS c; END');
      expect(await session.query('CALL two(); SELECT 4')).toEqual([
        { command: 'CALL', rowCount: 1, columns: ['b', 'c'], rows: [['2', '3']] },
        { command: 'SELECT', rowCount: 1, columns: ['4'], rows: [['4']] },
      ]);
    });

    it('of a batch reach the server as they are, whatever the backslash means there', async () => {
      const session = await connect(mysqlSettings(database.url));
      const values = ["it's \\ \\' \0 é😀", null, '$1', "'; DROP TABLE x; --"];
      for (const mode of ['', 'NO_BACKSLASH_ESCAPES', 'ANSI_QUOTES']) {
        await session.query(`SET sql_mode = '${mode}'`);
        const { results, failure } = await session.batch([{ sql: "SELECT $1, $2, $3, $4, '$1'", values }]);
        expect(failure).toBeUndefined();
        expect(results[0]?.rows).toEqual([[...values, '$1']]);
      }
    });
  });

  describe('several statements', () => {
    it('are sent one after the other, up to the first that fails', async () => {
      const session = await connect(mysqlSettings(database.url));
      const answered: number[] = [];
      const { results, failure } = await session.pipeline(
        [
          'CREATE TABLE p (id INT); INSERT INTO p VALUES (1), (2)',
          'UPDATE p SET id = 3 WHERE id = 2',
          'SELECT * FROM nowhere',
          'DELETE FROM p',
        ],
        (index) => answered.push(index),
      );
      expect(results.map((list) => list.map(({ command, rowCount }) => [command, rowCount]))).toEqual([
        [
          ['CREATE TABLE', 0],
          ['INSERT', 2],
        ],
        [['UPDATE', 1]],
      ]);
      expect(answered).toEqual([0, 1]);
      expect(failure).toMatchObject({
        index: 2,
        error: { serverCode: '1146', sqlState: '42S02', connectionLost: false },
      });
      expect(await valueOf(session, 'SELECT COUNT(*) FROM p')).toBe('2');
    });

    it('in one text, where one should stand, are refused by the server', async () => {
      const session = await connect(mysqlSettings(database.url));
      const { failure } = await session.batch([{ sql: 'SELECT 1; DROP TABLE p' }]);
      expect(failure?.error).toMatchObject({ serverCode: '1064', position: 'SELECT 1; '.length + 1 });
    });
  });

  it('tells where a statement is wrong', async () => {
    const session = await connect(mysqlSettings(database.url));
    const place = async (sql: string): Promise<string | undefined> => {
      const { failure } = await session.batch([{ sql }]);
      const position = failure?.error.position;
      return position === undefined
        ? undefined
        : Array.from(sql)
            .slice(position - 1)
            .join('')
            .slice(0, 8);
    };
    expect(await place("SELECT '😀',\n  FROM t")).toBe('FROM t');
    expect(await place('SELEC 1')).toBe('SELEC 1');
    expect(await place('CREATE TABLE t (id INT')).toBe('T');
    expect(await place(`SELECT 1 frm x\n WHERE ${'a AND '.repeat(40)} b`)).toBe('x\n WHERE');
    expect(await place(`SELECT ${'(1,, '.repeat(40)}`)).toBeUndefined();
    const letters = Array.from({ length: 60 }, (_, index) => `é${index}`).join('');
    expect(await place(`SELECT 1 frm ${letters}`)).toBe('é0é1é2é3');
    expect(await place(`SELECT ${'x '.repeat(100)}`)).toBeUndefined();
    expect(await place('SELECT * FROM nowhere')).toBeUndefined();
  });

  it('gives warnings as notices, and leaves alone what a script asks about its own statements', async () => {
    const session = await connect(mysqlSettings(database.url));
    await session.query('DROP TABLE IF EXISTS nowhere; SELECT 1/0');
    expect(session.takeNotices()).toEqual([
      expect.stringMatching(/^NOTE: Unknown table .*nowhere.* \(1051\)$/),
      expect.stringMatching(/^WARNING: Division by 0 \(1365\)$/),
    ]);
    expect(session.takeNotices()).toEqual([]);
    await session.query("CREATE TABLE w (a INT); SET sql_mode = ''; INSERT INTO w VALUES (1), ('x')");
    expect(session.takeNotices()).toHaveLength(1);
    expect(await valueOf(session, "INSERT INTO w VALUES (1), ('x'); SELECT ROW_COUNT()")).toBe('2');
  });

  it('knows whether a transaction is open', async () => {
    const session = await connect(mysqlSettings(database.url));
    const after = async (sql: string): Promise<boolean> => {
      await session.query(sql);
      return session.inTransaction;
    };
    expect(await after('SELECT 1')).toBe(false);
    expect(await after('START TRANSACTION')).toBe(true);
    expect(await after('SELECT 1')).toBe(true);
    expect(await after('SELECT 1 WHERE 1 = 0')).toBe(true);
    expect(await after('CREATE TABLE implicit (id INT)')).toBe(false);
    expect(await after('BEGIN; CREATE TEMPORARY TABLE kept (id INT)')).toBe(true);
    expect(await after('ROLLBACK')).toBe(false);
  });

  it('never hands a file of this machine to the server', async () => {
    const session = await connect(mysqlSettings(database.rootUrl));
    await session.query('CREATE TABLE l (a TEXT)');
    const { failure } = await session.batch([{ sql: "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE l" }]);
    expect(failure?.error.serverCode).toMatch(/^(1148|3948|4166)$/);
    expect(await valueOf(session, 'SELECT COUNT(*) FROM l')).toBe('0');
  });

  it('reads names of functions as the server does', async () => {
    const session = await connect(mysqlSettings(database.url));
    expect(await valueOf(session, 'SELECT @@sql_mode')).not.toContain('IGNORE_SPACE');
    expect(session.facts.mysql?.sqlModes).not.toContain('IGNORE_SPACE');
  });

  it('cancels what it runs within a second, and lives on', async () => {
    const session = await connect(mysqlSettings(database.url));
    const running = session.batch([
      {
        sql: 'SELECT COUNT(*) FROM information_schema.columns a, information_schema.columns b, information_schema.columns c',
      },
    ]);
    await expect
      .poll(() =>
        runOn(
          server.url,
          `SELECT 1 FROM information_schema.processlist WHERE id = ${session.facts.backendId} AND info LIKE 'SELECT COUNT%'`,
        ),
      )
      .toHaveLength(1);
    const started = performance.now();
    await session.cancel();
    expect((await running).failure?.error).toMatchObject({ serverCode: '1317', connectionLost: false });
    expect(performance.now() - started).toBeLessThan(1000);
    expect(await valueOf(session, 'SELECT 1')).toBe('1');
    // With nothing to cancel it does nothing.
    await session.cancel();
    expect(await valueOf(session, 'SELECT 2')).toBe('2');
  });

  describe('that breaks', () => {
    it('says that the connection is lost, and closes without complaint', async () => {
      const relay = await startRelay(database);
      try {
        const session = await connect(
          mysqlSettings(database.url, { hosts: [{ host: '127.0.0.1', port: relay.port }] }),
        );
        const running = session.batch([{ sql: 'SELECT SLEEP(30)', answersAtOnce: true }, { sql: 'SELECT 1' }]);
        await expect
          .poll(() => runOn(server.url, "SELECT 1 FROM information_schema.processlist WHERE info = 'SELECT SLEEP(30)'"))
          .toHaveLength(1);
        relay.cut();
        expect((await running).failure).toMatchObject({
          index: 0,
          error: { connectionLost: true, serverCode: undefined },
        });
        await expect(session.query('SELECT 1')).rejects.toMatchObject({ code: 'connection-lost' });
        await session.close();
        await session.close();
      } finally {
        await relay.stop();
      }
    });

    it('is lost too when the server ends it', async () => {
      const session = await connect(mysqlSettings(database.url));
      const running = session.batch([{ sql: 'SELECT SLEEP(31)' }]);
      await expect
        .poll(() => runOn(server.url, "SELECT 1 FROM information_schema.processlist WHERE info = 'SELECT SLEEP(31)'"))
        .toHaveLength(1);
      await runOn(server.url, `KILL ${session.facts.backendId}`);
      expect((await running).failure?.error.connectionLost).toBe(true);
      await expect(session.query('SELECT 1')).rejects.toMatchObject({ code: 'connection-lost' });
    });
  });

  describe('that cannot be opened', () => {
    it('says why, and nothing secret', async () => {
      const settings = mysqlSettings(database.url);
      const secret = new Secret('correct-horse');
      const wrongPassword = await failureOf({ ...settings, password: secret });
      expect(wrongPassword).toMatchObject({ code: 'authentication-failed', serverCode: '1045' });
      const wrongDatabase = await failureOf(mysqlSettings(database.rootUrl, { databaseName: 'nowhere' }));
      expect(wrongDatabase).toMatchObject({ code: 'connection-failed', serverCode: '1049' });
      expect(await failureOf({ ...settings, databaseName: 'mysql' })).toMatchObject({ code: 'privilege-missing' });
      const nobody = await failureOf({ ...settings, hosts: [{ host: '127.0.0.1', port: 1 }], password: secret });
      expect(nobody).toMatchObject({ code: 'connection-failed' });
      expect(nobody.hint).toContain('Nothing listens');
      expect(await failureOf({ ...settings, hosts: [{ host: '/nowhere.sock', port: 0 }] })).toMatchObject({
        code: 'connection-failed',
        hint: expect.stringContaining('no socket') as string,
      });
      expect(await failureOf({ ...settings, initSql: "CREATE USER x IDENTIFIED BY 'correct-horse'" })).toMatchObject({
        code: 'privilege-missing',
      });
      for (const error of [wrongPassword, nobody]) {
        expect(JSON.stringify([error.message, error.hint, error.cause])).not.toContain('correct-horse');
      }
    });

    it('when what answers is no such server, or does not answer', async () => {
      const silent = createServer(() => undefined).listen(0, '127.0.0.1');
      const chatty = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(0, '127.0.0.1');
      try {
        await Promise.all([once(silent, 'listening'), once(chatty, 'listening')]);
        for (const listener of [silent, chatty]) {
          const { port } = listener.address() as AddressInfo;
          const error = await failureOf(
            mysqlSettings(database.url, { hosts: [{ host: '127.0.0.1', port }], connectTimeoutMs: 500 }),
          );
          expect(error.message).toContain('Cannot connect to');
        }
      } finally {
        silent.close();
        chatty.close();
      }
    });
  });

  it('is opened on the first host that answers', async () => {
    const settings = mysqlSettings(database.url);
    const session = await connect({ ...settings, hosts: [{ host: '127.0.0.1', port: 1 }, ...settings.hosts] });
    expect(session.facts).toMatchObject({
      databaseName: database.name,
      user: `${database.user}@%`,
      currentSchema: database.name,
      proxied: false,
      readOnly: false,
      mysql: {
        product: server.product,
        autocommit: true,
        foreignKeyChecks: true,
        safeUpdates: false,
        readOnlyBy: [],
        galera: false,
      },
    });
    expect(server.version).toBe(session.facts.version);
    expect(await valueOf(session, 'SELECT CONNECTION_ID()')).toBe(String(session.facts.backendId));
  });
});

describeWithLocalMysql('a session with a server that is set up otherwise', () => {
  let folder: string;
  let server: LocalServer;

  beforeAll(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), 'flyback-tls-'));
    await fs.chmod(folder, 0o755);
    // prettier-ignore
    const make = (...options: readonly string[]) => execFileSync('openssl', options, { cwd: folder, stdio: 'pipe' });
    make(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      'ca.key',
      '-out',
      'ca.crt',
      '-subj',
      '/CN=authority',
      '-days',
      '2',
    );
    make(
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      'server.key',
      '-out',
      'server.csr',
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=DNS:localhost',
    );
    make(
      'x509',
      '-req',
      '-in',
      'server.csr',
      '-CA',
      'ca.crt',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-out',
      'server.crt',
      '-days',
      '2',
      '-copy_extensions',
      'copy',
    );
    make(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      'other.key',
      '-out',
      'other.crt',
      '-subj',
      '/CN=other',
      '-days',
      '2',
    );
    for (const name of await fs.readdir(folder)) await fs.chmod(path.join(folder, name), 0o644);
    server = await startLocal({
      settings: {
        'ssl-ca': path.join(folder, 'ca.crt'),
        'ssl-cert': path.join(folder, 'server.crt'),
        'ssl-key': path.join(folder, 'server.key'),
        'read-only': '1',
        autocommit: '0',
        'sql-mode': 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES',
        'init-connect': 'SET sql_safe_updates = 1, foreign_key_checks = 0',
        'lock-wait-timeout': '77',
        'innodb-lock-wait-timeout': '7',
        'lower-case-table-names': '1',
      },
    });
    await runOn(
      server.url,
      "CREATE DATABASE d; CREATE USER must@'%' IDENTIFIED BY 'p' REQUIRE SSL; GRANT ALL PRIVILEGES ON d.* TO must@'%'; COMMIT",
    );
  });
  afterAll(async () => {
    await server.stop();
    await fs.rm(folder, { recursive: true });
  });

  const as = (tls: ConnectionSettings['tls'], host = '127.0.0.1'): ConnectionSettings =>
    mysqlSettings(`mysql://must:p@${host}:${String(server.port)}/d`, { tls });

  const cipher = async (session: MysqlSession): Promise<string | null | undefined> =>
    (await session.query("SHOW STATUS LIKE 'Ssl_cipher'"))[0]?.rows[0]?.[1];

  it('tells its facts', async () => {
    const { facts } = await connect(as({ mode: 'require' }));
    expect(facts.readOnly).toBe(true);
    expect(facts.mysql).toMatchObject({
      autocommit: false,
      safeUpdates: true,
      foreignKeyChecks: false,
      readOnlyBy: ['read_only'],
      lowerCaseTableNames: 1,
      lockWaitTimeout: 77,
      innodbLockWaitTimeout: 7,
    });
    expect(facts.mysql?.sqlModes).toEqual(expect.arrayContaining(['ANSI_QUOTES', 'NO_BACKSLASH_ESCAPES']));
  });

  it('encrypts as asked, and trusts whom it is told to trust', async () => {
    const rootCertificateFile = path.join(folder, 'ca.crt');
    for (const settings of [
      as({ mode: 'prefer' }),
      as({ mode: 'require' }),
      as({ mode: 'verify-ca', rootCertificateFile }),
      as({ mode: 'verify-full', rootCertificateFile }, 'localhost'),
    ])
      expect(await cipher(await connect(settings))).not.toBe('');

    expect(await failureOf(as({ mode: 'disable' }))).toMatchObject({ code: 'authentication-failed' });
    expect(await failureOf(as({ mode: 'verify-full', rootCertificateFile }))).toMatchObject({
      code: 'connection-failed',
    });
    // The certificate names localhost only; then the address too.
    // prettier-ignore
    execFileSync('openssl', ['req', '-x509', '-key', 'server.key', '-CA', 'ca.crt', '-CAkey', 'ca.key', '-out', 'server.crt', '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'], { cwd: folder, stdio: 'pipe' });
    await runOn(server.url, 'FLUSH SSL');
    expect(await cipher(await connect(as({ mode: 'verify-full', rootCertificateFile })))).not.toBe('');
    const stranger = { rootCertificateFile: path.join(folder, 'other.crt') };
    expect(await failureOf(as({ mode: 'verify-ca', ...stranger }))).toMatchObject({ code: 'connection-failed' });
    expect(await failureOf(as({ mode: 'verify-ca' }))).toMatchObject({ code: 'connection-failed' });
    expect(await failureOf(as({ mode: 'verify-ca', rootCertificateFile: '/nowhere.crt' }))).toMatchObject({
      code: 'config-invalid',
    });
  });

  it('cancels over TLS too', async () => {
    const session = await connect(as({ mode: 'require' }));
    const running = session.batch([{ sql: 'SELECT SLEEP(32)' }]);
    await expect
      .poll(() => runOn(server.url, "SELECT 1 FROM information_schema.processlist WHERE info = 'SELECT SLEEP(32)'"))
      .toHaveLength(1);
    await session.cancel();
    expect((await running).failure?.error.serverCode).toBe('1317');
  });

  it('goes through a Unix socket', async () => {
    const session = await connect(
      mysqlSettings(server.url, {
        hosts: [{ host: server.socketFile, port: 0 }],
        tls: { mode: 'verify-full' },
        databaseName: 'd',
      }),
    );
    expect(session.facts.user).toBe('root@localhost');
    expect(await cipher(session)).toBe('');
  });
});

describeWithLocalMysql('a server without TLS', () => {
  it('is reached by prefer, and refused by require', async () => {
    const server = await startLocal({ settings: { ssl: '0' } });
    try {
      const settings = mysqlSettings(`${server.url}mysql`);
      const session = await connect({ ...settings, tls: { mode: 'prefer' } });
      expect(session.facts.databaseName).toBe('mysql');
      expect(await failureOf({ ...settings, tls: { mode: 'require' } })).toMatchObject({
        code: 'connection-failed',
        hint: expect.stringContaining('offers no TLS') as string,
      });
    } finally {
      await server.stop();
    }
  });
});

interface Relay {
  readonly port: number;
  /** Breaks every connection, without a word to either side. */
  cut(): void;
  stop(): Promise<void>;
}

async function startRelay({ host, port }: MysqlDatabase): Promise<Relay> {
  const sockets = new Set<Socket>();
  const listener = createServer((client) => {
    const upstream = connectTo(port, host);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
    }
    client.pipe(upstream);
    upstream.pipe(client);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (listener.address() as AddressInfo).port,
    cut,
    stop: async () => {
      cut();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}
